"""Pages of a case from its table: what they show, what is done on them once, and what becomes of what was typed."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import AsyncIterator, Mapping
from html import unescape
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.matching import views as of_matching
from services.matching.domain.matches import MATCH
from services.registration.app import build
from services.registration.domain.examples import DEFINITION
from services.registration.domain.examples import INSTITUTION as EXAMPLE
from services.registration.store import COLLECTIONS, INSTITUTIONS, SHADOWS
from shared.clock import derived_id
from shared.identity.keys import Keys
from shared.identity.passes import Pass, sign_pass
from shared.identity.roles import Role
from shared.identity.tokens import Principal
from shared.replica import stored
from shared.web.front import Front
from shared.web.json import representation
from tests.unit.matching.facts import HOST_ACCOUNT, terms
from tests.unit.matching.world import World, match_id
from tests.unit.registration.serving import Clock, Serving

# One service for all of them: each test has cases of its own.
pytestmark = pytest.mark.asyncio(loop_scope="module")

SESSION, ANOTHER = derived_id("a session"), derived_id("another session")
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
HOST = "host-of-the-test@example.org"
INSTITUTION = "/registration/institutions"


def reader(
    service: str,
    app: Any,
    keys: Keys,
    clock: Clock,
    role: Role = "officer",
    office: str | None = "kabul",
    *,
    account: str = "",
    session: str = SESSION,
    language: str | None = None,
) -> httpx.AsyncClient:
    """A browser that holds a pass of the service."""
    principal = Principal(account or derived_id("account", role), role, office if role == "officer" else None)
    text = sign_pass(keys, service, Pass(principal, session, language), clock.now())
    headers = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin", "Cookie": f"sankofa-pass={text}"}
    transport = httpx.ASGITransport(Front({service: app}))
    return httpx.AsyncClient(transport=transport, base_url="http://sankofa.test", headers=headers)


# Of every office whose institutions these tests register.
OFFICES = (
    "kabul",
    "bishkek",
    "bounded",
    "dushanbe",
    "elsewhere",
    "nagoya",
    "naryn",
    "osaka",
    "osh",
    "sarajevo",
    "tbilisi",
)
PROGRAMME = {
    **DEFINITION,
    "code": "of-pages",
    "offices": [{**DEFINITION["offices"][0], "code": code} for code in OFFICES],
}


class Office:
    """Registration alone, with browsers that read its pages and programs that ask its JSON edge."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving
        self.http = self.browser()
        self._numbers = itertools.count(1)

    def browser(self, role: Role = "officer", office: str | None = "kabul", **how: Any) -> httpx.AsyncClient:
        serving = self.serving
        return reader("registration", serving.service.app, serving.keys, serving.clock, role, office, **how)

    async def institution(self, **more: Any) -> str:
        if "of-pages" not in self.serving.service.replica.definitions.codes():
            await self.serving.publish(PROGRAMME)
        body = {**EXAMPLE, "account": f"college-{next(self._numbers)}@example.com", **more}
        answer = await self.serving.post("/institutions", "officer", body, office=body["office"])
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def stands(self, id: str) -> tuple[str, int]:
        document = await self.serving.store.load(INSTITUTIONS.name, id)
        assert document
        return document["state"]["status"], document["version"]

    async def form(self, path: str) -> dict[str, str]:
        """What a page's form holds by itself."""
        return held(await self.http.get(f"{INSTITUTION}/{path}"))

    async def send(self, path: str, sent: Mapping[str, Any], **how: Any) -> httpx.Response:
        return await self.http.post(f"{INSTITUTION}/{path}", data=sent, **how)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office() -> AsyncIterator[Office]:
    async with Serving("registration", stored(COLLECTIONS, SHADOWS), build) as serving:
        one = Office(serving)
        yield one
        await one.http.aclose()


def held(page: httpx.Response) -> dict[str, str]:
    """What the page's form holds that nobody types."""
    form = page.text.rpartition('<form method="post"')[2]
    found = re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', form)
    assert found, page.text
    return {name: unescape(value) for name, value in found}


def summary(page: httpx.Response) -> list[tuple[str, str]]:
    """The summary's links: the id that each leads to, which is on the page, and its words, which stand there too."""
    box = re.search(r'<div class="problem" role="alert" tabindex="-1">.*?</div>', page.text, re.DOTALL)
    assert box, page.text
    found = re.findall(r'<a href="#([^"]*)">([^<]*)</a>', box[0])
    for id, words in found:
        assert f'id="{id}"' in page.text
        assert f'id="{id}-wrong">{words.partition(": ")[2]}<' in page.text
        assert re.search(rf'aria-describedby="(?:[^"]* )?{id}-wrong"', page.text)
    assert page.text.count("<title>Error:") == 1
    return found


async def test_the_first_button_is_what_leads_the_case_on(office: Office) -> None:
    id = await office.institution()
    page = (await office.http.get(f"{INSTITUTION}/{id}")).text
    acts = re.findall(rf'<a class="button( second)?" href="{INSTITUTION}/{id}/([a-z-]+)">', page)
    assert [verb for second, verb in acts if not second] == ["assess"]
    assert [verb for _, verb in acts] == ["assess", "assign-account", "set-contact", "close", "ask-transfer"]
    # In the table's order the edge tells them, as before.
    told = (await office.serving.get(f"/institutions/{id}")).json()["open"]
    assert told == ["assign-account", "set-contact", "assess", "close", "ask-transfer"]


async def test_a_list_shows_what_the_office_has_page_by_page_and_filtered(office: Office) -> None:
    async with office.browser(office="tbilisi") as http:
        assert "There is nothing here yet." in (await http.get(INSTITUTION)).text
        ids = [await office.institution(office="tbilisi") for _ in range(3)]
        strange = await office.institution()
        first = await http.get(f"{INSTITUTION}?limit=2")
        following = re.search(r'href="\?([^"]*after=[^"]*)"', first.text)
        assert following
        second = await http.get(f"{INSTITUTION}?{following[1].replace('&amp;', '&')}")
        shown = [one for page in (first, second) for one in ids if f'href="{INSTITUTION}/{one}"' in page.text]
        assert sorted(shown) == sorted(ids)
        assert strange not in first.text + second.text
        assert 'href="/registration/institutions/new/create"' in first.text
        assess = f"{INSTITUTION}/{ids[0]}/assess"
        await http.post(assess, data=held(await http.get(assess)))
        narrowed = await http.get(f"{INSTITUTION}?status=assessed")
        assert [one for one in ids if one in narrowed.text] == [ids[0]]
        assert re.search(r'class="pill" href="\?"', narrowed.text)
        # A form sends what was left open as well.
        assert "Nothing matches" in (await http.get(f"{INSTITUTION}?status=closed&programme=")).text
        for wrong in ("status=king", "sort=name", "after=x", "limit=0"):
            refused = await http.get(f"{INSTITUTION}?{wrong}")
            assert (refused.status_code, refused.headers["content-type"]) == (422, "text/html; charset=utf-8"), wrong


@pytest.mark.parametrize("role", ["officer", "host"])
async def test_a_case_shows_each_role_what_is_open_to_it(office: Office, role: Role) -> None:
    id = await office.institution(account="of-the-test@example.org" if role == "officer" else HOST)
    account = office.serving.account(HOST)
    async with office.browser(role, account=account) as http:
        page = await http.get(f"{INSTITUTION}/{id}")
    asked = await office.serving.get(f"/institutions/{id}", role, subject=HOST)
    assert (page.status_code, asked.status_code) == (200, 200)
    opened = set(re.findall(rf'href="{INSTITUTION}/{id}/([a-z-]+)"', page.text))
    assert opened == set(asked.json()["open"])
    assert ("assess" in opened) is (role == "officer")


async def test_an_act_is_a_form_and_then_the_case(office: Office) -> None:
    id = await office.institution()
    form = await office.form(f"{id}/assess")
    answer = await office.send(f"{id}/assess", form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{INSTITUTION}/{id}?done=assess")
    assert await office.stands(id) == ("assessed", 2)
    page = await office.http.get(answer.headers["location"])
    assert 'role="status"' in page.text
    # What is not open any more is said on the form, and refused.
    again = await office.http.get(f"{INSTITUTION}/{id}/assess")
    assert 'class="gone"' in again.text
    assert (await office.send(f"{id}/assess", held(again))).status_code == 409
    assert await office.stands(id) == ("assessed", 2)


async def test_a_case_is_opened_by_a_form(office: Office) -> None:
    before = len((await office.serving.get("/institutions")).json()["items"])
    form = await office.form("new/create")
    sent = {f"/{name}": value for name, value in EXAMPLE.items()}
    answer = await office.send("new/create", {**form, **sent})
    assert answer.status_code == 303, answer.text
    id = answer.headers["location"].removeprefix(f"{INSTITUTION}/").partition("?")[0]
    assert await office.stands(id) == ("proposed", 1)
    # The same form sent twice, as by a second press or by Back: one case.
    assert (await office.send("new/create", {**form, **sent})).headers["location"] == answer.headers["location"]
    assert len((await office.serving.get("/institutions")).json()["items"]) == before + 1


async def test_what_was_typed_stays_and_what_is_wrong_is_said_at_each_field(office: Office) -> None:
    form = await office.form("new/create")
    typed = {"/name": "Kolej <b>Ž</b> \u0643\u0644\u064a\u0629", "/country": "AF", "/sector": "not a code"}
    page = await office.send("new/create", {**form, **typed})
    assert page.status_code == 422
    assert [id for id, _ in summary(page)] == ["f-sector", "f-host_type", "f-office"]
    assert 'value="Kolej &lt;b&gt;Ž&lt;/b&gt; \u0643\u0644\u064a\u0629"' in page.text
    assert '<option value="AF" selected>' in page.text
    # Under the same key what is mended is done.
    sent = {f"/{name}": value for name, value in {**EXAMPLE, "account": "another@example.org"}.items()}
    assert (await office.send("new/create", {**held(page), **sent})).status_code == 303


async def test_the_same_key_does_once_and_with_another_body_nothing(office: Office) -> None:
    id = await office.institution()
    for verb in ("assess", "accept-partner", "activate"):
        await office.send(f"{id}/{verb}", await office.form(f"{id}/{verb}"))
    form = await office.form(f"{id}/put-on-hold")
    answers = [await office.send(f"{id}/put-on-hold", {**form, "/reason": "relocating"}) for _ in range(2)]
    assert [one.status_code for one in answers] == [303, 303]
    assert answers[0].headers["location"] == answers[1].headers["location"]
    assert await office.stands(id) == ("on_hold", 5)
    other = await office.send(f"{id}/put-on-hold", {**form, "/reason": "security"})
    assert other.status_code == 422
    assert 'value="security" checked' in other.text or '<option value="security" selected' in other.text
    assert await office.stands(id) == ("on_hold", 5)
    # What was done on the page and is asked again at the JSON edge is the same command.
    told = await office.serving.post(
        f"/institutions/{id}/put-on-hold", "officer", {"reason": "security"}, key=form["idempotency-key"]
    )
    assert told.status_code in (409, 422)


async def test_who_acts_on_what_changed_meanwhile_sees_how_it_stands_and_keeps_what_was_typed(office: Office) -> None:
    id = await office.institution()
    form = await office.form(f"{id}/close")
    await office.send(f"{id}/assess", await office.form(f"{id}/assess"))
    page = await office.send(f"{id}/close", {**form, "/reason": "merged"})
    assert page.status_code == 412
    assert "How it stands now" in page.text
    assert re.search(r"Changed meanwhile by: Programme office (<bdi[^>]*>)?[Kk]abul(</bdi>)?, <time", page.text)
    assert re.search(r'value="merged" (checked|selected)', page.text)
    assert await office.stands(id) == ("assessed", 2)
    now = held(page)
    assert now["version"] == "2"
    assert (await office.send(f"{id}/close", {**now, "/reason": "merged"})).status_code == 303
    assert await office.stands(id) == ("closed", 3)


async def test_both_values_stand_side_by_side_where_a_form_meets_another_version() -> None:
    async with World() as world:
        await world.others.host()
        await world.run()
        draft = await world.draft()
        async with reader("matching", world.service.app, world.keys, world.clock) as http:
            path = f"/matching/assignments/{draft}/revise"
            form = held(await http.get(path))
            said = {**terms(education=7).model_dump(mode="json"), "languages": ()}
            sent = {**form, **{f"/terms/{name}": str(value) for name, value in said.items() if value}}
            first = await http.post(path, data=sent)
            assert first.status_code == 303, first.text
            page = await http.post(path, data={**sent, "idempotency-key": "another", "/terms/education": "6"})
            assert page.status_code == 412
            row = re.search(r"<th scope=.row.>Lowest level of education.*?</tr>", page.text, re.DOTALL)
            assert row, page.text
            assert "differs" in row[0]
            assert re.search(r'value="6"[ >]', page.text)
            assert "Send again" in page.text


async def test_a_forged_post_does_nothing(office: Office) -> None:
    id = await office.institution()
    form = await office.form(f"{id}/assess")
    elsewhere = await office.send(f"{id}/assess", form, headers={"Sec-Fetch-Site": "cross-site"})
    plain = {"Sec-Fetch-Site": "", "Origin": "http://elsewhere.test"}
    nobody = await office.send(f"{id}/assess", {**form, "csrf": ""}, headers=plain)
    assert [one.status_code for one in (elsewhere, nobody)] == [403, 403]
    assert await office.stands(id) == ("proposed", 1)


async def test_another_offices_case_is_not_there_and_a_role_without_the_right_is_refused(office: Office) -> None:
    id = await office.institution()
    async with office.browser(office="sarajevo") as stranger, office.browser("evaluator") as evaluator:
        for path in (id, f"{id}/assess", derived_id("nobody"), "%00", "..."):
            page = await stranger.get(f"{INSTITUTION}/{path}")
            assert (page.status_code, "<h1>" in page.text) == (404, True), path
            assert "Teacher" not in page.text
        for path in ("", f"/{id}", f"/{id}/assess", "/new/create"):
            page = await evaluator.get(INSTITUTION + path)
            assert (page.status_code, "<h1>" in page.text) == (403, True), path
        sent = await stranger.post(f"{INSTITUTION}/{id}/assess", data=await office.form(f"{id}/assess"))
        assert sent.status_code in (403, 404)
    assert await office.stands(id) == ("proposed", 1)


async def test_what_is_sent_without_a_pass_is_kept_and_sent_again(office: Office) -> None:
    id = await office.institution()
    form = {**await office.form(f"{id}/close"), "/reason": "merged", "/note": "Zqanary & <Sons>"}
    path = f"{INSTITUTION}/{id}/close"
    page = await office.http.post(path, data=form, headers={"Cookie": ""})
    assert (page.status_code, "Nothing is lost" in page.text) == (401, True)
    assert "Zqanary &amp; &lt;Sons&gt;" in page.text
    # It is the form: what was chosen is chosen in it, and whoever typed goes on.
    assert re.search(r'value="merged" (checked|selected)', page.text)
    kept = {**held(page), "/reason": "merged", "/note": "Zqanary goes on"}
    assert await office.stands(id) == ("proposed", 1)
    # Signed in anew, the token in it is of the old session: the page comes once more with the right one.
    async with office.browser(session=ANOTHER) as anew:
        stale = await anew.post(path, data=kept)
        assert (stale.status_code, "Zqanary goes on" in stale.text) == (403, True)
        done = await anew.post(path, data={**kept, **held(stale)})
    assert (done.status_code, await office.stands(id)) == (303, ("closed", 2))


async def test_refusals_are_pages_for_people_alone(office: Office) -> None:
    missing = f"{INSTITUTION}/{derived_id('nobody')}"
    assert (await office.http.get(missing)).headers["content-type"].startswith("text/html")
    plain = await office.http.get(missing, headers={"Accept": "application/json"})
    assert (plain.status_code, plain.headers["content-type"]) == (404, "application/problem+json")
    assert plain.json()["rule"] == "not_found"
    program = await office.http.get("/registration/v1/institutions/x")
    assert program.headers["content-type"] == "application/problem+json"
    for language, direction in (("fr", "ltr"), ("ar", "rtl")):
        page = await office.http.get(f"{missing}?lang={language}")
        assert f'<html lang="{language}" dir="{direction}">' in page.text


async def test_a_host_reads_nothing_on_the_page_of_a_match_that_its_json_hides() -> None:
    async with World() as world:
        assignment = await world.shortlisted(["ada", "bea", "cem"])
        match = match_id(assignment, "ada")
        document = await world.store.load(MATCH.name, match)
        assert document
        app, path = world.service.app, f"/matching/matches/{match}"
        host = Principal(HOST_ACCOUNT, "host", None)
        told = json.dumps(representation(of_matching.match(document, host)))
        async with (
            reader("matching", app, world.keys, world.clock, "host", account=HOST_ACCOUNT) as http,
            reader("matching", app, world.keys, world.clock) as officer,
        ):
            page, listed = await http.get(path), await http.get("/matching/matches")
            seen = await officer.get(path)
            verbs = [verb for verb in MATCH.verbs if "host" in MATCH.rows[verb][0].by]
            forms = [await http.get(f"{path}/{verb}") for verb in verbs if not MATCH.rows[verb][0].opens]
    assert {one.status_code for one in (page, listed, seen, *forms)} == {200}
    assert set(ID.findall(page.text)) <= set(ID.findall(told))
    person = document["state"]["parties"]["person"][:8]
    # The officer's page has it, so the host's could.
    assert person in seen.text
    assert [one.url for one in (page, listed, *forms) if person in one.text] == []
