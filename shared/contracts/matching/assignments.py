"""Events of assignments (terms of reference)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.contracts import patterns
from shared.contracts.base import Code, Contract, Country, Date, Event, Id, TimeZone
from shared.contracts.corrections import FactTakenBack, TimeCorrected
from shared.contracts.facts import FactField, Family, Subject, Tells, said
from shared.contracts.registration.persons import LANGUAGES_AT_MOST, LanguageSkill
from shared.contracts.transfers import CaseTransferred, TransferAsked, TransferDeclined, TransferWithdrawn

Modality = Literal["temporary", "repeated", "virtual", "permanent"]


class Terms(Contract):
    """The coded part of terms of reference. Dates are half-open: `ends_on` is the first day after."""

    institution: Id
    country: Country
    area: Code | None = None
    sector: Code
    host_type: Code
    occupation: Annotated[str, Field(pattern=patterns.OCCUPATION)]
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
_FREED = frozenset({"AssignmentReopened", "AssignmentCancelled"})


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


class AssignmentTimeCorrected(TimeCorrected):
    """The last fact of the assignment happened at another time than was recorded."""

    topic: ClassVar[str] = "matching.assignments"


class AssignmentFactTakenBack(FactTakenBack):
    """The last fact of the assignment was recorded by mistake."""

    topic: ClassVar[str] = "matching.assignments"


class AssignmentTransferAsked(TransferAsked):
    """Another office was asked to take over the assignment."""

    topic: ClassVar[str] = "matching.assignments"


class AssignmentTransferWithdrawn(TransferWithdrawn):
    """The other office is no longer asked to take over the assignment."""

    topic: ClassVar[str] = "matching.assignments"


class AssignmentTransferDeclined(TransferDeclined):
    """The office that was asked does not take over the assignment."""

    topic: ClassVar[str] = "matching.assignments"


class AssignmentTransferred(CaseTransferred):
    """The assignment belongs to another office from now on: its own asked, and that one accepted."""

    topic: ClassVar[str] = "matching.assignments"
