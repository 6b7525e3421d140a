"""The local store's tables and what one transaction does with them; every function takes an open connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json, to_json

from shared.errors import Conflict, UniqueViolated
from shared.store.collection import Collection
from shared.store.documents import USUAL
from shared.store.port import OUTBOX_INDEX, Appended, Document

# What `PRAGMA user_version` says of a file in this form; one of another form is not opened.
FORMAT = 3
# `ix` and `uq` stand apart from the body: a save compares them without parsing the document. So does an outbox, whose
# events leave as soon as they are sent: nothing else of the document is written then, and their room is used again.
# What passes (`Collection.passing`) stands apart for the same reason: documents that shrink in their pages leave holes
# that no other one fits into, since each new one goes to the end.
# Rows by number: among those sorted by key a document longer than a quarter of a page takes a page of its own.
# An entry names index and document by number, since a document has more entries than anything else. What most documents
# of a collection have in the same fields stands once, as a shape: a body holds what differs from it.
SETUP = """
CREATE TABLE IF NOT EXISTS contents (
    number INTEGER PRIMARY KEY, collection TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
    shape INTEGER NOT NULL, body TEXT NOT NULL, ix TEXT NOT NULL, uq TEXT, emits INTEGER NOT NULL,
    UNIQUE (collection, id));
CREATE TABLE IF NOT EXISTS outboxes (
    number INTEGER PRIMARY KEY, ord TEXT NOT NULL, events TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS passing (
    number INTEGER PRIMARY KEY, fields TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS indexes (
    number INTEGER PRIMARY KEY, collection TEXT NOT NULL, name TEXT NOT NULL, built INTEGER NOT NULL,
    UNIQUE (collection, name));
CREATE TABLE IF NOT EXISTS entries (
    ix INTEGER NOT NULL, equals TEXT NOT NULL, ord TEXT NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (ix, equals, ord, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS uniques (
    collection TEXT NOT NULL, key TEXT NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (collection, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shapes (
    number INTEGER PRIMARY KEY, fields TEXT NOT NULL UNIQUE);
"""
WHOLE = "SELECT d.id, d.version, d.shape, d.body, d.ix, d.uq, d.emits, o.ord, o.events, p.fields"
APART = "LEFT JOIN outboxes o ON o.number=d.number LEFT JOIN passing p ON p.number=d.number"
OF_ONE = f"FROM contents d {APART} WHERE d.collection=? AND d.id=?"
HEAD = f"SELECT d.number, d.version, d.ix, d.uq, o.ord, p.number {OF_ONE}"
BODY = f"{WHOLE} {OF_ONE}"
INSERT = "INSERT INTO contents (collection, id, version, shape, body, ix, uq, emits) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
INSERT_NEW = f"{INSERT} ON CONFLICT DO NOTHING"
UPDATE = "UPDATE contents SET version=?, shape=?, body=?, ix=?, uq=?, emits=? WHERE number=?"
PUT_OUTBOX = "INSERT OR REPLACE INTO outboxes (number, ord, events) VALUES (?, ?, ?)"
DROP_OUTBOX = "DELETE FROM outboxes WHERE number=?"
PUT_PASSING = "INSERT OR REPLACE INTO passing (number, fields) VALUES (?, ?)"
DROP_PASSING = "DELETE FROM passing WHERE number=?"
_FOUND = f"""{WHOLE} FROM entries e CROSS JOIN contents d ON d.number=e.number {APART}
    WHERE e.ix=? AND e.equals=? AND e.ord>? {{until}} ORDER BY e.ord {{way}} LIMIT ?"""
# By whether the last comes first, and whether there is an end.
FIND = {
    (descending, ends): _FOUND.format(until="AND e.ord<?" if ends else "", way="DESC" if descending else "")
    for descending in (False, True)
    for ends in (False, True)
}
COUNT = "SELECT count(*) FROM (SELECT 1 FROM entries WHERE ix=? AND equals=? LIMIT ?)"
SCAN = f"{WHOLE} FROM contents d {APART} WHERE d.collection=? AND d.id>? ORDER BY d.id LIMIT ?"
ADD_ENTRY = "INSERT INTO entries (ix, equals, ord, number) VALUES (?, ?, ?, ?)"
DROP_ENTRY = "DELETE FROM entries WHERE ix=? AND equals=? AND ord=? AND number=?"
ADD_KEY = "INSERT INTO uniques (collection, key, number) VALUES (?, ?, ?)"
DROP_KEY = "DELETE FROM uniques WHERE collection=? AND key=?"
KEY_HOLDER = "SELECT 1 FROM uniques WHERE collection=? AND key=?"
INDEXES = "SELECT name, number, built FROM indexes WHERE collection=?"
ADD_INDEX = "INSERT OR IGNORE INTO indexes (collection, name, built) VALUES (?, ?, 0)"
NOTE_BUILT = "UPDATE indexes SET built=? WHERE number=?"
ADD_SHAPE = "INSERT OR IGNORE INTO shapes (fields) VALUES (?)"
SHAPES = "SELECT number, fields FROM shapes"

PENDING = "pending"
OUTBOX_FIELDS = ("outbox", PENDING)
NOT_IN_BODY = frozenset({"_id", "version", "ix", "uq", *OUTBOX_FIELDS})
# In the texts of a document's entries, in place of its id. No JSON text holds it.
ITSELF = "\x01"
NO_SHAPE = 0
# Index, text and order.
Entry = tuple[int, str, str]


@dataclass(frozen=True)
class Kept:
    """How a file keeps a collection: the numbers of its indexes, also of those that code declares no more, and which of
    them are built in which version; what a document of its `shape` has where its body says nothing; the texts
    of all shapes by number."""

    name: str
    passing: tuple[str, ...]
    numbers: Mapping[str, int]
    built: Mapping[str, int]
    shape: int
    usual: Mapping[str, Any]
    shapes: Mapping[int, str]


def keep(connection: sqlite3.Connection, collection: Collection) -> Kept:
    """Gives numbers to what has none yet."""
    name, usual = collection.name, USUAL if collection.usual is None else collection.usual
    for index in collection.all_indexes:
        connection.execute(ADD_INDEX, (name, index))
    fields = _dumps(usual)[1:-1]
    connection.execute(ADD_SHAPE, (fields,))
    shapes = dict(connection.execute(SHAPES).fetchall())
    shape = next(number for number, text in shapes.items() if text == fields)
    rows = connection.execute(INDEXES, (name,)).fetchall()
    numbers = {index: number for index, number, _ in rows}
    built = {index: version for index, _, version in rows if version}
    return Kept(name, collection.passing, numbers, built, shape, usual, shapes)


def _dumps(value: Any) -> str:
    # What gets here has passed `documents.check`: JSON types alone, every number finite, every text encodable.
    return to_json(value).decode()


def _loads(text: str) -> Any:
    # Values are not cached: a store's texts may be a person's, and outlive in the cache what erased them.
    return from_json(text, cache_strings="keys")


class Row:
    """A document ready to be written: encoded once, on the caller's side of the queue."""

    __slots__ = ("body", "emits", "entries", "events", "fields", "id", "ix", "keys", "ord", "shape", "uq", "version")

    def __init__(self, document: Document, kept: Kept) -> None:
        self.id: str = document["_id"]
        self.version: int = document["version"]
        ix = dict(document["ix"])
        pending = ix.pop(OUTBOX_INDEX, None)
        self.entries = _entries(ix, kept)
        self.keys: set[str] = set(document.get("uq", ()))
        body = {name: value for name, value in document.items() if name not in NOT_IN_BODY}
        self.shape = kept.shape if kept.usual.keys() <= body.keys() else NO_SHAPE
        if self.shape:
            for name, value in kept.usual.items():
                # What is equal may be another value still: 0 and False.
                if body[name] == value and type(body[name]) is type(value):
                    del body[name]
        self.emits = document.get("pending") is (pending is not None) and "outbox" in document
        if not self.emits:
            body |= {name: document[name] for name in OUTBOX_FIELDS if name in document}
        apart = {name: body.pop(name) for name in kept.passing if body.get(name) is not None}
        self.fields = _dumps(apart)[1:-1] if apart else None
        self.body = _dumps(body)
        self.ix = _dumps(ix).replace(_dumps(self.id)[1:-1], ITSELF)
        self.uq = _dumps(document["uq"]) if "uq" in document else None
        self.ord: str | None = pending["o"] if pending else None
        self.events = _dumps(document["outbox"]) if pending else None

    @property
    def values(self) -> tuple[Any, ...]:
        return self.version, self.shape, self.body, self.ix, self.uq, self.emits


def _entries(ix: Mapping[str, Any], kept: Kept) -> set[Entry]:
    return {(kept.numbers[name], equals, entry["o"]) for name, entry in ix.items() for equals in entry["e"]}


def _standing(ix: str, id: str, kept: Kept) -> set[Entry]:
    return _entries(_loads(ix.replace(ITSELF, _dumps(id)[1:-1])), kept)


def document_of(kept: Kept, row: tuple[Any, ...]) -> Document:
    """The document whole again, of what a statement gave as `WHOLE`."""
    id, version, shape, body, ix, uq, emits, ord, events, fields = row
    quoted = _dumps(id)
    # One text is parsed sooner than several. Of a name that comes twice the last one counts, so the body's.
    parts = [f'{{"_id":{quoted},"version":{version}', kept.shapes.get(shape, ""), body[1:-1]]
    if emits:
        parts.append(f'"outbox":{events or "[]"},"pending":{"false" if ord is None else "true"}')
    parts.append(fields or "")
    if uq is not None:
        parts.append(f'"uq":{uq}')
    ix = ix.replace(ITSELF, quoted[1:-1])
    if ord is not None:
        pending = f'{{"{OUTBOX_INDEX}":{{"e":["{PENDING}"],"o":{_dumps(ord)}}}'
        ix = pending + ("}" if ix == "{}" else f",{ix[1:]}")
    parts.append(f'"ix":{ix}}}')
    document: Document = _loads(",".join(filter(None, parts)))
    return document


def save(connection: sqlite3.Connection, kept: Kept, row: Row, expected_version: int) -> None:
    """Raises Conflict where the version is another one, UniqueViolated where a key is another document's."""
    head = connection.execute(HEAD, (kept.name, row.id)).fetchone()
    if (head[1] if head else 0) != expected_version:
        raise Conflict
    if head is None:
        _insert(connection, kept, row, INSERT)
        return
    number, _, ix, uq, ord, passing = head
    connection.execute(UPDATE, (*row.values, number))
    entries = row.entries if ix == row.ix else _standing(ix, row.id, kept)
    keys = row.keys if uq == row.uq else set(_loads(uq or "[]"))
    _move(connection, kept, row, number, entries, keys)
    _outbox(connection, kept, row, number, ord)
    _passing(connection, row, number, passing)


def _insert(connection: sqlite3.Connection, kept: Kept, row: Row, statement: str) -> bool:
    """Whether the document was written; otherwise it stands already."""
    inserted = connection.execute(statement, (kept.name, row.id, *row.values))
    number = inserted.lastrowid
    if inserted.rowcount == 0 or number is None:
        return False
    _move(connection, kept, row, number, set(), set())
    _outbox(connection, kept, row, number, None)
    _passing(connection, row, number, None)
    return True


def _outbox(connection: sqlite3.Connection, kept: Kept, row: Row, number: int, ord: str | None) -> None:
    """Writes the row's outbox, where it has one; `ord`: the place of the one that stands."""
    index = kept.numbers[OUTBOX_INDEX]
    if row.ord is not None:
        connection.execute(PUT_OUTBOX, (number, row.ord, row.events))
    elif ord is not None:
        connection.execute(DROP_OUTBOX, (number,))
    if ord is not None and ord != row.ord:
        connection.execute(DROP_ENTRY, (index, PENDING, ord, number))
    if row.ord is not None and ord != row.ord:
        connection.execute(ADD_ENTRY, (index, PENDING, row.ord, number))


def _passing(connection: sqlite3.Connection, row: Row, number: int, stood: int | None) -> None:
    """Writes what passes of the row, where something does; `stood`: the number again, where something did."""
    if row.fields is not None:
        connection.execute(PUT_PASSING, (number, row.fields))
    elif stood is not None:
        connection.execute(DROP_PASSING, (stood,))


def _move(
    connection: sqlite3.Connection, kept: Kept, row: Row, number: int, entries: set[Entry], keys: set[str]
) -> None:
    for key in keys - row.keys:
        connection.execute(DROP_KEY, (kept.name, key))
    for key in sorted(row.keys - keys):
        if connection.execute(KEY_HOLDER, (kept.name, key)).fetchone():
            raise UniqueViolated(key)
        connection.execute(ADD_KEY, (kept.name, key, number))
    for entry in entries - row.entries:
        connection.execute(DROP_ENTRY, (*entry, number))
    for entry in row.entries - entries:
        connection.execute(ADD_ENTRY, (*entry, number))


def append(connection: sqlite3.Connection, kept: Kept, rows: Iterable[Row]) -> list[Appended]:
    """Inserts each document that does not exist. Raises UniqueViolated, and then nothing of the batch stays."""
    return ["written" if _insert(connection, kept, row, INSERT_NEW) else "existed" for row in rows]


def rewrite_entries(connection: sqlite3.Connection, kept: Kept, rows: Iterable[Row]) -> None:
    """Writes other index entries under the same version; a document that was saved since has them from its save."""
    for row in rows:
        head = connection.execute(HEAD, (kept.name, row.id)).fetchone()
        if head is not None and head[1] == row.version:
            number, _, ix, _, ord, passing = head
            connection.execute(UPDATE, (*row.values, number))
            _move(connection, kept, row, number, _standing(ix, row.id, kept), row.keys)
            _outbox(connection, kept, row, number, ord)
            _passing(connection, row, number, passing)


def note_built(connection: sqlite3.Connection, kept: Kept, versions: Mapping[str, int]) -> None:
    for name, version in versions.items():
        connection.execute(NOTE_BUILT, (version, kept.numbers[name]))


def sent(connection: sqlite3.Connection, kept: Kept, id: str, version: int) -> bool:
    """Empties the outbox of that very version; the version stays."""
    head = connection.execute(HEAD, (kept.name, id)).fetchone()
    if head is None or head[1] != version:
        return False
    number, _, _, _, ord, _ = head
    if ord is not None:
        connection.execute(DROP_OUTBOX, (number,))
        connection.execute(DROP_ENTRY, (kept.numbers[OUTBOX_INDEX], PENDING, ord, number))
    return True
