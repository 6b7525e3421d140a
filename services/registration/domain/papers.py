"""What registration keeps of the others' events for the papers that name a person. Pure.

| name | fields |
|---|---|
| match | terms, with office, programme, programme_version; offered_at, offered_until |
| | stands: the offer is out or accepted |
| placement | the same terms; starts_on, ends_on: as contracted; completed_at: while it is complete |
"""

from __future__ import annotations

from typing import Any

from shared.clock import text_of
from shared.contracts.base import Event
from shared.contracts.matching.assignments import Terms
from shared.contracts.matching.matches import (
    ApplicationReceived,
    ExpertSourced,
    MatchFactTakenBack,
    MatchKept,
    MatchParties,
    MatchRetracted,
    MatchTimeCorrected,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferMade,
)
from shared.contracts.placement.placements import (
    PlacementContractCorrected,
    PlacementContracted,
    PlacementExtended,
    PlacementFactTakenBack,
    PlacementOpened,
    PlacementTimeCorrected,
    ReturnCompleted,
)

MATCH, PLACEMENT = "match", "placement"
COMPLETED = "completed"
OFFERED = ("offered", "accepted")


def of_match(event: Event) -> dict[str, Any]:
    """What an event of a match tells of an offer."""
    match event:
        case ApplicationReceived() | ExpertSourced():
            return _opened(event.parties, event.terms)
        case OfferMade():
            days = {"offered_at": text_of(event.happened_at), "offered_until": text_of(event.expires_at)}
            return {**days, "stands": True}
        case OfferAccepted():
            return {**_opened(event.parties, event.terms), "stands": True}
        case MatchKept():
            return {"stands": True}
        case OfferDeclined() | OfferExpired() | MatchRetracted():
            return {"stands": False}
        case MatchFactTakenBack():
            return {"stands": event.status in OFFERED}
        case MatchTimeCorrected() if event.of == OfferMade.__name__:
            until = {"offered_until": text_of(event.expires_at)} if event.expires_at else {}
            return {"offered_at": text_of(event.happened_at), **until}
    return {}


def of_placement(event: Event) -> dict[str, Any]:
    """What an event of a placement tells of what was contracted and completed."""
    match event:
        case PlacementOpened():
            return _opened(event.parties, event.terms)
        case PlacementContracted() | PlacementContractCorrected():
            return {"starts_on": event.starts_on.isoformat(), "ends_on": event.ends_on.isoformat()}
        case PlacementExtended():
            return {"ends_on": event.ends_on.isoformat()}
        case ReturnCompleted():
            return {"completed_at": text_of(event.happened_at)}
        case PlacementTimeCorrected() if event.of == ReturnCompleted.__name__:
            return {"completed_at": text_of(event.happened_at)}
        case PlacementFactTakenBack():
            days = {"starts_on": event.starts_on, "ends_on": event.ends_on}
            said = {name: day.isoformat() for name, day in days.items() if day is not None}
            return said if event.status == COMPLETED else {**said, "completed_at": None}
    return {}


def _opened(parties: MatchParties, terms: Terms | None) -> dict[str, Any]:
    scope = {"office": parties.office, "programme": parties.programme, "programme_version": parties.programme_version}
    return {**scope, "terms": terms.model_dump(mode="json")} if terms is not None else scope
