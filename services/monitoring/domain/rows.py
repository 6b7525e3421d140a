"""An event as the facts need it: one flat row, whatever its topic."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from shared.contracts.base import Event
from shared.contracts.catalogue import CATALOGUE, Catalogue
from shared.contracts.facts import Family, Length, Said
from shared.contracts.registration import ProfileChanged

EPOCH_DAY = date(1970, 1, 1).toordinal()
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class EventRow(NamedTuple):
    """A row of the table `events`.

    `happened_us`: microseconds since 1970. `known_ms`: the append time in milliseconds since 1970, as the running
    maximum of its partition. `person`: of whom the event speaks. `entry`: of a change to a profile. `told`: JSON of
    those fields of the body that facts are made of, written anew from what was validated; None where there are none.
    """

    topic: str
    subject: str
    epoch: int
    sequence: int
    type: str
    happened_us: int
    known_ms: int
    office: str | None
    programme: str | None
    programme_version: int | None
    person: str | None = None
    entry: str | None = None
    told: str | None = None


# `person`, `entry`, `told` of an event.
Payload = tuple[str | None, str | None, str | None]


def day_of(day: date) -> int:
    """Days since 1970-01-01."""
    return day.toordinal() - EPOCH_DAY


def microseconds_of(instant: datetime) -> int:
    """Microseconds since 1970, exact (a float of seconds is not)."""
    passed = instant - EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def payload_of(event: type[Event], catalogue: Catalogue = CATALOGUE) -> Callable[[Any], Payload]:
    """What an event of that type says besides the head of its `EventRow`."""
    if event is ProfileChanged:
        return _entry_of
    family = catalogue.families.get(event.topic)
    needed = frozenset() if family is None else needed_of(event, family)
    if family is None or not needed:
        return _nothing_of
    serializer = event.__pydantic_serializer__
    person = _person_path(family)
    step, _, rest = person.partition(".")

    def payload(said: Any) -> Payload:
        named = getattr(said, step, None) if step else None
        who = getattr(named, rest, None) if rest else named
        told = serializer.to_json(said, include=set(needed), exclude_none=True).decode()
        return who, None, None if told == "{}" else told

    return payload


def needed_of(event: type[Event], family: Family) -> frozenset[str]:
    """The fields of the event's body that its family's facts are made of."""
    named = set(family.frame)
    for one in family.fields:
        if isinstance(one.source, Said):
            named.update(path.split(".")[0] for path in one.source.paths)
        elif isinstance(one.source, Length):
            named.update((one.source.starts, one.source.ends))
    named.update(tells.each for tells in event.tells if tells.each is not None)
    return frozenset(named & set(event.model_fields))


def _person_path(family: Family) -> str:
    paths = [one.source.paths[0] for one in family.fields if one.name == "person" and isinstance(one.source, Said)]
    return paths[0] if paths else ""


def _entry_of(event: Any) -> Payload:
    return None, event.entry, None


def _nothing_of(_event: Any) -> Payload:
    return None, None, None
