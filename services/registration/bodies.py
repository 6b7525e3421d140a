"""What may be sent to registration: strict models with bounds, texts in one form."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from shared.contracts.base import Code, Country, Id
from shared.contracts.registration import PURPOSES, Attributes, Purpose
from shared.identity.sealing import fold_number
from shared.programmes.checks import country_codes, language_codes
from shared.texts import exact, one_line
from shared.web.bodies import Change, Input

LANGUAGES_AT_MOST = 40


def _refuse(rule: str) -> PydanticCustomError:
    return PydanticCustomError(rule, "the value breaks the rule")


def _numbered(value: str) -> str:
    if not fold_number(value):
        raise _refuse("no_letter_or_digit")
    return value


def _known_country(value: str) -> str:
    if value not in country_codes():
        raise _refuse("country_unknown")
    return value


def _known_codes(attributes: Attributes) -> Attributes:
    named = (attributes.nationality, attributes.country_of_origin, attributes.country_of_residence)
    if any(one is not None and one not in country_codes() for one in named):
        raise _refuse("country_unknown")
    languages = [skill.language for skill in attributes.languages]
    if any(one not in language_codes() for one in languages):
        raise _refuse("language_unknown")
    if len(languages) > LANGUAGES_AT_MOST or len(set(languages)) < len(languages):
        raise _refuse("languages_repeated_or_too_many")
    return attributes


def _plausible_day(value: date) -> date:
    if value.year < 1900:
        raise _refuse("date_too_early")
    return value


Line = Annotated[str, BeforeValidator(one_line), StringConstraints(min_length=1, max_length=120)]
Email = Annotated[
    str,
    BeforeValidator(one_line),
    StringConstraints(max_length=254, pattern=r"^[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+$"),
]
Telephone = Annotated[
    str, BeforeValidator(one_line), StringConstraints(min_length=4, max_length=32, pattern=r"^\+?[0-9][0-9 ().-]*$")
]
KnownCountry = Annotated[Country, AfterValidator(_known_country)]
KnownAttributes = Annotated[Attributes, AfterValidator(_known_codes)]
Day = Annotated[date, AfterValidator(_plausible_day)]
Codes = Annotated[tuple[Code, ...], Field(min_length=1, max_length=20)]
ConsentPurpose = Annotated[
    Purpose, Field(description=" ".join(f"`{purpose}`: {sentence}" for purpose, sentence in PURPOSES.items()))
]


class IdentityDocument(Input):
    """`type`: passport, identity-card, ...; `country`: the issuing one."""

    type: Code
    country: KnownCountry
    number: Annotated[
        str, BeforeValidator(one_line), StringConstraints(min_length=1, max_length=64), AfterValidator(_numbered)
    ]


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


class InstitutionRegistration(Change):
    """`account`: the subject under which the institution signs in."""

    name: Annotated[str, BeforeValidator(one_line), StringConstraints(min_length=1, max_length=200)]
    country: KnownCountry
    area: Code | None = None
    sector: Code
    host_type: Code
    office: Code
    account: Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(exact)] | None = None


class ProgrammePublication(Change):
    """`definition`: as in a definition file, as JSON."""

    definition: dict[str, Any]


class Reason(Change):
    reason: Code


class Consent(Change):
    purpose: ConsentPurpose


class RequestedItems(Change):
    """`items`: codes of what is missing."""

    items: Codes


class ProvidedInfo(Change):
    """Attributes come with the day from which they hold."""

    attributes: KnownAttributes | None = None
    valid_from: Day | None = None

    @model_validator(mode="after")
    def _together(self) -> Self:
        if (self.attributes is None) != (self.valid_from is None):
            raise _refuse("attributes_with_valid_from")
        return self


class ProfileCorrection(Change):
    """`corrects`: the entry that was wrong; the correction keeps its `valid_from`."""

    attributes: KnownAttributes
    valid_from: Day
    corrects: Id | None = None
