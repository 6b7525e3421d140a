"""A person: account, office, consents and the timeline of coded attributes. Identifiers are never in the state.

Every change of the profile emits the whole timeline for the compacted topic and then a thin `ProfileChanged`
(KERNEL section 2). The two topics share no order, so neither event needs the other one first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from services.registration.domain.transitions import existing
from shared.contracts.base import Event, Scope
from shared.contracts.registration import (
    Attributes,
    ConsentGiven,
    ConsentWithdrawn,
    PersonRecorded,
    Profile,
    ProfileChanged,
    ProfileEntry,
    attributes_on,
)
from shared.errors import Problem, Refusal

ENTRIES_AT_MOST = 200
Consent = Literal["given", "withdrawn"]


class Person(BaseModel):
    """`entries` in the order in which they were recorded; `consents` by purpose, the latest answer."""

    model_config = ConfigDict(frozen=True)

    account: str | None = None
    office: str | None = None
    consents: dict[str, Consent] = {}
    entries: tuple[ProfileEntry, ...] = ()


@dataclass(frozen=True)
class NewEntry:
    """What is known from `valid_from` on. `recorded_at` is the owner's clock, whenever it happened."""

    id: str
    valid_from: date
    recorded_at: datetime
    attributes: Attributes


@dataclass(frozen=True)
class RecordPerson:
    """Somebody registers: for the first time, or once more for another programme."""

    account: str | None
    office: str
    entry: NewEntry
    consents: tuple[str, ...] = ()


@dataclass(frozen=True)
class CorrectProfile:
    """A new entry; with `corrects` it takes the place of that entry and keeps its `valid_from`."""

    entry: NewEntry
    corrects: str | None = None


@dataclass(frozen=True)
class GiveConsent:
    purpose: str


@dataclass(frozen=True)
class WithdrawConsent:
    purpose: str


@dataclass(frozen=True)
class ReissueProfile:
    """An older record stands at the head of the compacted topic: the current one has to follow it."""


def decide(state: Person | None, command: Any, now: datetime) -> Sequence[Event]:
    """Refusals: `not_found`, `consent_already_given`, `consent_not_given`, `entry_unknown`,
    `correction_keeps_valid_from`, `profile_unchanged`, `timeline_full`."""
    if isinstance(command, RecordPerson):
        return _record(state, command, now)
    person = existing(state)
    if isinstance(command, CorrectProfile):
        return _correct(person, command, now)
    if isinstance(command, ReissueProfile):
        return [Profile(happened_at=now, entries=person.entries)] if person.entries else []
    if isinstance(command, GiveConsent):
        if person.consents.get(command.purpose) == "given":
            raise Refusal("consent_already_given")
        return [ConsentGiven(happened_at=now, purpose=command.purpose)]
    if isinstance(command, WithdrawConsent):
        if person.consents.get(command.purpose) != "given":
            raise Refusal("consent_not_given")
        return [ConsentWithdrawn(happened_at=now, purpose=command.purpose)]
    raise Refusal("unknown_command")


def _record(state: Person | None, command: RecordPerson, now: datetime) -> list[Event]:
    events: list[Event] = []
    if state is None:
        events.append(PersonRecorded(happened_at=now, account=command.account, office=command.office))
    entries = state.entries if state else ()
    # Whoever registers again and says the same gets no second entry, and a full timeline refuses nobody.
    if attributes_on(entries, command.entry.valid_from) != command.entry.attributes and len(entries) < ENTRIES_AT_MOST:
        events += _changed(entries, command.entry, now)
    given = state.consents if state else {}
    wanted = dict.fromkeys(command.consents)
    events += [ConsentGiven(happened_at=now, purpose=one) for one in wanted if given.get(one) != "given"]
    return events


def _correct(person: Person, command: CorrectProfile, now: datetime) -> list[Event]:
    if len(person.entries) >= ENTRIES_AT_MOST:
        raise Refusal("timeline_full")
    entry = command.entry
    if command.corrects is not None:
        corrected = next((one for one in person.entries if one.id == command.corrects), None)
        if corrected is None:
            raise Refusal("entry_unknown", problems=(Problem("entry_unknown", "/corrects"),))
        if corrected.valid_from != entry.valid_from:
            rule = "correction_keeps_valid_from"
            raise Refusal(rule, problems=(Problem(rule, "/valid_from"),))
    if attributes_on(person.entries, entry.valid_from) == entry.attributes:
        raise Refusal("profile_unchanged")
    return _changed(person.entries, entry, now)


def _changed(entries: tuple[ProfileEntry, ...], new: NewEntry, now: datetime) -> list[Event]:
    recorded_at = new.recorded_at
    if entries and recorded_at <= entries[-1].recorded_at:
        # Of two entries of one day the later recorded one counts, so their order must not hang on two clocks.
        recorded_at = entries[-1].recorded_at + timedelta(microseconds=1)
    entry = ProfileEntry(id=new.id, valid_from=new.valid_from, recorded_at=recorded_at, attributes=new.attributes)
    return [Profile(happened_at=now, entries=(*entries, entry)), ProfileChanged(happened_at=now, entry=new.id)]


def evolve(state: Person | None, event: Any) -> Person:
    person = state or Person()
    if isinstance(event, PersonRecorded):
        return person.model_copy(update={"account": event.account, "office": event.office})
    if isinstance(event, Profile):
        return person.model_copy(update={"entries": event.entries})
    if isinstance(event, ConsentGiven):
        return person.model_copy(update={"consents": {**person.consents, event.purpose: "given"}})
    if isinstance(event, ConsentWithdrawn):
        return person.model_copy(update={"consents": {**person.consents, event.purpose: "withdrawn"}})
    if isinstance(event, ProfileChanged):
        return person
    raise TypeError(type(event).__name__)


def scope(state: Person) -> Scope:
    return Scope(office=state.office)
