"""Writes an audit trail: an entry is durable before what it is about is answered (decision 0045).

Each process writes into segments of its own, so none waits for another. What is asked for while a write is under way
goes into the next one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any

from shared.audit.chain import (
    ENTRIES_AT_MOST,
    Anchor,
    Reading,
    beginning,
    chained,
    checked,
    document_of,
    entry_id,
    entry_of,
)
from shared.audit.segments import READINGS, SEGMENT, SEGMENTS, is_idle
from shared.clock import Runtime, derived_id, stop_tasks
from shared.errors import Conflict, Overloaded, PortError, Refusal, Unavailable, UnknownOutcome
from shared.identity.keys import Keys
from shared.store.aggregates import Cause, Kernel
from shared.store.paging import every
from shared.store.port import Document
from shared.telemetry.observability import count, logger

ANCHOR_EVERY_SECONDS = 60.0
# What a stop takes at most for it, of the few seconds that it has.
HEARD_SECONDS = 1.0
WRITTEN_AT_ONCE = 64
WAITING_AT_MOST = 1_000


@dataclass
class _Writing:
    """The segment that this process writes into: its last entry's number and link."""

    segment: str
    number: int
    link: str


class Trail:
    """One process's part in the trail of its service, and its look at how far all the segments have come."""

    def __init__(self, kernel: Kernel, keys: Keys, runtime: Runtime) -> None:
        self._kernel = kernel
        self._store = kernel.store
        self._keys = keys
        self._runtime = runtime
        self._service = kernel.service
        self._into: _Writing | None = None
        self._waiting: deque[tuple[Reading, asyncio.Future[None]]] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._anchoring: list[asyncio.Task[Any]] = []

    def start(self) -> None:
        # Made before it is needed, so that whoever verifies a trail finds a key also where nothing was read yet.
        self._key()
        self._anchoring = [self._runtime.spawn(self._run(), "audit-heads", lasting=True)]

    async def stop(self) -> None:
        """Anchors what was written, where that can be done now."""
        await stop_tasks([*self._anchoring, *([self._writer] if self._writer else [])])
        try:
            await self.anchor()
            await self._heads_heard()
        except PortError as error:
            logger.warning("audit_head_waits", error=type(error).__name__)

    async def _heads_heard(self) -> None:
        """Returns when the heads of open segments are on the log, or soon: the next start sends what is left."""
        until = self._runtime.monotonic() + HEARD_SECONDS
        while self._runtime.monotonic() < until:
            if not any([one["outbox"] async for one in every(self._store, SEGMENTS.name, "status", "open")]):
                return
            await self._runtime.sleep(0.02)

    async def write(self, reading: Reading) -> None:
        """Returns when the entry is durable. Raises Unavailable or Overloaded: then nothing may be shown."""
        if len(self._waiting) >= WAITING_AT_MOST:
            raise Overloaded("audit entries")
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((reading, written))
        if self._writer is None:
            self._writer = self._runtime.spawn(self._write_all(), "audit-entries")
        await written

    async def _write_all(self) -> None:
        taken: list[tuple[Reading, asyncio.Future[None]]] = []
        try:
            while self._waiting:
                taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), WRITTEN_AT_ONCE))]
                error = await self._written([reading for reading, _ in taken])
                for _, waiter in taken:
                    _settle(waiter, error)
        finally:
            self._writer = None
            for _, waiter in (*taken, *self._waiting):
                _settle(waiter, Unavailable("the audit trail stops"))
            self._waiting.clear()

    async def _written(self, readings: list[Reading]) -> Exception | None:
        """None where all of them are durable. A segment in which that is not known is left for good."""
        try:
            into = await self._segment_for(len(readings))
            entries = chained(self._key(), into.segment, into.number, into.link, readings)
            self._into = None
            answers = await self._store.append(READINGS.name, [READINGS.indexed(document_of(one)) for one in entries])
        except (PortError, Refusal, Overloaded) as error:
            count("audit_entries_failed")
            logger.warning("audit_entries_failed", error=type(error).__name__)
            return Unavailable("the audit trail cannot be written")
        if "existed" in answers:
            return Unavailable("the audit trail has another entry there")
        self._into = _Writing(into.segment, entries[-1].number, entries[-1].link)
        return None

    async def _segment_for(self, entries: int) -> _Writing:
        into = self._into
        if into is not None and into.number + entries <= ENTRIES_AT_MOST:
            return into
        segment = derived_id("audit segment", self._runtime.new_id())
        cause = Cause(derived_id(segment, "open"))
        await self._kernel.execute(SEGMENTS, segment, SEGMENT.ask("open"), cause)
        return _Writing(segment, 0, beginning(self._key(), segment))

    async def _run(self) -> None:
        while True:
            await self._runtime.sleep(ANCHOR_EVERY_SECONDS * self._runtime.rng.uniform(0.5, 1.0))
            try:
                await self.anchor()
            except (PortError, Overloaded) as error:
                logger.warning("audit_head_waits", error=type(error).__name__)

    async def anchor(self) -> None:
        """Says of every open segment, whichever process wrote it, how far it has come. Raises PortError."""
        async for document in every(self._store, SEGMENTS.name, "status", "open"):
            await self._anchor(document)

    async def _anchor(self, document: Document) -> None:
        segment, state = str(document["_id"]), SEGMENTS.state.model_validate(document["state"])
        known = Anchor(state.count, state.link) if state.count else Anchor(0, beginning(self._key(), segment))
        behind = entry_id(segment, known.count)
        stored = await self._store.find(READINGS.name, "segment", segment, after=behind, limit=ENTRIES_AT_MOST)
        key = self._key()
        found = await self._runtime.in_pool(
            lambda: checked(key, segment, {one["_id"]: entry_of(one) for one in stored}, after=known)
        )
        for finding in found.findings:
            count("audit_trail_broken")
            logger.error("audit_trail_broken", segment=segment, kind=finding.kind, number=finding.number)
        if found.whole > known.count:
            head = SEGMENT.ask("anchor", count=found.whole, link=found.link)
            await self._say(segment, head, f"anchor {found.whole}")
        elif known.count == ENTRIES_AT_MOST or is_idle(state, self._runtime.now()):
            await self._say(segment, SEGMENT.ask("close"), "close")

    async def _say(self, segment: str, command: Any, step: str) -> None:
        try:
            await self._kernel.execute(SEGMENTS, segment, command, Cause(derived_id(segment, step)))
        except (Refusal, Conflict, UnknownOutcome):
            # Another replica was there first, or the next look finds what came of it.
            count("audit_head_left")

    def _key(self) -> bytes:
        return self._keys.audit_key(self._service)


def _settle(waiter: asyncio.Future[None], error: Exception | None) -> None:
    if waiter.done():
        return
    if error is None:
        waiter.set_result(None)
    else:
        waiter.set_exception(error)
