"""Fields of what may be sent to registration: strict types with bounds, texts in one form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any, LiteralString

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from shared.contracts.base import Country
from shared.contracts.iso_codes import (
    A_COUNTRY,
    A_LANGUAGE,
    A_NATIONALITY,
    A_STATE,
    WITHOUT_A_STATE,
    country_codes,
    language_codes,
    nationality_codes,
    state_codes,
)
from shared.contracts.occupations import occupation_codes
from shared.contracts.registration.persons import PURPOSES, Attributes, Purpose
from shared.texts import MAIL_ADDRESS, fold_number, one_line


def broken(rule: LiteralString, expected: str) -> PydanticCustomError:
    """The error of a field that breaks the rule; `expected`: what would be right. It never carries the value."""
    return PydanticCustomError(rule, expected)


def at_field(name: str, error: PydanticCustomError) -> ValidationError:
    """The error at the field of that name, for a rule over several fields of a model."""
    return ValidationError.from_exception_data("", [InitErrorDetails(type=error, loc=(name,), input=None)])


def _numbered(value: str) -> str:
    if not fold_number(value):
        raise broken("no_letter_or_digit", "a number with letters or digits, as it stands in the document")
    return value


def _known(codes: Callable[[], frozenset[str]], expected: LiteralString) -> AfterValidator:
    def check(value: str) -> str:
        if value not in codes():
            raise broken("country_unknown", expected)
        return value

    return AfterValidator(check)


Wrong = Iterator[tuple[tuple[str | int, ...], PydanticCustomError]]


def _known_codes(attributes: Attributes) -> Attributes:
    wrong = [*_countries(attributes), *_nationalities(attributes), *_occupation(attributes), *_languages(attributes)]
    if wrong:
        # Errors that are raised so stand at the fields, with `loc` below that of the attributes.
        rows = [InitErrorDetails(type=error, loc=loc, input=None) for loc, error in wrong]
        raise ValidationError.from_exception_data("Attributes", rows)
    return attributes


def _countries(attributes: Attributes) -> Wrong:
    origin, residence = attributes.country_of_origin, attributes.country_of_residence
    if origin is not None and origin not in state_codes():
        yield ("country_of_origin",), broken("country_unknown", A_STATE)
    if residence is not None and residence not in country_codes():
        yield ("country_of_residence",), broken("country_unknown", A_COUNTRY)


def _nationalities(attributes: Attributes) -> Wrong:
    """Whoever has no state's nationality has no other one."""
    first, others = attributes.nationality, attributes.other_nationalities
    if first is not None and first not in nationality_codes():
        yield ("nationality",), broken("country_unknown", A_NATIONALITY)
    if others and first is None:
        yield ("nationality",), broken("nationality_missing", "the nationality that figures count, beside the others")
    if others and first in WITHOUT_A_STATE:
        yield ("other_nationalities",), broken("without_a_state", "XXA, XXB and XXC stand alone")
    for number, code in enumerate(others):
        place = ("other_nationalities", number)
        if code not in state_codes():
            yield place, broken("country_unknown", A_STATE)
        elif code == first or code in others[:number]:
            yield place, broken("nationality_repeated", "a nationality is stated once")


def _occupation(attributes: Attributes) -> Wrong:
    if attributes.occupation is not None and attributes.occupation not in occupation_codes():
        yield ("occupation",), broken("occupation_unknown", "an occupation is a code of ISCO-08, of any level")


def _languages(attributes: Attributes) -> Wrong:
    languages = [skill.language for skill in attributes.languages]
    for number, code in enumerate(languages):
        place = ("languages", number, "language")
        if code not in language_codes():
            yield place, broken("language_unknown", A_LANGUAGE)
        elif code in languages[:number]:
            yield place, broken("language_repeated", "a language is stated once, by one code")


def _said(value: Any) -> Any:
    """None for a text of nothing but spaces."""
    line = one_line(value)
    return None if line == "" else line


Line = Annotated[str, StringConstraints(min_length=1, max_length=120), BeforeValidator(one_line)]
Email = Annotated[
    str,
    BeforeValidator(one_line),
    StringConstraints(max_length=254, pattern=MAIL_ADDRESS),
]
# One name is enough, whichever it is: many people have but one.
Name = Annotated[Annotated[str, StringConstraints(max_length=120)] | None, BeforeValidator(_said)]
Telephone = Annotated[str, StringConstraints(max_length=64), BeforeValidator(one_line)]
DocumentNumber = Annotated[
    str, StringConstraints(min_length=1, max_length=64), BeforeValidator(one_line), AfterValidator(_numbered)
]
KnownCountry = Annotated[Country, _known(country_codes, A_COUNTRY)]
# Whose document somebody still holds.
KnownState = Annotated[Country, _known(state_codes, A_STATE)]
KnownAttributes = Annotated[Attributes, AfterValidator(_known_codes)]
ConsentPurpose = Annotated[
    Purpose, Field(description=" ".join(f"`{purpose}`: {sentence}" for purpose, sentence in PURPOSES.items()))
]
