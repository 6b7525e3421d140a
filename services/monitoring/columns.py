"""Records by columns as rows of the table `events`: what `records.take` makes of them one by one.

Of each header every value that it has is looked at once, by the same functions; of each body its pattern. What does not
fit in, an older version as well as what cannot be read, is left to `records.take`, and so are the few topics whose
records are more than events.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from services.monitoring.patterns import Pattern, Said, pattern_of
from services.monitoring.records import ID, NEWEST, Batch, Mark, code_of, number_of, take
from services.monitoring.schema import SCHEMAS
from shared.contracts.registry import EVENTS
from shared.messaging.columns import Bytes, Columns, Whole
from shared.messaging.port import Position
from shared.messaging.topics import PROFILES, PROGRAMMES

Rows = NDArray[np.bool_]
_PATTERNS: dict[str, Pattern] = {
    model.__name__: pattern
    for model in EVENTS.newest.values()
    if model.topic not in (PROFILES.name, PROGRAMMES.name) and (pattern := pattern_of(model)) is not None
}
_TOPICS = frozenset(NEWEST[place].topic for place in NEWEST if NEWEST[place].name in _PATTERNS)
_TABLE = SCHEMAS["events"].append(pa.field("offset", pa.int64()))


class _Header:
    """A header of all rows, or their keys, each of its values read once. `fits`: where it says what may stand there."""

    def __init__(self, header: Bytes, read: Callable[[bytes], Any], *, needed: bool = False) -> None:
        encoded = header.dictionary_encode()
        self.values = [_or_none(read, text) for text in encoded.dictionary.to_pylist()]
        self.places: Whole = encoded.indices.fill_null(len(self.values)).to_numpy(zero_copy_only=False)
        self.fits: Rows = np.array([value is not None for value in self.values] + [not needed])[self.places]

    def column(self, rows: Whole, type: Any) -> Any:
        return pa.array([*self.values, None], type).take(pa.array(self.places[rows]))


def _or_none(read: Callable[[bytes], Any], text: bytes) -> Any:
    try:
        return read(text)
    except ValueError:
        return None


class _Heads:
    """What the headers of all rows say. `fit`: where nothing stands in the way of a pattern."""

    def __init__(self, topic: str, columns: Columns) -> None:
        self.subject = _Header(columns.keys, _subject, needed=True)
        self.epoch = _Header(columns.header("ce_epoch"), number_of, needed=True)
        self.sequence = _Header(columns.header("ce_sequence"), number_of, needed=True)
        self.office = _Header(columns.header("ce_office"), code_of)
        self.programme = _Header(columns.header("ce_programme"), code_of)
        self.version = _Header(columns.header("ce_programmeversion"), number_of)
        self.names, self.types = _types(topic, columns)
        self.fit: Rows = self.types >= 0
        for header in (self.subject, self.epoch, self.sequence, self.office, self.programme, self.version):
            self.fit &= header.fits
        of_subject = pc.equal(columns.header("ce_subject"), columns.keys).fill_null(False)
        self.fit &= of_subject.to_numpy(zero_copy_only=False)


def _subject(key: bytes) -> str:
    if not ID.fullmatch(key):
        raise ValueError("no id")
    return key.decode()


def _types(topic: str, columns: Columns) -> tuple[list[str], Whole]:
    """The types of events that patterns know, and which of them each row is; -1 where it is none."""
    type, schema = (_Header(columns.header(name), bytes) for name in ("ce_type", "ce_dataschema"))
    pairs, places = np.unique(type.places * (len(schema.values) + 1) + schema.places, return_inverse=True)
    names: list[str] = []
    numbers: list[int] = []
    for pair in pairs.tolist():
        of_type, of_schema = divmod(pair, len(schema.values) + 1)
        readable = NEWEST.get(([*type.values, None][of_type], [*schema.values, None][of_schema]))
        known = readable is not None and readable.topic == topic and readable.name in _PATTERNS
        numbers.append(len(names) if known else -1)
        if readable is not None and known:
            names.append(readable.name)
    return names, np.array(numbers, np.int64)[places]


class Sweep:
    """What was read of one partition so far. `rest`: what was taken record by record."""

    def __init__(self, position: Position) -> None:
        self.rest = Batch()
        self.records = 0
        self._topic = position[0]
        self._tables: list[pa.Table] = [_TABLE.empty_table()]

    def take(self, columns: Columns, asked: Rows, known_ms: Whole) -> None:
        """Adds the rows that are asked for; each became known at its instant."""
        self.records += int(np.count_nonzero(asked))
        left = asked.copy()
        if self._topic in _TOPICS:
            heads = _Heads(self._topic, columns)
            for number, name in enumerate(heads.names):
                rows = np.flatnonzero(asked & heads.fit & (heads.types == number))
                said = _PATTERNS[name].read(columns.bodies(rows))
                rows = rows[said.rows]
                self._tables.append(_table(self._topic, name, heads, columns, rows, known_ms, said))
                left[rows] = False
        self._take_rest(columns, np.flatnonzero(left), known_ms)

    def events(self) -> pa.Table:
        """The rows of `events`, each event once: its first occurrence is the one that made it known."""
        found = pa.concat_tables(self._tables)
        places = np.zeros(len(found), np.int64)
        for name in ("subject", "epoch", "sequence"):
            encoded = found[name].combine_chunks().dictionary_encode()
            places = places * len(encoded.dictionary) + encoded.indices.to_numpy()
        if len(np.unique(places)) < len(found):
            in_order = np.argsort(found["offset"].to_numpy())
            firsts = np.unique(places[in_order], return_index=True)[1]
            found = found.take(in_order[firsts])
        return found.drop_columns("offset")

    def _take_rest(self, columns: Columns, rows: Whole, known_ms: Whole) -> None:
        offsets = []
        for record, known in zip(columns.records(rows), known_ms[rows].tolist(), strict=True):
            before = len(self.rest.events)
            take(self.rest, [record], Mark(high_ms=known))
            offsets += [record.offset] * (len(self.rest.events) - before)
        if offsets:
            columns_of = [*zip(*self.rest.events, strict=True), offsets]
            arrays = [pa.array(column, field.type) for column, field in zip(columns_of, _TABLE, strict=True)]
            self._tables.append(pa.Table.from_arrays(arrays, schema=_TABLE))
            self.rest.events.clear()


def _table(
    topic: str, name: str, heads: _Heads, columns: Columns, rows: Whole, known_ms: Whole, said: Said
) -> pa.Table:
    """The rows of one type as they stand in `events`, with their offsets."""
    many = len(rows)
    arrays = [
        pa.repeat(topic, many),
        heads.subject.column(rows, pa.string()),
        heads.epoch.column(rows, pa.int64()),
        heads.sequence.column(rows, pa.int64()),
        pa.repeat(name, many),
        said.happened_at.cast(pa.timestamp("us", "UTC")).cast(pa.int64()),
        pa.array(known_ms[rows]),
        heads.office.column(rows, pa.string()),
        heads.programme.column(rows, pa.string()),
        heads.version.column(rows, pa.int64()),
        said.person,
        said.entry,
        said.told,
        pa.array(columns.offsets[rows]),
    ]
    return pa.Table.from_arrays(arrays, schema=_TABLE)
