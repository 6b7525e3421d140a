"""A match as the fold of its events, and what follows from that state alone."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from shared.contracts.base import Event, Instant, Scope
from shared.contracts.matching import (
    ApplicationReceived,
    AssignmentMatched,
    ExpertLonglisted,
    ExpertNotSelected,
    ExpertShortlisted,
    ExpertSourced,
    MatchKept,
    MatchParties,
    MatchReserved,
    MatchRetracted,
    MatchRetracting,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferMade,
    ScoreComponent,
)

Usage = Literal["pending", "used", "spent"]
Status = Literal[
    "applied",
    "sourced",
    "longlisted",
    "not_selected",
    "shortlisted",
    "reserve",
    "allocated",
    "offered",
    "accepted",
    "declined",
    "expired",
    "retracting",
    "retracted",
]
# What stands on a seat, and what has come to its end.
SEATED: frozenset[Status] = frozenset({"allocated", "offered", "accepted", "retracting"})
ENDED: frozenset[Status] = frozenset({"not_selected", "declined", "expired", "retracted"})


class Match(BaseModel):
    """The fold of a match's events. `position`: its number among the reserves, kept when it moves up."""

    model_config = ConfigDict(frozen=True)

    status: Status
    parties: MatchParties | None = None
    score: int | None = None
    components: tuple[ScoreComponent, ...] = ()
    criteria: tuple[str, ...] = ()
    reason: str | None = None
    rank: int | None = None
    position: int | None = None
    expires_at: Instant | None = None


_BECOMES: dict[type[Event], Status] = {
    ApplicationReceived: "applied",
    ExpertSourced: "sourced",
    ExpertLonglisted: "longlisted",
    ExpertNotSelected: "not_selected",
    ExpertShortlisted: "shortlisted",
    MatchReserved: "reserve",
    AssignmentMatched: "allocated",
    OfferMade: "offered",
    OfferAccepted: "accepted",
    OfferDeclined: "declined",
    OfferExpired: "expired",
    MatchRetracting: "retracting",
    MatchKept: "accepted",
    MatchRetracted: "retracted",
}
# What each event says that the state keeps, by the same names in both.
_KEPT = ("parties", "score", "components", "criteria", "reason", "rank", "position", "expires_at")


def evolve(state: Match | None, event: Event) -> Match:
    """The state after the event."""
    changes: dict[str, Any] = {"status": _BECOMES[type(event)]}
    for name in _KEPT:
        value = getattr(event, name, None)
        if value is not None:
            changes[name] = value
    return Match(**changes) if state is None else state.model_copy(update=changes)


def scope(state: Match) -> Scope:
    parties = state.parties
    return Scope(parties.office, parties.programme, parties.programme_version) if parties else Scope()


def seat_usage(state: Match | None) -> Usage:
    """Whether the match may still use a seat's hold, uses it, or never can again."""
    if state is None:
        return "pending"
    if state.status in ENDED:
        return "spent"
    return "used" if state.status in SEATED else "pending"


def pool_usage(state: Match | None) -> Usage:
    """An open match uses its hold in the person's pool from its creation to its end."""
    if state is None:
        return "pending"
    return "spent" if state.status in ENDED else "used"
