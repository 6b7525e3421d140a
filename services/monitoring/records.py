"""Records of the log as rows of the read model. Nothing here raises: what cannot be read is a row of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from services.monitoring.domain.profiles import ProfileRow, profile_rows
from services.monitoring.domain.rows import EventRow, microseconds_of, payload_of
from services.monitoring.domain.zones import OfficeRow
from shared.contracts.base import Envelope, Event, schema_uri
from shared.contracts.registration.persons import Profile
from shared.contracts.registration.programmes import ProgrammePublished
from shared.contracts.registry import EVENTS, UnreadableBody, UnregisteredType, read
from shared.messaging.port import Position, Record
from shared.messaging.topics import PERSONS, PROFILES, PROGRAMMES

# What the facts of other topics need: the zones of their calendars, and what is said of persons. Read after them, it
# would have nearly all of them derived twice.
FIRST = (PROGRAMMES.name, PERSONS.name, PROFILES.name)


class _Readable(NamedTuple):
    """What is needed to read one type of event in its newest version."""

    name: str
    topic: str
    validate: Callable[[bytes], Any]
    payload: Callable[[Any], tuple[Any, ...]]


_READABLE: dict[type[Event], _Readable] = {
    model: _Readable(model.__name__, model.topic, TypeAdapter(model).validator.validate_json, payload_of(model))
    for model in EVENTS.newest.values()
}
# By (type, dataschema) as the headers hold them: no decoding on the hot path.
NEWEST = {
    (name.encode(), schema_uri(name, model.version).encode()): _READABLE[model] for name, model in EVENTS.newest.items()
}
ID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_CODE = re.compile(rb"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(slots=True)
class Mark:
    """How far a partition was read.

    `next_offset`: the first offset not read. `high_ms`: the running maximum of append times. `reached_ms`: the
    latest instant whose end of the partition was reached. Both in milliseconds since 1970.
    """

    next_offset: int = 0
    high_ms: int = 0
    reached_ms: int = 0


# (topic, partition, offset, append time in ms, reason).
UnreadableRow = tuple[str, int, int, int, str]


# Programme, epoch and sequence of a `ProgrammePublished`.
Publication = tuple[str, int, int]


@dataclass(slots=True)
class Batch:
    """What one transaction brings in, and the marks of the partitions that it moves."""

    events: list[EventRow] = field(default_factory=list)
    profiles: dict[str, list[ProfileRow]] = field(default_factory=dict)
    offices: dict[Publication, list[OfficeRow]] = field(default_factory=dict)
    unreadable: list[UnreadableRow] = field(default_factory=list)
    marks: dict[Position, Mark] = field(default_factory=dict)
    records: int = 0


Scope = tuple[str | None, str | None, int | None]


class _Unreadable(Exception):
    """Why a record is no event; the text is a code."""


def take(batch: Batch, records: Sequence[Record], mark: Mark) -> None:
    """Adds one partition's records, in their order, to the batch and moves its mark."""
    high = mark.high_ms
    for record in records:
        if record.appended_ms > high:
            high = record.appended_ms
        try:
            _take(batch, record, high)
        except _Unreadable as error:
            batch.unreadable.append((record.topic, record.partition, record.offset, high, str(error)))
    mark.high_ms = high
    if records:
        last = records[-1]
        mark.next_offset = last.offset + 1
        batch.marks[last.topic, last.partition] = mark
        batch.records += len(records)


def _take(batch: Batch, record: Record, known_ms: int) -> None:
    readable, (subject, epoch, sequence), scope = _envelope(record)
    event = _event(readable, record)
    name, topic, _, payload = readable or _READABLE[type(event)]
    if topic != record.topic:
        raise _Unreadable("unreadable:topic")
    if topic == PROFILES.name:
        _take_profile(batch, subject, epoch, sequence, event)
        return
    head = (topic, subject, epoch, sequence, name, microseconds_of(event.happened_at), known_ms)
    # Not `_make`, which costs as much again as all of the row.
    batch.events.append(tuple.__new__(EventRow, head + scope + payload(event)))
    if topic == PROGRAMMES.name:
        _take_offices(batch, event, epoch, sequence, known_ms)


def _envelope(record: Record) -> tuple[_Readable | None, tuple[str, int, int], Scope]:
    """What the headers say: the type, (subject, epoch, sequence), and (office, programme, version)."""
    headers = record.named
    try:
        readable = NEWEST.get((headers["ce_type"], headers["ce_dataschema"]))
        key = headers["ce_subject"]
        place = (key.decode(), number_of(headers["ce_epoch"]), number_of(headers["ce_sequence"]))
        version = headers.get("ce_programmeversion")
        scope = (
            code_of(headers.get("ce_office")),
            code_of(headers.get("ce_programme")),
            None if version is None else number_of(version),
        )
    except (KeyError, ValueError):
        raise _Unreadable("unreadable:headers") from None
    if record.key != key or not (ID.fullmatch(key) or record.topic == PROGRAMMES.name):
        raise _Unreadable("unreadable:subject")
    return readable, place, scope


@lru_cache(maxsize=4096)
def code_of(raw: bytes | None) -> str | None:
    if raw is None:
        return None
    if not _CODE.fullmatch(raw):
        raise ValueError("no code")
    return raw.decode()


@lru_cache(maxsize=4096)
def number_of(raw: bytes) -> int:
    """A number that fits 64 bits: one that does not would fail the whole transaction, again and again."""
    if len(raw) > 18 or not raw.isdigit():
        raise ValueError("no whole number")
    return int(raw)


def _event(readable: _Readable | None, record: Record) -> Any:
    try:
        if readable is not None:
            return readable.validate(record.value or b"")
        return read(Envelope.of({name: raw.decode() for name, raw in record.headers}), record.value or b"")
    except (ValidationError, UnreadableBody, OverflowError):
        # OverflowError: a time so near the end of the calendar that it cannot be put in UTC.
        raise _Unreadable("unreadable:body") from None
    except UnregisteredType:
        raise _Unreadable("unregistered_type") from None
    except (KeyError, ValueError, IndexError):
        raise _Unreadable("unreadable:headers") from None


def _take_profile(batch: Batch, person: str, epoch: int, sequence: int, event: Profile) -> None:
    """Keeps the newest record of a person: the topic is compacted, and a rebuild sees nothing older."""
    held = batch.profiles.get(person)
    if held is None or (held[0].epoch, held[0].sequence) < (epoch, sequence):
        batch.profiles[person] = profile_rows(person, epoch, sequence, event)


def _take_offices(batch: Batch, event: ProgrammePublished, epoch: int, sequence: int, known_ms: int) -> None:
    """Keeps the offices of every version; of a publication that came twice, as they were first known."""
    version = (event.code, event.definition_version, epoch, sequence, known_ms)
    rows = [OfficeRow(*version, code, zone) for code, zone in _office_zones(event.definition)]
    if rows:
        batch.offices.setdefault((event.code, epoch, sequence), rows)


def _office_zones(definition: dict[str, Any]) -> list[tuple[str, str]]:
    """Each office's code and time zone. Later forms of the definition may hold more; these two names stay."""
    offices = definition.get("offices")
    if not isinstance(offices, list):
        return []
    named = (office for office in offices if isinstance(office, dict))
    return [(str(o["code"]), str(o["time_zone"])) for o in named if "code" in o and "time_zone" in o]
