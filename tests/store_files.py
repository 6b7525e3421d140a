"""What lies in a local store's file, read beside whoever runs it. Its rows are packed: no search of bytes sees in."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.store.brief import whole
from shared.store.packing import packing_by

BEGINS = b"SQLite format 3\0"
IS_STORE = "SELECT 1 FROM sqlite_master WHERE name = 'dictionaries'"
ROWS = """SELECT c.name, d.id, d.packed, w.words FROM contents d JOIN collections c ON c.number = d.collection
    JOIN shapes s ON s.number = d.shape JOIN dictionaries w ON w.number = s.dictionary"""


@dataclass(frozen=True)
class Lying:
    """A row: its document's collection and id, and the bytes that stand in the file."""

    collection: str
    id: str
    packed: bytes
    words: bytes

    @property
    def text(self) -> bytes:
        return packing_by(self.words).unpack(self.packed)

    @property
    def fields(self) -> dict[str, Any]:
        """What the document's body says: not what is usual, and not what lies beside it."""
        body: dict[str, Any] = json.loads(self.text.split(b"\n")[0])
        return body


def rows_in(path: Path) -> list[Lying]:
    """The rows of a local store's file; none of any other one."""
    with path.open("rb") as file:
        if file.read(len(BEGINS)) != BEGINS:
            return []
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        if connection.execute(IS_STORE).fetchone() is None:
            return []
        return [Lying(name, whole(id), packed, words) for name, id, packed, words in connection.execute(ROWS)]


def content_of(path: Path) -> bytes:
    """A file's bytes, and with them the ids and the texts that are packed in it."""
    return b"\n".join([path.read_bytes(), *(b"%b %b" % (row.id.encode(), row.text) for row in rows_in(path))])
