"""What a programme is: its definition file as a model. Published whole as an event; services ask it alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, JsonValue

from shared.contracts.base import Code, Country
from shared.contracts.matching import Modality
from shared.contracts.placement import PreparationStep
from shared.contracts.registration import LanguageSkill
from shared.programmes.indicators import Declared, Dimension, Indicator, Period, Texts

Operator = Literal["one_of", "at_least", "at_most", "age_at_least", "language_at_least", "any_of"]
Component = Literal["occupation", "sector", "education", "experience", "language", "origin", "first_time"]
CriterionAttribute = Literal[
    "sex",
    "nationality",
    "country_of_origin",
    "country_of_residence",
    "residence_status",
    "sector",
    "category",
    "education",
    "experience_years",
    "birth_year",
    "languages",
]


class Office(Declared):
    """Runs cases, each in its own time zone (IANA name)."""

    code: Code
    name: Texts
    country: Country
    time_zone: Annotated[str, Field(max_length=64)]

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


class Listed(Declared):
    """A code of the programme with its name for people."""

    code: Code
    name: Texts


class Dates(Declared):
    """`[starts, ends)`: when the programme ran or runs."""

    starts: date
    ends: date


class Criterion(Declared):
    """One condition of eligibility.

    | operator | attribute | required |
    |---|---|---|
    | one_of | a coded one | list of codes |
    | at_least, at_most | education, experience_years | integer, inclusive |
    | age_at_least | birth_year | years completed by the end of the calendar year |
    | language_at_least | languages | one {language, level}: that CEFR level or higher |
    | any_of | languages | list of {language, level}: any one of them |
    """

    criterion: Code
    name: Texts
    attribute: CriterionAttribute
    operator: Operator
    required: int | LanguageSkill | tuple[LanguageSkill, ...] | tuple[Code, ...]


class Weight(Declared):
    """How many of the 100 points a component may give. There is none for sex, and there cannot be one."""

    component: Component
    weight: Annotated[int, Field(ge=1, le=100)]


class Shortlist(Declared):
    least: Annotated[int, Field(ge=3, le=5)] = 3
    most: Annotated[int, Field(ge=3, le=5)] = 5


class Seats(Declared):
    """`most`: seats that one assignment may offer; `reserve`: a free seat goes to the next of the shortlist."""

    most: Annotated[int, Field(ge=1, le=100)] = 1
    reserve: bool = True


class Disclosure(Declared):
    """No figure about fewer than `threshold` persons leaves the office."""

    threshold: Annotated[int, Field(ge=3, le=1000)] = 10


class Definition(Declared):
    """A programme. `phase` names the phase that this file declares; another phase is another file.

    `preparation`: for each modality the steps without which nobody departs. Lists of codes are what terms of
    reference, institutions and persons may name; of an empty list of categories or residence statuses, a person
    names none. `score`: weights that sum to 100.
    """

    code: Code
    title: Texts
    phase: Code
    dates: Dates
    offices: Annotated[tuple[Office, ...], Field(min_length=1, max_length=100)]
    countries_of_origin: Annotated[tuple[Country, ...], Field(min_length=1)]
    countries_of_residence: tuple[Country, ...] = ()
    areas: tuple[Listed, ...] = ()
    modalities: Annotated[tuple[Modality, ...], Field(min_length=1)]
    sectors: Annotated[tuple[Listed, ...], Field(min_length=1)]
    host_types: Annotated[tuple[Listed, ...], Field(min_length=1)]
    categories: tuple[Listed, ...] = ()
    residence_statuses: tuple[Listed, ...] = ()
    eligibility: Annotated[tuple[Criterion, ...], Field(max_length=50)] = ()
    score: tuple[Weight, ...] = ()
    shortlist: Shortlist = Shortlist()
    offer_expires_days: Annotated[int, Field(ge=1, le=365)] = 14
    seats: Seats = Seats()
    preparation: dict[Modality, tuple[PreparationStep, ...]] = {}
    disclosure: Disclosure = Disclosure()
    periods: Annotated[tuple[Period, ...], Field(max_length=200)] = ()
    dimensions: Annotated[tuple[Dimension, ...], Field(max_length=50)] = ()
    indicators: Annotated[tuple[Indicator, ...], Field(max_length=200)] = ()

    def as_json(self) -> dict[str, JsonValue]:
        """The definition as JSON types, as it is published; `Definition.model_validate` reads it back.

        Defaults are written out: what was published must not change when a default does.
        """
        dumped: dict[str, JsonValue] = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        return dumped

    def office(self, code: str) -> Office | None:
        return next((one for one in self.offices if one.code == code), None)

    def period(self, code: str) -> Period | None:
        return next((one for one in self.periods if one.code == code), None)

    def dimension(self, code: str) -> Dimension | None:
        return next((one for one in self.dimensions if one.code == code), None)

    def indicator(self, code: str) -> Indicator | None:
        return next((one for one in self.indicators if one.code == code), None)

    def obligatory_steps(self, modality: Modality) -> tuple[PreparationStep, ...]:
        """The preparation steps without which nobody departs (or, for virtual work, begins)."""
        return self.preparation.get(modality, ())

    def weights(self) -> Mapping[Component, int]:
        return {one.component: one.weight for one in self.score}

    def statistical_attributes(self) -> frozenset[str]:
        """Attributes that the last profile record of an erased person keeps."""
        return frozenset(str(d.attribute) for d in self.dimensions if d.statistical and d.attribute is not None)


def editor_schema() -> dict[str, Any]:
    """The JSON Schema 2020-12 that editors check a definition file against."""
    return closed_schema(Definition, "urn:sankofa:schema:programme-definition")


def closed_schema(model: type[Declared], id: str) -> dict[str, Any]:
    """The model's schema in which, as in the loader, no undeclared field is allowed."""
    schema = model.model_json_schema(by_alias=True)
    for part in (schema, *schema.get("$defs", {}).values()):
        if part.get("type") == "object" and "properties" in part:
            part["additionalProperties"] = False
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": id, **schema}
