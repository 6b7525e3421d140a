"""Decisions on an expert are looked at again, through the public edge: screened again, appealed, dismissed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from services.registration.app import build
from services.registration.domain.examples import ATTRIBUTES, DEFINITION
from services.registration.store import COLLECTIONS, SHADOWS
from shared.clock import instant_of, text_of
from shared.replica import stored
from tests.integration.test_registration_http import decided, registration
from tests.unit.pages.test_cases import Office, held
from tests.unit.registration.serving import Serving

CANARY = "Zqanary wrote this"
LOW = {**ATTRIBUTES, "education": 3}
APPEAL = {"ground": "facts", "note": CANARY}
FOUND = {"reason": "facts_established"}


@pytest.fixture
async def edge() -> AsyncIterator[Serving]:
    async with Serving("registration", stored(COLLECTIONS, SHADOWS), build) as serving:
        definition = {**DEFINITION, "selection": {**DEFINITION["selection"], "appeals": {"within_days": 10}}}
        await serving.publish(definition)
        yield serving


async def person(edge: Serving) -> str:
    """The expert that somebody registered for herself, who lacks the education."""
    answer = await edge.post("/experts", "expert", registration(attributes=LOW), subject="me")
    await decided(edge, answer.json(), role="expert", subject="me")
    return str(answer.json()["subject"])


async def ineligible(edge: Serving) -> str:
    expert = await person(edge)
    answer = await edge.post(f"/experts/{expert}/screen", "officer", subject="first")
    assert answer.json()["state"] == "ineligible"
    return expert


async def told(edge: Serving) -> list[str]:
    await edge.quiet()
    records = await edge.topic("registration.experts")
    assert all(CANARY.encode() not in (record.value or b"") for record in records)
    return [dict(record.headers)["ce_type"].rsplit(b".", 1)[1].decode() for record in records]


async def test_a_mistake_is_screened_again_and_both_decisions_stay(edge: Serving) -> None:
    expert = await ineligible(edge)
    seen = (await edge.get(f"/experts/{expert}", "expert", subject="me")).json()
    assert seen["open"] == ["appeal"]
    again = await edge.post(f"/experts/{expert}/screen-again", "officer", {"reason": "mistaken_entry"})
    assert (again.json()["state"], again.json()["reason"]) == ("screening", "mistaken_entry")
    corrected = {"attributes": ATTRIBUTES, "valid_from": "2007-03-05"}
    assert (await edge.post(f"/persons/{seen['person']}/correct-profile", "officer", corrected)).status_code == 200
    assert (await edge.post(f"/experts/{expert}/screen", "officer")).json()["state"] == "eligible"
    assert await told(edge) == [
        "ExpertRegistered",
        "ExpertDeclaredIneligible",
        "ExpertScreeningReopened",
        "ExpertDeclaredEligible",
    ]


async def test_an_appeal_is_decided_by_another_officer_and_told(edge: Serving) -> None:
    expert = await ineligible(edge)
    path = f"/experts/{expert}"
    assert (await edge.post(f"{path}/appeal", "expert", APPEAL, subject="somebody-else")).status_code == 404
    filed = await edge.post(f"{path}/appeal", "expert", APPEAL, subject="me", key="k")
    assert (filed.status_code, filed.json()["state"], filed.json()["appeal"]["outcome"]) == (200, "appealed", "pending")
    again = await edge.post(f"{path}/appeal", "expert", APPEAL, subject="me", key="k")
    assert again.headers["etag"] == filed.headers["etag"]
    for verb in ("uphold-appeal", "dismiss-appeal"):
        own = await edge.post(f"{path}/{verb}", "officer", FOUND, subject="first")
        assert (own.status_code, own.json()["rule"]) == (409, "four_eyes")
    assert "uphold-appeal" not in (await edge.get(path, "officer", subject="first")).json()["open"]
    async with Office(edge).browser(account=edge.account("first")) as http:
        page = await http.get(f"/registration{path}/uphold-appeal")
        answered = await http.post(
            f"/registration{path}/uphold-appeal", data={**held(page), "/reason": FOUND["reason"]}
        )
    for one, status in ((page, 200), (answered, 409)):
        assert (one.status_code, one.text.count("Somebody else has to decide")) == (status, 1)
        assert "not possible in the present status" not in one.text
    read = (await edge.get(path, "officer", subject="second")).json()
    assert [one["text"] for one in read["notes"]] == [CANARY]
    assert {"uphold-appeal", "dismiss-appeal"} <= set(read["open"])
    assert CANARY not in (await edge.get(path, "protection")).text
    assert CANARY not in str((await edge.get("/experts", "officer")).json())
    assert CANARY not in str(await edge.store.load("experts", expert))
    upheld = await edge.post(f"{path}/uphold-appeal", "officer", {**FOUND, "note": "You were right."}, subject="second")
    assert upheld.json()["state"] == "screening"
    mine = (await edge.get(path, "expert", subject="me")).json()
    assert (mine["appeal"]["outcome"], mine["appeal"]["against"]) == ("upheld", "ineligible")
    assert [one["text"] for one in mine["notes"]] == [CANARY, "You were right."]
    assert (await told(edge))[-2:] == ["ExpertAppealed", "AppealUpheld"]


async def test_a_dismissed_appeal_stands_until_there_is_a_reason(edge: Serving) -> None:
    expert = await person(edge)
    path = f"/experts/{expert}"
    await edge.post(f"{path}/suspend", "officer", {"reason": "unreachable"}, subject="first")
    await edge.post(f"{path}/appeal", "expert", APPEAL, subject="me")
    dismissed = await edge.post(f"{path}/dismiss-appeal", "officer", FOUND, subject="second")
    assert (dismissed.json()["state"], dismissed.json()["appeal"]["outcome"]) == ("dismissed", "dismissed")
    second = await edge.post(f"{path}/appeal", "expert", APPEAL, subject="me")
    assert (second.status_code, second.json()["rule"]) == (409, "illegal_transition")
    again = await edge.post(f"{path}/screen-again", "officer", {"reason": "new_evidence"})
    assert again.json()["state"] == "screening"


async def test_an_appeal_that_comes_too_late_is_refused(edge: Serving) -> None:
    expert = await ineligible(edge)
    path = f"/experts/{expert}"
    until = instant_of((await edge.get(path, "expert", subject="me")).json()["appeal_until"])
    assert timedelta(days=9) < until - edge.clock.now() <= timedelta(days=11)
    edge.clock.ahead = until - edge.clock.now() + timedelta(seconds=1)
    late = await edge.post(f"{path}/appeal", "expert", APPEAL, subject="me")
    assert (late.status_code, late.json()["rule"]) == (409, "appeal_too_late")
    assert "an officer may screen again" in late.json()["detail"]


async def test_a_decision_that_is_recorded_late_may_be_appealed_from_its_recording_on(edge: Serving) -> None:
    """Nobody was told of it before, however long ago it was made."""
    expert = await person(edge)
    path = f"/experts/{expert}"
    edge.clock.ahead = timedelta(days=90)
    long_ago = text_of(edge.clock.now() - timedelta(days=60))
    suspended = await edge.post(f"{path}/suspend", "officer", {"reason": "unreachable", "happened_at": long_ago})
    assert suspended.status_code == 200, suspended.text
    seen = (await edge.get(path, "expert", subject="me")).json()
    assert "appeal" in seen["open"]
    assert timedelta(days=9) < instant_of(seen["appeal_until"]) - edge.clock.now() <= timedelta(days=11)
    appealed = await edge.post(f"{path}/appeal", "expert", APPEAL, subject="me")
    assert (appealed.status_code, appealed.json()["state"]) == (200, "appealed")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"ground": "rain", "note": "x"}, "/ground"),
        ({"ground": "facts", "note": " "}, "/note"),
        ({"ground": "facts", "note": "x" * 2001}, "/note"),
        ({"ground": "facts", "note": "a\u0007b"}, "/note"),
        ({"ground": "facts"}, "/note"),
    ],
)
async def test_an_appeal_names_a_ground_and_says_why(edge: Serving, body: dict[str, Any], pointer: str) -> None:
    expert = await ineligible(edge)
    answer = await edge.post(f"/experts/{expert}/appeal", "expert", body, subject="me")
    assert (answer.status_code, [row["pointer"] for row in answer.json()["errors"]]) == (422, [pointer])
