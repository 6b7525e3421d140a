"""The local log's record, made of a row of its file."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from operator import add
from typing import cast

from shared.messaging.late_headers import LateHeaders
from shared.messaging.local_headers import named, unpacked
from shared.messaging.local_shapes import FORM, named_with, ordered_with
from shared.messaging.port import Headers, Position

Row = tuple[int, bytes | None, bytes | None, bytes, int]


class StoredRecord(LateHeaders):
    """A record as it lies in the file."""

    __slots__ = ()

    @property
    def headers(self) -> Headers:
        raw = self.raw_headers
        if not isinstance(raw, bytes):
            return cast(Headers, raw)
        return ordered_with(raw, self.key) if raw[:1] == FORM else unpacked(raw)

    @property
    def named(self) -> dict[str, bytes]:
        raw = self.raw_headers
        if not isinstance(raw, bytes):
            return dict(raw)
        return named_with(raw, self.key) if raw[:1] == FORM else named(raw)


def records_of(position: Position, rows: Iterable[Row]) -> Iterable[StoredRecord]:
    """The rows (offset, key, value, packed headers, append time) of one partition as records."""
    # Built without a call of Python's a record: this is every consumer's and every rebuild's hot path.
    return map(tuple.__new__, repeat(StoredRecord), map(add, repeat(position), rows))
