"""What a programme file may declare to be counted: facts, dimensions, indicators, periods.

An indicator is a query over facts, never a counter. This module fixes the words; monitoring compiles them.
A period is half-open, `[starts, ends)`, in calendar days of the office that the fact belongs to.
"""

from __future__ import annotations

from datetime import datetime, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag, model_validator
from pydantic_core import PydanticCustomError

from shared.contracts.base import Code, Date, Key
from shared.programmes.fact_words import (
    FIELDS_OF,
    NOT_STATED,
    NUMBERS,
    CodedAttribute,
    CodedField,
    FactKind,
    IdField,
    NumberAttribute,
    NumberField,
)

Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
Texts = Annotated[
    dict[Language, Annotated[str, StringConstraints(min_length=1, max_length=400)]], Field(min_length=1, max_length=40)
]


# As many as a standard's own list of countries or occupations has, and some more.
LISTED_AT_MOST = 500
Listing = Annotated[tuple[Code, ...], Field(max_length=LISTED_AT_MOST)]


class Declared(BaseModel):
    """Part of a file that people write. The loader refuses fields that nobody declared.

    A published definition is read more kindly: a replica of an older version ignores what it does not know.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")


def broken(rule: str, sentence: str) -> PydanticCustomError:
    """The error of a validator: the rule's name for machines, a sentence without values for people."""
    return PydanticCustomError(rule, sentence)


class Period(Declared):
    """`[starts, ends)` in calendar days. Periods of one `series` never overlap; those of two may."""

    code: Key
    name: Texts
    series: Code
    starts: Date
    ends: Date

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if self.ends <= self.starts:
            raise broken("period_backwards", "a period ends after it starts")
        return self

    def bounds(self, zone: tzinfo) -> tuple[datetime, datetime]:
        """The first instant of the period and the first one after it, for an office in that time zone."""
        return (
            datetime(self.starts.year, self.starts.month, self.starts.day, tzinfo=zone),
            datetime(self.ends.year, self.ends.month, self.ends.day, tzinfo=zone),
        )


class Source(Declared):
    """Where a value comes from: a field of the fact, or an attribute of its person.

    `at: event` takes the attribute as it was when the fact happened, `at: now` as it is known at the as-of
    instant. `age` is the year of the fact (or of the as-of instant) in the office's zone minus the birth year.
    """

    field: CodedField | NumberField | None = None
    attribute: CodedAttribute | NumberAttribute | None = None
    at: Literal["event", "now"] = "event"

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.field is None) == (self.attribute is None):
            raise broken("one_source", "name either a field or an attribute")
        return self

    @property
    def numeric(self) -> bool:
        return (self.field or self.attribute) in NUMBERS


class DimensionClass(Declared):
    """Some values under one code: listed `values`, a band `[at_least, below)`, or `rest` for all others."""

    code: Code
    name: Texts
    values: Listing = ()
    at_least: int | None = None
    below: int | None = None
    rest: bool = False

    def holds(self, value: str | int) -> bool:
        """Whether a stated value belongs here by its own rule; `rest` is for the dimension to decide."""
        if isinstance(value, str):
            return value in self.values
        banded = self.at_least is not None or self.below is not None
        return (
            banded and (self.at_least is None or value >= self.at_least) and (self.below is None or value < self.below)
        )


class Dimension(Source):
    """A breakdown. Without classes each value is its own class; what is missing is `not_stated`.

    `statistical`: this dimension's value stays in the last profile record of an erased person.
    """

    code: Key
    name: Texts
    classes: Annotated[tuple[DimensionClass, ...], Field(max_length=LISTED_AT_MOST)] = ()
    statistical: bool = False

    def class_of(self, value: str | int | None) -> str:
        """The class that a value falls into; the reference for what monitoring compiles to SQL."""
        if value is None:
            return NOT_STATED
        if not self.classes:
            return str(value)
        rest = NOT_STATED
        for one in self.classes:
            if one.holds(value):
                return one.code
            if one.rest:
                rest = one.code
        return rest


class Condition(Source):
    """One filter: exactly one of `one_of` (coded values), `at_least`, `at_most` (numbers, both inclusive).

    A missing value never meets a condition.
    """

    one_of: Listing | None = None
    at_least: int | None = None
    at_most: int | None = None

    @model_validator(mode="after")
    def _one_comparison(self) -> Self:
        given = [name for name in ("one_of", "at_least", "at_most") if getattr(self, name) is not None]
        if len(given) != 1:
            raise broken("one_comparison", "state exactly one of one_of, at_least, at_most")
        if (given[0] == "one_of") == self.numeric:
            raise broken("comparison_of_other_type", "one_of is for codes; at_least and at_most are for numbers")
        return self


class Facts(Declared):
    """Which facts are looked at: any of `kinds`, meeting every condition of `where`."""

    kinds: Annotated[tuple[FactKind, ...], Field(min_length=1, max_length=100)]
    where: Annotated[tuple[Condition, ...], Field(max_length=20)] = ()


class Distinct(Declared):
    """How many different persons (institutions, ...) the facts name; a merged person counts once."""

    distinct: IdField


class Sum(Declared):
    """The sum of a number that each fact carries."""

    sum: NumberField


class Share(Declared):
    """100 x the value of indicator `of` / the value of indicator `in`, each evaluated over the same period.

    Both are codes of other indicators of the file that are no shares themselves: the denominator has a name.
    `part`: whether the linter holds `of` to be a part of `in`; unchecked, the share may exceed 100.
    """

    model_config = ConfigDict(populate_by_name=True)

    of: Code
    in_: Annotated[Code, Field(alias="in")]
    part: Literal["checked", "unchecked"] = "checked"


class ShareMeasure(Declared):
    share: Share


def _measure_tag(value: object) -> str | None:
    """`count` or the one key of the others: one clear error instead of one for each alternative."""
    if isinstance(value, str):
        return "count"
    keys = value if isinstance(value, dict) else vars(value) if isinstance(value, Declared) else ()
    return next((str(key) for key in keys if key in ("distinct", "sum", "share")), None)


Measure = Annotated[
    Annotated[Literal["count"], Tag("count")]
    | Annotated[Distinct, Tag("distinct")]
    | Annotated[Sum, Tag("sum")]
    | Annotated[ShareMeasure, Tag("share")],
    Discriminator(
        _measure_tag,
        custom_error_type="measure",
        custom_error_message="a measure is count, {distinct: ...}, {sum: ...} or {share: {of: ..., in: ...}}",
    ),
]


class Indicator(Declared):
    """A figure. `unit` is `percent` for shares and for nothing else; `targets` by period code.

    `by`: dimensions that it may be broken down by (empty: each one that its facts can carry).
    `decimals`: digits after the point when it is shown or compared, rounded half up.
    """

    code: Code
    name: Texts
    unit: Code
    measure: Measure
    facts: Facts | None = None
    by: Annotated[tuple[Code, ...], Field(max_length=100)] = ()
    targets: Annotated[dict[Key, int], Field(max_length=LISTED_AT_MOST)] = {}
    baseline: int | None = None
    decimals: Annotated[int, Field(ge=0, le=6)] = 0

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if isinstance(self.measure, ShareMeasure):
            if self.facts is not None:
                raise broken("share_with_facts", "a share takes its facts from the two indicators that it names")
            if self.unit != "percent":
                raise broken("share_unit", "the unit of a share is percent")
        elif self.facts is None:
            raise broken("facts_missing", "state the facts that are counted")
        elif self.unit == "percent":
            raise broken("percent_of_no_share", "percent is the unit of shares alone")
        return self

    @property
    def share(self) -> Share | None:
        return self.measure.share if isinstance(self.measure, ShareMeasure) else None


def carries(kind: FactKind, source: Source) -> bool:
    """Whether facts of this kind can answer for the source."""
    wanted = source.field if source.field is not None else "person"
    return wanted in FIELDS_OF[kind]


def share_value(numerator: int, denominator: int, decimals: int) -> Decimal | None:
    """100 x numerator / denominator, rounded half up; None where the denominator is zero."""
    if denominator == 0:
        return None
    exact = Decimal(100 * numerator) / Decimal(denominator)
    return exact.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)
