"""I1, I2, I5, I6, I7: what the domain promises, from the client's journal, the stores and the topics."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import pairwise
from typing import Any

from deploy.generate import GROUPS, cases_of
from shared.cases.case import NEW
from shared.clock import short_hash
from shared.contracts.base import Event
from shared.contracts.catalogue import CATALOGUE
from shared.contracts.corrections import FactTakenBack, Revising
from shared.contracts.registry import event_type
from shared.contracts.registry import read as read_event
from shared.contracts.transfers import Transferring
from shared.store.port import Document
from shared.zones import zone
from tests.simulation.evidence import Evidence, Read, Violation, firsts
from tests.simulation.journal import Journal
from tests.unit.cases.states import written

# From here a case goes back to where it was before.
SUSPENDED = "suspended"


def check_acknowledged(evidence: Evidence, journal: Journal) -> Iterator[Violation]:
    """I1: what was acknowledged to the client stands in the store that acknowledged it."""
    for entry in journal.acknowledged.values():
        documents = evidence.documents.get(entry.service, {}).get(entry.collection, [])
        found = next((document for document in documents if document["_id"] == entry.subject), None)
        name = f"{entry.collection}/{entry.subject}"
        if found is None:
            yield Violation("I1", name, f"{entry.step} was acknowledged and is lost")
        elif "applied" in found and short_hash(entry.command_id) not in found["applied"]:
            yield Violation("I1", name, f"the command of {entry.step} was acknowledged and is lost")


def check_invented(evidence: Evidence, service: str, collection: str, journal: Journal) -> Iterator[Violation]:
    """I2: each document of a collection that only the client creates was asked for."""
    for document in evidence.documents.get(service, {}).get(collection, []):
        if document["_id"] not in journal.asked:
            yield Violation("I2", f"{collection}/{document['_id']}", "nobody asked for it")


def check_once(
    evidence: Evidence, service: str, collection: str, identity: Callable[[Document], Hashable | None]
) -> Iterator[Violation]:
    """I2: no two documents of a collection are the same thing; `identity` None leaves one out."""
    documents = evidence.documents.get(service, {}).get(collection, [])
    counts = Counter(key for document in documents if (key := identity(document)) is not None)
    for key, count in counts.items():
        if count > 1:
            yield Violation("I2", f"{collection}/{key}", f"exists {count} times")


@dataclass(frozen=True)
class Stay:
    """A placement that binds the person on site on half-open dates."""

    placement: str
    person: str
    starts_on: date
    ends_on: date


def stays(evidence: Evidence) -> list[Stay]:
    """The on-site placements that stand, from placement's own topic."""
    found = []
    for subject, reads in evidence.streams("placement.placements").items():
        ordered = sorted(firsts(reads), key=lambda read: read.place)
        opened = next((read for read in ordered if read.name == "PlacementOpened"), None)
        names = {read.name for read in ordered}
        if opened is None or names & {"PlacementCancelled", "NoShowReported", "PlacementRefused"}:
            continue
        event: Any = read_event(opened.envelope, opened.record.value or b"")
        if event.terms.modality == "virtual":
            continue
        ends_on = event.terms.ends_on
        for name, later in standing_facts(ordered):
            if name in ("PlacementExtended", "PlacementContracted", "PlacementContractCorrected"):
                ends_on = later.ends_on
            elif name == "PlacementEndedEarly":
                ends_on = min(ends_on, later.happened_at.astimezone(zone(event.time_zone or "UTC")).date())
        found.append(Stay(subject, event.parties.person, event.terms.starts_on, ends_on))
    return found


def standing_facts(ordered: Iterable[Read]) -> list[tuple[str, Any]]:
    """The events by name, in their order, without those that were taken back, each at its right time."""
    standing: dict[int, tuple[str, Any]] = {}
    for read in ordered:
        event: Any = read_event(read.envelope, read.record.value or b"")
        if read.name == "PlacementFactTakenBack":
            del standing[event.fact]
        elif read.name == "PlacementTimeCorrected":
            name, fact = standing[event.fact]
            standing[event.fact] = (name, fact.model_copy(update={"happened_at": event.happened_at}))
        else:
            standing[read.envelope.sequence] = (read.name, event)
    return list(standing.values())


def check_calendar(standing: Iterable[Stay]) -> Iterator[Violation]:
    """I5: no person has two overlapping on-site placements."""
    by_person: dict[str, list[Stay]] = defaultdict(list)
    for stay in standing:
        # One that ended on the day on which it began has no day that another could share.
        if stay.starts_on < stay.ends_on:
            by_person[stay.person].append(stay)
    for person, theirs in by_person.items():
        ordered = sorted(theirs, key=lambda stay: (stay.starts_on, stay.ends_on))
        for earlier, later in pairwise(ordered):
            if later.starts_on < earlier.ends_on:
                detail = f"placements {earlier.placement} and {later.placement} overlap"
                yield Violation("I5", f"person/{person}", detail)


FREES_A_SEAT = {"OfferDeclined", "OfferExpired", "MatchRetracted"}


def check_seats(evidence: Evidence) -> Iterator[Violation]:
    """I5: no assignment has more matches that hold a seat than it has seats."""
    seats: dict[str, int] = {}
    for subject, reads in evidence.streams("matching.assignments").items():
        for read in sorted(firsts(reads), key=lambda read: read.place):
            if read.name in ("AssignmentDrafted", "AssignmentRevised"):
                event: Any = read_event(read.envelope, read.record.value or b"")
                seats[subject] = event.terms.seats
    holders: Counter[str] = Counter()
    for reads in evidence.streams("matching.matches").values():
        matched: Any = None
        for read in sorted(firsts(reads), key=lambda read: read.place):
            if read.name == "AssignmentMatched":
                matched = read_event(read.envelope, read.record.value or b"")
            elif read.name in FREES_A_SEAT:
                matched = None
        if matched is not None:
            holders[matched.parties.assignment] += 1
    for assignment, count in holders.items():
        if count > seats.get(assignment, 0):
            yield Violation("I5", f"assignment/{assignment}", f"{count} matches on {seats.get(assignment, 0)} seats")


@dataclass(frozen=True)
class Machine:
    """Which steps a case may take. `steps`: as written down by hand; `verbs`: of the table, by the events they tell."""

    steps: frozenset[tuple[str, str, str]]
    verbs: Mapping[str, frozenset[str]]

    def allows(self, event: type[Event], before: str, after: str) -> bool:
        return any((verb, before, after) in self.steps for verb in self.verbs.get(event.__name__, ()))


@cache
def machines() -> Mapping[str, Machine]:
    """By topic, every case of every service, as tests/states.txt has it."""
    arrows, found = written(), {}
    for service in GROUPS:
        for case in cases_of(service):
            verbs: dict[str, frozenset[str]] = {}
            for move in case.moves:
                for event in (*move.first, *move.then):
                    verbs[event.__name__] = verbs.get(event.__name__, frozenset()) | {move.verb}
            found[f"{service}.{case.name}"] = Machine(frozenset(arrows[case.name].steps), verbs)
    return found


def check_history(topic: str, subject: str, reads: Iterable[Read], machine: Machine) -> Iterator[Violation]:
    """I6: each of the subject's events, in its order, is legal after the ones before, and recorded no earlier."""
    state, time, left, happened = NEW, "", NEW, ""
    for read in sorted(firsts(reads), key=lambda read: read.place):
        event = event_type(read.envelope.type)
        # Of a suspended case only what offices say to each other leaves it where it is.
        stays = issubclass(event, Transferring)
        after = event.leads_to or (left if state == SUSPENDED and not stays else state)
        if issubclass(event, FactTakenBack):
            told: Any = read_event(read.envelope, read.record.value or b"")
            after = told.status
        if not machine.allows(event, state, after):
            yield Violation("I6", f"{topic}/{subject}", f"{read.name} after state {state}")
        recorded = read.envelope.recorded_time or ""
        if recorded < time:
            yield Violation("I6", f"{topic}/{subject}", f"{read.name} was recorded earlier than the event before it")
        # A fact that is put right alone may go back in time, and what is told of it anew.
        tells_anew = (topic, read.name) in CATALOGUE.retells
        if read.envelope.time < happened and not (issubclass(event, Revising) or tells_anew):
            yield Violation("I6", f"{topic}/{subject}", f"{read.name} happened earlier than the event before it")
        left = left if stays else state
        state, time, happened = after, recorded, read.envelope.time


def check_histories(evidence: Evidence) -> Iterator[Violation]:
    """I6 over every topic of a case."""
    for topic, machine in machines().items():
        for subject, reads in evidence.streams(topic).items():
            yield from check_history(topic, subject, reads, machine)
