"""A placement goes with its match to another office, with its days and its calendar as they were."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.placement.app import build
from services.placement.store import CALENDARS, COLLECTIONS, PLACEMENTS, SHADOWS
from shared.contracts.matching.matches import MatchTransferred
from shared.replica import stored
from tests.unit.placement import arriving
from tests.unit.placement.arriving import DEFINITION, PERSON, WHEN, Arriving
from tests.unit.registration.serving import Serving

PATH = f"/placements/{arriving.placement()}"


@pytest.fixture
async def edge() -> AsyncIterator[Serving]:
    async with Serving("placement", stored(COLLECTIONS, SHADOWS), build) as serving:
        yield serving


async def test_a_placement_follows_its_match(edge: Serving) -> None:
    arrivals = Arriving(edge.log)
    await arrivals.append(arriving.definition(DEFINITION), *arriving.known(edge.account))
    # One that nobody accepted has no placement, and nothing follows.
    moved = MatchTransferred(
        happened_at=WHEN,
        office="tbilisi",
        left="kabul",
        time_zone="Asia/Tbilisi",
        after_epoch=1,
        after_sequence=3,
    )
    await arrivals.append((arriving.match(7), moved))
    await arrivals.append((arriving.match(), arriving.accepted("2027-05-01", "2027-08-01")))
    await edge.quiet()
    assert (await edge.post(f"{PATH}/take", "officer")).json()["taken_by"]
    calendar = await edge.store.load(CALENDARS.name, PERSON)
    await arrivals.append((arriving.match(), moved))
    await edge.quiet()
    assert edge.service.replica.consumer
    for record in await edge.topic("matching.matches"):
        await edge.service.replica.consumer.deliver(record)
    await edge.quiet()
    assert (await edge.get(PATH)).status_code == 404
    seen = (await edge.get(PATH, office="tbilisi")).json()
    assert (seen["parties"]["office"], seen["time_zone"], seen["taken_by"]) == ("tbilisi", "Asia/Tbilisi", None)
    assert seen["last_fact"]["fact"] == "PlacementOpened"
    assert await edge.store.load(CALENDARS.name, PERSON) == calendar
    timeline = (await edge.get(f"{PATH}/timeline", office="tbilisi")).json()["items"]
    assert [one["fact"] for one in timeline] == ["PlacementTransferred", "PlacementOpened"]
    assert "by" not in timeline[0]
    assert await edge.store.load(PLACEMENTS.name, arriving.placement(7)) is None
    listed = (await edge.get("/placements", office="tbilisi")).json()["items"]
    assert [one["id"] for one in listed] == [arriving.placement()]
    assert (await edge.get("/placements")).json()["items"] == []
