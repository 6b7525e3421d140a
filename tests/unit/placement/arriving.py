"""Events of other services as they arrive: envelopes in order, appended to the log or handed to the consumer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from shared.clock import derived_id
from shared.contracts.base import Envelope, Event, Scope
from shared.contracts.matching.assignments import Terms
from shared.contracts.matching.matches import MatchParties, MatchRetracting, OfferAccepted
from shared.contracts.registration.institutions import InstitutionRegistered
from shared.contracts.registration.persons import ConsentGiven, ConsentWithdrawn, PersonErased, PersonRecorded
from shared.contracts.registration.programmes import ProgrammePublished
from shared.messaging.port import Log, Message, Record

WHEN = datetime(2026, 1, 5, 9, tzinfo=UTC)
PERSON = derived_id("person")
INSTITUTION = derived_id("institution")
SCOPE = Scope("kabul", "example-1", 1)


DEFINITION: dict[str, Any] = {
    "code": "example-1",
    "title": {"en": "Return of qualified nationals, an example"},
    "phase": "1",
    "dates": {"starts": "2026-01-01", "ends": "2028-07-01"},
    "offices": [{"code": "kabul", "name": {"en": "Kabul"}, "country": "AF", "time_zone": "Asia/Kabul"}],
    "countries_of_origin": ["AF"],
    "sectors": [{"code": "education", "name": {"en": "Education"}}],
    "placement": {
        "modalities": ["temporary", "virtual"],
        "host_types": [{"code": "public", "name": {"en": "Public institution"}}],
        "preparation": {"temporary": ["training", "insurance"], "virtual": ["training"]},
    },
}


def parties(person: str = PERSON, number: int = 0) -> MatchParties:
    return MatchParties(
        assignment=derived_id("assignment", str(number)),
        expert=derived_id("expert", person),
        person=person,
        institution=INSTITUTION,
        office="kabul",
        programme="example-1",
        programme_version=1,
    )


def terms(starts_on: str, ends_on: str, modality: Any = "temporary") -> Terms:
    return Terms(
        institution=INSTITUTION,
        country="AF",
        sector="education",
        host_type="public",
        occupation="2310",
        modality=modality,
        starts_on=date.fromisoformat(starts_on),
        ends_on=date.fromisoformat(ends_on),
    )


def accepted(starts_on: str, ends_on: str, modality: Any = "temporary", *, number: int = 0) -> OfferAccepted:
    return OfferAccepted(happened_at=WHEN, parties=parties(number=number), terms=terms(starts_on, ends_on, modality))


def match(number: int = 0) -> str:
    return derived_id("match", str(number))


def placement(number: int = 0) -> str:
    return derived_id(match(number), "placement")


def known(account: Callable[[str], str]) -> list[tuple[str, Event]]:
    """The person and the host, who sign in as `me` and `college`; `account` is of the subject."""
    person = PersonRecorded(happened_at=WHEN, account=account("me"), office="kabul")
    host = InstitutionRegistered(
        happened_at=WHEN,
        account=account("college"),
        office="kabul",
        country="AF",
        sector="education",
        host_type="public",
    )
    return [(PERSON, person), (INSTITUTION, host)]


def consent_given() -> tuple[str, Event]:
    return PERSON, ConsentGiven(happened_at=WHEN, purpose="placement")


def consent_withdrawn() -> tuple[str, Event]:
    return PERSON, ConsentWithdrawn(happened_at=WHEN, purpose="placement")


def erased() -> tuple[str, Event]:
    return PERSON, PersonErased(happened_at=WHEN, reason="own_request")


def retracting(number: int = 0, reason: str = "host_withdrew") -> tuple[str, Event]:
    return match(number), MatchRetracting(happened_at=WHEN, reason=reason)


def definition(content: dict[str, Any]) -> tuple[str, Event]:
    event = ProgrammePublished(happened_at=WHEN, code="example-1", definition_version=1, definition=content)
    return "example-1", event


class Arriving:
    """Numbers events per subject and topic as their owner would."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._counts: dict[tuple[str, str], int] = defaultdict(int)
        self._offsets: dict[str, int] = defaultdict(int)

    def record(self, subject: str, event: Event) -> Record:
        """The record at its own offset, not in the log."""
        message = self._message(subject, event)
        self._offsets[event.topic] += 1
        return Record(
            event.topic, 0, self._offsets[event.topic] - 1, subject.encode(), message.value, message.headers, 0
        )

    async def append(self, *events: tuple[str, Event]) -> None:
        for subject, event in events:
            partition = self._log.partition_of(event.topic, subject)
            await self._log.append(event.topic, partition, [self._message(subject, event)])

    def lose(self, subject: str, topic: str) -> None:
        """The subject's next event on the topic is told and never comes."""
        self._counts[(topic, subject)] += 1

    def _message(self, subject: str, event: Event) -> Message:
        self._counts[(event.topic, subject)] += 1
        sequence = self._counts[(event.topic, subject)]
        envelope = Envelope(
            id=derived_id(event.topic, subject, str(sequence)),
            type=event.type_name(),
            version=event.version,
            source=f"/{event.topic.split('.')[0]}",
            subject=subject,
            time="2026-01-05T09:00:00.000000Z",
            epoch=1,
            sequence=sequence,
            scope=SCOPE,
        )
        headers = tuple((name, text.encode()) for name, text in envelope.headers().items())
        return Message(subject, event.body().encode(), headers)
