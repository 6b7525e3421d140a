"""A file whose documents stand as they did before outboxes had a table of their own."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from shared.clock import RealRuntime
from shared.store.local import LocalStore
from shared.store.port import OUTBOX_INDEX, Document
from tests.contract.store_cases import CASES, case, unsent

OLDER = """
CREATE TABLE documents (
    collection TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
    body TEXT NOT NULL, ix TEXT NOT NULL, uq TEXT,
    PRIMARY KEY (collection, id)) WITHOUT ROWID;
CREATE TABLE entries (
    collection TEXT NOT NULL, name TEXT NOT NULL, equals TEXT NOT NULL, ord TEXT NOT NULL, id TEXT NOT NULL,
    PRIMARY KEY (collection, name, equals, ord, id)) WITHOUT ROWID;
CREATE TABLE uniques (
    collection TEXT NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL,
    PRIMARY KEY (collection, key)) WITHOUT ROWID;
CREATE TABLE built (
    collection TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY (collection, name)) WITHOUT ROWID;
"""


def older_file(path: Path, documents: list[Document]) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(OLDER)
    for document in documents:
        body = {name: value for name, value in document.items() if name not in ("ix", "uq")}
        uq = json.dumps(document["uq"]) if "uq" in document else None
        row = ("cases", document["_id"], document["version"], json.dumps(body), json.dumps(document["ix"]), uq)
        connection.execute("INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?)", row)
        for key in document.get("uq", ()):
            connection.execute("INSERT INTO uniques VALUES (?, ?, ?)", ("cases", key, document["_id"]))
        for name, entry in document["ix"].items():
            for equals in entry["e"]:
                place = ("cases", name, equals, entry["o"], document["_id"])
                connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?)", place)
    connection.commit()
    connection.close()


async def test_documents_of_an_older_file_are_found_saved_and_sent(tmp_path: Path) -> None:
    path, runtime = tmp_path / "store.sqlite", RealRuntime()
    sent, waits = CASES.indexed(case("a", office="x", numbers=["n1"])), CASES.indexed(unsent("b", 3, office="x"))
    older_file(path, [sent, waits])
    store = LocalStore(path, [CASES], runtime)
    for _ in range(2):
        await store.start()
        assert [await store.load("cases", id) for id in ("a", "b")] == [sent, waits]
        assert [one["_id"] for one in await store.find("cases", "office", "x")] == ["a", "b"]
        assert [one["_id"] for one in await store.find("cases", OUTBOX_INDEX, "pending")] == ["b"]
        await store.stop()
    await store.start()
    assert await store.sent("cases", "b", 3)
    assert await store.load("cases", "b") == CASES.indexed(case("b", 3, office="x"))
    assert await store.count("cases", OUTBOX_INDEX, "pending") == 0
    await store.save("cases", unsent("a", 2, office="y"), 1)
    assert await store.load("cases", "a") == CASES.indexed(unsent("a", 2, office="y"))
    await store.stop()
    runtime.close()
