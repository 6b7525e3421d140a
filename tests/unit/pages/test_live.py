"""Streams that tell open pages of changes: within the gate, bounded, and nothing is left of one that has ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from deploy.cli.hosting import Ending
from services.monitoring import streaming
from services.monitoring.domain.statements import statement_id
from services.monitoring.pages import live as module
from services.monitoring.pages.live import Live, Look
from services.monitoring.streaming import OF_ONE_ACCOUNT_AT_MOST
from shared.clock import RealRuntime, derived_id
from shared.errors import Overloaded, Unavailable
from shared.identity.passes import Pass, sign_pass
from shared.identity.roles import Role
from shared.identity.tokens import Principal
from shared.web.front import Front
from tests.unit.monitoring.stating import ask, published
from tests.unit.monitoring.story import PROGRAMME
from tests.unit.monitoring.telling import tell
from tests.unit.pages.test_figures import DASHBOARD, Town, reader, told, town
from tests.unit.streams import Listening, open_stream

pytestmark = pytest.mark.asyncio(loop_scope="module")
__all__ = ["town"]

WAIT_SECONDS = 3.0


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.1)


@asynccontextmanager
async def listening(
    town: Town, path: str, role: Role = "officer", *, method: str = "GET", pass_age: float = 0, **headers: str
) -> AsyncIterator[Listening]:
    """The stream of a page, for as long as the block runs."""
    serving = town.serving
    principal = Principal(derived_id("account", role), role, "kabul" if role == "officer" else None)
    issued = serving.clock.now() - timedelta(seconds=pass_age)
    text = sign_pass(serving.keys, "monitoring", Pass(principal, derived_id("a session")), issued)
    given = {"accept": "text/event-stream", "cookie": f"sankofa-pass={text}", **headers}
    front = Front({"monitoring": serving.service.app})
    async with open_stream(serving.clock, front, f"{DASHBOARD}{path}", given, method, WAIT_SECONDS) as one:
        yield one


def left(town: Town) -> tuple[int, int, int]:
    """What is there of streams: those that count as open, what is looked at, and tasks."""
    live = town.serving.service.pages.live
    return live.streams, len(live._watched), len(live._tasks)


async def seen(town: Town, path: str, role: Role = "officer") -> str:
    """The address of the stream that a page names."""
    page = await town.page(path, role)
    return page.text.partition('data-live="/monitoring/indicators')[2].partition('"')[0].replace("&amp;", "&")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def story(town: Town) -> Any:
    return told()


async def test_a_change_is_told_to_whom_it_concerns_and_a_browser_that_goes_leaves_nothing(
    town: Town, story: Any
) -> None:
    one_indicator = f"/{PROGRAMME}/returns"
    async with (
        listening(town, await seen(town, one_indicator)) as officer,
        listening(town, await seen(town, "", "administrator"), "administrator") as everything,
        listening(town, await seen(town, one_indicator, "evaluator"), "evaluator") as evaluator,
    ):
        await officer.until(lambda: ":\n\n" in officer.text)
        assert officer.status == 200
        assert officer.changes == 0
        before = len(story.records)
        story.person("late", sex="male")
        story.returned("late")
        await tell(town.serving, story, before)
        await officer.until(lambda: officer.changes == 1)
        await everything.until(lambda: everything.changes == 1)
        # The figure that the evaluator may see is the published one, which is what it was.
        assert evaluator.changes == 0
        assert "25" not in officer.text.replace("\n", "").partition("data:")[0]
        fresh = await seen(town, one_indicator)
        assert fresh.rpartition("seen=")[2] in officer.text
        assert left(town) == (3, 3, 1)
        # A further statement is published, in which the return is counted.
        id = statement_id(PROGRAMME, "january")
        await ask(town.serving, f"/statements/{id}/restate", {"reason": "late_facts"})
        await published(town.serving, id)
        await evaluator.until(lambda: evaluator.changes == 1)
        assert officer.changes == 1
    assert left(town) == (0, 0, 0)


async def test_who_was_away_is_told_at_once_what_it_missed(town: Town) -> None:
    path = f"/{PROGRAMME}/returns/live?seen=0123456789abcdef"
    async with listening(town, path) as one:
        await one.until(lambda: one.changes == 1)
    known = one.text.partition("id: ")[2][:16]
    async with listening(town, path, last_event_id=known) as again:
        await again.until(lambda: again.text.count(":\n\n") > 1)
        assert again.changes == 0


async def test_a_stream_ends_with_its_pass_and_no_other_request_renews_it(town: Town) -> None:
    async with listening(town, "/live", pass_age=299.7) as one:
        await one.until(lambda: one.ended)
    async with listening(town, "/live", pass_age=331) as late:
        await late.until(lambda: late.ended)
    assert (late.status, late.text) == (401, "")
    assert left(town) == (0, 0, 0)


async def test_a_reader_has_a_few_streams_and_what_is_refused_is_refused_before_one_begins(town: Town) -> None:
    live = town.serving.service.pages.live
    async with reader("monitoring", town.serving.service.app, town.serving.keys, town.serving.clock) as http:
        open_ones = [
            await live.stream(derived_id("account", "officer"), look(lambda: "a"), "", 60)
            for _ in range(OF_ONE_ACCOUNT_AT_MOST)
        ]
        refused = await http.get(f"{DASHBOARD}/live")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
        for one in open_ones:
            one._leave()
        for path, status in (
            ("/live?office=bogota", 403),
            (f"/{PROGRAMME}/nothing/live", 404),
            ("/nowhere/returns/live", 404),
            (f"/{PROGRAMME}/returns/live?period=never", 422),
            ("/live?colour=red", 422),
        ):
            assert (await http.get(f"{DASHBOARD}{path}")).status_code == status, path
    assert left(town) == (0, 0, 0)


def look(digest: Callable[[], str], stamp: Callable[[], Any] | None = None, key: str = "key") -> Look:
    async def asked() -> str:
        return digest()

    return Look(key, stamp or (lambda: digest()), asked)


async def test_readers_of_the_same_share_one_look_and_a_failure_is_tried_again() -> None:
    runtime, looks, value = RealRuntime(), 0, "a"
    failing = False

    def digest() -> str:
        nonlocal looks
        looks += 1
        if failing:
            raise Unavailable("the store")
        return value

    live = Live(runtime)
    shared = look(digest, lambda: value)
    streams = [await live.stream(f"account {number}", shared, "", 60) for number in range(20)]
    told = [aiter(one.body_iterator) for one in streams]
    for one in told:
        assert bytes(await anext(one)).startswith(b"retry")  # type: ignore[arg-type]
        assert b"id: a" in bytes(await anext(one))  # type: ignore[arg-type]
    assert looks <= 3
    failing, value = True, "b"
    await asyncio.sleep(0.05)
    failing = False
    async with asyncio.timeout(WAIT_SECONDS):
        while b"id: b" not in bytes(await anext(told[0])):  # type: ignore[arg-type]
            pass
    await live.stop()
    for one in told:
        async with asyncio.timeout(WAIT_SECONDS):
            async for _ in one:
                pass
    for stream in streams:
        stream._leave()
    assert live.streams == 0
    runtime.close()


async def test_there_are_as_many_streams_as_a_replica_carries_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "AT_MOST", 2)
    runtime = RealRuntime()
    live = Live(runtime)
    streams = [await live.stream(str(number), look(lambda: "a"), "", 60) for number in range(2)]
    with pytest.raises(Overloaded):
        await live.stream("one more", look(lambda: "a"), "", 60)
    for stream in streams:
        stream._leave()
    await live.stop()
    runtime.close()


async def test_a_service_that_is_asked_to_stop_ends_its_streams_at_once(town: Town) -> None:
    assert isinstance(town.serving.service, Ending)
    async with listening(town, "/live") as one:
        town.serving.service.ending()
        await one.until(lambda: one.ended)
    async with listening(town, "/live") as late:
        await late.until(lambda: late.ended)
    assert left(town) == (0, 0, 0)


async def test_whoever_asks_for_its_head_alone_does_not_hold_a_stream_open(town: Town) -> None:
    async with listening(town, "/live", method="HEAD") as one:
        await one.until(lambda: one.ended)
        async with asyncio.timeout(WAIT_SECONDS):
            while left(town) != (0, 0, 0):
                await asyncio.sleep(0.01)
        assert (one.status, one.text) == (200, "")
