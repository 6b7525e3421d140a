"""Header names that are not UTF-8: aiokafka raises on one and then reads the same batch again for ever.

With `kafka_offsets` the one place that reaches into the client's inner modules; tests/contract/test_log_kafka.py holds
it to the pinned version.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import unpack_from
from typing import Any, SupportsIndex

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

_LENGTH_AT = 8
_BEFORE_LENGTH_ENDS = 12


class _Lenient(bytearray):
    """Bytes whose slices decode with a replacement for what is not UTF-8."""

    def __getitem__(self, at: SupportsIndex | slice) -> Any:
        found = super().__getitem__(at)
        return _Lenient(found) if isinstance(found, bytearray) else found

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return super().decode(encoding, "replace")


class _Batch:
    """A record batch; iterating it never raises for a header's name."""

    def __init__(self, batch: Any, content: memoryview) -> None:
        self._batch = batch
        self._content = content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        try:
            return iter(list(self._batch))
        except UnicodeDecodeError:
            slow = _DefaultRecordBatchPy(self._content)
            slow._maybe_uncompress()
            slow._buffer = _Lenient(slow._buffer)
            return iter(list(slow))


class LenientRecords:
    """What the client's fetcher reads a partition's answer with, in the place of its own class."""

    def __init__(self, content: bytes) -> None:
        self._records = MemoryRecords(content)
        self._content = memoryview(content)
        self._place = 0

    def size_in_bytes(self) -> int:
        return int(self._records.size_in_bytes())

    def has_next(self) -> bool:
        return bool(self._records.has_next())

    def next_batch(self) -> Any:
        start = self._place
        (length,) = unpack_from(">i", self._content, start + _LENGTH_AT)
        self._place = start + _BEFORE_LENGTH_ENDS + length
        batch = self._records.next_batch()
        return batch if batch is None else _Batch(batch, self._content[start : self._place])


def read_leniently() -> None:
    """Makes every consumer of this process read with `LenientRecords`; calling it again changes nothing."""
    fetcher.MemoryRecords = LenientRecords
