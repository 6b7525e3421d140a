"""Facts: what a programme counts, as a pure function of the set of events (KERNEL section 8).

A fact never changes. What takes it back gives it an end (`known_to`) or adds another fact, so an as-of answer
is the same query with an earlier instant: as of T counts `known_from < T <= known_to`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from operator import attrgetter
from typing import Any, NamedTuple

from services.monitoring.domain.rows import EventRow, Terms

ASSIGNMENTS = "matching.assignments"
MATCHES = "matching.matches"
PLACEMENTS = "placement.placements"
INSTITUTIONS = "registration.institutions"
EXPERTS = "registration.experts"


# Raised with any change of what the events mean here: a stored read model of another version is built anew.
RULES_VERSION = 1


class Fact(NamedTuple):
    """One countable thing. (`kind`, `subject`, `epoch`, `sequence`) is its id: the event that it stands on.

    Times as in `EventRow`; `days` is the length of a contract (of an extension: the days that it adds).
    """

    kind: str
    subject: str
    epoch: int
    sequence: int
    office: str | None
    programme: str | None
    programme_version: int | None
    person: str | None
    expert: str | None
    assignment: str | None
    institution: str | None
    match: str | None
    placement: str | None
    modality: str | None
    country: str | None
    area: str | None
    sector: str | None
    host_type: str | None
    occupation: str | None
    seats: int | None
    channel: str | None
    reason: str | None
    party: str | None
    days: int | None
    contract_number: int | None
    happened_us: int
    known_from: int
    known_to: int | None = None

    @property
    def id(self) -> str:
        return f"{self.kind}/{self.subject}/{self.epoch}.{self.sequence}"


class Rule(NamedTuple):
    """An event makes a fact of `kind`: only the subject's first one where `once`; `ended_by` takes it back."""

    kind: str
    once: bool = False
    ended_by: frozenset[str] = frozenset()


_SCREENED = frozenset({"ExpertDeclaredEligible", "ExpertDeclaredIneligible"})
_REOPENED = frozenset({"AssignmentReopened", "AssignmentCancelled"})
_RETRACTED = frozenset({"MatchRetracted"})
_CANCELLED = frozenset({"PlacementCancelled"})

RULES: Mapping[str, tuple[Rule, ...]] = {
    "ExpertRegistered": (Rule("expert_registered", once=True),),
    # A later screening replaces an earlier one; both are not true at once.
    "ExpertDeclaredEligible": (Rule("expert_eligible", ended_by=_SCREENED),),
    "ExpertDeclaredIneligible": (Rule("expert_ineligible", ended_by=_SCREENED),),
    # An institution that comes back from a pause is still one active institution.
    "InstitutionActivated": (Rule("institution_activated", once=True),),
    # Terms that were sent back for edits and submitted again are one request.
    "AssignmentSubmitted": (Rule("assignment_requested", once=True),),
    "AssignmentApproved": (Rule("assignment_approved", once=True),),
    "AssignmentPublished": (Rule("assignment_published", once=True),),
    "AssignmentFilled": (Rule("assignment_filled", ended_by=_REOPENED),),
    "ApplicationReceived": (Rule("application_received", once=True),),
    "AssignmentMatched": (Rule("expert_matched", ended_by=_RETRACTED),),
    "OfferMade": (Rule("offer_made"),),
    "OfferAccepted": (Rule("offer_accepted", ended_by=_RETRACTED),),
    # A declined offer is neither placed nor cancelled (DOMAIN section 4), so it ends nothing.
    "OfferDeclined": (Rule("offer_declined"),),
    "PlacementContracted": (
        Rule("placement_contracted", once=True, ended_by=_CANCELLED),
        Rule("contract", ended_by=_CANCELLED),
    ),
    "PlacementExtended": (Rule("contract", ended_by=_CANCELLED),),
    "ReturnStarted": (Rule("return_started", once=True, ended_by=_CANCELLED),),
    "ReturnCompleted": (Rule("return_completed", once=True, ended_by=_CANCELLED),),
    "PlacementEndedEarly": (Rule("placement_ended_early", once=True),),
    "NoShowReported": (Rule("no_show", once=True),),
    "PlacementCancelled": (Rule("placement_cancelled", once=True),),
}
_ENDING = frozenset(ending for rules in RULES.values() for rule in rules for ending in rule.ended_by)
_NO_RULES: tuple[Rule, ...] = ()


class Settled(NamedTuple):
    """An assignment's terms as they were approved (they change no more), and since when both are known."""

    terms: Terms
    known_ms: int


def in_order(rows: Iterable[EventRow]) -> list[EventRow]:
    """One subject's events by (epoch, sequence), each once: of duplicates the one that was known first."""
    rows = list(rows)
    if all(row[2:4] < after[2:4] for row, after in pairwise(rows)):
        return rows
    first: dict[tuple[int, int], EventRow] = {}
    for row in rows:
        place = (row.epoch, row.sequence)
        if place not in first or row.known_ms < first[place].known_ms:
            first[place] = row
    return [first[place] for place in sorted(first)]


def settled_terms(rows: Sequence[EventRow]) -> Settled | None:
    """The terms in force at the first approval among an assignment's ordered events; None before it."""
    terms: Terms | None = None
    known_ms = 0
    for row in rows:
        known_ms = max(known_ms, row.known_ms)
        if row.country is not None:
            terms = terms_of(row)
        if row.type == "AssignmentApproved" and terms is not None:
            return Settled(terms, known_ms)
    return None


_terms_in: Callable[[EventRow], tuple[Any, ...]] = attrgetter(*Terms._fields)


def terms_of(row: EventRow) -> Terms:
    return Terms._make(_terms_in(row))


def facts_of(rows: Sequence[EventRow], settled: Mapping[str, Settled]) -> list[Fact]:
    """The facts that one subject's events (of one topic) tell, in the order of those events.

    `rows`: `in_order`. `settled`: approved terms by assignment. A fact whose case is not wholly known yet (a
    match before its assignment's approval, a completion before the opening) is not there; it comes with what
    was missing.
    """
    case = _Case(settled)
    for row in rows:
        case.take(row)
    return case.facts


_Ids = tuple[str | None, str | None, str | None, str | None, str | None, str | None]


class _Case:
    """What one subject's events so far say, and the facts that follow."""

    __slots__ = ("_contracts", "_ends_day", "_kinds", "_known_ms", "_open", "_opening", "_settled", "_terms", "facts")

    def __init__(self, settled: Mapping[str, Settled]) -> None:
        self.facts: list[Fact] = []
        self._settled = settled
        self._kinds: set[str] = set()
        self._open: list[tuple[int, frozenset[str]]] = []
        self._opening: EventRow | None = None
        self._terms: Terms | None = None
        self._known_ms = 0
        self._contracts = 0
        self._ends_day: int | None = None

    def take(self, row: EventRow) -> None:
        # The maximum over all events so far: the case is known when all that it stands on is.
        if row.known_ms > self._known_ms:
            self._known_ms = row.known_ms
        if row.person is not None and self._opening is None:
            self._opening = row
        if row.country is not None:
            self._terms = terms_of(row)
        kind = row.type
        if self._open and kind in _ENDING:
            self._end(row)
        for rule in RULES.get(kind, _NO_RULES):
            self._tell(rule, row)
        if row.ends_day is not None:
            self._ends_day = row.ends_day

    def _end(self, row: EventRow) -> None:
        still: list[tuple[int, frozenset[str]]] = []
        for index, ended_by in self._open:
            if row.type in ended_by:
                fact = self.facts[index]
                self.facts[index] = fact._replace(known_to=max(self._known_ms, fact.known_from))
            else:
                still.append((index, ended_by))
        self._open = still

    def _tell(self, rule: Rule, row: EventRow) -> None:
        if rule.once and rule.kind in self._kinds:
            return
        fact = self._fact(rule.kind, row)
        if fact is None:
            return
        self._kinds.add(rule.kind)
        if rule.ended_by:
            self._open.append((len(self.facts), rule.ended_by))
        self.facts.append(fact)

    def _fact(self, kind: str, row: EventRow) -> Fact | None:
        """The fact with all that its kind carries; None where the case does not say it yet."""
        about = self._about(row)
        if about is None:
            return None
        ids, terms, known_ms = about
        person, expert, assignment, institution, match, placement = ids
        days, number = self._contract(kind, row)
        return Fact(
            kind,
            row.subject,
            row.epoch,
            row.sequence,
            row.office,
            row.programme,
            row.programme_version,
            person,
            expert,
            assignment,
            institution,
            match,
            placement,
            terms.modality,
            terms.country,
            terms.area,
            terms.sector,
            terms.host_type,
            terms.occupation,
            terms.seats if row.topic == ASSIGNMENTS else None,
            row.channel,
            row.reason,
            row.party,
            days,
            number,
            row.happened_us,
            known_ms,
        )

    def _about(self, row: EventRow) -> tuple[_Ids, Terms, int] | None:
        """Whom and what the case is about (person, expert, assignment, institution, match, placement), under
        which terms, and since when all of it is known; None while it is not."""
        opening, terms, known_ms = self._opening, self._terms, self._known_ms
        if row.topic == EXPERTS:
            person = None if opening is None else opening.person
            return (person, row.subject, None, None, None, None), _NO_TERMS, known_ms
        if row.topic in (INSTITUTIONS, ASSIGNMENTS):
            if terms is None:
                return None
            if row.topic == INSTITUTIONS:
                return (None, None, None, row.subject, None, None), terms, known_ms
            return (None, None, row.subject, terms.institution, None, None), terms, known_ms
        if opening is None or opening.assignment is None:
            return None
        if row.topic == PLACEMENTS:
            match, placement = opening.match, row.subject
        else:
            approved = self._settled.get(opening.assignment)
            terms, known_ms = approved or (None, 0)
            known_ms = max(known_ms, self._known_ms)
            match, placement = row.subject, None
        if terms is None:
            return None
        ids = (opening.person, opening.expert, opening.assignment, terms.institution, match, placement)
        return ids, terms, known_ms

    def _contract(self, kind: str, row: EventRow) -> tuple[int | None, int | None]:
        if row.ends_day is None or kind not in ("contract", "placement_contracted"):
            return None, None
        starts = row.starts_day if row.starts_day is not None else self._ends_day
        days = None if starts is None else row.ends_day - starts
        if kind != "contract":
            return days, None
        self._contracts += 1
        return days, self._contracts


_NO_TERMS = Terms()
