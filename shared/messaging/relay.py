"""Sends outboxes to the log: whole, oldest first, by any replica, as often as it takes (docs/kernel.md, section 2)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from opentelemetry.trace import SpanKind

from shared.clock import Runtime, stop_tasks
from shared.errors import Unavailable, UnknownOutcome
from shared.messaging.port import Log, Message
from shared.store.port import Document, Store
from shared.telemetry.observability import count, logger
from shared.telemetry.tracing import joined

WAITING_AT_MOST = 10_000
WORKERS = 16


class Relay:
    """Sends at once what was just saved; what it misses, the sweeper brings again."""

    def __init__(self, store: Store, log: Log, runtime: Runtime, workers: int = WORKERS) -> None:
        self._store = store
        self._log = log
        self._runtime = runtime
        self._workers = workers
        self._waiting: dict[tuple[str, str], Document] = {}
        self._sending: set[tuple[str, str]] = set()
        # Every key that waits and is not being sent, once: each offer wakes one worker, not all of them.
        self._ready: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self._tasks: list[asyncio.Task[Any]] = []

    def start(self) -> None:
        self._tasks = [self._runtime.spawn(self._work(), f"relay-{n}", lasting=True) for n in range(self._workers)]

    async def stop(self) -> None:
        """Stops without draining: what is not sent stays in its outbox."""
        await stop_tasks(self._tasks)

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

    async def _work(self) -> None:
        while True:
            key = await self._ready.get()
            self._sending.add(key)
            try:
                await self.send(key[0], self._waiting.pop(key))
            except (Unavailable, UnknownOutcome) as error:
                # The outbox stands; the sweeper sends it when the log or the store is back.
                logger.warning("relay_failed", collection=key[0], id=key[1], error=type(error).__name__)
            except Exception as error:
                # One bad outbox must not keep this worker from all others.
                count("outbox_failed")
                logger.error("outbox_failed", collection=key[0], id=key[1], error=type(error).__name__)
            finally:
                self._sending.discard(key)
                if key in self._waiting:
                    self._ready.put_nowait(key)

    async def send(self, collection: str, document: Document) -> None:
        """Sends the outbox in order, one batch a partition after another, then empties it at that version.

        Raises Unavailable or UnknownOutcome at the first send that is not acknowledged; nothing after it is sent.
        """
        causes = (entry["headers"].get("traceparent") for entry in document["outbox"])
        with joined("send", causes, SpanKind.PRODUCER, collection=collection):
            for topic, partition, messages in self._batches(document):
                await self._log.append(topic, partition, messages)
                count("relayed", len(messages))
        await self._store.sent(collection, document["_id"], document["version"])

    def _batches(self, document: Document) -> Iterator[tuple[str, int, list[Message]]]:
        for topic, entries in groupby(document["outbox"], key=lambda entry: str(entry["topic"])):
            partition = self._log.partition_of(topic, document["_id"])
            yield topic, partition, [message_of(document["_id"], entry) for entry in entries]


def message_of(subject: str, entry: dict[str, Any]) -> Message:
    """The record of an outbox entry: exact value bytes, headers as they were at the save."""
    headers = tuple((name, text.encode()) for name, text in entry["headers"].items())
    return Message(subject, entry["value"].encode(), headers)
