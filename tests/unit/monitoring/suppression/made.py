"""Made-up published figures: tables with margins, nested periods and steps, counted from persons drawn by a seed."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from time import perf_counter
from typing import Any

from services.monitoring.domain.suppression.problem import Cell, Protected, Relation
from services.monitoring.domain.suppression.protecting import protect

THRESHOLD, PROTECTION = 10, 5
# Sex, age, residence; sex, sector, host.
PERSONAL, OF_WORK = (2, 4, 6), (2, 5, 4)
ALL = "all"


@dataclass
class Made:
    """A problem: cells by key in the order in which they were made, and relations."""

    cells: dict[Hashable, Cell] = field(default_factory=dict)
    relations: list[Relation] = field(default_factory=list)

    def put(self, key: Hashable, value: int, **said: Any) -> None:
        self.cells[key] = Cell(key, value, said.pop("size", abs(value)), **said)

    def equal(self, whole: Hashable, *parts: Hashable) -> None:
        """That the parts come to the whole."""
        self.relations.append(Relation(((whole, -1), *((part, 1) for part in parts))))

    def rest(self, key: Hashable, whole: Hashable, part: Hashable, **said: Any) -> None:
        """What no table shows: the whole less a part."""
        value = self.cells[whole].value - self.cells[part].value
        self.put(key, value, decided="withheld", **said)
        self.equal(whole, part, key)

    def protect(self, seconds: float = 20.0, **said: Any) -> Protected:
        asked: dict[str, Any] = {"threshold": THRESHOLD, "protection": PROTECTION, "clock": perf_counter, **said}
        return protect(list(self.cells.values()), self.relations, seconds=seconds, **asked)

    def published(self, found: Protected) -> set[Hashable]:
        """What a reader has of an answer that is certified."""
        return {key for key, cell in self.cells.items() if cell.decided != "withheld"} - found.withheld

    def small(self) -> list[Hashable]:
        return [key for key, cell in self.cells.items() if cell.small(THRESHOLD)]

    def decide(self, found: Protected) -> None:
        """Makes it what was published earlier."""
        for key, cell in self.cells.items():
            if cell.decided is None:
                self.cells[key] = replace(cell, decided="withheld" if key in found.withheld else "published")


Persons = list[tuple[int, ...]]


def drawn(seed: int, many: int, sizes: Sequence[int]) -> Persons:
    """Persons, each by their class in every dimension; some classes are large and some are small."""
    turn = random.Random(seed)
    shares = [[turn.random() ** 2 + 0.02 for _ in range(size)] for size in sizes]
    return [
        tuple(turn.choices(range(size), share)[0] for size, share in zip(sizes, shares, strict=True))
        for _ in range(many)
    ]


def table(made: Made, name: Hashable, persons: Persons, sizes: Sequence[int], **said: Any) -> None:
    """Every combination of classes and of margins, with all relations between them."""
    counted: Counter[tuple[int | str, ...]] = Counter()
    for person in persons:
        for seen in product(*((one, ALL) for one in person)):
            counted[seen] += 1
    ranges: list[list[int | str]] = [[*range(size), ALL] for size in sizes]
    for classes in product(*ranges):
        made.put((name, classes), counted[classes], **said)
    for classes in product(*ranges):
        for place, one in enumerate(classes):
            if one == ALL:
                inner = [(*classes[:place], number, *classes[place + 1 :]) for number in range(sizes[place])]
                made.equal((name, classes), *((name, seen) for seen in inner))


def nested(made: Made, name: str, persons: Persons, sizes: Sequence[int], quarters: int = 4) -> None:
    """A table for each quarter, the last dimension of the persons, and one for the year."""
    by_quarter = defaultdict(list)
    for *classes, quarter in persons:
        by_quarter[quarter].append(tuple(classes))
    table(made, (name, "year"), [tuple(one[:-1]) for one in persons], sizes)
    for quarter in range(quarters):
        table(made, (name, quarter), by_quarter[quarter], sizes)
    for seen in product(*([*range(size), ALL] for size in sizes)):
        made.equal(((name, "year"), seen), *(((name, quarter), seen) for quarter in range(quarters)))


def next_step(made: Made, before: Hashable, after: Hashable, moved: Persons, sizes: Sequence[int]) -> None:
    """The table as it is later: `moved` have gone or come. What changed is shown by no table."""
    ranges: list[list[int | str]] = [[*range(size), ALL] for size in sizes]
    touched: Counter[tuple[int | str, ...]] = Counter()
    for person in moved:
        for seen in product(*((one, ALL) for one in person)):
            touched[seen] += 1
    for classes in product(*ranges):
        earlier, later = made.cells[(before, classes)], made.cells[(after, classes)]
        change = ("change", before, after, classes)
        value = later.value - earlier.value
        made.put(change, value, size=touched[classes], decided="withheld", lower=None)
        made.equal((after, classes), (before, classes), change)


def year() -> Made:
    """The figures of a year, some 2,000 in three parts, most of them small."""
    made = Made()
    nested(made, "registered", drawn(11, 2_600, (*PERSONAL, 4)), PERSONAL)
    placed = drawn(12, 900, (*PERSONAL, 4))
    nested(made, "placed", placed, PERSONAL)
    nested(made, "completed", [one for number, one in enumerate(placed) if number % 8], PERSONAL)
    nested(made, "trained", drawn(13, 1_400, (*OF_WORK, 4)), OF_WORK)
    for (name, period), classes in list(made.cells):  # type: ignore[misc]
        if name == "placed":
            made.rest(("rest", period, classes), (("placed", period), classes), (("completed", period), classes))
    for key, cell in made.cells.items():
        if cell.decided is None:
            (_, period), classes = key  # type: ignore[misc]
            made.cells[key] = replace(cell, weight=1 + Counter(classes)[ALL] + (period == "year"))
    return made
