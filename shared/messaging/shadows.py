"""Consuming: one shadow a foreign subject, with what is known of it, the marks, and what is parked.

For an event, in this order: knowledge, effects, mark, position (docs/kernel.md, section 2). Effects are commands whose
ids follow from the event, so that a second delivery finds the first one's work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from opentelemetry.trace import SpanKind

from shared.clock import text_of
from shared.contracts.base import Envelope, Event
from shared.errors import Conflict, Overloaded, Unavailable, UnknownOutcome
from shared.messaging.handlers import Delivery, Handler, Handlers
from shared.messaging.heads import Heads
from shared.messaging.held import Held
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
    without_first,
)
from shared.messaging.topics import TOPICS
from shared.store.aggregates import Kernel, check_version
from shared.store.collection import Collection
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
            for attempt in range(TRIES_BEFORE_RAISE):
                try:
                    await self.deliver(*records)
                except (Unavailable, UnknownOutcome, Conflict):
                    await self._kernel.runtime.sleep(0.1 * 2**attempt)
                else:
                    return
            await self.deliver(*records)

    async def deliver(self, *records: Record) -> None:
        """Applies or parks a run of records, mostly of one subject; afterwards their positions may move.

        A subject's shadow is loaded once a run and saved when it has ended; what an effect needs to be known is saved
        before it. Where the run is cut off, its records come again: what was saved of it is counted and skipped, and
        effects that ran find their own work. Conflict: repeat.
        """
        held: Held | None = None
        for record in records:
            read = parse(record)
            subject = read[0].subject if isinstance(read, tuple) else read.subject
            if held is None or held.subject != subject:
                if held is not None:
                    await held.save()
                held = await self._hold(subject)
            await self._take(held, read, (record.topic, record.partition, record.offset))
        if held is not None:
            await held.save()

    async def _take(self, held: Held, read: tuple[Envelope, Event] | Unreadable, position: Position) -> None:
        shadow, envelope = held.shadow, envelope_of(read)
        if any(parked_at(entry) == position for entry in shadow["parked"]) or is_dropped(shadow, position):
            count("deduplicated")
        elif envelope is not None and is_below_mark(shadow, envelope, position[0]):
            # Counted and passed over; where it stands last on a compacted topic, that is noted.
            count("deduplicated")
            held.shadow = self._heads.noted(shadow, envelope, position)
        elif shadow["parked"]:
            if isinstance(read, tuple):
                await self._stop_ahead(held, *read)
            await self._park(held, position, "behind")
        elif isinstance(read, Unreadable):
            await self._park(held, position, read.reason)
        else:
            await self._apply_or_park(held, *read, position)

    async def _apply_or_park(self, held: Held, envelope: Envelope, event: Event, position: Position) -> None:
        try:
            await self._apply(held, envelope, event, position)
        except (Unavailable, UnknownOutcome, Conflict):
            raise
        except Exception as error:
            # The rule for every other failure: the record waits in its shadow, its partition goes on.
            if isinstance(error, GapFound):
                await self._stop_ahead(held, envelope, event)
            await self._park(held, position, reason_of(error))

    async def _stop_ahead(self, held: Held, envelope: Envelope, event: Event) -> None:
        """What stops people does not wait in the queue of its subject: guards close and cancel now.

        The mark stays where it is, and the event is parked: in its turn it is applied as a second delivery.
        """
        handler = self._handlers.get(type(event))
        if handler is None or not handler.stops:
            return
        try:
            knowledge = handler.known(held.shadow["knowledge"], event, envelope)
            if knowledge != held.shadow["knowledge"]:
                held.change(knowledge=knowledge)
            await held.before_effects()
            await handler.act(Delivery(envelope, event, knowledge))
            count("stopped_ahead")
        except (Unavailable, UnknownOutcome, Conflict):
            raise
        except Exception as error:
            # It waits for its turn like any other; somebody has to know that nothing was stopped until then.
            count("stop_failed")
            logger.error("stop_failed", subject=held.subject, topic=event.topic, error=type(error).__name__)

    async def _apply(
        self, held: Held, envelope: Envelope, event: Event, position: Position, *, forced: bool = False
    ) -> None:
        """Knowledge, effects, mark. Raises Conflict when another replica was faster."""
        if not forced and has_gap(held.shadow, envelope, position[0]):
            raise GapFound
        handler = self._handlers.get(type(event))
        if handler is None:
            self._mark(held, envelope, position)
            return
        names = {"service": self._kernel.service, "event": type(event).__name__, "topic": position[0]}
        with step("deliver", envelope.traceparent, SpanKind.CONSUMER, **names, id=envelope.id) as traceparent:
            # What follows from the event stands under this step of its trace.
            if traceparent != envelope.traceparent:
                envelope = replace(envelope, traceparent=traceparent)
            await self._handled(held, handler, envelope, event, position)

    async def _handled(
        self, held: Held, handler: Handler, envelope: Envelope, event: Event, position: Position
    ) -> None:
        knowledge = handler.known(held.shadow["knowledge"], event, envelope)
        delivery = Delivery(envelope, event, knowledge)
        if knowledge != held.shadow["knowledge"]:
            held.change(knowledge=knowledge)
        if handler.acts:
            if not handler.by_itself:
                await held.before_effects()
            await handler.act(delivery)
        if handler.wakes:
            held.wake(partial(handler.wakes, delivery))
        self._mark(held, envelope, position)

    def _mark(self, held: Held, envelope: Envelope, position: Position) -> None:
        parked = [entry for entry in held.shadow["parked"] if parked_at(entry) != position]
        marks = {**held.shadow["marks"], key_of(position[0]): [envelope.epoch, envelope.sequence]}
        held.change(marks=marks, parked=parked)
        held.shadow = self._heads.noted(held.shadow, envelope, position)

    async def _park(self, held: Held, position: Position, reason: str) -> None:
        if len(held.shadow["parked"]) >= PARKED_AT_MOST:
            # The partition stands until somebody has looked: a longer list would outgrow its document.
            count("parked_full")
            logger.error("parked_full", subject=held.subject, topic=position[0], offset=position[2])
            await held.save()
            raise Overloaded("parked records of a subject")
        count("parked")
        level = logger.info if reason.startswith(("too_early", "behind")) else logger.error
        level("parked", subject=held.subject, topic=position[0], offset=position[2], reason=reason)
        entry = {"topic": position[0], "partition": position[1], "offset": position[2], "reason": reason, "tries": 0}
        held.change(parked=[*held.shadow["parked"], entry])

    async def fire(self, subject: str) -> None:
        """The shadow's timer: what came too early is tried again, and heads are asked about. Raises Conflict."""
        await self.retry(subject)
        held = await self._hold(subject)
        if topics := self._heads.due(held.shadow):
            # Saved first: a command that fails is tried again later, and of two replicas only one goes on.
            held.shadow = self._heads.asked(held.shadow, topics)
            await held.save()
            await self._heads.mend(held.shadow, topics)

    async def retry(self, subject: str, *, forced: bool = False, expected: int | None = None) -> bool:
        """Applies what is parked for a subject, in order, until one has to wait; True when none is left.

        `forced` is the operator's `parked replay`: it also tries what waits for a person, and passes over a gap;
        `expected` is the version that the operator has seen. Raises PreconditionFailed.
        """
        held = await self._hold(subject)
        check_version(held.shadow, expected)
        while True:
            if not held.shadow["parked"]:
                return True
            first = held.shadow["parked"][0]
            if not forced and not first["reason"].startswith(("too_early", "behind")):
                return False
            try:
                applied = await self._retry_first(held, first, forced)
                await held.save()
                if not applied:
                    return False
            except Conflict:
                await self._kernel.runtime.sleep(self._kernel.runtime.rng.uniform(0, 0.01))
            held = await self._hold(subject)

    async def _retry_first(self, held: Held, first: dict[str, Any], forced: bool) -> bool:
        """Whether the first parked record is done with; the caller saves."""
        position, rest = parked_at(first), held.shadow["parked"][1:]
        records = await self._log.read(*position, limit=1)
        if not records or records[0].offset != position[2]:
            if not TOPICS[position[0]].compacted:
                # A topic that is kept for ever has lost it, or this read has: nothing else says what it said.
                count("record_missing")
                logger.error("record_missing", subject=held.subject, topic=position[0], offset=position[2])
                return _rewritten(held, first, "record_missing")
            # Compaction took the record: a later one of the subject says all that it said.
            held.change(parked=rest)
            return True
        read = parse(records[0])
        if isinstance(read, Unreadable):
            return _rewritten(held, first, read.reason)
        try:
            if is_below_mark(held.shadow, read[0], position[0]):
                held.change(parked=rest)
                held.shadow = self._heads.noted(held.shadow, read[0], position)
            else:
                await self._apply(held, *read, position, forced=forced)
        except (Unavailable, UnknownOutcome, Conflict):
            raise
        except Exception as error:
            return _rewritten(held, first, reason_of(error))
        return True

    async def _hold(self, subject: str) -> Held:
        shadow = await self._store.load(self._shadows.name, subject) or new_shadow(subject)
        return Held(shadow, self._store, self._shadows, self._kernel.runtime)

    async def drop(
        self, subject: str, position: Position, said: Mapping[str, str], expected: int | None = None
    ) -> None:
        """Gives up the subject's first parked record, which nobody can mend, and applies what waited behind it.

        `said`: who drops it and why, for the list of what was dropped. A repetition changes nothing. Raises Refusal
        where another record is the first one, PreconditionFailed, Overloaded where the list is full.
        """
        while True:
            held = await self._hold(subject)
            if is_dropped(held.shadow, position):
                break
            check_version(held.shadow, expected)
            check_first(held.shadow, position)
            records = await self._log.read(*position, limit=1)
            found = parse(records[0]) if records and records[0].offset == position[2] else None
            listed = {**said, "at": text_of(self._kernel.runtime.now())}
            held.shadow = without_first(held.shadow, envelope_of(found) if found else None, listed)
            try:
                await held.save()
            except Conflict:
                continue
            count("parked_dropped")
            logger.warning("parked_dropped", subject=subject, topic=position[0], offset=position[2])
        await self.retry(subject)


def _rewritten(held: Held, first: dict[str, Any], reason: str) -> bool:
    """The first parked record waits on, for that reason, once more tried."""
    entry = {**first, "reason": reason, "tries": first["tries"] + 1}
    held.change(parked=[entry, *held.shadow["parked"][1:]])
    return False
