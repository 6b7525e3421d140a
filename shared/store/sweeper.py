"""One sweeper a process: outboxes that were not sent, timers that are due (KERNEL section 5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, Protocol

from shared.clock import Runtime, stop_tasks, text_of
from shared.errors import Conflict, Unavailable, UnknownOutcome
from shared.observability import count, logger
from shared.store.port import OUTBOX_INDEX, TIMER_INDEX, Document, Store

INTERVAL_SECONDS = 1.0
OUTBOX_GRACE_SECONDS = 2.0
PAGE = 500

Fire = Callable[[Document], Awaitable[None]]


class Sender(Protocol):
    async def send(self, collection: str, document: Document) -> None: ...


class Sweeper:
    """Visits due documents slot by slot in random order and leaves a slot at its first version conflict.

    No lease: another replica's sweep of the same slot costs a conflict, never a wrong effect. `fires` says for
    each collection what a due timer does; firing is a command with a deterministic id, or settles holds.
    """

    def __init__(
        self, store: Store, sender: Sender, runtime: Runtime, collections: list[str], fires: Mapping[str, Fire]
    ) -> None:
        self._store = store
        self._sender = sender
        self._runtime = runtime
        self._collections = collections
        self._fires = fires
        self._tasks: list[asyncio.Task[Any]] = []

    def start(self) -> None:
        self._tasks = [self._runtime.spawn(self._run(), "sweeper", lasting=True)]

    async def stop(self) -> None:
        await stop_tasks(self._tasks)

    async def _run(self) -> None:
        while True:
            await self._runtime.sleep(INTERVAL_SECONDS * self._runtime.rng.uniform(0.5, 1.5))
            try:
                await self.sweep()
            except (Unavailable, UnknownOutcome) as error:
                logger.warning("sweep_interrupted", error=type(error).__name__)

    async def sweep(self) -> None:
        """One round over every collection. Raises Unavailable when the store does not answer."""
        for collection in self._collections:
            await self._send_outboxes(collection)
            if collection in self._fires:
                await self._fire_timers(collection, self._fires[collection])

    async def _send_outboxes(self, collection: str) -> None:
        # What was saved a moment ago is on its way already; sending it here too would only double it.
        until = text_of(self._runtime.now() - timedelta(seconds=OUTBOX_GRACE_SECONDS))
        async for document in self._by_slot(collection, OUTBOX_INDEX, "pending", until):
            try:
                await self._sender.send(collection, document)
            except (Unavailable, UnknownOutcome) as error:
                # The log is away for all of them: the next round tries again.
                logger.warning("outbox_waits", collection=collection, error=type(error).__name__)
                return
            except Exception as error:
                # One bad outbox must not keep the others from their topics; it stays and is counted.
                count("outbox_failed")
                logger.error("outbox_failed", collection=collection, id=document["_id"], error=type(error).__name__)

    async def _fire_timers(self, collection: str, fire: Fire) -> None:
        until = text_of(self._runtime.now())
        left: set[int] = set()
        async for document in self._by_slot(collection, TIMER_INDEX, "timed", until):
            if document["slot"] in left:
                continue
            try:
                await fire(document)
            except Conflict:
                left.add(document["slot"])
            except (Unavailable, UnknownOutcome):
                raise
            except Exception as error:
                # One bad case must not keep the others from their timers; it stays due and is counted.
                count("timer_failed")
                logger.error("timer_failed", collection=collection, id=document["_id"], error=type(error).__name__)

    async def _by_slot(self, collection: str, index: str, equals: str, until: str) -> AsyncIterator[Document]:
        """Due documents, page by page; within a page the slots in random order."""
        after: str | None = None
        while True:
            page = await self._store.find(collection, index, equals, after=after, until=until, limit=PAGE)
            slots: dict[int, list[Document]] = {}
            for document in page:
                slots.setdefault(document["slot"], []).append(document)
            order = list(slots)
            self._runtime.rng.shuffle(order)
            for slot in order:
                for document in slots[slot]:
                    yield document
            if len(page) < PAGE:
                return
            after = page[-1]["ix"][index]["o"]
