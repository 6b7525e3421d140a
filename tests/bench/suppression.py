"""What is withheld of a year's figures: how long it takes to be certified, and how much more than the least it is."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from statistics import median
from time import perf_counter

from services.monitoring.domain.suppression.problem import Protected
from tests.bench.rows import QUICK_RUNS, RUNS, Result, Row
from tests.unit.monitoring.suppression.made import REGISTERED, Made, year

# Of the time that is given to the search, which it uses up where the least is not proven.
SECONDS, GOAL = 8.0, 10.0
# Few persons, most figures small; many persons, most figures large.
FEW, MANY = 1, 10
HOW = (
    "{cells:,} figures to be decided, {small:,} of them small, and {rests:,} rests that no table shows, in three parts "
    "that no sum ties together: registrations; placements, and completions as part of them, all by sex (2), age (4) "
    "and residence (6); trainings by sex (2), sector (5) and host (4); with all margins, in four quarters and the "
    "year. {persons:,} registrations. A threshold of 10, a protection of 5, the weight of a figure 1 and as much for "
    "each margin; one process, one thread"
)
LEAST = "{withheld:,} figures withheld for the sake of small ones; beside it a bound that no safe choice is below"


@dataclass(frozen=True)
class Taken:
    seconds: float
    found: Protected


async def rows(quick: bool) -> list[Result]:
    return [row for times in (FEW, MANY) for row in _rows(times, QUICK_RUNS if quick else RUNS)]


def _rows(times: int, runs: int) -> list[Result]:
    made = year(times)
    taken = [_protected(made) for _ in range(runs)]
    found = taken[-1].found
    cells = sum(cell.decided is None for cell in made.cells.values())
    how = HOW.format(cells=cells, small=len(found.primary), rests=len(made.cells) - cells, persons=REGISTERED * times)
    whose = f"{len(found.primary):,} of {cells:,} figures small"
    return [
        Row(
            name=f"suppression: certified, {whose}",
            unit="s",
            ours=median(one.seconds for one in taken),
            how=f"{how}; {SECONDS:g} s given to the search",
            goal=GOAL,
            less_is_better=True,
            short="the time is checked between two programs, and programs take longer on cores that others have too",
        ),
        Row(
            name=f"suppression: weight withheld, {whose}",
            unit="of weight",
            ours=float(median(one.found.weight for one in taken)),
            how=f"the same figures; {LEAST.format(withheld=len(found.complementary))}",
            bare=float(median(one.found.least for one in taken)),
            ratios=tuple(one.found.least / one.found.weight for one in taken),
            less_is_better=True,
        ),
    ]


def _protected(made: Made) -> Taken:
    gc.collect()
    began = perf_counter()
    found = made.protect(seconds=SECONDS)
    spent = perf_counter() - began
    if not found.certified:
        raise RuntimeError(f"not certified in {SECONDS:g} s: {found.why}")
    return Taken(spent, found)
