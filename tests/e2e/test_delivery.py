"""Every handler of every service under every message twice and out of order: what stands at the end is the same."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from services.monitoring.follower import Follower, apply_records
from services.monitoring.records import Mark
from services.monitoring.store import ReadModel
from shared.audit.segments import AUDIT_COLLECTIONS
from shared.cases.trail import Trailed
from shared.messaging.port import Message, Record
from shared.messaging.topics import PROFILES
from tests.e2e.edge_story import Story
from tests.e2e.edge_town import CONSUMING, Town
from tests.e2e.edge_world import OFFICE


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plain() -> AsyncIterator[Town]:
    """The history with each message delivered once, partition by partition."""
    async with Town("once") as town:
        await Story(town).tell()
        yield town


OF_THE_TRAIL = tuple(f"{one.name}/" for one in AUDIT_COLLECTIONS)
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def standing(town: Town, *, sizes: bool) -> dict[str, Any]:
    """States, holds and what is known of others; with `sizes` also how many commands each document took and how
    many events it told.

    Two services that hear of one withdrawal answer each other in either order, so sizes are equal only where the
    order is.
    """
    found: dict[str, Any] = {}
    for service in CONSUMING:
        for key, document in (await town.documents(service)).items():
            if key.startswith("submissions/"):
                found[f"{service}/{key}"] = (document["status"], document["problems"], document["body"])
                continue
            if key.startswith(OF_THE_TRAIL):
                # Named by the process that wrote them.
                continue
            told = {name: head["count"] for name, head in document.get("emitted", {}).items()}
            applied = len(document.get("applied", {}))
            holds = {id: hold["status"] for id, hold in document.get("holds", {}).items()}
            state = document.get("state")
            if state and not sizes:
                # An assignment that is filled and reopened in between has told more, and stands where it stands.
                state = {name: value for name, value in state.items() if name not in Trailed.model_fields}
            found[f"{service}/{key}"] = (state, holds, document.get("closed"))
            if sizes:
                found[f"{service}/{key}"] += (told, applied)
        for id, shadow in (await town.shadows(service)).items():
            marks = shadow["marks"]
            found[f"{service}/shadow/{id}"] = (shadow["knowledge"], shadow["parked"], marks if sizes else sorted(marks))
    return found


def differing(one: Any, other: Any, place: str = "") -> list[str]:
    """The places at which the two differ, each with what stands there."""
    if one == other:
        return []
    if isinstance(one, dict) and isinstance(other, dict):
        names = sorted(one.keys() | other.keys())
        return [row for name in names for row in differing(one.get(name), other.get(name), f"{place}/{name}")]
    if isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [row for number, (a, b) in pairs for row in differing(a, b, f"{place}/{number}")]
    return [f"{place}: {one!r:.200} instead of {other!r:.200}"]


async def untouched(town: Town) -> dict[str, Any]:
    """Every document byte for byte."""
    found = {}
    for service in CONSUMING:
        found |= {f"{service}/{key}": document for key, document in (await town.documents(service)).items()}
    return found


async def test_the_history_ends_in_every_way_there_is(plain: Town) -> None:
    ends: dict[str, set[str]] = defaultdict(set)
    for service in CONSUMING:
        for key, document in (await plain.documents(service)).items():
            state = document.get("state") or {}
            ends[key.split("/")[0]].add(state.get("status", ""))
    assert ends["placements"] == {"completed", "refused", "cancelled", "no_show", "ended_early"}
    # Nothing waits for an answer that will never come.
    assert ends["matches"] >= {"accepted", "declined", "expired", "retracted", "not_selected"}
    assert "retracting" not in ends["matches"]
    assert ends["assignments"] >= {"filled", "cancelled"}


async def returned(town: Town) -> tuple[Story, str]:
    """A return that was completed, and its match; nothing of the completion has reached matching."""
    story = Story(town)
    await story.beginning()
    match = await story.declined_then_served_to_the_end()
    return story, match


async def state_of(town: Town, match: str) -> str:
    document = await town.stores["matching"].load("matches", match)
    assert document is not None
    return str(document["state"]["status"])


async def test_what_has_taken_place_is_not_taken_back() -> None:
    """Placement has no answer to a retraction of what is over, so nothing may ask for one."""
    async with Town("once") as town:
        story, match = await returned(town)
        await town.settle()
        path = f"/matching/v1/matches/{match}/retract"
        answer = await town.call("POST", path, {"reason": "family"}, "officer", OFFICE, "", "too-late")
        assert (answer.status_code, answer.json()["rule"]) == (409, "return_is_over")
        await story.withdraws("ben")
        await town.settle()
        assert await state_of(town, match) == "accepted"
        document = await town.stores["matching"].load("matches", match)
        assert document is not None
        path = f"/matching/v1/assignments/{document['state']['parties']['assignment']}/cancel"
        await town.do(path, {"reason": "host_withdrew"})
        await town.settle()
        assert await state_of(town, match) == "accepted"


async def test_a_withdrawal_that_overtakes_the_return_ends_the_same() -> None:
    async with Town("once") as town:
        story, match = await returned(town)
        await story.withdraws("ben")
        await town.deliver_topic("matching", "registration.persons")
        await town.settle()
        assert await state_of(town, match) == "accepted"


@pytest.mark.parametrize("seed", range(4))
async def test_twice_in_a_row_or_in_any_order_it_ends_the_same(plain: Town, seed: int) -> None:
    expected = await standing(plain, sizes=not seed)
    async with Town("mixed" if seed else "twice", seed) as town:
        await Story(town).tell()
        assert not (rows := differing(await standing(town, sizes=not seed), expected)), f"seed {seed}: {rows}"
        _every_handler(town, ran=1, delivered=2)


async def test_whole_topics_again_change_nothing(plain: Town) -> None:
    before, known = await untouched(plain), await standing(plain, sizes=True)
    everything = await plain.records()
    for again in (everything, everything[::-1], _doubled(everything)):
        for service in CONSUMING:
            topics = set(plain.services[service].replica.consumer.topics)
            for record in (one for one in again if one.topic in topics):
                await plain.deliver(service, record)
        await plain.settle()
        assert not (rows := differing(await untouched(plain), before)), rows
        assert not (rows := differing(await standing(plain, sizes=True), known)), rows


@pytest.mark.parametrize("seed", range(3))
async def test_who_forgot_all_about_others_learns_it_again(plain: Town, seed: int) -> None:
    """Positions at zero and no shadows: every handler runs again, on documents that have long moved on.

    A pool that was closed and opened again is so once more, and ends as it stood.
    """
    expected = await standing(plain, sizes=True)
    async with Town("mixed", 100 + seed) as town:
        await town.take_over(plain)
        await town.settle()
        assert not (rows := differing(await standing(town, sizes=True), expected)), f"seed {seed}: {rows}"
        _every_handler(town, ran=1, delivered=2)


async def test_the_owner_mends_a_profile_that_came_behind_a_newer_one(plain: Town) -> None:
    """The registration's only handler: it sees what stands last, and tells the current profile once more."""
    lanes: dict[bytes, list[Record]] = defaultdict(list)
    for record in await plain.records():
        if record.topic == PROFILES.name:
            lanes[record.key or b""].append(record)
    person, told = next((key, records) for key, records in lanes.items() if b"health" in (records[-1].value or b""))
    await plain.log.append(
        PROFILES.name, told[0].partition, [Message(person.decode(), told[0].value or b"", told[0].headers)]
    )
    await plain.settle()
    await plain.later(seconds=2)
    await plain.settle()
    theirs = [one for one in await plain.records() if one.topic == PROFILES.name and one.key == person]
    assert len(theirs) == len(told) + 2
    assert b"health" in (theirs[-1].value or b"")


def _every_handler(town: Town, *, ran: int, delivered: int) -> None:
    """Registration's one handler says what follows a stale record alone, which is a test of its own."""
    missing = [row for row in town.table() if town.delivered[row] < delivered]
    missing += [row for row in town.table() if town.ran[row] < ran and row[0] != "registration"]
    assert missing == []


def _doubled(records: list[Record]) -> list[Record]:
    return [record for record in records for _ in range(2)]


# Monitoring has no handlers but a follower: rows of each record, and facts of the set of them.


@pytest.mark.parametrize("seed", range(3))
async def test_the_read_model_does_not_depend_on_the_order(plain: Town, seed: int) -> None:
    model = ReadModel(None)
    await Follower(plain.log, model, plain.clock).catch_up()
    expected = model.digests()
    other, rng = ReadModel(None), random.Random(seed)
    ends = await plain.log.ends(list(Follower(plain.log, other, plain.clock).topics))
    applied: Counter[str] = Counter()
    while waiting := [p for p, end in ends.items() if (other.marks.get(p) or Mark()).next_offset < end]:
        position = rng.choice(waiting)
        mark = other.marks.get(position) or Mark()
        # From a little before where it stood, so that records come again.
        mark.next_offset = rng.randint(max(mark.next_offset - 5, 0), mark.next_offset)
        other.marks[position] = mark
        records = await plain.log.read(*position, mark.next_offset, rng.randint(6, 12))
        applied[position[0]] += len(records)
        apply_records(other, {position: records}, ends)
    assert other.digests() == expected
    assert sum(applied.values()) > sum(ends.values())
    model.close()
    other.close()
