"""What a reader can work out who keeps everything that was ever published: by elimination, and by bounds.

No part of it looks at how the choice was made. `unprotected()` needs no solver: it is the check on which the promise
rests, in whole numbers alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from math import inf

import numpy as np

from services.monitoring.domain.suppression.problem import Cell, Key, Relation
from services.monitoring.domain.suppression.programs import Line, Program

Interval = tuple[float, float]
# Of the size of a figure: an interval that is narrower is one value.
_ONE_VALUE = 1e-6


def unprotected(
    cells: Sequence[Cell],
    relations: Sequence[Relation],
    published: Collection[Key],
    worlds: Iterable[Mapping[Key, int]],
    protection: int,
) -> dict[Key, int]:
    """Of each cell that is not published, how much its value differs between these states of all cells, where that is
    less than its protection.

    A state gives the values of the cells that differ from what they are. One that breaks a relation, leaves the bounds
    of a cell or changes what is published counts for nothing: a reader could rule it out.
    """
    by_key = {cell.key: cell for cell in cells}
    of_key = defaultdict(list)
    for relation in relations:
        for key, _ in relation.terms:
            of_key[key].append(relation)
    lowest = {key: by_key[key].value for key in by_key.keys() - set(published)}
    highest = dict(lowest)
    for world in worlds:
        touched = {id(relation): relation for key in world for relation in of_key[key]}.values()
        kept = all(_allows(by_key.get(key), value, published) for key, value in world.items())
        if kept and not any(_sum(relation, world, by_key) for relation in touched):
            for key, value in world.items():
                lowest[key], highest[key] = min(lowest[key], value), max(highest[key], value)
    spans = {key: highest[key] - lowest[key] for key in lowest}
    return {key: span for key, span in spans.items() if span < (by_key[key].protection or protection)}


def _allows(cell: Cell | None, value: int, published: Collection[Key]) -> bool:
    if cell is None or cell.key in published:
        return cell is not None and value == cell.value
    return (cell.lower is None or value >= cell.lower) and (cell.upper is None or value <= cell.upper)


def _sum(relation: Relation, world: Mapping[Key, int], by_key: Mapping[Key, Cell]) -> int:
    return sum(factor * world.get(key, by_key[key].value) for key, factor in relation.terms)


def intervals(
    cells: Sequence[Cell],
    relations: Sequence[Relation],
    published: Collection[Key],
    asked: Collection[Key] | None = None,
) -> dict[Key, Interval]:
    """The least and the greatest value of each cell that is not published, by all that is known; infinite where
    nothing bounds it. `asked`: of these cells alone."""
    hidden = [cell for cell in cells if cell.key not in published]
    placed = {cell.key: place for place, cell in enumerate(hidden)}
    lower = np.array([-inf if cell.lower is None else cell.lower for cell in hidden], dtype=float)
    upper = np.array([inf if cell.upper is None else cell.upper for cell in hidden], dtype=float)
    lines = []
    for row, told in _told(cells, relations, published):
        lines.append(Line([placed[key] for key in row], [float(factor) for factor in row.values()], told, told))
    program = Program(lower, upper, lines)
    found = {}
    for key in placed if asked is None else asked:
        costs = np.zeros(len(hidden))
        costs[placed[key]] = 1.0
        low = program.least(costs)
        high = program.least(-costs)
        found[key] = (-inf if low.values is None else low.cost, inf if high.values is None else -high.cost)
    return found


def recovered(
    cells: Sequence[Cell], relations: Sequence[Relation], published: Collection[Key]
) -> dict[Key, Fraction | float]:
    """The cells that are not published of which all that is known leaves one value, and that value: exactly where it
    follows by elimination, else as a program finds it from the bounds."""
    exact: dict[Key, Fraction | float] = dict(eliminated(cells, relations, published))
    for key, (low, high) in intervals(cells, relations, published).items():
        if high - low < _ONE_VALUE:
            exact.setdefault(key, low)
    return exact


def eliminated(cells: Sequence[Cell], relations: Sequence[Relation], published: Collection[Key]) -> dict[Key, Fraction]:
    """The cells that are not published whose values follow from the relations alone, by Gauss and Jordan in fractions.

    Bounds are not looked at: of cells that may be none, two that come to zero are missed here.
    """
    pivots: dict[Key, tuple[dict[Key, Fraction], Fraction]] = {}
    for terms, told in _told(cells, relations, published):
        row, rest = {key: Fraction(factor) for key, factor in terms.items()}, Fraction(told)
        for key in [key for key in row if key in pivots]:
            rest -= row[key] * pivots[key][1]
            _subtract(row, pivots[key][0], row[key])
        if not row:
            continue
        pivot = min(row, key=repr)
        factor = row[pivot]
        row, rest = {key: value / factor for key, value in row.items()}, rest / factor
        for key, (other, told_of_it) in pivots.items():
            if share := other.get(pivot):
                _subtract(other, row, share)
                pivots[key] = (other, told_of_it - share * rest)
        pivots[pivot] = (row, rest)
    return {key: rest for key, (row, rest) in pivots.items() if len(row) == 1}


def _subtract(row: dict[Key, Fraction], other: Mapping[Key, Fraction], share: Fraction) -> None:
    for key, factor in other.items():
        value = row.get(key, Fraction(0)) - share * factor
        if value:
            row[key] = value
        else:
            row.pop(key, None)


def _told(
    cells: Sequence[Cell], relations: Sequence[Relation], published: Collection[Key]
) -> list[tuple[dict[Key, int], int]]:
    """The relations as sums of cells that are not published, and what published values say that they come to."""
    values = {cell.key: cell.value for cell in cells if cell.key in published}
    found = []
    for relation in relations:
        row: dict[Key, int] = defaultdict(int)
        told = 0
        for key, factor in relation.terms:
            if key in values:
                told -= factor * values[key]
            else:
                row[key] += factor
        left = {key: factor for key, factor in row.items() if factor}
        if left:
            found.append((left, told))
    return found
