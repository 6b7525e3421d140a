"""Which figures are withheld, so that no small one follows from all that has been published together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

import numpy as np

from services.monitoring.domain.suppression.attacker import unprotected
from services.monitoring.domain.suppression.choosing import Moves, mended, pruned, states_of
from services.monitoring.domain.suppression.least import improved
from services.monitoring.domain.suppression.problem import (
    Cell,
    Key,
    Part,
    Problem,
    Protected,
    Relation,
    checked,
    problem_of,
)
from services.monitoring.domain.suppression.worlds import Attack, Deadline, Mask, Pool, Shape, TimeUp

# Of the time, what a first choice may take, and what is left for the check in the end.
_FIRST, _CHECK = 0.6, 0.05


class Side:
    """A part, with what is known of it. `everything`: the choice that publishes none of it."""

    def __init__(self, part: Part) -> None:
        self.part = part
        shape = Shape(part)
        self.attack = Attack(shape, Pool(shape))
        self.everything: Mask = np.ones(shape.size, dtype=bool)
        self.choice = self.everything
        self.least = 0
        self.moves = Moves(self.attack)

    def untold(self, deadline: Deadline) -> list[Key]:
        """The cells that are not protected though all is withheld that may be: no choice then protects them."""
        narrow = self.attack.narrow(self.everything, deadline)
        return [self.part.cells[one.place].key for one in narrow]

    def choose(self, deadline: Deadline) -> None:
        """A first choice."""
        try:
            self.choice = mended(self.attack, self.moves, self.attack.shape.fixed, self.everything, deadline)
        except TimeUp:
            self.choice = self.attack.shape.fixed.copy()
            for place in self.part.guarded:
                self.choice |= states_of(self.attack, self.everything, place)
        self.choice = pruned(self.attack, self.choice, deadline)

    def improve(self, deadline: Deadline) -> None:
        self.choice, self.least = improved(self.attack, self.moves, self.choice, self.everything, deadline)

    def complementary(self) -> frozenset[Key]:
        shape = self.attack.shape
        return frozenset(self.part.cells[place].key for place in np.flatnonzero(self.choice & ~shape.fixed))

    def worlds(self, problem: Problem) -> Iterator[dict[Key, int]]:
        """The states by which the choice is safe, as values of the cells that differ."""
        for state in self.attack.pool.evidence(self.choice, self.part.guarded):
            yield problem.completed({self.part.cells[place].key: int(state[place]) for place in np.flatnonzero(state)})


def protect(
    cells: Sequence[Cell],
    relations: Sequence[Relation],
    *,
    threshold: int,
    protection: int,
    seconds: float,
    clock: Callable[[], float],
) -> Protected:
    """What is withheld at the least weight, or at the least that was found in the time; certified in whole numbers.

    A cell about fewer persons than `threshold` is withheld, and what a reader can still take it for spans `protection`
    units of its figure at least. `clock`: seconds that only grow. Equal input gives an equal answer where the time
    suffices. Raises ValueError (see `checked()`).
    """
    deadline = Deadline(clock, clock() + seconds)
    checked(cells, relations, threshold, protection)
    problem = problem_of(cells, relations, threshold, protection)
    untold = [cell.key for cell in cells if cell.decided == "published" and cell.small(threshold)]
    sides = [Side(part) for part in problem.parts]
    try:
        for side in sides:
            untold += side.untold(deadline)
    except TimeUp:
        return _nothing(cells, threshold, "time")
    if untold:
        return _nothing(cells, threshold, "no_safe_choice", untold)
    _choose(sides, Deadline(clock, deadline.at - seconds * _CHECK))
    chosen = frozenset(key for side in sides for key in side.complementary())
    by_key = {cell.key: cell for cell in cells}
    worlds = [_values(world, by_key) for side in sides for world in side.worlds(problem)]
    hidden = {cell.key for cell in cells if cell.small(threshold) or cell.decided == "withheld"} | chosen
    published = {cell.key for cell in cells} - hidden
    open_still = unprotected(cells, relations, published, worlds, protection)
    if any(cell.small(threshold) and cell.key in open_still for cell in cells):
        return _nothing(cells, threshold, "unproven")
    return _settled(cells, threshold, chosen, sum(side.least for side in sides))


def _settled(cells: Sequence[Cell], threshold: int, chosen: frozenset[Key], least: int) -> Protected:
    return Protected(
        primary=_small(cells, threshold),
        complementary=chosen,
        certified=True,
        weight=sum(cell.weight for cell in cells if cell.key in chosen),
        least=least,
    )


def _choose(sides: Sequence[Side], deadline: Deadline) -> None:
    """The parts in turn, small ones first: each its share of what is left of the time, so that none waits for a hard
    one."""
    first = deadline.within(deadline.left() * _FIRST)
    ordered = sorted(sides, key=lambda side: len(side.part.cells))
    for number, side in enumerate(ordered):
        side.choose(first.within(first.left() / (len(sides) - number)))
    for number, side in enumerate(ordered):
        side.improve(deadline.within(deadline.left() / (len(sides) - number)))


def _values(differences: Mapping[Key, int], cells: Mapping[Key, Cell]) -> dict[Key, int]:
    return {key: cells[key].value + difference for key, difference in differences.items()}


def _small(cells: Sequence[Cell], threshold: int) -> frozenset[Key]:
    return frozenset(cell.key for cell in cells if cell.decided is None and cell.small(threshold))


def _nothing(
    cells: Sequence[Cell],
    threshold: int,
    why: Literal["time", "no_safe_choice", "unproven"],
    untold: Sequence[Key] = (),
) -> Protected:
    """That nothing may be published."""
    primary = _small(cells, threshold)
    rest = [cell for cell in cells if cell.decided is None and cell.key not in primary]
    return Protected(
        primary=primary,
        complementary=frozenset(cell.key for cell in rest),
        certified=False,
        weight=sum(cell.weight for cell in rest),
        least=0,
        why=why,
        untold=tuple(sorted(untold, key=repr)),
    )
