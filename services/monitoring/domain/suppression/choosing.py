"""A safe choice, found quickly: cell after cell by the cheapest way to move it, then whatever turned out needless is
published again.

The way of a cell is a linear program (Kelly, Golden and Assad 1992, Fischetti and Salazar 2001): which other cells have
to be uncertain so that this one may be what it is not, at the least weight.
"""

from __future__ import annotations

from math import ceil, floor

import numpy as np

from services.monitoring.domain.suppression.programs import Floats, Line, Program
from services.monitoring.domain.suppression.worlds import Attack, Deadline, Mask, Narrow, TimeUp

# What it costs to move a cell that is withheld anyway, beside one of weight 1: little, so that ways stay short.
_WITHHELD = 1e-3
# Below it a column of a way counts as not moved.
_MOVED = 1e-6


class Moves:
    """The cheapest ways to move the small cells of a part: two columns a cell, for what it rises and falls by."""

    def __init__(self, attack: Attack) -> None:
        self._attack, self._shape = attack, attack.shape
        lines = []
        for row in self._shape.part.rows:
            columns = [2 * place + side for place, _ in row for side in (0, 1)]
            lines.append(Line(columns, [float(factor * side) for _, factor in row for side in (1, -1)]))
        self._upper: Floats = np.stack([self._shape.up, self._shape.down], axis=1).ravel()
        self._program = Program(np.zeros(2 * self._shape.size), self._upper, lines)

    def cheapest(self, narrow: Narrow, withheld: Mask) -> Mask | None:
        """The choice with the cells withheld besides by which this cell gets room, up or down, whichever weighs less;
        None where no way of this kind is there."""
        width = self._shape.part.width[narrow.place]
        found: list[tuple[float, int, Mask]] = []
        for side, least in ((0, ceil(narrow.low + width - _MOVED)), (1, -floor(narrow.high - width + _MOVED))):
            column = 2 * narrow.place + side
            if 0 < least <= self._upper[column]:
                choice = self._by(column, float(least), withheld)
                if choice is not None:
                    found.append((float(self._shape.weights[choice].sum()), side, choice))
        return min(found, key=lambda one: one[:2])[2] if found else None

    def _by(self, column: int, least: float, withheld: Mask) -> Mask | None:
        costs = np.repeat(np.where(withheld, _WITHHELD, np.maximum(self._shape.weights, _WITHHELD)), 2)
        other = column ^ 1
        self._program.bound(column, least, self._upper[column])
        self._program.bound(other, 0.0, 0.0)
        solved = self._program.least(costs)
        self._program.bound(column, 0.0, self._upper[column])
        self._program.bound(other, 0.0, self._upper[other])
        if solved.values is None:
            return None
        values = solved.values[0::2] - solved.values[1::2]
        self._attack.pool.add(np.where(np.abs(values) > _MOVED, values, 0.0))
        return withheld | (np.abs(values) > _MOVED)


def mended(attack: Attack, moves: Moves, withheld: Mask, everything: Mask, deadline: Deadline) -> Mask:
    """A safe choice that withholds these cells and more. Raises TimeUp.

    `everything`: a safe choice for which the pool has the states, which serves where no way is found.
    """
    attack.narrow(withheld, deadline, first=True)
    choice = withheld
    while bare := attack.pool.bare(choice):
        for place in bare:
            deadline.check()
            while (narrow := attack.one(choice, place, deadline)) is not None:
                more = moves.cheapest(narrow, choice) if narrow.multipliers is not None else None
                if more is None or not (more & ~choice).any():
                    more = choice | states_of(attack, everything, place)
                choice = more
    return choice


def states_of(attack: Attack, safe: Mask, place: int) -> Mask:
    """The cells that differ in the two states which protect this cell under a safe choice."""
    found = np.zeros(attack.shape.size, dtype=bool)
    for state in attack.pool.evidence(safe, [place]):
        found |= state != 0
    return found


def pruned(attack: Attack, withheld: Mask, deadline: Deadline) -> Mask:
    """Without cells that need not be withheld, the heaviest tried first; what time allows of it."""
    shape, choice = attack.shape, withheld
    for place in sorted(np.flatnonzero(withheld & ~shape.fixed), key=lambda one: (-shape.weights[one], one)):
        trial = choice.copy()
        trial[place] = False
        try:
            if not attack.pool.bare(trial) or not attack.narrow(trial, deadline, first=True):
                choice = trial
        except TimeUp:
            return choice
    return choice


def weight_of(attack: Attack, withheld: Mask) -> int:
    """Of the complementary cells."""
    chosen = np.flatnonzero(withheld & ~attack.shape.fixed)
    return sum(attack.shape.part.cells[place].weight for place in chosen)
