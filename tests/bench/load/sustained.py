"""The greatest rate that is kept up; the same for ten minutes, with the memory at its end and of a rebuild after it."""

from __future__ import annotations

from tests.bench.load.builds import Build
from tests.bench.load.rounds import LOWERED_AT_MOST, Form, Rebuilt, Rounds, Sustained
from tests.bench.load.sides import SAME, beside
from tests.bench.rows import NotMeasured, Result, Row
from tests.bench.table import kept

NAME, HELD = "Sustained rate", "Sustained rate, ten minutes"
PART = "load-sustained"
KEEPS_UP = "nobody is refused, p99 of the acknowledgement is at most 500 ms and the indicator follows within 5 s at p99"


async def rows(quick: bool) -> list[Result]:
    return await beside(NAME, quick, measured)


async def held(quick: bool) -> list[Result]:
    """At the rates that `rows` found last."""
    return await beside(HELD, quick, held_long)


def measured(running: Rounds, ours: Build, earlier: Build) -> list[Result]:
    mine, theirs = (running.sustained(build) for build in (ours, earlier))
    if mine is None or theirs is None:
        return [NotMeasured(NAME, f"no rate was kept up by {(ours if mine is None else earlier).name}")]
    how = f"the greatest rate at which {KEEPS_UP}: found by {_found(running.form)}, and held, {_told(mine, theirs)}."
    return [Row(NAME, "registrations/s", mine.rate, how, theirs.rate, goal=2.2)]


def held_long(running: Rounds, ours: Build, earlier: Build) -> list[Result]:
    found = next((row for row in kept(PART) if row.name == NAME), None)
    if found is None or found.bare is None:
        return [NotMeasured(HELD, f"`{PART}` has found no rate to hold")]
    form = running.form
    mine, rebuilt = running.grown(ours, found.ours, form.hold_seconds)
    theirs = running.offered(earlier, found.bare, form.hold_seconds)
    results = _memory(mine, rebuilt)
    if mine.kept_up and theirs.kept_up:
        how = f"the rates that `{PART}` found, at which {KEEPS_UP}, {_told(mine, theirs)}."
        return [Row(HELD, "registrations/s", mine.rate, how, theirs.rate, goal=2.2), *results]
    return [NotMeasured(HELD, f"not kept up by both at the rates that `{PART}` found: {_told(mine, theirs)}"), *results]


def _memory(mine: Sustained, rebuilt: Rebuilt) -> list[Result]:
    """Of this build alone, as a bound."""
    after = f"resident at the end with {rebuilt.people:,} persons; of both processes, what they share counted once"
    anew = (
        f"the most at a start that finds no read model and reads {rebuilt.people:,} persons into one, ready after "
        f"{rebuilt.seconds:.0f} s with {rebuilt.resident:.0f} MB resident"
    )
    return [
        _most("Memory after ten minutes", mine.memory, f"{after}."),
        _most("Memory of a rebuild", rebuilt.peak, f"{anew}."),
    ]


def _most(name: str, value: float, how: str) -> Row:
    return Row(name, "MB", value, how, goal=400, less_is_better=True)


def _found(form: Form) -> str:
    return (
        f"at most {form.trials} trials of {form.trial_seconds:g} s, until one that is kept up and one that is not are "
        f"less than {form.finer_than - 1:.0%} apart (lowered by as much {LOWERED_AT_MOST} times at most)"
    )


def _told(mine: Sustained, theirs: Sustained) -> str:
    return "; ".join([_one("this build", mine), _one("the earlier build", theirs), SAME])


def _one(name: str, found: Sustained) -> str:
    (soon, late), (after, last) = found.acknowledged, found.counted
    return (
        f"{name} {found.rate:.3g} a second for {found.seconds:g} s, {found.people:,} of {found.offered:,} acknowledged "
        f"in {soon * 1e3:.0f} ms at the median ({late * 1e3:.0f} at p99), counted {after:.1f} s later ({last:.1f}), "
        f"the generator {found.generator:.0%} of a core"
    )
