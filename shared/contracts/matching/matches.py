"""Events of matches: an expert on an assignment."""

from __future__ import annotations

from typing import ClassVar, Literal

from shared.contracts.base import Code, Contract, Event, Id, Instant
from shared.contracts.corrections import FactTakenBack, TimeCorrected
from shared.contracts.facts import FactField, Family, Subject, Tells, said
from shared.contracts.matching.assignments import TERMS_FIELDS, Terms
from shared.contracts.transfers import CaseFollowed

PARTIES_FIELDS = tuple(said(name, "id", f"parties.{name}") for name in ("person", "expert", "assignment"))
MATCH_FACTS = Family(
    "matches",
    "matching.matches",
    fields=(
        FactField("match", "id", Subject()),
        *PARTIES_FIELDS,
        said("institution", "id", "terms.institution", "parties.institution"),
        *TERMS_FIELDS,
        said("reason", "code"),
    ),
    frame=("parties", "terms"),
    opened="parties",
    framed="terms",
    section="selection",
)
_RETRACTED = frozenset({"MatchRetracted"})
Refused = Literal["refused"]


class MatchParties(Contract):
    """Who stands on what, for which host, and under which office and version of the programme the case runs.

    Every first event of a match carries it.
    """

    assignment: Id
    expert: Id
    person: Id
    institution: Id | None = None
    office: Code | None = None
    programme: Code | None = None
    programme_version: int | None = None


class ApplicationReceived(Event):
    """An eligible expert applied to the assignment, whose terms stand here; version 1 did not say them."""

    topic: ClassVar[str] = "matching.matches"
    leads_to: ClassVar[str | None] = "applied"
    version: ClassVar[int] = 3
    tells: ClassVar[tuple[Tells, ...]] = (Tells("application_received", once=True),)
    parties: MatchParties
    terms: Terms | None


class ExpertSourced(Event):
    """An officer put the expert on the longlist without an application; `terms` as for an application.

    `previous`: the pair's match before this one, which has ended; `again_reason`: why there is a new round.
    """

    topic: ClassVar[str] = "matching.matches"
    leads_to: ClassVar[str | None] = "sourced"
    version: ClassVar[int] = 3
    parties: MatchParties
    terms: Terms | None
    previous: Id | None = None
    again_reason: Code | None = None


class ScoreComponent(Contract):
    """`points` of `weight`, both integers; the score is their sum."""

    component: Code
    points: int
    weight: int


class ExpertLonglisted(Event):
    """The expert passed every hard filter."""

    topic: ClassVar[str] = "matching.matches"
    leads_to: ClassVar[str | None] = "longlisted"
    score: int
    components: tuple[ScoreComponent, ...]


class ExpertNotSelected(Event):
    """The expert is out; `criteria`: names of the hard filters that were not met. `host`: where it was the host
    institution that did not want the candidate."""

    topic: ClassVar[str] = "matching.matches"
    leads_to: ClassVar[str | None] = "not_selected"
    reason: Code
    criteria: tuple[Code, ...] = ()
    host: Refused | None = None


class ExpertShortlisted(Event):
    """`rank` from 1, by score and then by expert id. `asks_host`: the programme makes no offer before the host
    institution has agreed to the candidate."""

    topic: ClassVar[str] = "matching.matches"
    leads_to: ClassVar[str | None] = "shortlisted"
    rank: int
    asks_host: bool | None = None


class CandidateConfirmed(Event):
    """The host institution agrees to have the candidate; whom it does not want, is not selected or retracted."""

    topic: ClassVar[str] = "matching.matches"


class AssignmentMatched(Event):
    """The expert is allocated to the assignment and holds one of its seats."""

    topic: ClassVar[str] = "matching.matches"
    leads_to: ClassVar[str | None] = "allocated"
    tells: ClassVar[tuple[Tells, ...]] = (Tells("expert_matched", ended_by=_RETRACTED),)
    parties: MatchParties


class MatchReserved(Event):
    """Reserve number `position`, from 1."""

    topic: ClassVar[str] = "matching.matches"
    leads_to: ClassVar[str | None] = "reserve"
    position: int


class OfferMade(Event):
    """The allocated expert was offered the assignment, until `expires_at`."""

    topic: ClassVar[str] = "matching.matches"
    leads_to: ClassVar[str | None] = "offered"
    tells: ClassVar[tuple[Tells, ...]] = (Tells("offer_made"),)
    expires_at: Instant


class OfferAccepted(Event):
    """All that placement needs to open a placement."""

    topic: ClassVar[str] = "matching.matches"
    leads_to: ClassVar[str | None] = "accepted"
    version: ClassVar[int] = 2
    tells: ClassVar[tuple[Tells, ...]] = (Tells("offer_accepted", ended_by=_RETRACTED),)
    parties: MatchParties
    terms: Terms


class OfferDeclined(Event):
    """The expert said no; the seat goes to the next reserve."""

    topic: ClassVar[str] = "matching.matches"
    leads_to: ClassVar[str | None] = "declined"
    # A declined offer is neither placed nor cancelled, so it ends nothing.
    tells: ClassVar[tuple[Tells, ...]] = (Tells("offer_declined"),)
    reason: Code


class OfferExpired(Event):
    """No answer came in time; the seat goes to the next reserve."""

    topic: ClassVar[str] = "matching.matches"
    leads_to: ClassVar[str | None] = "expired"


class MatchRetracting(Event):
    """An accepted match is taken back; it keeps its seat until placement has answered."""

    topic: ClassVar[str] = "matching.matches"
    leads_to: ClassVar[str | None] = "retracting"
    reason: Code


class MatchKept(Event):
    """The retraction came too late, so the match is accepted as before.

    `reason`: `return_begun` (a withdrawn consent breaks off no return) or `return_over` (completed, or ended early).
    """

    topic: ClassVar[str] = "matching.matches"
    leads_to: ClassVar[str | None] = "accepted"
    reason: Code


class MatchRetracted(Event):
    """The match was taken back and its seat is free. `parties` where this is the match's first event; `host` as for one
    who was not selected."""

    topic: ClassVar[str] = "matching.matches"
    leads_to: ClassVar[str | None] = "retracted"
    reason: Code
    parties: MatchParties | None = None
    host: Refused | None = None


class MatchTimeCorrected(TimeCorrected):
    """The last fact of the match happened at another time than was recorded.

    `expires_at`: until when the offer stands, where the fact is one."""

    topic: ClassVar[str] = "matching.matches"
    expires_at: Instant | None = None


class MatchFactTakenBack(FactTakenBack):
    """The last fact of the match was recorded by mistake."""

    topic: ClassVar[str] = "matching.matches"


class MatchTransferred(CaseFollowed):
    """The match follows its assignment to another office."""

    topic: ClassVar[str] = "matching.matches"
