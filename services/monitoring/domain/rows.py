"""An event as the facts need it: one flat row, whatever its topic."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from shared.contracts import matching, placement, registration
from shared.contracts.base import Event

EPOCH_DAY = date(1970, 1, 1).toordinal()
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Terms(NamedTuple):
    """What an assignment is: codes, and days since 1970-01-01 (half-open)."""

    institution: str | None = None
    modality: str | None = None
    country: str | None = None
    area: str | None = None
    sector: str | None = None
    host_type: str | None = None
    occupation: str | None = None
    seats: int | None = None
    starts_day: int | None = None
    ends_day: int | None = None


class Parties(NamedTuple):
    """Who a case is about."""

    person: str | None = None
    expert: str | None = None
    assignment: str | None = None


class Rest(NamedTuple):
    """What single events carry besides."""

    match: str | None = None
    entry: str | None = None
    channel: str | None = None
    reason: str | None = None
    party: str | None = None


class Head(NamedTuple):
    """Identity (topic, subject, epoch, sequence), kind and times of an event.

    `happened_us`: microseconds since 1970. `known_ms`: the append time in milliseconds since 1970, as the running
    maximum of its partition.
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


class EventRow(NamedTuple):
    """`Head`, `Parties`, `Terms` and `Rest` in one flat tuple: a row of the table `events`."""

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
    expert: str | None = None
    assignment: str | None = None
    institution: str | None = None
    modality: str | None = None
    country: str | None = None
    area: str | None = None
    sector: str | None = None
    host_type: str | None = None
    occupation: str | None = None
    seats: int | None = None
    starts_day: int | None = None
    ends_day: int | None = None
    match: str | None = None
    entry: str | None = None
    channel: str | None = None
    reason: str | None = None
    party: str | None = None


NO_PARTIES = Parties()
NO_TERMS = Terms()
NO_REST = Rest()
_NOTHING: tuple[Any, ...] = (*NO_PARTIES, *NO_TERMS, *NO_REST)

Payload = tuple[Any, ...]


def day_of(day: date) -> int:
    """Days since 1970-01-01."""
    return day.toordinal() - EPOCH_DAY


def microseconds_of(instant: datetime) -> int:
    """Microseconds since 1970, exact (a float of seconds is not)."""
    passed = instant - EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def _parties(parties: matching.MatchParties) -> Payload:
    return (parties.person, parties.expert, parties.assignment)


def _terms(terms: matching.Terms) -> Payload:
    return (
        terms.institution,
        terms.modality,
        terms.country,
        terms.area,
        terms.sector,
        terms.host_type,
        terms.occupation,
        terms.seats,
        day_of(terms.starts_on),
        day_of(terms.ends_on),
    )


def _of_person(event: Any) -> Payload:
    return (event.person, None, None, *NO_TERMS, *NO_REST)


def _of_registered(event: registration.ExpertRegistered) -> Payload:
    return (event.person, None, None, *NO_TERMS, *Rest(channel=event.channel))


def _of_profile_change(event: registration.ProfileChanged) -> Payload:
    return (*NO_PARTIES, *NO_TERMS, *Rest(entry=event.entry))


def _of_institution(event: registration.InstitutionRegistered) -> Payload:
    terms = Terms(country=event.country, area=event.area, sector=event.sector, host_type=event.host_type)
    return (*NO_PARTIES, *terms, *NO_REST)


def _of_terms(event: Any) -> Payload:
    return (*NO_PARTIES, *_terms(event.terms), *NO_REST)


def _of_parties(event: Any) -> Payload:
    return _parties(event.parties) + NO_TERMS + NO_REST


def _of_reason(event: Any) -> Payload:
    return (*NO_PARTIES, *NO_TERMS, *Rest(reason=event.reason, party=getattr(event, "party", None)))


def _of_opened(event: placement.PlacementOpened) -> Payload:
    return (*_parties(event.parties), *_terms(event.terms), *Rest(match=event.match))


def _of_dates(event: Any) -> Payload:
    starts = getattr(event, "starts_on", None)
    days = Terms(starts_day=None if starts is None else day_of(starts), ends_day=day_of(event.ends_on))
    return (*NO_PARTIES, *days, *NO_REST)


_PAYLOADS: dict[type[Event], Callable[[Any], Payload]] = {
    registration.ProfileChanged: _of_profile_change,
    registration.ExpertRegistered: _of_registered,
    registration.ExpertDeclaredEligible: _of_person,
    registration.ExpertDeclaredIneligible: _of_person,
    registration.InstitutionRegistered: _of_institution,
    matching.AssignmentDrafted: _of_terms,
    matching.AssignmentRevised: _of_terms,
    matching.ApplicationReceived: _of_parties,
    matching.ExpertSourced: _of_parties,
    matching.AssignmentMatched: _of_parties,
    matching.OfferAccepted: _of_parties,
    matching.OfferDeclined: _of_reason,
    placement.PlacementOpened: _of_opened,
    placement.PlacementContracted: _of_dates,
    placement.PlacementExtended: _of_dates,
    placement.PlacementEndedEarly: _of_reason,
    placement.PlacementCancelled: _of_reason,
}


def _of_nothing(_event: Any) -> Payload:
    return _NOTHING


def payload_of(event: type[Event]) -> Callable[[Any], Payload]:
    """What an event of that type says besides its `Head`: the rest of its `EventRow`."""
    return _PAYLOADS.get(event, _of_nothing)
