"""What was counted of a period, in full: what a publication withholds something of. It never leaves monitoring."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import pairwise
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from services.monitoring.domain.narrowing import Narrowed
from shared.contracts.base import Code, Date, Instant, Key


class CountedCell(NamedTuple):
    """`size`: how many persons, or things that stand for some, are behind the value."""

    classes: tuple[str, ...]
    value: int
    size: int


class CountedTable(BaseModel):
    """An indicator that is no share, in `[starts, ends)`, by these dimensions; the total first.

    `people`: whether a small figure may tell of somebody. `adds_up`: whether its cells add up to the total;
    `over_time`: whether figures of following stretches of time add up to that of them together.
    """

    model_config = ConfigDict(frozen=True)

    indicator: Code
    starts: Date
    ends: Date
    by: tuple[Code, ...] = ()
    people: bool
    adds_up: bool
    over_time: bool
    cells: tuple[CountedCell, ...]


class CountedPeriod(BaseModel):
    """Every table that a statement of the period may tell of, and those of the stretches of time within it by which
    something of it could be found out. `parts`: of which indicators each thing that the first counts, the second
    counts too; `narrowed`: of which it does in some of its classes."""

    model_config = ConfigDict(frozen=True)

    programme: Code
    period: Key
    as_of: Instant
    definition_version: int
    tables: tuple[CountedTable, ...]
    parts: tuple[tuple[Code, Code], ...] = ()
    narrowed: tuple[Narrowed, ...] = ()


class Span(NamedTuple):
    """`[starts, ends)` in calendar days."""

    starts: date
    ends: date

    def within(self, other: Span) -> bool:
        return other.starts <= self.starts and self.ends <= other.ends


def stretches(whole: Span, others: Sequence[Span]) -> list[Span]:
    """The span cut at every beginning and end of another one that lies in it: the smallest stretches of time that
    anybody can make out of all of them. Empty where nothing cuts it."""
    edges = {edge for one in others for edge in one if whole.starts < edge < whole.ends}
    cuts = sorted({*whole, *edges})
    return [Span(*pair) for pair in pairwise(cuts)] if edges else []


def inner(whole: Span, others: Sequence[Span]) -> list[Span]:
    """The other spans that lie in it, each once, without itself."""
    return sorted({one for one in others if one.within(whole)} - {whole})


def cells_of(counted: CountedPeriod) -> Iterator[tuple[CountedTable, CountedCell]]:
    for table in counted.tables:
        for cell in table.cells:
            yield table, cell
