"""What is to be protected: figures, how they hang together, and the parts that can be looked at one by one.

The rule is faults.md, section 6 (small cells): no figure about few persons, zeros treated alike, and no way to work
one out from all that is published together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Key = Hashable
# Sums stay exact far beyond it; programs in floating point do not.
LARGEST, WIDEST = 2**50, 2**38


@dataclass(frozen=True)
class Cell:
    """One figure. `value`: the exact figure; `size`: how many persons are behind it, or things that stand for one.

    `sensitive` False: it is about nobody, however small. `decided`: published earlier, or withheld for good (a
    remainder that no table shows); None: it is to be decided. `lower` and `upper`: what anybody knows of it without any
    publication, None where nothing. `weight`: what it costs to withhold it. `protection`: how wide the interval has
    to be that is left to a reader, in units of the figure; None: the problem's.
    """

    key: Key
    value: int
    size: int
    sensitive: bool = True
    decided: Literal["published", "withheld"] | None = None
    lower: int | None = 0
    upper: int | None = None
    weight: int = 1
    protection: int | None = None

    def small(self, threshold: int) -> bool:
        """Whether it may not be told: few persons are behind it, or none."""
        return self.sensitive and self.size < threshold


@dataclass(frozen=True)
class Relation:
    """That these cells, each times its coefficient, come to zero, which everybody knows."""

    terms: tuple[tuple[Key, int], ...]


@dataclass(frozen=True)
class Protected:
    """What is withheld of the cells that were to be decided, so that no small one follows from the rest.

    `primary`: the small ones; `complementary`: those withheld for their sake. `certified`: for each small cell there
    are two states of all cells in whole numbers that agree with everything published and differ in it by the
    protection at least. Where False nothing may be published, and `why` says for what reason; `untold` then names
    the cells that no choice protects. `weight`: of the complementary cells; `least`: no safe choice weighs less.
    """

    primary: frozenset[Key]
    complementary: frozenset[Key]
    certified: bool
    weight: int
    least: int
    why: Literal["time", "no_safe_choice", "unproven"] | None = None
    untold: tuple[Key, ...] = ()

    @property
    def withheld(self) -> frozenset[Key]:
        return self.primary | self.complementary


@dataclass(frozen=True)
class Part:
    """Cells that hang together by relations whose every other cell is published already; all by their places.

    `down` and `up`: how far the figure may lie below and above what it is, None without end. `rows`: relations, as
    (place, coefficient). `fixed`: withheld in any case; `guarded`: small ones, with the width of each by its place.
    """

    cells: tuple[Cell, ...]
    rows: tuple[tuple[tuple[int, int], ...], ...]
    fixed: frozenset[int]
    guarded: tuple[int, ...]
    width: Mapping[int, int]

    @property
    def down(self) -> list[int | None]:
        return [None if cell.lower is None else cell.value - cell.lower for cell in self.cells]

    @property
    def up(self) -> list[int | None]:
        return [None if cell.upper is None else cell.upper - cell.value for cell in self.cells]


def checked(cells: Sequence[Cell], relations: Sequence[Relation], threshold: int, protection: int) -> None:
    """Raises ValueError for what is no problem: keys twice or unknown, a relation that the values break, a value beyond
    its own bounds or too large, a weight below 0, a threshold or a protection that is below 1 or too large."""
    by_key = {cell.key: cell for cell in cells}
    if len(by_key) < len(cells):
        raise ValueError("a key stands twice")
    widths = [protection, *(cell.protection for cell in cells if cell.protection is not None)]
    if min(threshold, *widths) < 1 or max(widths) > WIDEST:
        raise ValueError("a threshold or a protection is below 1, or too large")
    for cell in cells:
        low, high = (cell.value if bound is None else bound for bound in (cell.lower, cell.upper))
        if not low <= cell.value <= high or max(abs(low), abs(cell.value), abs(high)) > LARGEST:
            raise ValueError(f"the value of {cell.key!r} lies beyond its bounds, or is too large")
        if cell.weight < 0:
            raise ValueError(f"the weight of {cell.key!r} is below 0")
    for relation in relations:
        if unknown := [key for key, _ in relation.terms if key not in by_key]:
            raise ValueError(f"a relation names {unknown[0]!r}, which is no cell")
        if sum(factor * by_key[key].value for key, factor in relation.terms):
            raise ValueError(f"the values break a relation of {relation.terms[0][0]!r}")


Row = dict[Key, int]


@dataclass(frozen=True)
class Problem:
    """`parts`: those in which something is to be protected, in an order that follows from the keys alone. `idle`: the
    relations that tell nothing, each with a cell of its own that makes up for whatever the others are."""

    parts: Sequence[Part]
    idle: Sequence[tuple[Row, Key]]

    def completed(self, deviation: Mapping[Key, int]) -> dict[Key, int]:
        """By how much the cells of a part differ from what they are, and with them those that make up for it."""
        whole = dict(deviation)
        for row, own in reversed(self.idle):
            rest = sum(factor * whole.get(key, 0) for key, factor in row.items() if key != own)
            if rest:
                whole[own] = -rest * row[own]
        return whole


def problem_of(cells: Sequence[Cell], relations: Iterable[Relation], threshold: int, protection: int) -> Problem:
    """What was published has no other value than its own, so that it links nothing."""
    open_cells = {cell.key: cell for cell in cells if cell.decided != "published"}
    small = {key for key, cell in open_cells.items() if cell.small(threshold)}
    collected = (_collected(relation, open_cells) for relation in relations)
    unique = {tuple(row.items()): row for row in collected if row}
    rows, idle = _telling([unique[one] for one in sorted(unique, key=repr)], open_cells, small)
    linked = _connected(sorted(small, key=repr), rows)
    return Problem([_part([open_cells[key] for key in keys], own, small, protection) for keys, own in linked], idle)


def _part(cells: Sequence[Cell], rows: Sequence[Row], small: set[Key], protection: int) -> Part:
    placed = {cell.key: place for place, cell in enumerate(cells)}
    guarded = tuple(place for place, cell in enumerate(cells) if cell.key in small)
    return Part(
        cells=tuple(cells),
        rows=tuple(tuple((placed[key], factor) for key, factor in row.items()) for row in rows),
        fixed=frozenset(guarded) | {place for place, cell in enumerate(cells) if cell.decided},
        guarded=guarded,
        width={place: cells[place].protection or protection for place in guarded},
    )


def _collected(relation: Relation, open_cells: Mapping[Key, Cell]) -> Row:
    row: Row = defaultdict(int)
    for key, factor in relation.terms:
        if key in open_cells:
            row[key] += factor
    return {key: row[key] for key in sorted(row, key=repr) if row[key]}


def _telling(
    rows: list[Row], open_cells: Mapping[Key, Cell], small: set[Key]
) -> tuple[list[Row], list[tuple[Row, Key]]]:
    """Without relations that tell nothing, and those: one of their cells is never shown, may be anything and stands
    nowhere else, as a change between two steps that is not small."""
    free = {key for key, cell in open_cells.items() if key not in small and cell.decided and _boundless(cell)}
    idle: list[tuple[Row, Key]] = []
    while True:
        many: dict[Key, int] = defaultdict(int)
        for row in rows:
            for key in free & row.keys():
                many[key] += 1
        kept = []
        for row in rows:
            own = [key for key, factor in row.items() if many.get(key) == 1 and abs(factor) == 1]
            if own:
                idle.append((row, own[0]))
            else:
                kept.append(row)
        if len(kept) == len(rows):
            return rows, idle
        rows = kept


def _boundless(cell: Cell) -> bool:
    return cell.lower is None and cell.upper is None


def _connected(seeds: Sequence[Key], rows: Sequence[Row]) -> Iterator[tuple[list[Key], list[Row]]]:
    """Of each seed what it is linked to, once: keys and rows, in their order."""
    of_key: dict[Key, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        for key in row:
            of_key[key].append(number)
    seen: set[Key] = set()
    for seed in seeds:
        if seed in seen:
            continue
        keys, numbers, waiting = {seed}, set[int](), [seed]
        while waiting:
            for number in of_key[waiting.pop()]:
                if number not in numbers:
                    numbers.add(number)
                    waiting.extend(rows[number].keys() - keys)
                    keys |= rows[number].keys()
        seen |= keys
        yield sorted(keys, key=repr), [rows[number] for number in sorted(numbers)]
