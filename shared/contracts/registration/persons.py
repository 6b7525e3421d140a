"""Events of persons and their profiles: coded attributes, consents, identity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, Field

from shared.contracts import patterns
from shared.contracts.attributes import Attribute, Before, as_of, declared
from shared.contracts.base import Code, Contract, Country, Date, Event, Id, Instant, Nationality
from shared.contracts.facts import FactField, Family, Subject, Tells, said
from shared.contracts.iso_codes import language_code
from shared.contracts.registration.handovers import (
    HandoverDeclined,
    HandoverLapsed,
    HandoverProposed,
    HandoverWithdrawn,
)
from shared.contracts.transfers import CaseTransferred

Sex = Literal["female", "male", "other", "not_stated"]
Cefr = Literal["A1", "A2", "B1", "B2", "C1", "C2"]
Purpose = Literal["placement", "outreach", "stories"]
# Whoever is to be placed gives this one.
PLACEMENT: Final = "placement"
# What a person may consent to. A consent is the person's, so the list is the system's and no programme adds to it.
# The events keep a code, so that a reader of today does not park what a later purpose says.
PURPOSES: Mapping[Purpose, str] = {
    PLACEMENT: "To be proposed to host institutions, offered assignments and placed.",
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


class PersonHandoverProposed(HandoverProposed):
    """Whoever signs in as the person proposes to hand the account over, to the one who is given the code."""

    topic: ClassVar[str] = "registration.persons"


class PersonHandoverWithdrawn(HandoverWithdrawn):
    """The person's account is no longer offered to anybody."""

    topic: ClassVar[str] = "registration.persons"


class PersonHandoverDeclined(HandoverDeclined):
    """Whoever was given the code does not take the person's account over."""

    topic: ClassVar[str] = "registration.persons"


class PersonHandoverLapsed(HandoverLapsed):
    """Nobody took the person's account over by the end of the proposal."""

    topic: ClassVar[str] = "registration.persons"


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


SpokenLanguage = Annotated[str, Field(pattern=patterns.LANGUAGE), AfterValidator(language_code)]


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
    occupation: Annotated[Annotated[str, Field(pattern=patterns.OCCUPATION)] | None, Attribute("code")] = None
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


class PersonTransferred(CaseTransferred):
    """The office that answers for the person has passed the case on, so the person goes with it."""

    topic: ClassVar[str] = "registration.persons"
