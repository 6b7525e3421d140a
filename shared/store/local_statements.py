"""The local store's tables and what one transaction does with them; every function takes an open connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json, to_json

from shared.errors import Conflict, UniqueViolated
from shared.store.brief import Brief, brief, ordered, whole
from shared.store.collection import Collection
from shared.store.documents import USUAL
from shared.store.packing import Packing, packing_by, shipped_words
from shared.store.port import OUTBOX_INDEX, Appended, Document

# What `PRAGMA user_version` says of a file in this form.
FORMAT = 4
# `packed` holds lines: the body, `ix`, and `uq` where there is one; so a save compares the last two without parsing the
# document. An outbox stands apart, since its events leave as soon as they are sent: nothing else of the document is
# written then, and their room is used again. What passes (`Collection.passing`) stands apart for the same reason:
# documents that shrink in their pages leave holes that no other one fits into, since each new one goes to the end.
# Rows by number: among those sorted by key a document longer than a quarter of a page takes a page of its own.
# An entry names index and document by number, since a document has more entries than anything else; `equals`, ids and
# unique keys are `brief`, `ord` is `ordered`. What most documents of a collection have in the same fields stands once,
# as a shape: a body holds what differs from it. A shape also says by which dictionary its rows are packed.
SETUP = """
CREATE TABLE IF NOT EXISTS collections (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS contents (
    number INTEGER PRIMARY KEY, collection INTEGER NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL,
    shape INTEGER NOT NULL, emits INTEGER NOT NULL, packed BLOB NOT NULL,
    UNIQUE (collection, id));
CREATE TABLE IF NOT EXISTS outboxes (
    number INTEGER PRIMARY KEY, ord TEXT NOT NULL, events TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS passing (
    number INTEGER PRIMARY KEY, fields TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS indexes (
    number INTEGER PRIMARY KEY, collection TEXT NOT NULL, name TEXT NOT NULL, built INTEGER NOT NULL,
    UNIQUE (collection, name));
CREATE TABLE IF NOT EXISTS entries (
    ix INTEGER NOT NULL, equals BLOB NOT NULL, ord BLOB NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (ix, equals, ord, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS uniques (
    collection INTEGER NOT NULL, key BLOB NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (collection, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dictionaries (
    number INTEGER PRIMARY KEY, words BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS shapes (
    number INTEGER PRIMARY KEY, fields TEXT NOT NULL, dictionary INTEGER NOT NULL,
    UNIQUE (fields, dictionary));
"""
WHOLE = "SELECT d.id, d.version, d.shape, d.packed, d.emits, o.ord, o.events, p.fields"
APART = "LEFT JOIN outboxes o ON o.number=d.number LEFT JOIN passing p ON p.number=d.number"
OF_ONE = f"FROM contents d {APART} WHERE d.collection=? AND d.id=?"
HEAD = f"SELECT d.number, d.version, d.shape, d.packed, o.ord, p.number {OF_ONE}"
BODY = f"{WHOLE} {OF_ONE}"
UNSENT = """SELECT d.number, d.version, o.ord FROM contents d LEFT JOIN outboxes o ON o.number=d.number
    WHERE d.collection=? AND d.id=?"""
INSERT = """INSERT INTO contents (collection, id, version, shape, emits, packed) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING"""
UPDATE = "UPDATE contents SET version=?, shape=?, emits=?, packed=? WHERE number=?"
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
HOLDING = """SELECT n.value FROM json_each(?) n
    WHERE EXISTS (SELECT 1 FROM entries e WHERE e.ix=n.value AND e.equals=? AND e.ord<?)"""
COUNT = "SELECT count(*) FROM (SELECT 1 FROM entries WHERE ix=? AND equals=? LIMIT ?)"
SCAN = f"{WHOLE} FROM contents d {APART} WHERE d.collection=? AND d.id>? ORDER BY d.id LIMIT ?"
BETWEEN = f"{WHOLE} FROM contents d {APART} WHERE d.collection=? AND d.id BETWEEN ? AND ? ORDER BY d.id LIMIT ?"
PACKED = "SELECT shape, packed FROM contents WHERE collection=? ORDER BY number"
ADD_ENTRY = "INSERT INTO entries (ix, equals, ord, number) VALUES (?, ?, ?, ?)"
# Several in one statement: each step of one lets other threads in, and has to come in again.
ADDED_AT_ONCE = 50
ADD_ANOTHER = ", (?, ?, ?, ?)"
DROP_ENTRY = "DELETE FROM entries WHERE ix=? AND equals=? AND ord=? AND number=?"
ADD_KEY = "INSERT INTO uniques (collection, key, number) VALUES (?, ?, ?)"
DROP_KEY = "DELETE FROM uniques WHERE collection=? AND key=?"
KEY_HOLDER = "SELECT 1 FROM uniques WHERE collection=? AND key=?"
INDEXES = "SELECT name, number, built FROM indexes WHERE collection=?"
ADD_INDEX = "INSERT OR IGNORE INTO indexes (collection, name, built) VALUES (?, ?, 0)"
NOTE_BUILT = "UPDATE indexes SET built=? WHERE number=?"
ADD_COLLECTION = "INSERT OR IGNORE INTO collections (name) VALUES (?)"
COLLECTION = "SELECT number FROM collections WHERE name=?"
ADD_DICTIONARY = "INSERT INTO dictionaries (words) VALUES (?)"
DICTIONARIES = "SELECT number, words FROM dictionaries"
ADD_SHAPE = "INSERT OR IGNORE INTO shapes (fields, dictionary) VALUES (?, ?)"
SHAPE = "SELECT number FROM shapes WHERE fields=? AND dictionary=?"
SHAPES = "SELECT s.number, s.fields, d.words FROM shapes s JOIN dictionaries d ON d.number=s.dictionary"

PENDING = "pending"
OUTBOX_FIELDS = ("outbox", PENDING)
SENT_FIELDS = b'"outbox":[],"pending":false'
UNSENT_FIELDS = b'"outbox":%b,"pending":true'
PENDING_ENTRY = f'{{"{OUTBOX_INDEX}":{{"e":["{PENDING}"],"o":%b}}'.encode()
NOT_IN_BODY = frozenset({"_id", "version", "ix", "uq", *OUTBOX_FIELDS})
# In the texts of a document's entries, in place of its id. No JSON text holds it, nor what parts the lines.
ITSELF = b"\x01"
LINE = b"\n"
# Index, text and order.
Entry = tuple[int, Brief, bytes]


@dataclass(frozen=True)
class Shape:
    """What a row's body leaves out, as the inside of a JSON object, and how the row is packed."""

    fields: bytes
    packing: Packing


@dataclass(frozen=True)
class Kept:
    """How a file keeps a collection: its number and those of its indexes, also of those that code declares no more, and
    which of them are built in which version; what a document of its `shape` has where its body says nothing, and the
    shape of one that lacks such a field; all shapes by number."""

    name: str
    number: int
    passing: tuple[str, ...]
    numbers: Mapping[str, int]
    built: Mapping[str, int]
    shape: int
    bare: int
    usual: Mapping[str, Any]
    shapes: Mapping[int, Shape]

    def unpacked(self, shape: int, packed: bytes) -> bytes:
        """Of a row, in lines: the body, `ix`, and `uq` where there is one."""
        return self.shapes[shape].packing.unpack(packed)


def keep(connection: sqlite3.Connection, collection: Collection) -> Kept:
    """Gives numbers to what has none yet."""
    name, usual = collection.name, USUAL if collection.usual is None else collection.usual
    connection.execute(ADD_COLLECTION, (name,))
    number = connection.execute(COLLECTION, (name,)).fetchone()[0]
    for index in collection.all_indexes:
        connection.execute(ADD_INDEX, (name, index))
    dictionary = dictionary_of(connection)
    shape, bare = (shape_of(connection, fields, dictionary) for fields in (_dumps(usual)[1:-1].decode(), ""))
    shapes = {at: Shape(fields.encode(), packing_by(words)) for at, fields, words in connection.execute(SHAPES)}
    rows = connection.execute(INDEXES, (name,)).fetchall()
    numbers = {index: number for index, number, _ in rows}
    built = {index: version for index, _, version in rows if version}
    return Kept(name, number, collection.passing, numbers, built, shape, bare, usual, shapes)


def dictionary_of(connection: sqlite3.Connection) -> int:
    """The number of the dictionary of new rows, which the file holds from now on."""
    for number, words in connection.execute(DICTIONARIES).fetchall():
        if words == shipped_words():
            return int(number)
    return int(connection.execute(ADD_DICTIONARY, (shipped_words(),)).lastrowid or 0)


def shape_of(connection: sqlite3.Connection, fields: str, dictionary: int) -> int:
    """The number of that shape, which the file holds from now on."""
    connection.execute(ADD_SHAPE, (fields, dictionary))
    return int(connection.execute(SHAPE, (fields, dictionary)).fetchone()[0])


# What gets there has passed `documents.check`: JSON types alone, every number finite, every text encodable.
_dumps = to_json


def _loads(text: bytes) -> Any:
    # Values are not cached: a store's texts may be a person's, and outlive in the cache what erased them.
    return from_json(text, cache_strings="keys")


class Row:
    """A document ready to be written: encoded once, on the caller's side of the queue."""

    __slots__ = ("_ix", "beside", "emits", "events", "fields", "id", "keys", "ord", "packed", "shape", "version")

    def __init__(self, document: Document, kept: Kept) -> None:
        self.id: str = document["_id"]
        self.version: int = document["version"]
        self._ix = dict(document["ix"])
        pending = self._ix.pop(OUTBOX_INDEX, None)
        self.keys: set[str] = set(document.get("uq", ()))
        body = {name: value for name, value in document.items() if name not in NOT_IN_BODY}
        self.shape = kept.bare
        if kept.usual.keys() <= body.keys():
            self.shape = kept.shape
            for name, value in kept.usual.items():
                # What is equal may be another value still: 0 and False.
                if body[name] == value and type(body[name]) is type(value):
                    del body[name]
        self.emits = document.get("pending") is (pending is not None) and "outbox" in document
        if not self.emits:
            body |= {name: document[name] for name in OUTBOX_FIELDS if name in document}
        apart = {name: body.pop(name) for name in kept.passing if body.get(name) is not None}
        self.fields = _dumps(apart)[1:-1].decode() if apart else None
        lines = [_dumps(self._ix).replace(_dumps(self.id)[1:-1], ITSELF)]
        if "uq" in document:
            lines.append(_dumps(document["uq"]))
        self.beside = lines
        self.packed = kept.shapes[self.shape].packing.pack(LINE.join([_dumps(body), *lines]))
        self.ord: str | None = pending["o"] if pending else None
        self.events = _dumps(document["outbox"]).decode() if pending else None

    @property
    def values(self) -> tuple[Any, ...]:
        return self.version, self.shape, self.emits, self.packed

    def entries(self, kept: Kept) -> set[Entry]:
        return _entries(self._ix, kept)


def _entries(ix: Mapping[str, Any], kept: Kept) -> set[Entry]:
    entries, known, order = set[Entry](), "", b""
    for name, entry in ix.items():
        # Most indexes of a document have one order.
        if entry["o"] != known:
            known = entry["o"]
            order = ordered(known)
        number = kept.numbers[name]
        for equals in entry["e"]:
            entries.add((number, brief(equals), order))
    return entries


def document_of(kept: Kept, row: tuple[Any, ...]) -> Document:
    """The document whole again, of what a statement gave as `WHOLE`."""
    id, version, shape, packed, emits, ord, events, fields = row
    quoted = _dumps(whole(id))
    written = kept.shapes[shape]
    body, ix, *uq = written.packing.unpack(packed).split(LINE)
    # One text is parsed sooner than several. Of a name that comes twice the last one counts, so the body's.
    parts = [b'{"_id":%b,"version":%d' % (quoted, version), written.fields, body[1:-1]]
    if emits:
        parts.append(UNSENT_FIELDS % events.encode() if ord is not None else SENT_FIELDS)
    if fields is not None:
        parts.append(fields.encode())
    if uq:
        parts.append(b'"uq":%b' % uq[0])
    if ord is not None:
        outbox = PENDING_ENTRY % _dumps(ord)
        ix = outbox + (b"}" if ix == b"{}" else b",%b" % ix[1:])
    parts.append(b'"ix":%b}' % ix.replace(ITSELF, quoted[1:-1]))
    document: Document = _loads(b",".join(filter(None, parts)))
    return document


def save(connection: sqlite3.Connection, kept: Kept, row: Row, expected_version: int) -> None:
    """Raises Conflict where the version is another one, UniqueViolated where a key is another document's."""
    if expected_version == 0:
        if not insert(connection, kept, row):
            raise Conflict
        return
    head = connection.execute(HEAD, (kept.number, brief(row.id))).fetchone()
    if head is None or head[1] != expected_version:
        raise Conflict
    _write_over(connection, kept, row, head)


def _write_over(connection: sqlite3.Connection, kept: Kept, row: Row, head: tuple[Any, ...]) -> None:
    """`head`: what the statement of that name said of the document."""
    number, _, shape, packed, ord, passing = head
    _, *beside = kept.unpacked(shape, packed).split(LINE)
    connection.execute(UPDATE, (*row.values, number))
    if beside != row.beside:
        ix, *uq = beside
        standing = _entries(_loads(ix.replace(ITSELF, _dumps(row.id)[1:-1])), kept)
        _move(connection, kept, row, number, standing, set(_loads(uq[0])) if uq else set())
    _outbox(connection, kept, row, number, ord)
    _passing(connection, row, number, passing)


def insert(connection: sqlite3.Connection, kept: Kept, row: Row) -> bool:
    """Whether the document was written; otherwise it stands already."""
    inserted = connection.execute(INSERT, (kept.number, brief(row.id), *row.values))
    number = inserted.lastrowid
    if inserted.rowcount == 0 or number is None:
        return False
    _move(connection, kept, row, number, set(), set())
    if row.ord is not None:
        _outbox(connection, kept, row, number, None)
    if row.fields is not None:
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
        connection.execute(DROP_ENTRY, (index, PENDING, ordered(ord), number))
    if row.ord is not None and ord != row.ord:
        connection.execute(ADD_ENTRY, (index, PENDING, ordered(row.ord), number))


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
        connection.execute(DROP_KEY, (kept.number, brief(key)))
    for key in sorted(row.keys - keys):
        if connection.execute(KEY_HOLDER, (kept.number, brief(key))).fetchone():
            raise UniqueViolated(key)
        connection.execute(ADD_KEY, (kept.number, brief(key), number))
    wanted = row.entries(kept)
    if entries:
        connection.executemany(DROP_ENTRY, [(*entry, number) for entry in entries - wanted])
    _add(connection, number, [*(wanted - entries)])


def _add(connection: sqlite3.Connection, number: int, entries: Sequence[Entry]) -> None:
    for start in range(0, len(entries), ADDED_AT_ONCE):
        some = entries[start : start + ADDED_AT_ONCE]
        values = [value for entry in some for value in (*entry, number)]
        connection.execute(ADD_ENTRY + ADD_ANOTHER * (len(some) - 1), values)


def append(connection: sqlite3.Connection, kept: Kept, rows: Iterable[Row]) -> list[Appended]:
    """Inserts each document that does not exist. Raises UniqueViolated, and then nothing of the batch stays."""
    return ["written" if insert(connection, kept, row) else "existed" for row in rows]


def rewrite_entries(connection: sqlite3.Connection, kept: Kept, rows: Iterable[Row]) -> None:
    """Writes other index entries under the same version; a document that was saved since has them from its save."""
    for row in rows:
        head = connection.execute(HEAD, (kept.number, brief(row.id))).fetchone()
        if head is not None and head[1] == row.version:
            _write_over(connection, kept, row, head)


def note_built(connection: sqlite3.Connection, kept: Kept, versions: Mapping[str, int]) -> None:
    for name, version in versions.items():
        connection.execute(NOTE_BUILT, (version, kept.numbers[name]))


def sent(connection: sqlite3.Connection, kept: Kept, id: str, version: int) -> bool:
    """Empties the outbox of that very version; the version stays."""
    head = connection.execute(UNSENT, (kept.number, brief(id))).fetchone()
    if head is None or head[1] != version:
        return False
    number, _, ord = head
    if ord is not None:
        connection.execute(DROP_OUTBOX, (number,))
        connection.execute(DROP_ENTRY, (kept.numbers[OUTBOX_INDEX], PENDING, ordered(ord), number))
    return True
