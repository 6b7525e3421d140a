"""What the client makes of a partition's answer: the port's records at once, whatever their headers' names hold, or
whole batches as they are stored.

aiokafka raises on a name that is not UTF-8 and then reads the same batch again for ever; its own record beside the
port's would be a tenth of what reading an event takes.

With `kafka_offsets` the one place that reaches into the client's inner modules; tests/contract/test_log_kafka.py holds
it to the pinned version.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import unpack_from
from typing import Any, SupportsIndex

from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

from shared.messaging.kafka_records import ConsumedRecord, StoredBatch

_LENGTH_AT = 8
_BEFORE_LENGTH_ENDS = 12
# The head of a batch, which ends with the number of its records.
_BEFORE_RECORDS = 61


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


class _WholeBatch(_Batch):
    """A record batch that is handed on as it is stored."""

    def __iter__(self) -> Iterator[Any]:
        (records,) = unpack_from(">i", self._content, _BEFORE_RECORDS - 4)
        content = self._content[_BEFORE_RECORDS:]
        if self._batch.compression_type:
            plain = _DefaultRecordBatchPy(self._content)
            plain._maybe_uncompress()
            content = memoryview(plain._buffer)
        append_ms = self._batch.max_timestamp if self._batch.timestamp_type else None
        first = (self._batch.base_offset, self._batch.first_timestamp)
        yield StoredBatch(self._batch.next_offset - 1, *first, append_ms, records, content)


def whole_batches(value: bytes | None) -> bytes | None:
    """As a consumer's deserializer of values: it gives `StoredBatch` in the place of records."""
    return value


class LenientRecords:
    """What the client's fetcher reads a partition's answer with, in the place of its own class."""

    # What a batch becomes.
    batch = _Batch

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
        return batch if batch is None else self.batch(batch, self._content[start : self._place])


class ConsumedRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """The answer's records as the client hands them on, each a `ConsumedRecord`, or its batches."""

    def __init__(self, place: TopicPartition, records: LenientRecords, *rest: Any, **named: Any) -> None:
        super().__init__(place, records, *rest, **named)
        if self._value_deserializer is whole_batches:
            records.batch = _WholeBatch

    def _consumer_record(self, place: TopicPartition, record: Any) -> ConsumedRecord | StoredBatch:
        if isinstance(record, StoredBatch):
            return record
        fields = (*place, record.offset, record.key, record.value, record.headers, record.timestamp)
        # Without a call of Python's to make it: this is every consumer's hot path.
        return tuple.__new__(ConsumedRecord, fields)


def read_as_the_port() -> None:
    """Makes every consumer of this process give the port's records; calling it again changes nothing."""
    fetcher.MemoryRecords = LenientRecords
    fetcher.PartitionRecords = ConsumedRecords
