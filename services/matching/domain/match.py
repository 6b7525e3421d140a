"""What is decided about a match: one expert on one assignment (DOMAIN section 3).

applied | sourced > longlisted(score) | not_selected(criteria);  longlisted > shortlisted(rank)
shortlisted > allocated | reserve(n);  reserve > allocated;  allocated > offered > accepted | declined | expired
allocated | offered > retracted(reason);  accepted > retracting > retracted | accepted(return begun or over)
any before > not_selected(reason)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from services.matching.domain.match_state import ENDED, SEATED, Match, Status, pool_usage, seat_usage
from services.matching.domain.scoring import Assessment
from shared.contracts.base import Event
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
    Terms,
)
from shared.errors import Refusal

HARD_FILTERS = "hard_filters"


@dataclass(frozen=True)
class ReceiveApplication:
    parties: MatchParties
    terms: Terms
    assessment: Assessment


@dataclass(frozen=True)
class SourceExpert:
    parties: MatchParties
    terms: Terms
    assessment: Assessment


@dataclass(frozen=True)
class ShortlistExpert:
    rank: int


@dataclass(frozen=True)
class ReserveMatch:
    position: int


@dataclass(frozen=True)
class AllocateMatch:
    pass


@dataclass(frozen=True)
class MakeOffer:
    expires_days: int


@dataclass(frozen=True)
class AcceptOffer:
    """`terms`: the assignment's, which no longer change."""

    terms: Terms


@dataclass(frozen=True)
class DeclineOffer:
    reason: str


@dataclass(frozen=True)
class ExpireOffer:
    pass


@dataclass(frozen=True)
class RetractMatch:
    reason: str


@dataclass(frozen=True)
class StopMatch:
    """Whatever stands on the match ends: a consent was withdrawn, an expert suspended, an assignment cancelled.

    Who has no seat yet is not selected. `parties` create a match that is not there yet as retracted.
    """

    reason: str
    parties: MatchParties | None = None


@dataclass(frozen=True)
class VoidHold:
    """The time of an unconfirmed hold is over: the match may no longer use it."""

    hold: Literal["seat", "pool"]
    parties: MatchParties


@dataclass(frozen=True)
class ReleaseMatch:
    """Placement has answered: the placement was refused, called off, or ended.

    `retraction`: only where the match is being taken back for that reason, to which this is the answer.
    """

    reason: str
    retraction: str | None = None


@dataclass(frozen=True)
class KeepMatch:
    """The return had begun or was over when the match was taken back for the reason `retraction`; `reason`: which."""

    reason: str
    retraction: str


def decide(state: Match | None, command: Any, now: datetime) -> Sequence[Event]:
    """The events of one command.

    Raises Refusal `already_matched`, `illegal_transition`, `offer_expired`, or `not_found` (404). What follows
    from other documents (shortlisting, reserving, stopping, voiding, releasing, keeping) finds itself overtaken
    and then gives no event, since its cause may come twice and late.
    """
    if state is None:
        return _first(command, now)
    if isinstance(command, ReceiveApplication | SourceExpert):
        raise Refusal("already_matched", "the expert stands on this assignment already")
    return _DECISIONS[type(command)](state, command, now)


def _first(command: Any, now: datetime) -> Sequence[Event]:
    if isinstance(command, ReceiveApplication):
        opening: Event = ApplicationReceived(happened_at=now, parties=command.parties, terms=command.terms)
        return [opening, _assessed(command.assessment, now)]
    if isinstance(command, SourceExpert):
        opening = ExpertSourced(happened_at=now, parties=command.parties, terms=command.terms)
        return [opening, _assessed(command.assessment, now)]
    if isinstance(command, StopMatch) and command.parties:
        return [MatchRetracted(happened_at=now, reason=command.reason, parties=command.parties)]
    if isinstance(command, VoidHold):
        return [MatchRetracted(happened_at=now, reason="hold_lapsed", parties=command.parties)]
    raise Refusal("not_found", status=404)


def _assessed(assessment: Assessment, now: datetime) -> Event:
    if assessment.failed:
        return ExpertNotSelected(happened_at=now, reason=HARD_FILTERS, criteria=assessment.failed)
    return ExpertLonglisted(happened_at=now, score=assessment.score, components=assessment.components)


def _require(state: Match, *legal: Status) -> None:
    if state.status not in legal:
        raise Refusal("illegal_transition", f"a match that is {state.status} does not allow this")


def _shortlist(state: Match, command: ShortlistExpert, now: datetime) -> Sequence[Event]:
    return [ExpertShortlisted(happened_at=now, rank=command.rank)] if state.status == "longlisted" else []


def _reserve(state: Match, command: ReserveMatch, now: datetime) -> Sequence[Event]:
    return [MatchReserved(happened_at=now, position=command.position)] if state.status == "shortlisted" else []


def _allocate(state: Match, command: AllocateMatch, now: datetime) -> Sequence[Event]:
    # The reserve follows by itself; an officer who asks for the same a moment later is given what stands.
    if state.status == "allocated":
        return []
    _require(state, "shortlisted", "reserve")
    return [AssignmentMatched(happened_at=now, parties=parties_of(state))]


def _offer(state: Match, command: MakeOffer, now: datetime) -> Sequence[Event]:
    _require(state, "allocated")
    return [OfferMade(happened_at=now, expires_at=now + timedelta(days=command.expires_days))]


def _accept(state: Match, command: AcceptOffer, now: datetime) -> Sequence[Event]:
    _require_open_offer(state, now)
    return [OfferAccepted(happened_at=now, parties=parties_of(state), terms=command.terms)]


def _decline(state: Match, command: DeclineOffer, now: datetime) -> Sequence[Event]:
    _require_open_offer(state, now)
    return [OfferDeclined(happened_at=now, reason=command.reason)]


def _require_open_offer(state: Match, now: datetime) -> None:
    """An offer ends at its instant, whether or not its timer has fired."""
    if state.status == "expired":
        raise Refusal("offer_expired")
    _require(state, "offered")
    if state.expires_at is not None and now >= state.expires_at:
        raise Refusal("offer_expired")


def _expire(state: Match, command: ExpireOffer, now: datetime) -> Sequence[Event]:
    due = state.status == "offered" and state.expires_at is not None and now >= state.expires_at
    return [OfferExpired(happened_at=now)] if due else []


def _retract(state: Match, command: RetractMatch, now: datetime) -> Sequence[Event]:
    _require(state, "allocated", "offered", "accepted")
    return [_taken_back(state, command.reason, now)]


def _taken_back(state: Match, reason: str, now: datetime) -> Event:
    """An accepted match keeps its seat until placement has answered; any other gives it up at once."""
    if state.status == "accepted":
        return MatchRetracting(happened_at=now, reason=reason)
    return MatchRetracted(happened_at=now, reason=reason)


def _stop(state: Match, command: StopMatch, now: datetime) -> Sequence[Event]:
    if state.status in ENDED or state.status == "retracting":
        return []
    if state.status not in SEATED:
        return [ExpertNotSelected(happened_at=now, reason=command.reason)]
    return [_taken_back(state, command.reason, now)]


def _void(state: Match, command: VoidHold, now: datetime) -> Sequence[Event]:
    usage = seat_usage(state) if command.hold == "seat" else pool_usage(state)
    return [MatchRetracted(happened_at=now, reason="hold_lapsed")] if usage == "pending" else []


def _release(state: Match, command: ReleaseMatch, now: datetime) -> Sequence[Event]:
    if command.retraction is None:
        answered = state.status in ("accepted", "retracting")
    else:
        answered = _is_taken_back_for(state, command.retraction)
    return [MatchRetracted(happened_at=now, reason=command.reason)] if answered else []


def _keep(state: Match, command: KeepMatch, now: datetime) -> Sequence[Event]:
    return [MatchKept(happened_at=now, reason=command.reason)] if _is_taken_back_for(state, command.retraction) else []


def _is_taken_back_for(state: Match, retraction: str) -> bool:
    """Whether this retraction still waits; a match that was kept may since be taken back for another reason."""
    return state.status == "retracting" and state.reason == retraction


_DECISIONS: dict[type[Any], Callable[[Match, Any, datetime], Sequence[Event]]] = {
    ShortlistExpert: _shortlist,
    ReserveMatch: _reserve,
    AllocateMatch: _allocate,
    MakeOffer: _offer,
    AcceptOffer: _accept,
    DeclineOffer: _decline,
    ExpireOffer: _expire,
    RetractMatch: _retract,
    StopMatch: _stop,
    VoidHold: _void,
    ReleaseMatch: _release,
    KeepMatch: _keep,
}


def parties_of(state: Match) -> MatchParties:
    """ValueError for a state that no event of ours can give: each first event carries the parties."""
    if state.parties is None:
        raise ValueError("a match without its parties")
    return state.parties
