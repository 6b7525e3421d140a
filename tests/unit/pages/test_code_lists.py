"""Lists of standards: with their page for a browser without script, apart from it for one that fills them in."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html import unescape

import pytest
import pytest_asyncio

from services.registration.app import build
from services.registration.store import COLLECTIONS, SHADOWS
from shared.replica import stored
from shared.web.pages.code_lists import COOKIE
from shared.web.pages.forms import WHOLE
from shared.web.pages.languages import LANGUAGES
from tests.unit.pages.test_cases import INSTITUTION, Office, held
from tests.unit.registration.serving import Serving

pytestmark = pytest.mark.asyncio(loop_scope="module")
COUNTRY = re.compile(r'<select id="f-country" name="/country"[^>]*>(.*?)</select>', re.DOTALL)
FORM = f"{INSTITUTION}/new/create"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office() -> AsyncIterator[Office]:
    async with Serving("registration", stored(COLLECTIONS, SHADOWS), build) as serving:
        one = Office(serving)
        yield one
        await one.http.aclose()


def choices(page: str) -> list[tuple[str, str]]:
    found = COUNTRY.search(page)
    assert found, page
    options = re.findall(r'<option value="([^"]*)"[^>]*>(.*?)</option>', found[1])
    return [(code, unescape(words)) for code, words in options]


def running(http: object) -> dict[str, str]:
    return {"cookie": f"{http.headers['cookie']}; {COOKIE}=1"}  # type: ignore[attr-defined]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_file_has_what_the_page_has_for_a_browser_without_script(office: Office, language: str) -> None:
    whole = (await office.http.get(f"{FORM}?lang={language}")).text
    short = (await office.http.get(f"{FORM}?lang={language}", headers=running(office.http))).text
    assert "data-list" not in whole
    assert [code for code, _ in choices(short)] == [""]
    (address,) = set(re.findall(r'data-lists="([^"]*)"', short))
    answer = await office.http.get(address, headers={"accept-encoding": "gzip"})
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert [tuple(one) for one in answer.json()["countries"]] == choices(whole)[1:]
    assert (await office.http.get(address.replace("lists-", "lists-x"))).status_code == 404


async def test_what_was_chosen_stays_and_whole_lists_come_back_at_a_press(office: Office) -> None:
    page = await office.http.get(FORM, headers=running(office.http))
    sent = {**held(page), "/country": "AF", "/name": "Kolej <i>"}
    refused = await office.http.post(FORM, data=sent, headers=running(office.http))
    assert (refused.status_code, choices(refused.text)[1:]) == (422, [("AF", "Afghanistan")])
    (pressed,) = re.findall(r'<button[^>]*name="whole"[^>]*formaction="([^"#]*)#f-country"', refused.text)
    shown = await office.http.post(f"{FORM}{pressed}", data={**sent, WHOLE: "1"}, headers=running(office.http))
    assert (shown.status_code, len(choices(shown.text)) > 200) == (200, True)
    assert 'value="AF" selected' in shown.text
    assert 'value="Kolej &lt;i&gt;"' in shown.text
    # Nothing was sent yet, and the browser is taken for one that fills nothing in.
    assert f'{COOKIE}=""' in shown.headers["set-cookie"]
    assert (await office.http.get(INSTITUTION)).text.count('<th scope="row">') == 0
