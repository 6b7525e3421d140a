"""Terms of reference, from draft to filled (docs/domain.md, section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints

from services.matching.domain.assessment import HARD_FILTERS
from services.matching.domain.knowledge import NOT_ACTIVE
from shared.cases.bodies import ITEM, REASON, Change, Noted, Once, Reason
from shared.cases.case import NEW, Case, Move, Told, Turn, states
from shared.cases.movable import Movable
from shared.cases.revisions import Facts, Revisions, at_any_time
from shared.cases.taking import taking
from shared.cases.trail import Trailed
from shared.cases.transfers import Transfers
from shared.contracts.base import Code, Id, Instant
from shared.contracts.frame import Listed
from shared.contracts.matching.assignments import (
    AssignmentApproved,
    AssignmentCancelled,
    AssignmentDrafted,
    AssignmentEditsRequested,
    AssignmentFactTakenBack,
    AssignmentFilled,
    AssignmentMatchingStarted,
    AssignmentPublished,
    AssignmentRejected,
    AssignmentReopened,
    AssignmentRevised,
    AssignmentSubmitted,
    AssignmentTimeCorrected,
    AssignmentTransferAsked,
    AssignmentTransferDeclined,
    AssignmentTransferred,
    AssignmentTransferWithdrawn,
    Terms,
)
from shared.errors import Problem, Refusal
from shared.identity.roles import BY_HOST, BY_OFFICER, By
from shared.texts import Title, lines
from shared.zones import zone

Status = Literal[
    "draft",
    "submitted",
    "edits_requested",
    "approved",
    "rejected",
    "published",
    "matching",
    "filled",
    "cancelled",
]
WRITTEN = states("draft", "edits_requested")
# Where experts may apply, and where a shortlist may be made.
OPEN_TO_EXPERTS = states("published", "matching")
TOO_SHORT = "shortlist_too_short"
OPEN = WRITTEN | OPEN_TO_EXPERTS | {"submitted", "approved", "filled"}
ENDED = states("rejected", "cancelled")
# A return that had begun goes on after the cancellation, and belongs to the office of its assignment.
TRANSFERS = Transfers(
    AssignmentTransferAsked,
    AssignmentTransferWithdrawn,
    AssignmentTransferDeclined,
    AssignmentTransferred,
    OPEN | {"cancelled"},
)

Description = Annotated[str, StringConstraints(min_length=1, max_length=10_000), BeforeValidator(lines)]


class Assignment(Trailed, Movable):
    """`shortlisted`: match ids of all rounds, by round and then by rank; `override_reason`: why the last round has
    fewer than the programme asks for."""

    model_config = ConfigDict(frozen=True)

    status: Status
    terms: Terms
    office: str | None = None
    programme: str | None = None
    programme_version: int | None = None
    time_zone: str | None = None
    opened_at: Instant | None = None
    round: int = 0
    shortlisted: tuple[str, ...] = ()
    override_reason: str | None = None
    items: tuple[str, ...] = ()
    reason: str | None = None

    def is_over(self, at: datetime) -> bool:
        """Whether by that instant the work had ended, on the office's calendar."""
        return is_over(self.terms, self.time_zone, at)

    def refuse_over(self, at: datetime) -> None:
        """Raises Refusal `work_is_over` (409) where by that instant the work had ended, on the office's calendar."""
        refuse_over(self.terms, self.time_zone, at)


def is_over(terms: Terms, time_zone: str | None, at: datetime) -> bool:
    """As `Assignment.is_over`."""
    return at.astimezone(zone(time_zone) if time_zone else UTC).date() >= terms.ends_on


def refuse_over(terms: Terms, time_zone: str | None, at: datetime) -> None:
    """As `Assignment.refuse_over`. What is recorded late is asked at the time at which it happened."""
    if is_over(terms, time_zone, at):
        raise Refusal("work_is_over", f"the work was to last until the day before {terms.ends_on}")


def not_open(state: Assignment | None) -> Refusal:
    """The Refusal of whoever would stand on it, and cannot there."""
    possible = ", ".join(sorted(OPEN_TO_EXPERTS))
    stands = f"; the assignment is {state.status}" if state is not None else ""
    return Refusal("assignment_not_open", f"possible while it is {possible}{stands}")


class AssignmentDraft(Change):
    """Terms of reference: codes under `terms`; `title` and `description` stay in this service."""

    programme: Code
    office: Code
    terms: Terms
    title: Title
    description: Description | None = None


class Revision(Change):
    terms: Terms
    title: Title | None = None
    description: Description | None = None


class EditItems(Noted):
    """Codes of what is to be changed."""

    items: Annotated[tuple[Code, ...], Field(min_length=1, max_length=50), Once(), Listed(ITEM)]


class ShortlistRequest(Noted):
    """`experts`: whom the officer puts on the longlist; `override_reason`: why the shortlist may be too short.

    `again_reason`: why those of them whose match has ended (retracted, or not selected) stand in a new round.
    """

    experts: Annotated[tuple[Id, ...], Field(max_length=50), Once()] = ()
    override_reason: Annotated[Code | None, Listed(REASON)] = None
    again_reason: Annotated[Code | None, Listed(REASON)] = None


@dataclass(frozen=True)
class Drafted:
    """Under which version of the programme the terms are written, and the office's time zone (IANA name)."""

    programme_version: int
    time_zone: str


@dataclass(frozen=True)
class Unfit:
    """Whom an officer named at that place and who does not pass these hard filters."""

    place: int
    criteria: tuple[str, ...]


@dataclass(frozen=True)
class Ranked:
    """The best of the longlist, by rank, and how many the programme asks for at least; whom it leaves out, and why."""

    matches: tuple[str, ...]
    least: int
    unfit: tuple[Unfit, ...] = ()


def under_the_newest_version(turn: Turn[Assignment, AssignmentDraft]) -> Told:
    """The case stays under the version of the programme that was the newest when it was opened."""
    drafted: Drafted = turn.given
    refuse_over(turn.body.terms, drafted.time_zone, turn.now)
    return {"programme_version": drafted.programme_version, "time_zone": drafted.time_zone}


def before_its_end(turn: Turn[Assignment, Change]) -> Told:
    """Nobody prepares work whose last day is over."""
    turn.state.refuse_over(turn.now)
    return {}


def revised_before_its_end(turn: Turn[Assignment, Revision]) -> Told:
    """New terms are of work that is not over."""
    refuse_over(turn.body.terms, turn.state.time_zone, turn.now)
    return {}


def enough_experts(turn: Turn[Assignment, ShortlistRequest]) -> Told:
    """Nobody is no shortlist; fewer than the programme asks for need a reason, which is kept only then."""
    turn.state.refuse_over(turn.now)
    ranked: Ranked = turn.given
    reason = turn.body.override_reason if len(ranked.matches) < ranked.least else None
    if not ranked.matches or (len(ranked.matches) < ranked.least and reason is None):
        # No reason makes a shortlist of nobody.
        field = "/override_reason" if ranked.matches else "/experts"
        found, asked = len(ranked.matches), max(ranked.least, 1)
        text = f"{found} of the longlist and the named passed every filter; the programme asks for {asked} at least"
        left_out = (
            Problem(HARD_FILTERS, f"/experts/{one.place}", f"does not pass: {', '.join(one.criteria)}")
            for one in ranked.unfit
        )
        raise Refusal(TOO_SHORT, text, problems=(Problem(TOO_SHORT, field, text), *left_out))
    return {"round": turn.state.round + 1, "matches": ranked.matches, "override_reason": reason}


READERS: By = {**BY_HOST, "panel": "assigned"}
PLACES = states("definition", "institution")

INSTITUTION = "8327ee39-a394-5e66-af2a-cc0447519755"
EXPERT = "5f753150-2023-5dd3-a87e-d04421c54768"
TERMS: Mapping[str, Any] = {
    "institution": INSTITUTION,
    "country": "AF",
    "sector": "education",
    "host_type": "public",
    "occupation": "2310",
    "modality": "temporary",
    "seats": 1,
    "starts_on": "2027-05-01",
    "ends_on": "2027-08-01",
    "education": 6,
    "experience_years": 3,
    "languages": [{"language": "en", "level": "B2"}],
}
DRAFT: dict[str, Any] = {
    "programme": "trqn-1",
    "office": "kabul",
    "terms": TERMS,
    "title": "Training of trainers in teacher education",
    "description": "Trains the host's own trainers and hands over the material.",
}
OVER = ("work_is_over",)
# What a verb needs that seeks or sends somebody: that the institution may host.
ACTIVE_HOST = "host:active"
ON_THE_WAY = (NOT_ACTIVE, *OVER)
# Why an expert whose match has ended stands once more.
AGAIN = ("visa_granted", "profile_corrected", "available_again", "mistake")
OF_THE_HOST = ("host_withdrew", "host_closed", "no_funds", "security")
UNFIT = (
    "institution_unknown",
    "institution_of_another_office",
    NOT_ACTIVE,
    "terms_do_not_fit",
    "not_in_programme",
)
UNKNOWN_EXPERT = (
    "expert_unknown",
    "expert_not_screened",
    "expert_ineligible",
    "expert_suspended",
    "expert_of_another_programme",
    "no_consent",
    "consent_withdrawn",
)


def fold(state: Assignment | None, event: Any) -> Mapping[str, Any]:
    """What an event changes beside the status and the fields of its own names."""
    if not isinstance(event, AssignmentMatchingStarted) or state is None:
        return {}
    new = tuple(id for id in event.matches if id not in state.shortlisted)
    return {"shortlisted": (*state.shortlisted, *new), "override_reason": event.override_reason}


FACTS: tuple[Move, ...] = (
    Move(
        "create",
        states(NEW),
        AssignmentDrafted,
        body=AssignmentDraft,
        by=BY_HOST,
        rule=under_the_newest_version,
        needs=PLACES,
        writes=True,
        refuses=("programme_unknown", "programme_is_over", "long_before_the_programme", *OVER, *UNFIT),
        example=DRAFT,
    ),
    Move(
        "submit",
        WRITTEN,
        AssignmentSubmitted,
        by=BY_HOST,
        rule=before_its_end,
        needs=states(ACTIVE_HOST),
        writes=True,
        refuses=ON_THE_WAY,
    ),
    Move(
        "revise",
        WRITTEN,
        AssignmentRevised,
        body=Revision,
        by=BY_HOST,
        rule=revised_before_its_end,
        needs=PLACES,
        writes=True,
        refuses=(*OVER, *UNFIT),
        example={"terms": TERMS},
        anew=("terms", "title", "description"),
    ),
    Move(
        "approve",
        states("submitted"),
        AssignmentApproved,
        by=BY_OFFICER,
        rule=before_its_end,
        needs=states(ACTIVE_HOST),
        checked_by_another=True,
        refuses=("four_eyes", *ON_THE_WAY),
    ),
    Move(
        "request-edits",
        states("submitted"),
        AssignmentEditsRequested,
        body=EditItems,
        by=BY_OFFICER,
        items=("title", "description", *(name for name in Terms.model_fields if name != "institution")),
        note_to=("host",),
        example={"items": ["languages"]},
    ),
    Move(
        "reject",
        states("submitted"),
        AssignmentRejected,
        body=Reason,
        by=BY_OFFICER,
        reasons=("outside_priorities", "outside_programme", "no_funds", "requested_twice", "host_unsuitable"),
        note_to=("host",),
        example={"reason": "outside_priorities"},
    ),
    Move(
        "publish",
        states("approved"),
        AssignmentPublished,
        by=BY_OFFICER,
        rule=before_its_end,
        needs=states(ACTIVE_HOST),
        refuses=ON_THE_WAY,
    ),
    Move(
        "shortlist",
        OPEN_TO_EXPERTS,
        AssignmentMatchingStarted,
        body=ShortlistRequest,
        by=BY_OFFICER,
        rule=enough_experts,
        needs=states("longlist", "guard:pools", ACTIVE_HOST),
        refuses=(TOO_SHORT, "match_ended", *ON_THE_WAY, *UNKNOWN_EXPERT),
        reasons=("few_candidates", "single_candidate", "rare_occupation", "urgent", *AGAIN),
        example={"experts": [EXPERT]},
    ),
    Move(
        "cancel",
        OPEN,
        AssignmentCancelled,
        body=Reason,
        by=BY_HOST,
        reasons=(*OF_THE_HOST, "no_candidates", "filled_otherwise", "mistake"),
        note_to=("host",),
        example={"reason": "host_withdrew"},
        aside=True,
    ),
    *taking(OPEN),
    # These follow from counting the accepted offers; who counted late finds it done.
    Move("fill", states("matching"), AssignmentFilled, overtaken="nothing"),
    Move("reopen", states("filled"), AssignmentReopened, overtaken="nothing"),
)

# Terms that were changed are changed again; on a shortlist, and on what stopped everybody, others have acted.
_UNDONE: Facts = {
    AssignmentSubmitted: before_its_end,
    AssignmentEditsRequested: at_any_time,
    AssignmentApproved: before_its_end,
    AssignmentRejected: at_any_time,
    AssignmentPublished: before_its_end,
}
REVISIONS = Revisions(
    AssignmentTimeCorrected,
    AssignmentFactTakenBack,
    timed={**_UNDONE, AssignmentRevised: revised_before_its_end, AssignmentCancelled: at_any_time},
    undone=frozenset(_UNDONE),
    final=states("matching", "filled", "cancelled"),
    refuses=OVER,
)

ASSIGNMENT = Case(
    "assignments",
    Assignment,
    (*FACTS, *REVISIONS.moves(FACTS), *TRANSFERS.moves()),
    fold,
    revisable=REVISIONS.revisable,
    readers=READERS,
    filters=("programme", "institution"),
)
