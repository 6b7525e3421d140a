"""A profile that changes under a decision, through the edges of all three services."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.e2e.edge_story import Story
from tests.e2e.edge_town import Town
from tests.e2e.edge_world import OFFICE


@pytest.fixture
async def story() -> AsyncIterator[Story]:
    async with Town("once") as town:
        story = Story(town)
        await story.beginning()
        yield story


async def expert(story: Story, name: str) -> dict[str, Any]:
    return await story.town.get(f"/registration/v1/experts/{story.experts[name]}")


async def offered(story: Story, match: str, key: str) -> Any:
    path = f"/matching/v1/matches/{match}/offer"
    return await story.town.call("POST", path, {}, "officer", OFFICE, "", key)


async def test_whoever_no_longer_meets_a_criterion_is_screened_anew_and_offered_nothing(story: Story) -> None:
    _, ben, cy = await story._shortlisted("first", 0, 60, "ben", "cy")
    await story._match(ben, "allocate")
    await story.town.settle()
    await story.corrected("ben", education=2)
    seen = await expert(story, "ben")
    assert (seen["state"], seen["reason"]) == ("screening", "profile_changed")
    answer = await offered(story, ben, "one")
    assert (answer.status_code, answer.json()["rule"]) == (409, "expert_screening")
    await story.town.do(f"/registration/v1/experts/{story.experts['ben']}/screen", subject="again")
    await story.town.settle()
    assert (await expert(story, "ben"))["state"] == "ineligible"
    stopped = await story.town.get(f"/matching/v1/matches/{ben}")
    assert (stopped["state"], stopped["reason"]) == ("retracted", "expert_ineligible")
    # The seat is free for whoever follows.
    await story._match(cy, "allocate", "offer")


async def test_a_mistake_that_is_corrected_is_screened_anew(story: Story) -> None:
    assert (await expert(story, "fay"))["state"] == "ineligible"
    await story.corrected("fay", education=3)
    assert (await expert(story, "fay"))["state"] == "ineligible"
    await story.corrected("fay", education=7)
    assert (await expert(story, "fay"))["state"] == "screening"


async def test_after_an_offer_the_case_is_flagged_and_screened_once_it_is_over(story: Story) -> None:
    _, ben = await story._shortlisted("first", 0, 60, "ben")
    await story._match(ben, "allocate", "offer")
    await story.town.settle()
    await story.corrected("ben", education=2)
    seen = await expert(story, "ben")
    assert (seen["state"], seen["failing"]) == ("eligible", ["education"])
    listed = (await story.town.get("/registration/v1/experts"))["items"]
    assert [one["id"] for one in listed if one["failing"]] == [story.experts["ben"]]
    await story._match(ben, "decline")
    await story.town.settle()
    seen = await expert(story, "ben")
    assert (seen["state"], seen["failing"]) == ("screening", [])


async def test_what_does_not_turn_the_decision_leaves_the_case_alone(story: Story) -> None:
    await story.corrected("ben", education=8, occupation="2310")
    assert (await expert(story, "ben"))["state"] == "eligible"


async def test_a_return_that_is_over_keeps_no_decision_standing(story: Story) -> None:
    await story.declined_then_served_to_the_end()
    await story.town.settle()
    await story.corrected("ben", education=2)
    assert (await expert(story, "ben"))["state"] == "screening"


async def test_a_suspension_that_ends_looks_at_the_profile(story: Story) -> None:
    path = f"/registration/v1/experts/{story.experts['ben']}"
    await story.town.do(f"{path}/suspend", {"reason": "unreachable"})
    await story.corrected("ben", education=2)
    assert (await expert(story, "ben"))["state"] == "suspended"
    await story.town.do(f"{path}/reinstate")
    await story.town.settle()
    assert (await expert(story, "ben"))["state"] == "screening"
