"""Records by columns, for whoever reads much of the log at once: most of it is looked at column by column, and few
records one by one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shared.messaging.port import Record

Whole = NDArray[np.int64]
# An Arrow array of byte strings; null where a record says nothing.
Bytes = Any


class Columns(Protocol):
    """Records of one partition in their order. `appended_ms` as the partition tells it: it may fall."""

    @property
    def offsets(self) -> Whole: ...

    @property
    def appended_ms(self) -> Whole: ...

    @property
    def keys(self) -> Bytes: ...

    def bodies(self, rows: Whole) -> list[bytes]:
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

    def bodies(self, rows: Whole) -> list[bytes]:
        return [self._records[row].value or b"" for row in rows.tolist()]

    @cached_property
    def _named(self) -> list[dict[str, bytes]]:
        return [record.named for record in self._records]

    def header(self, name: str) -> Bytes:
        return pa.array([named.get(name) for named in self._named], pa.binary())

    def records(self, rows: Whole) -> Sequence[Record]:
        return [self._records[row] for row in rows.tolist()]
