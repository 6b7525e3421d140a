"""A list whose address asks wrongly, or whose form was sent without something: the page itself says so at its field."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.registration.app import build
from services.registration.store import COLLECTIONS, SHADOWS
from shared.replica import stored
from shared.web.together import CASES_AT_MOST
from tests.unit.pages.test_bulk import cases, look
from tests.unit.pages.test_cases import INSTITUTION, Office, held
from tests.unit.registration.serving import Serving

pytestmark = pytest.mark.asyncio(loop_scope="module")
HTML = {"accept": "text/html"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office() -> AsyncIterator[Office]:
    async with Serving("registration", stored(COLLECTIONS, SHADOWS), build) as serving:
        one = Office(serving)
        yield one
        await one.http.aclose()


async def test_what_was_chosen_stays_where_the_verb_is_missing(office: Office) -> None:
    ids = await cases(office, 4)
    page = await look(office, "", ids)
    assert (page.status_code, "<title>Error:" in page.text) == (422, True)
    ticked = re.findall(r'name="case" value="([^"]*)" checked', page.text)
    elsewhere = re.findall(r'<input type="hidden" name="case" value="([^"]*)"', page.text)
    assert sorted(ticked + elsewhere) == sorted(ids)
    assert re.search(r'id="verb-wrong">Choose what to do with them', page.text)
    assert 'href="#verb"' in page.text
    # What is sent from there, with a verb, is looked at.
    looked = await look(office, "assess", ticked + elsewhere)
    assert (looked.status_code, "Can be done: " in looked.text) == (200, True)


async def test_those_of_another_page_stay_chosen_too(office: Office) -> None:
    ids = await cases(office, 3)
    page = await look(office, "", ids, "?limit=1")
    ticked = re.findall(r'name="case" value="([^"]*)"(?: checked)?', page.text)
    assert set(ids) <= set(ticked)


async def test_where_no_case_or_too_many_are_chosen_the_list_says_so(office: Office) -> None:
    await cases(office, 1)
    none = await look(office, "assess", [])
    assert (none.status_code, 'href="#case"' in none.text) == (422, True)
    assert '<option value="assess" selected>' in none.text
    many = await look(office, "assess", [f"{number:08x}-0000-5000-8000-000000000000" for number in range(201)])
    assert (many.status_code, CASES_AT_MOST, 'href="#case"' in many.text) == (422, 200, True)
    csrf = held(await office.http.get(INSTITUTION))["csrf"]
    taken_out = await office.send("bulk/assess", {"csrf": csrf, "idempotency-key": "none"})
    assert (taken_out.status_code, 'href="#case"' in taken_out.text) == (422, True)


@pytest.mark.parametrize("query", ["after=nope", "limit=0", "nope=1"])
async def test_a_list_without_a_form_leads_back_to_its_beginning(office: Office, query: str) -> None:
    (id,) = await cases(office, 1)
    for path in ("/registration/duplicates", f"/registration/institutions/{id}/timeline"):
        page = await office.http.get(f"{path}?{query}", headers=HTML)
        assert (page.status_code, f'href="{path}"' in page.text) == (422, True), path
        assert (await office.http.get(path, headers=HTML)).status_code == 200


@pytest.mark.parametrize(
    ("query", "name", "typed"),
    [
        ("person=abc", "person", 'value="abc"'),
        ("person=0000000a", "person", 'value="0000000a"'),
        ("programme=nope", "programme", ""),
        ("status=nope", "status", ""),
        ("limit=0", "limit", ""),
        ("after=nope", "after", ""),
    ],
)
async def test_a_filter_that_is_wrong_comes_back_with_its_form(
    office: Office, query: str, name: str, typed: str
) -> None:
    page = await office.http.get(f"/registration/experts?{query}", headers=HTML)
    assert (page.status_code, '<form method="get"' in page.text, "<title>Error:" in page.text) == (422, True, True)
    assert typed in page.text
    assert ('class="problem" role="alert"' in page.text, "Nothing matches" in page.text) == (True, False)
    if name not in ("limit", "after"):
        assert f'id="{name}-wrong"' in page.text
    # A program is told as before.
    api = await office.serving.get(f"/experts?{query}")
    assert api.status_code == 422
