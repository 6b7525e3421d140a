"""Commits of a group that do not arrive while nothing new follows them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.errors import CommitFailedError, GroupLoadInProgressError
from aiokafka.protocol.commit import OffsetFetchResponse_v3

from deploy.local.kafka import KafkaServer
from shared.clock import RealRuntime
from shared.messaging import kafka_group
from shared.messaging.kafka import KafkaLog
from shared.messaging.port import Message, Record, Topic

pytest_plugins = ["tests.contract.log_adapters"]
pytestmark = pytest.mark.real

LOST = 3


async def test_a_lost_commit_is_made_good_though_no_record_follows(
    kafka_server: KafkaServer, log_runtime: RealRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_group, "COMMIT_LOOK_SECONDS", 0.1)
    lost = 0
    commit = AIOKafkaConsumer.commit

    async def forgetful(consumer: AIOKafkaConsumer, offsets: Any = None) -> None:
        nonlocal lost
        if lost < LOST:
            lost += 1
            raise CommitFailedError
        await commit(consumer, offsets)

    monkeypatch.setattr(AIOKafkaConsumer, "commit", forgetful)
    topic = Topic("test.lost-commits", 2)
    log = KafkaLog(kafka_server.bootstrap_servers, [topic], log_runtime, client_id="contract")
    seen: list[int] = []

    async def handler(batch: list[Record]) -> None:
        seen.extend(record.offset for record in batch)

    await log.start()
    try:
        await log.append(topic.name, 1, [Message("a", b"1"), Message("a", b"2")])
        await log.subscribe("lost-commits", [topic.name], handler).start()
        async with asyncio.timeout(20):
            while await log.positions("lost-commits", [topic.name]) != {(topic.name, 0): 0, (topic.name, 1): 2}:
                await asyncio.sleep(0.05)
    finally:
        await log.stop()
    assert lost == LOST
    assert seen == [0, 1]


async def test_a_coordinator_that_answers_nothing_moves_no_position_back(
    kafka_server: KafkaServer, log_runtime: RealRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What this member was through with before another one went on from there; then the broker starts again."""
    monkeypatch.setattr(kafka_group, "COMMIT_LOOK_SECONDS", 0.1)
    topic = Topic("test.stale-commits", 1)
    place = TopicPartition(topic.name, 0)
    log = KafkaLog(kafka_server.bootstrap_servers, [topic], log_runtime, client_id="contract")

    async def handler(batch: list[Record]) -> None:
        """Through with everything."""

    async def none(*_: Any) -> None:
        return None

    await log.start()
    try:
        await log.append(topic.name, 0, [Message("a", b"1"), Message("a", b"2")])
        member: Any = log.subscribe("stale-commits", [topic.name], handler)
        await member.start()
        async with asyncio.timeout(20):
            while await log.positions("stale-commits", [topic.name]) != {(topic.name, 0): 2} or member._handled:
                await asyncio.sleep(0.05)
        with monkeypatch.context() as loading:
            loading.setattr(AIOKafkaConsumer, "committed", none)
            member._handled[place] = 1
            async with asyncio.timeout(20):
                while member._handled:
                    await asyncio.sleep(0.05)
        assert await log.positions("stale-commits", [topic.name]) == {(topic.name, 0): 2}
    finally:
        await log.stop()


async def test_a_member_that_asks_a_coordinator_too_early_asks_again_and_reads_nothing_twice(
    kafka_server: KafkaServer, log_runtime: RealRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = Topic("test.loading", 1)
    log = KafkaLog(kafka_server.bootstrap_servers, [topic], log_runtime, client_id="contract")
    seen: list[int] = []

    async def handler(batch: list[Record]) -> None:
        seen.extend(record.offset for record in batch)

    async def read(until: int) -> None:
        member = log.subscribe("loading", [topic.name], handler)
        await member.start()
        async with asyncio.timeout(20):
            while await log.positions("loading", [topic.name]) != {(topic.name, 0): until}:
                await asyncio.sleep(0.05)
        await member.stop()

    answers, send = 0, AIOKafkaClient.send

    async def loading(client: AIOKafkaClient, node: int, request: Any, **to: Any) -> Any:
        nonlocal answers
        answer = await send(client, node, request, **to)
        coordination = to.get("group") == ConnectionGroup.COORDINATION
        if coordination and isinstance(answer, OffsetFetchResponse_v3) and answers < LOST:
            answers += 1
            return OffsetFetchResponse_v3(0, [], GroupLoadInProgressError.errno)
        return answer

    await log.start()
    try:
        await log.append(topic.name, 0, [Message("a", b"1"), Message("a", b"2")])
        await read(2)
        await log.append(topic.name, 0, [Message("a", b"3")])
        monkeypatch.setattr(AIOKafkaClient, "send", loading)
        await read(3)
    finally:
        await log.stop()
    assert answers == LOST
    assert seen == [0, 1, 2]
