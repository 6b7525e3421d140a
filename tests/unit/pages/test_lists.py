"""Lists: what they count, in which order, what narrows them, and that nothing in them tells of what is hidden."""

from __future__ import annotations

import csv
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from html import unescape
from io import StringIO
from typing import Any

import pytest
import pytest_asyncio

from deploy.generate import built
from services.matching.domain.matches import MATCH
from services.matching.store import MATCHES
from services.registration.app import build
from services.registration.domain.claims import CLASH
from services.registration.domain.examples import DEFINITION
from services.registration.domain.experts import EXPERT
from services.registration.store import COLLECTIONS, EXPERTS, INSTITUTIONS, SHADOWS
from shared.clock import derived_id
from shared.identity.policy import Subjects
from shared.replica import stored
from shared.store.documents import new_document
from shared.store.past import PAST
from shared.store.port import Document
from shared.web import lists
from shared.web.pages import exporting
from tests.unit.matching.facts import HOST_ACCOUNT
from tests.unit.matching.world import World, match_id
from tests.unit.pages.test_cases import INSTITUTION, Office, reader
from tests.unit.registration.serving import Serving

pytestmark = pytest.mark.asyncio(loop_scope="module")
PERSON, VEILED = derived_id("of the veil"), derived_id("veiled")
EXPERTS_PAGE = "/registration/experts"
OF_INSTITUTIONS = next(one for one in built("registration").cases if one.name == "institutions")


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
        assert "selected>Newest first" in page
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


async def test_the_json_list_says_how_many_there_are_with_its_first_page(office: Office) -> None:
    for number in range(3):
        await office.institution(office="osaka", name=f"College {number}")
    first = (await office.serving.get("/institutions?limit=2", office="osaka")).json()
    assert first["total"] == {"number": 3, "more": False}
    rest = (await office.serving.get(f"/institutions?limit=2&after={first['next']}", office="osaka")).json()
    assert (len(rest["items"]), "total" in rest) == (1, False)


async def test_a_list_is_a_file_of_what_its_filters_leave_and_says_where_it_is_cut(
    monkeypatch: pytest.MonkeyPatch, office: Office
) -> None:
    ids = [await office.institution(office="nagoya", name=name) for name in ("Plain", "=1+1", "Lycée, «Un»")]
    await office.institution(office="elsewhere", name="Hidden college")
    async with office.browser(office="nagoya") as http:
        page = (await http.get(f"{INSTITUTION}?status=proposed&order=newest")).text
        (address,) = re.findall(r'href="([^"]*list\.csv[^"]*)"', page)
        answer = await http.get(unescape(address))
        rows = list(csv.reader(StringIO(answer.content.decode("utf-8-sig"))))
        assert [row[0] for row in rows] == ["Reference", *ids[::-1]]
        assert [row[rows[0].index("Name")] for row in rows[1:]] == ["Lycée, «Un»", "'=1+1", "Plain"]
        assert answer.headers["content-disposition"] == 'attachment; filename="institutions.csv"'
        assert len((await http.get(f"{INSTITUTION}/list.csv?status=closed")).text.splitlines()) == 1
        monkeypatch.setattr(exporting, "ROWS_AT_MOST", 2)
        cut = await http.get(f"{INSTITUTION}/list.csv")
        assert cut.headers["content-disposition"] == 'attachment; filename="institutions-first-2.csv"'
        assert cut.text.splitlines()[3].startswith('"Cut here: these are the first 2. Narrow')
        # No more than there are, and nothing is cut.
        monkeypatch.setattr(exporting, "ROWS_AT_MOST", 3)
        assert "Cut here" not in (await http.get(f"{INSTITUTION}/list.csv")).text
    async with office.browser("expert") as http:
        assert (await http.get(f"{INSTITUTION}/list.csv")).status_code == 403


async def test_matches_and_assignments_are_listed_from_the_newest_on() -> None:
    async with World() as world:
        for number in range(2):
            await world.shortlisted([f"{who} {number}" for who in ("ada", "bea", "cem")])
        async with reader("matching", world.service.app, world.keys, world.clock) as http:
            for kind in ("assignments", "matches"):
                oldest, newest = (
                    re.findall(rf'<th scope="row"><a href="/matching/{kind}/([^"]*)"', page.text)
                    for page in [await http.get(f"/matching/{kind}?order={order}") for order in ("oldest", "newest")]
                )
                assert (len(oldest) >= 2, newest) == (True, oldest[::-1])


async def test_a_list_has_the_columns_that_its_case_declares(office: Office) -> None:
    await office.institution(office="bishkek", name="Kolej")
    async with office.browser(office="bishkek") as http:
        page = (await http.get(INSTITUTION)).text
    assert len(re.findall(r'<th scope="col">([^<]*)</th>', page)) == 3 + len(OF_INSTITUTIONS.columns)
    assert "Kolej" in page


async def test_an_office_reads_byte_for_byte_the_same_where_others_have_rows(office: Office) -> None:
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
        await office.serving.store.save("institutions", INSTITUTIONS.collection.indexed(moved), 0)
        after = [(await http.get(one)).text for one in pages]
    assert before == after


def veiled(status: str, fact: str) -> Document:
    """The case of an expert who registered, as it stands with somebody else's document number or with the own one."""
    state: dict[str, Any] = {
        "status": status,
        "person": PERSON,
        "programme": "example-1",
        "office": "kabul",
        "channel": "self",
        "registered_at": "2026-03-01T09:00:00.000000Z",
    }
    past = [{"fact": fact, "save": 1, "at": state["registered_at"], "status": status, "role": "expert"}]
    emitted = {"experts": {"count": 1}}
    return new_document(VEILED) | {"state": state, "version": 1, PAST: past, "emitted": emitted}


async def test_a_veiled_case_reads_byte_for_byte_as_one_in_which_nothing_is_veiled(office: Office) -> None:
    serving = office.serving
    await serving.publish({**DEFINITION, "code": "example-1"})

    async def stands_for(_account: str) -> Subjects:
        return Subjects(PERSON)

    serving.service.app.state.edge = replace(serving.service.app.state.edge, subjects_of=stands_for)
    case = f"{EXPERTS_PAGE}/{VEILED}"
    verbs = [verb for verb in EXPERT.verbs if "expert" in EXPERT.rows[verb][0].by and not EXPERT.rows[verb][0].opens]
    told = []
    for number, (status, fact) in enumerate((("screening", "ExpertRegistered"), (CLASH, "ExpertIdentityClashed"))):
        document = veiled(status, fact) | {"version": number + 1}
        await serving.store.save("experts", EXPERTS.collection.indexed(document), number)
        narrowed = [f"{EXPERTS_PAGE}?status={one}" for one in ("screening", CLASH)]
        async with office.browser("expert") as http:
            pages = (EXPERTS_PAGE, *narrowed, case, f"{case}/timeline", f"{case}/part")
            read = [(await http.get(one)).text for one in pages]
            # A list says an instant in the words of the case's own page: in the zone of its office.
            listed, own = (set(re.findall(r"<time .*?</time>", one)) for one in (read[0], read[3]))
            assert listed
            assert listed <= own
            forms = [(await http.get(f"{case}/{verb}")).status_code for verb in verbs]
        json = [(await serving.get(f"/experts/{VEILED}{end}", "expert")).json() for end in ("", "/timeline")]
        json[0].pop("version")
        told.append((read, forms, json))
    assert told[0] == told[1]


async def test_a_host_reads_byte_for_byte_the_same_whoever_the_person_is_and_narrows_by_none() -> None:
    async with World() as world:
        assignment = await world.shortlisted(["ada", "bea", "cem"])
        match, stranger, pages = match_id(assignment, "ada"), derived_id("somebody else"), list[list[str]]()
        for other in (False, True):
            document = await world.store.load(MATCH.name, match)
            assert document
            if other:
                changed = {**document, "version": document["version"] + 1}
                changed["state"] = {
                    **document["state"],
                    "parties": {**document["state"]["parties"], "person": stranger},
                }
                await world.store.save(MATCH.name, MATCHES.collection.indexed(changed), document["version"])
            app, keys = world.service.app, world.keys
            async with reader("matching", app, keys, world.clock, "host", account=HOST_ACCOUNT) as http:
                paths = ("/matching/matches", f"/matching/matches/{match}", f"/matching/matches/{match}/timeline")
                pages.append([(await http.get(one)).text for one in paths])
                refused = await http.get(f"/matching/matches?person={stranger}")
            assert refused.status_code == 422
            assert ['name="person"' in pages[-1][0], 'name="assignment"' in pages[-1][0]] == [False, True]
        assert pages[0] == pages[1]
        parties = document["state"]["parties"]
        assert [parties[one][:8] in pages[0][1] for one in ("expert", "person")] == [True, False]
        # A host reads the page of neither, so nothing leads there.
        assert re.findall(r'href="(/registration/(?!institutions)[^"]*)"', pages[0][1]) == []


async def test_a_total_ends_at_a_bound(monkeypatch: pytest.MonkeyPatch, office: Office) -> None:
    monkeypatch.setattr(lists, "COUNTED_AT_MOST", 2)
    for number in range(4):
        await office.institution(office="bounded", name=f"College {number}")
    async with office.browser(office="bounded") as http:
        assert "2 in this list and more" in (await http.get(f"{INSTITUTION}?limit=1")).text
        assert "4 in this list" in (await http.get(f"{INSTITUTION}?limit=4")).text
