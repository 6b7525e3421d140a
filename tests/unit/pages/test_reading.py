"""What a case's page and its JSON tell of it: where it stands, what happened, what is not possible and why."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from services.registration.app import build
from services.registration.domain.examples import DEFINITION
from services.registration.domain.institutions import INSTITUTION as INSTITUTION_CASE
from services.registration.store import COLLECTIONS, SHADOWS
from shared.clock import text_of
from shared.replica import stored
from tests.integration.test_registration_http import registered
from tests.unit.pages.test_cases import HOST, INSTITUTION, Office
from tests.unit.registration.serving import Serving

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office() -> AsyncIterator[Office]:
    async with Serving("registration", stored(COLLECTIONS, SHADOWS), build) as serving:
        one = Office(serving)
        yield one
        await one.http.aclose()


def happened(page: str) -> list[str]:
    """The names of what happened, as the page has them, newest first."""
    past = page.rpartition('<ol class="past"')[2]
    return re.findall(r"<strong>([^<]*)</strong>", past)


async def test_a_case_tells_what_happened_once_with_both_times_and_by_whom(office: Office) -> None:
    now = office.serving.clock.now()
    id = await office.institution(account=HOST, happened_at=text_of(now - timedelta(days=2)))
    late = {"happened_at": text_of(now - timedelta(days=1))}
    for _ in range(2):
        assert (await office.serving.post(f"/institutions/{id}/assess", "officer", late, key="once")).status_code == 200
    assert (await office.serving.post(f"/institutions/{id}/accept-partner", "officer")).status_code == 200
    told = (await office.serving.get(f"/institutions/{id}/timeline")).json()
    assert told["next"] is None
    assert [(one["fact"], one.get("before"), one["state"], one["by"], one["office"]) for one in told["items"]] == [
        ("InstitutionBecamePartner", "assessed", "partner", "officer", "kabul"),
        ("InstitutionAssessed", "proposed", "assessed", "officer", "kabul"),
        ("InstitutionRegistered", None, "proposed", "officer", "kabul"),
    ]
    assert told["items"][1]["at"] == late["happened_at"]
    assert ["recorded_at" in one for one in told["items"]] == [False, True, True]
    page = (await office.http.get(f"{INSTITUTION}/{id}")).text
    names = ["Institution accepted as partner", "Institution assessed", "Institution registered"]
    assert (happened(page), page.count("Recorded later")) == (names, 2)
    # To the host, whoever works for the office is the office, and which one is no news.
    seen = (await office.serving.get(f"/institutions/{id}/timeline", "host", subject=HOST)).json()["items"]
    assert [(one["by"], "office" in one) for one in seen] == [("office", False)] * 3
    async with office.browser("host", account=office.serving.account(HOST)) as host:
        page = (await host.get(f"{INSTITUTION}/{id}")).text
    assert "Programme office" not in page.rpartition('<ol class="past"')[2]


async def test_a_timeline_is_told_page_by_page_to_those_who_may_read_the_case(office: Office) -> None:
    id, other = await office.institution(), await office.institution()
    for verb in ("assess", "accept-partner", "activate"):
        await office.serving.post(f"/institutions/{id}/{verb}", "officer", {})
    path, facts, after = f"/institutions/{id}/timeline", list[str](), ""
    for _ in range(4):
        told = (await office.serving.get(f"{path}?limit=1{after}")).json()
        facts += [one["fact"] for one in told["items"]]
        after = f"&after={told['next']}"
    assert told["next"] is None
    assert facts == [f"Institution{what}" for what in ("Activated", "BecamePartner", "Assessed", "Registered")]
    cursor = (await office.serving.get(f"{path}?limit=1")).json()["next"]
    for wrong in (
        f"/institutions/{other}/timeline?after={cursor}",
        f"{path}?after=x",
        f"{path}?limit=0",
        f"{path}?x=1",
    ):
        assert (await office.serving.get(wrong)).status_code == 422, wrong
    whole = await office.http.get(f"{INSTITUTION}/{id}/timeline")
    assert len(happened(whole.text)) == 4
    assert (await office.http.get(f"{INSTITUTION}/{id}/timeline?after=x")).status_code == 422
    async with office.browser(office="sarajevo") as stranger, office.browser("evaluator") as evaluator:
        assert (await stranger.get(f"{INSTITUTION}/{id}/timeline")).status_code == 404
        assert (await evaluator.get(f"{INSTITUTION}/{id}/timeline")).status_code == 403
    assert (await office.serving.get(path, office="sarajevo")).status_code == 404


async def test_a_page_says_since_when_the_case_waits_for_whom_and_why_the_rest_is_shut(office: Office) -> None:
    id = await office.institution(account="waits@example.org")
    page = (await office.http.get(f"{INSTITUTION}/{id}")).text
    header = page.partition('<dl class="words head">')[2].partition("</dl>")[0]
    assert re.search(r"since <time datetime=", header)
    assert re.search(r"Waits for</dt><dd>Programme office <bdi>", header)
    assert "version" not in header
    shut = dict(re.findall(r'<span class="shut">([^<]*)</span> ([^<]*)<', page))
    told = (await office.serving.get(f"/institutions/{id}")).json()["open"]
    rows = INSTITUTION_CASE.rows
    verbs = [verb for verb in INSTITUTION_CASE.verbs if rows[verb][0].by.get("officer") == "office"]
    assert len(shut) + len(told) == len([verb for verb in verbs if not INSTITUTION_CASE.rows[verb][0].opens])
    assert shut["Activate"].startswith("Possible in the status: ")
    for verb in ("assess", "accept-partner", "activate"):
        await office.serving.post(f"/institutions/{id}/{verb}", "officer")
    active = (await office.http.get(f"{INSTITUTION}/{id}")).text
    assert ("Nobody: it goes on" in active, "Nobody: it is over" in active) == (True, False)
    await office.serving.post(f"/institutions/{id}/close", "officer", {"reason": "merged"})
    page = (await office.http.get(f"{INSTITUTION}/{id}")).text
    assert "Nobody: it is over" in page
    assert 'class="tag ended"' in page


async def test_notes_and_messages_stand_apart(office: Office) -> None:
    serving = office.serving
    await serving.publish(DEFINITION)
    expert, _ = await registered(serving)
    asked = {"items": ["diploma"], "note": "Zqanary: both sides, please"}
    assert (await serving.post(f"/experts/{expert}/request-info", "officer", asked)).status_code == 200
    held = {"reason": "unreachable", "note": "Zqanary: call the cousin"}
    assert (await serving.post(f"/experts/{expert}/suspend", "officer", held)).status_code == 200
    page = (await office.http.get(f"/registration/experts/{expert}")).text
    boxes = dict(re.findall(r"<h2>([^<]*)</h2>\s*<ul class=\"past\">(.*?)</ul>", page, re.DOTALL))
    assert set(boxes) == {"Messages", "Notes for the office"}
    assert ("both sides" in boxes["Messages"], "read by: Expert" in boxes["Messages"]) == (True, True)
    assert ("cousin" in boxes["Notes for the office"], boxes["Notes for the office"].count("Zqanary")) == (True, 1)
    # What happened tells of neither.
    assert "Zqanary" not in (await serving.get(f"/experts/{expert}/timeline")).text
