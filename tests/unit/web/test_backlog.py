"""The backlog costs a small part of the time, and no answer is older than its question."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from shared.errors import Unavailable
from shared.testing.loop import SeededLoop
from shared.testing.runtime import SeededRuntime
from shared.web.backlog import Sparing


@pytest.mark.parametrize(("takes", "at_most"), [(0.001, 0.1), (0.01, 0.1), (0.2, 0.5)])
def test_many_who_ask_share_few_countings_and_each_gets_one_that_began_after_it_asked(
    takes: float, at_most: float
) -> None:
    """At most a tenth of the time is spent on it; where it takes long, a quarter of a second lies between."""
    loop = SeededLoop(1)
    runtime = SeededRuntime(loop, "a")
    began: list[float] = []

    async def report() -> Mapping[str, Any]:
        began.append(runtime.monotonic())
        await runtime.sleep(takes)
        return {"began": began[-1], "unread": 0, "lag": {"matching.matches": 0}, "counts": {"parked": 1}}

    sparing = Sparing(report, runtime)

    async def ask() -> None:
        await runtime.sleep(runtime.rng.uniform(0, 2))
        asked = runtime.monotonic()
        answer = await sparing.sums()
        assert answer["began"] >= asked
        assert answer.keys() == {"began", "unread"}

    async def all_of_them() -> None:
        await asyncio.gather(*(ask() for _ in range(500)))

    loop.run_until_complete(all_of_them())
    took = runtime.monotonic()
    loop.close()
    assert len(began) >= 2
    assert len(began) * takes <= at_most * took


def test_a_store_that_is_away_is_told_to_all_who_wait_and_asked_again() -> None:
    loop = SeededLoop(1)
    runtime = SeededRuntime(loop, "a")
    failures = [Unavailable("store")]

    async def report() -> Mapping[str, Any]:
        if failures:
            raise failures.pop()
        return {"quiet": True}

    async def run() -> None:
        sparing = Sparing(report, runtime)
        found = await asyncio.gather(sparing(), sparing(), return_exceptions=True)
        assert [type(one) for one in found] == [Unavailable, Unavailable]
        assert await sparing() == {"quiet": True}

    loop.run_until_complete(run())
    loop.close()
