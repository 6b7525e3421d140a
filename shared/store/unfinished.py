"""What the sweeper has before it, for whoever watches a service: outboxes, due timers, holds that nobody confirmed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from shared.clock import instant_of, text_of
from shared.store.guards import HOLD_SECONDS
from shared.store.port import OUTBOX_INDEX, TIMER_INDEX, Document, Store

# Counting reads the documents, so it stops where the answer is "far too many" anyway.
DUE_AT_MOST = 500


async def oldest_outbox_seconds(store: Store, collections: Iterable[str], now: datetime) -> float:
    """Seconds since the oldest unsent event was recorded, over these collections; 0.0 where everything was sent."""
    oldest = 0.0
    for name in collections:
        for document in await store.find(name, OUTBOX_INDEX, "pending", limit=1):
            for entry in document["outbox"][:1]:
                headers = entry["headers"]
                recorded = instant_of(headers.get("ce_recordedtime") or headers["ce_time"])
                oldest = max(oldest, (now - recorded).total_seconds())
    return oldest


async def due_timers(store: Store, collections: Iterable[str], now: datetime) -> int:
    """Timers whose time has come and that nobody fired yet, at most 500 a collection."""
    return len(await _timed(store, collections, now))


async def unconfirmed_holds(store: Store, guards: Iterable[str], now: datetime) -> int:
    """Holds that their command or their timer has yet to settle, over 500 guards of a collection at most.

    The timer of each is due 60 s after it was taken, so none of them is later than that.
    """
    timed = await _timed(store, guards, now + timedelta(seconds=HOLD_SECONDS))
    return sum(hold["status"] == "held" for document in timed for hold in document["holds"].values())


async def _timed(store: Store, collections: Iterable[str], until: datetime) -> list[Document]:
    """The documents whose timers are due by then, at most 500 a collection."""
    found: list[Document] = []
    for name in collections:
        found += await store.find(name, TIMER_INDEX, "timed", until=text_of(until), limit=DUE_AT_MOST)
    return found
