"""A placement as the fold of its events, and what follows from that state alone."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

from services.placement.domain.calendars import VIRTUAL
from shared.contracts.base import Instant, Scope
from shared.contracts.matching import MatchParties, Terms
from shared.contracts.placement import (
    NoShowReported,
    PlacementCancelled,
    PlacementContracted,
    PlacementEndedEarly,
    PlacementExtended,
    PlacementOpened,
    PlacementRefused,
    PreparationStep,
    PreparationStepCompleted,
    ReturnCompleted,
    ReturnStarted,
    TravelStarted,
)

Status = Literal[
    "host_confirmed",
    "contracted",
    "pre_departure",
    "travelling",
    "active",
    "completed",
    "ended_early",
    "no_show",
    "cancelled",
    "refused",
]
Party = Literal["expert", "host", "programme"]
BEFORE_ARRIVAL: tuple[Status, ...] = ("host_confirmed", "contracted", "pre_departure", "travelling")
PREPARING: tuple[Status, ...] = ("contracted", "pre_departure")
UNDER_CONTRACT: tuple[Status, ...] = ("contracted", "pre_departure", "travelling", "active", "completed")
GIVES_DAYS_BACK: tuple[Status, ...] = ("ended_early", "no_show", "cancelled", "refused")


class Placement(BaseModel):
    """`terms` is None for one that never opened; the dates are the contract's, once there is one.

    Dates are the office's own: `time_zone` says on which of them something happened (None: UTC).
    """

    model_config = ConfigDict(frozen=True)

    match: str
    parties: MatchParties
    terms: Terms | None = None
    status: Status
    starts_on: date | None = None
    ends_on: date | None = None
    contracts: int = 0
    steps: tuple[PreparationStep, ...] = ()
    opened_at: Instant
    time_zone: str | None = None
    reason: str | None = None
    party: Party | None = None

    def day_of(self, instant: datetime) -> date:
        """The office's calendar day at that instant."""
        return instant.astimezone(ZoneInfo(self.time_zone) if self.time_zone else UTC).date()


def is_virtual(state: Placement) -> bool:
    return state.terms is not None and state.terms.modality == VIRTUAL


def evolve(state: Placement | None, event: Any) -> Placement:
    match event:
        case PlacementOpened():
            terms = event.terms
            return Placement(
                match=event.match,
                parties=event.parties,
                terms=terms,
                status="host_confirmed",
                starts_on=terms.starts_on,
                ends_on=terms.ends_on,
                opened_at=event.happened_at,
                time_zone=event.time_zone,
            )
        case PlacementRefused():
            return _closed(None, event, "refused")
        case PlacementCancelled():
            return _closed(state, event, "cancelled")
    if state is None:
        raise TypeError(type(event).__name__)
    return state.model_copy(update=_changes(state, event))


def _closed(state: Placement | None, event: PlacementRefused | PlacementCancelled, status: Status) -> Placement:
    if state is not None:
        return state.model_copy(update={"status": status, "reason": event.reason})
    return Placement(
        match=event.match,
        parties=event.parties,
        status=status,
        opened_at=event.happened_at,
        reason=event.reason,
    )


def _changes(state: Placement, event: Any) -> dict[str, Any]:
    match event:
        case PlacementContracted():
            dates = {"starts_on": event.starts_on, "ends_on": event.ends_on}
            return {"status": "contracted", "contracts": 1, **dates}
        case PreparationStepCompleted():
            return {"status": "pre_departure", "steps": (*state.steps, event.step)}
        case TravelStarted():
            return {"status": "travelling"}
        case ReturnStarted():
            return {"status": "active"}
        case PlacementExtended():
            return {"ends_on": event.ends_on, "contracts": state.contracts + 1}
        case ReturnCompleted():
            return {"status": "completed"}
        case PlacementEndedEarly():
            return {
                "status": "ended_early",
                "party": event.party,
                "reason": event.reason,
                "ends_on": _cut_short(state, event),
            }
        case NoShowReported():
            return {"status": "no_show"}
        case _:
            raise TypeError(type(event).__name__)


def _cut_short(state: Placement, event: PlacementEndedEarly) -> date | None:
    """The first day that was not worked; an early end after the contract's own changes nothing."""
    if state.starts_on is None or state.ends_on is None:
        return state.ends_on
    return max(state.starts_on, min(state.ends_on, state.day_of(event.happened_at)))


def scope(state: Placement) -> Scope:
    parties = state.parties
    return Scope(parties.office, parties.programme, parties.programme_version)
