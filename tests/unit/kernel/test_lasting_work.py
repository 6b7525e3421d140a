"""Work that nobody awaits: an error that ends it is seen from outside, and one bad case does not end it."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared.clock import RealRuntime
from shared.errors import UnknownOutcome
from shared.identity.keys import Keys
from shared.intake.submissions import Intake
from shared.messaging.relay import Relay
from shared.store.aggregates import Kernel
from shared.store.sweeper import Sweeper
from shared.testing.loop import SeededLoop
from shared.testing.runtime import SeededRuntime
from tests.unit.kernel.case import INSTITUTIONS, Case, Register, cause


async def fails() -> None:
    raise KeyError("Amina")


async def test_the_end_of_lasting_work_is_known_and_logged_without_a_value() -> None:
    runtime = RealRuntime()
    with capture_logs() as lines:
        await asyncio.wait([runtime.spawn(fails(), "sweeper", lasting=True)])
        await asyncio.sleep(0)
    stopped = runtime.spawn(asyncio.sleep(60), "stopped", lasting=True)
    stopped.cancel()
    await asyncio.wait([stopped])
    await asyncio.sleep(0)
    assert runtime.ended == ["sweeper"]
    assert lines == [{"event": "task_ended", "task": "sweeper", "error": "KeyError", "log_level": "critical"}]
    runtime.close()


def test_in_the_simulation_it_is_a_violation() -> None:
    loop = SeededLoop(1)
    runtime = SeededRuntime(loop, "a")

    async def run() -> None:
        runtime.spawn(fails(), "sweeper", lasting=True)
        await runtime.sleep(1)

    loop.run_until_complete(run())
    assert runtime.ended == ["sweeper"]
    assert [context["message"] for context in loop.unhandled] == ["a lasting task ended"]
    loop.close()


async def test_a_submission_is_answered_whatever_the_store_raises_and_so_is_the_next() -> None:
    async with Case() as case:
        intake = Intake("registration", case.store, case.clock, Keys.in_memory(random.Random(1)), {"r": _accepts})
        intake.start()
        append, failures = case.store.append, [RuntimeError("pool")]

        async def failing(collection: str, documents: Any) -> Any:
            if failures:
                raise failures.pop()
            return await append(collection, documents)

        case.store.append = failing  # type: ignore[method-assign]
        with pytest.raises(UnknownOutcome):
            await asyncio.wait_for(intake.submit("r", "s", {}, cause("k1"), office=None, channel="own"), 5)
        await asyncio.wait_for(intake.submit("r", "s", {}, cause("k2"), office=None, channel="own"), 5)
        await intake.stop()
        assert case.clock.ended == []


async def _accepts(_submission: Any) -> None:
    """A decider that has nothing against it."""


@pytest.mark.parametrize("by_relay", [True, False])
async def test_one_outbox_that_cannot_be_sent_keeps_no_other(by_relay: bool) -> None:
    async with Case() as case:
        case.relay = Relay(case.store, case.log, case.clock, at_once=1)
        case.kernel = Kernel("registration", case.store, case.relay, case.clock)
        append, sent = case.log.append_in_order, list[str]()

        async def picky(batches: Any) -> None:
            key = batches[0][2][0].key
            if key == "i1":
                raise ValueError("a record that the client cannot encode")
            sent.append(key)
            await append(batches)

        case.log.append_in_order = picky  # type: ignore[method-assign]
        if by_relay:
            case.relay.start()
        for id in ("i1", "i2", "i3"):
            await case.kernel.execute(INSTITUTIONS, id, Register(), cause(id))
        if not by_relay:
            case.clock.ahead = timedelta(minutes=1)
            # The process that saved them is gone.
            relay = Relay(case.store, case.log, case.clock)
            await Sweeper(case.store, relay, case.clock, ["institutions"], {}).sweep()
        await asyncio.sleep(0.05)
        assert sorted(sent) == ["i2", "i3"]
        assert case.clock.ended == []
        await case.relay.stop()
