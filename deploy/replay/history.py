"""The model of a history file: what happened in a programme, and the published figures that must come out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from deploy.replay.returns.checks import check_history
from shared.contracts.base import Code, Country
from shared.contracts.registration import Cefr, Sex
from shared.programmes.indicators import Declared, Language, Texts
from shared.programmes.loader import linted, loaded
from shared.programmes.marked_yaml import Broken, Finding
from shared.programmes.model import Definition, closed_schema

Count = Annotated[int, Field(ge=0, le=100_000)]
Occupation = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,4}$")]
Sentence = Annotated[str, StringConstraints(min_length=1, max_length=400)]


class Window(Declared):
    """`[starts, ends)` in calendar days."""

    starts: date
    ends: date


class Band(Declared):
    """So many persons with a number from `least` to `most`, both inclusive."""

    least: int
    most: int
    persons: Count


class Coded(Declared):
    """So many persons with this code."""

    code: Code
    persons: Count


class Level(Declared):
    """So many persons who speak English at this CEFR level."""

    level: Cefr
    persons: Count


class Profession(Declared):
    """So many persons in this sector, with one of these ISCO-08 occupations."""

    sector: Code
    occupations: Annotated[tuple[Occupation, ...], Field(min_length=1)]
    persons: Count


class Group(Declared):
    """Experts of one office: their country of origin, the languages that all of them speak, how many of each sex."""

    office: Code
    origin: Country
    languages: tuple[Language, ...] = ()
    female: Count
    male: Count


class Ineligible(Declared):
    """So many persons who fail this criterion, because the attribute has this value."""

    criterion: Code
    attribute: Literal["residence_status", "country_of_residence", "education", "experience_years"]
    value: int | Code
    persons: Count


class Population(Declared):
    """Who registered. Bands, professions and levels are those of the eligible persons and sum to their number."""

    residence: Country
    registered: Window
    groups: Annotated[tuple[Group, ...], Field(min_length=1)]
    ineligible: tuple[Ineligible, ...] = ()
    birth_years: tuple[Band, ...]
    education: tuple[Band, ...]
    experience_years: tuple[Band, ...]
    residence_statuses: tuple[Coded, ...]
    professions: tuple[Profession, ...]
    english: tuple[Level, ...]

    @property
    def persons(self) -> int:
        return sum(one.female + one.male for one in self.groups)

    @property
    def eligible(self) -> int:
        return self.persons - sum(one.persons for one in self.ineligible)


class Hosts(Declared):
    """How many institutions of each sector an office has as hosts."""

    office: Code
    country: Country
    number_by_sector: dict[Code, Annotated[int, Field(ge=1, le=1000)]]


class Placed(Declared):
    """`persons_by_returns`: how many persons returned once, twice, three times, ..."""

    office: Code
    sex: Sex
    persons_by_returns: tuple[Count, ...]

    @property
    def persons(self) -> int:
        return sum(self.persons_by_returns)

    @property
    def returns(self) -> int:
        return sum(times * persons for times, persons in enumerate(self.persons_by_returns, 1))


class Starts(Window):
    """So many returns began on a day of this window."""

    returns: Count


class Days(Declared):
    least: Annotated[int, Field(ge=7, le=365)]
    most: Annotated[int, Field(ge=7, le=365)]


class NoShows(Declared):
    """So many contracted experts did not come; none of them is among the placed."""

    office: Code
    sex: Sex
    persons: Count


class Unfilled(Declared):
    """So many requests got no further than this."""

    office: Code
    reached: Literal["submitted", "approved", "published"]
    requests: Count


class Extension(Declared):
    """So many returns were extended by so many days."""

    returns: Count
    days: Annotated[int, Field(ge=1, le=60)] = 21


class Deliveries(Declared):
    """What was requested, offered and carried out. Every assignment has one seat and a shortlist of three.

    `declined`: offers that the first of a shortlist declined, so that the first reserve went.
    """

    placed: tuple[Placed, ...]
    starts: Annotated[tuple[Starts, ...], Field(min_length=1)]
    duration_days: Days
    extended: Extension = Extension(returns=0)
    ended_early: Count = 0
    declined: Count = 0
    no_shows: tuple[NoShows, ...] = ()
    unfilled: tuple[Unfilled, ...] = ()

    @property
    def returns(self) -> int:
        return sum(one.returns for one in self.placed)

    @property
    def requests(self) -> int:
        filled = self.returns + sum(one.persons for one in self.no_shows)
        return filled + sum(one.requests for one in self.unfilled)


class Figure(Declared):
    """A figure that the history must give. `published` ones are golden; `chosen` ones follow from this file.

    The value is what the indicator shows, after its own rounding; there is no tolerance.
    """

    indicator: Code
    period: Code
    comparison: Literal["equals", "at_least"] = "equals"
    value: int
    origin: Literal["published", "chosen"]
    source: Sentence

    def met(self, shown: int | Decimal | None) -> bool:
        """Whether what the system shows (None: no value) agrees with the figure."""
        if shown is None:
            return False
        return shown == self.value if self.comparison == "equals" else shown >= self.value


class History(Declared):
    """What happened, stated by marginals; names and the rest follow from the seed and are invented by a formula."""

    code: Code
    programme: Code
    title: Texts
    seed: Annotated[int, Field(ge=0)]
    publisher: Code
    population: Population
    host_types: Annotated[tuple[Code, ...], Field(min_length=1)]
    hosts: Annotated[tuple[Hosts, ...], Field(min_length=1)]
    deliveries: Deliveries
    figures: Annotated[tuple[Figure, ...], Field(min_length=1)]


def _check(definition: Definition | None) -> Callable[[History], list[Broken]]:
    return partial(check_history, definition=definition)


def lint_history(text: str, definition: Definition | None = None) -> list[Finding]:
    """What is wrong with the text of a history file, by line; with a definition, also what does not fit it."""
    return linted(text, History, _check(definition))[1]


def load_history(source: Path | str, definition: Definition) -> History:
    """The history in a file (a Path) or in a text. Raises FileRefused."""
    return loaded(source, History, _check(definition))


def history_schema() -> dict[str, Any]:
    """The JSON Schema 2020-12 that editors check a history file against."""
    return closed_schema(History, "urn:sankofa:schema:programme-history")
