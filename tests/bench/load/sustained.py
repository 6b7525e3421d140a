"""The greatest rate that is kept up, and the memory at its end."""

from __future__ import annotations

from tests.bench.load.builds import Build
from tests.bench.load.rounds import Rounds
from tests.bench.load.sides import SAME, beside
from tests.bench.rows import Result, Row

NAME = "Sustained rate"


async def rows(quick: bool) -> list[Result]:
    return await beside(NAME, quick, measured)


def measured(running: Rounds, ours: Build, earlier: Build) -> list[Result]:
    mine, theirs = (running.sustained(build) for build in (ours, earlier))
    how = (
        "the greatest rate at which nobody is refused, p99 of the acknowledgement is at most 500 ms and the indicator "
        f"follows within 5 s at p99; held for {mine.seconds:g} s (the earlier build: {theirs.seconds:g} s), "
        f"acknowledged at p99 after {mine.acknowledged * 1e3:.0f} ms (earlier: {theirs.acknowledged * 1e3:.0f}), the "
        f"indicator {mine.counted:.1f} s later (earlier: {theirs.counted:.1f}); {SAME}."
    )
    memory = f"resident at the end of it, with {mine.people:,} persons (the earlier build: {theirs.people:,})."
    return [
        Row(NAME, "registrations/s", mine.rate, how, theirs.rate, goal=2.2),
        Row("Memory after the sustained rate", "MB", mine.memory, memory, goal=400, less_is_better=True),
    ]
