"""The cells of a part written as sums of a few of them, so that programs have few columns and no line twice.

Tables with margins say the same thing many times over: by rows, by columns, by quarters. Where every margin is the sum
of what it is made of, what is left are the innermost cells and nothing that ties them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.monitoring.domain.suppression.problem import Part
from services.monitoring.domain.suppression.programs import Floats, Line, Program

Whole = NDArray[np.int64]
Row = dict[int, int]
# Multipliers are kept as whole numbers of this: halves to tenths are exact, and any number is valid.
SCALE = 5040


@dataclass(frozen=True)
class Sums:
    """`inner`: places of the cells that the others are sums of. `outer`: the others, each as factors by place.
    `ties`: relations between inner cells that are left, by place, where no factor is 1. `rows`: the numbers of the
    relations of which the others follow."""

    inner: tuple[int, ...]
    outer: dict[int, Row]
    ties: tuple[Row, ...]
    rows: tuple[int, ...]


def sums_of(part: Part) -> Sums:
    """By elimination in whole numbers: in each relation a cell goes that stands there once."""
    wholes = Counter(odd for row in part.rows if (odd := _odd(dict(row))) is not None)
    outer: dict[int, Row] = {}
    within: dict[int, set[int]] = defaultdict(set)
    ties, rows = [], []
    for number, terms in enumerate(part.rows):
        row = _substituted(dict(terms), outer)
        rows += [number] if row else []
        ones = [place for place, factor in row.items() if abs(factor) == 1]
        if not ones:
            ties += [row] if row else []
            continue
        odd = _odd(row)
        pivot = max(ones, key=lambda one: (one == odd, wholes[one], part.cells[one].value, one))
        sign = -row.pop(pivot)
        written = {place: sign * factor for place, factor in row.items()}
        for place in within.pop(pivot, set()):
            outer[place] = _substituted(outer[place], {pivot: written})
            for inner in outer[place]:
                within[inner].add(place)
        outer[pivot] = written
        for inner in written:
            within[inner].add(pivot)
    left = [_substituted(tie, outer) for tie in ties]
    inner_cells = tuple(place for place in range(len(part.cells)) if place not in outer)
    return Sums(inner_cells, outer, tuple(tie for tie in left if tie), tuple(rows))


def _odd(row: Row) -> int | None:
    """The one cell whose sign is none of the others': the whole of the rest."""
    for sign in (1, -1):
        alone = [place for place, factor in row.items() if factor * sign > 0]
        if len(alone) == 1 and len(row) > 2:
            return alone[0]
    return None


def _substituted(row: Row, known: dict[int, Row]) -> Row:
    found: Row = defaultdict(int)
    for place, factor in row.items():
        for inner, inside in known.get(place, {place: 1}).items():
            found[inner] += factor * inside
    return {place: factor for place, factor in found.items() if factor}


class Moved(NamedTuple):
    """How the cells differ from what they are at the least cost. `written`: the cost as a sum of cells, each times its
    whole number, `SCALE` times, which holds for every state; in the order of the cells."""

    values: Floats
    written: Whole


class Movable:
    """A program over the cells of a part: each may differ between bounds, and all relations hold."""

    def __init__(self, size: int, sums: Sums, whole: bool = False) -> None:
        self._size = size
        self._inner = np.array(sums.inner, dtype=np.int64)
        self._outer = np.array(list(sums.outer), dtype=np.int64)
        column_of = {place: column for column, place in enumerate(sums.inner)}
        rows: Sequence[Row] = [*sums.outer.values(), *sums.ties]
        lines = [Line([column_of[one] for one in row], [float(factor) for factor in row.values()]) for row in rows]
        self._columns = np.array([column for line in lines for column in line.columns], dtype=np.int64)
        self._factors = np.array([factor for row in rows for factor in row.values()], dtype=np.int64)
        self._rows = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
        # Of each cell, its column or, from there on, its line.
        self._at = np.zeros(size, dtype=np.int64)
        self._at[self._inner] = np.arange(len(self._inner))
        self._at[self._outer] = np.arange(len(self._outer)) + len(self._inner)
        self._program = Program(np.zeros(len(self._inner)), np.zeros(len(self._inner)), lines, whole)

    def bound(self, place: int, lower: float, upper: float) -> None:
        at = int(self._at[place])
        if at < len(self._inner):
            self._program.bound(at, lower, upper)
        else:
            self._program.bound_line(at - len(self._inner), lower, upper)

    def bounds(self, lower: Floats, upper: Floats) -> None:
        self._program.bounds(lower[self._inner], upper[self._inner])
        for line, place in enumerate(self._outer):
            self._program.bound_line(line, lower[place], upper[place])

    def least(self, costs: Whole, seconds: float = np.inf) -> Moved | None:
        """At the least of these costs of a cell; None where none was found."""
        if not len(self._inner):
            return Moved(np.zeros(self._size), np.zeros(self._size, dtype=np.int64))
        of_columns = self._in_columns(costs[self._outer]) + costs[self._inner]
        solved = self._program.least(of_columns.astype(float), seconds)
        if solved.values is None:
            return None
        values = np.zeros(self._size)
        values[self._inner], values[self._outer] = solved.values, solved.lines[: len(self._outer)]
        written = np.zeros(self._size, dtype=np.int64)
        if len(solved.duals):
            duals = np.rint(solved.duals * SCALE).astype(np.int64)
            written[self._outer] = duals[: len(self._outer)]
            # Whatever the multipliers of lines were rounded to: this makes the sum exact.
            written[self._inner] = of_columns * SCALE - self._in_columns(duals)
        return Moved(values, written)

    def _in_columns(self, of_lines: Whole) -> Whole:
        """The sum of the lines, each times its number."""
        known = self._rows < len(of_lines)
        weights = of_lines[self._rows[known]] * self._factors[known]
        found = np.zeros(len(self._inner), dtype=np.int64)
        np.add.at(found, self._columns[known], weights)
        return found
