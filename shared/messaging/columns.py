"""Records by columns, for whoever reads much of the log at once: most of it is looked at column by column, and few
records one by one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shared.messaging.port import Record

Whole = NDArray[np.int64]
# An Arrow array of byte strings; null where a record says nothing.
Bytes = Any


class Texts(NamedTuple):
    """Some byte strings as they lie in one content."""

    content: bytes
    at: Whole
    length: Whole

    def each(self) -> list[bytes]:
        content = self.content
        return [content[at : at + length] for at, length in zip(self.at.tolist(), self.length.tolist(), strict=True)]

    def some(self, places: Whole) -> Texts:
        return Texts(self.content, self.at[places], self.length[places])


class Columns(Protocol):
    """Records of one partition in their order. `appended_ms` as the partition tells it: it may fall."""

    @property
    def offsets(self) -> Whole: ...

    @property
    def appended_ms(self) -> Whole: ...

    @property
    def keys(self) -> Bytes: ...

    def bodies(self, rows: Whole) -> Texts:
        """The values of these rows; an empty one where a record has none."""
        ...

    def header(self, name: str) -> Bytes:
        """The header of that name; of several the last, null where there is none."""
        ...

    def records(self, rows: Whole) -> Sequence[Record]:
        """All of the records of these rows."""
        ...


class RecordColumns:
    """The columns of records that are there one by one."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records

    @cached_property
    def offsets(self) -> Whole:
        return np.array([record.offset for record in self._records], np.int64)

    @cached_property
    def appended_ms(self) -> Whole:
        return np.array([record.appended_ms for record in self._records], np.int64)

    @cached_property
    def keys(self) -> Bytes:
        return pa.array([record.key for record in self._records], pa.binary())

    def bodies(self, rows: Whole) -> Texts:
        found = [self._records[row].value or b"" for row in rows.tolist()]
        length = np.fromiter(map(len, found), np.int64, len(found))
        return Texts(b"".join(found), np.cumsum(length) - length, length)

    @cached_property
    def _named(self) -> list[dict[str, bytes]]:
        return [record.named for record in self._records]

    def header(self, name: str) -> Bytes:
        return pa.array([named.get(name) for named in self._named], pa.binary())

    def records(self, rows: Whole) -> Sequence[Record]:
        return [self._records[row] for row in rows.tolist()]
