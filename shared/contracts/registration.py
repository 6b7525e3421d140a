"""Events of registration: programmes, persons and their profiles, experts, institutions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from shared.contracts.attributes import Attribute, Before, as_of, declared
from shared.contracts.base import Code, Contract, Country, Date, Event, Id, Instant, Nationality
from shared.contracts.corrections import FactTakenBack, TimeCorrected
from shared.contracts.facts import FactField, Family, Subject, Tells, said
from shared.contracts.iso_codes import language_code

Sex = Literal["female", "male", "other", "not_stated"]
Cefr = Literal["A1", "A2", "B1", "B2", "C1", "C2"]
Purpose = Literal["placement", "outreach", "stories"]
# What a person may consent to. A consent is the person's, so the list is the system's and no programme adds to it.
# The events keep a code, so that a reader of today does not park what a later purpose says.
PURPOSES: Mapping[Purpose, str] = {
    "placement": "To be proposed to host institutions, offered assignments and placed.",
    "outreach": "To be invited to sessions, asked in surveys and sent news of programmes.",
    "stories": "To be told of, by name, in a published story of a return.",
}


# A person belongs to no programme: what the person says of the own data counts in each programme of the office.
PERSON_FACTS = Family(
    "persons",
    "registration.persons",
    fields=(FactField("recorded_person", "id", Subject()), said("purpose", "code")),
    frame=("office",),
    opened="office",
    framed="office",
    of_programme=False,
)
EXPERT_FACTS = Family(
    "experts",
    "registration.experts",
    fields=(FactField("expert", "id", Subject()), said("person", "id"), said("channel", "code")),
    frame=("person",),
    opened="person",
    framed="person",
    section="selection",
)
# An institution may belong to no programme; then it counts in each programme of its office.
INSTITUTION_FACTS = Family(
    "institutions",
    "registration.institutions",
    fields=(
        FactField("institution", "id", Subject()),
        said("country", "code"),
        said("area", "code"),
        said("sector", "code"),
        said("host_type", "code"),
    ),
    frame=("country", "area", "sector", "host_type"),
    opened="country",
    framed="country",
    of_programme=False,
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


class ProgrammePublished(Event):
    """A version of a programme's definition; the subject is its code, the sequence its version."""

    topic: ClassVar[str] = "registration.programmes"
    leads_to: ClassVar[str | None] = "published"
    code: Code
    definition_version: int
    definition: dict[str, Any]


class PersonRecorded(Event):
    """A person exists. `account`: a keyed hash of issuer and sub, of whoever signs in as this person."""

    topic: ClassVar[str] = "registration.persons"
    leads_to: ClassVar[str | None] = "recorded"
    account: Id | None = None
    office: Code


class PersonAccountAssigned(Event):
    """Another account stands for the person from now on; the one before stands for nobody any more."""

    topic: ClassVar[str] = "registration.persons"
    account: Id
    reason: Code


class PersonContactChanged(Event):
    """The person wants to be written to in another way; `elsewhere`: at another address, which no event says."""

    topic: ClassVar[str] = "registration.persons"
    elsewhere: bool


class DocumentClaimSettled(Event):
    """Somebody else claimed the document number that the person held; `outcome` as in `ExpertIdentitySettled`."""

    topic: ClassVar[str] = "registration.persons"
    outcome: Literal["holds", "moves", "same_person"]
    reason: Code


class IdentityChangeRequested(Event):
    """Another name, year of birth or document is to be recorded; what was asked stays in registration, sealed."""

    topic: ClassVar[str] = "registration.persons"
    reason: Code


class IdentityChangeConfirmed(Event):
    """Another account than the one that asked confirmed it: the person is recorded as was asked."""

    topic: ClassVar[str] = "registration.persons"
    reason: Code


class IdentityChangeRefused(Event):
    """Another account than the one that asked refused it: the person is recorded as before."""

    topic: ClassVar[str] = "registration.persons"
    reason: Code


class ProfileChanged(Event):
    """The profile has a new entry; its content is on the compacted topic alone."""

    topic: ClassVar[str] = "registration.persons"
    entry: Id


class ConsentGiven(Event):
    """The person allows their data to be used for the purpose."""

    topic: ClassVar[str] = "registration.persons"
    purpose: Code


class ConsentWithdrawn(Event):
    """The person no longer allows it: every service stops what stands on that purpose."""

    topic: ClassVar[str] = "registration.persons"
    tells: ClassVar[tuple[Tells, ...]] = (Tells("consent_withdrawn"),)
    purpose: Code


# More languages than anybody is asked for.
LANGUAGES_AT_MOST = 40
# More nationalities than anybody has.
OTHER_NATIONALITIES_AT_MOST = 8


SpokenLanguage = Annotated[str, Field(pattern=r"^[a-z]{2,3}$"), AfterValidator(language_code)]


class LanguageSkill(Contract):
    """`language`: ISO 639-1, or ISO 639-3 where that has none; `eng` is read as `en`. `level`: CEFR."""

    language: SpokenLanguage
    level: Cefr


class Attributes(Contract):
    """A person's coded attributes: ISO 3166 countries, ISCED 2011 level, ISCO-08 code, whole years.

    `nationality`: the one that figures count, so that nobody counts twice; whoever has several says which it is.
    `other_nationalities`: criteria look at them too. A nationality and the origin may be of a state that is gone.
    """

    sex: Annotated[Sex, Attribute("code")] = "not_stated"
    birth_year: Annotated[Annotated[int, Field(ge=1900, le=2100)] | None, Attribute("number", word="age")] = None
    nationality: Annotated[Nationality | None, Attribute("code", "nationalities")] = None
    other_nationalities: Annotated[tuple[Country, ...], Field(max_length=OTHER_NATIONALITIES_AT_MOST)] = ()
    country_of_origin: Annotated[Country | None, Attribute("code", "states")] = None
    country_of_residence: Annotated[Country | None, Attribute("code", "countries")] = None
    residence_status: Annotated[Code | None, Attribute("code", "residence_statuses")] = None
    education: Annotated[Annotated[int, Field(ge=0, le=8)] | None, Attribute("number")] = None
    occupation: Annotated[Annotated[str, Field(pattern=r"^[0-9]{1,4}$")] | None, Attribute("code")] = None
    experience_years: Annotated[Annotated[int, Field(ge=0, le=80)] | None, Attribute("number")] = None
    sector: Annotated[Code | None, Attribute("code", "sectors")] = None
    languages: Annotated[tuple[LanguageSkill, ...], Field(max_length=LANGUAGES_AT_MOST)] = ()
    category: Annotated[Code | None, Attribute("code", "categories")] = None

    @property
    def nationalities(self) -> tuple[str, ...]:
        """Every one that is stated, the one that figures count first."""
        return (*(() if self.nationality is None else (self.nationality,)), *self.other_nationalities)


ATTRIBUTES = declared(Attributes)


class ProfileEntry(Contract):
    """What was known of the person from `valid_from` on; a correction reuses it with a later `recorded_at`."""

    id: Id
    valid_from: Date
    recorded_at: Instant
    attributes: Attributes


def attributes_on(entries: Iterable[ProfileEntry], day: date, *, before: Before = "nothing") -> Attributes | None:
    """The attributes that held on that day, as they are known now; `before` as for `as_of`."""
    timeline = sorted(entries, key=lambda entry: (entry.valid_from, entry.recorded_at, entry.id))
    held = as_of(timeline, day, lambda entry: entry.valid_from, before=before)
    return None if held is None else held.attributes


class Profile(Event):
    """The person's whole short timeline: the last record of the subject on the compacted topic.

    `erased`: true where the person's data were erased. The entries then have the attributes that programmes list as
    statistical, for what is counted, and nobody is chosen by them.
    """

    topic: ClassVar[str] = "registration.profiles"
    version: ClassVar[int] = 2
    entries: tuple[ProfileEntry, ...]
    erased: bool | None = None


class PersonErased(Event):
    """The person's data are erased: every service stops what stands of the person, and forgets."""

    topic: ClassVar[str] = "registration.persons"
    leads_to: ClassVar[str | None] = "erased"
    reason: Code


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


class InstitutionRegistered(Event):
    """`account` as for a person; `host_type`: public, private, non_profit, ..., as the programme lists them."""

    topic: ClassVar[str] = "registration.institutions"
    leads_to: ClassVar[str | None] = "proposed"
    account: Id | None = None
    office: Code
    country: Country
    sector: Code
    host_type: Code
    area: Code | None = None


class InstitutionAccountAssigned(Event):
    """Another account stands for the institution from now on, as when its contact person leaves."""

    topic: ClassVar[str] = "registration.institutions"
    account: Id
    reason: Code


class InstitutionContactChanged(Event):
    """How the institution wants to be written to has changed; `elsewhere`: to another address."""

    topic: ClassVar[str] = "registration.institutions"
    elsewhere: bool


class InstitutionAssessed(Event):
    """An officer has assessed the institution as a possible host."""

    topic: ClassVar[str] = "registration.institutions"
    leads_to: ClassVar[str | None] = "assessed"


class InstitutionBecamePartner(Event):
    """The institution was accepted as a partner of the programme."""

    topic: ClassVar[str] = "registration.institutions"
    leads_to: ClassVar[str | None] = "partner"


class InstitutionActivated(Event):
    """The institution may host: terms of reference can name it."""

    topic: ClassVar[str] = "registration.institutions"
    leads_to: ClassVar[str | None] = "active"
    # One that comes back from a pause is still one active institution.
    tells: ClassVar[tuple[Tells, ...]] = (Tells("institution_activated", once=True),)


class InstitutionPutOnHold(Event):
    """The institution may host no further experts for now."""

    topic: ClassVar[str] = "registration.institutions"
    leads_to: ClassVar[str | None] = "on_hold"
    reason: Code


class InstitutionClosed(Event):
    """The institution has left the programme."""

    topic: ClassVar[str] = "registration.institutions"
    leads_to: ClassVar[str | None] = "closed"
    reason: Code


class InstitutionTimeCorrected(TimeCorrected):
    """The last fact of the institution happened at another time than was recorded."""

    topic: ClassVar[str] = "registration.institutions"


class InstitutionFactTakenBack(FactTakenBack):
    """The last fact of the institution was recorded by mistake."""

    topic: ClassVar[str] = "registration.institutions"
