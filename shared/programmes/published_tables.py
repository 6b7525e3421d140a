"""Which tables a programme publishes: an indicator in a period by some dimensions each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from shared.programmes.indicators import Dimension, Indicator, carries
from shared.programmes.marked_yaml import Broken
from shared.programmes.model import Definition, PublishedTables

# Of one period: what is withheld in them is found all at once.
TABLES_AT_MOST = 500


class Table(NamedTuple):
    """Codes of the indicator, of its period and of the dimensions; without these it is the total alone."""

    indicator: str
    period: str
    by: tuple[str, ...]


def can_be_broken_down(definition: Definition, indicator: Indicator, dimensions: Sequence[Dimension]) -> bool:
    """Whether the indicator (of a share: both that it names) may be broken down by all of these."""
    if indicator.by and any(dimension.code not in indicator.by for dimension in dimensions):
        return False
    if (share := indicator.share) is not None:
        parts = [part for code in (share.of, share.in_) if (part := definition.indicator(code)) is not None]
        return all(can_be_broken_down(definition, part, dimensions) for part in parts)
    kinds = indicator.facts.kinds if indicator.facts is not None else ()
    return all(carries(kind, dimension) for kind in kinds for dimension in dimensions)


def tables_of(definition: Definition, period: str) -> tuple[Table, ...]:
    """The tables of that period, each once, in the order in which they are declared."""
    tables = (table for one in _declared(definition, period) for table in _tables(definition, one, period))
    return tuple(dict.fromkeys(tables))


def is_published(definition: Definition, indicator: Indicator, period: str, by: Sequence[Dimension]) -> bool:
    """Whether one of `tables_of` is the indicator's by these, in their order."""
    codes = tuple(one.code for one in by)
    named = any(one.by == codes and _names(one, indicator) for one in _declared(definition, period))
    return named and can_be_broken_down(definition, indicator, by)


def _declared(definition: Definition, period: str) -> Iterator[PublishedTables]:
    for one in definition.disclosure.tables or (PublishedTables(),):
        if not one.periods or period in one.periods:
            yield one


def _names(declared: PublishedTables, indicator: Indicator) -> bool:
    return not declared.indicators or indicator.code in declared.indicators


def _tables(definition: Definition, declared: PublishedTables, period: str) -> Iterator[Table]:
    dimensions = [one for code in declared.by if (one := definition.dimension(code)) is not None]
    for indicator in definition.indicators:
        if _names(declared, indicator) and can_be_broken_down(definition, indicator, dimensions):
            yield Table(indicator.code, period, declared.by)


def table_checks(definition: Definition) -> Iterator[Broken]:
    """Broken rules of what is published."""
    for number, one in enumerate(definition.disclosure.tables):
        pointer = f"/disclosure/tables/{number}"
        for place, code in enumerate(one.periods):
            if definition.period(code) is None:
                yield Broken(f"{pointer}/periods/{place}", "unknown_period", "no period of the file has this code")
        for place, code in enumerate(one.by):
            if definition.dimension(code) is None:
                yield Broken(f"{pointer}/by/{place}", "unknown_dimension", "no dimension of the file has this code")
        yield from _indicators(definition, one, pointer)
    if any(len(tables_of(definition, period.code)) > TABLES_AT_MOST for period in definition.periods):
        yield Broken("/disclosure/tables", "too_many_tables", f"{TABLES_AT_MOST} of a period at most")


def _indicators(definition: Definition, declared: PublishedTables, pointer: str) -> Iterator[Broken]:
    dimensions = [one for code in declared.by if (one := definition.dimension(code)) is not None]
    for place, code in enumerate(declared.indicators):
        indicator, at = definition.indicator(code), f"{pointer}/indicators/{place}"
        if indicator is None:
            yield Broken(at, "unknown_indicator", "no indicator of the file has this code")
        elif not can_be_broken_down(definition, indicator, dimensions):
            yield Broken(at, "dimension_not_of_this_indicator", "it cannot be broken down by all of these dimensions")
