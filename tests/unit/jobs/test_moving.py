"""Jobs: each chunk once in effect, whoever comes to it and however often; what they hold is sealed and goes."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared.errors import CommandReused, Conflict, Overloaded, Refusal, Unavailable
from shared.jobs import running
from shared.jobs.content import ContentGone
from shared.jobs.documents import JOBS
from shared.jobs.kinds import JobKind, RowProblem, Step, rights_of
from tests.unit.jobs.counting import EFFECTS, Desk, Numbers

HELD = timedelta(seconds=running.HELD_SECONDS + 1)
SEVEN = "".join(f"{n}\n" for n in range(7))


def once(desk: Desk) -> bool:
    """Whether each of seven rows had its effect, and no more."""
    return desk.counting.effects.count("written") == 7


async def test_a_job_is_moved_to_its_end_and_tells_what_came_of_it() -> None:
    async with Desk() as desk:
        id = await desk.ask(wrong=3)
        first = await desk.stored(id)
        assert (first["status"], first["timed"], first["done"], first["total"]) == ("queued", True, 0, None)
        assert await desk.jobs.move(id)
        between = await desk.stored(id)
        assert (between["status"], between["done"], between["total"]) == ("running", 3, 7)
        document = await desk.finished(id)
        assert (document["status"], document["done"], document["counts"]) == ("done", 7, {"rows": 7})
        assert [(one["row"], one["rule"]) for one in document["problems"]] == [(n, "not_a_row") for n in (0, 3, 6)]
        assert (await desk.text(id), once(desk), document["body"]) == (SEVEN, True, None)


async def test_the_same_key_is_the_same_job_and_another_body_under_it_is_refused() -> None:
    async with Desk() as desk:
        assert await desk.ask() == await desk.ask()
        with pytest.raises(CommandReused):
            await desk.ask(digest="other")
        both = await asyncio.gather(*(desk.ask("twice", files={"in": [b"x"]}) for _ in range(2)))
        assert both[0] == both[1]
        content = await desk.jobs.content(await desk.stored(both[0]))
        assert [part async for part in content.read("in")] == [b"x"]


async def test_nothing_that_a_job_holds_is_readable_in_the_store() -> None:
    async with Desk() as desk:
        id = await desk.ask(note="CANARY", files={"in": [b"CANARY"]})
        await desk.jobs.move(id)
        held = [await desk.stored(id), *await desk.pieces()]
        assert "CANARY" not in json.dumps(held)
        assert len(held) == 3


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("save", [2, 3, 4, 5])
async def test_whatever_a_crash_leaves_another_replica_finishes_and_nothing_is_done_twice(
    moment: str, save: int
) -> None:
    """The saves: asked, taken up, and one for each of the three chunks."""
    async with Desk() as desk:
        getattr(desk.falling, moment).append(save)
        id = await desk.ask()
        await desk.finished(id)
        await desk.swept(desk.other, id)
        assert (await desk.stored(id))["holder"] in (None, desk.jobs._name)
        desk.clock.ahead += HELD
        document = await desk.finished(id, desk.other)
        assert (document["status"], once(desk), await desk.text(id)) == ("done", True, SEVEN)
        # What the cut-off chunk had written is nobody's, and goes with the job's end at the latest.
        desk.clock.ahead += timedelta(days=3)
        await desk.swept(desk.other, id)
        assert await desk.pieces() == []


async def test_two_replicas_at_once_and_timers_that_fire_twice_do_it_once() -> None:
    async with Desk() as desk:
        id = await desk.ask()
        while (await desk.stored(id))["status"] != "done":
            desk.clock.ahead += HELD
            found = await asyncio.gather(desk.jobs.move(id), desk.other.move(id), return_exceptions=True)
            assert not [one for one in found if isinstance(one, BaseException) and not isinstance(one, Conflict)]
        version = (await desk.stored(id))["version"]
        for jobs in (desk.jobs, desk.other):
            await jobs.take_up(await desk.stored(id))
        assert ((await desk.stored(id))["version"], once(desk), await desk.text(id)) == (version, True, SEVEN)


async def test_while_one_replica_works_on_it_another_leaves_it() -> None:
    async with Desk() as desk:
        id = await desk.ask()
        await desk.jobs.move(id)
        assert not await desk.other.move(id)
        desk.clock.ahead += HELD
        assert await desk.other.move(id)


async def test_what_is_ended_early_does_nothing_more_and_holds_nothing() -> None:
    async with Desk() as desk:
        id = await desk.ask()
        chunk = desk.counting.chunk

        async def ended_meanwhile(work: Any) -> Step:
            found = await chunk(work)
            await desk.other.cancel(id)
            return found

        object.__setattr__(desk.counting.kind, "chunk", ended_meanwhile)
        with pytest.raises(Conflict):
            await desk.jobs.move(id)
        assert not await desk.jobs.move(id)
        document = await desk.jobs.cancel(id)
        assert (document["status"], document["timed"], document["held"]) == ("cancelled", False, False)
        # Three rows had their effect before; what the chunk had written goes with the next look at the job.
        assert desk.counting.effects == ["written"] * 3
        assert await desk.pieces() == []


async def test_what_was_done_is_ended_by_nobody() -> None:
    async with Desk() as desk:
        id = await desk.ask()
        await desk.finished(id)
        with pytest.raises(Refusal) as refused:
            await desk.jobs.cancel(id)
        assert refused.value.rule == "job_ended"
        with pytest.raises(Refusal) as refused:
            await desk.jobs.confirm(id, "acc")
        assert refused.value.rule == "job_not_waiting"


async def test_a_refusal_ends_it_and_what_nobody_foresaw_is_tried_a_few_times() -> None:
    async with Desk() as desk:
        refused, strange = await desk.ask("a"), await desk.ask("b", note="CANARY")
        desk.counting.raises = [Refusal("programme_unknown")]
        document = await desk.finished(refused)
        assert (document["status"], document["rule"], document["held"]) == ("failed", "programme_unknown", False)
        desk.counting.raises = [KeyError("Amina")] * running.TRIES_AT_MOST
        with capture_logs() as lines:
            for _ in range(running.TRIES_AT_MOST):
                desk.clock.ahead += HELD
                await desk.swept(desk.jobs, strange)
        document = await desk.stored(strange)
        assert (document["status"], document["rule"]) == ("failed", "internal")
        assert "Amina" not in json.dumps(lines, default=str)


async def test_what_is_away_is_waited_for() -> None:
    async with Desk() as desk:
        id = await desk.ask()
        desk.counting.raises = [Unavailable("log")] * (running.TRIES_AT_MOST + 2)
        for _ in range(running.TRIES_AT_MOST + 2):
            assert not await desk.jobs.move(id)
            assert not await desk.jobs.move(id), "it was put off"
            desk.clock.ahead += timedelta(seconds=running.WAITS_AT_MOST_SECONDS)
        assert (await desk.finished(id))["status"] == "done"


async def test_it_waits_with_a_preview_until_somebody_confirms_it_once() -> None:
    async with Desk() as desk:
        id = await desk.ask(previewed=True)
        document = await desk.finished(id)
        assert (document["status"], document["total"], desk.counting.effects) == ("waiting", 7, [])
        assert not await desk.jobs.move(id)
        for _ in range(2):
            confirmed = await desk.jobs.confirm(id, "colleague")
        assert (confirmed["status"], confirmed["confirmed_by"]) == ("queued", "colleague")
        assert (await desk.finished(id))["status"] == "done"
        assert (await desk.jobs.confirm(id, "colleague"))["status"] == "done"
        assert once(desk)


async def test_what_nobody_confirms_ends_with_its_time_and_so_do_files() -> None:
    async with Desk() as desk:
        waiting, done = await desk.ask("a", previewed=True, files={"in": [b"x"]}), await desk.ask("b")
        for id in (waiting, done):
            await desk.finished(id)
        assert await desk.text(done) == SEVEN
        desk.clock.ahead += timedelta(days=3)
        for id in (waiting, done):
            await desk.swept(desk.jobs, id)
        ended, kept = await desk.stored(waiting), await desk.stored(done)
        assert (ended["status"], ended["rule"]) == ("failed", "job_expired")
        assert (kept["status"], kept["counts"], kept["held"]) == ("done", {"rows": 7}, False)
        assert [ended["timed"], kept["timed"], await desk.pieces()] == [False, False, []]
        with pytest.raises(Refusal) as gone:
            await desk.jobs.content(kept)
        assert (gone.value.rule, gone.value.status) == ("job_expired", 410)


async def test_a_days_key_stands_while_a_job_of_it_holds_anything_and_no_longer() -> None:
    async with Desk() as desk:
        id = await desk.ask()
        await desk.finished(id)
        day = (await desk.stored(id))["day"]
        desk.clock.ahead += timedelta(days=2)
        await desk.jobs._keys.retire()
        assert desk.keys.job_days("monitoring") == [day]
        desk.clock.ahead += timedelta(days=1)
        await desk.swept(desk.jobs, id)
        await desk.jobs._keys.retire()
        assert desk.keys.job_days("monitoring") == []
        with pytest.raises(ContentGone):
            desk.jobs._keys.of(day)


async def test_a_job_whose_key_is_gone_fails() -> None:
    async with Desk() as desk:
        id = await desk.ask()
        day = (await desk.stored(id))["day"]
        desk.clock.ahead += timedelta(days=1)
        desk.keys.destroy_job_day("monitoring", day)
        document = await desk.finished(id)
        assert (document["status"], document["rule"]) == ("failed", "job_expired")


async def test_it_is_not_begun_before_its_files_are_there_and_asking_again_brings_them() -> None:
    async with Desk() as desk:
        desk.falling.before.append(2)
        with pytest.raises(Exception, match="before"):
            await desk.ask(files={"in": [b"1", b"2"]})
        id = next(one["_id"] for one in [one async for one in desk.store.scan(JOBS.name)])
        await desk.swept(desk.other, id)
        assert (await desk.stored(id))["status"] == "queued"
        assert await desk.ask(files={"in": [b"1", b"2"]}) == id
        content = await desk.jobs.content(await desk.stored(id))
        assert [part async for part in content.read("in")] == [b"1", b"2"]
        assert (await desk.finished(id))["status"] == "done"
        # What nobody went on with goes with the time of the job.
        desk.falling.before.append(desk.falling._saves + 2)
        with pytest.raises(Exception, match="before"):
            await desk.ask("left", files={"in": [b"1"]})
        desk.clock.ahead += timedelta(days=3)
        for one in [one["_id"] async for one in desk.store.scan(JOBS.name)]:
            await desk.swept(desk.jobs, one)
        assert await desk.pieces() == []


async def test_of_one_account_ten_move_and_fifty_have_not_ended_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "OPEN_AT_MOST", 12)
    async with Desk() as desk:
        for number in range(12):
            await desk.finished(await desk.ask(f"waits {number}", previewed=True))
        with pytest.raises(Refusal) as many:
            await desk.ask("more")
        assert (many.value.rule, many.value.status) == ("jobs_too_many", 409)
        await desk.jobs.cancel(await desk.ask("waits 0", previewed=True))
        monkeypatch.setattr(running, "OPEN_AT_MOST", 50)
        ids = [await desk.ask(str(n)) for n in range(running.MOVING_AT_MOST)]
        with pytest.raises(Overloaded) as full:
            await desk.ask("more")
        assert full.value.status == 429
        assert await desk.ask("0") == ids[0], "a repetition is no further one"
        assert await desk.jobs.moving() == running.MOVING_AT_MOST
        await desk.jobs.cancel(ids[0])
        await desk.ask("more")


async def test_what_a_version_before_did_fails_and_is_told() -> None:
    async with Desk() as desk:
        id = await desk.ask()
        document = await desk.stored(id)
        changed = JOBS.indexed({**document, "kind": "count-by-hand", "version": document["version"] + 1})
        await desk.store.save(JOBS.name, changed, document["version"])
        document = await desk.finished(id)
        assert (document["status"], document["rule"]) == ("failed", "internal")


async def test_who_fetches_is_noted_beside_whatever_else_is_saved_and_the_newest_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(running, "FETCHES_KEPT", 4)
    async with Desk() as desk:
        id = await desk.ask()
        await desk.finished(id)
        before = {name: said for name, said in (await desk.stored(id)).items() if not name.startswith("fetch")}
        # As a version before left it.
        await desk.store.save(JOBS.name, JOBS.indexed({**before, "version": before["version"] + 1}), before["version"])
        await asyncio.gather(*(desk.jobs.note_fetch(id, f"acc-{n}") for n in range(6)))
        found = await desk.stored(id)
        assert (len({one["account"] for one in found["fetches"]}), found["fetch_count"]) == (4, 6)
        with pytest.raises(Refusal, match="not_found"):
            await desk.jobs.note_fetch("nobody", "acc")


def test_files_are_for_more_than_whoever_asked_where_the_kinds_say_so() -> None:
    async def chunk(_work: Any) -> Step:
        return Step({}, 0)

    def kind(name: str, **more: Any) -> JobKind[Numbers]:
        by = {"officer": "office", "administrator": "all"}
        return JobKind(name, Numbers, chunk, name, "create", by, media_types=("text/csv",), **more)  # type: ignore[arg-type]

    wide = kind("wide", files_to={"administrator": "all"})
    assert ("jobs", "download", {"officer": "own", "administrator": "all"}) in rights_of([wide])
    with pytest.raises(ValueError, match="same roles"):
        rights_of([wide, kind("own")])


async def test_a_started_replica_moves_jobs_by_itself_side_by_side() -> None:
    async with Desk() as desk:
        desk.jobs.start()
        ids = [await desk.ask(str(n)) for n in range(4)]
        for _ in range(400):
            if not await desk.jobs.moving():
                break
            await asyncio.sleep(0.01)
        await desk.jobs.stop()
        assert [(await desk.stored(id))["status"] for id in ids] == ["done"] * 4
        assert len([one async for one in desk.store.scan(EFFECTS.name)]) == 28


async def test_of_many_problems_the_first_are_kept_and_all_are_counted() -> None:
    async with Desk() as desk:
        id = await desk.ask(to=900, wrong=1)
        document = await desk.finished(id)
        assert (len(document["problems"]), document["problem_count"]) == (200, 900)


def test_a_kind_tells_no_more_than_it_declares() -> None:
    async def chunk(_work: Any) -> Step:
        return Step({}, 0)

    kind = JobKind("one", Numbers, chunk, "ones", "create", {"officer": "office"})
    for wrong in (Step({}, 0, counts={"x": 1}), Step({}, 0, said={"y": ""}), Step({}, 0, then="wait")):
        with pytest.raises(ValueError, match="one"):
            kind.check(wrong)
    kind.check(Step({}, 1, problems=(RowProblem("r"),), then="end"))
    with pytest.raises(ValueError, match="30 days"):
        JobKind("long", Numbers, chunk, "ones", "create", {}, kept=timedelta(days=31))
    with pytest.raises(ValueError, match="another role"):
        rights_of([kind, JobKind("two", Numbers, chunk, "ones", "create", {"host": "institution"})])
    assert rights_of([kind]) == (
        ("ones", "create", {"officer": "office"}),
        ("jobs", "read list cancel", {"officer": "office"}),
    )
