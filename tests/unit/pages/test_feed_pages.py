"""Pages of what other systems are told, and of the addresses that get it: what each reader finds, and what they do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.monitoring.feed.outbound import Answer
from services.monitoring.pages import feed
from shared.clock import text_of
from shared.identity.roles import ROLES, Role
from tests.integration.test_webhooks_http import URL, Linked, linking
from tests.unit.monitoring.telling import append
from tests.unit.pages.test_cases import reader

pytestmark = pytest.mark.asyncio(loop_scope="module")

FEED, LIST = "/monitoring/feed", "/monitoring/subscriptions"
NEW = f"{LIST}/new/subscribe"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def linked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Linked]:
    folder: Path = tmp_path_factory.mktemp("monitoring")
    async with linking(folder) as one:
        yield one


def browser(linked: Linked, role: Role = "officer", office: str | None = "kabul", **how: Any) -> Any:
    edge = linked.edge
    return reader("monitoring", edge.service.app, edge.keys, edge.clock, role, office, **how)


def fields(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page))


async def test_the_page_has_the_messages_of_the_readers_own_token(linked: Linked) -> None:
    pulled = (await linked.edge.get("/feed/messages?limit=200", "officer")).json()["items"]
    async with browser(linked) as http:
        page = await http.get(FEED)
    assert page.status_code == 200
    shown = re.findall(r'data-label="Id"[^>]*>.*?>([0-9a-f-]{36})<', page.text) or re.findall(
        r"<td[^>]*><bdi dir=\"ltr\">([0-9a-f-]{36})</bdi></td>", page.text
    )
    assert {one["event"]["id"] for one in pulled} <= set(shown)
    assert "ExpertRegistered" in page.text
    cursor = re.search(r"<code>([A-Za-z0-9_-]+)</code>", page.text)
    assert cursor is not None
    more = (await linked.edge.get(f"/feed/messages?after={cursor[1]}", "officer")).json()
    assert more["items"] == []


async def test_another_office_and_an_evaluator_find_nothing_of_it(linked: Linked) -> None:
    pages = []
    for role, office in (("officer", "tbilisi"), ("evaluator", None)):
        async with browser(linked, role, office) as http:  # type: ignore[arg-type]
            page = await http.get(FEED)
        assert "No message of these days is for you." in page.text
        assert "ExpertRegistered" not in page.text
        pages.append(len(re.sub(r"<code>.*?</code>", "", page.text)))
    for role in set(ROLES) - {"officer", "evaluator", "administrator"}:
        async with browser(linked, role, None) as http:
            assert (await http.get(FEED)).status_code == 403
            assert (await http.get(LIST)).status_code == 403


@pytest.mark.parametrize("language", ["en", "fr", "ar"])
async def test_the_pages_speak_each_language(linked: Linked, language: str) -> None:
    async with browser(linked) as http:
        for path in (FEED, LIST, NEW):
            page = await http.get(f"{path}?lang={language}")
            assert page.status_code == 200
            assert f'<html lang="{language}"' in page.text
            text = re.sub(r"<[^>]+>", " ", page.text)
            assert not re.search(r"(?:did|field|verb|case|code|rule|state):\w", text)


async def test_pages_of_it_follow_one_another(linked: Linked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "ON_A_PAGE", 7)
    found, path = list[str](), FEED
    async with browser(linked) as http:
        while path:
            page = (await http.get(path)).text
            found += re.findall(r"<td[^>]*><bdi dir=\"ltr\">([0-9a-f-]{36})</bdi></td>", page)[1::2]
            following = re.search(r'class="button second" href="(\?[^"]+)"', page)
            path = f"{FEED}{following[1].replace('&amp;', '&')}" if following else ""
    pulled = (await linked.edge.get("/feed/messages?limit=200", "officer")).json()["items"]
    assert found == [one["event"]["id"] for one in pulled]


async def test_an_address_is_added_tested_and_sent_to_again_without_a_script(linked: Linked) -> None:
    async with browser(linked) as http:
        form = fields((await http.get(NEW)).text)
        wrong = await http.post(NEW, data={**form, "/url": "http://partner.example.org", "/content": "everything"})
        assert wrong.status_code == 422
        assert "begins with https" in wrong.text
        made = await http.post(NEW, data={**form, "/url": URL, "/content": "everything"})
        assert made.status_code == 303, made.text
        path = made.headers["location"].partition("?")[0]
        page = (await http.get(path)).text
        secret = re.search(r"whsec_[A-Za-z0-9+/]{43}=", page)
        assert secret is not None
        assert URL in page
        for verb, said in (("test", {}), ("resend", dated(linked))):
            asked = fields((await http.get(f"{path}/{verb}")).text)
            answer = await http.post(f"{path}/{verb}", data={**asked, **said})
            assert answer.status_code == 303, answer.text
        stood = len(linked.story.records)
        linked.story.office = "kabul"
        linked.story.person("eva")
        await append(linked.edge, linked.story.records[stood:])
        await linked.arrive(1)

        async def told() -> bool:
            # Of the page the last tries alone; what goes out once more may have been many.
            return any(b"org.sankofa.monitoring.Ping" in body for _, body in linked.partner.came)

        await linked.edge.eventually(told)
        assert "Arrived" in (await http.get(path)).text
        assert URL in (await http.get(LIST)).text
    async with browser(linked, office="bogota") as http:
        assert (await http.get(path)).status_code == 404
        assert URL not in (await http.get(LIST)).text


def dated(linked: Linked) -> dict[str, str]:
    return {"/since": text_of(linked.edge.clock.now())[:19] + "Z"}


async def test_what_took_nothing_for_days_waits_for_its_office(linked: Linked) -> None:
    made = await linked.made(office="bogota")
    linked.partner.says = [Answer("answered", 410)]
    await linked.happen("stopping", office="bogota")

    async def stopped() -> bool:
        return bool((await linked.seen(made["id"], office="bogota"))["state"] == "stopped")

    await linked.edge.eventually(stopped)
    async with browser(linked, office="bogota") as http:
        today = (await http.get("/monitoring/today")).text
        assert f"{LIST}?status=stopped" in today.replace("&amp;", "&")
        assert f'href="{FEED}"' in today
        assert f'href="{LIST}"' in today
        assert made["id"] in (await http.get(f"{LIST}?status=stopped")).text
    async with browser(linked) as http:
        # Subscriptions of tests before may have met the same answer.
        assert made["id"] not in (await http.get(f"{LIST}?status=stopped")).text
