"""What a history's plan says will be counted: planned facts, and figures counted from them without any service.

This is the independent side of every comparison: it shares the definition's words with monitoring, and no code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from shared.contracts.registration.persons import Attributes
from shared.errors import SankofaError
from shared.programmes.indicators import (
    Condition,
    Dimension,
    Distinct,
    Facts,
    Indicator,
    Period,
    Source,
    Sum,
    share_value,
)
from shared.programmes.model import Definition

Value = str | int | None


class NotCountable(SankofaError):
    """The plan cannot say what a figure will be; the message says which figure."""


@dataclass(frozen=True)
class Planned:
    """One fact that the system is to tell: of which kind, when, under which office, with which fields.

    `attributes`: of its person, as they are known at the end.
    """

    kind: str
    at: datetime
    office: str
    fields: Mapping[str, Value] = field(default_factory=dict)
    attributes: Attributes | None = None


def counted(
    definition: Definition, facts: Iterable[Planned], indicator: str, period: str, by: Mapping[str, str]
) -> int | Decimal | None:
    """What the indicator will show for the period, in the one class of each dimension that `by` names.

    None for a share of nothing. Raises NotCountable.
    """
    found, during = definition.indicator(indicator), definition.period(period)
    if found is None or during is None:
        raise NotCountable(f"{indicator} or {period} is not in the definition")
    named = [(definition.dimension(code), wanted) for code, wanted in by.items()]
    if any(dimension is None for dimension, _ in named):
        raise NotCountable(f"{indicator}: a dimension is not in the definition")
    kept = [
        one
        for one in facts
        if _within(definition, during, one)
        and all(dimension and dimension.class_of(_value(dimension, one)) == wanted for dimension, wanted in named)
    ]
    if found.share is None:
        return _measured(found, kept)
    parts = [definition.indicator(code) for code in (found.share.of, found.share.in_)]
    above, below = (_measured(one, kept) if one else 0 for one in parts)
    return share_value(above, below, found.decimals)


def _within(definition: Definition, period: Period, fact: Planned) -> bool:
    office = definition.office(fact.office)
    if office is None:
        return False
    starts, ends = period.bounds(office.zone)
    return starts <= fact.at < ends


def _measured(indicator: Indicator, facts: Iterable[Planned]) -> int:
    declared, measure = indicator.facts, indicator.measure
    if declared is None:
        raise NotCountable(f"{indicator.code} counts no facts")
    kept = [one for one in facts if _holds(declared, one)]
    if isinstance(measure, Distinct):
        return len({one.fields.get(measure.distinct) for one in kept} - {None})
    if isinstance(measure, Sum):
        return sum(number for one in kept if isinstance(number := one.fields.get(measure.sum), int))
    return len(kept)


def _holds(declared: Facts, fact: Planned) -> bool:
    return fact.kind in declared.kinds and all(_meets(one, _value(one, fact)) for one in declared.where)


def _meets(condition: Condition, value: Value) -> bool:
    if value is None:
        return False
    if condition.one_of is not None:
        return value in condition.one_of
    number = int(value)
    if condition.at_least is not None:
        return number >= condition.at_least
    return condition.at_most is not None and number <= condition.at_most


def _value(source: Source | Dimension, fact: Planned) -> Value:
    """The value that the fact has there; None where it is not stated."""
    if source.field is not None:
        return fact.office if source.field == "office" else fact.fields.get(source.field)
    if fact.attributes is None or source.attribute is None:
        return None
    if source.attribute == "age":
        year = fact.at.year if source.at == "event" else datetime.now(UTC).year
        born = fact.attributes.birth_year
        return None if born is None else year - born
    value: Value = getattr(fact.attributes, source.attribute)
    return value
