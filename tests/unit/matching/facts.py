"""What others would have told matching: a programme, institutions, persons, experts, on the log as events."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from typing import Any

from shared.clock import derived_id, text_of
from shared.contracts.base import Envelope, Event
from shared.contracts.matching.assignments import Terms
from shared.contracts.registration.experts import ExpertDeclaredEligible, ExpertIdentityClashed, ExpertRegistered
from shared.contracts.registration.institutions import InstitutionActivated, InstitutionRegistered
from shared.contracts.registration.persons import (
    Attributes,
    ConsentGiven,
    LanguageSkill,
    PersonRecorded,
    Profile,
    ProfileEntry,
)
from shared.contracts.registration.programmes import ProgrammePublished
from shared.messaging.port import Log, Message
from shared.programmes.model import Definition

LONG_AGO = datetime(2026, 1, 2, 9, tzinfo=UTC)
OFFICE = "kabul"
CODE = "example-1"
HOST = derived_id("host")
HOST_ACCOUNT = derived_id("account", "host")

DEFINITION = Definition.model_validate(
    {
        "code": CODE,
        "title": {"en": "An example"},
        "phase": "one",
        "dates": {"starts": date(2026, 1, 1), "ends": date(2030, 1, 1)},
        "offices": [
            {"code": OFFICE, "name": {"en": "Kabul"}, "country": "AF", "time_zone": "Asia/Kabul"},
            {"code": "tbilisi", "name": {"en": "Tbilisi"}, "country": "GE", "time_zone": "Asia/Tbilisi"},
        ],
        "countries_of_origin": ["AF", "GE"],
        "sectors": [{"code": "education", "name": {"en": "Education"}}],
        "selection": {
            "score": [
                {"component": "education", "weight": 40},
                {"component": "experience", "weight": 50},
                {"component": "first_time", "weight": 10},
            ],
            "seats": {"most": 10},
        },
        "placement": {
            "modalities": ["temporary"],
            "host_types": [{"code": "public", "name": {"en": "Public"}}],
        },
    }
)
ATTRIBUTES = Attributes(
    sex="female",
    birth_year=1975,
    education=6,
    experience_years=5,
    occupation="2310",
    sector="education",
    languages=(LanguageSkill(language="en", level="C1"),),
)


def terms(**changes: Any) -> Terms:
    plain = {
        "institution": HOST,
        "country": "AF",
        "sector": "education",
        "host_type": "public",
        "occupation": "2310",
        "seats": 1,
        "starts_on": date(2027, 5, 1),
        "ends_on": date(2027, 8, 1),
        "education": 6,
        "experience_years": 3,
        "languages": (LanguageSkill(language="en", level="B2"),),
    }
    return Terms.model_validate({**plain, **changes})


def person_id(name: str) -> str:
    return derived_id("person", name)


def expert_id(name: str, programme: str = CODE) -> str:
    return derived_id(person_id(name), programme)


class Others:
    """Appends events to the log under the right sequences, as their owners would."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._counts: Counter[tuple[str, str]] = Counter()

    async def tell(self, subject: str, *events: Event) -> None:
        for event in events:
            self._counts[(event.topic, subject)] += 1
            sequence = self._counts[(event.topic, subject)]
            envelope = Envelope(
                id=derived_id("event", event.topic, subject, "1", str(sequence)),
                type=event.type_name(),
                version=event.version,
                source="/" + event.topic.split(".")[0],
                subject=subject,
                time=text_of(LONG_AGO),
                epoch=1,
                sequence=sequence,
            )
            headers = tuple((name, text.encode()) for name, text in envelope.headers().items())
            message = Message(subject, event.body().encode(), headers)
            await self._log.append(event.topic, self._log.partition_of(event.topic, subject), [message])

    async def programme(self, definition: Definition = DEFINITION) -> None:
        event = ProgrammePublished(
            happened_at=LONG_AGO, code=definition.code, definition_version=1, definition=definition.as_json()
        )
        await self.tell(definition.code, event)

    async def host(self, id: str = HOST, *, active: bool = True) -> None:
        registered = InstitutionRegistered(
            happened_at=LONG_AGO,
            account=HOST_ACCOUNT if id == HOST else None,
            office=OFFICE,
            country="AF",
            sector="education",
            host_type="public",
        )
        await self.tell(id, registered, *([InstitutionActivated(happened_at=LONG_AGO)] if active else []))

    async def consents(self, name: str, purpose: str = "placement") -> None:
        await self.tell(person_id(name), ConsentGiven(happened_at=LONG_AGO, purpose=purpose))

    async def person(self, name: str, account: str | None = None, *, consents: bool = True, **attributes: Any) -> None:
        id = person_id(name)
        await self.tell(id, PersonRecorded(happened_at=LONG_AGO, account=account, office=OFFICE))
        if consents:
            await self.consents(name)
        entry = ProfileEntry(
            id=derived_id(id, "entry"),
            valid_from=date(2025, 1, 1),
            recorded_at=LONG_AGO,
            attributes=ATTRIBUTES.model_copy(update=attributes),
        )
        await self.tell(id, Profile(happened_at=LONG_AGO, entries=(entry,)))

    async def studied(self, name: str, on: date) -> None:
        """Whom `expert` described as having studied nothing has a degree from that day on."""
        id = person_id(name)
        entries = [
            ProfileEntry(
                id=derived_id(id, entry),
                valid_from=valid_from,
                recorded_at=LONG_AGO,
                attributes=ATTRIBUTES.model_copy(update={"education": education}),
            )
            for entry, valid_from, education in (("entry", date(2025, 1, 1), 1), ("degree", on, 6))
        ]
        await self.tell(id, Profile(happened_at=LONG_AGO, entries=tuple(entries)))

    async def registered(self, name: str, programme: str = CODE, office: str = OFFICE) -> None:
        event = ExpertRegistered(
            happened_at=LONG_AGO, person=person_id(name), programme=programme, office=office, channel="officer"
        )
        await self.tell(expert_id(name, programme), event)

    async def clashing(self, name: str) -> None:
        event = ExpertIdentityClashed(
            happened_at=LONG_AGO, person=person_id(name), programme=CODE, office=OFFICE, channel="self"
        )
        await self.tell(expert_id(name), event)

    async def eligible(self, name: str, programme: str = CODE) -> None:
        event = ExpertDeclaredEligible(happened_at=LONG_AGO, person=person_id(name))
        await self.tell(expert_id(name, programme), event)

    async def expert(self, name: str, account: str | None = None, *, office: str = OFFICE, **attributes: Any) -> None:
        """Somebody who is registered, described and eligible."""
        await self.person(name, account, **attributes)
        await self.registered(name, office=office)
        await self.eligible(name)
