"""Promises over several documents: what a guard answered once stays its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.cases.holds import Usage
from shared.errors import Refusal
from shared.store.guards import Guard, Guards, Holds
from shared.store.port import Document
from tests.unit.kernel.case import GUARD, INSTITUTIONS, Activate, Case, Register, cause


class Seats:
    """A guard with one seat whose targets are institutions: active means used, `closed` means spent."""

    def __init__(self, case: Case, seats: int = 1) -> None:
        self.case = case
        self.voided: list[str] = []
        self.guards = Guards(case.kernel)
        self.guard = Guard(GUARD, "institutions", self.admit, self.usage, self.void)
        self.seats = seats

    def admit(self, _document: Document, holds: Holds, _claim: Mapping[str, Any]) -> None:
        if len(holds) >= self.seats:
            raise Refusal("no_seat")

    @staticmethod
    def usage(document: Document | None) -> Usage:
        if document and document["private"].get("void"):
            return "spent"
        return "used" if document and document["state"]["active"] else "pending"

    async def void(self, _guard_id: str, target: str, _claim: Mapping[str, Any]) -> None:
        self.voided.append(target)
        await self.case.kernel.execute(
            INSTITUTIONS, target, Register(), cause(f"void {target}"), private={"void": True}
        )

    async def status(self, target: str) -> str:
        document = await self.case.store.load("calendars", "g")
        assert document
        return str(document["holds"][target]["status"])


async def use(case: Case, target: str) -> None:
    await case.kernel.execute(INSTITUTIONS, target, Register(), cause(f"r {target}"))
    await case.kernel.execute(INSTITUTIONS, target, Activate(), cause(f"a {target}"))


async def test_a_used_hold_is_confirmed_and_loses_its_timer() -> None:
    async with Case() as case:
        seats = Seats(case)
        await seats.guards.take(seats.guard, "g", "t1", {})
        held = await case.store.load("calendars", "g")
        assert held
        assert held["timed"]
        await use(case, "t1")
        await seats.guards.settle(seats.guard, "g", "t1")
        assert await seats.status("t1") == "confirmed"
        confirmed = await case.store.load("calendars", "g")
        assert confirmed
        assert not confirmed["timed"]


async def test_of_many_at_once_one_gets_the_seat_and_each_keeps_its_answer() -> None:
    async with Case() as case:
        seats = Seats(case)

        async def answers() -> list[str]:
            takes = [seats.guards.take(seats.guard, "g", f"t{n}", {}) for n in range(12)]
            taken = await asyncio.gather(*takes, return_exceptions=True)
            return [repr(one) if isinstance(one, BaseException) else "held" for one in taken]

        first = await answers()
        assert first.count("held") == 1
        assert await answers() == first


async def test_a_hold_whose_time_is_over_voids_its_target_before_it_is_released() -> None:
    async with Case() as case:
        seats = Seats(case)
        await seats.guards.take(seats.guard, "g", "t1", {})
        document = await case.store.load("calendars", "g")
        assert document
        await seats.guards.settle_due(seats.guard, document)
        assert seats.voided == []
        case.clock.ahead = timedelta(seconds=61)
        await seats.guards.settle_due(seats.guard, document)
        assert seats.voided == ["t1"]
        assert await seats.status("t1") == "released"
        await seats.guards.take(seats.guard, "g", "t2", {})


async def test_a_hold_outlives_a_stop_of_the_whole_service_by_as_long_as_it_lasts() -> None:
    async with Case() as case:
        seats = Seats(case)
        await seats.guards.take(seats.guard, "g", "t1", {})
        await seats.guards.take(Seats(case, 2).guard, "g", "t2", {})
        case.clock.ahead = timedelta(minutes=10)
        restarted = Seats(case, 2)
        document = await case.store.load("calendars", "g")
        assert document
        await restarted.guards.settle_due(restarted.guard, document)
        assert (await restarted.status("t1"), await restarted.status("t2")) == ("held", "held")
        # What was cut off comes again, and is not too late; the other one never does.
        await use(case, "t1")
        await restarted.guards.settle(restarted.guard, "g", "t1")
        case.clock.ahead += timedelta(seconds=61)
        await restarted.guards.settle_due(restarted.guard, document)
        assert (await restarted.status("t1"), await restarted.status("t2")) == ("confirmed", "released")
        assert restarted.voided == ["t2"]


async def test_a_sleeper_cannot_take_what_was_given_back() -> None:
    async with Case() as case:
        seats = Seats(case)
        await seats.guards.take(seats.guard, "g", "t1", {})
        case.clock.ahead = timedelta(seconds=61)
        await seats.guards.settle(seats.guard, "g", "t1")
        with pytest.raises(Refusal, match="hold_released"):
            await seats.guards.take(seats.guard, "g", "t1", {})
        with pytest.raises(Refusal, match=r"illegal_transition|already_registered"):
            await use(case, "t1")


async def test_a_refusal_stays_even_when_the_seat_became_free() -> None:
    async with Case() as case:
        seats = Seats(case)
        await seats.guards.take(seats.guard, "g", "t1", {})
        with pytest.raises(Refusal, match="no_seat"):
            await seats.guards.take(seats.guard, "g", "t2", {})
        case.clock.ahead = timedelta(seconds=61)
        await seats.guards.settle(seats.guard, "g", "t1")
        with pytest.raises(Refusal, match="no_seat"):
            await seats.guards.take(seats.guard, "g", "t2", {})


async def test_a_pending_hold_is_never_released_before_its_time() -> None:
    async with Case() as case:
        seats = Seats(case)
        await seats.guards.take(seats.guard, "g", "t1", {})
        await seats.guards.settle(seats.guard, "g", "t1")
        assert await seats.status("t1") == "held"


async def test_a_closed_guard_refuses_and_names_what_stands() -> None:
    async with Case() as case:
        seats = Seats(case, seats=5)
        await seats.guards.take(seats.guard, "g", "t1", {})
        assert await seats.guards.close(seats.guard, "g", "consent_withdrawn") == ["t1"]
        with pytest.raises(Refusal, match="consent_withdrawn"):
            await seats.guards.take(seats.guard, "g", "t2", {})
        await seats.guards.reopen(seats.guard, "g")
        await seats.guards.take(seats.guard, "g", "t3", {})


async def test_a_claim_is_extended_only_where_it_can_be_held() -> None:
    async with Case() as case:
        seats = Seats(case)
        await seats.guards.take(seats.guard, "g", "t1", {"ends_on": "2026-02-01"})
        await seats.guards.extend(seats.guard, "g", "t1", {"ends_on": "2026-03-01"})
        document = await case.store.load("calendars", "g")
        assert document
        assert document["holds"]["t1"]["claim"] == {"ends_on": "2026-03-01"}
        seats.seats = 0
        with pytest.raises(Refusal, match="no_seat"):
            await seats.guards.extend(seats.guard, "g", "t1", {"ends_on": "2026-04-01"})
        with pytest.raises(Refusal, match="hold_missing"):
            await seats.guards.extend(seats.guard, "g", "t9", {})


@pytest.mark.parametrize("known", ["none", "before"])
async def test_a_guard_that_the_caller_knew_may_be_out_of_date(known: str) -> None:
    async with Case() as case:
        seats = Seats(case, seats=2)
        first = await seats.guards.take(seats.guard, "g", "t1", {}, known=None)
        stale = None if known == "none" else first
        await seats.guards.take(seats.guard, "g", "t2", {})
        with pytest.raises(Refusal, match="no_seat"):
            await seats.guards.take(seats.guard, "g", "t3", {}, known=stale)
        again = await seats.guards.take(seats.guard, "g", "t1", {}, known=stale)
        assert again["holds"]["t1"]["status"] == "held"
        assert [await seats.status(target) for target in ("t1", "t2", "t3")] == ["held", "held", "refused"]


async def test_a_decision_moves_a_hold_in_one_save_once_whatever_the_guard_answered_before() -> None:
    async with Case() as case:
        seats = Seats(case)
        await use(case, "t1")
        await seats.guards.take(seats.guard, "g", "t1", {"of": "t1"})
        await seats.guards.settle(seats.guard, "g", "t1")
        with pytest.raises(Refusal, match="no_seat"):
            await seats.guards.take(seats.guard, "g", "t2", {})
        before = (await case.store.load("calendars", "g") or {})["version"]
        await seats.guards.move(seats.guard, "g", "t1", "t2", "decision")
        assert (await case.store.load("calendars", "g") or {})["version"] == before + 1
        assert [await seats.status(one) for one in ("t1", "t2")] == ["released", "confirmed"]
        # What held it is told so, and what the decision says once more moves nothing, also after it moved back.
        with pytest.raises(Refusal, match="hold_released"):
            await seats.guards.take(seats.guard, "g", "t1", {})
        await seats.guards.take(seats.guard, "g", "t2", {})
        await seats.guards.move(seats.guard, "g", "t2", "t1", "another")
        await seats.guards.move(seats.guard, "g", "t1", "t2", "decision")
        assert [await seats.status(one) for one in ("t1", "t2")] == ["confirmed", "released"]
        with pytest.raises(Refusal, match="hold_missing"):
            await seats.guards.move(seats.guard, "g", "t2", "t3", "third")


async def test_a_guard_that_forgets_names_no_spent_target_whoever_slept_meanwhile() -> None:
    """A hold that is taken once more after it was forgotten goes by its timer, and leaves no name behind."""
    async with Case() as case:
        seats = Seats(case)
        seats.guard = replace(seats.guard, forgets=True)
        await seats.guards.take(seats.guard, "g", "t1", {})
        await seats.void("g", "t1", {})
        await seats.guards.forget(seats.guard, "g", "t1")
        await seats.guards.forget(seats.guard, "g", "t1")
        await seats.guards.take(seats.guard, "g", "t1", {})
        await seats.guards.settle(seats.guard, "g", "t1")
        guard = await case.store.load("calendars", "g")
        assert guard
        assert guard["holds"] == {}
        await seats.guards.take(seats.guard, "g", "t2", {})
