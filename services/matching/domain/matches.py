"""A match: one expert on one assignment (docs/domain.md, section 3).

What follows from other documents (shortlisting, reserving, stopping, voiding, releasing, keeping) may find itself
overtaken and then gives no event, since its cause may come twice and late.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import ConfigDict

from services.matching.domain.assessment import HARD_FILTERS, Assessment
from services.matching.domain.assignments import ACTIVE_HOST, ON_THE_WAY, OVER
from shared.cases.bodies import Change, Input, Reason
from shared.cases.case import NEW, Case, Move, Timer, Told, Turn, states
from shared.cases.movable import Following
from shared.cases.revisions import ACTED_ON, Facts, Revisions, at_any_time
from shared.cases.taking import taking
from shared.cases.trail import Trailed
from shared.cases.transfers import Follow, where_it_hangs
from shared.clock import text_of
from shared.contracts.base import Code, Event, Id, Instant
from shared.contracts.matching.assignments import Terms
from shared.contracts.matching.matches import (
    ApplicationReceived,
    AssignmentMatched,
    CandidateConfirmed,
    ExpertLonglisted,
    ExpertNotSelected,
    ExpertShortlisted,
    ExpertSourced,
    MatchFactTakenBack,
    MatchKept,
    MatchParties,
    MatchReserved,
    MatchRetracted,
    MatchRetracting,
    MatchTimeCorrected,
    MatchTransferred,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferMade,
    ScoreComponent,
)
from shared.errors import Refusal
from shared.identity.roles import BY_EXPERT, BY_HOST, BY_OFFICER, By

HOLD_LAPSED = "hold_lapsed"
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
HostAnswer = Literal["asked", "confirmed", "refused"]
WITHOUT_SEAT = states("longlisted", "shortlisted", "reserve")
GIVES_UP_AT_ONCE = states("allocated", "offered")
# Where a host that is asked says whether it wants the candidate.
TO_CHOOSE_FROM = states("shortlisted", "reserve", "allocated")
# What stands on a seat, and what has come to its end.
SEATED = GIVES_UP_AT_ONCE | {"accepted", "retracting"}
ENDED = states("not_selected", "declined", "expired", "retracted")
# Where a match stands between two commands.
ANYWHERE = WITHOUT_SEAT | SEATED | ENDED
# After which the pair may stand in a new round.
OPEN_TO_ANOTHER = states("not_selected", "retracted")


class Match(Trailed, Following):
    """`position`: its number among the reserves, kept when it moves up. `previous`: the pair's match before this one,
    where this is a new round, for `again_reason`. `host`: what the host has answered, where the programme asks it."""

    model_config = ConfigDict(frozen=True)

    status: Status
    parties: MatchParties
    opened_at: Instant | None = None
    score: int | None = None
    components: tuple[ScoreComponent, ...] = ()
    criteria: tuple[str, ...] = ()
    reason: str | None = None
    rank: int | None = None
    position: int | None = None
    host: HostAnswer | None = None
    offered_at: Instant | None = None
    previous: str | None = None
    again_reason: str | None = None
    expires_at: Instant | None = None


class Entry(Input):
    """An expert who comes to stand on an assignment, with what the rules say of the two."""

    parties: MatchParties
    terms: Terms
    assessment: Assessment
    previous: Id | None = None
    again_reason: Code | None = None


class Rank(Input):
    rank: int
    asks_host: bool | None = None


class Position(Input):
    position: int


class Stop(Input):
    """A consent was withdrawn, an expert suspended, an assignment cancelled. `parties` create a match that is not there
    yet as retracted."""

    reason: Code
    parties: MatchParties | None = None


class Void(Input):
    """The time of an unconfirmed hold is over: the match may no longer use it."""

    hold: Literal["seat", "pool"]
    parties: MatchParties


class Release(Input):
    """Placement has answered: the placement was refused, called off, or ended. `retraction`: only where the match is
    being taken back for that reason, to which this is the answer."""

    reason: Code
    retraction: Code | None = None


class Keep(Input):
    """The return had begun or was over when the match was taken back for the reason `retraction`; `reason`: which."""

    reason: Code
    retraction: Code


def applied(turn: Turn[Match, Entry]) -> Told:
    """Whoever passes every hard filter is on the longlist at once, with an explained score; nobody else is."""
    opening = ApplicationReceived(happened_at=turn.now, parties=turn.body.parties, terms=turn.body.terms)
    return [opening, _assessed(turn)]


def sourced(turn: Turn[Match, Entry]) -> Told:
    """The filters are those of an application."""
    body = turn.body
    again = {"previous": body.previous, "again_reason": body.again_reason}
    opening = ExpertSourced(happened_at=turn.now, parties=body.parties, terms=body.terms, **again)
    return [opening, _assessed(turn)]


def _assessed(turn: Turn[Match, Entry]) -> Event:
    assessment = turn.body.assessment
    if assessment.failed:
        return ExpertNotSelected(happened_at=turn.now, reason=HARD_FILTERS, criteria=assessment.failed)
    return ExpertLonglisted(happened_at=turn.now, score=assessment.score, components=assessment.components)


def host_is_asked(state: Match) -> None:
    """The programme asks the host, which has not answered yet."""
    if state.host != "asked":
        raise Refusal("host_not_asked", "the programme does not ask the host, or it has answered")


def by_the_host(_turn: Turn[Match, Reason]) -> Told:
    """Whom the host does not want is told from whom anything else ended."""
    return {"host": "refused"}


def host_has_agreed(state: Match) -> None:
    """Where the programme asks the host, it agrees to the candidate before there is an offer."""
    if state.host == "asked":
        raise Refusal("host_not_confirmed", "the host institution has not agreed to the candidate yet")


def open_for_days(turn: Turn[Match, Change]) -> Told:
    """An offer may be answered for as many days as the programme says."""
    return {"expires_at": turn.now + timedelta(days=turn.given)}


def accepted_in_time(turn: Turn[Match, Change]) -> Told:
    """The terms are the assignment's, which no longer change."""
    return {**in_time(turn), "terms": turn.given}


def in_time(turn: Turn[Match, Any]) -> Mapping[str, Any]:
    """An offer ends at its instant, whether or not its timer has fired."""
    if is_over(turn.state, turn.now):
        over = f"the offer could be answered before {text_of(turn.state.expires_at)}" if turn.state.expires_at else ""
        raise Refusal("offer_expired", over)
    return {}


def when_it_is_over(turn: Turn[Match, Change]) -> Told:
    """No offer expires before its instant."""
    if not is_over(turn.state, turn.now):
        raise Refusal("offer_not_over", "the offer may still be answered")
    return {}


def is_over(state: Match, now: datetime) -> bool:
    """Whether the offer's time has passed."""
    return state.expires_at is not None and now >= state.expires_at


def never_to_be(turn: Turn[Match, Stop]) -> Told:
    """A match that is not there yet is made only so that it can never be."""
    if turn.body.parties is None:
        raise Refusal("not_found", status=404)
    return {}


def has_its_parties(_turn: Turn[Match, Any]) -> Told:
    """Only a first event names the parties."""
    return {"parties": None}


def lapsed(_turn: Turn[Match, Void]) -> Told:
    """The hold's time was over before the match was there."""
    return {"reason": HOLD_LAPSED}


def lapsed_seat(turn: Turn[Match, Void]) -> Told:
    """A match that is there uses its pool's hold already, and no seat's yet."""
    return {"reason": HOLD_LAPSED, "parties": None} if turn.body.hold == "seat" else []


def released(turn: Turn[Match, Release]) -> Told:
    """An answer to a retraction counts for that retraction alone."""
    return {} if turn.body.retraction is None or _is_taken_back_for(turn.state, turn.body.retraction) else []


def kept(turn: Turn[Match, Keep]) -> Told:
    """A match that was kept may since be taken back for another reason."""
    return {} if _is_taken_back_for(turn.state, turn.body.retraction) else []


def _is_taken_back_for(state: Match, retraction: str) -> bool:
    return state.status == "retracting" and state.reason == retraction


READERS: By = {**BY_EXPERT, "host": "institution", "panel": "assigned"}
FAMILY: Mapping[str, Any] = {"reason": "family"}
DECLINED_FOR = ("family", "health", "work", "other_offer", "terms", "security", "moved")
RETRACTED_FOR = (
    *DECLINED_FOR,
    "expert_withdrew",
    "consent_withdrawn",
    "host_withdrew",
    "host_closed",
    "no_answer",
    "no_funds",
    "mistake",
)
REFUSED_BY_HOST = (
    "other_profile",
    "little_experience",
    "languages_lacking",
    "other_candidate",
    "host_withdrew",
    "no_funds",
)
OFFER_EXPIRED: Mapping[str, str] = {"expired": "offer_expired"}
GIVING_A_SEAT = ("seats_full", "assignment_not_open", "hold_released", *ON_THE_WAY)
TOO_LATE = ("return_is_over",)
ASSESSED = (ExpertLonglisted, ExpertNotSelected)


def fold(_state: Match | None, event: Any) -> Mapping[str, Any]:
    """What an event changes beside the status and the fields of its own names."""
    match event:
        case OfferMade():
            return {"offered_at": event.happened_at}
        case ExpertShortlisted():
            return {"host": "asked" if event.asks_host else None}
        case CandidateConfirmed():
            return {"host": "confirmed"}
    return {}


FACTS: tuple[Move, ...] = (
    Move("apply", states(NEW), ApplicationReceived, then=ASSESSED, body=Entry, rule=applied),
    Move("source", states(NEW), ExpertSourced, then=ASSESSED, body=Entry, rule=sourced),
    Move("put-on-shortlist", states("longlisted"), ExpertShortlisted, body=Rank, overtaken="nothing"),
    Move("reserve", states("shortlisted"), MatchReserved, body=Position, overtaken="nothing"),
    Move(
        "confirm-candidate",
        TO_CHOOSE_FROM,
        CandidateConfirmed,
        by=BY_HOST,
        when=host_is_asked,
        refuses=("host_not_asked",),
    ),
    *(
        Move(
            "refuse-candidate",
            before,
            event,
            body=Reason,
            by=BY_HOST,
            rule=by_the_host,
            when=host_is_asked,
            refuses=("host_not_asked",),
            reasons=REFUSED_BY_HOST,
            example={"reason": "other_profile"},
            aside=True,
        )
        for before, event in (
            (states("shortlisted", "reserve"), ExpertNotSelected),
            (states("allocated"), MatchRetracted),
        )
    ),
    Move(
        "allocate",
        states("shortlisted"),
        AssignmentMatched,
        by=BY_OFFICER,
        needs=states("guard:seats", ACTIVE_HOST),
        already=states("allocated"),
        refuses=GIVING_A_SEAT,
    ),
    # A reserve follows by itself as soon as a seat is free, so it waits for nobody; an officer who asks for the same a
    # moment later is given what stands.
    Move(
        "allocate",
        states("reserve"),
        AssignmentMatched,
        by=BY_OFFICER,
        needs=states("guard:seats", ACTIVE_HOST),
        already=states("allocated"),
        refuses=GIVING_A_SEAT,
        aside=True,
    ),
    Move(
        "offer",
        states("allocated"),
        OfferMade,
        by=BY_OFFICER,
        rule=open_for_days,
        needs=states("definition", ACTIVE_HOST),
        when=host_has_agreed,
        refuses=("expert_screening", "expert_ineligible", "expert_suspended", "host_not_confirmed", *ON_THE_WAY),
    ),
    Move(
        "accept",
        states("offered"),
        OfferAccepted,
        by=BY_EXPERT,
        rule=accepted_in_time,
        needs=states("assignment"),
        named=OFFER_EXPIRED,
        refuses=OVER,
    ),
    Move(
        "decline",
        states("offered"),
        OfferDeclined,
        body=Reason,
        by=BY_EXPERT,
        rule=in_time,
        named=OFFER_EXPIRED,
        reasons=DECLINED_FOR,
        example=FAMILY,
    ),
    # Before an offer is out; who was offered something declines it, and an officer takes back what was allocated.
    Move(
        "withdraw",
        WITHOUT_SEAT,
        ExpertNotSelected,
        body=Reason,
        by=BY_EXPERT,
        reasons=DECLINED_FOR,
        example=FAMILY,
        aside=True,
    ),
    # Its timer does it as well; an officer who records what is long over need not wait for that.
    Move(
        "expire",
        states("offered"),
        OfferExpired,
        by=BY_OFFICER,
        rule=when_it_is_over,
        already=states("expired"),
        refuses=("offer_not_over",),
        aside=True,
    ),
    Move(
        "retract",
        GIVES_UP_AT_ONCE,
        MatchRetracted,
        body=Reason,
        by=BY_OFFICER,
        needs=states("return"),
        refuses=TOO_LATE,
        reasons=RETRACTED_FOR,
        example=FAMILY,
        aside=True,
    ),
    # An accepted match keeps its seat until placement has answered.
    Move(
        "retract",
        states("accepted"),
        MatchRetracting,
        body=Reason,
        by=BY_OFFICER,
        needs=states("return"),
        refuses=TOO_LATE,
        reasons=RETRACTED_FOR,
        example=FAMILY,
        aside=True,
    ),
    Move("stop", states(NEW), MatchRetracted, body=Stop, rule=never_to_be, refuses=("not_found",), overtaken="nothing"),
    Move("stop", WITHOUT_SEAT, ExpertNotSelected, body=Stop, overtaken="nothing"),
    Move("stop", GIVES_UP_AT_ONCE, MatchRetracted, body=Stop, rule=has_its_parties, overtaken="nothing"),
    Move("stop", states("accepted"), MatchRetracting, body=Stop, overtaken="nothing"),
    Move("void", states(NEW), MatchRetracted, body=Void, rule=lapsed, overtaken="nothing"),
    Move("void", WITHOUT_SEAT, MatchRetracted, body=Void, rule=lapsed_seat, overtaken="nothing"),
    Move("release", states("accepted", "retracting"), MatchRetracted, body=Release, rule=released, overtaken="nothing"),
    Move("keep", states("retracting"), MatchKept, body=Keep, rule=kept, overtaken="nothing"),
    Move(
        "follow",
        ANYWHERE,
        MatchTransferred,
        body=Follow,
        rule=where_it_hangs,
        desk="leaves",
        overtaken="nothing",
    ),
    *taking(WITHOUT_SEAT | GIVES_UP_AT_ONCE | {"accepted", "retracting"}),
)


def refused_by_the_host(state: Match) -> None:
    """Of what ended a match before an offer, only the host's answer is taken back; anything else needs a new round."""
    if state.last is not None and state.last.name == ExpertNotSelected.__name__ and state.host != "refused":
        raise Refusal(ACTED_ON, "no answer of the host ended it; an officer may open a new round with `again_reason`")


# On an acceptance stands a placement. What ended an offer gave its seat to the next one, so whoever never declined has
# no seat any more, and an officer may open a new round for the pair. So it is with whom the host did not want: the
# person's pool took the place back.
_TIMED: Facts = {
    CandidateConfirmed: at_any_time,
    ExpertNotSelected: at_any_time,
    AssignmentMatched: at_any_time,
    OfferMade: open_for_days,
    OfferDeclined: in_time,
    OfferExpired: when_it_is_over,
    MatchRetracted: at_any_time,
}
REVISIONS = Revisions(
    MatchTimeCorrected,
    MatchFactTakenBack,
    timed=_TIMED,
    undone=frozenset[type[Event]]((CandidateConfirmed, ExpertNotSelected, OfferMade, OfferDeclined, OfferExpired)),
    stands=refused_by_the_host,
    elsewhere=dict.fromkeys((ExpertNotSelected, OfferDeclined, OfferExpired), "retracted"),
    final=states("accepted", "retracting", "retracted"),
    refuses=("offer_expired", "offer_not_over"),
    needs=states("trail", "definition"),
)


def offer_timer(state: Match) -> Timer | None:
    """An offer that is not answered expires.

    One that was over when it was recorded waits for its answer to be recorded as long as it could be given.
    """
    if state.status != "offered" or state.expires_at is None:
        return None
    waits = state.expires_at - state.offered_at if state.offered_at else None
    return Timer(state.expires_at, MATCH.ask("expire"), waits)


MATCH = Case(
    "matches",
    Match,
    (*FACTS, *REVISIONS.moves(FACTS)),
    fold,
    revisable=REVISIONS.revisable,
    readers=READERS,
    filters=("programme", "assignment", "person"),
    timer=offer_timer,
    second="already_matched",
)
