"""What a benchmark gives, and how ours and a bare loop are measured beside each other."""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter, process_time

RUNS = 5
QUICK_RUNS = 1

Measure = Callable[[], Awaitable[float]]


@dataclass(frozen=True)
class Pair:
    """Medians of both, and the ratio ours / bare of each pair of runs."""

    ours: float
    bare: float
    ratios: tuple[float, ...]


@dataclass(frozen=True)
class Row:
    """One measured line. `ours` and `bare` in `unit`; `bare` is None where the goal is an absolute figure.

    `goal`: with a bare loop the least ratio ours / bare; without one the bound of `ours` (most where
    `less_is_better`). None: the line is for information. `how` says in plain words what is compared, `short`
    where the time goes when the goal is missed.
    """

    name: str
    unit: str
    ours: float
    how: str
    bare: float | None = None
    ratios: tuple[float, ...] = ()
    goal: float | None = None
    less_is_better: bool = False
    short: str = ""

    @property
    def ratio(self) -> float | None:
        if self.bare is None:
            return None
        return self.bare / self.ours if self.less_is_better else self.ours / self.bare

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None for a line without one."""
        if self.goal is None:
            return None
        if self.ratio is not None:
            return self.ratio >= self.goal
        return self.ours <= self.goal if self.less_is_better else self.ours >= self.goal


@dataclass(frozen=True)
class NotMeasured:
    """A benchmark that could not run here, and why."""

    name: str
    reason: str


Result = Row | NotMeasured


@dataclass(frozen=True)
class Spent:
    """Wall seconds of a measured span, and processor seconds of this process in it."""

    seconds: float
    processor: float


def stopwatch() -> Callable[[], Spent]:
    """Begins a span; what it gives ends it."""
    began, processor = perf_counter(), process_time()
    return lambda: Spent(perf_counter() - began, process_time() - processor)


class Used:
    """What each side's runs took of this process's processor time, a unit of work."""

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._by_side: dict[str, list[float]] = {}

    def rate(self, side: str, units: int, spent: Spent) -> float:
        """Units a second; notes the processor time."""
        self._by_side.setdefault(side, []).append(spent.processor / units)
        return units / spent.seconds

    def beside(self, side: str) -> str:
        """A sentence that compares `ours` with that side."""
        ours, bare = (median(self._by_side[name]) * 1e3 for name in ("ours", side))
        return f" Processor time of this process, servers not counted: {ours:.1f} ms {self._unit}, beside {bare:.1f}."


async def side_by_side(ours: Measure, bare: Measure, quick: bool) -> Pair:
    """Runs A B A B ... five times each (once where `quick`), after the caller's own warm-up.

    Alternating shares out what the machine does beside us; the collector runs between two measurements, so
    that neither pays for the other's garbage.
    """
    first: list[float] = []
    second: list[float] = []
    for _ in range(QUICK_RUNS if quick else RUNS):
        for measure, figures in ((ours, first), (bare, second)):
            gc.collect()
            figures.append(await measure())
    ratios = tuple(a / b for a, b in zip(first, second, strict=True))
    return Pair(median(first), median(second), ratios)


async def alone(ours: Measure, quick: bool) -> float:
    """The median of five runs."""
    figures = []
    for _ in range(QUICK_RUNS if quick else RUNS):
        gc.collect()
        figures.append(await ours())
    return median(figures)
