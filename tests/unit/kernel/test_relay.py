"""Sending outboxes: whole, oldest first, as often as it takes, and never emptied too early."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from shared.errors import Unavailable, UnknownOutcome
from shared.messaging.port import Batch
from shared.messaging.reading import parse
from shared.messaging.relay import Relay
from shared.store.sweeper import Sweeper
from tests.unit.kernel.case import INSTITUTIONS, Activate, Case, Register, cause

TOPIC = "registration.institutions"


async def two_events(case: Case) -> dict[str, object]:
    await case.kernel.execute(INSTITUTIONS, "i1", Register(), cause("a"))
    return (await case.kernel.execute(INSTITUTIONS, "i1", Activate(), cause("b"))).document


def sequences(records: list[object]) -> list[int]:
    reads = [parse(record) for record in records]  # type: ignore[arg-type]
    return [read[0].sequence for read in reads if isinstance(read, tuple)]


async def test_the_whole_outbox_goes_in_order_and_is_emptied() -> None:
    async with Case() as case:
        document = await two_events(case)
        await case.relay.send("institutions", document)
        assert sequences(await case.topic(TOPIC)) == [1, 2]
        stored = await case.store.load("institutions", "i1")
        assert stored
        assert (stored["outbox"], stored["pending"], stored["version"]) == ([], False, 2)
        assert await case.store.count("institutions", "outbox", "pending") == 0


async def test_a_stale_sender_empties_nothing_and_another_process_repeats() -> None:
    async with Case() as case:
        old = (await case.kernel.execute(INSTITUTIONS, "i1", Register(), cause("a"))).document
        new = (await case.kernel.execute(INSTITUTIONS, "i1", Activate(), cause("b"))).document
        await case.relay.send("institutions", old)
        stored = await case.store.load("institutions", "i1")
        assert stored
        assert stored["pending"]
        await Relay(case.store, case.log, case.clock).send("institutions", new)
        seen = sequences(await case.topic(TOPIC))
        assert seen == [1, 1, 2]
        assert list(dict.fromkeys(seen)) == [1, 2]


async def test_what_this_process_saw_acknowledged_is_not_sent_again() -> None:
    """Neither with what came after it, nor by a sweep that had found the outbox before it was emptied."""
    async with Case() as case:
        old = (await case.kernel.execute(INSTITUTIONS, "i1", Register(), cause("a"))).document
        new = (await case.kernel.execute(INSTITUTIONS, "i1", Activate(), cause("b"))).document
        for document in (old, new, new):
            await case.relay.send("institutions", document)
        assert sequences(await case.topic(TOPIC)) == [1, 2]
        stored = await case.store.load("institutions", "i1")
        assert stored
        assert not stored["pending"]


async def test_an_unknown_outcome_is_sent_again() -> None:
    async with Case() as case:
        document = (await case.kernel.execute(INSTITUTIONS, "i1", Register(), cause("a"))).document
        append = case.log.append_in_order

        async def landed(batches: Sequence[Batch]) -> None:
            await append(batches)
            raise UnknownOutcome("log")

        case.log.append_in_order = landed  # type: ignore[method-assign]
        with pytest.raises(UnknownOutcome):
            await case.relay.send("institutions", document)
        case.log.append_in_order = append  # type: ignore[method-assign]
        await case.relay.send("institutions", document)
        assert sequences(await case.topic(TOPIC)) == [1, 1]


async def test_a_sweep_leaves_what_waits_here_for_its_turn() -> None:
    async with Case() as case:
        await case.kernel.execute(INSTITUTIONS, "i1", Register(), cause("a"))
        case.clock.ahead += timedelta(seconds=3)
        await Sweeper(case.store, case.relay, case.clock, ["institutions"], {}).sweep()
        assert sequences(await case.topic(TOPIC)) == []


@pytest.mark.parametrize("error", [Unavailable, UnknownOutcome])
async def test_a_failed_send_leaves_the_outbox(error: type[Exception]) -> None:
    async with Case() as case:
        document = await two_events(case)
        asked: list[str] = []

        async def failing(batches: Sequence[Batch]) -> None:
            asked.extend(topic for topic, _, _ in batches)
            raise error("down")

        case.log.append_in_order = failing  # type: ignore[method-assign]
        with pytest.raises(error):
            await case.relay.send("institutions", document)
        assert asked == [TOPIC]
        stored = await case.store.load("institutions", "i1")
        assert stored
        assert stored["pending"]


async def test_what_is_offered_is_sent_and_the_sweeper_brings_what_was_missed() -> None:
    async with Case() as case:
        case.relay.start()
        await case.kernel.execute(INSTITUTIONS, "i1", Register(), cause("a"))
        for _ in range(200):
            if sequences(await case.topic(TOPIC)):
                break
            await asyncio.sleep(0.01)
        assert sequences(await case.topic(TOPIC)) == [1]
        await case.relay.stop()
        await case.kernel.execute(INSTITUTIONS, "i1", Activate(), cause("b"))
        # The process that saved it is gone.
        relay = Relay(case.store, case.log, case.clock)
        sweeper = Sweeper(case.store, relay, case.clock, ["institutions"], {})
        await sweeper.sweep()
        assert sequences(await case.topic(TOPIC)) == [1]
        case.clock.ahead += timedelta(seconds=3)
        await sweeper.sweep()
        assert sequences(await case.topic(TOPIC)) == [1, 2]
