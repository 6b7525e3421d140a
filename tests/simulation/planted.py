"""Planted bugs: each leaves out one rule of the kernel, and a named invariant has to go red.

A harness that cannot go red proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from unittest import mock

from services.registration.work.erasing import Erasing
from shared.audit.trail import Trail
from shared.clock import derived_id
from shared.errors import PortError
from shared.messaging.handlers import Delivery, Handler
from shared.messaging.heads import Heads
from shared.messaging.held import Held
from shared.messaging.relay import Relay
from shared.messaging.shadow import has_gap, key_of, scheduled
from shared.messaging.shadows import Consumer
from shared.store.aggregates import Cause
from shared.store.documents import new_document
from shared.store.guards import Guards
from shared.store.port import Document, Store
from tests.simulation.world import StoreWrapper

# Of one document's events on a topic: far more than any history has.
ENOUGH = 60


def unwrapped(store: Store) -> Store:
    return store


@dataclass(frozen=True)
class Bug:
    """What is wrong, the invariants of which at least one must turn red, and in which scenario."""

    name: str
    caught_by: frozenset[str]
    plant: Callable[[], Any] | None = None
    wrap_store: StoreWrapper = unwrapped
    scenario: str = "whole history"


def mark_before_effects() -> Any:
    """The shadow's mark is saved before the effects: a crash between the two loses them."""

    async def apply(self: Any, held: Held, envelope: Any, event: Any, position: Any, *, forced: bool = False) -> None:
        if not forced and has_gap(held.shadow, envelope, position[0]):
            raise ValueError("gap")
        handler = self._handlers.get(type(event), Handler())
        knowledge = handler.known(held.shadow["knowledge"], event, envelope)
        held.change(knowledge=knowledge)
        self._mark(held, envelope, position)
        await held.save()
        await handler.act(Delivery(envelope, event, knowledge))

    return mock.patch.object(Consumer, "_apply", apply)


def outbox_emptied_before_send() -> Any:
    """The outbox is emptied before the log has acknowledged: a crash between the two loses events."""
    send = Relay.send

    async def send_afterwards(self: Any, collection: str, document: Document) -> None:
        await self._store.sent(collection, document["_id"], document["version"])
        await send(self, collection, document)

    return mock.patch.object(Relay, "send", send_afterwards)


def calendar_hold_skipped() -> Any:
    """A placement is opened without asking the calendar."""
    take = Guards.take

    async def take_others(self: Any, guard: Any, guard_id: str, target_id: str, claim: Any, **known: Any) -> Document:
        if guard.collection.name == "calendars":
            return new_document(guard_id)
        return await take(self, guard, guard_id, target_id, claim, **known)

    return mock.patch.object(Guards, "take", take_others)


class CarelessStore:
    """A store whose save overwrites whatever version stands."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def save(self, collection: str, document: Document, expected_version: int) -> None:
        del expected_version
        standing = await self._store.load(collection, document["_id"])
        before = int(standing["version"]) if standing else 0
        await self._store.save(collection, {**document, "version": max(document["version"], before + 1)}, before)


def a_reissue_for_each_stale_record() -> Any:
    """Whoever reads an old record says the current one again at once; each moves the version, and feeds the next."""
    takes = Consumer._take

    def goes_on(document: Document) -> bool:
        # It has no end of its own, and takes minutes of processor time to 40,000.
        return all(head["count"] < ENOUGH for head in document["emitted"].values())

    async def reissue(self: Any, held: Held, read: Any, position: Any) -> None:
        await takes(self, held, read, position)
        envelope, mark = read[0], held.shadow["marks"].get(key_of(position[0]), [0, 0])
        if [envelope.epoch, envelope.sequence] < mark and (said := self._heads._reissues.get(position[0])):
            cause = Cause(derived_id(*map(str, position)))
            await self._kernel.fire(said.aggregate, held.subject, said.command, cause, goes_on)

    return mock.patch.object(Consumer, "_take", reissue)


def outbox_not_empty_so_forget() -> Any:
    """What is on its way anyway is taken for what will follow the old record; a zombie's append may lie behind it."""

    async def forget(self: Any, shadow: Document, topics: list[str]) -> None:
        for topic in topics:
            said = self._reissues[topic]
            document = await self._kernel.store.load(said.aggregate.name, shadow["_id"])
            if document["outbox"]:
                head = {**shadow["heads"][key_of(topic)], "last": shadow["marks"][key_of(topic)], "ask_at": None}
                forgotten = {**shadow, "heads": {key_of(topic): head}, "version": shadow["version"] + 1}
                settled = scheduled(forgotten, self._kernel.runtime.now())
                await self._kernel.store.save("shadows", settled, shadow["version"])
                return
        await mends(self, shadow, topics)

    mends = Heads.mend
    return mock.patch.object(Heads, "mend", forget)


def the_stop_moves_the_mark() -> Any:
    """What was heard ahead of its turn counts as applied, and whatever waits before it as well."""
    stops = Consumer._stop_ahead

    async def stop(self: Any, held: Held, envelope: Any, event: Any) -> None:
        await stops(self, held, envelope, event)
        if self._handlers.get(type(event), Handler()).stops:
            held.change(marks={**held.shadow["marks"], key_of(event.topic): [envelope.epoch, envelope.sequence]})

    return mock.patch.object(Consumer, "_stop_ahead", stop)


def the_stop_waits_for_its_turn() -> Any:
    """A withdrawal behind a record that nobody mends is not heard."""

    async def stop(_self: Any, _held: Held, _envelope: Any, _event: Any) -> None:
        return None

    return mock.patch.object(Consumer, "_stop_ahead", stop)


def the_key_alone_is_destroyed() -> Any:
    """An erasure that leaves whatever no key opens: numbers, cases, and what others know of the person."""

    async def finish(self: Any, person_id: str) -> None:
        await self._keys.destroy(person_id)

    return mock.patch.object(Erasing, "_finish", finish)


def shown_before_it_is_written_down() -> Any:
    """What is read is answered while its entry is still on its way: a crash between the two loses the entry."""
    write = Trail.write

    async def write_later(self: Any, reading: Any) -> None:
        async def later() -> None:
            await self._runtime.sleep(6.0)
            with suppress(PortError):
                await write(self, reading)

        self._runtime.spawn(later(), "entry")

    return mock.patch.object(Trail, "write", write_later)


BUGS = {
    bug.name: bug
    for bug in (
        Bug("mark before the effects", frozenset({"I10"}), mark_before_effects),
        Bug("missing version check", frozenset({"I1", "I5", "I8", "I10", "fold"}), wrap_store=CarelessStore),
        Bug("outbox emptied before the send", frozenset({"I8"}), outbox_emptied_before_send),
        Bug("calendar hold skipped", frozenset({"I5"}), calendar_hold_skipped),
        Bug(
            "a reissue for each stale record",
            frozenset({"I8", "I12"}),
            a_reissue_for_each_stale_record,
            scenario="stale heads",
        ),
        Bug("the stop moves the mark", frozenset({"I10"}), the_stop_moves_the_mark, scenario="dead letters"),
        Bug("the stop waits for its turn", frozenset({"I12"}), the_stop_waits_for_its_turn, scenario="dead letters"),
        Bug("the key alone is destroyed", frozenset({"I12"}), the_key_alone_is_destroyed),
        Bug("shown before it is written down", frozenset({"I13"}), shown_before_it_is_written_down),
        Bug("outbox not empty, so forget", frozenset({"I8"}), outbox_not_empty_so_forget, scenario="stale heads"),
    )
}


@contextmanager
def planted(bug: Bug | None) -> Iterator[StoreWrapper]:
    """Plants the bug for the time of one schedule; gives what the world wraps its stores in."""
    if bug is None:
        yield unwrapped
    elif bug.plant is None:
        yield bug.wrap_store
    else:
        with bug.plant():
            yield bug.wrap_store
