"""The local store's tables and what one transaction does with them; every function takes an open connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

from pydantic_core import from_json, to_json

from shared.errors import Conflict, UniqueViolated
from shared.store.port import OUTBOX_INDEX, Appended, Document

# `ix` and `uq` stand apart from the body: a save compares them without parsing the document.
SETUP = """
CREATE TABLE IF NOT EXISTS documents (
    collection TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
    body TEXT NOT NULL, ix TEXT NOT NULL, uq TEXT,
    PRIMARY KEY (collection, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entries (
    collection TEXT NOT NULL, name TEXT NOT NULL, equals TEXT NOT NULL, ord TEXT NOT NULL, id TEXT NOT NULL,
    PRIMARY KEY (collection, name, equals, ord, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS uniques (
    collection TEXT NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL,
    PRIMARY KEY (collection, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS built (
    collection TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY (collection, name)) WITHOUT ROWID;
"""
HEAD = "SELECT version, ix, uq FROM documents WHERE collection=? AND id=?"
WHOLE = "SELECT version, body, ix, uq FROM documents WHERE collection=? AND id=?"
BODY = "SELECT body, ix, uq FROM documents WHERE collection=? AND id=?"
INSERT = "INSERT INTO documents (collection, id, version, body, ix, uq) VALUES (?, ?, ?, ?, ?, ?)"
INSERT_NEW = f"{INSERT} ON CONFLICT DO NOTHING"
UPDATE = "UPDATE documents SET version=?, body=?, ix=?, uq=? WHERE collection=? AND id=?"
FIND = """SELECT d.body, d.ix, d.uq FROM entries e CROSS JOIN documents d ON d.collection=e.collection AND d.id=e.id
    WHERE e.collection=? AND e.name=? AND e.equals=? AND e.ord>? {until} ORDER BY e.ord LIMIT ?"""
FIND_ON = FIND.format(until="")
FIND_UNTIL = FIND.format(until="AND e.ord<?")
COUNT = "SELECT count(*) FROM entries WHERE collection=? AND name=? AND equals=?"
SCAN = "SELECT id, body, ix, uq FROM documents WHERE collection=? AND id>? ORDER BY id LIMIT ?"
ADD_ENTRY = "INSERT INTO entries (collection, name, equals, ord, id) VALUES (?, ?, ?, ?, ?)"
DROP_ENTRY = "DELETE FROM entries WHERE collection=? AND name=? AND equals=? AND ord=? AND id=?"
ADD_KEY = "INSERT INTO uniques (collection, key, id) VALUES (?, ?, ?)"
DROP_KEY = "DELETE FROM uniques WHERE collection=? AND key=?"
BUILT = "SELECT name, version FROM built WHERE collection=?"
NOTE_BUILT = "INSERT OR REPLACE INTO built (collection, name, version) VALUES (?, ?, ?)"
KEY_HOLDER = "SELECT 1 FROM uniques WHERE collection=? AND key=?"

Entry = tuple[str, str, str]


def _dumps(value: Any) -> str:
    # What gets here has passed `documents.check`: JSON types alone, every number finite, every text encodable.
    return to_json(value).decode()


def _loads(text: str) -> Any:
    # Values are not cached: a store's texts may be a person's, and outlive in the cache what erased them.
    return from_json(text, cache_strings="keys")


class Row:
    """A document ready to be written: encoded once, on the caller's side of the queue."""

    __slots__ = ("body", "entries", "id", "ix", "keys", "uq", "version")

    def __init__(self, document: Document) -> None:
        self.id: str = document["_id"]
        self.version: int = document["version"]
        self.entries = _entries(document["ix"])
        self.keys: set[str] = set(document.get("uq", ()))
        self.body = _dumps({k: v for k, v in document.items() if k not in ("ix", "uq")})
        self.ix = _dumps(document["ix"])
        self.uq = _dumps(document["uq"]) if "uq" in document else None


def _entries(ix: dict[str, Any]) -> set[Entry]:
    return {(name, equals, entry["o"]) for name, entry in ix.items() for equals in entry["e"]}


def document_of(body: str, ix: str, uq: str | None) -> Document:
    """The document whole again."""
    # One text is parsed sooner than two; a body is never empty.
    parts = f'{body[:-1]},"ix":{ix}' if uq is None else f'{body[:-1]},"ix":{ix},"uq":{uq}'
    document: Document = _loads(parts + "}")
    return document


def save(connection: sqlite3.Connection, collection: str, row: Row, expected_version: int) -> None:
    """Raises Conflict where the version is another one, UniqueViolated where a key is another document's."""
    head = connection.execute(HEAD, (collection, row.id)).fetchone()
    if (head[0] if head else 0) != expected_version:
        raise Conflict
    if head is None:
        connection.execute(INSERT, (collection, row.id, row.version, row.body, row.ix, row.uq))
        _move(connection, collection, row, set(), set())
        return
    _, ix, uq = head
    connection.execute(UPDATE, (row.version, row.body, row.ix, row.uq, collection, row.id))
    entries = row.entries if ix == row.ix else _entries(_loads(ix))
    keys = row.keys if uq == row.uq else set(_loads(uq or "[]"))
    _move(connection, collection, row, entries, keys)


def _move(connection: sqlite3.Connection, collection: str, row: Row, entries: set[Entry], keys: set[str]) -> None:
    for key in keys - row.keys:
        connection.execute(DROP_KEY, (collection, key))
    for key in sorted(row.keys - keys):
        if connection.execute(KEY_HOLDER, (collection, key)).fetchone():
            raise UniqueViolated(key)
        connection.execute(ADD_KEY, (collection, key, row.id))
    for entry in entries - row.entries:
        connection.execute(DROP_ENTRY, (collection, *entry, row.id))
    for entry in row.entries - entries:
        connection.execute(ADD_ENTRY, (collection, *entry, row.id))


def append(connection: sqlite3.Connection, collection: str, rows: Iterable[Row]) -> list[Appended]:
    """Inserts each document that does not exist. Raises UniqueViolated, and then nothing of the batch stays."""
    answers: list[Appended] = []
    for row in rows:
        values = (collection, row.id, row.version, row.body, row.ix, row.uq)
        if connection.execute(INSERT_NEW, values).rowcount == 0:
            answers.append("existed")
            continue
        _move(connection, collection, row, set(), set())
        answers.append("written")
    return answers


def rewrite_entries(connection: sqlite3.Connection, collection: str, rows: Iterable[Row]) -> None:
    """Writes other index entries under the same version; a document that was saved since has them from its save."""
    for row in rows:
        head = connection.execute(HEAD, (collection, row.id)).fetchone()
        if head is not None and head[0] == row.version:
            connection.execute(UPDATE, (row.version, row.body, row.ix, row.uq, collection, row.id))
            _move(connection, collection, row, _entries(_loads(head[1])), row.keys)


def note_built(connection: sqlite3.Connection, collection: str, versions: dict[str, int]) -> None:
    for name, version in versions.items():
        connection.execute(NOTE_BUILT, (collection, name, version))


def sent(connection: sqlite3.Connection, collection: str, id: str, version: int) -> bool:
    """Empties the outbox of that very version; the version stays."""
    found = connection.execute(WHOLE, (collection, id)).fetchone()
    if found is None or found[0] != version:
        return False
    document = document_of(*found[1:]) | {"outbox": [], "pending": False}
    entries = _entries(document["ix"])
    document["ix"].pop(OUTBOX_INDEX, None)
    row = Row(document)
    connection.execute(UPDATE, (row.version, row.body, row.ix, row.uq, collection, id))
    _move(connection, collection, row, entries, row.keys)
    return True
