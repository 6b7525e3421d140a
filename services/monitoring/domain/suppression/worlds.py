"""States of a part that a reader cannot rule out, and the search for them: by linear programs, kept in whole numbers.

A state is held as what it differs by from what is so, cell by cell. It serves every choice that publishes no cell in
which it differs, so that states found for one choice are kept for the next.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.monitoring.domain.suppression.problem import Part
from services.monitoring.domain.suppression.programs import Floats, Line, Program

Mask = NDArray[np.bool_]
Whole = NDArray[np.int64]
# Multipliers of lines are kept as whole numbers of this: halves to tenths are exact, and any number is valid.
SCALE = 5040
# How near a whole number a column has to be to be taken for one; what it is taken for is checked exactly.
_NEAR = 1e-5
# No state differs by more, so that a bound beyond it is none.
_FAR = 2**40
_TRIED = (1, 2, 3, 4, 6)
# How often many cells are moved at once, before each is asked for by itself.
_ROUNDS, _MANY = 6, 3
# Another round is worth it where the last left no more than this of them.
_WORTH = 0.8


class TimeUp(Exception):
    """The time is over."""


class Deadline:
    """`clock` gives seconds that only grow."""

    def __init__(self, clock: Callable[[], float], at: float) -> None:
        self.clock, self.at = clock, at

    def left(self) -> float:
        return self.at - self.clock()

    def check(self) -> None:
        """Raises TimeUp."""
        if self.left() <= 0:
            raise TimeUp

    def within(self, seconds: float) -> Deadline:
        return Deadline(self.clock, min(self.at, self.clock() + seconds))


class Multipliers(NamedTuple):
    """Multipliers of the lines, `SCALE` times: why a cell can rise no further, and why it can fall no further."""

    place: int
    rising: Whole
    falling: Whole


class Narrow(NamedTuple):
    """A small cell that too narrow an interval is left for, as differences from what it is.

    `multipliers` None: halves of persons would do, whole ones do not, of which multipliers tell nothing.
    """

    place: int
    low: float
    high: float
    multipliers: Multipliers | None


def _room(bounds: list[int | None]) -> Floats:
    """How far each cell may move; without end where that is further than any state goes."""
    return np.array([inf if one is None or one > _FAR else one for one in bounds], dtype=float)


class Shape:
    """A part as arrays."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.size = len(part.cells)
        self.down, self.up = _room(part.down), _room(part.up)
        self.weights: Floats = np.array([cell.weight for cell in part.cells], dtype=float)
        self.guarded = np.array(part.guarded, dtype=np.int64)
        self.width = np.array([part.width[place] for place in part.guarded], dtype=np.int64)
        self.number_of = {place: number for number, place in enumerate(part.guarded)}
        self.fixed = np.zeros(self.size, dtype=bool)
        self.fixed[list(part.fixed)] = True
        self.lines = [Line([place for place, _ in row], [float(factor) for _, factor in row]) for row in part.rows]
        # The factors of all rows one after the other, with where each stands.
        self._factors: Whole = np.array([factor for row in part.rows for _, factor in row], dtype=np.int64)
        self._places: Whole = np.array([place for row in part.rows for place, _ in row], dtype=np.int64)
        many = [len(row) for row in part.rows]
        self._rows = np.repeat(np.arange(len(many)), many)
        self._starts = np.cumsum([0, *many[:-1]])

    def keeps(self, state: Whole) -> bool:
        """Whether every relation holds, and every bound, where the cells differ by this."""
        if (state > self.up).any() or (-state > self.down).any():
            return False
        return not len(self._rows) or not np.add.reduceat(state[self._places] * self._factors, self._starts).any()

    def written(self, multipliers: Whole) -> Floats:
        """The sum of the rows, each times its multiplier: a factor a cell."""
        weights = (multipliers[self._rows] * self._factors).astype(float)
        found: Floats = np.bincount(self._places, weights, minlength=self.size).astype(float)
        return found


class Pool:
    """States that were found; the first is what is so."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._states: Whole = np.zeros((64, shape.size), dtype=np.int64)
        # Which cells differ, as bits: which states a choice allows is asked all the time.
        self._moved = np.zeros((64, -(-shape.size // 8)), dtype=np.uint8)
        self._count = 1
        # Of the choice that was asked about last: the extremes of the small cells, and in which state each is reached.
        many = len(shape.guarded)
        self._asked: Mask = np.ones(shape.size, dtype=bool)
        self._low, self._high = np.zeros(many, dtype=np.int64), np.zeros(many, dtype=np.int64)
        self._low_at, self._high_at = np.zeros(many, dtype=np.int64), np.zeros(many, dtype=np.int64)

    def add(self, values: Floats) -> bool:
        """Takes the state in which the cells differ by these values, or by a multiple where they are fractions; False
        where that is none in whole numbers."""
        if np.abs(values).max(initial=0) > _FAR:
            return False
        for times in _TRIED:
            rounded = np.rint(values * times)
            if np.abs(rounded - values * times).max(initial=0) < _NEAR:
                return self._keep(rounded.astype(np.int64))
        return False

    def _keep(self, state: Whole) -> bool:
        if not self._shape.keeps(state):
            return False
        if self._count == len(self._states):
            self._states = np.concatenate([self._states, np.zeros_like(self._states)])
            self._moved = np.concatenate([self._moved, np.zeros_like(self._moved)])
        self._states[self._count] = state
        self._moved[self._count] = np.packbits(state != 0)
        self._count += 1
        if not state[~self._asked].any():
            self._reached(np.array([self._count - 1]), slice(None))
        return True

    def _usable(self, withheld: Mask) -> Whole:
        """The states that differ in withheld cells alone."""
        shown = np.packbits(~withheld)
        return np.flatnonzero(~(self._moved[: self._count] & shown).any(axis=1))

    def reach(self, withheld: Mask) -> tuple[Whole, Whole]:
        """How far each small cell falls and rises in the states that this choice allows, in the order of the guarded.

        What the last choice allowed is kept as far as it goes: mostly they differ by a cell or two.
        """
        if np.array_equal(self._asked, withheld):
            return self._low, self._high
        shown, hidden = self._asked & ~withheld, withheld & ~self._asked
        before, self._asked = self._asked, withheld.copy()
        usable = self._usable(withheld)
        if shown.any():
            bits = np.packbits(shown)
            lost: Mask = np.any(self._moved[: self._count] & bits, axis=1)
            numbers = np.flatnonzero(lost[self._low_at] | lost[self._high_at])
            self._low[numbers], self._high[numbers] = 0, 0
            self._low_at[numbers], self._high_at[numbers] = 0, 0
            if len(numbers):
                self._reached(usable, numbers)
        if hidden.any():
            self._reached(np.setdiff1d(usable, self._usable(before), assume_unique=True), slice(None))
        return self._low, self._high

    def _reached(self, states: Whole, numbers: Whole | slice) -> None:
        """Notes what these states reach of these small cells."""
        if not len(states):
            return
        found = self._states[np.ix_(states, self._shape.guarded[numbers])]
        for reached, at, best, beyond in (
            (self._low, self._low_at, found.argmin(axis=0), np.less),
            (self._high, self._high_at, found.argmax(axis=0), np.greater),
        ):
            values = found[best, np.arange(found.shape[1])]
            further = beyond(values, reached[numbers])
            reached[numbers] = np.where(further, values, reached[numbers])
            at[numbers] = np.where(further, states[best], at[numbers])

    def wide(self, withheld: Mask, place: int) -> bool:
        """Whether these states protect the small cell."""
        low, high = self.reach(withheld)
        number = self._shape.number_of[place]
        return bool(high[number] - low[number] >= self._shape.width[number])

    def bare(self, withheld: Mask) -> list[int]:
        """The small cells that these states do not protect."""
        low, high = self.reach(withheld)
        return [int(place) for place in self._shape.guarded[high - low < self._shape.width]]

    def evidence(self, withheld: Mask, places: Collection[int]) -> Iterator[Whole]:
        """For each of these cells the states in which it is least and greatest."""
        self.reach(withheld)
        numbers = [self._shape.number_of[place] for place in places]
        yield from (self._states[one] for one in sorted({*self._low_at[numbers], *self._high_at[numbers]}))


class Attack:
    """What a reader finds out of one part under a choice."""

    def __init__(self, shape: Shape, pool: Pool) -> None:
        self.shape, self.pool = shape, pool
        self._program = Program(-shape.down, shape.up, shape.lines)
        self._withheld: Mask = np.ones(shape.size, dtype=bool)

    def narrow(self, withheld: Mask, deadline: Deadline, first: bool = False) -> list[Narrow]:
        """The small cells that too little is left of; none: the pool now shows that all are protected.

        `first`: one is enough. Raises TimeUp.
        """
        self._move_many(withheld, deadline)
        found: list[Narrow] = []
        for place in self.pool.bare(withheld):
            one = self.one(withheld, place, deadline)
            if one is not None:
                found.append(one)
                if first:
                    break
        return found

    def one(self, withheld: Mask, place: int, deadline: Deadline) -> Narrow | None:
        """What is left of this small cell; None where it is protected. Raises TimeUp."""
        if self.pool.wide(withheld, place):
            return None
        deadline.check()
        self._hide(withheld)
        width = self.shape.part.width[place]
        ends: list[tuple[float, Whole]] = []
        for sign in (1, -1):
            self._bound(place, *((-inf, width) if sign > 0 else (-width, inf)))
            solved = self._program.least(self._costs([place], sign))
            self._bound(place, -inf, inf)
            if solved.values is None:
                raise TimeUp
            self.pool.add(solved.values)
            ends.append((float(solved.values[place]), np.rint(solved.duals * SCALE).astype(np.int64)))
            if self.pool.wide(withheld, place):
                return None
        (high, rising), (low, falling) = ends
        if high - low < width - _NEAR:
            return Narrow(place, low, high, Multipliers(place, rising, falling))
        self._in_whole_numbers(withheld, place, deadline)
        return None if self.pool.wide(withheld, place) else Narrow(place, low, high, None)

    def _move_many(self, withheld: Mask, deadline: Deadline) -> None:
        """Moves all unprotected cells at once, up and down by turns and some each way: mostly a few programs do."""
        bare = self.pool.bare(withheld)
        if len(bare) < _MANY:
            return
        self._hide(withheld)
        try:
            for place in bare:
                self._bound(place, -self.shape.part.width[place], self.shape.part.width[place])
            self._turns(withheld, bare, deadline)
        finally:
            for place in bare:
                self._bound(place, -inf, inf)

    def _turns(self, withheld: Mask, bare: list[int], deadline: Deadline) -> None:
        turn = np.random.default_rng(1)
        for number in range(_ROUNDS):
            deadline.check()
            signs = np.full(len(bare), 1 - 2 * (number % 2)) if number < 2 else turn.choice((-1, 1), len(bare))
            solved = self._program.least(self._costs(bare, signs))
            if solved.values is not None:
                self.pool.add(solved.values)
            before, bare = bare, self.pool.bare(withheld)
            if len(bare) < _MANY or (number > 1 and len(bare) > len(before) * _WORTH):
                return

    def _costs(self, places: list[int], signs: int | NDArray[np.int64]) -> Floats:
        costs = np.zeros(self.shape.size)
        costs[places] = -signs
        return costs

    def _bound(self, place: int, low: float, high: float) -> None:
        self._program.bound(place, max(-float(self.shape.down[place]), low), min(float(self.shape.up[place]), high))

    def _hide(self, withheld: Mask) -> None:
        """Lets the withheld cells move, and no other."""
        for place in np.flatnonzero(self._withheld != withheld):
            room = inf if withheld[place] else 0.0
            self._bound(int(place), -room, room)
        self._withheld = withheld.copy()

    def _in_whole_numbers(self, withheld: Mask, place: int, deadline: Deadline) -> None:
        width = self.shape.part.width[place]
        down, up = np.where(withheld, self.shape.down, 0.0), np.where(withheld, self.shape.up, 0.0)
        down[place], up[place] = min(down[place], width), min(up[place], width)
        program = Program(-down, up, self.shape.lines, whole=True)
        for sign in (1, -1):
            solved = program.least(self._costs([place], sign), deadline.left())
            if solved.values is None:
                raise TimeUp
            self.pool.add(solved.values)
