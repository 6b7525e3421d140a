"""The seeded loop: one seed, one history; replicas that die, freeze and thaw between two steps."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextvars import Context
from datetime import timedelta

import pytest

from shared.testing.loop import EPOCH, Deadlock, Runaway, SeededLoop
from shared.testing.runtime import SeededRuntime
from shared.testing.steps import replica


@pytest.fixture
def loops() -> Iterator[Callable[..., SeededLoop]]:
    """Makes loops and closes them; a warning while they are disposed of fails the test."""
    made: list[SeededLoop] = []

    def make(seed: int | str = 1, **options: object) -> SeededLoop:
        made.append(SeededLoop(seed, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for loop in made:
            loop.close()
        gc.collect()


async def _busy(runtime: SeededRuntime, log: list[str]) -> None:
    """Work that touches what asyncio offers: queues, locks, gather, wait, timeouts, groups, sets of texts."""
    queue: asyncio.Queue[int] = asyncio.Queue()
    lock = asyncio.Lock()

    async def produce(name: str) -> None:
        for n in range(5):
            await runtime.sleep(runtime.rng.random())
            async with lock:
                log.append(f"{name}{n}@{runtime.monotonic():.6f} {runtime.new_id()}")
            await queue.put(n)

    async def consume() -> int:
        total = 0
        for _ in range(15):
            total += await queue.get()
        return total

    consumer = runtime.spawn(consume(), "consumer")
    await asyncio.gather(*(produce(name) for name in "abc"))
    done, _ = await asyncio.wait([runtime.spawn(runtime.sleep(0.001 * n), f"s{n}") for n in range(9)])
    log.extend(task.get_name() for task in done)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await asyncio.Event().wait()
    async with asyncio.TaskGroup() as group:
        for name in sorted({"x", "y", "z"}):
            group.create_task(produce(name))
    log.append(f"{await consumer} {runtime.now().isoformat()}")


def history(seed: int) -> tuple[list[str], list[str], str]:
    """The log, the trace and the fingerprint of one run."""
    loop = SeededLoop(seed, trace=True)
    log: list[str] = []
    loop.run_until_complete(_busy(SeededRuntime(loop, "busy", incarnation="busy#1"), log))
    assert loop.trace is not None
    result = log, loop.trace, loop.fingerprint
    loop.close()
    return result


def test_same_seed_same_history_and_another_seed_another() -> None:
    first, second, other = history(7), history(7), history(8)
    assert first == second
    assert first[0] != other[0]
    assert first[2] != other[2]


def test_same_history_in_processes_with_different_hash_seeds() -> None:
    digests = set()
    for hash_seed in ("1", "2"):
        ran = subprocess.run(
            [sys.executable, "-m", "tests.unit.testing.test_loop"],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(ran.stdout)
    assert len(digests) == 1
    assert len(digests.pop()) > 60


def test_time_is_virtual_and_starts_at_the_epoch(loops: Callable[..., SeededLoop]) -> None:
    loop = loops()
    runtime = SeededRuntime(loop, "r", skew_seconds=-86_400)
    assert loop.now() == EPOCH
    loop.run_until_complete(asyncio.wait_for(_sleeps(3_600 * 24), 3_600 * 48))
    assert 86_400 <= loop.time() < 86_401
    assert abs((runtime.now() - EPOCH).total_seconds()) < 1


async def _sleeps(seconds: float) -> None:
    await asyncio.sleep(seconds)


def test_order_of_ready_handles_differs_between_seeds(loops: Callable[..., SeededLoop]) -> None:
    orders = set()
    for seed in range(20):
        order: list[int] = []
        loop = loops(seed)
        for n in range(4):
            loop.call_soon(order.append, n)
        loop.run_until_complete(_sleeps(1))
        orders.add(tuple(order))
    assert len(orders) > 8


def test_killed_replica_runs_no_further_step_and_no_finally(loops: Callable[..., SeededLoop]) -> None:
    loop = loops()
    seen: list[str] = []

    async def work() -> None:
        try:
            while True:
                await asyncio.sleep(1)
                seen.append("step")
        finally:
            seen.append("finally")

    async def main() -> None:
        loop.task_of("a#1", work(), "work")
        child = loop.task_of("a#2", work(), "work")
        await asyncio.sleep(3.5)
        loop.kill("a#1")
        loop.task_of("a#1", work(), "a task that a dead replica starts never runs")
        await asyncio.sleep(3.5)
        assert not child.done()
        assert loop.standing("a#1") == "dead"

    loop.run_until_complete(main())
    gc.collect()
    assert seen == ["step"] * 9 + ["step"] * (len(seen) - 9)
    assert len(seen) in (9, 10)
    loop.close()
    assert seen.count("finally") == 2


def test_answer_to_a_killed_caller_wakes_nobody(loops: Callable[..., SeededLoop]) -> None:
    loop = loops()
    seen: list[str] = []

    async def caller(answer: asyncio.Future[str]) -> None:
        seen.append(await answer)

    async def main() -> None:
        answers = [loop.create_future() for _ in range(2)]
        for n, answer in enumerate(answers):
            loop.task_of(f"r#{n}", caller(answer), "caller")
        await asyncio.sleep(1)
        loop.kill("r#0")
        for n, answer in enumerate(answers):
            answer.set_result(f"answer {n}")
        await asyncio.sleep(1)

    loop.run_until_complete(main())
    assert seen == ["answer 1"]


def test_frozen_replica_holds_still_and_its_timers_fire_at_thaw(loops: Callable[..., SeededLoop]) -> None:
    loop = loops()
    ticks: list[float] = []

    async def clock() -> None:
        while True:
            await asyncio.sleep(1)
            ticks.append(loop.time())

    async def main() -> None:
        loop.task_of("f#1", clock(), "clock")
        await asyncio.sleep(2.5)
        loop.freeze("f#1")
        assert loop.standing("f#1") == "frozen"
        await asyncio.sleep(30)
        assert len(ticks) == 2
        loop.thaw("f#1")
        await asyncio.sleep(0.5)
        assert len(ticks) == 3
        await asyncio.sleep(1)

    loop.run_until_complete(main())
    assert len(ticks) == 4
    assert ticks[2] >= 32.5


def test_deadlock_names_the_pending_tasks(loops: Callable[..., SeededLoop]) -> None:
    loop = loops()

    async def waits_for_ever() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        await loop.task_of("d#1", waits_for_ever(), "stuck-task")

    with pytest.raises(Deadlock, match=r"stuck-task \[d#1\] at .*wait"):
        loop.run_until_complete(main())


def test_runaway_is_ended(loops: Callable[..., SeededLoop]) -> None:
    async def spins() -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(Runaway, match="spins"):
        loops(steps_at_most=500).run_until_complete(spins())


def test_time_passes_even_while_somebody_spins(loops: Callable[..., SeededLoop]) -> None:
    loop = loops()

    async def spins() -> None:
        while True:
            await asyncio.sleep(0)

    async def main() -> None:
        spinner = loop.create_task(spins())
        await asyncio.sleep(0.01)
        spinner.cancel()

    loop.run_until_complete(main())
    assert loop.steps > 100


def test_what_nobody_awaited_is_kept(loops: Callable[..., SeededLoop]) -> None:
    loop = loops()

    async def fails() -> None:
        raise ValueError("nobody looks")

    async def main() -> None:
        loop.create_task(fails())
        loop.call_soon(lambda: 1 // 0)
        await asyncio.sleep(1)

    loop.run_until_complete(main())
    loop.close()
    gc.collect()
    raised = {type(context["exception"]) for context in loop.unhandled}
    assert raised == {ZeroDivisionError, ValueError}


@pytest.mark.parametrize(("killed", "kept"), [("a", 0), ("b", 1)])
def test_what_a_killed_replica_was_told_is_nobodys_mistake(
    loops: Callable[..., SeededLoop], killed: str, kept: int
) -> None:
    loop = loops()
    loop.kill(killed)
    context = Context()
    context.run(replica.set, "a")
    answer = context.run(loop.create_future)
    answer.set_exception(ValueError("nobody looks"))
    del answer
    gc.collect()
    assert len(loop.unhandled) == kept


def test_disposal_ends_stubborn_coroutines_and_generators(loops: Callable[..., SeededLoop]) -> None:
    loop = loops()

    async def numbers() -> object:
        try:
            yield 1
        finally:
            await asyncio.sleep(1)

    async def stubborn() -> None:
        try:
            async for _ in numbers():  # type: ignore[attr-defined]
                await asyncio.Event().wait()
        finally:
            await asyncio.sleep(1)
            asyncio.get_running_loop().create_task(asyncio.sleep(1))

    async def main() -> None:
        loop.task_of("s#1", stubborn(), "stubborn")
        await asyncio.sleep(1)
        loop.kill("s#1")

    loop.run_until_complete(main())


def test_spawn_and_context_belong_to_the_named_replica(loops: Callable[..., SeededLoop]) -> None:
    loop = loops()
    owners: list[str | None] = []

    async def note() -> None:
        owners.append(replica.get())

    async def main() -> None:
        runtime = SeededRuntime(loop, "r", incarnation="r#1")
        await runtime.spawn(note(), "note")
        await loop.task_of(None, note(), "note")
        loop.call_soon(lambda: owners.append(replica.get()), context=Context())
        assert await runtime.in_pool(lambda: 42) == 42
        await asyncio.sleep(1)

    loop.run_until_complete(loop.task_of("outer#1", main(), "main"))
    assert owners == ["r#1", None, None]


if __name__ == "__main__":
    log, trace, fingerprint = history(11)
    print(hashlib.sha256("\n".join([*log, *trace]).encode()).hexdigest(), fingerprint)


def test_a_leap_moves_the_wall_clock_alone(loops: Callable[..., SeededLoop]) -> None:
    loop = loops()
    loop.leap(3600)
    assert (loop.now() - EPOCH, loop.time()) == (timedelta(hours=1), 0.0)
