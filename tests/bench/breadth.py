"""What a wider domain costs the live path: one batch into the read model, with more indicators and more families.

`python -m tests.bench.breadth FAMILIES INDICATORS` is one side, in a process of its own since families are declared
once a process: it applies a batch for each line that it reads and prints the processor milliseconds that it took.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, ClassVar

from shared.contracts import catalogue
from shared.contracts.catalogue import Catalogue, declared_families
from shared.contracts.facts import Tells
from shared.contracts.placement.placements import ReturnStarted
from shared.contracts.registry import declared_events
from tests.bench.rows import RUNS, Result, Row

BATCHES, BATCHES_QUICK = 60, 10
WARM_UP = 5
PERSONS_A_BATCH = 3
FAMILIES, INDICATORS = 5, 60
HOW = (
    "ours: the processor time of one transaction of the live read model, a DuckDB file, with the events of three whole "
    f"returns (48 of four families), where {FAMILIES} more families are declared and the definition has {INDICATORS} "
    "more indicators; bare: the same without them. Two processes in turn, batch by batch"
)


def widen(families: int) -> None:
    """Declares so many more families, each with the fields of a placement and one event, before anybody reads them."""
    placements = next(one for one in declared_families() if one.name == "placements")
    events = [_event(number) for number in range(families)]
    wider = [replace(placements, name=event.__name__.lower(), topic=event.topic) for event in events]
    catalogue.CATALOGUE = Catalogue((*declared_events(), *events), (*declared_families(), *wider))


def _event(number: int) -> type[ReturnStarted]:
    class Told(ReturnStarted):
        """The one event of a wider domain's family."""

        topic: ClassVar[str] = f"bench.wider{number}"
        tells: ClassVar[tuple[Tells, ...]] = (Tells(f"wider{number}"),)

    Told.__name__ = f"Wider{number}"
    return Told


def side(families: int, indicators: int) -> None:
    """One side: a batch for each line."""
    widen(families)
    # Only now: the tables follow from the families that are declared when they are imported.
    from services.monitoring.schema import FAMILIES as declared
    from services.monitoring.store import ReadModel
    from tests.unit.monitoring import story

    if len(declared) != len(declared_families()) + families:
        raise RuntimeError("the families were read before they were declared")
    first = story.DEFINITION["indicators"][0]
    story.DEFINITION["indicators"] += [{**first, "code": f"more_{number}"} for number in range(indicators)]
    with tempfile.TemporaryDirectory() as folder:
        model, told = ReadModel(Path(folder) / "model.duckdb"), story.Story()
        told.published()
        for number, _ in enumerate(sys.stdin):
            before = len(told.records)
            _tell(told, number)
            batch = story.batch_of(told.records[before if number else 0 :])
            used = time.process_time()
            model.apply(batch)
            print((time.process_time() - used) * 1000, flush=True)
        model.close()


def _tell(told: Any, number: int) -> None:
    for place in range(PERSONS_A_BATCH):
        name = f"{number}-{place}"
        told.person(name, sex="female", birth_year=1980)
        told.accepted(name)
        told.returned(name)


async def rows(quick: bool) -> list[Result]:
    """Processor milliseconds of a batch, and how the two sides differ in each of some runs."""
    runs = [await _run(BATCHES_QUICK if quick else BATCHES) for _ in range(1 if quick else RUNS)]
    ours, bare = (median(run[place] for run in runs) for place in (0, 1))
    ratios = tuple(plain / wide for wide, plain in runs)
    name = f"monitoring: a live batch, with {INDICATORS} more indicators and {FAMILIES} more families"
    how = f"{HOW}, the middle one of {BATCHES} in each run"
    # At most 5 % slower.
    return [Row(name, "ms", ours, how, bare, ratios, 0.95, less_is_better=True)]


async def _run(batches: int) -> tuple[float, float]:
    """The middle batch of the wider side and of the plain one."""
    sides = [await _started(*counts) for counts in ((FAMILIES, INDICATORS), (0, 0))]
    found: list[list[float]] = [[], []]
    for number in range(batches):
        # In turn also within a pair: the first of two often finds the processor's memory cold.
        for place in (0, 1) if number % 2 else (1, 0):
            found[place].append(await _batch(sides[place]))
    for process in sides:
        process.stdin.close()
        if await process.wait():
            raise RuntimeError("a side of the benchmark failed")
    wide, plain = (median(times[WARM_UP:]) for times in found)
    return wide, plain


async def _started(families: int, indicators: int) -> Any:
    arguments = ("-m", "tests.bench.breadth", str(families), str(indicators))
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(sys.executable, *arguments, stdin=pipe, stdout=pipe)


async def _batch(process: Any) -> float:
    process.stdin.write(b"\n")
    await process.stdin.drain()
    return float(await process.stdout.readline())


if __name__ == "__main__":
    side(int(sys.argv[1]), int(sys.argv[2]))
