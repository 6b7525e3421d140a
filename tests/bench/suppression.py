"""What is withheld of a year's figures: how long it takes to be certified, and how much more than the least it is."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from statistics import median
from time import perf_counter

from services.monitoring.domain.suppression.problem import Protected
from tests.bench.rows import QUICK_RUNS, RUNS, Result, Row
from tests.unit.monitoring.suppression.made import Made, year

# Of the time that the search is given, which it uses up where the least is not proven; the rest is for what it is not
# asked to look at the clock in.
SECONDS, BRIEF, GOAL = 9.0, 3.0, 10.0
HOW = (
    "{cells:,} figures to be decided, {small:,} of them small, and {rests:,} rests that no table shows: registrations, "
    "placements and completions by sex (2), age (4) and residence (6), trainings by sex (2), sector (5) and host (4), "
    "with all margins, in four quarters and the year; completions are part of placements. A threshold of 10, a "
    "protection of 5, the weight of a figure 1 and as much for each margin; one process, one thread"
)


@dataclass(frozen=True)
class Taken:
    seconds: float
    found: Protected


async def rows(quick: bool) -> list[Result]:
    made = year()
    taken = [_protected(made, SECONDS) for _ in range(QUICK_RUNS if quick else RUNS)]
    brief = _protected(made, BRIEF)
    last = taken[-1].found
    decided = [cell for cell in made.cells.values() if cell.decided is None]
    how = HOW.format(cells=len(decided), small=len(last.primary), rests=len(made.cells) - len(decided))
    complementary = f"{len(last.complementary):,} figures withheld for the sake of small ones"
    return [
        Row(
            name="suppression: a year's figures certified",
            unit="s",
            ours=median(one.seconds for one in taken),
            how=f"{how}; {SECONDS:g} s given to the search for the least",
            goal=GOAL,
            less_is_better=True,
            short="the whole time is taken where the least is not proven",
        ),
        Row(
            name="suppression: weight withheld beside the least possible",
            unit="of weight",
            ours=float(last.weight),
            how=f"the same figures; {complementary}; beside it a bound that no safe choice is below, proven by HiGHS",
            bare=float(last.least),
            ratios=tuple(one.found.least / one.found.weight for one in taken),
            less_is_better=True,
        ),
        Row(
            name=f"suppression: the same in {BRIEF:g} s",
            unit="of weight",
            ours=float(brief.found.weight),
            how=f"the same figures; what stands after {brief.seconds:.1f} s, certified as well",
            bare=float(last.least),
            ratios=(last.least / brief.found.weight,),
            less_is_better=True,
        ),
    ]


def _protected(made: Made, seconds: float) -> Taken:
    gc.collect()
    began = perf_counter()
    found = made.protect(seconds=seconds)
    spent = perf_counter() - began
    if not found.certified:
        raise RuntimeError(f"not certified in {seconds:g} s: {found.why}")
    return Taken(spent, found)
