"""An event as the facts need it: one flat row, whatever its topic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, NamedTuple

from shared.contracts.base import Event
from shared.contracts.catalogue import CATALOGUE, Catalogue
from shared.contracts.corrections import Revising
from shared.contracts.facts import ITEM, Family, Length, Said
from shared.contracts.registration.persons import ProfileChanged

# Where a revising event says which fact it puts right: the sequence of the event that told it first.
FACT = "fact"
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


def milliseconds_of(instant: datetime) -> int:
    """Milliseconds since 1970, rounded up: what was known before the instant was known before them."""
    return -(-microseconds_of(instant) // 1000)


class Taken(NamedTuple):
    """What an event's row takes from its body. `needed`: what facts are made of, True or the parts of a part; `person`
    and `entry`: where these two stand, None where the body says none."""

    needed: Mapping[str, Any] = {}
    person: str | None = None
    entry: str | None = None


def taken_of(event: type[Event], catalogue: Catalogue = CATALOGUE) -> Taken:
    """What the rows of that type of event take."""
    if event is ProfileChanged:
        return Taken(entry="entry")
    family = catalogue.families.get(event.topic)
    needed = {} if family is None else needed_of(event, family)
    if family is None or not needed:
        return Taken()
    person = _person_path(family)
    return Taken(needed, person if person.partition(".")[0] in event.model_fields else None)


def payload_of(event: type[Event], catalogue: Catalogue = CATALOGUE) -> Callable[[Any], Payload]:
    """What an event of that type says besides the head of its `EventRow`."""
    needed, person, entry = taken_of(event, catalogue)
    if entry is not None:
        return _entry_of
    if not needed:
        return _nothing_of
    to_json = partial(event.__pydantic_serializer__.to_json, include=needed, exclude_none=True)
    if person is None:
        return lambda said: (None, None, _text(to_json(said)))
    step, _, rest = person.partition(".")

    def payload(said: Any) -> Payload:
        named = getattr(said, step)
        return getattr(named, rest, None) if rest else named, None, _text(to_json(said))

    return payload


def _text(told: bytes) -> str | None:
    return None if told == b"{}" else told.decode()


def needed_of(event: type[Event], family: Family) -> dict[str, Any]:
    """The parts of the event's body that its family's facts are made of: True, or the parts of that part."""
    needed: dict[str, Any] = {}
    for one in family.fields:
        if isinstance(one.source, Said):
            for path in one.source.paths:
                step, _, rest = path.partition(".")
                if rest and step != ITEM:
                    needed.setdefault(step, {})[rest] = True
                else:
                    needed[step] = True
        elif isinstance(one.source, Length):
            needed |= {one.source.starts: True, one.source.ends: True}
    if issubclass(event, Revising):
        needed[FACT] = True
    for name in (*family.frame, *(tells.each for tells in event.tells if tells.each is not None)):
        needed.setdefault(name, True)
    return {name: part for name, part in needed.items() if name in event.model_fields}


def _person_path(family: Family) -> str:
    paths = [one.source.paths[0] for one in family.fields if one.name == "person" and isinstance(one.source, Said)]
    return paths[0] if paths else ""


def _entry_of(event: Any) -> Payload:
    return None, event.entry, None


def _nothing_of(_event: Any) -> Payload:
    return None, None, None
