"""What a programme is: its definition file as a model. Published whole as an event; services ask it alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import Field, JsonValue

from shared.contracts.base import Code, Country, Date, Key
from shared.contracts.registration.persons import ATTRIBUTES
from shared.errors import Refusal
from shared.programmes.indicators import Declared, Dimension, Indicator, Period, Texts
from shared.programmes.sections.base import Listed, Section
from shared.programmes.sections.placement import PlacementSection
from shared.programmes.sections.reporting import ReportingSection
from shared.programmes.sections.results import ResultsSection
from shared.programmes.sections.selection import SelectionSection
from shared.programmes.sections.trainings import TrainingsSection
from shared.zones import zone

S = TypeVar("S", bound=Section)
# So long before its first day a programme is open at most: people apply, and posts are described, before it runs.
PREPARED = timedelta(days=366)


class Mailbox(Declared):
    """Where an office is written to: an address of the office, for a definition is public and stands for ever."""

    # What is published today is held to more (`checks`); a definition that stands is read as it is.
    email: Annotated[
        str, Field(max_length=254, pattern=r"^[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+$", description="of the office itself")
    ]
    language: Annotated[Literal["en", "fr", "ar"], Field(description="in which it is written to")] = "en"
    often: Annotated[
        Literal["daily", "at_once"], Field(description="one mail a morning for what is not urgent, or each at once")
    ] = "daily"
    unwanted: Annotated[
        tuple[Literal["request", "progress", "reminder"], ...],
        Field(max_length=3, description="kinds that it is not told; what was decided it is told always"),
    ] = ()


class Office(Declared):
    """Runs cases, each in its own time zone (IANA name)."""

    code: Annotated[Code, Field(description="what cases and rights name")]
    name: Annotated[Texts, Field(description="what people read")]
    country: Annotated[Country, Field(description="where it is")]
    time_zone: Annotated[str, Field(max_length=64, description="its calendar days: a name of the IANA list")]
    predecessors: Annotated[
        tuple[Code, ...],
        Field(max_length=20, description="offices of earlier versions that this one continues: renamed, or merged"),
    ] = ()

    mailbox: Annotated[
        Mailbox | None, Field(description="where it is told what happens in its cases; else nowhere")
    ] = None

    @property
    def zone(self) -> tzinfo:
        return zone(self.time_zone)


class Dates(Declared):
    """`[starts, ends)`: when the programme ran or runs."""

    starts: Annotated[Date, Field(description="the first day")]
    ends: Annotated[Date, Field(description="the first day after it")]


class PublishedTables(Declared):
    """Indicators, each in these periods and by these dimensions together: a table each, with its total. Without
    indicators all of them, without periods every one."""

    indicators: Annotated[tuple[Code, ...], Field(max_length=200, description="codes; none: every indicator")] = ()
    periods: Annotated[tuple[Key, ...], Field(max_length=200, description="codes; none: every period")] = ()
    by: Annotated[tuple[Code, ...], Field(max_length=3, description="dimensions, all at once; none: totals")] = ()


class Disclosure(Declared):
    """No figure about fewer than `threshold` persons leaves the office, and of none that is withheld anybody can tell
    from all that is published between which two numbers less than `protection` apart it lies.

    What is published of a period are these `tables`; of none declared, the total of every indicator.
    """

    threshold: Annotated[int, Field(ge=3, le=1000, description="persons at least")] = 10
    protection: Annotated[int, Field(ge=2, le=1000, description="so far apart at least")] = 10
    tables: Annotated[tuple[PublishedTables, ...], Field(max_length=50, description="what is published")] = ()


class Definition(Declared):
    """A programme. `phase` names the phase that this file declares; another phase is another file.

    Lists of codes are what cases and persons may name; of an empty list of categories or residence statuses, a
    person names none. A section says what the programme does, and what it leaves out it does not do.
    """

    code: Annotated[Code, Field(description="the programme's code, for ever")]
    title: Annotated[Texts, Field(description="its name; every text is there in each of these languages")]
    phase: Annotated[Code, Field(description="the phase that this file declares")]
    dates: Annotated[Dates, Field(description="when it ran or runs")]
    offices: Annotated[
        tuple[Office, ...], Field(min_length=1, max_length=100, description="who runs cases; a case belongs to one")
    ]
    countries_of_origin: Annotated[
        tuple[Country, ...], Field(min_length=1, max_length=250, description="where people return to and work is done")
    ]
    countries_of_residence: Annotated[
        tuple[Country, ...], Field(max_length=250, description="where people return from")
    ] = ()
    areas: Annotated[
        tuple[Listed, ...], Field(max_length=1000, description="parts of countries; of an empty list, any")
    ] = ()
    sectors: Annotated[tuple[Listed, ...], Field(min_length=1, max_length=200, description="sectors of work")]
    categories: Annotated[tuple[Listed, ...], Field(max_length=100, description="categories of persons")] = ()
    residence_statuses: Annotated[
        tuple[Listed, ...], Field(max_length=100, description="by what right a person lives abroad")
    ] = ()
    disclosure: Annotated[Disclosure, Field(description="what figures may leave the office")] = Disclosure()
    periods: Annotated[tuple[Period, ...], Field(max_length=200, description="what figures are for")] = ()
    dimensions: Annotated[
        tuple[Dimension, ...], Field(max_length=50, description="what figures can be broken down by")
    ] = ()
    indicators: Annotated[tuple[Indicator, ...], Field(max_length=200, description="the figures")] = ()

    selection: Annotated[SelectionSection | None, Field(description="choosing experts for posts")] = None
    placement: Annotated[PlacementSection | None, Field(description="returns to host institutions")] = None
    trainings: Annotated[TrainingsSection | None, Field(description="trainings that are held")] = None
    results: Annotated[ResultsSection | None, Field(description="sites, works and whom they reach")] = None
    reporting: Annotated[ReportingSection | None, Field(description="under which names figures go to others")] = None

    def refuse_outside(self, office: str | None, happened_at: datetime | None, now: datetime) -> None:
        """Raises Refusal `programme_is_over` (409) where the programme had ended, on the office's calendar; and
        `long_before_the_programme` (422) for what is said to have happened long before it. What is recorded late is
        asked at the time at which it happened."""
        if self.is_over(office, happened_at or now):
            detail = f"the programme ran until the day before {self.dates.ends}"
            raise Refusal("programme_is_over", detail, at="/programme")
        first = self.dates.starts - PREPARED
        if happened_at is not None and happened_at < begin_of(first, self.zone_of(office)):
            detail = f"the programme was not open before {first}"
            raise Refusal("long_before_the_programme", detail, at="/happened_at", status=422)

    def is_over(self, office: str | None, at: datetime) -> bool:
        """Whether the programme had ended by that instant, by the calendar of `zone_of`."""
        return at >= self.closes_at(office)

    def closes_at(self, office: str | None) -> datetime:
        """The first instant after the programme, in UTC, by the calendar of `zone_of`."""
        return begin_of(self.dates.ends, self.zone_of(office))

    def zone_of(self, office: str | None) -> tzinfo:
        """In which zone the programme's days are reckoned: the office's. Without an office, and for one that this
        version does not list, that of the office where the programme ends last: until then it is open somewhere."""
        found = self.office(office) if office else None
        return found.zone if found else self._where_it_closes()[-1].zone

    @property
    def closes_first_at(self) -> Office:
        """The office where the programme ends before it does at the others."""
        return self._where_it_closes()[0]

    def _where_it_closes(self) -> tuple[Office, ...]:
        """The offices in the order in which the programme ends there."""
        return tuple(sorted(self.offices, key=lambda one: (begin_of(self.dates.ends, one.zone), one.code)))

    def sections(self) -> dict[str, Section]:
        """The sections that this programme has, by their names in the file."""
        parts = ((name, getattr(self, name)) for name in section_kinds())
        return {name: part for name, part in parts if part is not None}

    def section(self, kind: type[S]) -> S:
        """The section of that kind. Raises Refusal `not_in_programme` (409) where the programme lacks it."""
        for part in self.sections().values():
            if isinstance(part, kind):
                return part
        raise Refusal("not_in_programme", f"the programme has no section {name_of(kind)}")

    def as_json(self) -> dict[str, JsonValue]:
        """The definition as JSON types, as it is published; shared.programmes.published reads it back.

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

    def statistical_attributes(self) -> frozenset[str]:
        """Attributes that the last profile record of an erased person keeps."""
        words = {str(d.attribute) for d in self.dimensions if d.statistical and d.attribute is not None}
        return frozenset(name for name, one in ATTRIBUTES.items() if (one.word or name) in words)


def begin_of(day: date, zone: tzinfo) -> datetime:
    """When the day begins there, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


@cache
def section_kinds() -> Mapping[str, type[Section]]:
    """Every section that a definition may have, by its name in the file."""
    declared = {name: get_args(field.annotation) for name, field in Definition.model_fields.items()}
    return {
        name: kind
        for name, parts in declared.items()
        for kind in parts
        if isinstance(kind, type) and issubclass(kind, Section)
    }


def name_of(kind: type[Section]) -> str:
    """The section's name in a file."""
    return next(name for name, one in section_kinds().items() if one is kind)


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
