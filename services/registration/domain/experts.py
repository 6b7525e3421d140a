"""An expert: a person in one programme, screened by the criteria that the programme declares (domain.md, section 3).

identity_clash > screening | duplicate; screening <> needs_info; screening > eligible | ineligible > screening again;
any > suspended > what it was before; ineligible | suspended > appealed > screening | dismissed; another document of the
person: any > screening | identity_clash. Whether somebody is on assignment or an alumnus follows from placements and is
never stored here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from services.registration.domain import claims, examples, flags
from services.registration.domain.appeals import Appeal, Outcome, in_time
from services.registration.domain.fields import (
    ConsentPurpose,
    KnownAttributes,
    at_field,
    broken,
)
from services.registration.domain.identity import NEEDED
from services.registration.domain.lives import RULES as LIVES
from services.registration.domain.persons import OWN_OR_OFFICE
from services.registration.domain.registrants import PersonInput
from services.registration.domain.requested import REQUESTED_DOCUMENTS
from shared.cases.bodies import ITEM, Change, Noted, Once, Reason
from shared.cases.case import NEW, Case, Move, Told, Turn, states
from shared.cases.movable import Movable
from shared.cases.taking import taking
from shared.cases.transfers import Transfers
from shared.contracts.base import Code, Date, Id, Instant
from shared.contracts.frame import Listed
from shared.contracts.registration.experts import (
    AppealDismissed,
    AppealUpheld,
    ExpertAppealed,
    ExpertDeclaredEligible,
    ExpertDeclaredIneligible,
    ExpertEligibilityChanged,
    ExpertIdentityClashed,
    ExpertIdentityKept,
    ExpertIdentitySettled,
    ExpertInfoProvided,
    ExpertInfoRequested,
    ExpertKeptApart,
    ExpertRegistered,
    ExpertReinstated,
    ExpertScreeningReopened,
    ExpertSuspended,
    ExpertTransferAsked,
    ExpertTransferDeclined,
    ExpertTransferred,
    ExpertTransferWithdrawn,
    ExpertWithdrawn,
)
from shared.contracts.registration.persons import PURPOSES, Attributes
from shared.errors import Refusal
from shared.identity.roles import BY_EXPERT, BY_OFFICER

Status = Literal[
    "screening",
    "identity_clash",
    "duplicate",
    "needs_info",
    "eligible",
    "ineligible",
    "suspended",
    "appealed",
    "dismissed",
    "withdrawn",
]
Channel = Literal["self", "officer"]
BEGINS_LATER = "profile_begins_later"
# Whoever is asked for something and sends nothing would wait for an answer, and the office for what it asked.
NOTHING_PROVIDED = "nothing_provided"
# Why screening begins anew by itself.
PROFILE_CHANGED = "profile_changed"
AGAINST_THE_CRITERIA = "the programme's criteria say otherwise"


class Expert(Movable):
    """`criteria`: names of those that failed; `items`: codes of what is missing; `resumes`: before the suspension
    (`resumes_until`: its `appeal_until`), or before the withdrawal.

    `failing`: criteria that an eligible expert no longer meets, while the case goes on with an offer.
    `appeal_until`: from when on the last decision can no longer be appealed. `against`, `ground`, `appealed_at` and
    `appeal`: of the last appeal, the state that it contests, why, when, and what became of it.
    `identity`: what was decided of a document number that came with the registration and was another person's.
    """

    model_config = ConfigDict(frozen=True)

    person: str
    programme: str
    programme_version: int | None = None
    office: str
    channel: Channel
    registered_at: Instant
    status: Status = "screening"
    items: tuple[str, ...] = ()
    criteria: tuple[str, ...] = ()
    failing: tuple[str, ...] = ()
    reason: str | None = None
    resumes: Status | None = None
    resumes_until: Instant | None = None
    appeal_until: Instant | None = None
    against: Status | None = None
    ground: str | None = None
    appealed_at: Instant | None = None
    appeal: Outcome | None = None
    identity: claims.Settled | None = None


class ExpertRegistration(Change):
    """A person registers for a programme, alone or through an officer.

    `known_person`: whom an officer registers in a further programme, as one whom that officer may read.
    """

    programme: Code
    office: Code
    known_person: Id | None = None
    person: PersonInput
    consents: Annotated[tuple[ConsentPurpose, ...], Field(max_length=len(PURPOSES)), Once()] = ()


@dataclass(frozen=True)
class Applicant:
    """Who the registered person is, under which version of the definition, and through whom it came.

    `clashes`: the document number that came with it is another person's.
    """

    person: str
    programme_version: int
    channel: Channel
    clashes: bool = False


class RequestedItems(Noted):
    """`items`: codes of what is missing."""

    items: Annotated[tuple[Code, ...], Field(min_length=1, max_length=20), Once(), Listed(ITEM)]


class ProvidedInfo(Noted):
    """Attributes come with the day from which they hold. `note`: what is neither an attribute nor a file, as that
    something was brought to the office."""

    attributes: KnownAttributes | None = None
    valid_from: Date | None = None

    @model_validator(mode="after")
    def _together(self) -> Self:
        if (self.attributes is None) != (self.valid_from is None):
            lacks_day = self.valid_from is None
            said = "the day from which the attributes hold" if lacks_day else "the attributes that hold from that day"
            raise at_field("valid_from" if lacks_day else "attributes", broken("attributes_with_valid_from", said))
        return self


def by_the_newest_version(turn: Turn[Expert, ExpertRegistration]) -> Told:
    """A case keeps the version of the definition under which it is opened."""
    who, body = turn.given, turn.body
    said = {"person": who.person, "programme_version": who.programme_version, "channel": who.channel}
    frame = {"programme": body.programme, "office": body.office}
    return [claims.registered_as(turn, said | frame, clashes=who.clashes)]


@dataclass(frozen=True)
class Screened:
    """`failed`: names of the criteria of the case's version that are not met; `appeal_until` as of a decision now."""

    failed: tuple[str, ...]
    appeal_until: datetime


def by_the_criteria(turn: Turn[Expert, Change]) -> Told:
    """Eligible is who fails none of the criteria of the case's version on the day of the screening."""
    person, screened = turn.state.person, turn.given
    if screened.failed:
        told = {"criteria": screened.failed, "appeal_until": screened.appeal_until}
        return [ExpertDeclaredIneligible(happened_at=turn.now, person=person, **told)]
    return [ExpertDeclaredEligible(happened_at=turn.now, person=person)]


def fails_none(turn: Turn[Expert, Change]) -> Told:
    """Nobody is declared eligible against the criteria."""
    if turn.given.failed:
        raise Refusal("criteria_failed", AGAINST_THE_CRITERIA)
    return {}


def fails_some(turn: Turn[Expert, Change]) -> Told:
    """Nobody is declared ineligible against the criteria."""
    if not turn.given.failed:
        raise Refusal("criteria_met", AGAINST_THE_CRITERIA)
    return {"criteria": turn.given.failed, "appeal_until": turn.given.appeal_until}


@dataclass(frozen=True)
class Review:
    """What the criteria say now: names of those not met. `offered`: the expert stands on an offer, or on a return."""

    failed: tuple[str, ...]
    offered: bool = False


def as_the_criteria_say_now(turn: Turn[Expert, Change]) -> Told:
    """A change of the profile that turns what was decided brings the case back to screening.

    Once an offer is out, others rely on the decision: the case goes on, and an officer is told.
    """
    state, review = turn.state, turn.given
    if turns(state.status, review) and not (state.status == "eligible" and review.offered):
        return [_reopened(turn)]
    if state.status == "eligible" and review.failed != state.failing:
        return [ExpertEligibilityChanged(happened_at=turn.now, person=state.person, failing=review.failed)]
    return []


def turns(decided: str | None, review: Review) -> bool:
    """Whether the criteria now say otherwise than was decided."""
    return bool(review.failed) if decided == "eligible" else decided == "ineligible" and not review.failed


def as_before(turn: Turn[Expert, Change]) -> Told:
    """A suspension ends where it began, unless the profile has changed so that the decision no longer holds."""
    ended = ExpertReinstated(happened_at=turn.now, person=turn.state.person)
    return [ended, _reopened(turn)] if turns(turn.state.resumes, turn.given) else [ended]


def _reopened(turn: Turn[Expert, Any]) -> ExpertScreeningReopened:
    return ExpertScreeningReopened(happened_at=turn.now, person=turn.state.person, reason=PROFILE_CHANGED)


def may_be_appealed(turn: Turn[Expert, Reason]) -> Told:
    """A suspension names the last day of an appeal, by the case's version."""
    return {"appeal_until": turn.given}


def fold(state: Expert | None, event: Any) -> Mapping[str, Any]:
    """What an event changes beside the status and the fields of its own names."""
    match event:
        case ExpertRegistered() | ExpertIdentityClashed() if state is None:
            # Lists are in this order, in which no case may move later.
            return {"registered_at": event.happened_at}
        case ExpertIdentitySettled():
            return {"reason": None, "identity": claims.settled(event)}
        case ExpertKeptApart() | ExpertIdentityKept() if state:
            # Why the case stands where it stands is another thing.
            return {"reason": state.reason}
        case ExpertInfoProvided():
            return {"items": ()}
        case ExpertDeclaredEligible():
            return {"criteria": (), "failing": (), "reason": None, "appeal_until": None}
        case ExpertDeclaredIneligible():
            return {"failing": (), "reason": None, "appeal_until": event.appeal_until}
        case ExpertScreeningReopened() | ExpertIdentityClashed() | AppealUpheld():
            upheld = {"appeal": "upheld"} if isinstance(event, AppealUpheld) else {}
            undone = dict.fromkeys(("resumes", "resumes_until", "appeal_until"))
            return {**undone, **upheld, **dict.fromkeys(("criteria", "failing", "items"), ())}
        case ExpertAppealed() if state:
            return {"against": state.status, "appealed_at": event.happened_at, "appeal": "pending"}
        case AppealDismissed():
            return {"appeal": "dismissed", "appeal_until": None}
    return _set_aside(state, event) if state else {}


def _set_aside(state: Expert, event: Any) -> Mapping[str, Any]:
    """What a suspension, its end and a withdrawal change."""
    match event:
        case ExpertSuspended():
            return {"resumes": state.status, "resumes_until": state.appeal_until}
        case ExpertReinstated():
            back = {"status": state.resumes or "screening", "appeal_until": state.resumes_until}
            return {**back, "reason": None, "resumes": None, "resumes_until": None}
        case ExpertWithdrawn():
            gone: Mapping[str, Any] = dict.fromkeys(("criteria", "failing", "items"), ())
            return {**gone, "resumes": state.resumes or state.status, "resumes_until": None, "appeal_until": None}
    return {}


SCREENING = states("screening")
SCREENED = states("eligible", "ineligible")
ASKED = states("needs_info")
APPEALED = states("appealed")
# Whose number it is, no office decides, nor takes over.
TRANSFERS = Transfers(
    ExpertTransferAsked,
    ExpertTransferWithdrawn,
    ExpertTransferDeclined,
    ExpertTransferred,
    SCREENING | ASKED | SCREENED | APPEALED | {"suspended", "dismissed"},
)
# Something was decided on the person in them, which others may rely on.
DECIDED = SCREENED | APPEALED | {"suspended", "dismissed"}
CRITERIA = states("definition", "person")
# In which a case goes on, or may go on again.
STANDING = SCREENING | ASKED | SCREENED | APPEALED | {"suspended", "dismissed"}
VERDICTS = ("facts_established", "facts_not_established", "rules_followed", "rules_not_followed", "new_evidence")

REQUESTED = (*REQUESTED_DOCUMENTS, *Attributes.model_fields)

MOVES: tuple[Move, ...] = (
    Move(
        "create",
        states(NEW),
        (ExpertRegistered, ExpertIdentityClashed),
        body=ExpertRegistration,
        by=BY_EXPERT,
        rule=by_the_newest_version,
        needs=frozenset({"definition", "person", "guard:document"}),
        refuses=(
            "account_handed_over",
            "account_taken_over",
            "already_registered",
            "code_not_listed",
            "not_in_programme",
            "known_person_unknown",
            "office_unknown",
            "other_office",
            "programme_is_over",
            "long_before_the_programme",
            "programme_unknown",
            "valid_in_the_future",
            *LIVES,
        ),
        example=examples.EXPERT,
    ),
    claims.SETTLES,
    Move(
        "screen",
        SCREENING,
        (ExpertDeclaredEligible, ExpertDeclaredIneligible),
        by=BY_OFFICER,
        rule=by_the_criteria,
        needs=CRITERIA,
        writes=True,
        refuses=(BEGINS_LATER,),
    ),
    Move(
        "declare-eligible",
        SCREENING,
        ExpertDeclaredEligible,
        by=BY_OFFICER,
        rule=fails_none,
        needs=CRITERIA,
        writes=True,
        refuses=("criteria_failed", BEGINS_LATER),
    ),
    Move(
        "declare-ineligible",
        SCREENING,
        ExpertDeclaredIneligible,
        by=BY_OFFICER,
        rule=fails_some,
        needs=CRITERIA,
        writes=True,
        refuses=("criteria_met", BEGINS_LATER),
    ),
    Move(
        "request-info",
        SCREENING,
        ExpertInfoRequested,
        body=RequestedItems,
        by=BY_OFFICER,
        items=REQUESTED,
        note_to=("expert",),
        example={"items": ["diploma"]},
    ),
    Move(
        "provide-info",
        ASKED,
        ExpertInfoProvided,
        body=ProvidedInfo,
        by=BY_EXPERT,
        answers="request-info",
        needs=states("person"),
        refuses=("code_not_listed", NEEDED, NOTHING_PROVIDED, "timeline_full", "valid_in_the_future", *LIVES),
        example={**examples.PROFILE, "note": "The diploma lies at your counter."},
    ),
    Move(
        "screen-again",
        SCREENED | {"dismissed"},
        ExpertScreeningReopened,
        body=Reason,
        by=BY_OFFICER,
        reasons=("mistaken_entry", "new_evidence", "rules_misread", "circumstances_changed", "own_request"),
        example={"reason": "mistaken_entry"},
        aside=True,
    ),
    Move(
        "suspend",
        SCREENING | ASKED | SCREENED,
        ExpertSuspended,
        body=Reason,
        by=BY_OFFICER,
        rule=may_be_appealed,
        needs=states("definition"),
        writes=True,
        reasons=("unreachable", "false_statement", "conduct", "under_inquiry", "own_request"),
        example={"reason": "unreachable"},
        aside=True,
    ),
    Move(
        "reinstate",
        states("suspended"),
        ExpertReinstated,
        then=(ExpertScreeningReopened,),
        to=SCREENING | ASKED | SCREENED,
        by=BY_OFFICER,
        rule=as_before,
        needs=CRITERIA,
        aside=True,
    ),
    Move(
        "reconsider",
        states("eligible"),
        (ExpertScreeningReopened, ExpertEligibilityChanged),
        rule=as_the_criteria_say_now,
        overtaken="nothing",
    ),
    Move(
        "reconsider",
        states("ineligible"),
        ExpertScreeningReopened,
        rule=as_the_criteria_say_now,
        overtaken="nothing",
    ),
    # Whoever writes an appeal down for somebody does not decide on it either.
    Move(
        "appeal",
        states("ineligible", "suspended"),
        ExpertAppealed,
        body=Appeal,
        by=BY_EXPERT,
        rule=in_time,
        writes=True,
        refuses=("appeal_too_late",),
        note_to=("expert",),
        example={"ground": "facts", "note": "The diploma is of 2001, not of 2011."},
        aside=True,
    ),
    Move(
        "uphold-appeal",
        APPEALED,
        AppealUpheld,
        body=Reason,
        by=BY_OFFICER,
        checked_by_another=True,
        refuses=("four_eyes",),
        reasons=VERDICTS,
        note_to=("expert",),
        example={"reason": VERDICTS[0]},
    ),
    Move(
        "dismiss-appeal",
        APPEALED,
        AppealDismissed,
        body=Reason,
        by=BY_OFFICER,
        checked_by_another=True,
        refuses=("four_eyes",),
        reasons=VERDICTS,
        note_to=("expert",),
        example={"reason": VERDICTS[0]},
    ),
    Move(
        "withdraw",
        SCREENING | ASKED | SCREENED | APPEALED | {claims.CLASH, claims.DUPLICATE, "suspended", "dismissed"},
        ExpertWithdrawn,
        body=Reason,
        overtaken="nothing",
    ),
    claims.identified_anew(STANDING),
    *flags.settling(STANDING, claims.CLASH),
    *taking(SCREENING | ASKED | SCREENED | APPEALED | {"suspended"}),
    *TRANSFERS.moves(),
)

EXPERT = Case(
    "experts",
    Expert,
    MOVES,
    fold,
    readers=OWN_OR_OFFICE,
    filters=("programme", "person"),
    flags=flags.FLAGS,
    second="already_registered",
    # Whoever registers learns nothing of the numbers that others brought.
    veiled={claims.CLASH: "screening"},
)
