"""The local log's record, made of a row of its file."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat

from shared.messaging.late_headers import LateHeaders
from shared.messaging.local_headers import named, unpacked
from shared.messaging.port import Headers, Position

Row = tuple[int, bytes | None, bytes | None, bytes, int]


class StoredRecord(LateHeaders):
    """A record as it lies in the file."""

    __slots__ = ()

    @staticmethod
    def decoded(raw: bytes | Headers) -> Headers:
        return unpacked(raw) if isinstance(raw, bytes) else raw

    @property
    def named(self) -> dict[str, bytes]:
        raw = self.raw_headers
        return named(raw) if isinstance(raw, bytes) else dict(raw)


def records_of(position: Position, rows: Iterable[Row]) -> Iterable[StoredRecord]:
    """The rows (offset, key, value, packed headers, append time) of one partition as records."""
    # Built without a call of Python's a record: this is every consumer's and every rebuild's hot path.
    return map(tuple.__new__, repeat(StoredRecord), map(position.__add__, rows))
