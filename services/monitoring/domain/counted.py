"""What was counted of a period, in full: what a publication withholds something of. It never leaves monitoring."""

from __future__ import annotations

from collections.abc import Iterable
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
    """Every table that a statement of the period may tell of, and the same of the programme's other periods and of the
    stretches of time that all of them make, by which something could be found out.

    `starts`, `ends`: the period; `begins`: the programme's first day. `parts`: of which indicators each thing that the
    first counts, the second counts too; `followers`: of which it does from the beginning on, for what the first counts
    may lie in a later stretch than what the second does. `narrowed`: of which it does in some of its classes.
    """

    model_config = ConfigDict(frozen=True)

    programme: Code
    period: Key
    as_of: Instant
    definition_version: int
    starts: Date
    ends: Date
    begins: Date
    tables: tuple[CountedTable, ...]
    parts: tuple[tuple[Code, Code], ...] = ()
    followers: tuple[tuple[Code, Code], ...] = ()
    narrowed: tuple[Narrowed, ...] = ()


class Span(NamedTuple):
    """`[starts, ends)` in calendar days."""

    starts: date
    ends: date

    def within(self, other: Span) -> bool:
        return other.starts <= self.starts and self.ends <= other.ends


def stretches(spans: Iterable[Span]) -> list[Span]:
    """The smallest stretches of time that anybody can make out of the spans: what lies between two neighbours of all
    their beginnings and ends."""
    found = list(spans)
    edges = sorted({edge for one in found for edge in one})
    return [one for pair in pairwise(edges) if any((one := Span(*pair)).within(span) for span in found)]


def inner(whole: Span, others: Iterable[Span]) -> list[Span]:
    """The other spans that lie in it, each once, without itself."""
    return sorted({one for one in others if one.within(whole)} - {whole})


def tiles(whole: Span, parts: Iterable[Span]) -> bool:
    """Whether the parts are the whole span, without a gap and none of it twice."""
    found = sorted(parts)
    edges = [whole.starts, *(one.ends for one in found)]
    return [one.starts for one in found] == edges[:-1] and edges[-1] == whole.ends
