"""How the local store's file keeps documents: what it leaves out comes back; a file of another form is refused."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.clock import RealRuntime
from shared.errors import SettingsError
from shared.store.collection import Collection, Index
from shared.store.documents import USUAL, digest, new_document
from shared.store.local import LocalStore
from shared.store.port import Document

CASES = Collection("cases", {"said": Index(lambda d: d["said"], lambda d: f"{d['said'][0]}\x1f{d['_id']}")})


@pytest.fixture
async def store() -> AsyncIterator[LocalStore]:
    opened = LocalStore(None, [CASES], RealRuntime())
    await opened.start()
    yield opened
    await opened.stop()


def document(id: str, **fields: Any) -> Document:
    return {**new_document(id), "version": 1, "said": [id], **fields}


@pytest.mark.parametrize(
    "given",
    [
        document("as it begins"),
        document("another value that is equal", late=0, timed=0.0, closed=False),
        document("other values", private={"a": {}}, holds={}, state={"private": None}, timed=True, next_at="later"),
        {"_id": "without a field", "version": 1, "said": ["x"], **{n: v for n, v in USUAL.items() if n != "late"}},
        {"_id": "without any", "version": 1, "said": ["x"], "late": False},
        document("1", said=["1", "11", "\x01", "1\\u0001", "another"]),
        document('"\\\x01\n', said=['"\\\x01\n', "\\n", '"', "\\\\n"]),
        document("n", said=["\n", "\\n", "nn"]),
    ],
    ids=lambda given: ascii(given["_id"]),
)
async def test_what_is_left_out_comes_back(store: LocalStore, given: Document) -> None:
    wanted = CASES.indexed(given)
    await store.save("cases", given, 0)
    assert digest(await store.load("cases", given["_id"]) or {}) == digest(wanted)
    changed = {**given, "version": 2, "said": [*given["said"], "once more"], "late": True}
    await store.save("cases", changed, 1)
    assert [digest(one) for one in await store.find("cases", "said", "once more")] == [digest(CASES.indexed(changed))]
    for text in given["said"]:
        assert [one["_id"] for one in await store.find("cases", "said", text)] == [given["_id"]]
    await store.save("cases", {**changed, "version": 3, "said": ["nothing else"]}, 2)
    assert [await store.count("cases", "said", text) for text in changed["said"]] == [0] * len(changed["said"])
    assert await store.count("cases", "said", "nothing else") == 1


async def test_what_was_usual_before_is_still_read(tmp_path: Path) -> None:
    path, runtime = tmp_path / "store.sqlite", RealRuntime()
    given = document("a")
    for usual in (None, {**USUAL, "late": True}, {}):
        store = LocalStore(path, [Collection("cases", CASES.indexes, usual=usual)], runtime)
        await store.start()
        if usual is None:
            await store.save("cases", given, 0)
        assert digest(await store.load("cases", "a") or {}) == digest(CASES.indexed(given))
        await store.stop()
    runtime.close()


async def test_a_file_of_another_form_is_not_opened(tmp_path: Path) -> None:
    path, runtime = tmp_path / "store.sqlite", RealRuntime()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE documents (id TEXT)")
    connection.close()
    with pytest.raises(SettingsError, match=r"store\.sqlite was written by another version"):
        await LocalStore(path, [CASES], runtime).start()
    path.unlink()
    for _ in range(2):
        store = LocalStore(path, [CASES], runtime)
        await store.start()
        await store.stop()
    runtime.close()
