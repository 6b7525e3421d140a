"""One random schedule from one seed: storm, healing, convergence, checks."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import structlog

from shared.testing.faults import STORMY, Rates
from shared.testing.loop import Deadlock, Runaway
from tests.simulation.client import Client
from tests.simulation.evidence import Evidence, Violation
from tests.simulation.journal import Journal
from tests.simulation.moves import counted
from tests.simulation.nodes import Service
from tests.simulation.planted import Bug, planted
from tests.simulation.world import World

HISTORY_SECONDS = 240.0
STORM_SECONDS = (6.0, 22.0)
STRIKE_EVERY_SECONDS = 5.0
# As when a clock is set right: more than the 5 s that a watermark keeps off it.
BACKWARDS_CHANCE = 0.1
BACKWARDS_SECONDS = 20.0


def _untouched(_world: World) -> None:
    """Most histories take the world as it is."""


@dataclass(frozen=True)
class Scenario:
    """Which services, what the client does with them, what has to hold afterwards.

    `around`: what every run is in. `interfere`: what is done to a world before anything in it starts.
    """

    services: Callable[[], Sequence[Service]]
    history: Callable[[Client, Journal], Awaitable[None]]
    check: Callable[[World, Evidence, Journal], Iterable[Violation]]
    around: Callable[[], AbstractContextManager[None]] = nullcontext
    interfere: Callable[[World], None] = _untouched


@dataclass(frozen=True)
class Outcome:
    """What one schedule did: `counts` are the faults that really happened."""

    seed: int
    violations: tuple[Violation, ...]
    steps: int
    counts: Counter[str]
    virtual_seconds: float
    cpu_seconds: float
    fingerprint: str


@contextmanager
def _in_silence() -> Iterator[None]:
    """Thousands of lines tell of faults that the schedule made itself."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


def run_schedule(seed: int, scenario: Scenario, *, bug: Bug | None = None, rates: Rates = STORMY) -> Outcome:
    """Runs the schedule of the seed. The same seed gives the same outcome, but for the processor time."""
    began = time.process_time()
    collecting, moves = gc.isenabled(), Counter[str]()
    # Collections would come at other moments in another process, and finalisers with them.
    gc.disable()
    with _in_silence(), scenario.around(), planted(bug) as wrap_store:
        world = World(seed, scenario.services(), rates, wrap_store=wrap_store)
        scenario.interfere(world)
        try:
            with counted(moves):
                violations = world.loop.run_until_complete(_play(world, scenario))
        except (Deadlock, Runaway) as error:
            violations = [Violation("I12", type(error).__name__, str(error))]
        except Exception as error:
            violations = [Violation("run", type(error).__name__, str(error))]
        finally:
            world.close()
            if collecting:
                gc.enable()
    violations += [Violation("run", "unhandled", str(context)) for context in world.loop.unhandled]
    violations += world.witness.violations
    counts = world.plan.counts + world.witness.counts + moves + Counter({"schedules": 1, "steps": world.loop.steps})
    return Outcome(
        seed,
        tuple(violations),
        world.loop.steps,
        counts,
        world.loop.time(),
        time.process_time() - began,
        world.loop.fingerprint,
    )


async def _play(world: World, scenario: Scenario) -> list[Violation]:
    journal = Journal()
    await world.start()
    striker = world.runtime.spawn(_strike(world), "striker")
    client = Client(world, journal)
    history = world.runtime.spawn(_history(scenario, client, journal), "history")
    await asyncio.sleep(world.runtime.rng.uniform(*STORM_SECONDS))
    striker.cancel()
    await world.heal()
    done, _ = await asyncio.wait({history}, timeout=HISTORY_SECONDS)
    violations: list[Violation] = []
    if done:
        await history
    else:
        # What keeps the client waiting shows below.
        history.cancel()
        violations.append(Violation("I12", "client", "the history is not done"))
    violations += await world.converge()
    evidence = await world.evidence()
    return [*violations, *scenario.check(world, evidence, journal)]


async def _history(scenario: Scenario, client: Client, journal: Journal) -> None:
    await scenario.history(client, journal)


async def _strike(world: World) -> None:
    """Crashes and freezes at random times, beside those that the plan puts around effects."""
    rng = world.runtime.rng
    while True:
        await asyncio.sleep(rng.uniform(0, STRIKE_EVERY_SECONDS))
        node = rng.choice(world.nodes)
        if rng.random() < BACKWARDS_CHANCE:
            world.leap(-rng.uniform(0, BACKWARDS_SECONDS))
        kind, strike = rng.choice([("crashes", world.crash), ("freezes", world.freeze)])
        if strike(node.incarnation):
            world.plan.counts[kind] += 1
