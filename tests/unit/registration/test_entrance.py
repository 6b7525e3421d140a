"""The way in on a development system: sessions, passes, sign-out, and what cannot be done with them."""

from __future__ import annotations

import importlib
import random
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from deploy.generate import InMemory
from services.registration.domain.institutions import INSTITUTION
from services.registration.store import ACCOUNTS, INSTITUTIONS
from shared.clock import RealRuntime
from shared.identity.issuers import DEVELOPMENT_ISSUER
from shared.identity.keys import Keys
from shared.identity.tokens import Principal
from shared.messaging.local import LocalLog
from shared.messaging.topics import TOPICS
from shared.replica import Ports, stored
from shared.store.aggregates import Cause
from shared.store.local import LocalStore
from shared.web.acting import Behind
from shared.web.callers import Granted, guarded_routes
from shared.web.front import Front
from shared.web.notes import Notes
from shared.web.pages import waiting
from shared.web.pages.languages import LANGUAGES
from tests.unit.registration.serving import schemas_once

SERVICES = ("registration", "matching")


class Clock(RealRuntime):
    """Real in all but its clock, which stands still unless a test moves it."""

    def __init__(self) -> None:
        super().__init__()
        self.instant = datetime.fromisoformat("2026-03-01T12:00:00+00:00")

    def now(self) -> datetime:
        return self.instant


@dataclass
class Town:
    """Two services in memory behind one address."""

    clock: Clock
    keys: Keys
    services: dict[str, Any]
    settings: InMemory = field(default_factory=InMemory)

    @property
    def front(self) -> Front:
        apps = {name: service.app for name, service in self.services.items()}
        return Front(apps, entrance=self.services["registration"].entrance)

    def browser(self, agent: str = "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0") -> httpx.AsyncClient:
        headers = {"User-Agent": agent, "Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
        transport = httpx.ASGITransport(self.front)
        return httpx.AsyncClient(transport=transport, base_url="http://sankofa.test", headers=headers)

    @property
    def kernel(self) -> Any:
        return self.services["registration"].replica.kernel

    async def accounts(self) -> list[Any]:
        store = self.services["registration"].ports.store
        return [one async for one in store.scan(ACCOUNTS.name)]


async def town_of(settings: InMemory) -> AsyncIterator[Town]:
    clock, keys = Clock(), Keys.in_memory(random.Random(1))
    log = LocalLog(None, list(TOPICS.values()), clock)
    await log.start()
    services = {}
    for name in SERVICES:
        declared = importlib.import_module(f"services.{name}.store")
        store = LocalStore(None, stored(declared.COLLECTIONS, declared.SHADOWS), clock)
        with schemas_once():
            build = importlib.import_module(f"services.{name}.app").build
            services[name] = build(Ports(store, log, clock, keys), settings)
        await services[name].start()
    while not all(service.replica.definitions.ready for service in services.values()):
        await clock.sleep(0.01)
    yield Town(clock, keys, services, settings)
    for service in services.values():
        await service.stop()
    await log.stop()
    clock.close()


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async for one in town_of(InMemory()):
        yield one


def hidden(page: httpx.Response, name: str = "csrf") -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page.text)
    assert found, page.text
    return found[1]


async def enter(browser: httpx.AsyncClient, who: str = "administrator@", to: str = "/today") -> httpx.Response:
    page = await browser.get("/sign-in")
    return await browser.post("/sign-in", data={"csrf": hidden(page), "as": who, "to": to})


async def signed_out(browser: httpx.AsyncClient) -> bool:
    return (await browser.get("/today")).headers.get("location") == "/sign-in?to=%2Ftoday"


async def test_the_front_page_says_what_this_is_and_lets_in(town: Town) -> None:
    async with town.browser() as browser:
        page = await browser.get("/")
        assert "Development system" in page.text
        assert "Enter as" in page.text
        assert (await browser.get("/", headers={"Accept": "application/json"})).json()["services"]
        answer = await browser.post("/sign-in", data={"csrf": hidden(page), "as": "evaluator@", "to": "/today"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/today")
        today = await browser.get("/today")
        assert today.status_code == 200
        assert 'src="/matching/today"' in today.text
        part = await browser.get("/matching/today")
        assert (part.status_code, "Nothing waits for you here." in part.text) == (200, True)


async def test_a_wrong_address_is_a_page_for_a_browser_and_a_problem_for_a_program(town: Town) -> None:
    async with town.browser() as http:
        pages = [await http.get(path) for path in ("/zzz", "/zzz/of/nobody", "/registration/zzz")]
        assert [page.status_code for page in pages] == [404] * 3
        assert len({re.sub(r"(?s)^.*<h1", "", page.text).partition("</h1>")[0] for page in pages}) == 1
        assert all(page.headers["content-type"].startswith("text/html") for page in pages)
        assert all("content-security-policy" in page.headers for page in pages)
        program = await http.get("/zzz", headers={"Accept": "application/json"})
        assert (program.status_code, program.headers["content-type"]) == (404, "application/problem+json")


async def test_the_same_person_is_one_account_by_token_and_by_page(town: Town) -> None:
    async with town.browser() as browser:
        await enter(browser)
        assert [one["_id"] for one in await town.accounts()] == [
            town.keys.accounts(DEVELOPMENT_ISSUER).of("administrator@all")
        ]


async def test_cookies_are_out_of_reach_and_each_has_its_path(town: Town) -> None:
    async with town.browser() as browser:
        answer = await enter(browser)
        today = await browser.get("/today")
        (session,) = [one for one in answer.headers.get_list("set-cookie") if one.startswith("sankofa=")]
        assert "Path=/;" in f"{session};"
        passes = [one for one in today.headers.get_list("set-cookie") if one.startswith("sankofa-pass=")]
        paths = {re.search(r"Path=([^;]+)", one)[1] for one in passes}  # type: ignore[index]
        assert paths == {"/registration", "/matching", "/placement", "/monitoring"}
        for one in (session, *passes):
            assert "HttpOnly" in one
            assert "SameSite=lax" in one
            assert "Secure" not in one


async def test_over_tls_they_go_over_tls_alone() -> None:
    class Reached(InMemory):
        base_url = "https://sankofa.example.org"

    async for town in town_of(Reached()):
        assert town.services["registration"].entrance
        async with town.browser() as browser:
            page = await browser.get("/sign-in")
            # Nobody enters as anybody where others can ask.
            assert "Nobody can sign in to pages here" in page.text
            assert (await browser.post("/sign-in", data={"as": "administrator@"})).status_code == 404


async def test_with_a_real_issuer_nobody_is_entered_as() -> None:
    class Issued(InMemory):
        issuer = "https://login.example.org"
        pages_client_id = "pages"

    async for town in town_of(Issued()):
        async with town.browser() as browser:
            page = await browser.get("/sign-in?to=/today?lang=fr")
            assert "Enter as" not in page.text
            assert "https://login.example.org" in page.text
            assert "and come back here. Your password stays there." in page.text
            assert 'href="/sign-in/begin?to=/today%3Flang%3Dfr"' in page.text
            assert (await browser.post("/sign-in", data={"as": "administrator@"})).status_code == 404


async def test_the_page_says_at_which_issuer_one_signs_in() -> None:
    class Client(InMemory):
        issuer = "https://login.example.org"
        pages_client_id = "sankofa"
        pages_client_secret = "of the test"

    async for town in town_of(Client()):
        async with town.browser() as browser:
            for language in LANGUAGES:
                page = await browser.get(f"/sign-in?lang={language}")
                assert page.status_code == 200
                assert "https://login.example.org" in page.text
                assert "/sign-in/begin" in page.text


async def test_a_pass_is_given_again_until_the_session_ends(town: Town) -> None:
    async with town.browser() as browser:
        await enter(browser)
        assert (await browser.get("/matching/today", follow_redirects=True)).status_code == 200
        for _ in range(3):
            town.clock.instant += timedelta(minutes=30)
            answer = await browser.get("/matching/today")
            assert answer.headers["location"] == "/registration/pass?service=matching&to=%2Fmatching%2Ftoday"
            assert (await browser.get(answer.headers["location"], follow_redirects=True)).status_code == 200
        town.clock.instant += timedelta(minutes=61)
        assert await signed_out(browser)
        assert (await browser.get("/matching/today", follow_redirects=True)).url.path == "/sign-in"


async def test_a_session_ends_after_twelve_hours_whatever_is_read(town: Town) -> None:
    async with town.browser() as browser:
        await enter(browser)
        for _ in range(24):
            assert not await signed_out(browser)
            town.clock.instant += timedelta(minutes=30)
        assert await signed_out(browser)


async def test_signing_out_everywhere_ends_all_of_them_and_the_next_pass(town: Town) -> None:
    async with town.browser() as one, town.browser("Android Chrome/150") as other:
        await enter(one)
        await enter(other)
        page = await one.get("/sign-in/sessions")
        assert "Chrome, Android" in page.text
        assert "Firefox, Linux" in page.text
        answer = await one.post("/sign-out", data={"csrf": hidden(page), "everywhere": "1"})
        assert answer.headers["location"] == "/"
        assert "sankofa" not in one.cookies
        for browser in (one, other):
            assert await signed_out(browser)
            gone = await browser.get("/registration/pass?service=matching", headers={"Sec-Fetch-Dest": "empty"})
            assert gone.status_code == 401


async def test_one_session_is_ended_from_another(town: Town) -> None:
    async with town.browser() as one, town.browser() as other:
        await enter(one)
        await enter(other)
        page = await one.get("/sign-in/sessions")
        data = {"csrf": hidden(page), "session": hidden(page, "session")}
        assert (await one.post("/sign-in/sessions", data=data)).status_code == 303
        assert await signed_out(other)
        assert not await signed_out(one)


async def test_a_new_sign_in_is_told_to_the_other_sessions_once(town: Town) -> None:
    async with town.browser() as one, town.browser() as other:
        await enter(one)
        await one.get("/today")
        assert "signed in elsewhere" not in (await one.get("/today")).text
        town.clock.instant += timedelta(minutes=1)
        await enter(other)
        assert "signed in elsewhere" in (await one.get("/today")).text
        assert "signed in elsewhere" not in (await other.get("/today")).text
        assert "<strong>new</strong>" in (await one.get("/sign-in/sessions")).text
        assert "signed in elsewhere" not in (await one.get("/today")).text


async def test_nothing_in_the_store_opens_a_session(town: Town) -> None:
    async with town.browser() as browser:
        await enter(browser)
        secret = browser.cookies["sankofa"]
        (document,) = await town.accounts()
        assert secret not in repr(document)
        assert "administrator@all" not in repr(document)
        for wrong in (document["state"]["sessions"][0]["id"], secret[::-1], secret + "A", "", "é" * 43):
            answer = await town_get(town, "/today", f"sankofa={wrong}")
            assert answer.headers["location"].startswith("/sign-in"), wrong


async def town_get(town: Town, path: str, cookie: str) -> httpx.Response:
    async with town.browser() as browser:
        return await browser.get(path, headers={"Cookie": cookie.encode()})  # type: ignore[dict-item]


async def test_a_session_that_somebody_else_put_there_is_not_the_one_that_is_signed_in(town: Town) -> None:
    async with town.browser() as attacker, town.browser() as browser:
        await enter(attacker, "evaluator@")
        planted = attacker.cookies["sankofa"]
        browser.cookies.set("sankofa", planted, domain="sankofa.test", path="/")
        await enter(browser, "administrator@")
        assert browser.cookies["sankofa"] != planted
        assert await signed_out(attacker)


@pytest.mark.parametrize(
    "change",
    [{"csrf": "0" * 64}, {"csrf": ""}, {"headers": {"Sec-Fetch-Site": "cross-site"}}, {"as": "king@"}],
)
async def test_nobody_is_signed_in_by_another_site(town: Town, change: dict[str, Any]) -> None:
    async with town.browser() as browser:
        page = await browser.get("/sign-in")
        data = {"csrf": hidden(page), "as": "administrator@", **change}
        headers = data.pop("headers", {})
        answer = await browser.post("/sign-in", data=data, headers=headers)
        assert answer.status_code in (403, 404)
        assert "sankofa" not in browser.cookies


async def test_nobody_is_signed_out_by_another_site(town: Town) -> None:
    async with town.browser() as browser:
        await enter(browser)
        page = await browser.get("/today")
        data = {"csrf": hidden(page)}
        assert (await browser.post("/sign-out", data=data, headers={"Sec-Fetch-Site": "cross-site"})).status_code == 403
        assert (await browser.post("/sign-out", data={"csrf": "0" * 64})).status_code == 403
        assert not await signed_out(browser)
        assert (await browser.post("/sign-out", data=data)).status_code == 303
        assert await signed_out(browser)


@pytest.mark.parametrize(
    "to",
    [
        "https://elsewhere.test/",
        "//elsewhere.test/",
        "/\\elsewhere.test",
        "/%5celsewhere.test",
        "/a/../../x",
        "/%2e%2e/x",
        "/a//b",
        "javascript:alert(1)",
        "today",
        "/a\r\nSet-Cookie: x=1",
        "/a%0d%0ab",
        "/" + "x" * 2_000,
    ],
)
async def test_nobody_is_sent_elsewhere(town: Town, to: str) -> None:
    async with town.browser() as browser:
        answer = await enter(browser, to=to)
        assert answer.headers["location"] == "/today"
        given = await browser.get(f"/registration/pass?service=matching&to={quote(to, safe='')}")
        assert given.status_code == 404
    async with town.browser() as browser:
        assert hidden(await browser.get(f"/sign-in?to={quote(to, safe='')}"), "to") == "/today"


async def test_a_pass_leads_back_to_its_own_service_alone(town: Town) -> None:
    async with town.browser() as browser:
        await enter(browser)
        for service, to in (("matching", "/placement/today"), ("nobody", "/nobody"), ("", ""), ("matching", "/today")):
            answer = await browser.get(f"/registration/pass?service={service}&to={quote(to)}")
            assert answer.status_code == 404, (service, to)


async def test_a_restored_store_knows_no_session(town: Town) -> None:
    async with town.browser() as browser:
        await enter(browser)
        town.kernel.epoch += 1
        assert await signed_out(browser)


async def test_what_has_ended_is_dropped_by_its_timer(town: Town) -> None:
    async with town.browser() as browser:
        await enter(browser)
        town.clock.instant += timedelta(minutes=61)
        (document,) = await town.accounts()
        await town.services["registration"].replica._fires[ACCOUNTS.name](document)
        (document,) = await town.accounts()
        assert (document["state"]["sessions"], document["timed"]) == ([], False)


async def test_an_account_has_twenty_sessions_at_most(town: Town) -> None:
    async with town.browser() as first:
        await enter(first)
        town.clock.instant += timedelta(seconds=1)
        for _ in range(20):
            async with town.browser() as browser:
                await enter(browser)
        assert await signed_out(first)
        (document,) = await town.accounts()
        assert len(document["state"]["sessions"]) == 20


async def test_a_language_is_kept_for_the_account(town: Town) -> None:
    async with town.browser() as browser:
        await enter(browser)
        assert 'lang="ar" dir="rtl"' in (await browser.get("/today?lang=ar")).text
        assert 'lang="ar"' in (await browser.get("/matching/today")).text
    async with town.browser() as other:
        await enter(other)
        assert '<html lang="ar"' in (await other.get("/today")).text


async def test_what_a_browser_asks_for_is_what_the_account_reads_and_chooses_nothing(town: Town) -> None:
    async with town.browser() as browser, town.browser() as other:
        browser.headers["Accept-Language"] = "ar-AF,ar;q=0.9,en;q=0.5"
        await enter(browser)
        assert '<html lang="ar"' in (await browser.get("/today")).text
        (document,) = await town.accounts()
        assert (document["state"]["language"], document["state"]["reads"]) == (None, "ar")
        await enter(other)
        assert '<html lang="en"' in (await other.get("/today")).text
        assert '<html lang="fr"' in (await other.get("/today?lang=fr")).text
        (document,) = await town.accounts()
        assert (document["state"]["language"], document["state"]["reads"]) == ("fr", "fr")


async def test_the_entrance_declares_its_routes(town: Town) -> None:
    routes = guarded_routes(town.services["registration"].entrance)
    assert [route for route in routes if not route.declared] == []
    assert {route.path.split("/")[1] for route in routes} == {"", "today", "sign-in", "sign-out"}


async def test_of_many_that_wait_it_is_said_that_there_are_more(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is counted is bounded; the oldest come first, each with a way to it."""
    monkeypatch.setattr(waiting, "COUNTED_AT_MOST", 2)
    ids = [await proposed(town) for _ in range(3)]
    async with town.browser() as browser:
        await enter(browser, "host@")
        assert "Nothing waits" in (await browser.get("/registration/today", follow_redirects=True)).text
    found = await waiting_for(town, Principal("a", "officer", "kabul"))
    assert [(one.kind, one.status, one.number, one.more) for one in found] == [("institutions", "proposed", 2, True)]
    assert list(found[0].oldest) == ids[:2]
    assert await waiting_for(town, Principal("a", "officer", "sarajevo")) == []


async def proposed(town: Town) -> str:
    town.clock.instant += timedelta(minutes=1)
    id = town.clock.new_id()
    example = INSTITUTION.rows["create"][0].example
    command = INSTITUTION.ask("create", **example)
    await town.kernel.execute(INSTITUTIONS, id, command, Cause(town.clock.new_id()))
    return id


async def waiting_for(town: Town, principal: Principal) -> list[waiting.Waiting]:
    service = town.services["registration"]
    served = next(one for one in service.cases if one.name == "institutions")
    behind = Behind(service.replica.kernel, Notes(town.keys, service.replica.kernel), service.replica.definitions)
    granted = Granted(service.app.state.edge, principal, ())
    found = [
        await waiting.waiting_in(served, behind, granted, one)
        for one in await granted.equalities_of(granted.edge.policy.allowed(principal, served.name, "list"))
    ]
    return [one for listed in found[:1] for one in listed]
