"""Lists: what they count, in which order, what narrows them, and that nothing in them tells of what is hidden."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from services.matching.domain.matches import MATCH
from services.matching.store import MATCHES
from services.registration.app import build
from services.registration.domain.claims import CLASH
from services.registration.domain.experts import EXPERT
from services.registration.store import COLLECTIONS, EXPERTS, SHADOWS
from shared.clock import derived_id
from shared.replica import stored
from shared.store.documents import new_document
from shared.store.past import PAST
from shared.store.port import Document
from shared.web.lists import Paged, total_of
from tests.unit.matching.facts import HOST_ACCOUNT
from tests.unit.matching.world import World, match_id
from tests.unit.pages.test_cases import INSTITUTION, Office, reader
from tests.unit.registration.serving import Serving

pytestmark = pytest.mark.asyncio(loop_scope="module")
EXPERTS_PAGE = "/registration/experts"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office() -> AsyncIterator[Office]:
    async with Serving("registration", stored(COLLECTIONS, SHADOWS), build) as serving:
        one = Office(serving)
        yield one
        await one.http.aclose()


def links(page: str) -> list[str]:
    return re.findall(rf'<th scope="row"><a href="{INSTITUTION}/([^"]*)"', page)


async def test_a_list_says_how_many_it_has_and_goes_the_other_way_round(office: Office) -> None:
    ids = [await office.institution(office="tbilisi", name=f"College {number}") for number in range(5)]
    async with office.browser(office="tbilisi") as http:
        seen, address = list[str](), "?limit=2&order=newest"
        for _ in range(3):
            page = (await http.get(f"{INSTITUTION}{address}")).text
            assert "5 in this list" in page
            seen += links(page)
            following = re.search(r'href="(\?[^"]*after=[^"]*)">Next page', page)
            address = following[1].replace("&amp;", "&") if following else ""
        assert seen == ids[::-1]
        assert "That is the end of the list." in page
        # The order stays with the filters, in the address of each pill too.
        assert 'selected>Newest first' in page
        narrowed = (await http.get(f"{INSTITUTION}?status=proposed&order=newest&limit=1")).text
        assert ("5 in this list" in narrowed, re.findall(r'class="pill" href="([^"]*)"', narrowed)) == (
            True,
            ["?order=newest&amp;limit=1"],
        )
        assert (await http.get(f"{INSTITUTION}?order=best")).status_code == 422
    asked = await office.serving.get("/institutions?order=newest&limit=200", office="tbilisi")
    assert [one["id"] for one in asked.json()["items"]] == ids[::-1]
    # A cursor is good for the order that it was made in.
    cursor = (await office.serving.get("/institutions?order=newest&limit=2", office="tbilisi")).json()["next"]
    assert (await office.serving.get(f"/institutions?after={cursor}", office="tbilisi")).status_code == 422


async def test_a_list_has_the_columns_that_its_case_declares(office: Office) -> None:
    await office.institution(office="bishkek", name="Kolej")
    async with office.browser(office="bishkek") as http:
        page = (await http.get(INSTITUTION)).text
    assert re.findall(r'<th scope="col">([^<]*)</th>', page)[2:] == ["Name", "Country", "Sector", "Type of host", "Registered"]
    assert "Kolej" in page


async def test_the_office_reads_byte_for_byte_what_it_would_if_the_rows_of_others_were_not_there(office: Office) -> None:
    await office.institution(office="osh", account="osh@example.org")
    hidden = derived_id("hidden")
    pages = (
        f"{INSTITUTION}",
        f"{INSTITUTION}?status=proposed",
        f"{INSTITUTION}?status=closed",
        f"{INSTITUTION}?limit=1&order=newest",
        f"{INSTITUTION}/{hidden}",
        f"{INSTITUTION}/{hidden}/timeline",
        f"{INSTITUTION}/{hidden}/part",
        f"{INSTITUTION}/{hidden}/assess",
        "/registration/today",
    )
    async with office.browser(office="osh") as http:
        before = [(await http.get(one)).text for one in pages]
        for number in range(3):
            await office.institution(office="naryn", account=f"naryn-{number}@example.org", name="Hidden college")
        document = (await office.serving.store.find("institutions", "office", "naryn"))[0]
        moved = document | {"_id": hidden, "version": 1, "outbox": [], "pending": False}
        moved["state"] = {**document["state"], "account": derived_id("hidden account")}
        moved = {name: value for name, value in moved.items() if name not in ("ix", "uq")}
        from services.registration.store import INSTITUTIONS

        await office.serving.store.save("institutions", INSTITUTIONS.collection.indexed(moved), 0)
        after = [(await http.get(one)).text for one in pages]
    assert before == after


def expert(status: str, fact: str) -> Document:
    state: dict[str, Any] = {
        "status": status,
        "person": derived_id("of the veil"),
        "programme": "not-published",
        "office": "kabul",
        "channel": "self",
        "registered_at": "2027-03-01T09:00:00.000000Z",
    }
    past = [{"fact": fact, "save": 1, "at": state["registered_at"], "status": status, "role": "expert"}]
    emitted = {"experts": {"count": 1}}
    return new_document(derived_id("veiled")) | {"state": state, "version": 1, PAST: past, "emitted": emitted}
