"""People whom two letters do not describe, through the edges of all three services."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.clock import derived_id
from tests.e2e.edge_story import Story
from tests.e2e.edge_town import Town

DARI_AND_HAZARAGI = [
    {"language": "prs", "level": "C2"},
    {"language": "haz", "level": "C1"},
    {"language": "kri", "level": "A2"},
    {"language": "eng", "level": "B2"},
]


@pytest.fixture
async def story() -> AsyncIterator[Story]:
    async with Town("once") as town:
        story = Story(town)
        await story.beginning()
        yield story


async def attributes(story: Story, name: str) -> dict[str, Any]:
    seen = await story.town.get(f"/registration/v1/persons/{story.persons[name]}")
    found: dict[str, Any] = seen["profile"][-1]["attributes"]
    return found


async def test_a_speaker_of_hazaragi_with_two_nationalities_is_found_for_a_post_that_asks_for_it(story: Story) -> None:
    await story._expert("gul", languages=DARI_AND_HAZARAGI, nationality="AF", other_nationalities=["NL", "SU"])
    seen = await attributes(story, "gul")
    assert (seen["nationality"], seen["other_nationalities"]) == ("AF", ["NL", "SU"])
    # English has one code.
    assert [one["language"] for one in seen["languages"]] == ["prs", "haz", "kri", "en"]
    await story.town.settle()
    post = await story._assignment("interpreter", 0, 60, languages=[{"language": "haz", "level": "B2"}])
    for name in ("gul", "ben"):
        path, body = f"/matching/v1/assignments/{post}/applications", {"expert": story.experts[name]}
        await story.town.do(path, body, subject=f"for-{name}")
    await story.town.settle()
    await story.town.do(
        f"/matching/v1/assignments/{post}/shortlist", {"experts": [], "override_reason": "few_candidates"}
    )
    matches = [f"/matching/v1/matches/{derived_id(post, story.experts[name])}" for name in ("gul", "ben")]
    gul, ben = [await story.town.get(match) for match in matches]
    assert gul["state"] == "shortlisted"
    assert (ben["state"], ben["criteria"]) == ("not_selected", ["languages"])


async def test_the_stateless_and_those_from_a_state_that_is_gone_register_and_are_screened(story: Story) -> None:
    for name, nationality in (("ivo", "YU"), ("jan", "CS"), ("kim", "XXA"), ("lea", "XXB")):
        await story._expert(name, nationality=nationality)
        assert (await attributes(story, name))["nationality"] == nationality
        assert (await story.town.get(f"/registration/v1/experts/{story.experts[name]}"))["state"] == "eligible"


async def test_nobody_lives_in_a_state_that_is_gone(story: Story) -> None:
    body = {"attributes": await attributes(story, "ben") | {"country_of_residence": "CS"}, "valid_from": "2020-01-01"}
    path = f"/registration/v1/persons/{story.persons['ben']}/correct-profile"
    answer = await story.town.call("POST", path, body, "officer", "kabul", "", "residence")
    (error,) = answer.json()["errors"]
    assert answer.status_code == 422
    assert (error["pointer"], error["rule"]) == ("/attributes/country_of_residence", "country_unknown")
    assert "ISO 3166-1" in error["detail"]
    assert "CS" not in answer.text
