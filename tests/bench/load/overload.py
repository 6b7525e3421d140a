"""A thousand a second, and what a kill and a freeze in the middle of an overload leave."""

from __future__ import annotations

import math
from collections.abc import Callable

from tests.bench.load.builds import Build
from tests.bench.load.rounds import Harmed, Rounds
from tests.bench.load.sides import SAME, beside
from tests.bench.load.sustained import NAME as SUSTAINED
from tests.bench.load.sustained import PART
from tests.bench.rows import NotMeasured, Result, Row
from tests.bench.table import kept

OVERLOAD, KILL, FREEZE = "Overload", "Kill in an overload", "Freeze in an overload"
# Of the sustained rate, what is to be decided while ten times as much is offered.
GOODPUT = 0.8
Of = Callable[[Harmed], float]


async def rows(quick: bool) -> list[Result]:
    return await beside(OVERLOAD, quick, burst)


async def killed(quick: bool) -> list[Result]:
    return await beside(KILL, quick, kill)


async def frozen(quick: bool) -> list[Result]:
    return await beside(FREEZE, quick, freeze)


def burst(running: Rounds, ours: Build, earlier: Build) -> list[Result]:
    form = running.form
    what = f"{form.burst_rate:g} a second offered for {form.burst_seconds:g} s"
    return Harms(OVERLOAD, what, running.burst(ours), running.burst(earlier)).rows()


def kill(running: Rounds, ours: Build, earlier: Build) -> list[Result]:
    what = f"{_some(running)}, SIGKILL in the middle and started again"
    return Harms(KILL, what, running.killed(ours), running.killed(earlier)).rows()


def freeze(running: Rounds, ours: Build, earlier: Build) -> list[Result]:
    what = f"{_some(running)}, SIGSTOP in the middle for {running.form.frozen_seconds:g} s"
    return Harms(FREEZE, what, running.frozen(ours), running.frozen(earlier)).rows()


def _some(running: Rounds) -> str:
    return f"{running.form.harm_rate:g} a second offered for {running.form.harm_seconds:g} s"


class Harms:
    """What one fault did to both builds, as rows. The tail is to drain at the sustained rate that was found last."""

    def __init__(self, name: str, what: str, mine: Harmed, theirs: Harmed) -> None:
        self._name = name
        self._mine = mine
        self._theirs = theirs
        self._sustained = next((row.ours for row in kept(PART) if row.name == SUSTAINED), None)
        self._how = (
            f"{what}, {mine.refused:,} refused of {mine.answered:,} answered, the generator {mine.generator:.0%} of a "
            f"core meanwhile; {SAME}"
        )

    def rows(self) -> list[Result]:
        decided = [
            self._row("decided after the acknowledgement, p99", "s", lambda h: h.decided_worst, 15.0),
            self._row("the rest drains at", "registrations/s", lambda h: h.drain, self._sustained, less=False),
            self._row("lost or doubled", "registrations", amiss, 0.0),
        ]
        return [*self._refusals(), *decided] if self._name == OVERLOAD else decided

    def _refusals(self) -> list[Result]:
        good = None if self._sustained is None else self._sustained * GOODPUT
        return [
            self._row("refusals, p50", "s", lambda h: h.refused_median, None),
            self._row("refusals, p99", "s", lambda h: h.refused_worst, 0.2),
            self._row("Retry-After off the real drain by, p99", "times", off_the_drain, 2.0),
            self._row("memory at most", "MB", lambda h: h.memory, 400.0),
            self._row("decided while it lasts", "registrations/s", lambda h: h.goodput, good, less=False),
        ]

    def _row(self, what: str, unit: str, of: Of, goal: float | None, less: bool = True) -> Result:
        name, value, beside = f"{self._name}: {what}", of(self._mine), of(self._theirs)
        if not math.isfinite(value):
            return NotMeasured(name, "nobody was, or not within the time that it was waited for")
        told = f"{beside:.3g} {unit}" if math.isfinite(beside) else "not within the time that it was waited for"
        return Row(name, unit, value, f"{self._how}; the earlier build: {told}.", goal=goal, less_is_better=less)


def amiss(harmed: Harmed) -> float:
    """Lost or doubled; not a number where the end was not waited for."""
    return float(harmed.lost + harmed.doubled) if harmed.drained else math.nan


def off_the_drain(harmed: Harmed) -> float:
    """How many times too long or too short the header was; not a number where nobody was refused for long."""
    off = sorted(max(one, 1 / one) for one in harmed.retry_over_drain if one > 0)
    return off[int(0.99 * len(off))] if off else math.nan
