"""The fault wrapper: what it says happened did happen, to the caller and to the port."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest

from shared.errors import Conflict, Unavailable, UnknownOutcome
from shared.messaging.local import LocalLog
from shared.messaging.port import Message, Record, Topic
from shared.store.collection import Collection
from shared.store.documents import NotStorable
from shared.store.local import LocalStore
from shared.testing.faults import STORMY, FaultPlan, Rates
from shared.testing.faulty_log import FaultyLog
from shared.testing.faulty_store import FaultyStore
from shared.testing.groups import SESSION_SECONDS
from shared.testing.loop import SeededLoop
from shared.testing.runtime import SeededRuntime

THINGS = Collection("things")
TOPIC = Topic("test.things", 3)


@dataclass
class Bench:
    """Both ports twice: bare, and behind the wrapper."""

    loop: SeededLoop
    plan: FaultPlan
    bare_store: LocalStore
    store: FaultyStore
    bare_log: LocalLog
    log: FaultyLog

    async def stored(self) -> dict[str, int]:
        return {document["_id"]: document["n"] async for document in self.bare_store.scan("things")}

    async def logged(self) -> list[bytes | None]:
        records = [await self.bare_log.read(TOPIC.name, partition, 0) for partition in range(3)]
        return [record.value for lane in records for record in lane]

    async def fill(self, count: int) -> None:
        for n in range(count):
            key = f"k{n}"
            partition = self.bare_log.partition_of(TOPIC.name, key)
            await self.bare_log.append(TOPIC.name, partition, [Message(key, str(n).encode())])


def run(work: Callable[[Bench], Coroutine[Any, Any, None]], rates: Rates, seed: int = 1) -> Bench:
    loop = SeededLoop(seed)
    world = SeededRuntime(loop, "world")
    plan = FaultPlan(world, rates)
    bare_store = LocalStore(None, [THINGS], world)
    bare_log = LocalLog(None, [TOPIC], world)
    bench = Bench(
        loop,
        plan,
        bare_store,
        FaultyStore(bare_store, plan),
        bare_log,
        FaultyLog(bare_log, plan, {TOPIC.name: TOPIC}),
    )

    async def main() -> None:
        await bare_store.start()
        await bare_log.start()
        await work(bench)

    loop.run_until_complete(main())
    loop.close()
    assert loop.unhandled == []
    return bench


def thing(id: str, n: int = 0, version: int = 1) -> dict[str, Any]:
    return {"_id": id, "version": version, "n": n}


def test_without_rates_nothing_is_different() -> None:
    async def work(bench: Bench) -> None:
        await bench.store.save("things", thing("a", 1), 0)
        with pytest.raises(Conflict):
            await bench.store.save("things", thing("a", 2), 0)
        with pytest.raises(NotStorable):
            await bench.store.save("things", {"_id": "b", "version": 1, "n": (1, 2)}, 0)
        assert await bench.store.append("things", [thing("a"), thing("c")]) == ["existed", "written"]
        assert (await bench.store.load("things", "a") or {})["n"] == 1
        await bench.log.append(TOPIC.name, 0, [Message("k", b"v")])
        assert await bench.log.ends([TOPIC.name]) == await bench.bare_log.ends([TOPIC.name])

    counts = run(work, Rates()).plan.counts
    assert set(counts) == {"calls"}


def test_drop_does_nothing_and_says_so() -> None:
    async def work(bench: Bench) -> None:
        with pytest.raises(Unavailable):
            await bench.store.save("things", thing("a"), 0)
        with pytest.raises(Unavailable):
            await bench.log.append(TOPIC.name, 0, [Message("k", b"v")])
        assert (await bench.stored(), await bench.logged()) == ({}, [])
        bench.plan.heal()
        await bench.store.save("things", thing("a"), 0)

    assert run(work, Rates(drop=1)).plan.counts["drops"] == 2


@pytest.mark.parametrize(("rates", "lands"), [(Rates(unknown=1), True), (Rates(lost=1), False)])
def test_unknown_outcome_may_have_landed_or_not(rates: Rates, lands: bool) -> None:
    async def work(bench: Bench) -> None:
        with pytest.raises(UnknownOutcome):
            await bench.store.save("things", thing("a"), 0)
        with pytest.raises(UnknownOutcome):
            await bench.log.append(TOPIC.name, 0, [Message("k", b"v")])
        assert bool(await bench.stored()) is lands
        assert bool(await bench.logged()) is lands

    assert run(work, rates).plan.counts["unknown_outcomes"] == 2


def test_late_write_lands_after_its_answer_with_what_it_held_then() -> None:
    async def work(bench: Bench) -> None:
        document = thing("a", 1)
        with pytest.raises(UnknownOutcome):
            await bench.store.save("things", document, 0)
        document["n"] = 2
        assert await bench.stored() == {}
        await asyncio.sleep(bench.plan.rates.late_seconds)
        assert await bench.stored() == {"a": 1}

    assert run(work, Rates(late=1)).plan.counts["late_landings"] == 1


def test_write_of_a_killed_replica_lands_without_it() -> None:
    async def work(bench: Bench) -> None:
        reached: list[str] = []

        async def saves() -> None:
            await bench.store.save("things", thing("a"), 0)
            reached.append("went on")

        bench.loop.task_of("r#1", saves(), "saves")
        while not bench.plan.counts["delays"]:
            await asyncio.sleep(0)
        bench.loop.kill("r#1")
        await asyncio.sleep(1)
        assert await bench.stored() == {"a": 0}
        assert reached == []

    assert run(work, Rates(delay=1)).plan.counts["late_landings"] == 1


def test_crash_strikes_around_the_effect() -> None:
    landed = []
    for seed in range(30):

        async def work(bench: Bench) -> None:
            def crash(incarnation: str) -> bool:
                bench.loop.kill(incarnation)
                return True

            bench.plan.crash = crash
            task = bench.loop.task_of("r#1", bench.store.save("things", thing("a"), 0), "saves")
            await asyncio.sleep(1)
            if bench.plan.counts["crashes"]:
                assert not task.done()
                landed.append(bool(await bench.stored()))

        run(work, Rates(crash=0.5), seed)
    assert {True, False} == set(landed)


def test_partial_append_is_one_unknown_outcome() -> None:
    async def work(bench: Bench) -> None:
        with pytest.raises(UnknownOutcome):
            await bench.store.append("things", [thing(str(n)) for n in range(20)])
        assert 0 < len(await bench.stored()) < 20

    assert run(work, Rates(partial=1)).plan.counts["partial_appends"] == 1


def collector(seen: list[tuple[str, int, int]], name: str = "") -> Callable[[list[Record]], Coroutine[Any, Any, None]]:
    async def handle(batch: list[Record]) -> None:
        await asyncio.sleep(0.01)
        seen.extend((name, record.partition, record.offset) for record in batch)

    return handle


def test_member_reads_everything_in_order_and_commits() -> None:
    async def work(bench: Bench) -> None:
        await bench.fill(60)
        seen: list[tuple[str, int, int]] = []
        member = bench.log.subscribe("g", [TOPIC.name], collector(seen))
        await member.start()
        await asyncio.sleep(5)
        await member.stop()
        assert await bench.log.positions("g", [TOPIC.name]) == await bench.bare_log.ends([TOPIC.name])
        for partition in range(3):
            offsets = [offset for _, at, offset in seen if at == partition]
            assert offsets == sorted(set(offsets))
        assert len(seen) == 60

    assert run(work, Rates()).plan.counts["duplicates"] == 0


def test_duplicates_and_rewinds_leave_no_gap() -> None:
    async def work(bench: Bench) -> None:
        await bench.fill(60)
        seen: list[tuple[str, int, int]] = []
        await bench.log.subscribe("g", [TOPIC.name], collector(seen)).start()
        await asyncio.sleep(20)
        bench.plan.heal()
        await asyncio.sleep(5)
        assert await bench.log.positions("g", [TOPIC.name]) == await bench.bare_log.ends([TOPIC.name])
        firsts = dict.fromkeys((partition, offset) for _, partition, offset in seen)
        for partition in range(3):
            offsets = [offset for at, offset in firsts if at == partition]
            assert offsets == list(range(len(offsets)))
        assert len(seen) - len(firsts) == bench.plan.counts["duplicates"] > 0

    counts = run(work, Rates(duplicate=0.3, rewind=0.3, hold=0.3)).plan.counts
    assert counts["rewinds"] > 0
    assert counts["holds"] > 0


def test_failing_handler_gets_the_whole_batch_again() -> None:
    async def work(bench: Bench) -> None:
        await bench.fill(10)
        seen: list[tuple[str, int, int]] = []
        collect = collector(seen)

        async def handle(batch: list[Record]) -> None:
            await collect(batch)
            if len(seen) < 30:
                raise ValueError("not yet")

        await bench.log.subscribe("g", [TOPIC.name], handle).start()
        await asyncio.sleep(60)
        assert len({(partition, offset) for _, partition, offset in seen}) == 10
        assert await bench.log.positions("g", [TOPIC.name]) == await bench.bare_log.ends([TOPIC.name])

    assert run(work, Rates()).plan.counts["handler_errors:ValueError"] > 0


def test_zombie_finishes_its_batch_and_its_commit_is_refused() -> None:
    async def work(bench: Bench) -> None:
        seen: list[tuple[str, int, int]] = []

        def member(name: str) -> Coroutine[Any, Any, None]:
            return bench.log.subscribe("g", [TOPIC.name], collector(seen, name)).start()

        await bench.loop.task_of("a#1", member("a"), "start")
        await bench.fill(9)
        while not bench.log.groups.of("g").delivered:
            await asyncio.sleep(0.001)
        bench.loop.freeze("a#1")
        await bench.loop.task_of("b#1", member("b"), "start")
        await asyncio.sleep(SESSION_SECONDS * 2)
        assert {name for name, _, _ in seen} == {"b"}
        assert len(seen) == 9
        bench.loop.thaw("a#1")
        await asyncio.sleep(1)
        assert [name for name, _, _ in seen].count("a") > 0
        assert await bench.log.positions("g", [TOPIC.name]) == await bench.bare_log.ends([TOPIC.name])

    counts = run(work, Rates()).plan.counts
    assert counts["stale_commits"] > 0
    assert counts["zombie_batches"] > 0


def test_storm_is_the_same_history_twice_and_converges() -> None:
    async def work(bench: Bench) -> None:
        seen: list[tuple[str, int, int]] = []
        for name in "abc":
            await bench.loop.task_of(name, bench.log.subscribe("g", [TOPIC.name], collector(seen)).start(), "start")
        await bench.fill(100)
        await asyncio.sleep(30)
        bench.plan.heal()
        await asyncio.sleep(10)
        assert len({(partition, offset) for _, partition, offset in seen}) == 100
        assert await bench.log.positions("g", [TOPIC.name]) == await bench.bare_log.ends([TOPIC.name])

    counts: Counter[str] = Counter()
    for seed in range(5):
        first, second = run(work, STORMY, seed), run(work, STORMY, seed)
        assert first.loop.fingerprint == second.loop.fingerprint
        assert first.plan.counts == second.plan.counts
        counts += first.plan.counts
    assert {"duplicates", "rebalances", "drops", "delays", "stale_commits"} <= set(counts)
