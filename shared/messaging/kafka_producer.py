"""Appends on Kafka: aiokafka's idempotent producer, batches built here, one batch in flight a partition."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from shared.clock import Runtime
from shared.errors import PortError, Unavailable, UnknownOutcome
from shared.messaging.kafka_closing import closed
from shared.messaging.partitions import BATCH_BYTES, size_of
from shared.messaging.port import Message, Position

SEND_SECONDS = 15.0
WAITING_APPENDS = 1000

PRODUCER_SETTINGS: dict[str, str | int | bool] = {
    "acks": "all",
    "enable_idempotence": True,
    "max_batch_size": BATCH_BYTES,
    "max_request_size": 4 * BATCH_BYTES,
    "linger_ms": 0,
    "request_timeout_ms": 10_000,
}


@dataclass(eq=False, slots=True)
class _Appended:
    messages: Sequence[Message]
    done: asyncio.Future[None]


@dataclass(eq=False, slots=True)
class _Lane:
    """What waits for one partition, and the send that nobody knows the outcome of yet, with its client."""

    waiting: list[_Appended] = field(default_factory=list)
    sender: asyncio.Task[None] | None = None
    unresolved: tuple[AIOKafkaProducer, asyncio.Future[object]] | None = None


class Producer:
    """Appends to any partition. Concurrent appends to one partition share a batch.

    An idempotent send is retried by the client for ever and in order, so a send whose outcome is unknown may land
    later; until it is settled its partition takes nothing more, or an outage would pile up copies in memory.
    """

    def __init__(self, build: Callable[[], AIOKafkaProducer], runtime: Runtime) -> None:
        self._build = build
        self._runtime = runtime
        self._client: AIOKafkaProducer | None = None
        self._lanes: dict[Position, _Lane] = {}
        self._broken = False
        self._renewal = asyncio.Lock()

    async def start(self) -> None:
        await self._connected()

    async def stop(self, seconds: float) -> None:
        """Waits for what is under way, at most that long, and disconnects."""
        senders = [lane.sender for lane in self._lanes.values() if lane.sender]
        if senders:
            await asyncio.wait(senders, timeout=seconds)
        client, self._client = self._client, None
        if client is not None:
            await closed(client.stop(), client.client, self._runtime, seconds)
        for lane in self._lanes.values():
            if lane.sender is not None:
                lane.sender.cancel()
        self._lanes.clear()

    async def append(self, position: Position, messages: Sequence[Message]) -> None:
        """Returns when the brokers have it; UnknownOutcome after 15 s, Unavailable where it was never sent."""
        if self._client is None:
            raise Unavailable("log: not started")
        lane = self._lanes.setdefault(position, _Lane())
        if len(lane.waiting) >= WAITING_APPENDS:
            raise Unavailable("log: too many appends wait for the partition")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        lane.waiting.append(_Appended(messages, done))
        if lane.sender is None or lane.sender.done():
            lane.sender = self._runtime.spawn(self._drain(position, lane), "log-append")
        await done

    async def _drain(self, position: Position, lane: _Lane) -> None:
        while lane.waiting:
            taken, lane.waiting = lane.waiting, []
            try:
                await self._settled(lane)
                await self._send(position, lane, [message for append in taken for message in append.messages])
            except PortError as error:
                _resolve(taken, error)
            except asyncio.CancelledError:
                _resolve(taken, UnknownOutcome("log: stopped"))
                raise
            except Exception as error:
                _resolve(taken, UnknownOutcome(f"log: {type(error).__name__}"))
            else:
                _resolve(taken, None)

    async def _settled(self, lane: _Lane) -> None:
        if lane.unresolved is None:
            return
        client, future = lane.unresolved
        # A client that was replaced sends nothing any more, and may leave its futures open for ever.
        if client is self._client and not self._broken:
            await asyncio.wait({future}, timeout=SEND_SECONDS)
            if not future.done():
                raise Unavailable("log: an earlier send is not settled")
            # Its caller was told that the outcome is unknown and sends again: either answer is the same to it now.
            if error := future.exception():
                self._failed(error)
        lane.unresolved = None

    async def _send(self, position: Position, lane: _Lane, messages: Sequence[Message]) -> None:
        """Sends batch after batch; one that is not acknowledged stops the rest, or order would break."""
        sent = 0
        while sent < len(messages):
            client = await self._connected()
            batch = _built(client.create_batch(), messages[sent:])
            count = batch.record_count()
            try:
                # Only this call can fail before anything left: it waits for metadata and a place in the queue.
                future = await client.send_batch(batch, position[0], partition=position[1])
            except (KafkaError, AssertionError, OSError) as error:
                self._failed(error)
                raise (UnknownOutcome if sent else Unavailable)(f"log: {type(error).__name__}") from error
            await asyncio.wait({future}, timeout=SEND_SECONDS)
            if not future.done():
                lane.unresolved = (client, future)
                raise UnknownOutcome("log: no acknowledgement in time")
            if refused := future.exception():
                self._failed(refused)
                raise UnknownOutcome(f"log: {type(refused).__name__}") from refused
            sent += count

    def _failed(self, error: BaseException) -> None:
        """aiokafka's client lives through what it may retry; after anything else it has to be made anew."""
        if not getattr(error, "retriable", False):
            self._broken = True

    async def _connected(self) -> AIOKafkaProducer:
        """The client; a new one after a fatal error."""
        async with self._renewal:
            if self._client is not None and not self._broken:
                return self._client
            if self._client is not None:
                await closed(self._client.stop(), self._client.client, self._runtime, 1.0)
            client = self._build()
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await client.start()
            except (KafkaError, OSError, TimeoutError) as error:
                await closed(client.stop(), client.client, self._runtime, 1.0)
                self._broken = True
                raise Unavailable(f"log: {type(error).__name__}") from error
            self._client = client
            self._broken = False
            return client


def _built(batch: BatchBuilder, messages: Sequence[Message]) -> BatchBuilder:
    """The batch with as many of the messages as it holds, in order; at least one."""
    size = 0
    for message in messages:
        size += size_of(message)
        if size > BATCH_BYTES and batch.record_count():
            break
        key = None if message.key is None else message.key.encode()
        if batch.append(timestamp=None, key=key, value=message.value, headers=list(message.headers)) is None:
            break
    batch.close()
    if not batch.record_count():
        raise Unavailable("log: a message that no batch holds")
    return batch


def _resolve(taken: Sequence[_Appended], error: PortError | None) -> None:
    for append in taken:
        if append.done.done():
            continue
        if error is None:
            append.done.set_result(None)
        else:
            append.done.set_exception(type(error)(*error.args))
