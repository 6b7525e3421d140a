"""Events of experts: a person in a programme, from registration to the end of screening."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from shared.contracts.base import Code, Event, Id, Instant
from shared.contracts.facts import FactField, Family, Subject, Tells, said
from shared.contracts.transfers import CaseTransferred, TransferAsked, TransferDeclined, TransferWithdrawn

EXPERT_FACTS = Family(
    "experts",
    "registration.experts",
    fields=(FactField("expert", "id", Subject()), said("person", "id"), said("channel", "code")),
    frame=("person",),
    opened="person",
    framed="person",
    section="selection",
)
# What a decision found is true until the next one, or until screening begins anew. That it was decided stays true.
_SCREENED = frozenset(
    {
        "ExpertDeclaredEligible",
        "ExpertDeclaredIneligible",
        "ExpertScreeningReopened",
        "ExpertIdentityClashed",
        "AppealUpheld",
    }
)
Ground = Literal["facts", "procedure", "circumstances"]
# On what somebody may appeal. The texts are what a person reads who chooses one.
GROUNDS: Mapping[Ground, str] = {
    "facts": "Something that the decision stands on is not so.",
    "procedure": "The decision did not follow the programme's rules.",
    "circumstances": "Something was not known, or has changed since.",
}


class ExpertRegistered(Event):
    """A person in one programme; the subject is uuid5(person, programme).

    `programme_version`: the version of the definition under which the case was opened.
    """

    topic: ClassVar[str] = "registration.experts"
    leads_to: ClassVar[str | None] = "screening"
    tells: ClassVar[tuple[Tells, ...]] = (Tells("expert_registered", once=True),)
    person: Id
    programme: Code
    programme_version: int | None = None
    office: Code
    channel: Literal["self", "officer"]


class ExpertIdentityClashed(Event):
    """The case is of somebody whose document number another person holds: nobody to be chosen, and not eligible.

    As the first event of a case: no expert yet, and counted nowhere; `reason`: why a case that was there before comes
    to stand so. The data-protection role decides; `ExpertRegistered` is said only then.
    """

    topic: ClassVar[str] = "registration.experts"
    leads_to: ClassVar[str | None] = "identity_clash"
    person: Id
    programme: Code
    programme_version: int | None = None
    office: Code
    channel: Literal["self", "officer"]
    reason: Code | None = None


class ExpertIdentitySettled(Event):
    """The data-protection role decided whose the claimed number is. `holder`: who held it until then, if anybody.

    `holds`: it stays the holder's; `moves`: it is the claimant's from now on; `same_person`: both are one human being.
    Where the claimant is a person of its own, `ExpertRegistered` follows in the same save.
    """

    topic: ClassVar[str] = "registration.experts"
    leads_to: ClassVar[str | None] = "duplicate"
    person: Id
    holder: Id | None = None
    outcome: Literal["holds", "moves", "same_person"]
    reason: Code


class ExpertKeptApart(Event):
    """An officer has compared: whoever has the same name, year of birth and origin is another human being."""

    topic: ClassVar[str] = "registration.experts"
    person: Id
    reason: Code


class ExpertIdentityKept(Event):
    """Registered under another name or year of birth than before, the person stays recorded as somebody found right."""

    topic: ClassVar[str] = "registration.experts"
    person: Id
    reason: Code


class ExpertInfoRequested(Event):
    """Screening needs more; `items`: codes of what is missing."""

    topic: ClassVar[str] = "registration.experts"
    leads_to: ClassVar[str | None] = "needs_info"
    items: tuple[Code, ...]


class ExpertInfoProvided(Event):
    """What was missing has come; screening goes on."""

    topic: ClassVar[str] = "registration.experts"
    leads_to: ClassVar[str | None] = "screening"


class ExpertDeclaredEligible(Event):
    """Every declared criterion of the programme is met."""

    topic: ClassVar[str] = "registration.experts"
    leads_to: ClassVar[str | None] = "eligible"
    tells: ClassVar[tuple[Tells, ...]] = (Tells("expert_eligible", ended_by=_SCREENED), Tells("screened_eligible"))
    person: Id


class ExpertDeclaredIneligible(Event):
    """`criteria`: names of the failed ones; required and actual values stay in registration.

    `appeal_until`: the first instant at which an appeal comes too late; None where the decision named none.
    """

    topic: ClassVar[str] = "registration.experts"
    leads_to: ClassVar[str | None] = "ineligible"
    tells: ClassVar[tuple[Tells, ...]] = (Tells("expert_ineligible", ended_by=_SCREENED), Tells("screened_ineligible"))
    person: Id
    criteria: tuple[Code, ...]
    appeal_until: Instant | None = None


class ExpertScreeningReopened(Event):
    """What was decided no longer stands, and screening begins anew. `reason`: `profile_changed`, `identity_changed`, or
    an officer's."""

    topic: ClassVar[str] = "registration.experts"
    leads_to: ClassVar[str | None] = "screening"
    tells: ClassVar[tuple[Tells, ...]] = (Tells("screening_reopened"),)
    person: Id
    reason: Code


class ExpertEligibilityChanged(Event):
    """The criteria no longer say what was decided, while the expert stands on an offer: an officer has to look.

    `failing`: names of the criteria that are not met now; empty where what was decided is right again.
    """

    topic: ClassVar[str] = "registration.experts"
    person: Id
    failing: tuple[Code, ...]


class ExpertSuspended(Event):
    """The expert is no longer proposed or placed, until reinstated. `appeal_until` as for an ineligible expert."""

    topic: ClassVar[str] = "registration.experts"
    leads_to: ClassVar[str | None] = "suspended"
    person: Id
    reason: Code
    appeal_until: Instant | None = None


class ExpertAppealed(Event):
    """The person contests being ineligible or suspended; what they wrote stays in registration, sealed."""

    topic: ClassVar[str] = "registration.experts"
    leads_to: ClassVar[str | None] = "appealed"
    tells: ClassVar[tuple[Tells, ...]] = (Tells("appeal_filed"),)
    person: Id
    ground: Code


class AppealUpheld(Event):
    """Another officer found for the person: the expert is screened anew, and no longer suspended."""

    topic: ClassVar[str] = "registration.experts"
    leads_to: ClassVar[str | None] = "screening"
    tells: ClassVar[tuple[Tells, ...]] = (Tells("appeal_upheld"),)
    person: Id
    reason: Code


class AppealDismissed(Event):
    """Another officer found against the person: what was decided stands."""

    topic: ClassVar[str] = "registration.experts"
    leads_to: ClassVar[str | None] = "dismissed"
    tells: ClassVar[tuple[Tells, ...]] = (Tells("appeal_dismissed"),)
    person: Id
    reason: Code


class ExpertReinstated(Event):
    """The suspension has ended."""

    topic: ClassVar[str] = "registration.experts"
    person: Id


class ExpertWithdrawn(Event):
    """The case is closed for good, as when the person's data are erased; what was decided stays counted."""

    topic: ClassVar[str] = "registration.experts"
    leads_to: ClassVar[str | None] = "withdrawn"
    person: Id
    reason: Code


class ExpertTransferAsked(TransferAsked):
    """Another office was asked to take over the expert's case."""

    topic: ClassVar[str] = "registration.experts"


class ExpertTransferWithdrawn(TransferWithdrawn):
    """The other office is no longer asked to take over the expert's case."""

    topic: ClassVar[str] = "registration.experts"


class ExpertTransferDeclined(TransferDeclined):
    """The office that was asked does not take over the expert's case."""

    topic: ClassVar[str] = "registration.experts"


class ExpertTransferred(CaseTransferred):
    """The expert's case belongs to another office from now on: its own asked, and that one accepted."""

    topic: ClassVar[str] = "registration.experts"
