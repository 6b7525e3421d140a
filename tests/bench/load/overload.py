"""A thousand a second, and what a kill and a freeze in the middle of an overload leave."""

from __future__ import annotations

import math
from collections.abc import Callable

from tests.bench.load.builds import Build
from tests.bench.load.rounds import Harmed, Rounds
from tests.bench.load.sides import SAME, beside
from tests.bench.rows import NotMeasured, Result, Row

OVERLOAD = "Overload"
Of = Callable[[Harmed], float]


async def rows(quick: bool) -> list[Result]:
    return await beside(OVERLOAD, quick, measured)


def measured(running: Rounds, ours: Build, earlier: Build) -> list[Result]:
    form, found = running.form, list[Result]()
    much = f"{form.burst_rate:g} a second offered for {form.burst_seconds:g} s"
    some = f"{form.harm_rate:g} a second offered for {form.harm_seconds:g} s"
    for name, load, what in (
        (OVERLOAD, running.burst, much),
        ("Kill in an overload", running.killed, f"{some}, SIGKILL in the middle and started again"),
        ("Freeze in an overload", running.frozen, f"{some}, SIGSTOP in the middle for {form.frozen_seconds:g} s"),
    ):
        found += Harms(name, what, load(ours), load(earlier)).rows()
    return found


class Harms:
    """What one fault did to both builds, as rows."""

    def __init__(self, name: str, what: str, mine: Harmed, theirs: Harmed) -> None:
        self._name = name
        self._mine = mine
        self._theirs = theirs
        self._how = f"{what}, {mine.refused:,} refused of {mine.answered:,} answered; {SAME}"

    def rows(self) -> list[Result]:
        decided = [
            self._row("decided while it lasts", "registrations/s", lambda h: h.goodput, None, less=False),
            self._row("decided after the acknowledgement, p99", "s", lambda h: h.decided_worst, 15.0),
            self._row("the rest drains at", "registrations/s", lambda h: h.drain, None, less=False),
            self._row("lost or doubled", "registrations", amiss, 0.0),
        ]
        return [*self._refusals(), *decided] if self._name == OVERLOAD else decided

    def _refusals(self) -> list[Result]:
        return [
            self._row("refusals, p50", "s", lambda h: h.refused_median, None),
            self._row("refusals, p99", "s", lambda h: h.refused_worst, 0.2),
            self._row("Retry-After off the real drain by, p99", "times", off_the_drain, 2.0),
            self._row("memory at most", "MB", lambda h: h.memory, 400.0),
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
