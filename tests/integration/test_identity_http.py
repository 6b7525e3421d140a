"""One account, two registrations under different names: nothing that was recorded first is written over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.registration.app import build
from services.registration.domain.examples import ATTRIBUTES, DEFINITION
from services.registration.store import COLLECTIONS, SHADOWS
from shared.replica import stored
from tests.integration.test_registration_http import decided, registration
from tests.unit.registration.serving import Serving

SECOND = "example-2"


@pytest.fixture
async def edge() -> AsyncIterator[Serving]:
    async with Serving("registration", stored(COLLECTIONS, SHADOWS), build) as serving:
        for code in (DEFINITION["code"], SECOND):
            await serving.post("/programmes", "administrator", {"definition": {**DEFINITION, "code": code}})

        async def known() -> bool:
            return {DEFINITION["code"], SECOND} <= set(serving.service.replica.definitions.codes())

        await serving.eventually(known)
        yield serving


async def registers(edge: Serving, **changes: Any) -> str:
    answer = await edge.post("/experts", "expert", registration(**changes), subject="me")
    assert (await decided(edge, answer.json(), role="expert", subject="me"))["status"] == "accepted"
    return str(answer.json()["subject"])


async def told(edge: Serving, expert: str) -> tuple[dict[str, Any], dict[str, Any]]:
    seen = (await edge.get(f"/experts/{expert}")).json()
    return seen, (await edge.get(f"/persons/{seen['person']}", "expert", subject="me")).json()


@pytest.mark.parametrize(
    "changes", [{"given_name": "Somebody", "family_name": "Else"}, {"attributes": {**ATTRIBUTES, "birth_year": 1965}}]
)
async def test_another_name_or_year_of_birth_writes_nothing_over_and_is_flagged(
    edge: Serving, changes: dict[str, Any]
) -> None:
    first = await registers(edge)
    second = await registers(edge, programme=SECOND, document=None, **changes)
    one, person = await told(edge, first)
    other, _ = await told(edge, second)
    assert (person["given_name"], person["family_name"]) == ("Given", "Family")
    assert one["person"] == other["person"]
    assert (one["identity_differs"], other["identity_differs"]) == (False, True)
    # The flag is for officers; the person's own view has none.
    assert "identity_differs" not in (await edge.get(f"/experts/{second}", "expert", subject="me")).json()
    assert {entry["attributes"]["birth_year"] for entry in person["profile"]} == {1971}


async def test_the_same_person_in_another_spelling_is_the_same(edge: Serving) -> None:
    await registers(edge)
    spelt = {"given_name": "FAMILY", "family_name": "given"}
    second = await registers(edge, programme=SECOND, document=None, **spelt)
    assert (await told(edge, second))[0]["identity_differs"] is False
