"""What registration keeps of the others' events for the papers that name a person. Pure.

| name | fields |
|---|---|
| match | terms, with office, programme, programme_version; offered_at, offered_until |
| | stands: the offer is out or accepted |
| placement | the same terms; ends_on: as contracted |
| | started_at, completed_at: while it has begun, and is complete |
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta, tzinfo
from typing import Any

from shared.clock import instant_of, text_of
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
    ReturnStarted,
)

MATCH, PLACEMENT = "match", "placement"
# Facts of a placement whose instants are kept, and under which name.
_NOTED = {ReturnStarted.__name__: "started_at", ReturnCompleted.__name__: "completed_at"}
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
        case PlacementContracted() | PlacementContractCorrected() | PlacementExtended():
            return {"ends_on": event.ends_on.isoformat()}
        case ReturnStarted() | ReturnCompleted():
            return {_NOTED[type(event).__name__]: text_of(event.happened_at)}
        case PlacementTimeCorrected() if event.of in _NOTED:
            return {_NOTED[event.of]: text_of(event.happened_at)}
        case PlacementFactTakenBack():
            ended = {} if event.ends_on is None else {"ends_on": event.ends_on.isoformat()}
            return {**ended, **({_NOTED[event.of]: None} if event.of in _NOTED else {})}
    return {}


def served(known: Mapping[str, Any], zone: tzinfo) -> tuple[date, date]:
    """The days of `[first, end)` on which the person was there, on the office's calendar, by the rule of `days_worked`:
    from the arrival to the completion, both counted, and none after the contract's last day."""
    first, last = (instant_of(known[name]).astimezone(zone).date() for name in ("started_at", "completed_at"))
    return first, min(last + timedelta(days=1), date.fromisoformat(known["ends_on"]))


def _opened(parties: MatchParties, terms: Terms | None) -> dict[str, Any]:
    scope = {"office": parties.office, "programme": parties.programme, "programme_version": parties.programme_version}
    return {**scope, "terms": terms.model_dump(mode="json")} if terms is not None else scope
