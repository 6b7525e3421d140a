"""What a registration costs below the knee: processor time and disk."""

from __future__ import annotations

from statistics import median

from tests.bench.load.builds import Build
from tests.bench.load.rounds import Rounds, Steady
from tests.bench.load.sides import SAME, beside
from tests.bench.rows import Result, Row

NAME = "Processor time a registration, edge to indicator"


async def rows(quick: bool) -> list[Result]:
    return await beside(NAME, quick, measured)


def measured(running: Rounds, ours: Build, earlier: Build) -> list[Result]:
    form, mine, theirs = running.form, Steady(), Steady()
    for _ in range(form.rounds):
        running.steady(ours, mine)
        running.steady(earlier, theirs)
    how = (
        f"{form.steady_rate:g} a second for {form.steady_seconds:g} s, until the indicator counts all; {SAME}. The "
        "ratio is the earlier build's over this one's"
    )

    def row(name: str, unit: str, of: tuple[list[float], list[float]], scale: float, goal: float, what: str) -> Row:
        ratios = tuple(b / a for a, b in zip(*of, strict=True))
        a, b = (median(side) * scale for side in of)
        return Row(name, unit, a, f"{what}; {how}.", b, ratios, goal, less_is_better=True)

    return [
        row(NAME, "ms", (mine.processor, theirs.processor), 1e3, 1 / 0.45, "whole process, user and kernel"),
        row("Disk a registration", "kB", (mine.disk, theirs.disk), 1e-3, 2.0, "the data folder's files after a stop"),
    ]
