"""The four services, the history, and everything that has to hold after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from services.matching.store import ASSIGNMENTS, MATCHES
from services.monitoring.store import STATEMENTS
from services.placement.store import PLACEMENTS, PLAIN
from services.registration.store import EXPERTS, INSTITUTIONS, PERSONS, PROGRAMMES
from shared.clock import derived_id
from shared.contracts.registry import read as read_event
from shared.store.aggregates import Aggregate
from tests.simulation import promise_checks
from tests.simulation.audit_checks import check_trail
from tests.simulation.case_checks import (
    check_acknowledged,
    check_calendar,
    check_histories,
    check_invented,
    check_once,
    check_seats,
    stays,
)
from tests.simulation.evidence import Evidence, Read, Violation
from tests.simulation.filing import check_files
from tests.simulation.history import history
from tests.simulation.journal import Journal
from tests.simulation.post import check_messages
from tests.simulation.recount import check_read_models
from tests.simulation.schedule import Scenario
from tests.simulation.services import HANDLED, TOPICS_OF, services, without_edges
from tests.simulation.stating import check_recounted, check_statements
from tests.simulation.stream_checks import (
    Consequence,
    Reader,
    check_causes,
    check_fold,
    check_known,
    check_outboxes,
    check_past,
    check_reader,
    check_streams,
)
from tests.simulation.world import World

COMPACTED = ("registration.profiles",)
FOLDED: tuple[tuple[str, Aggregate[Any], tuple[str, ...]], ...] = (
    ("registration", PROGRAMMES, ("registration.programmes",)),
    ("registration", PERSONS, ("registration.persons", "registration.profiles")),
    ("registration", EXPERTS, ("registration.experts",)),
    ("registration", INSTITUTIONS, ("registration.institutions",)),
    ("matching", ASSIGNMENTS, ("matching.assignments",)),
    ("matching", MATCHES, ("matching.matches",)),
    ("placement", PLACEMENTS, ("placement.placements",)),
    *(("placement", one.aggregate, (f"placement.{one.case.name}",)) for one in PLAIN),
    ("monitoring", STATEMENTS, ("monitoring.statements",)),
)


def _matching_follows(read: Read) -> list[Consequence]:
    """What follows whatever the state is; what depends on it is asked of the state itself, in `promise_checks`."""
    if read.name == "AssignmentMatchingStarted":
        event: Any = read_event(read.envelope, read.record.value or b"")
        return [_on_match(read, f"round:{event.round}:{match}") for match in event.matches]
    if read.name in ("PlacementRefused", "PlacementCancelled", "NoShowReported"):
        return [_on_match(read, "release")]
    return []


def _on_match(read: Read, step: str) -> Consequence:
    return Consequence(MATCHES.name, derived_id(read.envelope.id, step))


PLACEMENT_STEPS = {"OfferAccepted": "open", "MatchRetracting": "retract"}


def _placement_follows(read: Read) -> list[Consequence]:
    step = PLACEMENT_STEPS.get(read.name)
    return [Consequence(PLACEMENTS.name, derived_id(read.envelope.id, step))] if step else []


READERS = (
    Reader("registration", TOPICS_OF["registration"], handled=HANDLED["registration"]),
    Reader("matching", TOPICS_OF["matching"], consequences=_matching_follows, handled=HANDLED["matching"]),
    Reader("placement", TOPICS_OF["placement"], consequences=_placement_follows, handled=HANDLED["placement"]),
)


def _check_existence(evidence: Evidence, journal: Journal) -> Iterator[Violation]:
    """I1 and I2: what was acknowledged is there, nothing else is, and nothing is there twice."""
    yield from check_acknowledged(evidence, journal)
    for service, collection in (
        ("registration", "programmes"),
        ("registration", "institutions"),
        ("registration", "persons"),
        ("registration", "experts"),
        ("registration", "submissions"),
        ("matching", "assignments"),
        ("matching", "matches"),
        ("matching", "submissions"),
        ("placement", "trainings"),
        ("placement", "sites"),
        ("monitoring", "statements"),
    ):
        yield from check_invented(evidence, service, collection, journal)
    yield from check_twice(evidence)


def check_twice(evidence: Evidence) -> Iterator[Violation]:
    """I2: no expert, match or placement exists twice, and no document number is two persons'."""
    yield from check_once(
        evidence, "registration", "experts", lambda d: (d["state"]["person"], d["state"]["programme"])
    )
    yield from check_once(evidence, "matching", "matches", _pair)
    yield from check_once(evidence, "placement", "placements", lambda d: d["state"]["match"])
    for guard in evidence.documents["registration"]["documents"]:
        holders = [id for id, hold in guard["holds"].items() if hold["status"] == "confirmed"]
        if len(holders) > 1:
            yield Violation("I2", f"documents/{guard['_id']}", f"one number, {len(holders)} persons")


def _case(document: Mapping[str, Any]) -> tuple[str, str]:
    return document["state"]["person"], document["state"]["programme"]


def _pair(document: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """A pair's every round is a match of its own, which follows from the one before."""
    if document["state"] is None:
        # Nothing but refused applications is remembered there.
        return None
    parties = document["state"]["parties"]
    return parties["assignment"], parties["expert"], document["state"].get("previous", "")


def check_all_streams(evidence: Evidence) -> Iterator[Violation]:
    """What every topic, document and reader keeps, whatever the history was."""
    yield from check_causes(evidence)
    for service in evidence.documents:
        yield from check_outboxes(evidence, service)
        yield from check_streams(evidence, service, COMPACTED)
    # A directed scenario may run without one of them.
    for service, aggregate, topics in (one for one in FOLDED if one[0] in evidence.documents):
        yield from check_fold(evidence, service, aggregate.name, topics, aggregate.evolve)
        yield from check_past(evidence, service, aggregate.name, f"{service}.{aggregate.name}")
    for reader in READERS:
        yield from check_reader(evidence, reader)
        yield from check_known(evidence, reader)


PROMISES: tuple[Callable[[Evidence], Iterator[Violation]], ...] = (
    promise_checks.check_holds,
    promise_checks.check_held,
    promise_checks.check_given_back,
    promise_checks.check_moved,
    promise_checks.check_succession,
    promise_checks.check_both_sides,
    promise_checks.check_offices,
    promise_checks.check_withdrawn,
    promise_checks.check_erased,
    promise_checks.check_parked,
)


def check(world: World, evidence: Evidence, journal: Journal) -> Iterator[Violation]:
    """Every invariant, by all that the run left behind."""
    yield from _check_existence(evidence, journal)
    yield from check_calendar(stays(evidence))
    yield from check_seats(evidence)
    yield from check_histories(evidence)
    yield from check_all_streams(evidence)
    for promise in PROMISES:
        yield from promise(evidence)
    yield from promise_checks.check_decided(evidence)
    yield from promise_checks.check_submissions(evidence, journal, world.keys)
    yield from promise_checks.check_handovers(evidence, world.runtime.now())
    replicas = [node.replica for node in world.nodes if node.service.name == "registration" and node.replica]
    yield from check_messages(evidence, replicas[0].mails if replicas else (), world.runtime.now())
    yield from check_trail(evidence, journal, world.keys)
    yield from check_files(evidence, journal)
    followers = {
        node.name: node.replica.follower for node in world.nodes if node.service.name == "monitoring" and node.replica
    }
    as_of_ms = max((follower.head_ms for follower in followers.values()), default=0)
    models = {name: follower.model for name, follower in followers.items()}
    yield from check_read_models(evidence, models, journal.answers, as_of_ms)
    yield from check_statements(evidence)
    for model in models.values():
        yield from check_recounted(evidence, model)


SCENARIO = Scenario(services, history, check, around=without_edges)
