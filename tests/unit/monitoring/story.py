"""A programme's events as records of the log, and the read model that follows from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from services.monitoring.domain.derivation import (
    Known,
    fact_rows,
)
from services.monitoring.domain.profiles import ProfileRow, timeline
from services.monitoring.domain.rows import EventRow
from services.monitoring.domain.zones import zones_of
from services.monitoring.held import groups_of
from services.monitoring.records import Batch, Mark, take
from services.monitoring.schema import FACT_TABLES, TABLES, quoted
from services.monitoring.store import ReadModel
from shared.clock import derived_id as id_of
from shared.contracts.base import Envelope, Event, Scope
from shared.contracts.matching.assignments import (
    AssignmentApproved,
    AssignmentDrafted,
    AssignmentPublished,
    AssignmentSubmitted,
    Terms,
)
from shared.contracts.matching.matches import (
    ApplicationReceived,
    AssignmentMatched,
    MatchParties,
    OfferAccepted,
    OfferMade,
)
from shared.contracts.placement.placements import PlacementContracted, PlacementOpened, ReturnCompleted, ReturnStarted
from shared.contracts.registration.experts import ExpertDeclaredEligible, ExpertRegistered
from shared.contracts.registration.institutions import InstitutionActivated, InstitutionRegistered
from shared.contracts.registration.persons import Attributes, PersonRecorded, Profile, ProfileChanged, ProfileEntry
from shared.contracts.registration.programmes import ProgrammePublished
from shared.messaging.partitions import partition_of
from shared.messaging.port import Message, Record
from shared.messaging.topics import TOPICS
from shared.programmes.model import Definition

START = datetime(2026, 1, 10, 12, tzinfo=UTC)
START_MS = round(START.timestamp() * 1000)
OFFICE = "kabul"
PROGRAMME = "example-1"
DEFINITION: dict[str, Any] = {
    "code": PROGRAMME,
    "title": {"en": "An example"},
    "phase": "1",
    "dates": {"starts": "2025-01-01", "ends": "2027-01-01"},
    "offices": [
        {"code": "kabul", "name": {"en": "Kabul"}, "country": "AF", "time_zone": "Asia/Kabul"},
        {"code": "bogota", "name": {"en": "Bogota"}, "country": "CO", "time_zone": "America/Bogota"},
    ],
    "countries_of_origin": ["AF"],
    "sectors": [{"code": "health", "name": {"en": "Health"}}, {"code": "education", "name": {"en": "Education"}}],
    "placement": {"modalities": ["temporary"], "host_types": [{"code": "public", "name": {"en": "Public"}}]},
    "disclosure": {"threshold": 10},
    "periods": [
        {"code": "january", "name": {"en": "January"}, "series": "m", "starts": "2026-01-01", "ends": "2026-02-01"},
        {"code": "february", "name": {"en": "February"}, "series": "m", "starts": "2026-02-01", "ends": "2026-03-01"},
        {"code": "whole", "name": {"en": "All"}, "series": "w", "starts": "2025-01-01", "ends": "2027-01-01"},
    ],
    "dimensions": [
        {"code": "sex", "name": {"en": "Sex"}, "attribute": "sex", "at": "now"},
        {"code": "residence", "name": {"en": "Residence"}, "attribute": "country_of_residence"},
        {
            "code": "age",
            "name": {"en": "Age"},
            "attribute": "age",
            "classes": [
                {"code": "young", "name": {"en": "Below 30"}, "below": 30},
                {"code": "middle", "name": {"en": "30 to 59"}, "at_least": 30, "below": 60},
                {"code": "old", "name": {"en": "60 and more"}, "at_least": 60},
            ],
        },
        {
            "code": "sector",
            "name": {"en": "Sector"},
            "field": "sector",
            "classes": [
                {"code": "care", "name": {"en": "Care"}, "values": ["health"]},
                {"code": "other", "name": {"en": "Other"}, "rest": True},
            ],
        },
    ],
    "indicators": [
        {
            "code": "contracts",
            "name": {"en": "Contracts"},
            "unit": "contracts",
            "measure": "count",
            "facts": {"kinds": ["contract"]},
            "targets": {"whole": 200},
        },
        {
            "code": "persons",
            "name": {"en": "Persons"},
            "unit": "persons",
            "measure": {"distinct": "person"},
            "facts": {"kinds": ["return_started"]},
        },
        {
            "code": "returns",
            "name": {"en": "Returns"},
            "unit": "returns",
            "measure": "count",
            "facts": {"kinds": ["return_started"]},
        },
        {
            "code": "women",
            "name": {"en": "Returns of women"},
            "unit": "returns",
            "measure": "count",
            "facts": {"kinds": ["return_started"], "where": [{"attribute": "sex", "at": "now", "one_of": ["female"]}]},
        },
        {
            "code": "women_share",
            "name": {"en": "Share of women"},
            "unit": "percent",
            "decimals": 1,
            "measure": {"share": {"of": "women", "in": "returns"}},
        },
        {
            "code": "registered",
            "name": {"en": "Registered"},
            "unit": "experts",
            "measure": {"distinct": "expert"},
            "facts": {"kinds": ["expert_registered"]},
        },
        {
            "code": "contract_days",
            "name": {"en": "Days"},
            "unit": "days",
            "measure": {"sum": "days"},
            "facts": {"kinds": ["contract"], "where": [{"field": "contract_number", "at_least": 2}]},
        },
        {
            "code": "hosts",
            "name": {"en": "Hosts"},
            "unit": "institutions",
            "measure": {"distinct": "institution"},
            "facts": {"kinds": ["institution_activated"]},
        },
    ],
}


def definition() -> Definition:
    return Definition.model_validate(DEFINITION)


def terms(institution: str = id_of("host"), **changes: Any) -> Terms:
    base = Terms(
        institution=institution,
        country="AF",
        sector="health",
        host_type="public",
        occupation="2211",
        starts_on=date(2026, 2, 1),
        ends_on=date(2026, 5, 1),
    )
    return base.model_copy(update=changes)


@dataclass
class Story:
    """Appends events as a log would: a sequence for each (topic, subject), a growing append time."""

    office: str | None = OFFICE
    records: list[Record] = field(default_factory=list)
    now_ms: int = START_MS
    sequences: dict[tuple[str, str], int] = field(default_factory=dict)
    offsets: dict[tuple[str, int], int] = field(default_factory=dict)

    def tell(self, subject: str, event: Event, *, step_ms: int = 1_000, **scope: Any) -> Record:
        """Appends the event one step later than the last one."""
        place = (event.topic, subject)
        self.sequences[place] = self.sequences.get(place, 0) + 1
        message = message_of(subject, self.sequences[place], event, {"office": self.office, **scope})
        self.now_ms += step_ms
        return self.append(event.topic, message)

    def append(self, topic: str, message: Message) -> Record:
        partition = partition_of(TOPICS, topic, message.key or "")
        offset = self.offsets.get((topic, partition), 0)
        self.offsets[(topic, partition)] = offset + 1
        key = (message.key or "").encode()
        record = Record(topic, partition, offset, key, message.value, message.headers, self.now_ms)
        self.records.append(record)
        return record

    def again(self, record: Record) -> Record:
        """The same record once more, as a relay sends it again."""
        self.now_ms += 1_000
        return self.append(record.topic, Message((record.key or b"").decode(), record.value or b"", record.headers))

    def published(self, definition: Mapping[str, Any] = DEFINITION) -> None:
        event = ProgrammePublished(happened_at=START, code=PROGRAMME, definition_version=1, definition=dict(definition))
        self.tell(PROGRAMME, event, office=None)

    def person(self, name: str, at: datetime = START, **attributes: Any) -> str:
        """A person with one profile entry, registered and eligible; the id."""
        person, expert = id_of("person", name), id_of("expert", name)
        self.tell(person, PersonRecorded(happened_at=at, office=self.office or OFFICE))
        self.profile(name, [entry(name, "first", **attributes)])
        registered = ExpertRegistered(
            happened_at=at, person=person, programme=PROGRAMME, office=self.office or OFFICE, channel="self"
        )
        self.tell(expert, registered)
        self.tell(expert, ExpertDeclaredEligible(happened_at=at, person=person))
        return person

    def profile(self, name: str, entries: Sequence[ProfileEntry]) -> None:
        """Sends the whole timeline, then the thin change that names the newest entry."""
        person = id_of("person", name)
        self.tell(person, Profile(happened_at=START, entries=tuple(entries)))
        self.tell(person, ProfileChanged(happened_at=START, entry=entries[-1].id))

    def host(self, name: str = "host", at: datetime = START) -> str:
        institution = id_of(name)
        registered = InstitutionRegistered(
            happened_at=at, office=self.office or OFFICE, country="AF", sector="health", host_type="public"
        )
        self.tell(institution, registered, programme=None, programme_version=None)
        self.tell(institution, InstitutionActivated(happened_at=at), programme=None, programme_version=None)
        return institution

    def assignment(self, name: str, at: datetime = START, **changes: Any) -> Terms:
        """Terms of reference up to their publication."""
        assignment, drafted = id_of("assignment", name), terms(**changes)
        self.tell(assignment, AssignmentDrafted(happened_at=at, terms=drafted))
        for event in (AssignmentSubmitted, AssignmentApproved, AssignmentPublished):
            self.tell(assignment, event(happened_at=at))
        return drafted

    def accepted(self, name: str, on: str | None = None, at: datetime = START, **changes: Any) -> MatchParties:
        """A person's match on an assignment, up to the accepted offer. `on`: the assignment, else one of its own."""
        assignment = on or name
        agreed = self.assignment(name, at, **changes) if on is None else terms(**changes)
        parties = MatchParties(
            assignment=id_of("assignment", assignment), expert=id_of("expert", name), person=id_of("person", name)
        )
        match = id_of("match", name, assignment)
        self.tell(match, ApplicationReceived(happened_at=at, parties=parties, terms=agreed))
        self.tell(match, AssignmentMatched(happened_at=at, parties=parties))
        self.tell(match, OfferMade(happened_at=at, expires_at=at + timedelta(days=14)))
        self.tell(match, OfferAccepted(happened_at=at, parties=parties, terms=agreed))
        return parties

    def opened(self, name: str, number: int = 1, at: datetime = START, **changes: Any) -> str:
        """A placement with its first contract; the id."""
        placement = id_of("placement", name, str(number))
        parties = MatchParties(
            assignment=id_of("assignment", name), expert=id_of("expert", name), person=id_of("person", name)
        )
        agreed = terms(**changes)
        opening = PlacementOpened(happened_at=at, match=id_of("match", name, name), parties=parties, terms=agreed)
        self.tell(placement, opening)
        contracted = PlacementContracted(happened_at=at, starts_on=agreed.starts_on, ends_on=agreed.ends_on)
        self.tell(placement, contracted)
        return placement

    def returned(self, name: str, at: datetime = START, **changes: Any) -> str:
        """A person who came, worked and went; the placement."""
        placement = self.opened(name, at=at, **changes)
        self.tell(placement, ReturnStarted(happened_at=at))
        self.tell(placement, ReturnCompleted(happened_at=at + timedelta(days=20)))
        return placement


def entry(
    name: str, number: str, valid_from: date = date(2025, 1, 1), hours: int = 0, **attributes: Any
) -> ProfileEntry:
    return ProfileEntry(
        id=id_of("entry", name, number),
        valid_from=valid_from,
        recorded_at=START + timedelta(hours=hours),
        attributes=Attributes(**attributes),
    )


def message_of(subject: str, sequence: int, event: Event, scope: dict[str, Any]) -> Message:
    envelope = Envelope(
        id=id_of("event", event.topic, subject, str(sequence)),
        type=event.type_name(),
        version=event.version,
        source=f"/{event.topic.split('.')[0]}",
        subject=subject,
        time="2026-01-10T12:00:00.000000Z",
        epoch=1,
        sequence=sequence,
        scope=Scope(scope.get("office"), scope.get("programme", PROGRAMME), scope.get("programme_version", 1)),
    )
    headers = tuple((name, text.encode()) for name, text in envelope.headers().items())
    return Message(subject, event.body().encode(), headers)


def batch_of(records: Iterable[Record]) -> Batch:
    """The records of any partitions, in any order, as one batch; their append times are the running maximum already."""
    batch = Batch()
    marks: dict[tuple[str, int], Mark] = {}
    for record in records:
        take(batch, [record], Mark())
        mark = marks.setdefault((record.topic, record.partition), Mark())
        mark.next_offset = max(mark.next_offset, record.offset + 1)
        mark.high_ms = max(mark.high_ms, record.appended_ms)
    batch.marks = dict(marks)
    return batch


def derived(records: Iterable[Record]) -> list[dict[str, Any]]:
    """The rows of the families' tables, from the records alone and without a database; sorted."""
    batch = batch_of(records)
    groups = groups_of(batch.events)
    zones = zones_of(row for rows in batch.offices.values() for row in rows)
    return in_form(fact_rows(groups, Known(_timelines(batch.events, batch.profiles), zones)))


def in_form(tables: Mapping[str, Iterable[Sequence[Any]]]) -> list[dict[str, Any]]:
    """Rows of several families by the names of their columns, ids as texts, in one order."""
    found = [
        {c: str(v) if isinstance(v, UUID) else v for c, v in zip(TABLES[table], row, strict=True)}
        for table, rows in tables.items()
        for row in rows
    ]
    return sorted(found, key=lambda row: (row["kind"], row["known_from"], str(row)))


def _timelines(events: Iterable[EventRow], profiles: dict[str, list[ProfileRow]]) -> dict[str, Any]:
    known: dict[str, int] = {}
    for row in events:
        if row.entry is not None:
            known[row.entry] = min(row.known_ms, known.get(row.entry, row.known_ms))
    return {
        person: timeline((row, known[row.entry]) for row in rows if row.entry in known)
        for person, rows in profiles.items()
    }


def model_of(records: Iterable[Record]) -> ReadModel:
    model = ReadModel(None)
    model.apply(batch_of(records))
    return model


def stored(model: ReadModel) -> list[dict[str, Any]]:
    """The families' tables in the form of `derived`."""
    with model.database.reader() as connection:
        queries = {table: f"SELECT {quoted(TABLES[table])} FROM {table}" for table in FACT_TABLES}
        return in_form({table: connection.execute(query).fetchall() for table, query in queries.items()})
