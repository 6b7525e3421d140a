"""Kafka's record batches by columns, without an object a record: all records take each step of the format together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shared.messaging.columns import Bytes, Texts, Whole
from shared.messaging.kafka_records import StoredBatch
from shared.messaging.port import Position, Record

# One bit of a byte says that the number goes on in the next one.
_MORE, _SEVEN_BITS = 0x80, 0x7F


class _Headers(NamedTuple):
    """One header of each of some records: which, and where name and value lie; a null value has a negative length.

    `name`: where all of them have the same.
    """

    rows: Whole
    name: bytes | None
    name_at: Whole
    name_length: Whole
    value_at: Whole
    value_length: Whole


class KafkaColumns:
    """The records of some batches of one partition from the offset `first` on."""

    def __init__(self, position: Position, batches: Sequence[StoredBatch], first: int) -> None:
        self._position = position
        content = b"".join(batch.content for batch in batches)
        self._content = content
        self._bytes = np.frombuffer(content, np.uint8)
        self._eights = np.ndarray(max(len(content) - 7, 0), "<u8", content, strides=(1,))
        at = np.fromiter(_starts(content, batches), np.int64)
        # A byte of attributes, which no version of the format uses.
        delta_ms, at = self._numbers(at + 1)
        delta, at = self._numbers(at)
        counts = [batch.records for batch in batches]
        offsets = delta + np.repeat(np.array([batch.first_offset for batch in batches], np.int64), counts)
        known = np.repeat(np.array([batch.append_ms or 0 for batch in batches], np.int64), counts)
        own = np.repeat(np.array([batch.append_ms is None for batch in batches], bool), counts)
        first_ms = np.repeat(np.array([batch.first_ms for batch in batches], np.int64), counts)
        asked = np.flatnonzero(offsets >= first)
        self.offsets: Whole = offsets[asked]
        self.appended_ms: Whole = np.where(own, first_ms + delta_ms, known)[asked]
        key_length, key_at = self._numbers(at[asked])
        self._value_length, self._value_at = self._numbers(key_at + np.maximum(key_length, 0))
        self.keys: Bytes = self._column(key_at, key_length, key_length >= 0)
        self._headers = list(self._steps(self._value_at + np.maximum(self._value_length, 0)))

    def bodies(self, rows: Whole) -> Texts:
        return Texts(self._content, self._value_at[rows], np.maximum(self._value_length[rows], 0))

    def header(self, name: str) -> Bytes:
        """As `Columns.header`; one without a value counts as an empty one."""
        wanted = name.encode()
        at, length = np.zeros(len(self.offsets), np.int64), np.full(len(self.offsets), -1, np.int64)
        for step in self._headers:
            if step.name is None:
                found = np.flatnonzero(self._spelled(wanted, step.name_at, step.name_length))
                step = step._replace(
                    rows=step.rows[found], value_at=step.value_at[found], value_length=step.value_length[found]
                )
            elif step.name != wanted:
                continue
            at[step.rows] = step.value_at
            length[step.rows] = np.maximum(step.value_length, 0)
        return self._column(at, length, length >= 0)

    def records(self, rows: Whole) -> Sequence[Record]:
        found: dict[int, list[tuple[str, bytes]]] = {row: [] for row in rows.tolist()}
        for step in self._headers:
            asked = np.isin(step.rows, rows)
            names = map(self._text, step.name_at[asked].tolist(), step.name_length[asked].tolist())
            values = map(self._text, step.value_at[asked].tolist(), step.value_length[asked].tolist())
            for row, name, value in zip(step.rows[asked].tolist(), names, values, strict=True):
                found[row].append((name.decode(errors="replace"), value))
        keys, bodies = self.keys.take(pa.array(rows)).to_pylist(), self.bodies(rows).each()
        said = [body if length >= 0 else None for length, body in zip(self._value_length[rows], bodies, strict=True)]
        offsets, times = self.offsets[rows].tolist(), self.appended_ms[rows].tolist()
        read = zip(offsets, keys, said, map(tuple, found.values()), times, strict=True)
        return [Record._make((*self._position, *fields)) for fields in read]

    def _steps(self, at: Whole) -> Iterator[_Headers]:
        """The first header of every record that has one, then the second, and so on."""
        counts, at = self._numbers(at)
        rows = np.arange(len(counts))
        for step in range(int(counts.max(initial=0))):
            going_on = counts[rows] > step
            rows, at = rows[going_on], at[going_on]
            name_length, name_at = self._numbers(at)
            value_length, value_at = self._numbers(name_at + name_length)
            first = self._text(name_at[0], name_length[0])
            common = first if self._spelled(first, name_at, name_length).all() else None
            yield _Headers(rows, common, name_at, name_length, value_at, value_length)
            at = value_at + np.maximum(value_length, 0)

    def _spelled(self, name: bytes, at: Whole, length: Whole) -> NDArray[np.bool_]:
        """Where the name lies there, eight letters at once, the last ones first."""
        same: NDArray[np.bool_] = length == len(name)
        for end in range(len(name), 0, -8):
            letters = name[max(end - 8, 0) : end]
            # Before a name there are at least eight bytes of its record.
            found = self._eights[at + (end - 8)] >> np.uint64(8 * (8 - len(letters)))
            same &= found == np.uint64(int.from_bytes(letters, "little"))
        return same

    def _numbers(self, at: Whole) -> tuple[Whole, Whole]:
        """The numbers that begin at these places, and the places after them."""
        read = self._bytes[at]
        numbers, at = (read & _SEVEN_BITS).astype(np.int64), at + 1
        more, shift = np.flatnonzero(read & _MORE), 7
        while more.size:
            read = self._bytes[at[more]]
            numbers[more] |= (read & _SEVEN_BITS).astype(np.int64) << shift
            at[more] += 1
            more, shift = more[(read & _MORE) != 0], shift + 7
        return (numbers >> 1) ^ -(numbers & 1), at

    def _column(self, at: Whole, length: Whole, there: NDArray[np.bool_]) -> Bytes:
        """What lies at these places, in the order of the content; null where nothing is there."""
        # One array over all of the content, of which every second piece is asked for: Arrow copies those at once.
        ends = np.where(there, at + length, 0)
        before = np.maximum.accumulate(np.concatenate([[0], ends]))
        pieces = np.empty(2 * len(at) + 1, np.int32)
        pieces[:-1:2] = np.where(there, at, before[:-1])
        pieces[1::2] = before[1:]
        pieces[-1] = len(self._bytes)
        every = pa.Array.from_buffers(
            pa.binary(), 2 * len(at), [None, pa.py_buffer(pieces), pa.py_buffer(self._content)]
        )
        return every.take(pa.array(np.arange(0, 2 * len(at), 2), mask=~there))

    def _text(self, at: int, length: int) -> bytes:
        return self._content[at : at + max(length, 0)]


def _starts(content: bytes, batches: Sequence[StoredBatch]) -> Iterator[int]:
    """Where each record begins, after its length."""
    batch_at = 0
    for batch in batches:
        at = batch_at
        for _ in range(batch.records):
            length, shift = 0, 0
            while (byte := content[at]) & _MORE:
                length |= (byte & _SEVEN_BITS) << shift
                at, shift = at + 1, shift + 7
            at += 1
            yield at
            at += (length | byte << shift) >> 1
        batch_at += len(batch.content)
