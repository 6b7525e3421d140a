"""The feed as Server-Sent Events: without a gap and without doubles, bounded, and as browsers and clients need it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.monitoring import streaming
from services.monitoring.feed import api, tailing
from services.monitoring.streaming import OF_ONE_ACCOUNT_AT_MOST
from shared.errors import Unavailable
from tests.integration.feed_town import listening, two_offices
from tests.unit.monitoring.telling import append, monitoring
from tests.unit.registration.serving import Serving


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(tailing, "IDLE_SECONDS", 0.02)
    monkeypatch.setattr(tailing, "RETRY_SECONDS", 0.02)


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[Serving]:
    async with monitoring(tmp_path) as serving:
        yield serving


def ids(events: list[dict[str, str]]) -> list[str]:
    return [json.loads(one["data"])["event"]["id"] for one in events]


async def whole(edge: Serving, office: str = "kabul") -> list[str]:
    page = (await edge.get("/feed/messages?limit=200", "officer", office=office)).json()
    return [one["event"]["id"] for one in page["items"]]


async def test_what_was_comes_first_and_then_what_comes_once_and_in_order(edge: Serving) -> None:
    story = two_offices()
    await append(edge, story.records)
    stood, known = len(story.records), await whole(edge)
    async with listening(edge, "officer") as officer, listening(edge, "officer", office="bogota") as other:
        await officer.until(lambda: len(officer.events) == len(known))
        for number in range(20):
            story.office = "kabul" if number % 2 else "bogota"
            story.person(f"later {number}")
        await append(edge, story.records[stood:])
        await officer.until(lambda: len(officer.events) == len(known) + 20)
        await other.until(lambda: len(other.events) == 22)
        assert ids(officer.events) == await whole(edge)
        assert sorted(ids(other.events)) == sorted(await whole(edge, "bogota"))
    assert edge.service.feed.places.taken == edge.service.feed.tail.readers == 0
    assert edge.service.feed.tail._tasks == []


async def test_the_form_is_what_old_clients_and_proxies_take(edge: Serving) -> None:
    """Formats, 68: no BOM, ids in ASCII without blanks and never without data, comments as heartbeats."""
    await append(edge, two_offices().records)
    async with listening(edge, "officer") as officer:
        await officer.until(lambda: b"\n:\n" in officer.raw and len(officer.events) > 5)
        assert officer.headers["content-type"].partition(";")[0] == "text/event-stream"
        assert (officer.headers["x-accel-buffering"], officer.headers["cache-control"]) == ("no", "no-store")
        assert officer.raw.startswith(b"retry: 3000\n\n")
        assert b"\r" not in officer.raw
        for block in officer.raw.decode().split("\n\n"):
            names = [line.partition(":")[0] for line in block.split("\n") if line]
            assert names in ([], [""], ["retry"], ["id", "data"]), block
        assert all(re.fullmatch(r"[!-~]+", one["id"]) for one in officer.events)
    assert streaming.HEARTBEAT_SECONDS == 15


@pytest.mark.parametrize("by_header", [True, False])
async def test_whoever_comes_back_goes_on_behind_the_last_id_wherever_it_was_cut(
    edge: Serving, by_header: bool
) -> None:
    story = two_offices()
    await append(edge, story.records)
    known = await whole(edge)
    async with listening(edge, "officer") as officer:
        await officer.until(lambda: len(officer.events) == len(known))
        cuts = officer.events
    stood = len(story.records)
    story.office = "kabul"
    story.person("while nobody listened")
    await append(edge, story.records[stood:])
    for at in (0, 3, len(known) - 1):
        last = cuts[at]["id"]
        # A browser's own second try asks the same address, with the id in the header.
        given = {"last_event_id": last} if by_header else {}
        async with listening(edge, "officer", "now" if by_header else last, **given) as again:
            await again.until(lambda expected=len(known) + 2 - at - 1: len(again.events) == expected)
            assert ids(again.events) == (await whole(edge))[at + 1 :]


async def test_told_while_it_catches_up_nothing_is_lost_and_nothing_comes_twice(
    edge: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tailing, "READ_AT_ONCE", 3)
    story = two_offices()
    await append(edge, story.records)
    async with listening(edge, "administrator", "now") as first, listening(edge, "administrator") as second:
        for number in range(40):
            stood = len(story.records)
            story.person(f"more {number}")
            await append(edge, story.records[stood:])
        expected = len([one for one in story.records if one.topic != "registration.profiles"])
        await second.until(lambda: len(second.events) >= expected)
        await first.until(lambda: len(first.events) >= 160)
        assert len(set(ids(second.events))) == len(second.events) == expected
        assert len(set(ids(first.events))) == len(first.events) == 160


async def test_the_log_may_be_away_for_a_while(edge: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    story = two_offices()
    await append(edge, story.records)
    known, read, stood = await whole(edge), edge.log.read, len(story.records)
    async with listening(edge, "officer") as officer:
        await officer.until(lambda: len(officer.events) == len(known))

        async def away(*_: Any, **__: Any) -> Any:
            raise Unavailable("log")

        monkeypatch.setattr(edge.log, "read", away)
        story.office = "kabul"
        story.person("told to a log that nobody can read")
        await append(edge, story.records[stood:])
        await asyncio.sleep(0.1)
        assert len(officer.events) == len(known)
        monkeypatch.setattr(edge.log, "read", read)
        await officer.until(lambda: len(officer.events) == len(known) + 2)
        assert ids(officer.events) == await whole(edge)


async def test_a_reader_that_is_too_slow_is_let_go_and_loses_nothing(
    edge: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tailing, "WAITING_AT_MOST", 5)
    monkeypatch.setattr(tailing, "IN_ONE_TURN", 1)
    story = two_offices()
    await append(edge, story.records)
    known, stood = await whole(edge), len(story.records)
    async with listening(edge, "officer") as slow:
        await slow.until(lambda: len(slow.events) == len(known))
        tail = edge.service.feed.tail

        async def listens() -> bool:
            return bool(tail._listeners)

        await edge.eventually(listens)
        slow.room.clear()
        story.office = "kabul"
        for number in range(20):
            story.person(f"more {number}")
        await append(edge, story.records[stood:])

        async def lost() -> bool:
            return any(one.lost and not one.waiting for one in tail._listeners)

        await edge.eventually(lost)
        slow.room.set()
        await slow.until(lambda: slow.ended)
        last, had = slow.events[-1]["id"], ids(slow.events)
    async with listening(edge, "officer", last) as again:
        rest = (await whole(edge))[len(had) :]
        await again.until(lambda: len(again.events) == len(rest))
        assert had + ids(again.events) == await whole(edge)


async def test_streams_are_bounded_by_account_and_end_with_the_token_and_the_server(edge: Serving) -> None:
    async with listening(edge, "officer") as first:
        others = [listening(edge, "officer") for _ in range(OF_ONE_ACCOUNT_AT_MOST - 1)]
        for one in others:
            await one.__aenter__()
        async with listening(edge, "officer") as refused:
            await refused.until(lambda: refused.ended)
            assert (refused.status, refused.headers["retry-after"]) == (429, "30")
        for one in others:
            await one.__aexit__(None, None, None)
        edge.service.ending()
        await first.until(lambda: first.ended)
        assert first.status == 200


async def test_a_stream_ends_when_the_token_does(edge: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    token = edge.issuer.issue("officer", "kabul", lifetime=timedelta(seconds=1))
    monkeypatch.setattr(edge.issuer, "issue", lambda *_: token)
    async with listening(edge, "officer") as officer:
        assert officer.status == 200
        await officer.until(lambda: officer.ended)


async def test_head_ends_at_once_and_what_is_no_place_is_refused_before_anything_is_told(edge: Serving) -> None:
    async with listening(edge, "officer", method="HEAD") as head:
        await head.until(lambda: head.ended)
        assert (head.status, head.raw) == (200, b"")
    async with listening(edge, "officer", last_event_id="nowhere") as refused:
        await refused.until(lambda: refused.ended)
        assert (refused.status, json.loads(refused.raw)["rule"]) == (422, "cursor_not_of_this_feed")
    async with listening(edge, "host") as refused:
        assert refused.status == 403
    async with listening(edge, "officer", authorization="Bearer nobody's") as refused:
        assert refused.status == 401
    async with listening(edge, "officer", office="") as refused:
        assert (refused.status, json.loads(refused.raw)["rule"]) == (403, "token_without_office")
    assert edge.service.feed.places.taken == 0
