"""Consuming: one shadow a foreign subject, with what is known of it, the marks, and what is parked.

For an event, in this order: knowledge, effects, mark, position (docs/kernel.md, section 2). Effects are commands whose
ids follow from the event, so that a second delivery finds the first one's work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from opentelemetry.trace import SpanKind

from shared.clock import text_of
from shared.contracts.base import Envelope, Event
from shared.errors import Conflict, Overloaded, Unavailable, UnknownOutcome
from shared.messaging.handlers import Delivery, Handler, Handlers
from shared.messaging.heads import Heads
from shared.messaging.port import Log, Record
from shared.messaging.reading import Unreadable, envelope_of, parse
from shared.messaging.shadow import (
    GapFound,
    Position,
    check_first,
    has_gap,
    is_below_mark,
    is_dropped,
    key_of,
    new_shadow,
    parked_at,
    reason_of,
    scheduled,
    without_first,
)
from shared.messaging.topics import TOPICS
from shared.store.aggregates import UNREAD, Kernel
from shared.store.collection import Collection
from shared.store.port import Document
from shared.telemetry.observability import count, logger
from shared.telemetry.tracing import step

PARKED_AT_MOST = 1_000
LANES = 32
TRIES_BEFORE_RAISE = 4


class Consumer:
    """Delivers records to handlers through shadows; one a replica, for the service's group."""

    def __init__(self, kernel: Kernel, log: Log, handlers: Handlers, shadows: Collection) -> None:
        self._kernel = kernel
        self._store = kernel.store
        self._log = log
        self._handlers = handlers
        self._shadows = shadows
        self._heads = Heads(kernel, {event.topic: one.reissue for event, one in handlers.items() if one.reissue})
        self._lanes = asyncio.Semaphore(LANES)

    @property
    def topics(self) -> list[str]:
        """Every topic that carries a type which is handled here."""
        return sorted({event.topic for event in self._handlers})

    @property
    def handled(self) -> tuple[type[Event], ...]:
        """The types that are handled here, in the order of the table."""
        return tuple(self._handlers)

    async def batch(self, records: list[Record]) -> None:
        """Delivers a batch: each subject's records in order, different subjects side by side.

        Raises only when the store or the log stays away; then the whole batch comes again.
        """
        lanes: dict[Any, list[Record]] = {}
        for record in records:
            # By subject over all topics: two lanes of one subject would meet in its shadow, conflict and wait.
            lanes.setdefault(record.key or (record.topic, record.partition, record.offset), []).append(record)
        if len(lanes) == 1:
            # Most batches of a quiet log; a task of its own would cost as much as the work.
            await self._lane(records)
            return
        results = await asyncio.gather(*(self._lane(lane) for lane in lanes.values()), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _lane(self, records: list[Record]) -> None:
        async with self._lanes:
            shadow = UNREAD
            for record in records:
                shadow = await self._deliver_patiently(record, shadow)

    async def _deliver_patiently(self, record: Record, known: Document) -> Document:
        for attempt in range(TRIES_BEFORE_RAISE):
            try:
                return await self.deliver(record, known)
            except (Unavailable, UnknownOutcome, Conflict):
                known = UNREAD
                await self._kernel.runtime.sleep(0.1 * 2**attempt)
        return await self.deliver(record)

    async def deliver(self, record: Record, known: Document = UNREAD) -> Document:
        """Applies or parks one record; afterwards its position may move. Conflict: load again and repeat.

        `known`: a shadow that the caller has just saved; where it is the record's, no load is needed, and the next
        save names its version. Gives the shadow that a record was applied to, as saved; UNREAD for any other.
        """
        read = parse(record)
        envelope = envelope_of(read)
        subject = read[0].subject if isinstance(read, tuple) else read.subject
        shadow = known if known.get("_id") == subject else await self._load(subject)
        position = (record.topic, record.partition, record.offset)
        if any(parked_at(entry) == position for entry in shadow["parked"]) or is_dropped(shadow, position):
            count("deduplicated")
        elif envelope is not None and is_below_mark(shadow, envelope, record.topic):
            await self._pass_over(shadow, envelope, position)
        elif shadow["parked"]:
            if isinstance(read, tuple):
                shadow = await self._stop_ahead(shadow, *read)
            await self._park(shadow, position, "behind")
        else:
            return await self._apply_or_park(shadow, read, position)
        return UNREAD

    async def _pass_over(self, shadow: Document, envelope: Envelope, position: Position) -> None:
        """Counts what was applied before; where it stands last on a compacted topic, that is noted."""
        count("deduplicated")
        noted = self._heads.noted(shadow, envelope, position)
        if noted is not shadow:
            await self._save_timed(noted)

    async def _apply_or_park(
        self, shadow: Document, read: tuple[Envelope, Event] | Unreadable, position: Position
    ) -> Document:
        if isinstance(read, Unreadable):
            await self._park(shadow, position, read.reason)
            return UNREAD
        try:
            return await self._apply(shadow, *read, position)
        except (Unavailable, UnknownOutcome, Conflict):
            raise
        except Exception as error:
            # The rule for every other failure: the record waits in its shadow, its partition goes on.
            fresh = await self._load(shadow["_id"])
            if fresh["parked"] or is_dropped(fresh, position) or is_below_mark(fresh, read[0], position[0]):
                # Another replica was here meanwhile: what has been parked or dropped is not parked again.
                raise Conflict from error
            if isinstance(error, GapFound):
                fresh = await self._stop_ahead(fresh, *read)
            await self._park(fresh, position, reason_of(error))
            return UNREAD

    async def _stop_ahead(self, shadow: Document, envelope: Envelope, event: Event) -> Document:
        """What stops people does not wait in the queue of its subject: guards close and cancel now.

        The mark stays where it is, and the event is parked: in its turn it is applied as a second delivery. Gives the
        shadow as saved.
        """
        handler = self._handlers.get(type(event))
        if handler is None or not handler.stops:
            return shadow
        try:
            knowledge = handler.known(shadow["knowledge"], event, envelope)
            if knowledge != shadow["knowledge"]:
                shadow = await self._save({**shadow, "knowledge": knowledge})
            await handler.act(Delivery(envelope, event, knowledge))
            count("stopped_ahead")
        except (Unavailable, UnknownOutcome, Conflict):
            raise
        except Exception as error:
            # It waits for its turn like any other; somebody has to know that nothing was stopped until then.
            count("stop_failed")
            logger.error("stop_failed", subject=shadow["_id"], topic=event.topic, error=type(error).__name__)
            return await self._load(shadow["_id"])
        return shadow

    async def _apply(
        self, shadow: Document, envelope: Envelope, event: Event, position: Position, *, forced: bool = False
    ) -> Document:
        """Knowledge, effects, mark; gives the shadow as saved. Raises Conflict when another replica was faster."""
        if not forced and has_gap(shadow, envelope, position[0]):
            raise GapFound
        handler = self._handlers.get(type(event))
        if handler is None:
            return await self._mark(shadow, envelope, position)
        names = {"service": self._kernel.service, "event": type(event).__name__, "topic": position[0]}
        with step("deliver", envelope.traceparent, SpanKind.CONSUMER, **names, id=envelope.id) as traceparent:
            # What follows from the event stands under this step of its trace.
            if traceparent != envelope.traceparent:
                envelope = replace(envelope, traceparent=traceparent)
            return await self._handled(handler, shadow, envelope, event, position)

    async def _handled(
        self, handler: Handler, shadow: Document, envelope: Envelope, event: Event, position: Position
    ) -> Document:
        knowledge = handler.known(shadow["knowledge"], event, envelope)
        if handler.acts:
            if knowledge != shadow["knowledge"]:
                shadow = await self._save({**shadow, "knowledge": knowledge})
            await handler.act(Delivery(envelope, event, knowledge))
        return await self._mark({**shadow, "knowledge": knowledge}, envelope, position)

    async def _mark(self, shadow: Document, envelope: Envelope, position: Position) -> Document:
        marks = {**shadow["marks"], key_of(position[0]): [envelope.epoch, envelope.sequence]}
        parked = [entry for entry in shadow["parked"] if parked_at(entry) != position]
        marked = {**shadow, "marks": marks, "parked": parked}
        return await self._save_timed(self._heads.noted(marked, envelope, position))

    async def _park(self, shadow: Document, position: Position, reason: str) -> None:
        if len(shadow["parked"]) >= PARKED_AT_MOST:
            # The partition stands until somebody has looked: a longer list would outgrow its document.
            count("parked_full")
            logger.error("parked_full", subject=shadow["_id"], topic=position[0], offset=position[2])
            raise Overloaded("parked records of a subject")
        count("parked")
        level = logger.info if reason.startswith(("too_early", "behind")) else logger.error
        level("parked", subject=shadow["_id"], topic=position[0], offset=position[2], reason=reason)
        entry = {"topic": position[0], "partition": position[1], "offset": position[2], "reason": reason, "tries": 0}
        await self._save_timed({**shadow, "parked": [*shadow["parked"], entry]})

    async def fire(self, subject: str) -> None:
        """The shadow's timer: what came too early is tried again, and heads are asked about. Raises Conflict."""
        await self.retry(subject)
        shadow = await self._load(subject)
        if topics := self._heads.due(shadow):
            # Saved first: a command that fails is tried again later, and of two replicas only one goes on.
            shadow = await self._save_timed(self._heads.asked(shadow, topics))
            await self._heads.mend(shadow, topics)

    async def retry(self, subject: str, *, forced: bool = False) -> bool:
        """Applies what is parked for a subject, in order, until one has to wait; True when none is left.

        `forced` is the operator's `parked replay`: it also tries what waits for a person, and passes over a gap.
        """
        while True:
            shadow = await self._load(subject)
            if not shadow["parked"]:
                return True
            first = shadow["parked"][0]
            if not forced and not first["reason"].startswith(("too_early", "behind")):
                return False
            try:
                if not await self._retry_first(shadow, first, forced):
                    return False
            except Conflict:
                await self._kernel.runtime.sleep(self._kernel.runtime.rng.uniform(0, 0.01))

    async def _retry_first(self, shadow: Document, first: dict[str, Any], forced: bool) -> bool:
        position = parked_at(first)
        records = await self._log.read(*position, limit=1)
        if not records or records[0].offset != position[2]:
            if not TOPICS[position[0]].compacted:
                # A topic that is kept for ever has lost it, or this read has: nothing else says what it said.
                count("record_missing")
                logger.error("record_missing", subject=shadow["_id"], topic=position[0], offset=position[2])
                return await self._rewrite(shadow, first, "record_missing")
            # Compaction took the record: a later one of the subject says all that it said.
            await self._save_timed({**shadow, "parked": shadow["parked"][1:]})
            return True
        read = parse(records[0])
        if isinstance(read, Unreadable):
            return await self._rewrite(shadow, first, read.reason)
        try:
            if is_below_mark(shadow, read[0], position[0]):
                dropped = {**shadow, "parked": shadow["parked"][1:]}
                await self._save_timed(self._heads.noted(dropped, read[0], position))
            else:
                await self._apply(shadow, *read, position, forced=forced)
        except (Unavailable, UnknownOutcome, Conflict):
            raise
        except Exception as error:
            fresh = await self._load(shadow["_id"])
            if not fresh["parked"] or parked_at(fresh["parked"][0]) != position:
                raise Conflict from error
            return await self._rewrite(fresh, first, reason_of(error))
        return True

    async def _rewrite(self, shadow: Document, first: dict[str, Any], reason: str) -> bool:
        entry = {**first, "reason": reason, "tries": first["tries"] + 1}
        await self._save_timed({**shadow, "parked": [entry, *shadow["parked"][1:]]})
        return False

    async def drop(self, subject: str, position: Position, said: Mapping[str, str]) -> None:
        """Gives up the subject's first parked record, which nobody can mend, and applies what waited behind it.

        `said`: who drops it and why, for the list of what was dropped. A repetition changes nothing. Raises Refusal
        where another record is the first one, Overloaded where the list is full.
        """
        while True:
            shadow = await self._load(subject)
            if is_dropped(shadow, position):
                break
            check_first(shadow, position)
            records = await self._log.read(*position, limit=1)
            found = parse(records[0]) if records and records[0].offset == position[2] else None
            listed = {**said, "at": text_of(self._kernel.runtime.now())}
            try:
                await self._save_timed(without_first(shadow, envelope_of(found) if found else None, listed))
            except Conflict:
                continue
            count("parked_dropped")
            logger.warning("parked_dropped", subject=subject, topic=position[0], offset=position[2])
        await self.retry(subject)

    async def _load(self, subject: str) -> Document:
        return await self._store.load(self._shadows.name, subject) or new_shadow(subject)

    async def _save_timed(self, shadow: Document) -> Document:
        return await self._save(scheduled(shadow, self._kernel.runtime.now()))

    async def _save(self, shadow: Document) -> Document:
        saved = self._shadows.indexed({**shadow, "version": shadow["version"] + 1})
        await self._store.save(self._shadows.name, saved, shadow["version"])
        return saved
