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
from services.monitoring.domain.suppression.programs import Floats
from services.monitoring.domain.suppression.sums import Movable, Whole, sums_of

Mask = NDArray[np.bool_]
# How near a whole number a column has to be to be taken for one; what it is taken for is checked exactly.
_NEAR = 1e-5
# No state differs by more, so that a bound beyond it is none.
_FAR = 2**40
_STATES = 2_000
_TRIED = (1, 2, 3, 4, 6)
# How often many cells are moved at once, before each is asked for by itself.
_ROUNDS, _MANY = 60, 3
# Another round is worth it where one of the last two protected this many.
_WORTH = 4
# Moved at once, a cell may go by this many times its width: a small whole has small parts, which all rise with it.
_FURTHER = 20


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


UNLIMITED = Deadline(lambda: 0.0, inf)


class Multipliers(NamedTuple):
    """Why a cell can rise no further, and why it can fall no further: either as a sum of cells, each times its whole
    number, `SCALE` times, by place."""

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
        self.sums = sums_of(part)
        # The factors of all rows one after the other, with where each stands.
        self._factors: Whole = np.array([factor for row in part.rows for _, factor in row], dtype=np.int64)
        self._places: Whole = np.array([place for row in part.rows for place, _ in row], dtype=np.int64)
        many = [len(row) for row in part.rows]
        self._rows = np.repeat(np.arange(len(many)), many)
        self._starts = np.cumsum([0, *many[:-1]])

    def pinned(self, withheld: Mask) -> Mask:
        """The withheld cells that follow one after the other, each from a relation in which all else is known."""
        hidden = withheld.copy()
        while True:
            many = np.bincount(self._rows, hidden[self._places], minlength=len(self._starts))
            alone = self._places[(many[self._rows] == 1) & hidden[self._places]]
            if not len(alone):
                return withheld & ~hidden
            hidden[alone] = False

    def beside(self, withheld: Mask) -> Whole:
        """Of each cell, how many cells are withheld in the relation of it that has the fewest."""
        found = np.full(self.size, self.size, dtype=np.int64)
        many = np.bincount(self._rows, withheld[self._places], minlength=len(self._starts)).astype(np.int64)
        np.minimum.at(found, self._places, many[self._rows])
        return found

    def keeps(self, state: Whole) -> bool:
        """Whether every relation holds, and every bound, where the cells differ by this."""
        if (state > self.up).any() or (-state > self.down).any():
            return False
        return not len(self._rows) or not np.add.reduceat(state[self._places] * self._factors, self._starts).any()


class Pool:
    """States that were found; the first is what is so."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._states: Whole = np.zeros((64, shape.size), dtype=np.int64)
        # Which cells differ, as bits: which states a choice allows is asked all the time.
        self._moved = np.zeros((64, -(-shape.size // 8)), dtype=np.uint8)
        self._count = 1
        # Memory is bounded: what was found for choices that were given up is found again where it is needed.
        self.most = _STATES + 4 * len(shape.guarded)
        # Of the choice that was asked about last: the extremes of the small cells, and in which state each is reached.
        many = len(shape.guarded)
        self._asked: Mask = np.ones(shape.size, dtype=bool)
        self._low, self._high = np.zeros(many, dtype=np.int64), np.zeros(many, dtype=np.int64)
        self._low_at, self._high_at = np.zeros(many, dtype=np.int64), np.zeros(many, dtype=np.int64)
        self._seed()

    def _seed(self) -> None:
        """Each inner cell rises by itself, and what it is part of with it: where all is withheld most may."""
        shape = self._shape
        states = {place: np.zeros(shape.size, dtype=np.int64) for place in shape.sums.inner}
        for place, state in states.items():
            state[place] = 1
        for place, row in shape.sums.outer.items():
            for inner, factor in row.items():
                states[inner][place] = factor
        for state in states.values():
            self._keep(state * int(shape.width.max()))

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
        if self._count >= self.most:
            self._forget()
        if self._count == len(self._states):
            self._states = np.concatenate([self._states, np.zeros_like(self._states)])
            self._moved = np.concatenate([self._moved, np.zeros_like(self._moved)])
        self._states[self._count] = state
        self._moved[self._count] = np.packbits(state != 0)
        self._count += 1
        if not state[~self._asked].any():
            self._reached(np.array([self._count - 1]), slice(None))
        return True

    def _forget(self) -> None:
        """All states but those by which the small cells are protected now, or where everything is withheld."""
        asked = self._asked
        needed = {0}
        for withheld in (np.ones(self._shape.size, dtype=bool), asked):
            self.reach(withheld)
            needed |= {*self._low_at.tolist(), *self._high_at.tolist()}
        kept = np.array(sorted(needed))
        self._low_at, self._high_at = np.searchsorted(kept, self._low_at), np.searchsorted(kept, self._high_at)
        self._count = len(kept)
        self._states[: self._count], self._moved[: self._count] = self._states[kept], self._moved[kept]

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
        self._program = Movable(shape.size, shape.sums)
        self._withheld: Mask = np.zeros(shape.size, dtype=bool)

    def narrow(self, withheld: Mask, deadline: Deadline) -> list[Narrow]:
        """The small cells that too little is left of; none: the pool now shows that all are protected.

        Raises TimeUp.
        """
        self.move_many(withheld, deadline)
        left = (self.one(withheld, place, deadline) for place in self.pool.bare(withheld))
        return [one for one in left if one is not None]

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
            if solved is None:
                raise TimeUp
            self.pool.add(solved.values)
            ends.append((float(solved.values[place]), -solved.written))
            if self.pool.wide(withheld, place):
                return None
        (high, rising), (low, falling) = ends
        if high - low < width - _NEAR:
            return Narrow(place, low, high, Multipliers(place, rising, falling))
        self._in_whole_numbers(withheld, place, deadline)
        return None if self.pool.wide(withheld, place) else Narrow(place, low, high, None)

    def move_many(self, withheld: Mask, deadline: Deadline) -> None:
        """Moves all unprotected cells at once, so that a few programs do for most. Raises TimeUp."""
        bare = self.pool.bare(withheld)
        if len(bare) < _MANY:
            return
        self._hide(withheld)
        try:
            for place in bare:
                far = _FURTHER * self.shape.part.width[place]
                self._bound(place, -far, far)
            self._turns(withheld, bare, deadline)
        finally:
            for place in bare:
                self._bound(place, -inf, inf)

    def _turns(self, withheld: Mask, bare: list[int], deadline: Deadline) -> None:
        """All up, all down, and then some up and some down as it falls: two that hinder each other part ways."""
        turn, least = np.random.default_rng(1), 0
        for number in range(_ROUNDS):
            deadline.check()
            signs = np.full(len(bare), 1 - 2 * number) if number < 2 else turn.choice((-1, 0, 1, 1), len(bare))
            # What is nobody cannot be fewer.
            signs = np.where((signs < 0) & (self.shape.down[bare] == 0), turn.choice((0, 1), len(bare)), signs)
            solved = self._program.least(self._costs(bare, signs))
            if solved is not None:
                self.pool.add(solved.values)
            before, bare = bare, self.pool.bare(withheld)
            least = 0 if len(before) - len(bare) >= _WORTH else least + 1
            if len(bare) < _MANY or least == 2:
                return

    def _costs(self, places: list[int], signs: int | Whole) -> Whole:
        costs = np.zeros(self.shape.size, dtype=np.int64)
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
        program = Movable(self.shape.size, self.shape.sums, whole=True)
        program.bounds(-down, up)
        for sign in (1, -1):
            solved = program.least(self._costs([place], sign), deadline.left())
            if solved is None:
                raise TimeUp
            self.pool.add(solved.values)
