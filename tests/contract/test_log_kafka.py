"""What only a cluster can do to the log: brokers that die, freeze or are set up otherwise, foreign producers."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from faststream.specification.asyncapi import AsyncAPI

from deploy.local.kafka import KafkaServer
from deploy.local.processes import free_port
from shared.clock import RealRuntime
from shared.errors import PortError, SettingsError, Unavailable, UnknownOutcome
from shared.messaging import kafka_producer
from shared.messaging.kafka import KafkaLog
from shared.messaging.kafka_records import ConsumedRecord
from shared.messaging.kafka_topics import wanted
from shared.messaging.port import Message, Topic
from tests.contract.log_cases import Inbox, all_of, by_columns, put, until

pytest_plugins = ["tests.contract.log_adapters"]
pytestmark = pytest.mark.real

Start = Callable[..., Any]


def named(partitions: int = 3, *, compacted: bool = False) -> Topic:
    return Topic(f"test.t{uuid.uuid4().hex[:12]}", partitions, compacted)


@pytest_asyncio.fixture
async def start(log_runtime: RealRuntime) -> AsyncIterator[Start]:
    opened: list[KafkaLog] = []

    async def started(server: KafkaServer, *topics: Topic) -> KafkaLog:
        log = KafkaLog(server.bootstrap_servers, topics, log_runtime, client_id="contract")
        opened.append(log)
        await log.start()
        return log

    yield started
    for log in opened:
        await log.stop()


async def created(server: KafkaServer, topic: Topic, **changed: str) -> None:
    """The topic as somebody else made it."""
    settings = wanted(topic, 1) | {name.replace("_", "."): value for name, value in changed.items()}
    admin = AIOKafkaAdminClient(bootstrap_servers=server.bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic.name, topic.partitions, 1, topic_configs=settings)])
    finally:
        await admin.close()


async def test_acknowledged_appends_outlive_a_killed_broker(kafka_victim: KafkaServer, start: Start) -> None:
    topic = named(partitions=3)
    log = await start(kafka_victim, topic)
    acknowledged: list[str] = []
    stopping = False

    async def writer(number: int) -> None:
        n = 0
        while not stopping:
            value = f"{number}-{n}"
            try:
                await log.append(topic.name, number % 3, [Message(value, value.encode())])
                acknowledged.append(value)
                n += 1
            except PortError:
                await asyncio.sleep(0.05)

    writers = [asyncio.ensure_future(writer(number)) for number in range(6)]
    await until(lambda: len(acknowledged) > 300)
    await asyncio.to_thread(kafka_victim.kill)
    before = len(acknowledged)
    await asyncio.to_thread(kafka_victim.start)
    await until(lambda: len(acknowledged) > before + 300, 60)
    stopping = True
    await asyncio.gather(*writers)
    values = [record.value.decode() for record in await all_of(log, topic) if record.value]
    assert set(acknowledged) <= set(values)
    for number in range(6):
        # The producer repeats itself over the crash; first occurrences stay in order.
        mine = [int(value.split("-")[1]) for value in dict.fromkeys(values) if value.startswith(f"{number}-")]
        assert mine == sorted(mine)


async def test_a_member_goes_on_after_its_broker_was_killed(kafka_victim: KafkaServer, start: Start) -> None:
    topic = named(partitions=2)
    log = await start(kafka_victim, topic)
    inbox = Inbox()
    member = log.subscribe("g", [topic.name], inbox)
    await member.start()
    await put(log, topic, "k", b"1")
    await until(lambda: inbox.values == [b"1"])
    await asyncio.to_thread(kafka_victim.kill)
    await asyncio.to_thread(kafka_victim.start)
    await put(log, topic, "k", b"2")
    await until(lambda: b"2" in inbox.values, 60)
    await member.stop()
    assert sum((await log.positions("g", [topic.name])).values()) == 2


async def test_a_frozen_broker_leaves_an_unknown_outcome_and_one_record(
    kafka_victim: KafkaServer, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = named(partitions=1)
    log = await start(kafka_victim, topic)
    await put(log, topic, "k", b"1")
    monkeypatch.setattr(kafka_producer, "SEND_SECONDS", 0.5)
    kafka_victim.freeze()
    try:
        with pytest.raises(UnknownOutcome):
            await put(log, topic, "k", b"2")
        with pytest.raises(Unavailable):
            await put(log, topic, "k", b"3")
    finally:
        kafka_victim.thaw()
    monkeypatch.setattr(kafka_producer, "SEND_SECONDS", 15.0)
    await put(log, topic, "k", b"4")
    values = [record.value for record in await all_of(log, topic)]
    assert values in ([b"1", b"2", b"4"], [b"1", b"4"])


async def test_stopping_ends_in_time_while_the_broker_is_dead(kafka_victim: KafkaServer, start: Start) -> None:
    topic = named(partitions=1)
    log = await start(kafka_victim, topic)
    member = log.subscribe("g", [topic.name], Inbox())
    await member.start()
    await put(log, topic, "k", b"1")
    await asyncio.to_thread(kafka_victim.kill)
    try:
        async with asyncio.timeout(30):
            await log.stop()
    finally:
        await asyncio.to_thread(kafka_victim.start)


async def test_a_log_without_a_broker_is_unavailable(log_runtime: RealRuntime) -> None:
    log = KafkaLog(f"127.0.0.1:{free_port()}", [named()], log_runtime, client_id="contract")
    with pytest.raises(Unavailable):
        await log.start()


@pytest.mark.parametrize("servers", ["localhost:abc", "localhost:9092,localhost:9092x", "localhost:99999", "[::1"])
async def test_addresses_that_are_none_are_refused_by_name(log_runtime: RealRuntime, servers: str) -> None:
    log = KafkaLog(servers, [named()], log_runtime, client_id="contract")
    with pytest.raises(SettingsError, match="KAFKA_BOOTSTRAP_SERVERS"):
        await log.start()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("retention_ms", "604800000"),
        ("retention_bytes", "1000000"),
        ("message_timestamp_type", "CreateTime"),
        ("cleanup_policy", "compact"),
        ("max_message_bytes", "100000"),
        ("min_insync_replicas", "2"),
    ],
)
async def test_an_unsafe_setting_is_refused_by_name(
    kafka_server: KafkaServer, start: Start, setting: str, value: str
) -> None:
    topic = named()
    await created(kafka_server, topic, **{setting: value})
    with pytest.raises(SettingsError, match=rf"topic {topic.name}: {setting.replace('_', '.')} is {value}, must be"):
        await start(kafka_server, topic)


async def test_a_changed_partition_count_is_refused_by_name(kafka_server: KafkaServer, start: Start) -> None:
    topic = named(partitions=2)
    await start(kafka_server, topic)
    with pytest.raises(SettingsError, match=f"topic {topic.name}: partitions is 2, must be 3"):
        await start(kafka_server, Topic(topic.name, 3))
    with pytest.raises(SettingsError, match=rf"topic {topic.name}: cleanup\.policy is delete, must be compact"):
        await start(kafka_server, Topic(topic.name, 2, compacted=True))


async def test_two_starts_at_once_create_a_topic_once(kafka_server: KafkaServer, start: Start) -> None:
    topic = named()
    logs = await asyncio.gather(*(start(kafka_server, topic) for _ in range(3)))
    await put(logs[0], topic, "k", b"1")
    assert [record.value for record in await all_of(logs[2], topic)] == [b"1"]


async def test_settings_show_what_the_cluster_and_the_clients_use(kafka_server: KafkaServer, start: Start) -> None:
    topic = named(compacted=True)
    settings = await (await start(kafka_server, topic)).settings()
    assert settings["log.producer.acks"] == "all"
    assert settings["log.producer.enable_idempotence"] == "True"
    assert settings["log.consumer.auto_offset_reset"] == "earliest"
    assert settings[f"topic.{topic.name}.retention.ms"] == "-1"
    assert settings[f"topic.{topic.name}.message.timestamp.type"] == "LogAppendTime"


class Raw(str):
    """A header's name whose bytes are not UTF-8, as a foreign client may send."""

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b"\xff\xfe"


async def test_a_header_name_that_is_not_utf8_stops_nothing(kafka_server: KafkaServer, start: Start) -> None:
    topic = named(partitions=1)
    log = await start(kafka_server, topic)
    await put(log, topic, "k", b"1")
    foreign = AIOKafkaProducer(bootstrap_servers=kafka_server.bootstrap_servers, compression_type="gzip")
    await foreign.start()
    await foreign.send_and_wait(topic.name, None, b"k", partition=0, headers=[("a", None)])
    batch = foreign.create_batch()
    # The compiled builder takes nothing but text; the plain one asks the name for its bytes.
    batch._builder = _DefaultRecordBatchBuilderPy(
        2, 0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=0, batch_size=100_000
    )
    for value, headers in [(b"2", [("a", b"x")]), (b"3", [(Raw("bad"), b"x"), ("b", b"y")]), (b"4", [])]:
        assert batch.append(timestamp=None, key=b"k", value=value, headers=headers)
    await (await foreign.send_batch(batch, topic.name, partition=0))
    await foreign.stop()
    await put(log, topic, "k", b"5")
    inbox = Inbox()
    member = log.subscribe("g", [topic.name], inbox)
    await member.start()
    await until(lambda: len(inbox.records) == 6)
    assert inbox.values == [b"1", None, b"2", b"3", b"4", b"5"]
    assert inbox.records[3].headers == (("\ufffd\ufffd", b"x"), ("b", b"y"))
    assert [record.offset for record in inbox.records] == [0, 1, 2, 3, 4, 5]
    read = await all_of(log, topic)
    assert read == inbox.records
    # By position and in a group the client hands on the port's records, which its own would hide in all of the above.
    assert {type(record) for record in (*read, *inbox.records)} == {ConsumedRecord}
    assert await by_columns(log, topic) == read


async def test_the_asyncapi_document_names_the_topics(kafka_server: KafkaServer, start: Start) -> None:
    topic = named()
    log = await start(kafka_server, topic)
    log.subscribe("group", [topic.name], Inbox())
    assert topic.name in AsyncAPI(log.broker).to_specification().to_json()
