"""An application without an account: kept from the first field on, opened again by its code, submitted once."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import httpx
import pytest

from deploy.cli.files import definition_path, read_definition
from deploy.generate import InMemory
from services.registration.store import DRAFTS, EXPERTS, READERS
from services.registration.work.drafting import FOUND_AT_MOST
from shared.audit.segments import READINGS
from shared.cases.transfers import ACCEPT, ASK
from shared.clock import together
from shared.contracts.registration.persons import PURPOSES
from shared.intake.submissions import SUBMISSIONS
from shared.store.documents import new_document
from tests.unit.pages.test_cases import held as held_by
from tests.unit.registration.test_entrance import Town, enter, hidden, town_of

CODE = "trqn-1"
APPLY, APPLICATION = f"/registration/apply/{CODE}", "/registration/application"
PARTS: dict[str, dict[str, str]] = {
    "names": {"/person/given_name": "Qzcanary", "/person/born/year": "1985"},
    "contact": {"/person/email": "qzcanary@example.org", "/person/attributes/country_of_residence": "NL"},
    "background": {"/person/attributes/country_of_origin": "AF", "/person/attributes/languages/0/language": "fa"},
    "office": {"/office": "kabul", "/consents": "placement"},
}
LEVEL = "/person/attributes/languages/0/level"


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async for one in open_to_applications():
        yield one


async def open_to_applications() -> AsyncIterator[Town]:
    """A system whose clock stands in the days of a programme that is published."""
    async for one in town_of(InMemory()):
        one.clock.instant = datetime.fromisoformat("2007-03-01T12:00:00+00:00")
        definition = json.dumps(published())
        async with one.browser() as browser:
            await enter(browser)
            path = "/registration/programmes/new/publish"
            page = await browser.get(path, follow_redirects=True)
            key = hidden(page, "idempotency-key")
            form = {"csrf": hidden(page), "idempotency-key": key, "version": "", "/definition": definition}
            answer = await browser.post(path, data=form)
            assert answer.status_code == 303, answer.text
        while CODE not in one.services["registration"].replica.definitions.codes():
            await one.clock.sleep(0.01)
        yield one


def published() -> dict[str, Any]:
    """The caller's own, to change as it likes."""
    found: dict[str, Any] = json.loads(_as_text())
    return found


@cache
def _as_text() -> str:
    return json.dumps(read_definition(definition_path(CODE)).as_json())


async def begun(browser: httpx.AsyncClient) -> str:
    """The code of a new draft."""
    answer = await browser.post(APPLY)
    assert (answer.status_code, answer.headers["location"]) == (303, APPLICATION)
    found = re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", (await browser.get(APPLICATION)).text)
    assert found
    return found[0]


async def kept(browser: httpx.AsyncClient, part: str, said: dict[str, str], **more: str) -> httpx.Response:
    page = await browser.get(f"{APPLICATION}/part/{part}")
    assert page.status_code == 200, page.text
    return await browser.post(f"{APPLICATION}/part/{part}", data={"csrf": hidden(page), **said, **more})


async def filled(browser: httpx.AsyncClient) -> str:
    code = await begun(browser)
    for part, said in PARTS.items():
        answer = await kept(browser, part, said if part != "background" else {**said, LEVEL: "B2"})
        assert answer.status_code == 303, answer.text
    return code


async def sent(browser: httpx.AsyncClient) -> httpx.Response:
    page = await browser.get(f"{APPLICATION}/check")
    return await browser.post(f"{APPLICATION}/check", data={"csrf": hidden(page)})


async def documents(town: Town, collection: str) -> list[dict[str, Any]]:
    return [one async for one in town.services["registration"].ports.store.scan(collection)]


async def consents(browser: httpx.AsyncClient) -> list[str]:
    """What the page of all answers says of each."""
    page = await browser.get(f"{APPLICATION}/check")
    return re.findall(r"<dd><span[^>]*>(Given|Not given|Not answered)<", page.text)


async def test_it_is_filled_in_any_order_checked_submitted_once_and_followed(town: Town) -> None:
    async with town.browser() as browser:
        code = await filled(browser)
        (reference,) = re.findall(r"Its reference is <?[^<]*>?([0-9a-f]{8})", (await browser.get(APPLICATION)).text)
        checked = await browser.get(f"{APPLICATION}/check")
        for words in ("Qzcanary", "Netherlands", "1985"):
            assert words in checked.text
        # One that is not given is an answer too.
        assert await consents(browser) == ["Given", *["Not given"] * (len(PURPOSES) - 1)]
        first, again = await sent(browser), await browser.post(f"{APPLICATION}/check", data={"csrf": hidden(checked)})
        assert (first.status_code, first.headers["location"]) == (303, f"{APPLICATION}/receipt")
        assert (again.status_code, again.headers["location"]) == (303, f"{APPLICATION}/receipt")
        assert len(await documents(town, SUBMISSIONS.name)) == 1
        for _ in range(200):
            receipt = await browser.get(f"{APPLICATION}/receipt")
            if "was recorded" in receipt.text:
                break
            await town.clock.sleep(0.02)
        assert "was recorded" in receipt.text, receipt.text
        assert code in receipt.text
        # One reference from the beginning on; the receipt's own number stands with the signed file alone.
        said = receipt.text[: receipt.text.index("Download the signed receipt")]
        assert re.findall(r"\b[0-9a-f]{8}\b(?!-)", said) == [reference]
        assert re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", said) == []
        (case,) = await documents(town, EXPERTS.name)
        assert case["_id"][:8] == reference
        entered = await browser.post(f"{APPLICATION}/enter", data={"csrf": hidden(receipt)})
        assert entered.status_code == 303
        cases = await browser.get("/registration/experts", follow_redirects=True)
        assert cases.text.count('<th scope="row">') == 1


async def test_what_is_missing_is_kept_and_what_is_wrong_is_said_at_the_field(town: Town) -> None:
    async with town.browser() as browser:
        await begun(browser)
        answer = await kept(browser, "names", {"/person/born/year": "nineteen"})
        assert answer.status_code == 422
        assert 'value="nineteen"' in answer.text
        assert "<title>Error:" in answer.text
        assert 'value="nineteen"' in (await browser.get(f"{APPLICATION}/part/names")).text
        born = {"/person/born/year": "1985", "/person/born/month": "mars"}
        assert (await kept(browser, "names", {"/person/given_name": "Qzcanary", **born})).status_code == 303
        answer = await kept(browser, "names", {"/person/given_name": "Qzcanary"})
        assert answer.status_code == 303
        refused = await sent(browser)
        assert refused.status_code == 422
        assert "Before you can send it" in refused.text
        assert await documents(town, SUBMISSIONS.name) == []


async def test_what_nobody_typed_yet_is_no_problem_and_a_row_is_one_answer(town: Town) -> None:
    async with town.browser() as browser:
        await begun(browser)
        assert "Problem" not in (await browser.get(APPLICATION)).text
        assert await consents(browser) == ["Not answered"] * len(PURPOSES)
        await kept(browser, "office", {}, done="yes")
        assert await consents(browser) == ["Not given"] * len(PURPOSES), "said to be finished, it is an answer"
        answer = await kept(browser, "background", {"/person/attributes/languages/1/language": "fa"})
        assert answer.status_code == 303
        wrong = await kept(browser, "background", {"/person/attributes/languages/1/language": "fa"}, done="yes")
        assert "Level (Languages 1): Answer this question" in wrong.text
        await kept(
            browser, "background", {"/person/attributes/languages/1/language": "fa", LEVEL.replace("0", "1"): "B2"}
        )
        checked = await browser.get(f"{APPLICATION}/check")
        assert re.search(r"<dt>Languages 1</dt><dd><span[^>]*>Persian, B2", checked.text)
        assert 'href="/registration/application/part/names">Name and birth: ' in checked.text


async def test_another_device_opens_it_with_the_code_and_a_fact_that_was_typed(town: Town) -> None:
    async with town.browser() as browser:
        code = await filled(browser)
    async with town.browser() as other:
        page = await other.get(f"/registration/drafts/{code}")
        assert page.status_code == 200
        assert "Qzcanary" not in page.text
        asked = await other.post("/registration/drafts", data={"code": code.lower()})
        assert (asked.status_code, "Qzcanary" in asked.text) == (200, False)
        wrong = await other.post("/registration/drafts", data={"code": code, "fact": "Somebody"})
        assert wrong.status_code == 422
        assert (await other.get(APPLICATION)).status_code == 303
        right = await other.post("/registration/drafts", data={"code": code, "fact": "qzCanary "})
        assert (right.status_code, right.headers["location"]) == (303, APPLICATION)
        assert "Qzcanary" in (await other.get(f"{APPLICATION}/check")).text
        unknown = await other.post("/registration/drafts", data={"code": "0000-0000-0000"})
        assert unknown.status_code == 404


async def test_a_forged_post_changes_nothing(town: Town) -> None:
    async with town.browser() as browser:
        await begun(browser)
        said = {"/person/given_name": "Qzcanary"}
        assert (await browser.post(f"{APPLICATION}/part/names", data={**said, "csrf": "0" * 64})).status_code == 403
        elsewhere = {"Sec-Fetch-Site": "cross-site"}
        assert (await browser.post(APPLY, headers=elsewhere)).status_code == 403
        assert "Qzcanary" not in (await browser.get(f"{APPLICATION}/check")).text


async def test_what_is_sent_without_the_cookie_is_kept_on_the_page(town: Town) -> None:
    async with town.browser() as browser:
        answer = await browser.post(f"{APPLICATION}/part/names", data={"/person/given_name": "Qzcanary"})
        assert (answer.status_code, "Qzcanary" in answer.text) == (401, True)


async def test_the_store_holds_neither_code_nor_name_and_the_end_leaves_nothing(town: Town) -> None:
    async with town.browser() as browser:
        code = await filled(browser)
        [draft] = await documents(town, DRAFTS.name)
        held = json.dumps(draft)
        assert [one for one in ("Qzcanary", code, code.replace("-", ""), "1985") if one in held] == []
        town.clock.instant += timedelta(days=31)
        assert (await browser.get(APPLICATION)).headers["location"] == "/registration/drafts"
        drafting = town.services["registration"].drafting
        await drafting.fire(draft)
        [ended] = await documents(town, DRAFTS.name)
        assert (ended["state"]["status"], ended["private"]) == ("ended", {})
        town.clock.instant += timedelta(days=3)
        drafting.retire()
        assert town.keys.draft_days("registration") == []


async def test_two_tabs_keep_each_its_own_part(town: Town) -> None:
    async with town.browser() as browser:
        await begun(browser)
        names = await browser.get(f"{APPLICATION}/part/names")
        await kept(browser, "contact", PARTS["contact"])
        form = {"csrf": hidden(names), "/person/given_name": "Qzcanary"}
        assert (await browser.post(f"{APPLICATION}/part/names", data=form)).status_code == 303
        checked = (await browser.get(f"{APPLICATION}/check")).text
        assert "Qzcanary" in checked
        assert "qzcanary@example.org" in checked


async def test_a_programme_that_is_over_takes_no_application_and_loses_none(town: Town) -> None:
    async with town.browser() as browser:
        town.clock.instant = datetime.fromisoformat("2008-06-30T12:00:00+00:00")
        await filled(browser)
        page = await browser.get(f"{APPLICATION}/check")
        town.clock.instant += timedelta(days=1)
        assert "is over" in (await browser.get(APPLY)).text
        assert (await browser.post(APPLY)).status_code == 200
        answer = await browser.post(f"{APPLICATION}/check", data={"csrf": hidden(page)})
        assert (answer.status_code, "Nothing was sent" in answer.text) == (409, True)
        assert await documents(town, SUBMISSIONS.name) == []
        kept_text = (await browser.get(f"{APPLICATION}/download")).json()["typed"]
        assert ["/person/given_name", "Qzcanary"] in kept_text


LOST = "/registration/lost-codes"
SAID = {"/programme": CODE, "/known_by": "email", "/said": "QZCANARY@example.org"}


async def found_by(officer: httpx.AsyncClient, **said: str) -> httpx.Response:
    page = await officer.get(LOST, follow_redirects=True)
    return await officer.post(LOST, data={"csrf": hidden(page), **SAID, **said})


def code_in(page: httpx.Response) -> str:
    return re.findall(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", page.text)[0]


async def opens(browser: httpx.AsyncClient, code: str) -> httpx.Response:
    return await browser.post("/registration/drafts", data={"code": code, "fact": "qzcanary"})


async def test_what_other_offices_have_hides_no_draft(town: Town) -> None:
    """A dozen applications of one name at another office come before the own one in the index."""
    other = next(one["code"] for one in published()["offices"] if one["code"] != "kabul")
    async with town.browser() as browser, town.browser() as officer:
        await filled(browser)
        await enter(officer, "officer@kabul")
        store = town.services["registration"].ports.store
        [own] = await documents(town, DRAFTS.name)
        drafting = town.services["registration"].drafting
        opened = await drafting.opened(own["_id"])
        for number in range(FOUND_AT_MOST + 2):
            typed = tuple((name, other if name == "/office" else value) for name, value in opened.typed)
            id, code = f"0000000{number:x}-0000-5000-8000-000000000000", f"{number:X}" * 12
            copied = replace(opened, id=id, code=code, typed=typed)
            await store.save(DRAFTS.name, drafting._written(new_document(copied.id), copied), 0)
        assert (await found_by(officer)).text.count("Give a new code") == 1


async def test_an_office_gives_a_new_code_once_and_the_old_one_is_dead(town: Town) -> None:
    async with town.browser() as browser, town.browser() as officer, town.browser() as other:
        old = await filled(browser)
        await enter(officer, "officer@kabul")
        assert (await officer.get("/registration/today", follow_redirects=True)).text.count(LOST) == 1
        page = await found_by(officer)
        # What was typed is shown to nobody.
        assert page.text.count("Give a new code") == 1
        assert [one for one in ("Qzcanary", "1985", "Netherlands") if one in page.text.replace("QZCANARY", "")] == []
        [draft] = await documents(town, DRAFTS.name)
        form = {"csrf": hidden(page), "idempotency-key": hidden(page, "idempotency-key")}
        path = f"{LOST}/{draft['_id']}"
        assert (await officer.post(path, data=form)).status_code == 422
        given = [await officer.post(path, data={**form, "/reason": "code_lost"}) for _ in range(2)]
        codes = {re.findall(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", one.text)[0] for one in given}
        assert len(codes) == 1
        (code,) = codes
        # The old one opens nothing, neither in the browser that began nor anywhere.
        assert (await browser.get(APPLICATION)).headers["location"] == "/registration/drafts"
        assert (await other.post("/registration/drafts", data={"code": old})).status_code == 404
        opened = await other.post("/registration/drafts", data={"code": code, "fact": "qzcanary"})
        assert opened.headers["location"] == APPLICATION
        assert "An office gave a new code: " in (await other.get(APPLICATION)).text
        # Edited, the draft keeps no code; the same request then gives none.
        assert (await kept(other, "names", PARTS["names"])).status_code == 303
        assert (await officer.post(path, data={**form, "/reason": "code_lost"})).status_code == 409
        [after] = await documents(town, DRAFTS.name)
        record = after["state"]["given_back"]
        assert [(one["office"], one["reason"]) for one in record] == [("kabul", "code_lost")]
        held = json.dumps(after)
        assert [one for one in (code, code.replace("-", ""), "qzcanary") if one in held] == []


async def test_looking_for_a_lost_code_is_counted_and_stands_in_the_trail(town: Town) -> None:
    async with town.browser() as browser, town.browser() as officer:
        await filled(browser)
        await enter(officer, "officer@kabul")
        await found_by(officer)
        await found_by(officer, **{"/said": "nobody@example.org"})
        [draft] = await documents(town, DRAFTS.name)
        entries = [one["reading"] for one in await documents(town, READINGS.name)]
        said = [(one["purpose"], one["fields"], one["subjects"], one["office"]) for one in entries]
        assert said == [("lost_code", ["email"], [draft["_id"]], "kabul"), ("lost_code", ["email"], [], "kabul")]
        # What was typed stands in no entry.
        assert "example.org" not in json.dumps(entries)
        [used] = await documents(town, READERS.name)
        assert used["state"]["in_hour"] == 2
        spent = {**used, "state": {**used["state"], "in_hour": 10**6, "in_day": 10**6}, "version": used["version"] + 1}
        await town.services["registration"].ports.store.save(READERS.name, spent, used["version"])
        refused = await found_by(officer)
        assert (refused.status_code, "Give a new code" in refused.text) == (429, False)
        assert len(await documents(town, READINGS.name)) == 2


async def test_with_the_case_goes_the_way_back_to_its_application(town: Town) -> None:
    other = next(one["code"] for one in published()["offices"] if one["code"] != "kabul")
    async with town.browser() as browser, town.browser() as left, town.browser() as receives:
        await filled(browser)
        [begun_only] = await documents(town, DRAFTS.name)
        await sent(browser)
        while not (cases := await documents(town, EXPERTS.name)):
            await town.clock.sleep(0.01)
        await enter(left, "officer@kabul")
        await enter(receives, f"officer@{other}")
        [draft], case = await documents(town, DRAFTS.name), f"/registration/experts/{cases[0]['_id']}"
        before = await found_by(left)
        assert "Give a new code" in before.text
        form = {"csrf": hidden(before), "idempotency-key": hidden(before, "idempotency-key"), "/reason": "code_lost"}
        known = code_in(await left.post(f"{LOST}/{draft['_id']}", data=form))
        assert (await opens(browser, known)).status_code == 303
        assert "No application" in (await found_by(receives)).text
        for officer, verb, said in (
            (left, ASK, {"/to_office": other, "/reason": "moved_away"}),
            (receives, ACCEPT, {}),
        ):
            form = held_by(await officer.get(f"{case}/{verb}"))
            answer = await officer.post(f"{case}/{verb}", data={**form, **said})
            assert answer.status_code == 303, answer.text
        # The code that the office before knows opens nothing, neither anew nor in a browser that had it.
        assert (await opens(left, known)).status_code == 404
        assert (await browser.get(APPLICATION)).headers["location"] == "/registration/drafts"
        # Whoever had the case gets no code any more, neither by looking anew nor from a page that was open before.
        assert "No application" in (await found_by(left)).text
        after = await found_by(receives)
        assert after.text.count("Give a new code") == 1
        for officer, page, status in ((left, before, 404), (receives, after, 200)):
            form = {"csrf": hidden(page), "idempotency-key": hidden(page, "idempotency-key"), "/reason": "code_lost"}
            answer = await officer.post(f"{LOST}/{draft['_id']}", data=form)
            assert answer.status_code == status
        assert (await opens(browser, code_in(answer))).status_code == 303
        [given] = await documents(town, DRAFTS.name)
        assert [one["office"] for one in given["state"]["given_back"]] == ["kabul", other]
        # So where a crash left no word of the submission in the draft.
        crashed = {**begun_only, "version": given["version"] + 1}
        await town.services["registration"].ports.store.save(DRAFTS.name, crashed, given["version"])
        assert "No application" in (await found_by(left)).text
        assert "Give a new code" in (await found_by(receives)).text


async def test_a_lost_code_is_another_offices_business_only_where_no_office_was_chosen(town: Town) -> None:
    async with town.browser() as browser, town.browser() as elsewhere, town.browser() as host:
        await begun(browser)
        await kept(browser, "contact", PARTS["contact"])
        other = next(one["code"] for one in published()["offices"] if one["code"] != "kabul")
        await enter(elsewhere, f"officer@{other}")
        assert "Give a new code" in (await found_by(elsewhere)).text
        assert "No application" in (await found_by(elsewhere, **{"/said": "somebody@example.org"})).text
        await kept(browser, "office", PARTS["office"])
        hidden_now = await found_by(elsewhere)
        assert "Give a new code" not in hidden_now.text
        [draft] = await documents(town, DRAFTS.name)
        form = {"csrf": hidden(hidden_now), "idempotency-key": "a-key", "/reason": "code_lost"}
        assert (await elsewhere.post(f"{LOST}/{draft['_id']}", data=form)).status_code == 404
        await enter(host, "host@")
        assert (await host.get(LOST, follow_redirects=True)).status_code == 403
    # What has ended is found by nobody.
    async with town.browser() as browser, town.browser() as officer:
        town.clock.instant += timedelta(days=31)
        await enter(officer, "officer@kabul")
        assert "No application" in (await found_by(officer)).text


async def published_anew(town: Town, **changes: Any) -> None:
    """One more version of the programme."""
    known = town.services["registration"].replica.definitions
    version, definition = known.newest_version(CODE), dict(known.newest(CODE).as_json())
    async with town.browser() as browser:
        await enter(browser)
        path = "/registration/programmes/new/publish"
        page = await browser.get(path, follow_redirects=True)
        said = {"csrf": hidden(page), "idempotency-key": hidden(page, "idempotency-key"), "version": ""}
        answer = await browser.post(path, data={**said, "/definition": json.dumps({**definition, **changes})})
        assert answer.status_code == 303, answer.text
    while known.newest_version(CODE) == version:
        await town.clock.sleep(0.01)


def in_zones(**zones: str) -> list[dict[str, Any]]:
    """The programme's offices, some of them with another time zone."""
    return [{**one, "time_zone": zones.get(one["code"], one["time_zone"])} for one in published()["offices"]]


async def test_a_programme_is_offered_until_it_is_over_at_the_last_of_its_offices(town: Town) -> None:
    """East of UTC it is over before UTC's midnight; moved to Guayaquil it is open for five hours more."""
    closings = {"Asia/Kabul": "2008-06-30T19:30:00+00:00", "America/Guayaquil": "2008-07-01T05:00:00+00:00"}
    for zone, closes in closings.items():
        await published_anew(town, offices=in_zones(**{one["code"]: zone for one in published()["offices"]}))
        for at, open_then in ((timedelta(minutes=-1), True), (timedelta(), False)):
            town.clock.instant = datetime.fromisoformat(closes) + at
            async with town.browser() as browser:
                assert ("is over" not in (await browser.get(APPLY)).text) is open_then, (zone, at)
                assert (APPLY in (await browser.get("/")).text) is open_then, (zone, at)
                assert ((await browser.post(APPLY)).status_code == 303) is open_then, (zone, at)
        town.clock.instant = datetime.fromisoformat("2008-03-01T12:00:00+00:00")


async def test_an_application_closes_with_its_office_and_says_times_in_its_zone(town: Town) -> None:
    others = {one["code"]: "America/Guayaquil" for one in published()["offices"] if one["code"] != "kabul"}
    await published_anew(town, offices=in_zones(**others))
    town.clock.instant = datetime.fromisoformat("2008-06-30T19:00:00+00:00")
    async with town.browser() as browser:
        await begun(browser)
        assert "Guayaquil time" in (await browser.get(APPLICATION)).text, "before an office is chosen the programme's"
        await kept(browser, "office", PARTS["office"])
        page = (await browser.get(APPLICATION)).text
        assert ("Kabul time" in page, "UTC</time>" in page) == (True, False)
        assert "It can be sent until the end of <time" in page
        assert ", the last day of the programme, in the time of " in page
        assert '<time datetime="2008-06-30">' in page
        town.clock.instant += timedelta(hours=1)
        assert "Send the application" not in (await browser.get(f"{APPLICATION}/check")).text
        assert "is over" in (await browser.get(APPLICATION)).text
        assert (await browser.get(APPLY)).text.count("is over") == 0, "at another office it is open still"


async def test_answers_hold_from_the_day_at_the_office_on_which_they_were_typed(town: Town) -> None:
    """Where the day is another one than in UTC, screening asks by the office's."""
    everywhere = {one["code"]: "America/Guayaquil" for one in published()["offices"]}
    await published_anew(town, offices=in_zones(**everywhere))
    town.clock.instant = datetime.fromisoformat("2007-03-02T03:00:00+00:00")
    async with town.browser() as browser:
        await filled(browser)
        assert (await sent(browser)).status_code == 303
    for _ in range(200):
        if found := await documents(town, "persons"):
            break
        await town.clock.sleep(0.02)
    assert [one["valid_from"] for one in found[0]["state"]["entries"]] == ["2007-03-01"]


@pytest.mark.parametrize("form", ["{}", "\u200f{}\u200f", "{} ", "\u2066{}\u2069"])
async def test_a_code_opens_however_it_is_pasted(town: Town, form: str) -> None:
    async with town.browser() as browser:
        code = await filled(browser)
    wide = "".join(chr(ord(one) + 0xFEE0) if one != "-" else "\u2011" for one in code)
    arabic = code.translate({ord("0") + one: 0x660 + one for one in range(10)}).replace("-", "\u2212")
    for typed in (code, wide, arabic, code.lower().replace("-", "\u2010")):
        async with town.browser() as other:
            answer = await opens(other, form.format(typed))
            assert answer.headers.get("location") == APPLICATION, typed


@pytest.mark.parametrize("typed", ["+31 20 123 4567", "020 1234567"])
async def test_an_office_finds_a_draft_by_its_telephone_in_any_form(town: Town, typed: str) -> None:
    async with town.browser() as browser, town.browser() as officer:
        await begun(browser)
        await kept(browser, "contact", {**PARTS["contact"], "/person/telephone": typed})
        await enter(officer, "officer@kabul")
        for said in ("+31201234567", "0031 20 123 4567", "+31 (0)20 123 4567", "\u200f+٣١ ٢٠ ١٢٣ ٤٥٦٧", typed):
            page = await found_by(officer, **{"/known_by": "telephone", "/said": said})
            assert page.text.count("Give a new code") == 1, said
        other = await found_by(officer, **{"/known_by": "telephone", "/said": "+31 20 123 4568"})
        assert other.text.count("Give a new code") == 0


async def test_whoever_comes_back_repeats_the_telephone_in_any_form(town: Town) -> None:
    async with town.browser() as browser:
        code = await begun(browser)
        await kept(browser, "contact", {**PARTS["contact"], "/person/telephone": "0031 20 123 4567"})
    for said, right in (("+31 20 1234567", 303), ("020-1234567", 303), ("+31 20 1234568", 422)):
        async with town.browser() as other:
            assert (await other.post("/registration/drafts", data={"code": code, "fact": said})).status_code == right


async def test_a_browser_whose_code_was_replaced_is_told_why(town: Town) -> None:
    async with town.browser() as browser, town.browser() as officer, town.browser() as other:
        old = await filled(browser)
        await enter(officer, "officer@kabul")
        page = await found_by(officer)
        [draft] = await documents(town, DRAFTS.name)
        form = {"csrf": hidden(page), "idempotency-key": hidden(page, "idempotency-key"), "/reason": "code_lost"}
        assert (await officer.post(f"{LOST}/{draft['_id']}", data=form)).status_code == 200
        told = await browser.get(APPLICATION, follow_redirects=True)
        assert "An office gave a new code for your application" in told.text
        assert "Kabul time" in told.text
        typed = await other.post("/registration/drafts", data={"code": old})
        assert (typed.status_code, "An office gave a new code" in typed.text) == (404, True)
        assert "This draft has ended" not in typed.text
        kept_page = await browser.post(f"{APPLICATION}/part/names", data={"/person/given_name": "Qzlater"})
        assert kept_page.status_code == 401
        assert ("An office gave a new code" in kept_page.text, "Qzlater" in kept_page.text) == (True, True)
        unknown = await other.post("/registration/drafts", data={"code": "0000-0000-0000"})
        assert ("This draft has ended" in unknown.text, "An office gave" in unknown.text) == (True, False)
        assert old.replace("-", "") not in json.dumps(await documents(town, DRAFTS.name))


async def test_a_year_of_birth_that_is_none_of_a_life_is_said_where_it_was_typed(town: Town) -> None:
    async with town.browser() as browser:
        await filled(browser)
        await kept(browser, "names", {**PARTS["names"], "/person/born/year": "2050"})
        refused = await sent(browser)
        assert refused.status_code == 422
        assert 'href="/registration/application/part/names">' in refused.text


def held_in(page: httpx.Response) -> dict[str, str]:
    """What a part's form holds beside its fields."""
    return {name: hidden(page, name) for name in ("csrf", "form", "after")}


async def test_an_older_form_takes_nothing_back_and_is_told_what_stands(town: Town) -> None:
    path, given, family = f"{APPLICATION}/part/names", "/person/given_name", "/person/family_name"
    async with town.browser() as browser:
        await begun(browser)
        first, second = await browser.get(path), await browser.get(path)
        assert (await browser.post(path, data={**held_in(first), given: "Qzcanary", family: ""})).status_code == 303
        # Nothing was typed in the older one, so nothing is told either way.
        older = {**held_in(second), given: "", family: "Qzother"}
        for _ in range(2):
            told = await browser.post(path, data=older)
            assert (told.status_code, "Qzcanary" in told.text, "Qzother" in told.text) == (412, True, True)
        assert re.search(
            r"Given name.*?Now\"><span dir=\"auto\">Qzcanary.*?What you typed\">.*?–", told.text, re.DOTALL
        )
        assert "Qzother" not in (await browser.get(f"{APPLICATION}/check")).text
        again = {**held_in(told), given: "Qzcanary", family: "Qzother"}
        assert (await browser.post(path, data=again)).status_code == 303
        # As the script sends it: one form after each key, which is overtaken by none of its own.
        for typed in ("Qzot", "Qzothe"):
            assert (await browser.post(path, data={**again, family: typed})).status_code == 303
        checked = (await browser.get(f"{APPLICATION}/check")).text
        assert ("Qzcanary" in checked, "Qzothe" in checked) == (True, True)
        # What says the same as what stands is saved without ado, whoever said it.
        assert (
            await browser.post(path, data={**held_in(first), given: "Qzcanary", family: "Qzothe"})
        ).status_code == 303


async def test_a_row_that_is_added_in_an_older_form_takes_nothing_back(town: Town) -> None:
    path, language = f"{APPLICATION}/part/background", "/person/attributes/languages/0/language"
    async with town.browser() as browser:
        await begun(browser)
        first, second = await browser.get(path), await browser.get(path)
        assert (await browser.post(path, data={**held_in(first), language: "fa"})).status_code == 303
        more = {"more": "/person/attributes/languages"}
        told = await browser.post(path, data={**held_in(second), language: "ps", **more})
        assert (told.status_code, "Persian" in told.text) == (412, True)
        assert "/person/attributes/languages/1/language" in told.text


async def test_what_is_left_of_the_form_leads_to_the_receipt_once_it_is_sent(town: Town) -> None:
    path, receipt = f"{APPLICATION}/part/names", f"{APPLICATION}/receipt"
    async with town.browser() as browser:
        await filled(browser)
        form, checked = await browser.get(path), await browser.get(f"{APPLICATION}/check")
        said = {"csrf": hidden(checked)}
        three = [browser.post(f"{APPLICATION}/check", data=said) for _ in range(3)]
        answers = await together(*three)
        assert {(one.status_code, one.headers.get("location")) for one in answers} == {(303, receipt)}
        assert len(await documents(town, SUBMISSIONS.name)) == 1
        for address in (path, f"{APPLICATION}/check", APPLICATION):
            assert (await browser.get(address)).headers["location"] == receipt
        same = await browser.post(path, data={**held_in(form), **PARTS["names"]})
        assert (same.status_code, same.headers.get("location")) == (303, receipt)
        late = await browser.post(path, data={**held_in(form), **PARTS["names"], "/person/family_name": "Qzlate"})
        assert (late.status_code, "The application was sent before" in late.text) == (409, True)
        assert ("Qzlate" in late.text, "Download the signed receipt" in late.text) == (True, True)
        assert f'action="{path}"' not in late.text


async def test_what_the_office_decides_by_and_nobody_said_is_told_and_stops_nothing(town: Town) -> None:
    async with town.browser() as browser:
        await begun(browser)
        await kept(browser, "names", {"/person/family_name": "Qzcanary"})
        await kept(browser, "office", {"/office": "kabul"})
        page = (await browser.get(f"{APPLICATION}/check")).text
        left = page[page.index('id="left"') :].partition("</div>")[0]
        names = [one["name"]["en"] for one in published()["selection"]["eligibility"]]
        assert [one for one in names if one not in left] == []
        links = re.findall(r'href="/registration/application/part/(\w+)#([\w-]+)"', left)
        assert len(links) == len(names) + 1
        for part, field in links:
            assert f'id="{field}"' in (await browser.get(f"{APPLICATION}/part/{part}")).text, field
        assert "Without this consent nobody can be placed" in left
        assert "The office decides by something" in (await browser.get(APPLICATION)).text
        assert (await sent(browser)).status_code == 303
    async with town.browser() as other:
        await filled(other)
        page = (await other.get(f"{APPLICATION}/check")).text
        assert "Lives in the Netherlands" not in page
        assert "Without this consent" not in page


async def test_a_telephone_number_is_shown_as_it_is_understood(town: Town) -> None:
    async with town.browser() as browser:
        await begun(browser)
        for typed, shown, doubted in (
            ("020 7946 0018", "+31 2079460018", True),
            ("020 1234567", "+31 20 123 4567", False),
            ("+44 20 7946 0018", "+44 20 7946 0018", False),
        ):
            await kept(browser, "contact", {**PARTS["contact"], "/person/telephone": typed})
            page = (await browser.get(f"{APPLICATION}/check")).text
            assert (f">{shown}<" in page, "No such telephone number is known" in page) == (True, doubted), typed
        await kept(browser, "contact", {**PARTS["contact"], "/person/telephone": "none"})
        page = (await browser.get(f"{APPLICATION}/check")).text
        assert (">none<" in page, "No such telephone number is known" in page) == (True, False)
