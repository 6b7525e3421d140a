"""A chapter of returns: who registered, which hosts there were, and what was requested, offered and carried out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.contracts.base import Code, Country, Date, Nationality
from shared.contracts.matching.assignments import Modality
from shared.contracts.registration.persons import Cefr, Purpose, Sex, SpokenLanguage
from shared.programmes.indicators import Declared

Count = Annotated[int, Field(ge=0, le=100_000)]
Occupation = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,4}$")]
Line = Annotated[str, StringConstraints(min_length=1, max_length=120)]


class Window(Declared):
    """`[starts, ends)` in calendar days."""

    starts: Date
    ends: Date


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
    """So many persons who speak the language at this CEFR level."""

    level: Cefr
    persons: Count


class Profession(Declared):
    """So many persons in this sector, with one of these ISCO-08 occupations."""

    sector: Code
    occupations: Annotated[tuple[Occupation, ...], Field(min_length=1)]
    persons: Count


class Group(Declared):
    """So many persons of each sex who share an office and an origin, and whatever else is said here.

    `code`: for `placed` and the like to name. `languages`: spoken by all of them, at this CEFR level. `youngest`: of
    all the eligible they were born last and have worked the fewest years.
    """

    code: Code | None = None
    office: Code
    origin: Country
    residence: Country | None = None
    nationality: Nationality | None = None
    category: Code | None = None
    youngest: bool = False
    languages: dict[SpokenLanguage, Cefr] = {}
    female: Count = 0
    male: Count = 0
    other: Count = 0
    not_stated: Count = 0

    def number(self, sex: Sex) -> int:
        number: int = getattr(self, sex)
        return number

    @property
    def persons(self) -> int:
        return self.female + self.male + self.other + self.not_stated


class Ineligible(Declared):
    """So many persons who fail this criterion, because the attribute has this value."""

    criterion: Code
    attribute: Literal["residence_status", "country_of_residence", "education", "experience_years"]
    value: int | Code
    persons: Count


class Correction(Declared):
    """So many persons of whom something else was said first and put right at the end; the marginals hold then.

    Persons who returned come first, so that figures of past periods change.
    """

    attribute: Literal["sex", "birth_year"]
    first_said: Sex | Annotated[int, Field(ge=1900, le=2100)]
    persons: Count


class Withdrawal(Declared):
    """So many persons of the office who neither returned nor were expected took their consent back at the end."""

    office: Code
    persons: Count
    purpose: Purpose = "placement"


class Population(Declared):
    """Who registered, each on a day of `registered`.

    Bands, codes, professions and levels are those of the eligible persons and sum to their number. Residence and
    nationality are those of the groups, or stated as numbers here; without a nationality a citizen has that of the
    residence and everybody else that of the origin.
    """

    registered: Window
    consents: tuple[Purpose, ...] = ("placement",)
    groups: Annotated[tuple[Group, ...], Field(min_length=1)]
    ineligible: tuple[Ineligible, ...] = ()
    birth_years: tuple[Band, ...]
    education: tuple[Band, ...]
    experience_years: tuple[Band, ...]
    residences: tuple[Coded, ...] = ()
    nationalities: tuple[Coded, ...] = ()
    residence_statuses: tuple[Coded, ...] = ()
    professions: tuple[Profession, ...]
    languages: dict[SpokenLanguage, tuple[Level, ...]] = {}
    corrections: tuple[Correction, ...] = ()
    withdrawn: tuple[Withdrawal, ...] = ()

    @property
    def persons(self) -> int:
        return sum(one.persons for one in self.groups)

    @property
    def eligible(self) -> int:
        return self.persons - sum(one.persons for one in self.ineligible)


class Hosts(Declared):
    """How many institutions of each sector there are in an office, or in one area of it.

    `received`: so many of them, and no other of them, received somebody.
    """

    office: Code
    country: Country
    area: Code | None = None
    number_by_sector: dict[Code, Annotated[int, Field(ge=1, le=1000)]]
    received: Annotated[int, Field(ge=1, le=100_000)] | None = None

    @property
    def place(self) -> tuple[str, str | None]:
        return self.office, self.area

    @property
    def number(self) -> int:
        return sum(self.number_by_sector.values())


class Of(Declared):
    """Whom or what a line is about. `area`: where the office has hosts by area; `group`: of it alone."""

    office: Code
    area: Code | None = None

    @property
    def place(self) -> tuple[str, str | None]:
        return self.office, self.area


class Placed(Of):
    """`persons_by_returns`: how many persons returned once, twice, three times, ..."""

    group: Code | None = None
    sex: Sex
    persons_by_returns: tuple[Count, ...]

    @property
    def persons(self) -> int:
        return sum(self.persons_by_returns)

    @property
    def returns(self) -> int:
        return sum(times * persons for times, persons in enumerate(self.persons_by_returns, 1))


class NoShows(Of):
    """So many contracted experts did not come; none of them is among the placed."""

    group: Code | None = None
    sex: Sex
    persons: Count


class Cancelled(NoShows):
    """So many accepted experts whose placement was called off before or after the contract; none is placed."""

    contracted: bool = True
    reason: Code = "host_closed"


class Unfilled(Of):
    """So many requests got no further than this; `declined`: the offer was declined and nobody followed."""

    reached: Literal["submitted", "approved", "published", "declined"]
    requests: Count


class Starts(Window):
    """So many returns began on a day of this window."""

    returns: Count


class Days(Declared):
    least: Annotated[int, Field(ge=1, le=3650)]
    most: Annotated[int, Field(ge=1, le=3650)]


class Extension(Declared):
    """So many returns were extended by so many days, so often; no return is in two of these lines."""

    returns: Count
    days: Annotated[int, Field(ge=1, le=365)] = 21
    times: Annotated[int, Field(ge=1, le=20)] = 1


class EarlyEnd(Declared):
    """So many returns ended halfway."""

    returns: Count
    party: Literal["expert", "host", "programme"] = "expert"
    reason: Code = "family"


class Shortlisting(Declared):
    """So many names a shortlist; so many of them applied, the others were sourced by the officer."""

    names: Annotated[int, Field(ge=1, le=50)] = 3
    applying: Annotated[int, Field(ge=0, le=50)] = 2


class Deliveries(Declared):
    """What was requested, offered and carried out. Every assignment has one seat.

    `modalities`: how many of the returns had which; other requests name the first of these. `apart_days`: at least so
    many lie between the beginnings of two returns of one person. `declined`: offers that the first of a shortlist
    declined, so that the first reserve went; an empty seat stands under `unfilled`.
    """

    placed: tuple[Placed, ...]
    starts: Annotated[tuple[Starts, ...], Field(min_length=1)]
    duration_days: Days
    modalities: dict[Modality, Count] = {}
    shortlist: Shortlisting = Shortlisting()
    apart_days: Annotated[int, Field(ge=1, le=3650)] = 180
    title: Line = "Assignment of an expert"
    description: Annotated[str, StringConstraints(max_length=2000)] = ""
    extended: tuple[Extension, ...] = ()
    ended_early: tuple[EarlyEnd, ...] = ()
    declined: Count = 0
    no_shows: tuple[NoShows, ...] = ()
    cancelled: tuple[Cancelled, ...] = ()
    unfilled: tuple[Unfilled, ...] = ()

    @property
    def returns(self) -> int:
        return sum(one.returns for one in self.placed)

    @property
    def absent(self) -> tuple[NoShows, ...]:
        """Who was expected and did not come, for whichever reason."""
        return (*self.no_shows, *self.cancelled)

    @property
    def extension_days(self) -> int:
        return max((one.days * one.times for one in self.extended), default=0)

    @property
    def first_modality(self) -> Modality:
        return next(iter(self.modalities), "temporary")


class Returns(Declared):
    """People who return to host institutions: registered, chosen, placed."""

    kind: Literal["returns"]
    population: Population
    host_types: Annotated[tuple[Code, ...], Field(min_length=1)]
    hosts: Annotated[tuple[Hosts, ...], Field(min_length=1)]
    deliveries: Deliveries

    def lines(self) -> Iterator[tuple[str, Of]]:
        """Every line of the deliveries about one place, with its pointer within the chapter."""
        for name in ("placed", "no_shows", "cancelled", "unfilled"):
            for number, one in enumerate(getattr(self.deliveries, name)):
                yield f"/deliveries/{name}/{number}", one
