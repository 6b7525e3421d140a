"""Listening: messages as they come, after all that came since the place that the reader names.

One task a replica reads what is new, for all its listeners. Whoever begins further back reads by themselves until they
have come to where that task is, and is told by it from there on: nothing between the two, and nothing twice.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any

from services.monitoring.domain.telling import EVERYTHING, Audience
from services.monitoring.feed.cursors import Positions
from services.monitoring.feed.pulling import IN_ONE_TURN, Message, Pulling
from services.monitoring.feed.walking import Walk
from shared.clock import Runtime, stop_tasks
from shared.errors import Overloaded, PortError
from shared.messaging.port import Record
from shared.telemetry.observability import count

# What waits for one listener at most: who reads more slowly than things happen asks again, from the last place.
WAITING_AT_MOST, WAITING_BYTES_AT_MOST = 1_000, 4_000_000
READ_AT_ONCE = 200
IDLE_SECONDS = 1.0
RETRY_SECONDS = 1.0


class Listener:
    """One reader's place, and what waits for them. `lost`: it was more than may wait, so nothing of it does."""

    def __init__(self, audience: Audience, positions: Positions) -> None:
        self.audience = audience
        self.positions = positions
        self.lost = False
        self.waiting: deque[tuple[Record, bytes]] = deque()
        self.came = asyncio.Event()
        self._bytes = 0

    def offer(self, record: Record, text: bytes) -> None:
        if self.lost or record.offset < self.positions[record.topic, record.partition]:
            return
        if len(self.waiting) >= WAITING_AT_MOST or self._bytes + len(text) > WAITING_BYTES_AT_MOST:
            self.lost, self._bytes = True, 0
            self.waiting.clear()
            count("feed_listener_lost")
        else:
            self._bytes += len(text)
            self.waiting.append((record, text))
        self.came.set()

    def take(self) -> Message:
        record, text = self.waiting.popleft()
        self._bytes -= len(text)
        self.positions[record.topic, record.partition] = record.offset + 1
        return Message(text, dict(self.positions))


class Tail:
    """The listeners of one replica; while there is none, nothing is read."""

    def __init__(self, pulling: Pulling, runtime: Runtime) -> None:
        self.ended = asyncio.Event()
        self._pulling = pulling
        self._runtime = runtime
        self._listeners: set[Listener] = set()
        # Those who still catch up among them.
        self._readers = 0
        self._walk: Walk | None = None
        self._tasks: list[asyncio.Task[Any]] = []

    @property
    def readers(self) -> int:
        return self._readers

    def end(self) -> None:
        """Nobody is told anything more; whoever listens sees `ended`."""
        self.ended.set()
        for one in self._listeners:
            one.came.set()

    async def stop(self) -> None:
        self.end()
        tasks, self._tasks = self._tasks, []
        await stop_tasks(tasks)

    async def messages(self, audience: Audience, positions: Positions) -> AsyncGenerator[Message | None]:
        """All from there on, without an end; None after `IDLE_SECONDS` in which there was none.

        It ends when everything does, and where the reader was too slow.
        """
        listener = Listener(audience, dict(positions))
        self._readers += 1
        try:
            async for one in self._catching_up(listener):
                yield one
            while not (self.ended.is_set() or listener.lost):
                if listener.waiting:
                    yield listener.take()
                    continue
                self._move_on(listener)
                listener.came.clear()
                try:
                    await asyncio.wait_for(listener.came.wait(), IDLE_SECONDS)
                except TimeoutError:
                    yield None
        finally:
            self._leave(listener)

    async def _catching_up(self, listener: Listener) -> AsyncGenerator[Message | None]:
        """Until the listener stands where the tail does, and listens to it."""
        while not self.ended.is_set():
            try:
                await self._begin()
                some = await self._pulling.some(listener.audience, listener.positions, READ_AT_ONCE)
            except (PortError, Overloaded):
                await self._runtime.sleep(RETRY_SECONDS)
                yield None
                continue
            for one in some.messages:
                yield one
            listener.positions = dict(some.positions)
            if some.whole and self._has_come(listener):
                self._listeners.add(listener)
                return
            if not some.messages:
                yield None

    def _has_come(self, listener: Listener) -> bool:
        """Nothing is awaited between this look and the listener's place among the others."""
        assert self._walk is not None  # noqa: S101
        tail = self._walk.positions
        return all(at >= tail.get(one, 0) for one, at in listener.positions.items())

    def _move_on(self, listener: Listener) -> None:
        """Past what was others': nothing waits, so all up to the tail's place was looked at."""
        assert self._walk is not None  # noqa: S101
        for one, at in self._walk.positions.items():
            if listener.positions.get(one, at) < at:
                listener.positions[one] = at

    async def _begin(self) -> None:
        if self._walk is None:
            ends = await self._pulling.log.ends(EVERYTHING.topics)
            self._walk = self._walk or Walk(self._pulling.log, ends, ends)
        if not self._tasks:
            self._tasks = [self._runtime.spawn(self._read(), "feed", lasting=True)]

    def _leave(self, listener: Listener) -> None:
        self._listeners.discard(listener)
        self._readers -= 1
        if not self._readers:
            # Whoever comes next begins where the log then ends.
            self._walk = None
            for task in self._tasks:
                task.cancel()
            self._tasks = []

    async def _read(self) -> None:
        log = self._pulling.log
        while (walk := self._walk) is not None:
            try:
                await log.wait(EVERYTHING.topics, walk.positions, IDLE_SECONDS)
                self._walk = walk = await Walk.to_the_end(log, EVERYTHING.topics, walk.positions)
                passed = 0
                while (record := await walk.next()) is not None:
                    self._tell(record)
                    passed += 1
                    if passed % IN_ONE_TURN == 0:
                        await self._runtime.sleep(0)
            except PortError:
                await self._runtime.sleep(RETRY_SECONDS)

    def _tell(self, record: Record) -> None:
        headers, text = record.named, None
        taken: dict[str, bool] = {}
        for one in self._listeners:
            name = one.audience.name
            if name not in taken:
                taken[name] = one.audience.takes(headers, record.value)
            if taken[name]:
                text = text or self._pulling.messages.text(record)
                if text is None:
                    return
                one.offer(record, text)
