"""What somebody sees of today: their own cases with where these stand, or the lists of the office."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from services.registration.app import build
from services.registration.domain.examples import DEFINITION
from services.registration.store import COLLECTIONS, SHADOWS
from shared.replica import stored
from shared.web.pages import yours
from tests.integration.test_registration_http import decided, registration
from tests.unit.pages.test_cases import Office
from tests.unit.registration.serving import Serving
from tests.unit.registration.test_entrance import hidden

pytestmark = pytest.mark.asyncio(loop_scope="module")
TODAY = "/registration/today"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office() -> AsyncIterator[Office]:
    async with Serving("registration", stored(COLLECTIONS, SHADOWS), build) as serving:
        await serving.publish(DEFINITION)
        one = Office(serving)
        yield one
        await one.http.aclose()


def cards(page: str) -> dict[str, str]:
    """What the page says of each case, by its address."""
    found = re.findall(r'<li>\s*<h3><a href="([^"]+)"(.*?)</li>', page, re.DOTALL)
    return {address: text for address, text in found}


async def applied(serving: Serving, subject: str, **changes: Any) -> str:
    """Expert id of somebody who applied alone."""
    receipt = (await serving.post("/experts", "expert", registration(**changes), subject=subject)).json()
    assert (await decided(serving, receipt))["status"] == "accepted"
    return str(receipt["subject"])


async def test_an_expert_sees_where_the_own_case_stands_and_what_to_do_when_it_is_their_turn(office: Office) -> None:
    expert = await applied(office.serving, "hers")
    address, account = f"/registration/experts/{expert}", office.serving.account("hers")
    async with office.browser("expert", account=account) as http:
        page = cards((await http.get(TODAY)).text)
        assert set(page) == {address}
        assert "Being checked" in page[address]
        assert "Waits for</dt><dd>Programme office" in page[address]
        assert 'class="button"' not in page[address]
        asked = {"items": ["diploma"], "note": "A copy will do"}
        assert (await office.serving.post(f"/experts/{expert}/request-info", "officer", asked)).status_code == 200
        page = cards((await http.get(TODAY)).text)
        assert next(iter(page)) == address
        assert "Waits for</dt><dd>You" in page[address]
        assert f'class="button" href="{address}/provide-info"' in page[address]
        # Asked for, and answered, on one page: what, in whose words, and the way to files.
        for page_of_it in (address, f"{address}/provide-info"):
            text = (await http.get(page_of_it)).text
            asks = text[text.index("What is asked") :]
            assert re.search(r"<dd>\s*Diploma", asks), page_of_it
            assert "A copy will do" in asks, page_of_it
            assert f'href="{address}/files"' in asks, page_of_it
        form = (await http.get(f"{address}/provide-info")).text
        given = registration()["person"]["attributes"]
        assert re.search(rf'value="{given["nationality"]}" selected', form), "it begins with what is recorded"
        person = (await office.serving.get(f"/experts/{expert}", "expert", subject="hers")).json()["person"]
        again = (await http.get(f"/registration/persons/{person}/correct-profile")).text
        assert re.search(rf'value="{given["nationality"]}" selected', again)
        asked_anew = await http.get(f"{address}/provide-info")
        said = {"csrf": hidden(asked_anew), "idempotency-key": "k", "version": hidden(asked_anew, "version")}
        nothing = await http.post(f"{address}/provide-info", data=said)
        assert (nothing.status_code, "Nothing was added yet" in nothing.text) == (422, True)
        for back, there in (("/matching/vacancies", True), ("//elsewhere.example", False), ("https:x", False)):
            form = (await http.get(f"{address}/provide-info", params={"back": back})).text
            assert (f'name="back" value="{back}"' in form) is there
    async with office.browser("expert", account=office.serving.account("another")) as stranger:
        assert expert[:8] not in (await stranger.get(TODAY)).text


async def test_more_than_fit_stand_in_their_list(monkeypatch: pytest.MonkeyPatch, office: Office) -> None:
    monkeypatch.setattr(yours, "CARDS_AT_MOST", 1)
    await office.serving.publish({**DEFINITION, "code": "example-2"})
    for programme in (DEFINITION["code"], "example-2"):
        await applied(office.serving, "many", programme=programme)
    async with office.browser("expert", account=office.serving.account("many")) as http:
        page = (await http.get(TODAY)).text
    assert len(cards(page)) == 1
    assert '<a href="/registration/experts" target="_top">All of yours: Experts</a>' in page


async def test_an_office_has_its_lists_and_a_role_without_any_is_shown_no_empty_room(office: Office) -> None:
    async with office.browser("officer") as officer, office.browser("evaluator") as evaluator:
        page = (await officer.get(TODAY)).text
        assert re.findall(r'<li><a href="/registration/([a-z]+)" target="_top">', page)[:3] == [
            "programmes",
            "persons",
            "experts",
        ]
        assert 'class="part none"' not in page
        assert 'class="part none"' in (await evaluator.get(TODAY)).text


async def test_whoever_comes_for_an_institution_is_led_to_what_they_may_begin(office: Office) -> None:
    link = '<a href="/registration/institutions/new/create" target="_top">Create: Host institution</a>'
    async with (
        office.browser("host", account=office.serving.account("new")) as host,
        office.browser("officer") as other,
    ):
        assert link in (await host.get(TODAY)).text
        assert (await host.get("/registration/institutions/new/create")).status_code == 200
        assert link not in (await other.get(TODAY)).text


async def test_a_programme_that_is_over_is_offered_to_those_alone_who_may_record_late(office: Office) -> None:
    dates = {"starts": DEFINITION["dates"]["starts"], "ends": "2020-01-01"}
    await office.serving.publish({**DEFINITION, "code": "example-over", "dates": dates})
    path = "/registration/experts/new/create"
    async with (
        office.browser("expert", account=office.serving.account("late")) as expert,
        office.browser("officer") as officer,
    ):
        for reader, offered in ((expert, False), (officer, True)):
            form = (await reader.get(path)).text
            assert f'value="{DEFINITION["code"]}"' in form
            assert ('value="example-over"' in form) is offered
