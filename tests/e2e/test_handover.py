"""Accounts are handed over: the new one sees and does in every service what the old one did, which loses all of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.clock import derived_id
from shared.identity.roles import Role
from tests.e2e.edge_story import Story
from tests.e2e.edge_town import Town
from tests.e2e.edge_world import ATTRIBUTES, OFFICE, PROGRAMME


@pytest.fixture
async def story() -> AsyncIterator[Story]:
    async with Town("once") as town:
        story = Story(town)
        await story.beginning()
        yield story


async def listed(story: Story, path: str, role: Role, subject: str) -> list[str]:
    answer = await story.town.call("GET", path, None, role, None, subject, "none")
    assert answer.is_success, answer.text
    return [one["id"] for one in answer.json()["items"]]


async def assign(story: Story, case: str, account: str, reason: str, key: str, **how: Any) -> Any:
    path, body = f"/registration/v1/{case}/assign-account", {"account": account, "reason": reason}
    office, subject = how.get("office", OFFICE), how.get("subject", "maker")
    return await story.town.call("POST", path, body, "officer", office, subject, key)


async def test_a_host_whose_contact_person_leaves_goes_on_under_the_new_one(story: Story) -> None:
    assignment = await story._assignment("first", 0, 60)
    match = derived_id(assignment, story.experts["ben"])
    await story.town.do(f"/matching/v1/assignments/{assignment}/shortlist", _only(story.experts["ben"]))
    await story._match(match, "allocate", "offer", "accept")
    await story.town.settle()
    placement = derived_id(match, "placement")
    seen = {
        "/registration/v1/institutions": [story.host],
        "/matching/v1/assignments": [assignment],
        "/placement/v1/placements": [placement],
    }
    for path, ids in seen.items():
        assert await listed(story, path, "host", "host") == ids
    answer = await assign(story, f"institutions/{story.host}", "successor", "contact_left", "k")
    assert (answer.status_code, answer.json()["state"]) == (200, "active")
    again = await assign(story, f"institutions/{story.host}", "successor", "contact_left", "k")
    assert again.headers["etag"] == answer.headers["etag"]
    await story.town.settle()
    for path, ids in seen.items():
        assert await listed(story, path, "host", "successor") == ids
        assert await listed(story, path, "host", "host") == []


def _only(expert: str) -> dict[str, Any]:
    return {"experts": [expert], "override_reason": "few_candidates"}


async def test_whom_an_officer_registered_signs_in_and_sees_the_own_case(story: Story) -> None:
    expert, person = story.experts["ben"], story.persons["ben"]
    _, match = await story._shortlisted("first", 0, 60, "ben")
    await story._match(match, "allocate", "offer")
    await story.town.settle()
    assert await listed(story, "/registration/v1/experts", "expert", "ben") == []
    assert (await assign(story, f"persons/{person}", "ben", "first_sign_in", "k")).status_code == 200
    await story.town.settle()
    assert await listed(story, "/registration/v1/experts", "expert", "ben") == [expert]
    accepted = await story.town.call("POST", f"/matching/v1/matches/{match}/accept", {}, "expert", None, "ben", "a")
    assert accepted.json()["state"] == "accepted"
    await story.town.settle()
    assert await listed(story, "/placement/v1/placements", "expert", "ben") == [derived_id(match, "placement")]
    # Who signs in as that person registers as that person: not as another one beside it.
    again = await story.town.call("POST", "/registration/v1/experts", _registration(), "expert", None, "ben", "r")
    assert (again.status_code, again.json()["rule"]) == (409, "already_registered")


def _registration() -> dict[str, Any]:
    person = {"given_name": "Ben", "family_name": "B", "attributes": ATTRIBUTES, "valid_from": "2020-01-01"}
    return {"programme": PROGRAMME, "office": OFFICE, "person": person, "consents": ["placement"]}


async def test_an_account_that_was_handed_over_stands_for_nobody(story: Story) -> None:
    assert await listed(story, "/registration/v1/experts", "expert", "ada") == [story.experts["ada"]]
    assert (await assign(story, f"persons/{story.persons['ada']}", "ada2", "sign_in_lost", "k")).status_code == 200
    await story.town.settle()
    assert await listed(story, "/registration/v1/experts", "expert", "ada") == []
    assert await listed(story, "/registration/v1/experts", "expert", "ada2") == [story.experts["ada"]]
    assert await listed(story, "/matching/v1/matches", "expert", "ada") == []
    again = await story.town.call("POST", "/registration/v1/experts", _registration(), "expert", None, "ada", "r")
    assert (again.status_code, again.json()["rule"]) == (409, "account_handed_over")


async def test_an_account_is_assigned_by_the_office_alone_and_never_to_oneself_or_twice(story: Story) -> None:
    ben, host = f"persons/{story.persons['ben']}", f"institutions/{story.host}"
    for case, reason in ((ben, "first_sign_in"), (host, "contact_left")):
        own = await assign(story, case, "maker", reason, "own")
        assert (own.status_code, own.json()["errors"]) == (
            422,
            [{"pointer": "/account", "rule": "account_is_the_callers"}],
        )
        assert (await assign(story, case, "x", reason, "other", office="herat")).status_code == 404
        unlisted = await assign(story, case, "x", "because", "unlisted")
        assert (unlisted.status_code, unlisted.json()["rule"]) == (422, "code_not_listed")
    held = await assign(story, ben, "ada", "first_sign_in", "held")
    assert (held.status_code, held.json()["rule"]) == (409, "account_held_elsewhere")
    held = await assign(story, host, "other", "contact_left", "held")
    assert (held.status_code, held.json()["rule"]) == (409, "account_held_elsewhere")
    same = await assign(story, host, "host", "contact_left", "same")
    assert (same.status_code, same.json()["rule"]) == (409, "account_unchanged")
