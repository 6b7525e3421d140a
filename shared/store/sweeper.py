"""One sweeper a process: outboxes that were not sent, timers that are due (docs/kernel.md, section 5)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from itertools import count as count_from_zero
from typing import Any, Protocol

from shared.clock import Runtime, stop_tasks, text_of, together
from shared.errors import Conflict, Unavailable, UnknownOutcome
from shared.store.port import OUTBOX_INDEX, TIMER_INDEX, Document, Store
from shared.telemetry.observability import count, logger

INTERVAL_SECONDS = 1.0
OUTBOX_GRACE_SECONDS = 2.0
OUTBOXES_EVERY = 2
PAGE = 500

Fire = Callable[[Document], Awaitable[None]]


class Sender(Protocol):
    def has(self, collection: str, id: str) -> bool: ...

    async def send(self, collection: str, document: Document) -> None: ...


class Sweeper:
    """Visits due documents slot by slot and leaves a slot at its first version conflict; slots go side by side.

    No lease: another replica's sweep of the same slot costs a conflict, never a wrong effect. `outboxes`: the
    collections whose documents emit. `fires` says for each collection what a due timer does; firing is a command
    that the document's version and state settle, or settles holds.
    """

    def __init__(
        self, store: Store, sender: Sender, runtime: Runtime, outboxes: Sequence[str], fires: Mapping[str, Fire]
    ) -> None:
        self._store = store
        self._sender = sender
        self._runtime = runtime
        self._outboxes = outboxes
        self._fires = fires
        self._tasks: list[asyncio.Task[Any]] = []

    def start(self) -> None:
        if self._outboxes or self._fires:
            self._tasks = [self._runtime.spawn(self._run(), "sweeper", lasting=True)]

    async def stop(self) -> None:
        await stop_tasks(self._tasks)

    async def _run(self) -> None:
        for number in count_from_zero():
            await self._runtime.sleep(INTERVAL_SECONDS * self._runtime.rng.uniform(0.5, 1.5))
            try:
                # The relay sends at once, and what it missed waits for its grace anyway.
                if number % OUTBOXES_EVERY == 0:
                    await self._sweep_outboxes()
                await self._sweep_timers()
            except (Unavailable, UnknownOutcome) as error:
                logger.warning("sweep_interrupted", error=type(error).__name__)

    async def sweep(self) -> None:
        """One round over every collection. Raises Unavailable when the store does not answer."""
        await self._sweep_outboxes()
        await self._sweep_timers()

    async def _sweep_outboxes(self) -> None:
        # What was saved a moment ago is on its way already; sending it here too would only double it.
        until = text_of(self._runtime.now() - timedelta(seconds=OUTBOX_GRACE_SECONDS))
        for collection in await self._store.holding(self._outboxes, OUTBOX_INDEX, "pending", until=until):
            await self._send_outboxes(collection, until)

    async def _sweep_timers(self) -> None:
        until = text_of(self._runtime.now())
        for collection in await self._store.holding([*self._fires], TIMER_INDEX, "timed", until=until):
            await self._fire_timers(collection, self._fires[collection], until)

    async def _send_outboxes(self, collection: str, until: str) -> None:
        page: Sequence[Document] | None = None
        while page := await self._next_page(collection, OUTBOX_INDEX, "pending", until, page):
            # A log that is away is away for all of them: the next round tries again.
            if not all(await together(*(self._send_slot(collection, slot) for slot in self._slots(page)))):
                return

    async def _send_slot(self, collection: str, slot: Sequence[Document]) -> bool:
        """Whether the log took what it was given."""
        for document in slot:
            # Under load an outbox waits for its turn here: two sends of it would only make duplicates.
            if self._sender.has(collection, document["_id"]):
                continue
            try:
                await self._sender.send(collection, document)
            except (Unavailable, UnknownOutcome) as error:
                logger.warning("outbox_waits", collection=collection, error=type(error).__name__)
                return False
            except Exception as error:
                # One bad outbox must not keep the others from their topics; it stays and is counted.
                count("outbox_failed")
                logger.error("outbox_failed", collection=collection, id=document["_id"], error=type(error).__name__)
        return True

    async def _fire_timers(self, collection: str, fire: Fire, until: str) -> None:
        left: set[int] = set()
        page: Sequence[Document] | None = None
        while page := await self._next_page(collection, TIMER_INDEX, "timed", until, page):
            await together(*(self._fire_slot(collection, fire, slot, left) for slot in self._slots(page)))

    async def _fire_slot(self, collection: str, fire: Fire, slot: Sequence[Document], left: set[int]) -> None:
        """Fires one after the other until the first conflict, and notes the slot as left there."""
        for document in slot:
            if document["slot"] in left:
                return
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

    async def _next_page(
        self, collection: str, index: str, equals: str, until: str, page: Sequence[Document] | None
    ) -> Sequence[Document]:
        """The due documents after those of `page` (None: the first); empty where there are no more."""
        if page is not None and len(page) < PAGE:
            return ()
        after = page[-1]["ix"][index]["o"] if page else None
        return await self._store.find(collection, index, equals, after=after, until=until, limit=PAGE)

    def _slots(self, page: Sequence[Document]) -> list[list[Document]]:
        """The documents of each slot; the slots in random order."""
        slots: dict[int, list[Document]] = {}
        for document in page:
            slots.setdefault(document["slot"], []).append(document)
        found = list(slots.values())
        self._runtime.rng.shuffle(found)
        return found
