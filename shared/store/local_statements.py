"""The local store's tables and what one transaction does with them; every function takes an open connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

from pydantic_core import from_json, to_json

from shared.errors import Conflict, UniqueViolated
from shared.store.port import OUTBOX_INDEX, Appended, Document

# `ix` and `uq` stand apart from the body: a save compares them without parsing the document. So does an outbox, whose
# events leave as soon as they are sent: nothing else of the document is written then, and their room is used again.
# What passes (`Collection.passing`) stands apart for the same reason: documents that shrink in their pages leave holes
# that no other one fits into, since each new one goes to the end.
# Rows by number: among those sorted by key a document longer than a quarter of a page takes a page of its own.
SETUP = """
CREATE TABLE IF NOT EXISTS contents (
    number INTEGER PRIMARY KEY, collection TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
    body TEXT NOT NULL, ix TEXT NOT NULL, uq TEXT, emits INTEGER NOT NULL,
    UNIQUE (collection, id));
CREATE TABLE IF NOT EXISTS outboxes (
    number INTEGER PRIMARY KEY, ord TEXT NOT NULL, events TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS passing (
    number INTEGER PRIMARY KEY, fields TEXT NOT NULL);
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
# Where older code looks for its documents: it fails there, and does not take the store for an empty one.
BARRIER = "CREATE VIEW IF NOT EXISTS documents AS SELECT 'of a newer file' AS documents"
# How documents stood in older files.
OLDER = "SELECT 1 FROM sqlite_master WHERE type='table' AND name='documents'"
OLDER_ROWS = "SELECT collection, body, ix, uq FROM documents"
DROP_OLDER = "DROP TABLE documents"
WHOLE = "SELECT d.body, d.ix, d.uq, d.emits, o.ord, o.events, p.fields"
APART = "LEFT JOIN outboxes o ON o.number=d.number LEFT JOIN passing p ON p.number=d.number"
OF_ONE = f"FROM contents d {APART} WHERE d.collection=? AND d.id=?"
HEAD = f"SELECT d.number, d.version, d.ix, d.uq, o.ord, p.number {OF_ONE}"
BODY = f"{WHOLE} {OF_ONE}"
INSERT = "INSERT INTO contents (collection, id, version, body, ix, uq, emits) VALUES (?, ?, ?, ?, ?, ?, ?)"
INSERT_NEW = f"{INSERT} ON CONFLICT DO NOTHING"
UPDATE = "UPDATE contents SET version=?, body=?, ix=?, uq=?, emits=? WHERE number=?"
PUT_OUTBOX = "INSERT OR REPLACE INTO outboxes (number, ord, events) VALUES (?, ?, ?)"
DROP_OUTBOX = "DELETE FROM outboxes WHERE number=?"
PUT_PASSING = "INSERT OR REPLACE INTO passing (number, fields) VALUES (?, ?)"
DROP_PASSING = "DELETE FROM passing WHERE number=?"
_FOUND = f"""{WHOLE} FROM entries e
    CROSS JOIN contents d ON d.collection=e.collection AND d.id=e.id {APART}
    WHERE e.collection=? AND e.name=? AND e.equals=? AND e.ord>? {{until}} ORDER BY e.ord {{way}} LIMIT ?"""
# By whether the last comes first, and whether there is an end.
FIND = {
    (descending, ends): _FOUND.format(until="AND e.ord<?" if ends else "", way="DESC" if descending else "")
    for descending in (False, True)
    for ends in (False, True)
}
COUNT = "SELECT count(*) FROM (SELECT 1 FROM entries WHERE collection=? AND name=? AND equals=? LIMIT ?)"
SCAN = f"{WHOLE}, d.id FROM contents d {APART} WHERE d.collection=? AND d.id>? ORDER BY d.id LIMIT ?"
ADD_ENTRY = "INSERT INTO entries (collection, name, equals, ord, id) VALUES (?, ?, ?, ?, ?)"
DROP_ENTRY = "DELETE FROM entries WHERE collection=? AND name=? AND equals=? AND ord=? AND id=?"
ADD_KEY = "INSERT INTO uniques (collection, key, id) VALUES (?, ?, ?)"
DROP_KEY = "DELETE FROM uniques WHERE collection=? AND key=?"
BUILT = "SELECT name, version FROM built WHERE collection=?"
NOTE_BUILT = "INSERT OR REPLACE INTO built (collection, name, version) VALUES (?, ?, ?)"
KEY_HOLDER = "SELECT 1 FROM uniques WHERE collection=? AND key=?"

PENDING = "pending"
OUTBOX_FIELDS = ("outbox", PENDING)
NOT_IN_BODY = frozenset({"ix", "uq", *OUTBOX_FIELDS})
Entry = tuple[str, str, str]


def _dumps(value: Any) -> str:
    # What gets here has passed `documents.check`: JSON types alone, every number finite, every text encodable.
    return to_json(value).decode()


def _loads(text: str) -> Any:
    # Values are not cached: a store's texts may be a person's, and outlive in the cache what erased them.
    return from_json(text, cache_strings="keys")


class Row:
    """A document ready to be written: encoded once, on the caller's side of the queue; `passing` of its collection."""

    __slots__ = ("body", "emits", "entries", "events", "fields", "id", "ix", "keys", "ord", "uq", "version")

    def __init__(self, document: Document, passing: tuple[str, ...] = ()) -> None:
        self.id: str = document["_id"]
        self.version: int = document["version"]
        ix = dict(document["ix"])
        pending = ix.pop(OUTBOX_INDEX, None)
        self.entries = _entries(ix)
        self.keys: set[str] = set(document.get("uq", ()))
        body = {name: value for name, value in document.items() if name not in NOT_IN_BODY}
        self.emits = document.get("pending") is (pending is not None) and "outbox" in document
        if not self.emits:
            body |= {name: document[name] for name in OUTBOX_FIELDS if name in document}
        apart = {name: body.pop(name) for name in passing if body.get(name) is not None}
        self.fields = _dumps(apart)[1:-1] if apart else None
        self.body = _dumps(body)
        self.ix = _dumps(ix)
        self.uq = _dumps(document["uq"]) if "uq" in document else None
        self.ord: str | None = pending["o"] if pending else None
        self.events = _dumps(document["outbox"]) if pending else None

    @property
    def values(self) -> tuple[Any, ...]:
        return self.version, self.body, self.ix, self.uq, self.emits


def _entries(ix: dict[str, Any]) -> set[Entry]:
    return {(name, equals, entry["o"]) for name, entry in ix.items() for equals in entry["e"]}


def document_of(
    body: str, ix: str, uq: str | None, emits: int, ord: str | None, events: str | None, fields: str | None
) -> Document:
    """The document whole again."""
    # One text is parsed sooner than several; neither a body nor its index entries are ever an empty text.
    parts = [body[:-1]]
    if emits:
        parts.append(f'"outbox":{events or "[]"},"pending":{"false" if ord is None else "true"}')
    if fields is not None:
        parts.append(fields)
    if uq is not None:
        parts.append(f'"uq":{uq}')
    if ord is not None:
        pending = f'{{"{OUTBOX_INDEX}":{{"e":["{PENDING}"],"o":{_dumps(ord)}}}'
        ix = pending + ("}" if ix == "{}" else f",{ix[1:]}")
    parts.append(f'"ix":{ix}}}')
    document: Document = _loads(",".join(parts))
    return document


def save(connection: sqlite3.Connection, collection: str, row: Row, expected_version: int) -> None:
    """Raises Conflict where the version is another one, UniqueViolated where a key is another document's."""
    head = connection.execute(HEAD, (collection, row.id)).fetchone()
    if (head[1] if head else 0) != expected_version:
        raise Conflict
    if head is None:
        number = connection.execute(INSERT, (collection, row.id, *row.values)).lastrowid
        _move(connection, collection, row, set(), set())
        _outbox(connection, collection, row, number, None)
        _passing(connection, row, number, None)
        return
    number, _, ix, uq, ord, passing = head
    connection.execute(UPDATE, (*row.values, number))
    entries = row.entries if ix == row.ix else _entries(_loads(ix))
    keys = row.keys if uq == row.uq else set(_loads(uq or "[]"))
    _move(connection, collection, row, entries, keys)
    _outbox(connection, collection, row, number, ord)
    _passing(connection, row, number, passing)


def _outbox(connection: sqlite3.Connection, collection: str, row: Row, number: int | None, ord: str | None) -> None:
    """Writes the row's outbox, where it has one; `ord`: the place of the one that stands."""
    if row.ord is not None:
        connection.execute(PUT_OUTBOX, (number, row.ord, row.events))
    elif ord is not None:
        connection.execute(DROP_OUTBOX, (number,))
    if ord is not None and ord != row.ord:
        connection.execute(DROP_ENTRY, (collection, OUTBOX_INDEX, PENDING, ord, row.id))
    if row.ord is not None and ord != row.ord:
        connection.execute(ADD_ENTRY, (collection, OUTBOX_INDEX, PENDING, row.ord, row.id))


def _passing(connection: sqlite3.Connection, row: Row, number: int | None, stood: int | None) -> None:
    """Writes what passes of the row, where something does; `stood`: the number again, where something did."""
    if row.fields is not None:
        connection.execute(PUT_PASSING, (number, row.fields))
    elif stood is not None:
        connection.execute(DROP_PASSING, (stood,))


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
        inserted = connection.execute(INSERT_NEW, (collection, row.id, *row.values))
        if inserted.rowcount == 0:
            answers.append("existed")
            continue
        _move(connection, collection, row, set(), set())
        _outbox(connection, collection, row, inserted.lastrowid, None)
        _passing(connection, row, inserted.lastrowid, None)
        answers.append("written")
    return answers


def rewrite_entries(connection: sqlite3.Connection, collection: str, rows: Iterable[Row]) -> None:
    """Writes other index entries under the same version; a document that was saved since has them from its save."""
    for row in rows:
        head = connection.execute(HEAD, (collection, row.id)).fetchone()
        if head is not None and head[1] == row.version:
            connection.execute(UPDATE, (*row.values, head[0]))
            _move(connection, collection, row, _entries(_loads(head[2])), row.keys)
            _outbox(connection, collection, row, head[0], head[4])
            _passing(connection, row, head[0], head[5])


def note_built(connection: sqlite3.Connection, collection: str, versions: dict[str, int]) -> None:
    for name, version in versions.items():
        connection.execute(NOTE_BUILT, (collection, name, version))


def sent(connection: sqlite3.Connection, collection: str, id: str, version: int) -> bool:
    """Empties the outbox of that very version; the version stays."""
    head = connection.execute(HEAD, (collection, id)).fetchone()
    if head is None or head[1] != version:
        return False
    number, _, _, _, ord, _ = head
    if ord is not None:
        connection.execute(DROP_OUTBOX, (number,))
        connection.execute(DROP_ENTRY, (collection, OUTBOX_INDEX, PENDING, ord, id))
    return True


def lift(connection: sqlite3.Connection) -> int:
    """Brings the documents of an older file into this form; their entries stand already. How many there were."""
    if connection.execute(OLDER).fetchone() is None:
        connection.execute(BARRIER)
        return 0
    many = 0
    for collection, body, ix, uq in connection.execute(OLDER_ROWS):
        row = Row(_loads(f'{body[:-1]},"ix":{ix}' + ("}" if uq is None else f',"uq":{uq}}}')))
        number = connection.execute(INSERT, (collection, row.id, *row.values)).lastrowid
        if row.ord is not None:
            connection.execute(PUT_OUTBOX, (number, row.ord, row.events))
        many += 1
    connection.execute(DROP_OLDER)
    connection.execute(BARRIER)
    return many
