"""Events of matching: assignments (terms of reference) and matches (an expert on an assignment)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.contracts.base import Code, Contract, Country, Date, Event, Id, Instant, TimeZone
from shared.contracts.corrections import FactTakenBack, TimeCorrected
from shared.contracts.facts import FactField, Family, Subject, Tells, said
from shared.contracts.registration import LANGUAGES_AT_MOST, LanguageSkill

Modality = Literal["temporary", "repeated", "virtual", "permanent"]


class Terms(Contract):
    """The coded part of terms of reference. Dates are half-open: `ends_on` is the first day after."""

    institution: Id
    country: Country
    area: Code | None = None
    sector: Code
    host_type: Code
    occupation: Annotated[str, Field(pattern=r"^[0-9]{1,4}$")]
    modality: Modality = "temporary"
    seats: Annotated[int, Field(ge=1, le=100)] = 1
    starts_on: Date
    ends_on: Date
    education: Annotated[int, Field(ge=0, le=8)] = 0
    experience_years: Annotated[int, Field(ge=0, le=80)] = 0
    languages: Annotated[tuple[LanguageSkill, ...], Field(max_length=LANGUAGES_AT_MOST)] = ()


# What every fact about an assignment, a match or a placement can be asked by.
TERMS_FIELDS = tuple(
    said(name, "code", f"terms.{name}") for name in ("country", "area", "sector", "host_type", "modality", "occupation")
)
ASSIGNMENT_FACTS = Family(
    "assignments",
    "matching.assignments",
    fields=(
        FactField("assignment", "id", Subject()),
        said("institution", "id", "terms.institution"),
        *TERMS_FIELDS,
        said("seats", "number", "terms.seats"),
    ),
    frame=("terms",),
    opened="terms",
    framed="terms",
    section="selection",
)
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
_FREED = frozenset({"AssignmentReopened", "AssignmentCancelled"})
_RETRACTED = frozenset({"MatchRetracted"})


class AssignmentDrafted(Event):
    """A host institution (or an officer for it) wrote terms of reference, under a version of the programme.

    `time_zone`: the office's (IANA name), in which the days of the terms are reckoned; UTC where it is missing.
    """

    topic: ClassVar[str] = "matching.assignments"
    leads_to: ClassVar[str | None] = "draft"
    version: ClassVar[int] = 2
    terms: Terms
    office: Code | None = None
    programme: Code | None = None
    programme_version: int | None = None
    time_zone: TimeZone | None = None


class AssignmentSubmitted(Event):
    """The request stands: the office is asked to approve the terms."""

    topic: ClassVar[str] = "matching.assignments"
    leads_to: ClassVar[str | None] = "submitted"
    # Terms that were sent back for edits and submitted again are one request.
    tells: ClassVar[tuple[Tells, ...]] = (Tells("assignment_requested", once=True),)


class AssignmentEditsRequested(Event):
    """The office asks for changes; `items`: codes of what is to be changed."""

    topic: ClassVar[str] = "matching.assignments"
    leads_to: ClassVar[str | None] = "edits_requested"
    items: tuple[Code, ...]


class AssignmentRevised(Event):
    """The terms were changed before their approval."""

    topic: ClassVar[str] = "matching.assignments"
    version: ClassVar[int] = 2
    terms: Terms


class AssignmentApproved(Event):
    """The office approved the terms of reference."""

    topic: ClassVar[str] = "matching.assignments"
    leads_to: ClassVar[str | None] = "approved"
    tells: ClassVar[tuple[Tells, ...]] = (Tells("assignment_approved", once=True, follows="assignment_requested"),)


class AssignmentRejected(Event):
    """The office refused the terms of reference."""

    topic: ClassVar[str] = "matching.assignments"
    leads_to: ClassVar[str | None] = "rejected"
    reason: Code


class AssignmentPublished(Event):
    """Experts can see the assignment and apply."""

    topic: ClassVar[str] = "matching.assignments"
    leads_to: ClassVar[str | None] = "published"
    tells: ClassVar[tuple[Tells, ...]] = (Tells("assignment_published", once=True, follows="assignment_approved"),)


class AssignmentMatchingStarted(Event):
    """A shortlist was made: its matches by rank. `round` counts the shortlists of the assignment from 1.

    `override_reason`: why it is shorter than the programme asks for.
    """

    topic: ClassVar[str] = "matching.assignments"
    leads_to: ClassVar[str | None] = "matching"
    round: int = 1
    matches: tuple[Id, ...] = ()
    override_reason: Code | None = None


class AssignmentFilled(Event):
    """Every seat has an accepted offer."""

    topic: ClassVar[str] = "matching.assignments"
    leads_to: ClassVar[str | None] = "filled"
    tells: ClassVar[tuple[Tells, ...]] = (Tells("assignment_filled", ended_by=_FREED),)


class AssignmentReopened(Event):
    """A seat of a filled assignment became free again."""

    topic: ClassVar[str] = "matching.assignments"
    leads_to: ClassVar[str | None] = "matching"


class AssignmentCancelled(Event):
    """The assignment will not take place; what hangs on it is cancelled with it."""

    topic: ClassVar[str] = "matching.assignments"
    leads_to: ClassVar[str | None] = "cancelled"
    reason: Code


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
    """The expert is out; `criteria`: names of the hard filters that were not met."""

    topic: ClassVar[str] = "matching.matches"
    leads_to: ClassVar[str | None] = "not_selected"
    reason: Code
    criteria: tuple[Code, ...] = ()


class ExpertShortlisted(Event):
    """`rank` from 1, by score and then by expert id."""

    topic: ClassVar[str] = "matching.matches"
    leads_to: ClassVar[str | None] = "shortlisted"
    rank: int


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
    """The match was taken back and its seat is free. `parties` where this is the match's first event."""

    topic: ClassVar[str] = "matching.matches"
    leads_to: ClassVar[str | None] = "retracted"
    reason: Code
    parties: MatchParties | None = None


class AssignmentTimeCorrected(TimeCorrected):
    """The last fact of the assignment happened at another time than was recorded."""

    topic: ClassVar[str] = "matching.assignments"


class AssignmentFactTakenBack(FactTakenBack):
    """The last fact of the assignment was recorded by mistake."""

    topic: ClassVar[str] = "matching.assignments"


class MatchTimeCorrected(TimeCorrected):
    """The last fact of the match happened at another time than was recorded.

    `expires_at`: until when the offer stands, where the fact is one."""

    topic: ClassVar[str] = "matching.matches"
    expires_at: Instant | None = None


class MatchFactTakenBack(FactTakenBack):
    """The last fact of the match was recorded by mistake."""

    topic: ClassVar[str] = "matching.matches"
