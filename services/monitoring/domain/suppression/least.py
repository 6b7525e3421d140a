"""The least weight of any safe choice: a program in whole numbers over what is withheld, with a line for every reason
that a reader gave why a choice was not safe (Fischetti and Salazar 2001, by Benders' decomposition).

A line follows from multipliers of the relations, whatever they are: they write a cell as a sum of others, so that it
can rise and fall no further than those that are withheld. Lines are made in whole numbers and are exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, inf
from typing import NamedTuple

import numpy as np

from services.monitoring.domain.suppression.choosing import Moves, mended, pruned, weight_of
from services.monitoring.domain.suppression.programs import Floats, Line, Program
from services.monitoring.domain.suppression.worlds import (
    SCALE,
    Attack,
    Deadline,
    Mask,
    Multipliers,
    Narrow,
    Shape,
    TimeUp,
    Whole,
)

# A factor this small beside its line's is raised to it, which keeps the line true and the program sound.
_SMALLEST = 1e-3
# What a bound may be above the true one by the tolerances of the library.
_SLACK = 1e-5
# Weights are whole numbers: what is nearer the bound than this is the least.
_APART = 1 - 1e-3
# A line has to be broken by this to be worth adding to a program that is not yet in whole numbers.
_BROKEN = 0.05
_ROUNDS = 40
# Rounds go on while each raises the bound by this part of it.
_GAIN = 0.002
_NEAR = 1e-6


class Reason(NamedTuple):
    """sum of factors x withheld >= 1; factors by place."""

    factors: Floats

    def broken(self, withheld: Floats | Mask) -> bool:
        return float(self.factors @ withheld) < 1 - _NEAR


def reason_of(shape: Shape, ways: Multipliers) -> Reason | None:
    """Why the cells that are withheld in any case do not suffice, as a line that every safe choice keeps; None where
    these multipliers give none."""
    sums = np.zeros(shape.size)
    boundless = np.zeros(shape.size, dtype=bool)
    for multipliers, sign in ((ways.rising, 1), (ways.falling, -1)):
        written = shape.written(multipliers)
        written[ways.place] += sign * SCALE
        for factors, room in ((np.maximum(written, 0), shape.up), (np.maximum(-written, 0), shape.down)):
            moving = factors > 0
            boundless |= moving & np.isinf(room)
            sums[moving] += factors[moving] * np.where(np.isinf(room), 0.0, room)[moving]
    if (boundless & shape.fixed).any():
        return None
    needed = shape.part.width[ways.place] * SCALE - float(sums[shape.fixed].sum())
    if needed <= 0:
        return None
    factors = np.minimum(np.where(boundless, inf, sums), needed) / needed
    factors[shape.fixed] = 0.0
    return Reason(np.where((factors > 0) & (factors < _SMALLEST), _SMALLEST, factors))


class Choices:
    """The program over what is withheld: one column a cell that may be published, from 0 to 1."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._free = np.flatnonzero(~shape.fixed)
        self._column_of = {int(place): column for column, place in enumerate(self._free)}
        self._lines = list(self._bridges())
        size = len(self._free)
        self._ends = np.zeros(size), np.ones(size)
        self._relaxed = Program(*self._ends, self._lines)

    def _bridges(self) -> Iterator[Line]:
        """No cell is withheld alone in a relation: it would follow from the rest, so that one that is to be protected
        is not, and of any other publishing it changes nothing."""
        for row in self._shape.part.rows:
            places = [place for place, _ in row]
            fixed = [place for place in places if self._shape.fixed[place]]
            columns = [self._column_of[place] for place in places if not self._shape.fixed[place]]
            if not fixed:
                for column in columns:
                    yield Line(columns, [-1.0 if one == column else 1.0 for one in columns], 0.0, inf)
            elif len(fixed) == 1 and fixed[0] in self._shape.part.width:
                yield Line(columns, [1.0] * len(columns), 1.0, inf)

    def add(self, reason: Reason) -> None:
        factors = reason.factors[self._free]
        columns = np.flatnonzero(factors)
        line = Line([int(one) for one in columns], [float(one) for one in factors[columns]], 1.0, inf)
        self._lines.append(line)
        self._relaxed.add(line)

    def in_parts(self) -> tuple[Floats, float]:
        """How much of each cell is withheld at the least weight, where parts of a cell may be, and that weight."""
        solved = self._relaxed.least(self._shape.weights[self._free])
        return self._spread(solved.values), _known(solved.bound)

    def whole(self, best: Mask, deadline: Deadline) -> tuple[Mask | None, float]:
        """The lightest choice that keeps all lines, and what no choice is lighter than; begins from the best known.

        None where none was found in time.
        """
        program = Program(*self._ends, self._lines, whole=True)
        program.start(best[self._free].astype(float))
        solved = program.least(self._shape.weights[self._free], deadline.left(), _APART)
        return None if solved.values is None else self._spread(solved.values) > 0.5, _known(solved.bound)

    def _spread(self, values: Floats | None) -> Floats:
        found = self._shape.fixed.astype(float)
        if values is not None:
            found[self._free] = np.clip(values, 0.0, 1.0)
        return found


def _known(bound: float) -> float:
    return max(bound, 0.0) if bound < inf else 0.0


def improved(attack: Attack, moves: Moves, best: Mask, everything: Mask, deadline: Deadline) -> tuple[Mask, int]:
    """A safe choice at most as heavy as this one, and what no safe choice is lighter than; with time enough the least.

    `everything`: a safe choice for which the pool has the states.
    """
    if not weight_of(attack, best):
        return best, 0
    search = Search(attack, moves, best, everything)
    try:
        search.in_parts(deadline.within(deadline.left() / 2))
        search.whole(deadline)
    except TimeUp:
        pass
    return search.best, search.bound


class Search:
    """The best safe choice so far, what no safe choice is lighter than, and the program that learns from attacks."""

    def __init__(self, attack: Attack, moves: Moves, best: Mask, everything: Mask) -> None:
        self._attack, self._shape, self._moves = attack, attack.shape, moves
        self._everything = everything
        self._choices = Choices(attack.shape)
        self.best, self.bound = best, 0

    def done(self) -> bool:
        return self.bound >= weight_of(self._attack, self.best)

    def in_parts(self, deadline: Deadline) -> None:
        """Adds lines while parts of cells may be withheld: many of them, each for little time. Raises TimeUp."""
        spread, before = Spread(self._attack), -inf
        for _ in range(_ROUNDS):
            withheld, low = self._choices.in_parts()
            self._raise_to(low)
            if self.done() or low < before * (1 + _GAIN) or deadline.left() <= 0:
                return
            before = low
            reasons = spread.reasons(withheld, deadline)
            if not reasons:
                return
            for reason in reasons:
                self._choices.add(reason)

    def whole(self, deadline: Deadline) -> None:
        """Adds lines until a lightest choice is safe. Raises TimeUp."""
        while not self.done():
            deadline.check()
            chosen, low = self._choices.whole(self.best, deadline)
            self._raise_to(low)
            if chosen is None or not self._told(chosen, deadline):
                return

    def _raise_to(self, low: float) -> None:
        self.bound = max(self.bound, ceil(low - _SLACK))

    def _told(self, chosen: Mask, deadline: Deadline) -> bool:
        """Adds why the choice is not safe, and looks for a safe one near it; False where it is safe."""
        narrow = self._attack.narrow(chosen, deadline)
        if not narrow:
            self._keep(chosen)
            return False
        reasons = [reason for one in narrow if (reason := self._why(one)) and reason.broken(chosen)]
        if not reasons:
            # A choice with fewer cells leaves no more: a safe one withholds another cell.
            reasons = [Reason(np.where(chosen, 0.0, 1.0))]
        for reason in reasons:
            self._choices.add(reason)
        near = mended(self._attack, self._moves, chosen, self._everything, deadline)
        self._keep(pruned(self._attack, near, deadline))
        return True

    def _why(self, narrow: Narrow) -> Reason | None:
        return None if narrow.multipliers is None else reason_of(self._shape, narrow.multipliers)

    def _keep(self, safe: Mask) -> None:
        if weight_of(self._attack, safe) < weight_of(self._attack, self.best):
            self.best = safe


class Spread:
    """What a reader finds out where parts of cells are withheld: each may differ by that part of its room."""

    def __init__(self, attack: Attack) -> None:
        self._shape, self._attack = attack.shape, attack
        shape = attack.shape
        most = float(shape.width.max())
        self._down, self._up = np.minimum(shape.down, most), np.minimum(shape.up, most)
        self._program = Program(-self._down, self._up, shape.lines)

    def reasons(self, withheld: Floats, deadline: Deadline) -> list[Reason]:
        """Lines that this breaks, of the small cells for which it does not suffice; what time allows of them."""
        shape = self._shape
        self._program.bounds(-self._down * withheld, self._up * withheld)
        low, high = np.zeros(len(shape.guarded)), np.zeros(len(shape.guarded))
        found = []
        for sign in (1.0, -1.0):
            self._moved(shape.guarded, sign, low, high)
        for number, place in enumerate(shape.guarded):
            if high[number] - low[number] >= shape.width[number] * (1 - _BROKEN):
                continue
            if deadline.left() <= 0:
                break
            rising = self._moved([place], 1.0, low, high)
            falling = self._moved([place], -1.0, low, high)
            if high[number] - low[number] < shape.width[number] * (1 - _BROKEN):
                reason = reason_of(shape, Multipliers(int(place), rising, falling))
                if reason is not None and float(reason.factors @ withheld) < 1 - _BROKEN:
                    found.append(reason)
        return found

    def _moved(self, places: Whole | list[int], sign: float, low: Floats, high: Floats) -> Whole:
        """Moves these cells as far as they can go; notes where all went, and gives the multipliers."""
        costs = np.zeros(self._shape.size)
        costs[places] = -sign
        solved = self._program.least(costs)
        if solved.values is None:
            raise TimeUp
        of_guarded = solved.values[self._shape.guarded]
        np.minimum(low, of_guarded, out=low)
        np.maximum(high, of_guarded, out=high)
        return np.rint(solved.duals * SCALE).astype(np.int64)
