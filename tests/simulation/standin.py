"""Three small services on the real kernel: an expert is screened, offered two overlapping assignments, placed once.

They keep the harness honest where it does not need the whole domain: every mechanism of the kernel is in use,
and each planted bug has something to break.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from pydantic import BaseModel, ConfigDict

from shared.clock import derived_id
from shared.contracts.base import Event
from shared.contracts.matching import (
    AssignmentMatched,
    ExpertLonglisted,
    ExpertSourced,
    MatchParties,
    MatchRetracted,
    MatchRetracting,
    OfferAccepted,
    OfferMade,
    Terms,
)
from shared.contracts.placement import PlacementCancelled, PlacementOpened, PlacementRefused
from shared.contracts.registration import ExpertDeclaredEligible, ExpertRegistered
from shared.errors import Refusal
from shared.messaging.shadows import Delivery, Handler
from shared.replica import Ports, Replica, shadows_collection, stored
from shared.store.aggregates import Aggregate, Cause
from shared.store.collection import Collection
from shared.store.guards import Guard, Usage
from shared.store.port import Document
from tests.simulation.case_checks import check_acknowledged, check_calendar, check_histories, check_invented, stays
from tests.simulation.client import Client, Step
from tests.simulation.evidence import Evidence, Read, Violation
from tests.simulation.journal import Acknowledgement, Journal
from tests.simulation.stream_checks import (
    Consequence,
    Reader,
    check_causes,
    check_fold,
    check_outboxes,
    check_reader,
    check_streams,
)
from tests.simulation.world import Service

PERSONS = 5
OFFERS = 2


class Case(BaseModel):
    """The state of all three aggregates: where the case stands."""

    model_config = ConfigDict(frozen=True)
    status: str


@dataclass(frozen=True)
class Do:
    """A command: the events that it gives in a new case, and in one that stands in `after`."""

    events: tuple[Any, ...]
    after: str | None = None


def decide(state: Case | None, command: Do, now: datetime) -> Sequence[Event]:
    standing = state.status if state else None
    if standing == command.after:
        return [event(happened_at=now) for event in command.events]
    if command.after is not None and state is None:
        raise Refusal("not_found", status=404)
    return []


def evolve(_state: Case | None, event: Event) -> Case:
    return Case(status=type(event).__name__)


EXPERTS = Aggregate(Collection("experts"), Case, decide, evolve)
MATCHES = Aggregate(Collection("matches"), Case, decide, evolve)
PLACEMENTS = Aggregate(Collection("placements"), Case, decide, evolve)
CALENDARS = Collection("calendars")
SHADOWS = shadows_collection({})


def person_id(n: int) -> str:
    return derived_id("person", str(n))


def expert_id(n: int) -> str:
    return derived_id("expert", str(n))


def parties_of(expert: str, offer: int) -> MatchParties:
    person = next(person_id(n) for n in range(PERSONS) if expert_id(n) == expert)
    return MatchParties(assignment=derived_id("assignment", str(offer)), expert=expert, person=person)


def terms_of(offer: int) -> Terms:
    starts_on = date(2026, 3, 1) + timedelta(days=10 * offer)
    return Terms(
        institution=derived_id("institution"),
        country="GH",
        sector="health",
        host_type="public",
        occupation="2211",
        starts_on=starts_on,
        ends_on=starts_on + timedelta(days=30),
    )


def registration(ports: Ports) -> Replica:
    return Replica("registration", ports, [EXPERTS.collection], SHADOWS)


def matching(ports: Ports) -> Replica:
    replica = Replica("matching", ports, [MATCHES.collection], SHADOWS)

    async def source(delivery: Delivery) -> None:
        for offer in range(OFFERS):
            parties, terms = parties_of(delivery.subject, offer), terms_of(offer)
            command = Do(
                (
                    partial(ExpertSourced, parties=parties),
                    partial(ExpertLonglisted, score=1, components=()),
                    partial(AssignmentMatched, parties=parties),
                    partial(OfferMade, expires_at=datetime.fromisoformat("2026-06-01T00:00:00Z")),
                    partial(OfferAccepted, parties=parties, terms=terms),
                )
            )
            id = derived_id("match", delivery.subject, str(offer))
            await replica.kernel.execute(MATCHES, id, command, delivery.cause(f"source-{offer}"))

    async def retract(delivery: Delivery) -> None:
        event: Any = delivery.event
        command = Do(
            (partial(MatchRetracting, reason="refused"), partial(MatchRetracted, reason="refused")), "OfferAccepted"
        )
        await replica.kernel.execute(MATCHES, event.match, command, delivery.cause("retract"))

    replica.listens(
        {
            ExpertDeclaredEligible: Handler(know=_count, effect=source),
            ExpertRegistered: Handler(know=_count),
            PlacementRefused: Handler(know=_count, effect=retract),
            PlacementCancelled: Handler(effect=retract),
        }
    )
    return replica


def _count(knowledge: dict[str, Any], _event: Any, _envelope: Any) -> dict[str, Any]:
    return {"seen": knowledge.get("seen", 0) + 1}


def placement(ports: Ports) -> Replica:
    replica = Replica("placement", ports, [PLACEMENTS.collection, CALENDARS], SHADOWS)

    async def void(person: str, placement: str, claim: Any) -> None:
        del person
        command = Do((partial(PlacementCancelled, match=claim["match"], reason="hold_expired"),))
        await replica.kernel.execute(PLACEMENTS, placement, command, Cause(derived_id(placement, "void")))

    guard = Guard(CALENDARS, PLACEMENTS.name, _admit, _usage, void)

    async def open_or_refuse(delivery: Delivery) -> None:
        event: Any = delivery.event
        parties, terms = event.parties, event.terms
        person, placement = parties.person, derived_id("placement", delivery.subject)
        claim = {"from": str(terms.starts_on), "until": str(terms.ends_on), "match": delivery.subject}
        try:
            await replica.guards.take(guard, person, placement, claim)
            outcome: Any = partial(PlacementOpened, match=delivery.subject, parties=parties, terms=terms)
        except Refusal as refusal:
            outcome = partial(PlacementRefused, match=delivery.subject, parties=parties, reason=refusal.rule)
        await replica.kernel.execute(PLACEMENTS, placement, Do((outcome,)), delivery.cause("place"))
        await replica.guards.settle(guard, person, placement)

    replica.listens({OfferAccepted: Handler(know=_count, effect=open_or_refuse)})
    replica.times(guard=guard)
    return replica


def _admit(_document: Document, holds: Any, claim: Any) -> None:
    for hold in holds.values():
        if hold["claim"]["from"] < claim["until"] and claim["from"] < hold["claim"]["until"]:
            raise Refusal("calendar_taken")


def _usage(document: Document | None) -> Usage:
    if document is None or document["state"] is None:
        return "pending"
    return "used" if document["state"]["status"] == "PlacementOpened" else "spent"


def services() -> list[Service]:
    return [
        Service("registration", stored([EXPERTS.collection], SHADOWS), registration),
        Service(
            "matching",
            stored([MATCHES.collection], SHADOWS),
            matching,
            ("placement.placements", "registration.experts"),
        ),
        Service("placement", stored([PLACEMENTS.collection, CALENDARS], SHADOWS), placement, ("matching.matches",)),
    ]


def _step(n: int, name: str, command: Do) -> Step:
    command_id = derived_id("client", name, str(n))

    async def send(replica: Replica) -> Acknowledgement:
        await replica.kernel.execute(EXPERTS, expert_id(n), command, Cause(command_id, digest=name))
        return Acknowledgement(f"{name} {n}", "registration", "experts", expert_id(n), command_id)

    return Step(f"{name} {n}", "registration", send)


async def history(client: Client, journal: Journal) -> None:
    """Five persons at once; each is registered and then screened."""

    async def person(n: int) -> None:
        journal.ask(expert_id(n))
        registered = partial(ExpertRegistered, person=person_id(n), programme="trqn-1", office="NL", channel="self")
        await client.put(_step(n, "register", Do((registered,))))
        await client.put(
            _step(n, "screen", Do((partial(ExpertDeclaredEligible, person=person_id(n)),), "ExpertRegistered"))
        )

    await asyncio.gather(*(person(n) for n in range(PERSONS)))


def _matching_follows(read: Read) -> list[Consequence]:
    id = read.envelope.id
    if read.name == "ExpertDeclaredEligible":
        return [Consequence("matches", derived_id(id, f"source-{offer}")) for offer in range(OFFERS)]
    if read.name in ("PlacementRefused", "PlacementCancelled"):
        return [Consequence("matches", derived_id(id, "retract"))]
    return []


def _placement_follows(read: Read) -> list[Consequence]:
    return [Consequence("placements", derived_id(read.envelope.id, "place"))] if read.name == "OfferAccepted" else []


def check(evidence: Evidence, journal: Journal) -> Iterator[Violation]:
    """Every invariant that these services can break."""
    yield from check_acknowledged(evidence, journal)
    yield from check_invented(evidence, "registration", "experts", journal)
    yield from check_calendar(stays(evidence))
    yield from check_histories(evidence)
    yield from check_causes(evidence)
    for service, aggregate in (("registration", EXPERTS), ("matching", MATCHES), ("placement", PLACEMENTS)):
        topic = f"{service}.{aggregate.name}"
        yield from check_outboxes(evidence, service)
        yield from check_streams(evidence, service)
        yield from check_fold(evidence, service, aggregate.name, [topic], evolve)
    matching_topics = ("placement.placements", "registration.experts")
    yield from check_reader(evidence, Reader("matching", matching_topics, consequences=_matching_follows))
    yield from check_reader(evidence, Reader("placement", ("matching.matches",), consequences=_placement_follows))
    yield from _check_everyone_placed(evidence)


def _check_everyone_placed(evidence: Evidence) -> Iterator[Violation]:
    """Each person ends with one placement that stands: the other offer was refused."""
    placed = sorted(stay.person for stay in stays(evidence))
    if placed != sorted(person_id(n) for n in range(PERSONS)):
        yield Violation("I1", "placements", f"{len(placed)} placements stand for {PERSONS} persons")
