"""Saving a command: once, at one version, with everything in one write."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.clock import instant_of, text_of
from shared.contracts.base import Event
from shared.contracts.registration.institutions import InstitutionActivated, InstitutionRegistered
from shared.errors import CommandReused, Conflict, Overloaded, PreconditionFailed, Refusal, UnknownOutcome
from shared.store import aggregates, streams
from shared.store.streams import chained
from shared.store.unfinished import oldest_outbox_seconds
from tests.unit.kernel.case import INSTITUTIONS, Activate, Case, Register, cause


async def test_one_save_writes_state_outbox_and_memory() -> None:
    async with Case() as case:
        saved = await case.kernel.execute(INSTITUTIONS, "i1", Register(), cause("a"), private={"name": "sealed"})
        stored = await case.store.load("institutions", "i1")
        assert stored == saved.document
        assert stored["version"] == 1
        assert stored["state"] == {"office": "NL", "active": False}
        assert stored["private"] == {"name": "sealed"}
        [entry] = stored["outbox"]
        assert stored["pending"]
        assert entry["headers"]["ce_subject"] == "i1"
        assert entry["headers"]["ce_sequence"] == "0000000001"
        assert "sealed" not in json.dumps(stored["outbox"])


async def test_a_known_command_is_answered_with_todays_state() -> None:
    async with Case() as case:
        await case.kernel.execute(INSTITUTIONS, "i1", Register(), cause("a"))
        await case.kernel.execute(INSTITUTIONS, "i1", Activate(), cause("b"))
        again = await case.kernel.execute(INSTITUTIONS, "i1", Register(), cause("a"), expected_version=1)
        assert again.repeated
        assert again.state.active
        assert again.version == 2


async def test_another_digest_under_a_known_id_is_refused() -> None:
    async with Case() as case:
        await case.kernel.execute(INSTITUTIONS, "i1", Register(), cause("a"))
        with pytest.raises(CommandReused):
            await case.kernel.execute(INSTITUTIONS, "i1", Register(), cause("a", digest="other"))


async def test_a_refusal_is_not_remembered_and_writes_nothing() -> None:
    async with Case() as case:
        await case.kernel.execute(INSTITUTIONS, "i1", Register(), cause("a"))
        await case.kernel.execute(INSTITUTIONS, "i1", Activate(), cause("b"))
        with pytest.raises(Refusal, match="illegal_transition"):
            await case.kernel.execute(INSTITUTIONS, "i1", Activate(), cause("c"))
        stored = await case.store.load("institutions", "i1")
        assert stored
        assert stored["version"] == 2
        assert len(stored["applied"]) == 2


async def test_a_stale_expected_version_is_refused() -> None:
    async with Case() as case:
        await case.kernel.execute(INSTITUTIONS, "i1", Register(), cause("a"))
        with pytest.raises(PreconditionFailed):
            await case.kernel.execute(INSTITUTIONS, "i1", Activate(), cause("b"), expected_version=7)


async def test_of_many_at_once_one_registers() -> None:
    async with Case() as case:
        tries = [case.kernel.execute(INSTITUTIONS, "i1", Register(), cause(f"c{n}")) for n in range(20)]
        results = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(not isinstance(result, BaseException) for result in results) == 1
        assert all(isinstance(r, Refusal) for r in results if isinstance(r, BaseException))


@pytest.mark.parametrize("landed", [True, False])
async def test_an_unknown_outcome_is_settled_by_loading_again(landed: bool) -> None:
    async with Case() as case:
        save, calls = case.store.save, []

        async def unsure(collection: str, document: dict[str, object], expected: int) -> None:
            calls.append(expected)
            if len(calls) > 1:
                return await save(collection, document, expected)
            if landed:
                await save(collection, document, expected)
            raise UnknownOutcome("timeout")

        case.store.save = unsure  # type: ignore[method-assign]
        saved = await case.kernel.execute(INSTITUTIONS, "i1", Register(), cause("a"))
        assert saved.version == 1
        assert saved.repeated is landed
        assert len(calls) == (1 if landed else 2)


async def test_count_and_chain_follow_from_the_outbox() -> None:
    async with Case() as case:
        await case.kernel.execute(INSTITUTIONS, "i1", Register(), cause("a"))
        saved = await case.kernel.execute(INSTITUTIONS, "i1", Activate(), cause("b"))
        chain = ""
        for entry in saved.document["outbox"]:
            chain = chained(chain, entry["headers"]["ce_id"], entry["value"])
        head = saved.document["emitted"]["institutions"]
        assert (head["count"], head["chain"]) == (2, chain)


async def test_a_new_epoch_notes_where_it_began_and_the_sequence_goes_on() -> None:
    async with Case() as case:
        first = await case.kernel.execute(INSTITUTIONS, "i1", Register(), cause("a"))
        case.kernel.epoch = 2
        saved = await case.kernel.execute(INSTITUTIONS, "i1", Activate(), cause("b"))
        head = saved.document["emitted"]["institutions"]
        before = first.document["emitted"]["institutions"]
        assert head["began"] == [[1, 0, ""], [2, 1, before["chain"]]]
        last = saved.document["outbox"][-1]["headers"]
        assert (last["ce_epoch"], last["ce_sequence"]) == ("2", "0000000002")


async def test_what_is_recorded_late_never_precedes_the_last_fact_of_the_case() -> None:
    async with Case() as case:
        now = case.clock.now()
        late = {"recorded_late": True}
        await case.kernel.execute(
            INSTITUTIONS, "i1", Register(), cause("a", happened_at=now - timedelta(days=9), **late)
        )
        with pytest.raises(Refusal, match="happened_before_last") as refused:
            await case.kernel.execute(
                INSTITUTIONS, "i1", Activate(), cause("b", happened_at=now - timedelta(days=10), **late)
            )
        (problem,) = refused.value.problems
        assert (problem.pointer, problem.last) == ("/happened_at", now - timedelta(days=9))
        assert text_of(now - timedelta(days=9)) in problem.detail
        with pytest.raises(Refusal, match="happened_in_the_future"):
            await case.kernel.execute(
                INSTITUTIONS, "i1", Activate(), cause("c", happened_at=now + timedelta(days=1), **late)
            )
        saved = await case.kernel.execute(
            INSTITUTIONS, "i1", Activate(), cause("d", happened_at=now - timedelta(days=8), **late)
        )
        assert saved.events[0].recorded_late
        assert saved.document["late"]


async def test_what_a_receipt_was_given_for_bears_a_clock_that_is_behind() -> None:
    async with Case() as case:
        ahead = case.clock.now() + timedelta(seconds=1)
        given = cause("a", happened_at=ahead, acknowledged=True)
        for id, step in (("i1", given), ("i2", given.step("further"))):
            saved = await case.kernel.execute(INSTITUTIONS, id, Register(), step)
            assert saved.events[0].happened_at == ahead


async def test_what_follows_from_a_late_event_bears_a_clock_that_is_behind() -> None:
    async with Case() as case:
        ahead = case.clock.now() + timedelta(seconds=1)
        event = {"recorded_late": True, "happened_at": ahead, "causation_id": "e1"}
        saved = await case.kernel.execute(INSTITUTIONS, "i1", Register(), cause("a", **event))
        assert saved.events[0].happened_at == ahead


async def test_a_clock_that_steps_back_never_takes_the_case_back() -> None:
    async with Case() as case:
        first = await case.kernel.execute(INSTITUTIONS, "i1", Register(), cause("a"))
        case.clock.ahead = timedelta(hours=-1)
        saved = await case.kernel.execute(INSTITUTIONS, "i1", Activate(), cause("b"))
        assert saved.events[0].happened_at == instant_of(first.document["last_happened_at"])
        assert saved.document["last_recorded_at"] == first.document["last_recorded_at"]


async def test_what_is_told_of_an_earlier_instant_leaves_where_the_case_had_come_to() -> None:
    def an_hour_ago(_state: Any, _command: Any, now: datetime) -> list[Event]:
        return [InstitutionActivated(happened_at=now - timedelta(hours=1))]

    async with Case() as case:
        first = await case.kernel.execute(INSTITUTIONS, "i1", Register(), cause("a"))
        aggregate = replace(INSTITUTIONS, decide=an_hour_ago)
        saved = await case.kernel.execute(aggregate, "i1", Activate(), cause("b"))
        assert saved.document["last_happened_at"] == first.document["last_happened_at"]


async def test_a_record_says_when_it_happened_and_beside_it_when_it_was_recorded() -> None:
    async with Case() as case:
        happened = case.clock.now() - timedelta(days=6_000)
        late = cause(
            "a", happened_at=happened, recorded_late=True, traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01"
        )
        first = (await case.kernel.execute(INSTITUTIONS, "i1", Register(), late)).document["outbox"][-1]["headers"]
        assert instant_of(first["ce_time"]) == happened
        assert timedelta() <= case.clock.now() - instant_of(first["ce_recordedtime"]) < timedelta(minutes=1)
        assert first["ce_traceparent"] == first["traceparent"] == late.traceparent
        case.clock.ahead = timedelta(hours=-1)
        saved = await case.kernel.execute(INSTITUTIONS, "i1", Activate(), cause("b"))
        second = saved.document["outbox"][-1]["headers"]
        assert (second["ce_sequence"], second["ce_recordedtime"]) == ("0000000002", first["ce_recordedtime"])


async def test_what_waits_is_as_old_as_its_record_however_long_ago_it_happened() -> None:
    async with Case() as case:
        happened = case.clock.now() - timedelta(days=6_000)
        late = cause("a", happened_at=happened, recorded_late=True)
        await case.kernel.execute(INSTITUTIONS, "i1", Register(), late)
        age = await oldest_outbox_seconds(case.store, ["institutions"], case.clock.now() + timedelta(seconds=30))
        assert 30.0 <= age < 60.0


async def test_bounds_are_refused_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Case() as case:
        await case.kernel.execute(INSTITUTIONS, "i1", Register(), cause("a"))
        monkeypatch.setattr(streams, "OUTBOX_AT_MOST", 1)
        with pytest.raises(Overloaded):
            await case.kernel.execute(INSTITUTIONS, "i1", Activate(), cause("b"))
        monkeypatch.undo()
        monkeypatch.setattr(streams, "OUTBOX_BYTES_AT_MOST", 100)
        with pytest.raises(Overloaded, match="outbox"):
            await case.kernel.execute(INSTITUTIONS, "i1", Activate(), cause("b"))
        # One command alone is never refused for what it emits: nothing would become smaller by waiting.
        await case.kernel.execute(INSTITUTIONS, "i2", Register(), cause("c"))
        monkeypatch.undo()
        monkeypatch.setattr(aggregates, "APPLIED_AT_MOST", 1)
        with pytest.raises(Overloaded):
            await case.kernel.execute(INSTITUTIONS, "i1", Activate(), cause("b"))
        monkeypatch.undo()
        monkeypatch.setattr(streams, "EVENT_BYTES_AT_MOST", 10)
        with pytest.raises(Refusal, match="event_too_large"):
            await case.kernel.execute(INSTITUTIONS, "i1", Activate(), cause("b"))
        stored = await case.store.load("institutions", "i1")
        assert stored
        assert stored["version"] == 1


async def test_contention_without_end_is_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Case() as case:
        monkeypatch.setattr(aggregates, "ATTEMPTS", 3)

        async def always(*_: object) -> None:
            raise Conflict

        monkeypatch.setattr(case.store, "save", always)
        with pytest.raises(Conflict):
            await case.kernel.execute(INSTITUTIONS, "i1", Register(), cause("a"))


def test_the_body_leaves_out_what_is_not_there() -> None:
    event = InstitutionRegistered(
        happened_at=instant_of("2026-01-01T00:00:00Z"), office="NL", country="GH", sector="x", host_type="public"
    )
    assert "account" not in json.loads(event.body())
    assert json.loads(event.body())["happened_at"] == "2026-01-01T00:00:00.000000Z"


@pytest.mark.parametrize("stale", [None, "before"])
async def test_a_document_that_the_caller_knew_may_be_out_of_date(stale: str | None) -> None:
    async with Case() as case:
        known = None
        first = await case.kernel.execute(INSTITUTIONS, "i1", Register(), cause("a"), known=None)
        if stale:
            known = first.document
        second = await case.kernel.execute(INSTITUTIONS, "i1", Activate(), cause("b"), known=known)
        assert second.version == 2
        assert await case.store.load("institutions", "i1") == second.document
        with pytest.raises(Refusal, match="illegal_transition"):
            await case.kernel.execute(INSTITUTIONS, "i1", Activate(), cause("c"), known=known)
        again = await case.kernel.execute(INSTITUTIONS, "i1", Activate(), cause("b"), known=known)
        assert again.repeated
        assert again.version == 2
