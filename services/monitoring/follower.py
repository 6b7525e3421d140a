"""Following the topics into the read model (docs/kernel.md, section 8): no group, no shadows, no parking."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import duckdb
from opentelemetry.trace import SpanKind

from services.monitoring.domain.rows import EPOCH
from services.monitoring.records import FIRST, Batch, Mark, take
from services.monitoring.store import ReadModel
from shared.clock import Runtime, stop_tasks
from shared.errors import PortError
from shared.messaging.port import Log, Position, Record
from shared.messaging.topics import TOPICS
from shared.telemetry.observability import count, logger
from shared.telemetry.tracing import joined

# A broker's clock and ours may differ by this much; docs/kernel.md, section 8.
SKEW_MS = 5_000
RETRY_SECONDS = 1.0
# A read model that cannot be written is tried again after 1 s, then twice as long each time, 16 s at most.
PATIENCE_DOUBLINGS = 4
Parts = dict[Position, list[Record]]
# So many at once make the pause after them twice as long.
RECORDS_DOUBLE = 10


@dataclass(frozen=True)
class Pace:
    """How the follower reads.

    `linger_seconds`: pause after each batch, so that a busy log costs few transactions; the more came, the longer,
    `longest_linger_seconds` at most. `idle_seconds`: how often the ends are asked for while nothing comes, which moves
    the watermark. `batch_records`: at most in one transaction.
    """

    linger_seconds: float = 0.2
    longest_linger_seconds: float = 1.5
    idle_seconds: float = 1.0
    batch_records: int = 5_000

    def after(self, records: int) -> float:
        """Seconds to pause after so many records since the last pause."""
        longer = self.linger_seconds * (1 + records / RECORDS_DOUBLE)
        return max(self.linger_seconds, min(longer, self.longest_linger_seconds))


class Follower:
    """Keeps one replica's read model up with the log."""

    def __init__(self, log: Log, model: ReadModel, runtime: Runtime, pace: Pace = Pace()) -> None:
        self.model = model
        self.topics = [*FIRST, *sorted(TOPICS.keys() - set(FIRST))]
        # Whoever holds it sees a model that no batch changes: a rebuild's last step, and the stop.
        self.standstill = asyncio.Lock()
        self._log = log
        self._runtime = runtime
        # Queries and a rebuild share the pool; many of them must not hold up what is known.
        self._in_thread = runtime.own_thread("follower")
        self._pace = pace
        self._tasks: list[asyncio.Task[Any]] = []
        self._ends_at_start: Mapping[Position, int] | None = None
        self._failures = 0
        self._came = 0

    def start(self) -> None:
        self._tasks = [self._runtime.spawn(self._follow(), "follower", lasting=True)]

    async def stop(self) -> None:
        """Ends between two batches; the model stays open."""
        async with self.standstill:
            await stop_tasks(self._tasks)
            self._tasks = []

    @property
    def ready(self) -> bool:
        """Whether the log's end, as asked for at start, has been reached, and the model can be written."""
        ends = self._ends_at_start
        if ends is None or self._failures:
            return False
        return all(self._at(position).next_offset >= end for position, end in ends.items())

    @property
    def watermark_ms(self) -> int:
        """As of an instant at or below it no answer changes any more: the least over all partitions."""
        positions = [(topic, number) for topic in self.topics for number in range(TOPICS[topic].partitions)]
        marks = (self._at(position) for position in positions)
        return max(min(max(mark.high_ms, mark.reached_ms - SKEW_MS) for mark in marks), 0)

    @property
    def watermark(self) -> datetime:
        """`watermark_ms` as an instant."""
        return EPOCH + timedelta(milliseconds=self.watermark_ms)

    @property
    def head_ms(self) -> int:
        """The first instant as of which everything counts that has been read by now."""
        return max((mark.high_ms for mark in self.model.marks.values()), default=0) + 1

    async def unread(self) -> int:
        """`lag` over all topics. Raises Unavailable."""
        return sum((await self.lag()).values())

    async def lag(self) -> Mapping[str, int]:
        """By topic, the records below the log's ends that the model does not hold yet. Raises Unavailable."""
        unread = dict.fromkeys(self.topics, 0)
        for position, end in (await self._log.ends(self.topics)).items():
            unread[position[0]] += max(end - self._at(position).next_offset, 0)
        return unread

    async def catch_up(self) -> None:
        """Reads to the ends as they are now. Raises Unavailable, and duckdb.Error where the model cannot be written."""
        async with self.standstill:
            await self.catch_up_at_standstill()

    async def catch_up_at_standstill(self) -> None:
        """`catch_up` for whoever holds `standstill`."""
        if self._ends_at_start is None:
            # Asked for apart: that asks for no room on a disk that may be full.
            self._ends_at_start = await self._log.ends(self.topics)
        asked_ms = round(self._runtime.now().timestamp() * 1000)
        ends = await self._log.final_ends(self.topics)
        # A clock that steps back meanwhile: the log took it for earlier than it was here before.
        asked_ms = min(asked_ms, round(self._runtime.now().timestamp() * 1000))
        while parts := await self._read(ends):
            self._came += sum(map(len, parts.values()))
            with joined("known", causes_of(parts), SpanKind.CONSUMER, service="monitoring"):
                await self._in_thread(partial(apply_records, self.model, parts, ends))
        for position in ends:
            mark = self._at(position)
            self.model.marks[position] = replace(mark, reached_ms=max(mark.reached_ms, asked_ms))

    async def _follow(self) -> None:
        while True:
            try:
                await self.catch_up()
                self._failures = 0
                ends = {position: mark.next_offset for position, mark in self.model.marks.items()}
                await self._log.wait(self.topics, ends, self._pace.idle_seconds)
                await self._runtime.sleep(self._pace.after(self._came))
                self._came = 0
            except PortError:
                await self._runtime.sleep(RETRY_SECONDS)
            except duckdb.Error as error:
                # Its transaction is undone, so the same records come again; a full disk heals by itself.
                count("read_model_failed")
                logger.error("read_model_failed", error=type(error).__name__)
                await self._in_thread(self.model.recover)
                await self._runtime.sleep(RETRY_SECONDS * 2 ** min(self._failures, PATIENCE_DOUBLINGS))
                self._failures += 1

    async def _read(self, ends: Mapping[Position, int]) -> Parts:
        """The next records of each partition that has some below its end, in the order of the topics; empty where there
        are none left."""
        parts: Parts = {}
        room = self._pace.batch_records
        order = {topic: place for place, topic in enumerate(self.topics)}
        for position, end in sorted(ends.items(), key=lambda one: (order[one[0][0]], one[0][1])):
            offset = self._at(position).next_offset
            if offset < end and room > 0:
                parts[position] = await self._log.read(*position, offset, room)
                room -= len(parts[position])
        return parts

    def _at(self, position: Position) -> Mark:
        return self.model.marks.get(position) or Mark()


def causes_of(parts: Parts) -> Iterator[str]:
    """The traceparent of each record that has one."""
    for records in parts.values():
        for record in records:
            yield from (raw.decode(errors="replace") for name, raw in record.headers if name == "traceparent")


def apply_records(model: ReadModel, parts: Parts, ends: Mapping[Position, int]) -> None:
    """Decodes and applies the records in one transaction; blocking, for a thread.

    A partition without records below its end has a gap there (compaction, a broker's own records) and is read on
    from its end.
    """
    batch = Batch()
    for position, records in parts.items():
        mark = replace(model.marks.get(position) or Mark())
        take(batch, records, mark)
        if not records:
            mark.next_offset = ends[position]
        batch.marks[position] = mark
    model.apply(batch)
