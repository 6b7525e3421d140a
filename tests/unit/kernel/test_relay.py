"""Sending outboxes: whole, oldest first, as often as it takes, and never emptied too early."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from shared.errors import Unavailable, UnknownOutcome
from shared.messaging.port import Message
from shared.messaging.reading import parse
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


async def test_a_stale_sender_repeats_and_empties_nothing() -> None:
    async with Case() as case:
        old = (await case.kernel.execute(INSTITUTIONS, "i1", Register(), cause("a"))).document
        new = (await case.kernel.execute(INSTITUTIONS, "i1", Activate(), cause("b"))).document
        await case.relay.send("institutions", old)
        stored = await case.store.load("institutions", "i1")
        assert stored
        assert stored["pending"]
        await case.relay.send("institutions", new)
        seen = sequences(await case.topic(TOPIC))
        assert seen == [1, 1, 2]
        assert list(dict.fromkeys(seen)) == [1, 2]


@pytest.mark.parametrize("error", [Unavailable, UnknownOutcome])
async def test_a_failed_send_leaves_the_outbox_and_sends_nothing_after_it(error: type[Exception]) -> None:
    async with Case() as case:
        document = await two_events(case)
        document["outbox"][1]["topic"] = "registration.experts"  # type: ignore[index]
        append, sent = case.log.append, []

        async def failing(topic: str, partition: int, messages: list[Message]) -> None:
            sent.append(topic)
            if topic == TOPIC:
                raise error("down")
            await append(topic, partition, messages)

        case.log.append = failing  # type: ignore[method-assign,assignment]
        with pytest.raises(error):
            await case.relay.send("institutions", document)
        assert sent == [TOPIC]
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
        sweeper = Sweeper(case.store, case.relay, case.clock, ["institutions"], {})
        await sweeper.sweep()
        assert sequences(await case.topic(TOPIC)) == [1]
        case.clock.ahead += timedelta(seconds=3)
        await sweeper.sweep()
        assert sequences(await case.topic(TOPIC)) == [1, 2]
