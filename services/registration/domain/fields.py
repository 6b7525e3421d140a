"""Fields of what may be sent to registration: strict types with bounds, texts in one form."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, LiteralString

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from shared.contracts.base import Country, Date
from shared.contracts.occupations import occupation_codes
from shared.contracts.registration import PURPOSES, Attributes, Purpose
from shared.programmes.checks import country_codes, language_codes
from shared.texts import fold_number, one_line


def broken(rule: LiteralString, expected: str = "the value breaks the rule") -> PydanticCustomError:
    """The error of a field that breaks the rule; `expected`: what would be right. It never carries the value."""
    return PydanticCustomError(rule, expected)


def _numbered(value: str) -> str:
    if not fold_number(value):
        raise broken("no_letter_or_digit", "a number with letters or digits, as it stands in the document")
    return value


def _known_country(value: str) -> str:
    if value not in country_codes():
        raise broken("country_unknown")
    return value


def _known_codes(attributes: Attributes) -> Attributes:
    named = (attributes.nationality, attributes.country_of_origin, attributes.country_of_residence)
    if any(one is not None and one not in country_codes() for one in named):
        raise broken("country_unknown")
    if attributes.occupation is not None and attributes.occupation not in occupation_codes():
        raise broken("occupation_unknown")
    languages = [skill.language for skill in attributes.languages]
    if any(one not in language_codes() for one in languages):
        raise broken("language_unknown")
    if len(set(languages)) < len(languages):
        raise broken("languages_repeated")
    return attributes


def _plausible_day(value: date) -> date:
    if value.year < 1900:
        raise broken("date_too_early")
    return value


def _said(value: Any) -> Any:
    """None for a text of nothing but spaces."""
    line = one_line(value)
    return None if line == "" else line


Line = Annotated[str, BeforeValidator(one_line), StringConstraints(min_length=1, max_length=120)]
Email = Annotated[
    str,
    BeforeValidator(one_line),
    StringConstraints(max_length=254, pattern=r"^[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+$"),
]
# One name is enough, whichever it is: many people have but one.
Name = Annotated[Annotated[str, StringConstraints(max_length=120)] | None, BeforeValidator(_said)]
Telephone = Annotated[str, BeforeValidator(one_line), StringConstraints(max_length=64)]
DocumentNumber = Annotated[
    str, BeforeValidator(one_line), StringConstraints(min_length=1, max_length=64), AfterValidator(_numbered)
]
KnownCountry = Annotated[Country, AfterValidator(_known_country)]
KnownAttributes = Annotated[Attributes, AfterValidator(_known_codes)]
Day = Annotated[Date, AfterValidator(_plausible_day)]
ConsentPurpose = Annotated[
    Purpose, Field(description=" ".join(f"`{purpose}`: {sentence}" for purpose, sentence in PURPOSES.items()))
]
