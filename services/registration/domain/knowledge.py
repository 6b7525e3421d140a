"""What registration knows of the others' cases, event by event. Pure; applying an event twice changes nothing.

What a function knows stands in the subject's shadow under the function's name:

| name | fields |
|---|---|
| assignment | institution; round: the event of the shortlist that the host has to decide on |
| match | expert, person, institution; offered: whether an offer is out or was accepted |
| | offer: the event that set its last instant, while it is out |
| placement | expert, person, institution; over: whether the return is over |
| | contract, reports_due: the events that set the days; stage: contracted, active, reported |

Beside these stands what papers say of a match and a placement (`domain/papers.py`).
"""

from __future__ import annotations

from typing import Any

from services.registration.domain import papers
from shared.contracts.base import Envelope, Event
from shared.contracts.matching.assignments import (
    AssignmentDrafted,
    AssignmentMatchingStarted,
    AssignmentRevised,
    AssignmentTransferred,
)
from shared.contracts.matching.matches import (
    ApplicationReceived,
    AssignmentMatched,
    ExpertSourced,
    MatchFactTakenBack,
    MatchKept,
    MatchTimeCorrected,
    OfferAccepted,
    OfferMade,
)
from shared.contracts.placement.placements import (
    PlacementCancelled,
    PlacementContractCorrected,
    PlacementContracted,
    PlacementEndedEarly,
    PlacementExtended,
    PlacementFactTakenBack,
    ReportsDue,
    ReportSubmitted,
    ReturnCompleted,
    ReturnStarted,
)

Knowledge = dict[str, Any]
NAMED = ("expert", "person", "institution")
# Where a placement stands, as far as reminders ask.
_STAGES = {
    **dict.fromkeys(("contracted", "pre_departure", "travelling"), "contracted"),
    **dict.fromkeys(("active", "reports_due"), "active"),
}


def assignment(known: Knowledge, event: Event, envelope: Envelope) -> Knowledge:
    """Whose terms they are, and whether a shortlist waits for the host."""
    if isinstance(event, AssignmentDrafted | AssignmentRevised):
        return {**known, "institution": event.terms.institution}
    if isinstance(event, AssignmentTransferred):
        return known
    return {**known, "round": envelope.id if isinstance(event, AssignmentMatchingStarted) else None}


def match(known: Knowledge, event: Event, envelope: Envelope) -> Knowledge:
    """Whom a match is about; what ends its offer, or takes the offer back, ends what is known of one."""
    known = {**known, **_named(event), **papers.of_match(event)}
    if isinstance(event, ApplicationReceived | ExpertSourced | AssignmentMatched):
        return known
    if isinstance(event, MatchTimeCorrected):
        return {**known, "offer": envelope.id} if event.expires_at and known.get("offer") else known
    if isinstance(event, MatchFactTakenBack):
        offered = event.status in papers.OFFERED
        return {**known, "offered": offered, "offer": known.get("offer") if offered else None}
    offer = envelope.id if isinstance(event, OfferMade) else None
    return {**known, "offered": isinstance(event, OfferMade | OfferAccepted | MatchKept), "offer": offer}


def placement(known: Knowledge, event: Event, envelope: Envelope) -> Knowledge:
    """Whom a placement is about, which event set its days, and how far it has come."""
    known = {**known, **_named(event), **papers.of_placement(event)}
    match event:
        case PlacementContracted():
            return {**known, "contract": envelope.id, "stage": "contracted"}
        case PlacementContractCorrected() | PlacementExtended():
            return {**known, "contract": envelope.id}
        case ReturnStarted():
            return {**known, "stage": "active"}
        case ReportsDue():
            return {**known, "stage": "active", "reports_due": envelope.id}
        case ReportSubmitted():
            return {**known, "stage": "reported"}
        case PlacementFactTakenBack():
            return {**known, "stage": _STAGES.get(event.status)}
        case ReturnCompleted() | PlacementEndedEarly():
            return {**known, "stage": None, "over": True}
        case PlacementCancelled():
            return {**known, "stage": None}
    return known


def _named(event: Event) -> Knowledge:
    """The ids of expert, person and institution, where the event names its parties."""
    parties = getattr(event, "parties", None)
    return {name: said for name in NAMED if (said := getattr(parties, name, None))}
