"""What a bare loop does with a recorded run: the same calls on the same adapters, with nothing between them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from shared.clock import RealRuntime, stop_tasks
from shared.store.collection import Collection
from tests.bench.recording import Adapters, Call, Calls

# Outboxes that are sent side by side.
WORKERS = 16
# The document, by collection, id and version, whose outbox the calls empty.
Sends = Mapping[tuple[str, str, int], tuple[Call, ...]]


def sends_of(calls: Calls) -> Sends:
    """The calls of each relay worker, parted at `sent`."""
    sends: dict[tuple[str, str, int], tuple[Call, ...]] = {}
    for task, made in calls.by_task.items():
        chunk: list[Call] = []
        for call in made if task.startswith("relay-") else ():
            chunk.append(call)
            if call.kind == "sent":
                sends[(call.collection, call.id, call.version)] = tuple(chunk)
                chunk = []
    return sends


def side_by_side(calls: Iterable[Call]) -> Iterator[list[Call]]:
    """The calls in their order, those in one list that were under way together."""
    group: list[Call] = []
    for call in calls:
        if group and call.began > max(one.ended for one in group):
            yield group
            group = []
        group.append(call)
    if group:
        yield group


def saves_of(calls: Iterable[Call]) -> tuple[Call, ...]:
    return tuple(call for call in calls if call.kind == "save")


class Replaying:
    """A store, a log and the relay's workers as a plain queue."""

    def __init__(self, adapters: Adapters, number: int, collections: Sequence[Collection], sends: Sends) -> None:
        self.runtime = RealRuntime()
        # The recording adapters with recording off: both sides pay for the same wrapper.
        self.store = adapters.store(number, collections, self.runtime, Calls())
        self.log = adapters.log(number, self.runtime, Calls())
        self.sends = sends
        self._to_send: asyncio.Queue[tuple[Call, ...]] = asyncio.Queue()
        self._workers: list[asyncio.Task[Any]] = []

    async def start(self) -> None:
        await self.log.start()
        await self.store.start()
        self._workers = [asyncio.ensure_future(self._send()) for _ in range(WORKERS)]

    async def stop(self) -> None:
        await stop_tasks(self._workers)
        await self.log.stop()
        await self.store.stop()
        self.runtime.close()

    async def repeat(self, calls: Iterable[Call]) -> None:
        """Loads, searches and saves as they were made; what a save left in an outbox is handed to the workers."""
        for group in side_by_side(calls):
            if len(group) == 1:
                await self._make(group[0])
            else:
                await asyncio.gather(*map(self._make, group))

    async def _make(self, call: Call) -> None:
        if call.kind == "load":
            await self.store.load(call.collection, call.id)
        elif call.kind == "find":
            index, equals, how = call.arguments
            await self.store.find(call.collection, index, equals, **how)
        elif call.document is not None:
            await self.store.save(call.collection, call.document, call.version)
            send = self.sends.get((call.collection, call.id, call.document["version"]))
            if send:
                self._to_send.put_nowait(send)

    async def _send(self) -> None:
        while True:
            for call in await self._to_send.get():
                if call.kind == "log":
                    await self.log.append_in_order(*call.arguments)
                else:
                    await self.store.sent(call.collection, call.id, call.version)
