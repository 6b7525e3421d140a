"""Reading Kafka by position, without a group: one aiokafka consumer, every partition paused but the ones asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.clock import Runtime
from shared.messaging.kafka_closing import closed
from shared.messaging.kafka_records import StoredBatch, reachable
from shared.messaging.port import Position, Record

READ_SECONDS = 15.0


class Reader:
    """Reads any partition from any offset. Concurrent reads of one partition take turns."""

    def __init__(self, consumer: AIOKafkaConsumer, positions: Iterable[Position], runtime: Runtime) -> None:
        self._runtime = runtime
        self._consumer = consumer
        self._places = {position: TopicPartition(*position) for position in positions}
        self._locks = {position: asyncio.Lock() for position in self._places}
        self._ends: dict[Position, int] = {}
        # What a fetch brought beyond the limit, with the offset from which it answers.
        self._ahead: dict[Position, tuple[int, list[Record]]] = {}

    async def start(self) -> None:
        with reachable():
            await self._consumer.start()
            self._consumer.assign(list(self._places.values()))
            # Without a position the client would ask for one; unpaused it would fetch what nobody asked for.
            for place in self._places.values():
                self._consumer.seek(place, 0)
            self._consumer.pause(*self._places.values())

    async def stop(self, seconds: float) -> None:
        await closed(self._consumer.stop(), self._consumer._client, self._runtime, seconds)

    async def ends(self, positions: Sequence[Position]) -> dict[Position, int]:
        with reachable():
            async with asyncio.timeout(READ_SECONDS):
                found = await self._consumer.end_offsets([self._places[position] for position in positions])
        ends = {position: int(found[self._places[position]]) for position in positions}
        self._ends.update(ends)
        return ends

    async def read(self, position: Position, offset: int, limit: int) -> list[Record]:
        """Up to `limit` records from that offset on; empty at the end. Unavailable after 15 s without an answer."""
        async with self._locks[position]:
            start, ahead = self._ahead.pop(position, (offset, []))
            if start != offset or not ahead:
                ahead = await self._fetch(position, offset)
            given, rest = ahead[:limit], ahead[limit:]
            if rest:
                self._ahead[position] = (given[-1].offset + 1, rest)
            return given

    async def batches(self, position: Position, offset: int) -> list[StoredBatch]:
        """Where the consumer gives whole batches: what one answer of the broker holds from that offset on."""
        async with self._locks[position]:
            return await self._fetch(position, offset)

    async def _fetch(self, position: Position, offset: int) -> list[Any]:
        if offset >= self._ends.get(position, 0) and offset >= (await self.ends([position]))[position]:
            return []
        place = self._places[position]
        self._consumer.seek(place, offset)
        self._consumer.resume(place)
        try:
            with reachable():
                async with asyncio.timeout(READ_SECONDS):
                    return await self._next(place, self._ends[position])
        finally:
            # What stays fetched and unread would hold back the other partitions of its broker.
            self._consumer.pause(place)

    async def _next(self, place: TopicPartition, end: int) -> list[Any]:
        while True:
            found: dict[TopicPartition, list[Any]] = await self._consumer.getmany(place, timeout_ms=1000)
            if records := found.get(place):
                return records
            # The rest of a partition may be another producer's control records, which are never shown.
            if await self._consumer.position(place) >= end:
                return []
