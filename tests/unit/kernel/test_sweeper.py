"""The sweeper: what is due fires once in effect; a slot is left at its first conflict; one bad case stops no other."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from typing import Any

import pytest

from shared.contracts.base import Event
from shared.contracts.registration.institutions import InstitutionRegistered
from shared.errors import Conflict, Unavailable, UnknownOutcome
from shared.identity.keys import Keys
from shared.messaging.relay import Relay
from shared.replica import Ports, Replica, shadows_collection
from shared.store.aggregates import Aggregate, Saved
from shared.store.guards import Guard
from shared.store.sweeper import Sweeper
from shared.telemetry.observability import counts, reset_counts
from tests.unit.kernel.case import GUARD, INSTITUTIONS, Activate, Case, Institution, Register, cause, evolve, timer
from tests.unit.kernel.test_guards import Seats

HOUR = timedelta(hours=1)


def timed(state: Institution | None, event: Event) -> Institution:
    """An institution that activates itself an hour after it was registered."""
    folded = evolve(state, event)
    if isinstance(event, InstitutionRegistered):
        return folded.model_copy(update={"closes_at": event.happened_at + HOUR})
    return folded.model_copy(update={"closes_at": None})


TIMED = Aggregate(INSTITUTIONS.collection, Institution, INSTITUTIONS.decide, timed, timer)


def replica_of(case: Case) -> Replica:
    ports = Ports(case.store, case.log, case.clock, Keys.in_memory(random.Random(1)))
    replica = Replica("registration", ports, [INSTITUTIONS.collection, GUARD], shadows_collection({}))
    replica.times(TIMED)
    return replica


def sweeper_of(case: Case, replica: Replica) -> Sweeper:
    return Sweeper(case.store, case.relay, case.clock, ["institutions"], replica._fires)


async def registered(case: Case, id: str = "i1", **changes: Any) -> Saved[Institution]:
    return await case.kernel.execute(TIMED, id, Register(), cause(f"r {id}", **changes))


async def test_a_programme_timer_fires_when_it_is_due_and_once() -> None:
    async with Case() as case:
        saved = await registered(case)
        assert saved.document["timed"]
        first, second = (sweeper_of(case, replica_of(case)) for _ in range(2))
        await first.sweep()
        assert await case.store.count("institutions", "timer", "timed") == 1
        case.clock.ahead = HOUR
        await first.sweep()
        await second.sweep()
        stored = await case.store.load("institutions", "i1")
        assert stored
        assert (stored["state"]["active"], stored["version"], stored["timed"]) == (True, 2, False)
        # What was registered is remembered; what a clock does is settled by the version and the state.
        assert len(stored["applied"]) == 1


async def test_two_replicas_that_fire_one_timer_at_once_apply_it_once() -> None:
    async with Case() as case:
        document = (await registered(case)).document
        case.clock.ahead = HOUR
        for replica in (replica_of(case), replica_of(case)):
            await replica._fires["institutions"](document)
        stored = await case.store.load("institutions", "i1")
        assert stored
        assert stored["version"] == 2


@pytest.mark.parametrize("landed", [True, False])
async def test_a_firing_whose_outcome_is_unknown_happens_once(landed: bool) -> None:
    async with Case() as case:
        document = (await registered(case)).document
        case.clock.ahead = HOUR
        save, failures = case.store.save, [UnknownOutcome("no answer")]

        async def unsure(collection: str, document: dict[str, Any], expected: int) -> None:
            if landed or not failures:
                await save(collection, document, expected)
            if failures:
                raise failures.pop()

        case.store.save = unsure  # type: ignore[method-assign]
        await replica_of(case)._fires["institutions"](document)
        stored = await case.store.load("institutions", "i1")
        assert stored
        assert (stored["state"]["active"], stored["version"], len(stored["outbox"])) == (True, 2, 2)


async def test_a_timer_that_another_command_has_overtaken_fires_nothing() -> None:
    async with Case() as case:
        document = (await registered(case)).document
        case.clock.ahead = HOUR
        await case.kernel.execute(TIMED, "i1", Activate(), cause("activated in time"))
        # A second activation would be refused, and a sweep that raises is counted as a failure.
        await replica_of(case)._fires["institutions"](document)
        stored = await case.store.load("institutions", "i1")
        assert stored
        assert stored["version"] == 2


async def test_what_was_over_when_it_was_recorded_fires_nothing_by_itself() -> None:
    async with Case() as case:
        then = case.clock.now() - timedelta(days=400)
        saved = await registered(case, happened_at=then, recorded_late=True)
        assert not saved.document["timed"]


async def test_what_is_recorded_late_and_lies_ahead_fires_when_it_is_due() -> None:
    async with Case() as case:
        then = case.clock.now() - timedelta(seconds=1)
        saved = await registered(case, happened_at=then, recorded_late=True)
        assert saved.document["timed"]
        case.clock.ahead = HOUR
        await sweeper_of(case, replica_of(case)).sweep()
        stored = await case.store.load("institutions", "i1")
        assert stored
        assert stored["state"]["active"]


async def test_a_slot_is_left_at_its_first_conflict_and_the_others_go_on() -> None:
    async with Case() as case:
        for n in range(30):
            await registered(case, f"i{n}")
        case.clock.ahead = HOUR
        tried: list[str] = []

        async def contended(document: dict[str, Any]) -> None:
            tried.append(document["slot"])
            raise Conflict

        await Sweeper(case.store, case.relay, case.clock, ["institutions"], {"institutions": contended}).sweep()
        assert len(tried) == len(set(tried)) > 1


async def test_one_bad_case_keeps_no_other_from_its_timer() -> None:
    async with Case() as case:
        reset_counts()
        for n in range(5):
            await registered(case, f"i{n}")
        case.clock.ahead = HOUR
        fire, done = replica_of(case)._fires["institutions"], []

        async def sometimes(document: dict[str, Any]) -> None:
            if document["_id"] == "i2":
                raise ZeroDivisionError
            await fire(document)
            done.append(document["_id"])

        await Sweeper(case.store, case.relay, case.clock, ["institutions"], {"institutions": sometimes}).sweep()
        assert sorted(done) == ["i0", "i1", "i3", "i4"]
        assert counts()["timer_failed"] == 1


async def test_a_store_that_is_away_ends_the_round() -> None:
    async with Case() as case:
        await registered(case)
        case.clock.ahead = HOUR

        async def away(_document: dict[str, Any]) -> None:
            raise Unavailable("store")

        with pytest.raises(Unavailable):
            await Sweeper(case.store, case.relay, case.clock, ["institutions"], {"institutions": away}).sweep()


async def test_an_unconfirmed_hold_is_settled_by_the_sweep() -> None:
    async with Case() as case:
        seats = Seats(case)
        guard: Guard = seats.guard
        await seats.guards.take(guard, "g", "t1", {})
        ports = Ports(case.store, case.log, case.clock, Keys.in_memory(random.Random(1)))
        replica = Replica("registration", ports, [INSTITUTIONS.collection, GUARD], shadows_collection({}))
        replica.times(guard=guard)
        sweeper = Sweeper(case.store, case.relay, case.clock, ["calendars"], replica._fires)
        await sweeper.sweep()
        assert await seats.status("t1") == "held"
        case.clock.ahead = timedelta(seconds=61)
        await sweeper.sweep()
        assert await seats.status("t1") == "released"
        assert seats.voided == ["t1"]


async def test_a_page_is_not_the_end_of_what_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Case() as case:
        monkeypatch.setattr("shared.store.sweeper.PAGE", 4)
        for n in range(11):
            await registered(case, f"i{n}")
        case.clock.ahead = HOUR
        await sweeper_of(case, replica_of(case)).sweep()
        active = [document["state"]["active"] async for document in case.store.scan("institutions")]
        assert active == [True] * 11


async def test_slots_are_fired_side_by_side_and_each_slot_in_turn() -> None:
    """What an overload or a stop has left drains as fast as it came, not one by one."""
    async with Case() as case:
        documents = [(await registered(case, f"i{n}")).document for n in range(40)]
        slots = {document["slot"] for document in documents}
        case.clock.ahead = HOUR
        gathered, under_way, fired = asyncio.Barrier(len(slots)), list[int](), list[str]()

        async def fire(document: dict[str, Any]) -> None:
            assert document["slot"] not in under_way
            if len(fired) < len(slots):
                fired.append(document["_id"])
                under_way.append(document["slot"])
                await gathered.wait()
                under_way.remove(document["slot"])
            else:
                fired.append(document["_id"])

        sweeper = Sweeper(case.store, case.relay, case.clock, ["institutions"], {"institutions": fire})
        await asyncio.wait_for(sweeper.sweep(), 10)
        assert sorted(fired) == sorted(document["_id"] for document in documents)


async def test_outboxes_that_a_stop_left_are_sent_side_by_side() -> None:
    async with Case() as case:
        documents = [(await registered(case, f"i{n}")).document for n in range(40)]
        slots = {document["slot"] for document in documents}
        case.clock.ahead = timedelta(seconds=3)
        append, gathered, sent = case.log.append_in_order, asyncio.Barrier(len(slots)), list[str]()

        async def together(batches: Any) -> None:
            sent.append(batches[0][2][0].key)
            if len(sent) <= len(slots):
                await gathered.wait()
            await append(batches)

        case.log.append_in_order = together  # type: ignore[method-assign]
        another = Relay(case.store, case.log, case.clock)
        await asyncio.wait_for(Sweeper(case.store, another, case.clock, ["institutions"], {}).sweep(), 10)
        assert sorted(sent) == sorted(document["_id"] for document in documents)
        assert await case.store.count("institutions", "outbox", "pending") == 0
