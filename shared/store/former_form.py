"""A local store's file of form 3, made one of the present form: texts packed, ids and texts of entries brief.

Numbers of documents and indexes stay, and so do the tables that hold nothing else: outboxes, what passes, indexes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

from shared.store.brief import brief, ordered
from shared.store.local_statements import (
    ADD_COLLECTION,
    ADD_ENTRY,
    ADD_KEY,
    LINE,
    SETUP,
    dictionary_of,
    shape_of,
)
from shared.store.packing import packing_by, shipped_words
from shared.store.sqlite import Lifts

CHANGED = ("contents", "entries", "uniques", "shapes")
INSERT = """INSERT INTO contents (number, collection, id, version, shape, emits, packed)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""
NO_SHAPE = 0


def lift(connection: sqlite3.Connection) -> None:
    """Within the open transaction, at some 25 us a document. The room of the old tables is used again."""
    for table in CHANGED:
        connection.execute(f"ALTER TABLE {table} RENAME TO former_{table}")
    # A script would commit what is open.
    for statement in filter(str.strip, SETUP.split(";")):
        connection.execute(statement)
    dictionary = dictionary_of(connection)
    shapes = {NO_SHAPE: shape_of(connection, "", dictionary)}
    for number, fields in connection.execute("SELECT number, fields FROM former_shapes").fetchall():
        shapes[number] = shape_of(connection, fields, dictionary)
    names = connection.execute("SELECT DISTINCT collection FROM indexes").fetchall()
    connection.executemany(ADD_COLLECTION, names)
    collections = dict(connection.execute("SELECT name, number FROM collections").fetchall())
    connection.executemany(INSERT, _contents(connection, shapes, collections))
    entries = connection.execute("SELECT ix, equals, ord, number FROM former_entries")
    connection.executemany(ADD_ENTRY, ((ix, brief(equals), ordered(ord), at) for ix, equals, ord, at in entries))
    uniques = connection.execute("SELECT collection, key, number FROM former_uniques")
    connection.executemany(ADD_KEY, ((collections[name], brief(key), at) for name, key, at in uniques))
    for table in CHANGED:
        connection.execute(f"DROP TABLE former_{table}")


def _contents(
    connection: sqlite3.Connection, shapes: Mapping[int, int], collections: Mapping[str, int]
) -> Iterator[tuple[Any, ...]]:
    packing = packing_by(shipped_words())
    rows = connection.execute(
        "SELECT number, collection, id, version, shape, emits, body, ix, uq FROM former_contents ORDER BY number"
    )
    for number, name, id, version, shape, emits, *texts in rows:
        packed = packing.pack(LINE.join(text.encode() for text in texts if text is not None))
        yield number, collections[name], brief(id), version, shapes[shape], emits, packed


LIFTS: Lifts = {3: lift}
