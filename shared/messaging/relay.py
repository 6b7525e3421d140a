"""Sends outboxes to the log: whole, oldest first, by any replica, as often as it takes (docs/kernel.md, section 2)."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from opentelemetry.trace import SpanKind

from shared.clock import Runtime, stop_tasks
from shared.errors import Unavailable, UnknownOutcome
from shared.messaging.port import Batch, Log, Message
from shared.store.port import Document, Store
from shared.telemetry.observability import count, logger
from shared.telemetry.tracing import joined

WAITING_AT_MOST = 10_000
# Sends side by side: of a partition whose leader is away so many wait before the others do.
AT_ONCE = 64
# Under load outboxes are sent in rounds, which share their commits; the first after a pause goes at once.
ROUND_SECONDS = 0.02
ACKNOWLEDGED_AT_MOST = 20_000

Key = tuple[str, str]
# For each topic, (epoch, sequence) of the last event that the log acknowledged to this process.
Acknowledged = Mapping[str, tuple[int, int]]


class Relay:
    """Sends soon what was just saved; what it misses, the sweeper brings again."""

    def __init__(self, store: Store, log: Log, runtime: Runtime, at_once: int = AT_ONCE) -> None:
        self._store = store
        self._log = log
        self._runtime = runtime
        self._waiting: dict[Key, Document] = {}
        self._sending: set[Key] = set()
        # Every key that waits and is not being sent, once.
        self._ready: asyncio.Queue[Key] = asyncio.Queue()
        self._acknowledged: OrderedDict[Key, Acknowledged] = OrderedDict()
        self._places = asyncio.Semaphore(at_once)
        self._sends: set[asyncio.Task[None]] = set()
        self._tasks: list[asyncio.Task[Any]] = []

    def start(self) -> None:
        self._tasks = [self._runtime.spawn(self._work(), "relay", lasting=True)]

    async def stop(self) -> None:
        """Stops without draining: what is not sent stays in its outbox."""
        await stop_tasks([*self._tasks, *self._sends])

    def offer(self, collection: str, document: Document) -> None:
        """Takes the document to be sent soon. A full queue drops it: the sweeper finds its outbox."""
        key = (collection, document["_id"])
        if key in self._waiting:
            self._waiting[key] = document
        elif len(self._waiting) < WAITING_AT_MOST:
            self._waiting[key] = document
            # Two sends of one outbox side by side would only make duplicates.
            if key not in self._sending:
                self._ready.put_nowait(key)

    def has(self, collection: str, id: str) -> bool:
        """Whether this relay is sending the document's outbox, or is about to."""
        return (collection, id) in self._waiting or (collection, id) in self._sending

    async def _work(self) -> None:
        began = -ROUND_SECONDS
        while True:
            key = await self._ready.get()
            if (early := began + ROUND_SECONDS - self._runtime.monotonic()) > 0:
                await self._runtime.sleep(early)
            began = self._runtime.monotonic()
            await self._begin(key)
            while not self._ready.empty():
                await self._begin(self._ready.get_nowait())

    async def _begin(self, key: Key) -> None:
        await self._places.acquire()
        self._sending.add(key)
        send = self._runtime.spawn(self._send_offered(key, self._waiting.pop(key)), f"relay-{key[0]}-{key[1]}")
        self._sends.add(send)
        send.add_done_callback(self._sends.discard)

    async def _send_offered(self, key: Key, document: Document) -> None:
        try:
            await self.send(key[0], document)
        except (Unavailable, UnknownOutcome) as error:
            # The outbox stands; the sweeper sends it when the log or the store is back.
            logger.warning("relay_failed", collection=key[0], id=key[1], error=type(error).__name__)
        except Exception as error:
            # One bad outbox must not keep the others from their topics.
            count("outbox_failed")
            logger.error("outbox_failed", collection=key[0], id=key[1], error=type(error).__name__)
        finally:
            self._places.release()
            self._sending.discard(key)
            if key in self._waiting:
                self._ready.put_nowait(key)

    async def send(self, collection: str, document: Document) -> None:
        """Sends the outbox in order, one batch a partition after another, then empties it at that version.

        What the log has acknowledged to this relay before is left out: it is durable, and its outbox is only not
        emptied yet. Raises Unavailable or UnknownOutcome at the first send that is not acknowledged; nothing after it
        is sent.
        """
        key = (collection, document["_id"])
        known = self._acknowledged.get(key, {})
        entries = [entry for entry in document["outbox"] if _order(entry) > known.get(entry["topic"], (0, 0))]
        if entries:
            causes = (entry["headers"].get("traceparent") for entry in entries)
            with joined("send", causes, SpanKind.PRODUCER, collection=collection):
                await self._log.append_in_order(self._batches(document["_id"], entries))
                count("relayed", len(entries))
            self._note(key, entries)
        await self._store.sent(collection, document["_id"], document["version"])

    def _note(self, key: Key, entries: Sequence[Mapping[str, Any]]) -> None:
        known = dict(self._acknowledged.pop(key, {}))
        for entry in entries:
            known[entry["topic"]] = max(known.get(entry["topic"], (0, 0)), _order(entry))
        self._acknowledged[key] = known
        if len(self._acknowledged) > ACKNOWLEDGED_AT_MOST:
            self._acknowledged.popitem(last=False)

    def _batches(self, subject: str, entries: Iterable[dict[str, Any]]) -> list[Batch]:
        return [
            (topic, self._log.partition_of(topic, subject), [message_of(subject, entry) for entry in grouped])
            for topic, grouped in groupby(entries, key=lambda entry: str(entry["topic"]))
        ]


def _order(entry: Mapping[str, Any]) -> tuple[int, int]:
    """Epoch and sequence of an outbox entry's event."""
    return int(entry["headers"]["ce_epoch"]), int(entry["headers"]["ce_sequence"])


def message_of(subject: str, entry: Mapping[str, Any]) -> Message:
    """The record of an outbox entry: exact value bytes, headers as they were at the save."""
    headers = tuple([(name, text.encode()) for name, text in entry["headers"].items()])
    return Message(subject, entry["value"].encode(), headers)
