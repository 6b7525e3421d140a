"""Jobs in seeded schedules: two replicas that die, freeze and hear wrong answers of the store, over and over."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared.clock import derived_id
from shared.identity.keys import Keys
from shared.jobs.content import Content
from shared.jobs.documents import JOB_PIECES, JOBS
from shared.jobs.running import Jobs
from shared.store.aggregates import Cause
from shared.store.local import LocalStore
from shared.store.sweeper import Sweeper
from shared.testing.faults import FaultPlan, Rates
from shared.testing.faulty_store import FaultyStore
from shared.testing.loop import SeededLoop
from shared.testing.runtime import SeededRuntime
from tests.unit.jobs.counting import EFFECTS, FILE, OFFICER, Counting, Numbers

RATES = Rates(drop=0.02, delay=0.2, unknown=0.02, lost=0.01, late=0.01, crash=0.01, freeze=0.01)
SEEDS, NAMES, ROWS = 25, ("a", "b"), 20
STORM_SECONDS, THAWED_AFTER_SECONDS, WHOLE_SECONDS = 240, 45.0, 2_000


@dataclass
class World:
    """One schedule: the store, what goes wrong, and which incarnation of each replica runs."""

    seed: int
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.loop = SeededLoop(self.seed)
        self.runtime = SeededRuntime(self.loop, "world")
        self.plan = FaultPlan(self.runtime, RATES)
        self.plan.crash, self.plan.freeze = self._kill, self._freeze
        self.store = LocalStore(None, [JOBS, JOB_PIECES, EFFECTS], self.runtime)
        self.keys = Keys.in_memory(random.Random(self.seed))
        self.running: dict[str, str] = {}
        self.lives = 0

    def _kill(self, incarnation: str) -> bool:
        self.loop.kill(incarnation)
        self.running = {name: one for name, one in self.running.items() if one != incarnation}
        return True

    def _freeze(self, incarnation: str) -> bool:
        """Longer than its work is left alone: it wakes up beside the one that went on."""
        self.loop.freeze(incarnation)
        self.runtime.spawn(self._thaw(incarnation), "thaw")
        return True

    async def _thaw(self, incarnation: str) -> None:
        await self.runtime.sleep(THAWED_AFTER_SECONDS)
        if incarnation in self.running.values():
            self.loop.thaw(incarnation)

    def begin(self, name: str) -> None:
        self.lives += 1
        self.running[name] = incarnation = f"{name}.{self.lives}"
        runtime = SeededRuntime(self.loop, incarnation, incarnation=incarnation)
        store: Any = FaultyStore(self.store, self.plan)
        jobs = Jobs("monitoring", store, runtime, self.keys, [Counting(store).kind])
        jobs.start()
        Sweeper(store, _NoSender(), runtime, [], {JOBS.name: jobs.take_up}).start()

    async def played(self) -> list[dict[str, Any]]:
        await self.store.start()
        client = Jobs("monitoring", self.store, self.runtime, self.keys, [Counting(self.store).kind])
        ids = []
        for number in range(3):
            cause = Cause(derived_id("job", str(number)), digest="d", account=OFFICER.account)
            ids.append(str((await client.ask("count", Numbers(to=ROWS), cause, OFFICER))["_id"]))
        for second in range(0, WHOLE_SECONDS, 2):
            if second >= STORM_SECONDS:
                self.plan.heal()
            for name in NAMES:
                if name not in self.running:
                    self.begin(name)
            await self.runtime.sleep(2)
            if second >= STORM_SECONDS and not await client.moving():
                break
        found = [await self.store.load(JOBS.name, id) for id in ids]
        return [one for one in found if one is not None]

    async def text(self, document: dict[str, Any]) -> str:
        key = self.keys.job_day_key("monitoring", document["day"])
        content = Content(document["_id"], key, document["pieces"], self.store, self.runtime)
        return b"".join([part async for part in content.read(FILE)]).decode()


class _NoSender:
    def has(self, collection: str, id: str) -> bool:
        return False

    async def send(self, collection: str, document: dict[str, Any]) -> None:
        raise AssertionError("jobs emit nothing")


@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_in_every_schedule_each_job_ends_with_each_row_once(seed: int) -> None:
    world = World(seed)
    told: list[str] = []

    async def main() -> None:
        documents = await world.played()
        assert [(one["status"], one["done"], one["counts"]) for one in documents] == [
            ("done", ROWS, {"rows": ROWS})
        ] * 3
        told.extend([await world.text(one) for one in documents])
        assert len([one async for one in world.store.scan(EFFECTS.name)]) == 3 * ROWS

    world.loop.run_until_complete(main())
    world.loop.close()
    assert told == ["".join(f"{n}\n" for n in range(ROWS))] * 3
    assert world.loop.unhandled == []
    assert world.plan.counts["calls"] > 100


def test_the_schedules_have_what_they_are_for() -> None:
    counts: Counter[str] = Counter()
    for seed in range(1, 6):
        world = World(seed)
        world.loop.run_until_complete(world.played())
        world.loop.close()
        counts += world.plan.counts
    assert all(counts[one] for one in ("crashes", "freezes", "unknown_landed", "late_landings", "drops")), counts
