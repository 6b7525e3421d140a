"""A safe choice, found quickly: cell after cell by the cheapest way to move it, then whatever turned out needless is
published again.

The way of a cell is a linear program (Kelly, Golden and Assad 1992, Fischetti and Salazar 2001): which other cells have
to be uncertain so that this one may be what it is not, at the least weight.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from services.monitoring.domain.suppression.programs import Floats, Line, Program
from services.monitoring.domain.suppression.worlds import UNLIMITED, Attack, Deadline, Mask, TimeUp

# What it costs to move a cell that is withheld anyway, beside one of weight 1: little, so that ways stay short.
_WITHHELD = 1e-3
# How many cells get room before it is looked for in what the others were given.
_AT_ONCE = 20
# What a unit of room may cost, of the middle weight: first what is cheap, then what is left.
_REWARDS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
# How often a cell is asked to fall that can.
_FALLS = 0.5
# Below it a column of a way counts as not moved.
_MOVED = 1e-6


class Moves:
    """The cheapest ways to move the small cells of a part: two columns a cell, for what it rises and falls by."""

    def __init__(self, attack: Attack) -> None:
        self._attack, self._shape = attack, attack.shape
        lines = []
        for number in self._shape.sums.rows:
            row = self._shape.part.rows[number]
            columns = [2 * place + side for place, _ in row for side in (0, 1)]
            lines.append(Line(columns, [float(factor * side) for _, factor in row for side in (1, -1)]))
        self._upper: Floats = np.stack([self._shape.up, self._shape.down], axis=1).ravel()
        self._lower = np.zeros(len(self._upper))
        self._bounds = self._upper
        self._turn = np.random.default_rng(1)
        self._program = Program(self._lower, self._upper, lines)

    def together(self, bare: list[int], withheld: Mask, reward: float) -> Mask:
        """The choice with the cells withheld besides by which these small cells get room, as many as are worth it: one
        that moves by its width may cost its reward, times the width. What several need, they pay for together."""
        shape, upper, costs = self._shape, self._upper.copy(), self._costs(withheld)
        width = shape.width[[shape.number_of[place] for place in bare]]
        falls = (self._turn.random(len(bare)) < _FALLS) & (shape.down[bare] >= width)
        columns = 2 * np.array(bare) + falls
        upper[columns] = np.minimum(upper[columns], width)
        # Or else a cell would be paid for what it takes back.
        upper[columns ^ 1] = 0.0
        costs[columns] = -reward
        self._program.bounds(self._lower, upper)
        self._program.afresh()
        solved = self._program.least(costs)
        return withheld if solved.values is None else withheld | self._moved(solved.values)

    def _costs(self, withheld: Mask) -> Floats:
        return np.repeat(np.where(withheld, _WITHHELD, np.maximum(self._shape.weights, _WITHHELD)), 2)

    def _moved(self, columns: Floats) -> Mask:
        """The cells that differ; the pool takes the state."""
        values = columns[0::2] - columns[1::2]
        moved: Mask = np.abs(values) > _MOVED
        self._attack.pool.add(np.where(moved, values, 0.0))
        return moved

    def cheapest(self, place: int, withheld: Mask) -> Mask | None:
        """The choice with the cells withheld besides by which this small cell gets room, up or down, whichever weighs
        less; None where no way of this kind is there."""
        self._let(None)
        found: list[tuple[float, int, Mask]] = []
        for column, least in self._ends(place, withheld):
            choice = self._by(column, least, withheld)
            if choice is not None:
                found.append((float(self._shape.weights[choice].sum()), column, choice))
        return min(found, key=lambda one: one[:2])[2] if found else None

    def found(self, place: int, withheld: Mask) -> bool | None:
        """Whether this choice leaves room to the small cell; None where a way up or down does not tell."""
        self._let(withheld)
        certain = self._shape.down[place] == 0
        for column, least in self._ends(place, withheld):
            way = self._by(column, least, withheld)
            if way is not None and self._attack.pool.wide(withheld, place):
                return True
            certain &= way is None
        return False if certain else None

    def _ends(self, place: int, withheld: Mask) -> Iterator[tuple[int, float]]:
        """The columns that may rise, and how far for the states that are known to span the width with it."""
        low, high = self._attack.pool.reach(withheld)
        number = self._shape.number_of[place]
        width = self._shape.part.width[place]
        for column, least in ((2 * place, int(low[number]) + width), (2 * place + 1, width - int(high[number]))):
            if 0 < least <= self._upper[column]:
                yield column, float(least)

    def _let(self, withheld: Mask | None) -> None:
        """Lets these cells alone move; None: all."""
        self._bounds = self._upper if withheld is None else np.where(np.repeat(withheld, 2), self._upper, 0.0)
        self._program.bounds(self._lower, self._bounds)

    def _by(self, column: int, least: float, withheld: Mask) -> Mask | None:
        other = column ^ 1
        self._program.bound(column, least, self._upper[column])
        self._program.bound(other, 0.0, 0.0)
        # A way is short, and what the last one has left lies in another place.
        self._program.afresh()
        solved = self._program.least(self._costs(withheld))
        self._program.bound(column, 0.0, self._bounds[column])
        self._program.bound(other, 0.0, self._bounds[other])
        return None if solved.values is None else withheld | self._moved(solved.values)


def mended(attack: Attack, moves: Moves, withheld: Mask, everything: Mask, deadline: Deadline) -> Mask:
    """A safe choice that withholds these cells and more.

    `everything`: a safe choice for which the pool has the states, which serves where no way is found, or no time is
    left to look for one.
    """
    choice = withheld
    try:
        while bare := attack.pool.bare(choice):
            beside = attack.shape.beside(choice)
            attack.move_many(choice, deadline)
            # The tightest first: what they need is there for the others. Then what these now have is looked for.
            for place in sorted(bare, key=lambda one: (beside[one], one))[:_AT_ONCE]:
                choice = _with_room(attack, moves, place, choice, everything, deadline)
    except TimeUp:
        choice = _in_haste(attack, moves, choice, everything)
    return choice


def _in_haste(attack: Attack, moves: Moves, choice: Mask, everything: Mask) -> Mask:
    """The same with few programs, each for all cells that are left: heavier."""
    middle = float(np.median(attack.shape.weights))
    for reward in _REWARDS:
        if bare := attack.pool.bare(choice):
            choice = moves.together(bare, choice, reward * middle)
            attack.move_many(choice, UNLIMITED)
    for place in attack.pool.bare(choice):
        choice = choice | states_of(attack, everything, place)
    return choice


def _with_room(attack: Attack, moves: Moves, place: int, choice: Mask, everything: Mask, deadline: Deadline) -> Mask:
    if attack.pool.wide(choice, place):
        return choice
    deadline.check()
    more = moves.cheapest(place, choice)
    choice = choice if more is None else more
    if attack.one(choice, place, deadline) is None:
        return choice
    return choice | states_of(attack, everything, place)


def states_of(attack: Attack, safe: Mask, place: int) -> Mask:
    """The cells that differ in the two states which protect this cell under a safe choice."""
    found = np.zeros(attack.shape.size, dtype=bool)
    for state in attack.pool.evidence(safe, [place]):
        found |= state != 0
    return found


def pruned(attack: Attack, moves: Moves, withheld: Mask, deadline: Deadline) -> Mask:
    """Without cells that need not be withheld, the heaviest tried first; what time allows of it."""
    shape, choice = attack.shape, withheld
    for place in sorted(np.flatnonzero(withheld & ~shape.fixed), key=lambda one: (-shape.weights[one], one)):
        trial = choice.copy()
        trial[place] = False
        try:
            deadline.check()
            if not shape.pinned(trial)[shape.guarded].any() and _holds(attack, moves, trial, deadline):
                choice = trial
        except TimeUp:
            break
    return choice


def _holds(attack: Attack, moves: Moves, trial: Mask, deadline: Deadline) -> bool:
    """Whether all small cells are shown to be protected; those with the least beside them are asked first."""
    beside = attack.shape.beside(trial)
    for place in sorted(attack.pool.bare(trial), key=lambda one: (beside[one], one)):
        if attack.pool.wide(trial, place):
            continue
        found = moves.found(place, trial)
        if found is None:
            found = attack.one(trial, place, deadline) is None
        if not found:
            return False
    return True


def weight_of(attack: Attack, withheld: Mask) -> int:
    """Of the complementary cells."""
    chosen = np.flatnonzero(withheld & ~attack.shape.fixed)
    return sum(attack.shape.part.cells[place].weight for place in chosen)
