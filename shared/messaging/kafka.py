"""The log on Apache Kafka: FastStream consumes, aiokafka's idempotent producer sends, settings are asserted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import collect_hosts
from faststream.kafka import KafkaBroker

from shared.clock import Runtime, retrying
from shared.errors import SettingsError, Unavailable
from shared.messaging.delivery import STOP_SECONDS
from shared.messaging.kafka_closing import closed
from shared.messaging.kafka_decoding import read_as_the_port, whole_batches
from shared.messaging.kafka_group import CONSUMER_SETTINGS, ClientLog, KafkaSubscription
from shared.messaging.kafka_offsets import heed_errors_of_positions
from shared.messaging.kafka_producer import PRODUCER_SETTINGS, Producer
from shared.messaging.kafka_reader import Reader
from shared.messaging.kafka_records import reachable
from shared.messaging.kafka_topics import COMPACTION_LAG_MS, Topics
from shared.messaging.partitions import check_message, check_place, declared, partition_of
from shared.messaging.port import Batch, BatchHandler, Message, Position, Record, Subscription, Topic

if TYPE_CHECKING:
    from shared.messaging.columns import Columns

FIRST_LOOK_S = 0.02
LONGEST_LOOK_S = 0.2
CONNECT_SECONDS = 30.0
# What one answer of a broker brings: a batch of records one by one; by columns, some thousands, since all of an answer
# take each step together.
FETCH_BYTES = 1_100_000
COLUMN_BYTES = 8_000_000


class KafkaLog:
    """`shared.messaging.port.Log` on a cluster. `broker` is FastStream's, for the AsyncAPI document.

    `start` raises Unavailable while no broker answers, and SettingsError for addresses that are none and for a topic
    that is not as declared.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        topics: Sequence[Topic],
        runtime: Runtime,
        *,
        client_id: str,
        compaction_lag_ms: int = COMPACTION_LAG_MS,
    ) -> None:
        read_as_the_port()
        heed_errors_of_positions()
        self.topics = {topic.name: topic for topic in topics}
        self._servers = bootstrap_servers
        self._runtime = runtime
        self._client_id = client_id
        self._lag_ms = compaction_lag_ms
        self.broker = KafkaBroker(
            bootstrap_servers,
            client_id=client_id,
            consumer_only=True,
            allow_auto_create_topics=False,
            apply_types=False,
            graceful_timeout=STOP_SECONDS,
            logger=ClientLog(),
        )
        self._producer = Producer(self._new_producer, runtime)
        self._subscriptions: list[KafkaSubscription] = []
        self._admin: AIOKafkaAdminClient | None = None
        self._reader: Reader | None = None
        self._batch_reader: Reader | None = None
        self._beginning = asyncio.Lock()

    async def start(self) -> None:
        if self._reader is not None:
            return
        _check_addresses(self._servers)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._connect()
        except TimeoutError:
            await self.stop()
            raise Unavailable("log: no answer while connecting") from None
        except BaseException:
            # Half a connection would go on in the background, and the caller has nothing to stop.
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stops members, sends what is under way, disconnects; each within its time, whatever the brokers do."""
        await asyncio.gather(*(subscription.stop() for subscription in self._subscriptions))
        self._subscriptions = []
        await self._producer.stop(STOP_SECONDS)
        readers = [reader for reader in (self._reader, self._batch_reader) if reader is not None]
        self._reader = self._batch_reader = None
        admin, self._admin = self._admin, None
        for reader in readers:
            await reader.stop(STOP_SECONDS)
        if admin is not None:
            await closed(admin.close(), admin._client, self._runtime, STOP_SECONDS)
        await self.broker.stop()

    def partition_of(self, topic: str, key: str) -> int:
        return partition_of(self.topics, topic, key)

    async def append(self, topic: str, partition: int, messages: Sequence[Message]) -> None:
        check_place(self.topics, topic, partition)
        for message in messages:
            check_message(message)
        if messages:
            await self._producer.append((topic, partition), messages)

    async def append_in_order(self, batches: Sequence[Batch]) -> None:
        for topic, partition, messages in batches:
            await self.append(topic, partition, messages)

    def subscribe(self, group: str, topics: Sequence[str], handler: BatchHandler) -> Subscription:
        for name in topics:
            declared(self.topics, name)
        subscription = KafkaSubscription(self.broker, group, topics, handler, self._runtime)
        self._subscriptions.append(subscription)
        return subscription

    async def read(self, topic: str, partition: int, offset: int, limit: int = 1000) -> list[Record]:
        check_place(self.topics, topic, partition)
        return await self._reading.read((topic, partition), offset, limit)

    async def read_columns(self, topic: str, partition: int, offset: int) -> Columns:
        # Not at the top: few processes read by columns.
        from shared.messaging.kafka_columns import KafkaColumns

        check_place(self.topics, topic, partition)
        position, reader = (topic, partition), await self._batches()
        while True:
            batches = await reader.batches(position, offset)
            columns = KafkaColumns(position, batches, offset)
            if not batches or len(columns.offsets):
                return columns
            # Compaction left nothing of these batches from here on, and they are not the end.
            offset = batches[-1].offset + 1

    async def wait(self, topics: Sequence[str], ends: Mapping[Position, int], timeout: float) -> None:
        """Asks for the ends at growing intervals: a fetch that waits would block the broker for other reads."""
        pause = FIRST_LOOK_S
        try:
            async with asyncio.timeout(timeout):
                while True:
                    found = await self.ends(topics)
                    if any(end > ends.get(position, 0) for position, end in found.items()):
                        return
                    await self._runtime.sleep(pause)
                    pause = min(pause * 2, LONGEST_LOOK_S)
        except TimeoutError:
            return

    async def ends(self, topics: Sequence[str]) -> dict[Position, int]:
        return await self._reading.ends(self._partitions(topics))

    async def final_ends(self, topics: Sequence[str]) -> dict[Position, int]:
        """Nothing to write: the append times are the brokers', whose clocks are not stepped (decision 0017)."""
        return await self.ends(topics)

    async def positions(self, group: str, topics: Sequence[str]) -> dict[Position, int]:
        partitions = self._partitions(topics)

        async def ask() -> dict[TopicPartition, int]:
            with reachable():
                asked = [TopicPartition(*position) for position in partitions]
                found = await self._connected.list_consumer_group_offsets(group, partitions=asked)
                return {place: at.offset for place, at in found.items()}

        # A group's coordinator is unknown for a moment after the first join and after a broker's restart.
        kept = await retrying(ask, self._runtime, (Unavailable,))
        return {position: max(kept.get(TopicPartition(*position), 0), 0) for position in partitions}

    async def settings(self) -> dict[str, str]:
        found = {"log.adapter": "kafka", "log.bootstrap.servers": self._servers}
        found |= {f"log.producer.{name}": str(value) for name, value in PRODUCER_SETTINGS.items()}
        found |= {f"log.consumer.{name}": str(value) for name, value in CONSUMER_SETTINGS.items()}
        found["log.consumer.ack_policy"] = "NACK_ON_ERROR"
        with reachable():
            topics = self._declared(self._connected)
            found["log.brokers"] = str(await topics.brokers())
            states = await topics.states()
        found["log.compaction.lag.ms"] = str(self._lag_ms)
        for name, state in states.items():
            found[f"topic.{name}.partitions"] = str(state.partitions)
            found[f"topic.{name}.replication.factor"] = str(state.replicas)
            found[f"topic.{name}.acknowledged.copies"] = str(state.copies)
            found |= {f"topic.{name}.{setting}": value for setting, value in state.settings.items()}
        return found

    @property
    def _reading(self) -> Reader:
        if self._reader is None:
            raise Unavailable("log: not started")
        return self._reader

    @property
    def _connected(self) -> AIOKafkaAdminClient:
        if self._admin is None:
            raise Unavailable("log: not started")
        return self._admin

    def _declared(self, admin: AIOKafkaAdminClient) -> Topics:
        return Topics(admin, list(self.topics.values()), self._runtime, self._lag_ms)

    def _partitions(self, topics: Sequence[str]) -> list[Position]:
        return [(name, number) for name in topics for number in range(declared(self.topics, name).partitions)]

    async def _connect(self) -> None:
        with reachable():
            self._admin = AIOKafkaAdminClient(bootstrap_servers=self._servers, client_id=self._client_id)
            await self._admin.start()
            await self._declared(self._admin).ensure()
            await self.broker.start()
        await self._producer.start()
        self._reader = self._new_reader()
        await self._reader.start()

    async def _batches(self) -> Reader:
        """Begun when it is first asked for; Unavailable before the log is started."""
        async with self._beginning:
            _ = self._reading
            if (reader := self._batch_reader) is None:
                reader = self._new_reader(value_deserializer=whole_batches, max_partition_fetch_bytes=COLUMN_BYTES)
                await reader.start()
                self._batch_reader = reader
            return reader

    def _new_producer(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(bootstrap_servers=self._servers, client_id=self._client_id, **PRODUCER_SETTINGS)

    def _new_reader(self, **settings: Any) -> Reader:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._servers,
            client_id=self._client_id,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_uncommitted",
            **{"max_partition_fetch_bytes": FETCH_BYTES, **settings},
        )
        return Reader(consumer, self._partitions(list(self.topics)), self._runtime)


def _check_addresses(servers: str) -> None:
    """SettingsError for what the client would give up on with an error of its own, long after it was set."""
    try:
        ports = [port for _, port, _ in collect_hosts(servers)]
    except ValueError:
        ports = [0]
    if not all(0 < port < 65_536 for port in ports):
        raise SettingsError("KAFKA_BOOTSTRAP_SERVERS is no host:port, or several with commas")
