"""An expert: a person in one programme, screened by the criteria that the programme declares (domain.md, section 3).

screening <> needs_info; screening > eligible | ineligible; any > suspended > what it was before. Whether somebody
is on assignment or an alumnus follows from placements and is never stored here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.registration.domain import examples
from services.registration.domain.documents import IdentityDocument
from services.registration.domain.fields import (
    ConsentPurpose,
    Day,
    Email,
    KnownAttributes,
    Line,
    Telephone,
    broken,
)
from services.registration.domain.persons import OWN_OR_OFFICE
from shared.cases.bodies import ITEM, Change, Input, Noted, Reason
from shared.cases.case import NEW, Case, Move, Told, Turn, states
from shared.contracts.base import Code, Instant
from shared.contracts.frame import Listed
from shared.contracts.registration import (
    PURPOSES,
    Attributes,
    ExpertDeclaredEligible,
    ExpertDeclaredIneligible,
    ExpertInfoProvided,
    ExpertInfoRequested,
    ExpertRegistered,
    ExpertReinstated,
    ExpertSuspended,
)
from shared.errors import Refusal
from shared.identity.roles import BY_EXPERT, BY_OFFICER

Status = Literal["screening", "needs_info", "eligible", "ineligible", "suspended"]
Channel = Literal["self", "officer"]
AGAINST_THE_CRITERIA = "the programme's criteria say otherwise"


class Expert(BaseModel):
    """`criteria`: names of those that failed; `items`: codes of what is missing; `resumes`: before the suspension."""

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
    reason: str | None = None
    resumes: Status | None = None


class PersonInput(Input):
    """Identifiers, which are sealed, and coded attributes as they are from `valid_from` on."""

    given_name: Line
    family_name: Line
    email: Email | None = None
    telephone: Telephone | None = None
    document: IdentityDocument | None = None
    attributes: KnownAttributes
    valid_from: Day


class ExpertRegistration(Change):
    """A person registers for a programme, alone or through an officer."""

    programme: Code
    office: Code
    person: PersonInput
    consents: Annotated[tuple[ConsentPurpose, ...], Field(max_length=len(PURPOSES))] = ()


@dataclass(frozen=True)
class Applicant:
    """Who the registered person is, under which version of the definition, and through whom it came."""

    person: str
    programme_version: int
    channel: Channel


class RequestedItems(Noted):
    """`items`: codes of what is missing."""

    items: Annotated[tuple[Code, ...], Field(min_length=1, max_length=20), Listed(ITEM)]


class ProvidedInfo(Change):
    """Attributes come with the day from which they hold."""

    attributes: KnownAttributes | None = None
    valid_from: Day | None = None

    @model_validator(mode="after")
    def _together(self) -> Self:
        if (self.attributes is None) != (self.valid_from is None):
            raise broken("attributes_with_valid_from")
        return self


def by_the_newest_version(turn: Turn[Expert, ExpertRegistration]) -> Told:
    """A case keeps the version of the definition under which it is opened."""
    who: Applicant = turn.given
    return {"person": who.person, "programme_version": who.programme_version, "channel": who.channel}


def by_the_criteria(turn: Turn[Expert, Change]) -> Told:
    """Eligible is who fails none of the criteria of the case's version on the day of the screening."""
    person, failed = turn.state.person, turn.given
    if failed:
        return [ExpertDeclaredIneligible(happened_at=turn.now, person=person, criteria=failed)]
    return [ExpertDeclaredEligible(happened_at=turn.now, person=person)]


def fails_none(turn: Turn[Expert, Change]) -> Told:
    """Nobody is declared eligible against the criteria."""
    if turn.given:
        raise Refusal("criteria_failed", AGAINST_THE_CRITERIA)
    return {}


def fails_some(turn: Turn[Expert, Change]) -> Told:
    """Nobody is declared ineligible against the criteria."""
    if not turn.given:
        raise Refusal("criteria_met", AGAINST_THE_CRITERIA)
    return {"criteria": turn.given}


def fold(state: Expert | None, event: Any) -> Mapping[str, Any]:
    """What an event changes beside the status and the fields of its own names."""
    match event:
        case ExpertRegistered():
            return {"registered_at": event.happened_at}
        case ExpertInfoProvided():
            return {"items": ()}
        case ExpertDeclaredEligible():
            return {"criteria": ()}
        case ExpertSuspended() if state:
            return {"resumes": state.status}
        case ExpertReinstated() if state:
            return {"status": state.resumes or "screening", "reason": None, "resumes": None}
    return {}


SCREENING = states("screening")
SCREENED = states("eligible", "ineligible")
ASKED = states("needs_info")
CRITERIA = states("definition", "person")

REQUESTED = (
    "diploma",
    "transcript",
    "curriculum_vitae",
    "reference",
    "employment_proof",
    "language_certificate",
    "identity_document",
    "residence_permit",
    *Attributes.model_fields,
)

MOVES: tuple[Move, ...] = (
    Move(
        "create",
        states(NEW),
        ExpertRegistered,
        body=ExpertRegistration,
        by=BY_EXPERT,
        rule=by_the_newest_version,
        needs=frozenset({"definition", "person", "guard:document"}),
        refuses=(
            "code_not_listed",
            "document_held_elsewhere",
            "not_in_programme",
            "office_unknown",
            "other_office",
            "programme_unknown",
            "valid_in_the_future",
        ),
        example=examples.EXPERT,
    ),
    Move(
        "screen",
        SCREENING,
        (ExpertDeclaredEligible, ExpertDeclaredIneligible),
        by=BY_OFFICER,
        rule=by_the_criteria,
        needs=CRITERIA,
        refuses=("profile_begins_later",),
    ),
    Move(
        "declare-eligible",
        SCREENING,
        ExpertDeclaredEligible,
        by=BY_OFFICER,
        rule=fails_none,
        needs=CRITERIA,
        refuses=("criteria_failed", "profile_begins_later"),
    ),
    Move(
        "declare-ineligible",
        SCREENING,
        ExpertDeclaredIneligible,
        by=BY_OFFICER,
        rule=fails_some,
        needs=CRITERIA,
        refuses=("criteria_met", "profile_begins_later"),
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
        needs=states("person"),
        refuses=("code_not_listed", "timeline_full", "valid_in_the_future"),
        example=examples.PROFILE,
    ),
    Move(
        "suspend",
        SCREENING | ASKED | SCREENED,
        ExpertSuspended,
        body=Reason,
        by=BY_OFFICER,
        reasons=("unreachable", "false_statement", "conduct", "under_inquiry", "own_request"),
        example={"reason": "unreachable"},
    ),
    Move("reinstate", states("suspended"), ExpertReinstated, to=SCREENING | ASKED | SCREENED, by=BY_OFFICER),
)

EXPERT = Case("experts", Expert, MOVES, fold, readers=OWN_OR_OFFICE, second="already_registered")
