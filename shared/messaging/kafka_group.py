"""A member of a group on Kafka: FastStream's batch subscriber, raw bytes, positions after the handler."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.exceptions import NackMessage
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaAckableMessage, KafkaMessage

from shared.clock import Runtime, stop_tasks
from shared.errors import Unavailable
from shared.messaging.delivery import BATCH_RECORDS, STOP_SECONDS, handler_failed, pause_s
from shared.messaging.kafka_closing import closed
from shared.messaging.kafka_records import ConsumedRecord
from shared.messaging.port import BatchHandler, Position, Record

_PLACE = itemgetter(Record._fields.index("topic"), Record._fields.index("partition"))
_OFFSET = itemgetter(Record._fields.index("offset"))
logger = structlog.get_logger()

COMMIT_LOOK_SECONDS = 3.0
# A record may be 1 MB; the session is long enough for a pause of the machine, short enough for a crash to show.
CONSUMER_SETTINGS: dict[str, str | int] = {
    "auto_offset_reset": "earliest",
    "isolation_level": "read_uncommitted",
    "batch_timeout_ms": 20,
    "max_records": BATCH_RECORDS,
    "session_timeout_ms": 10_000,
    "heartbeat_interval_ms": 2_000,
    "max_poll_interval_ms": 300_000,
    "fetch_max_bytes": 8_000_000,
    "max_partition_fetch_bytes": 1_100_000,
}


class ClientLog:
    """What FastStream has to say, by level and class alone: its texts may hold what a record holds."""

    def log(self, level: int, msg: Any, /, *, exc_info: Any = None, extra: Any = None) -> None:
        if level >= logging.ERROR:
            logger.warning("log_client_failed", error=type(exc_info).__name__ if exc_info else "", level=level)


class KafkaSubscription:
    """One member. A failed handler pauses inside the delivery, then the batch is read again from its position."""

    def __init__(
        self, broker: KafkaBroker, group: str, topics: Sequence[str], handler: BatchHandler, runtime: Runtime
    ) -> None:
        self._runtime = runtime
        self._group = group
        self._handler = handler
        self._attempt = 0
        self._stopping = asyncio.Event()
        self._running = False
        # What the handler is through with and nobody has yet seen committed: the offset after the last record.
        self._handled: dict[TopicPartition, int] = {}
        self._tasks: list[asyncio.Task[Any]] = []
        self._subscriber = broker.subscriber(
            *topics,
            group_id=group,
            batch=True,
            ack_policy=AckPolicy.NACK_ON_ERROR,
            parser=self._parsed,
            decoder=_decoded,
            title=f"{group}:{','.join(topics)}",
            description="Batches of raw records; the positions move after the handler returned.",
            **CONSUMER_SETTINGS,  # type: ignore[call-overload]
        )
        self._subscriber(self._deliver)

    @property
    def running(self) -> bool:
        return self._running

    async def start(self) -> None:
        if self._running:
            return
        self._stopping.clear()
        self._handled.clear()
        try:
            await self._subscriber.start()
        except (KafkaError, OSError) as error:
            await self._leave(1.0)
            raise Unavailable(f"log: {type(error).__name__}") from error
        self._tasks = [self._runtime.spawn(self._watch_commits(), "log-commits", lasting=True)]
        self._running = True

    async def stop(self) -> None:
        if not self._running:
            return
        self._running = False
        self._stopping.set()
        await stop_tasks(self._tasks)
        # FastStream waits for the handler as long as STOP_SECONDS; leaving the group takes its own time.
        await self._leave(STOP_SECONDS + 5.0)

    async def _leave(self, seconds: float) -> None:
        consumer = self._subscriber.consumer
        if consumer is not None:
            await closed(self._subscriber.stop(), consumer._client, self._runtime, seconds)

    async def _parsed(self, batch: tuple[ConsumedRecord, ...]) -> KafkaMessage:
        """A message whose headers nobody decodes: one header that is not UTF-8 would lose the whole batch."""
        return KafkaAckableMessage(
            body=b"",
            headers={},
            message_id=f"{batch[0].topic}-{batch[0].partition}-{batch[0].offset}",
            raw_message=batch,
            consumer=self._subscriber.consumer,
        )

    async def _deliver(self, batch: list[Record]) -> None:
        try:
            await self._handler(batch)
        except Exception as error:
            self._attempt += 1
            handler_failed(self._group, error, len(batch), self._attempt)
            await self._pause(pause_s(self._attempt))
            # FastStream seeks back at once on this; any other error it would log with its text.
            raise NackMessage from None
        self._attempt = 0
        for place, offset in ends_of(batch).items():
            self._handled[TopicPartition(*place)] = offset

    async def _watch_commits(self) -> None:
        """A commit that was lost is made good by the next one; where no record follows there would be none."""
        while True:
            before = dict(self._handled)
            await self._runtime.sleep(COMMIT_LOOK_SECONDS)
            idle = {place: offset for place, offset in self._handled.items() if before.get(place) == offset}
            try:
                await self._commit_again(idle)
            except (KafkaError, OSError) as error:
                logger.warning("commit_failed", group=self._group, error=type(error).__name__)

    async def _commit_again(self, idle: dict[TopicPartition, int]) -> None:
        consumer = self._subscriber.consumer
        lost = {place: offset for place, offset in idle.items() if await self._is_lost(place, offset)}
        if lost and consumer is not None:
            logger.warning("commit_repeated", group=self._group, partitions=len(lost))
            await consumer.commit(lost)
        for place, offset in idle.items():
            if place not in lost and self._handled.get(place) == offset:
                del self._handled[place]

    async def _is_lost(self, place: TopicPartition, offset: int) -> bool:
        """Whether this member stands where it was through, and that is not committed.

        Where it stands elsewhere, another member went on from there meanwhile, and a position is never moved back. The
        committed one alone cannot tell: a coordinator that has just come back gives none while it still reads its
        own, and the client takes that for a group that never committed.
        """
        consumer = self._subscriber.consumer
        if consumer is None or place not in consumer.assignment() or await consumer.position(place) != offset:
            return False
        return (await consumer.committed(place) or 0) < offset

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass


async def _decoded(message: KafkaMessage) -> list[Record]:
    return list(message.raw_message)


def ends_of(batch: Sequence[Record]) -> dict[Position, int]:
    """For each partition of a batch, which is ordered within each, the offset after its last record."""
    last = dict(zip(map(_PLACE, batch), map(_OFFSET, batch), strict=True))
    return {position: offset + 1 for position, offset in last.items()}
