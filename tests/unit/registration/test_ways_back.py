"""A new link by mail for whoever lost the one of an application, and reminders of one that was not sent."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from services.registration.applying.opening import LINKS_AT_MOST
from services.registration.domain.drafts import CLOSING_NOTICE, KEPT
from services.registration.domain.handover import AccountAssignment
from services.registration.store import ACCOUNTS, DRAFTS, PERSONS, REMINDED, WAYS_BACK
from services.registration.work.drafting import DRAFTS_ISSUER, LINKS_AT_ONCE
from services.registration.work.ways_back import LINKS_A_DAY
from shared.audit.segments import READINGS
from shared.cases.case import Asked
from shared.clock import derived_id
from shared.errors import Unavailable
from shared.store.aggregates import Cause
from tests.unit.registration.posting import Box
from tests.unit.registration.test_applying import (
    APPLICATION,
    PARTS,
    begun,
    documents,
    filled,
    in_zones,
    kept,
    open_to_applications,
    published,
    published_anew,
    sent,
)
from tests.unit.registration.test_entrance import Town, enter, hidden

LOST, OPEN = "/registration/drafts/lost", "/registration/drafts"
ADDRESS = PARTS["contact"]["/person/email"]
TELEPHONE = "/person/telephone"
SHOWN = re.compile(r"Its reference is <[^>]*>([0-9a-f]{8})")
A_CODE = re.compile(r"/registration/drafts/([0-9A-Z-]{14})\b")


@pytest.fixture
async def box() -> Box:
    return Box()


@pytest.fixture
async def town(box: Box, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Town]:
    """With a letter box for a channel; what sends by itself waits longer than a test."""
    monkeypatch.setattr("services.registration.app.channel_of", lambda _settings, _runtime: box)
    monkeypatch.setattr("services.registration.work.draft_mail.EVERY_SECONDS", 3_600.0)
    async for one in open_to_applications():
        box.mails.clear()
        yield one


async def sweep(town: Town, **later: float) -> None:
    # What is due now is found in the next instant.
    town.clock.instant += timedelta(milliseconds=1, **later)
    await town.services["registration"].ways_back.sweep()
    await town.services["registration"].reminding.sweep()


async def ask(town: Town, address: str = ADDRESS) -> httpx.Response:
    async with town.browser() as browser:
        return await browser.post(LOST, data={"email": address}, follow_redirects=True)


def link_in(box: Box) -> str:
    found = A_CODE.search(box.mails[-1].text)
    assert found, box.mails[-1].text
    return found[1]


async def typed(town: Town, browser: httpx.AsyncClient, *, reminds: bool = False) -> str:
    """The code of a draft with a name and an address."""
    code = await begun(browser)
    await kept(browser, "names", PARTS["names"])
    await kept(browser, "contact", PARTS["contact"], **({"reminds": "yes"} if reminds else {}))
    return code


async def opens(town: Town, code: str, fact: str) -> int:
    """What a device that has never seen the application is answered; 303 where it is let in."""
    async with town.browser() as other:
        return (await other.post(OPEN, data={"code": code, "fact": fact})).status_code


async def test_a_new_link_goes_to_the_address_that_was_typed_and_the_old_one_lives_until_it_is_used(
    town: Town, box: Box
) -> None:
    async with town.browser() as browser:
        old = await typed(town, browser)
        answer = await ask(town, ADDRESS.upper())
        assert "on its way" in answer.text
        assert box.mails == []
        await sweep(town)
        assert [mail.to for mail in box.mails] == [ADDRESS]
        assert "Qzcanary" not in box.mails[0].text
        new = link_in(box)
        assert new != old
        async with town.browser() as other:
            assert "Qzcanary" not in (await other.get(f"{OPEN}/{new}")).text
            assert "Qzcanary" not in (await other.post(OPEN, data={"code": new})).text
        assert await opens(town, new, ADDRESS) == 422, "who reads the mail knows the address"
        assert (await browser.get(APPLICATION)).status_code == 200
        await kept(browser, "names", PARTS["names"])
        assert await opens(town, new, "Qzcanary") == 303
        assert (await browser.get(APPLICATION)).status_code == 303, "the browser that held the old one is out"
        assert await opens(town, old, "Qzcanary") == 404
        assert await opens(town, new, "Qzcanary") == 303, "the link that came is now the link"


async def test_a_mail_names_the_reference_that_the_application_shows(town: Town, box: Box) -> None:
    async with town.browser() as browser:
        await typed(town, browser)
        shown = SHOWN.search((await browser.get(APPLICATION)).text)
        assert shown
        await ask(town)
        await sweep(town)
        assert f"Reference: {shown[1]}\n" in box.mails[-1].text


async def test_whoever_applies_is_known_to_read_the_language_of_the_form(town: Town) -> None:
    async with town.browser() as browser:
        browser.headers["Accept-Language"] = "ar"
        await filled(browser)
        await sent(browser)
    reads = {one["_id"]: one["state"]["reads"] for one in await documents(town, ACCOUNTS.name)}
    (draft,) = await documents(town, DRAFTS.name)
    assert reads[town.keys.accounts(DRAFTS_ISSUER).of(draft["_id"])] == "ar"


async def test_when_the_person_is_handed_over_the_draft_opens_to_nobody(town: Town, box: Box) -> None:
    """Neither the code, nor the browser that knows it, nor a link; and no link is sent."""
    async with town.browser() as browser:
        code = await filled(browser)
        await sent(browser)
        await ask(town)
        await sweep(town)
        link = link_in(box)
        for _ in range(200):
            if people := await documents(town, PERSONS.name):
                break
            await town.clock.sleep(0.02)
        assert (await browser.get(f"{APPLICATION}/download")).status_code == 200
        (draft,) = await documents(town, DRAFTS.name)
        assigned = Asked("assign-account", AccountAssignment(account="x", reason="sign_in_lost"), derived_id("another"))
        await town.kernel.execute(PERSONS, people[0]["_id"], assigned, Cause(derived_id("assigned")))
        download = await browser.get(f"{APPLICATION}/download")
        assert (download.status_code, "Qzcanary" in download.text) == (303, False)
        assert [await opens(town, one, "Qzcanary") for one in (code, link)] == [404, 404]
        box.mails.clear()
        await ask(town)
        await sweep(town)
        assert [mail.subject for mail in box.mails if A_CODE.search(mail.text)] == []
        drafting = town.services["registration"].drafting
        assert await drafting.opened(draft["_id"]) is None
        assert await drafting.found_by(draft["state"]["programme"], "/person/family_name", "Qzcanary", "kabul") == []


async def test_whoever_asks_reads_the_same_and_the_same_is_saved_whether_or_not_there_is_a_draft(
    town: Town, box: Box
) -> None:
    async with town.browser() as browser:
        await typed(town, browser)
    known, unknown = await ask(town), await ask(town, "nobody@example.org")
    assert (known.status_code, known.text) == (unknown.status_code, unknown.text)
    shapes = [
        {name: sorted(one[name]) if isinstance(one[name], dict) else type(one[name]) for name in one if name != "ix"}
        for one in await documents(town, WAYS_BACK.name)
    ]
    assert len(shapes) == 2
    assert shapes[0] == shapes[1]
    await sweep(town)
    assert [mail.to for mail in box.mails] == [ADDRESS]
    text = repr(await documents(town, WAYS_BACK.name))
    assert ADDRESS not in text
    assert all(not one["private"] for one in await documents(town, WAYS_BACK.name)), "the address is not kept"
    assert (await ask(town, "no address")).status_code == 422


async def test_one_address_gets_a_few_links_a_day_and_whoever_asks_more_reads_the_same(town: Town, box: Box) -> None:
    async with town.browser() as browser:
        await typed(town, browser)
    answers = set()
    for _ in range(LINKS_A_DAY + 2):
        answers.add((await ask(town)).text)
        await sweep(town)
    assert len(answers) == 1
    assert len(box.mails) == LINKS_A_DAY
    codes = [found[1] for mail in box.mails if (found := A_CODE.search(mail.text))]
    assert [await opens(town, code, "Qzcanary") for code in codes] == [404, 404, 303], "the last one alone opens"
    await sweep(town, days=1)
    await ask(town)
    await sweep(town)
    assert len(box.mails) == LINKS_A_DAY + 1
    lines = [(await ask(town, f"somebody{number}@example.org")).status_code for number in range(LINKS_AT_MOST)]
    assert (lines[0], lines[-1]) == (200, 429), "nor does one line ask for ever more of others"


async def test_a_link_is_sent_once_more_after_a_failure_and_is_the_same(town: Town, box: Box) -> None:
    async with town.browser() as browser:
        await typed(town, browser, reminds=True)
    await ask(town)
    box.failing.append(Unavailable("mail"))
    await sweep(town)
    (first,) = [one["private"]["renewal"]["code"] for one in await documents(town, DRAFTS.name)]
    assert box.mails == []
    await sweep(town, minutes=3)
    (second,) = [one["private"]["renewal"]["code"] for one in await documents(town, DRAFTS.name)]
    assert (len(box.mails), first) == (1, second)
    await sweep(town, days=4)
    assert await opens(town, link_in(box), "Qzcanary") == 404, "it lasts three days"
    await ask(town)
    await sweep(town)
    await given_by_the_office(town)
    assert await opens(town, link_in(box), "Qzcanary") == 404, "the office's code ends it"
    await sweep(town, days=21)
    assert len(box.mails) == 3
    town.clock.instant += KEPT
    for document in await documents(town, DRAFTS.name):
        await town.services["registration"].drafting.fire(document)
    assert box.mails == [], "with the draft goes what a folder keeps of its mails"


async def given_by_the_office(town: Town) -> None:
    async with town.browser() as desk:
        await enter(desk, "officer@kabul")
        form = {"/programme": published()["code"], "/known_by": "email", "/said": ADDRESS}
        page = await desk.get("/registration/lost-codes", follow_redirects=True)
        found = await desk.post("/registration/lost-codes", data={"csrf": hidden(page), **form})
        (draft,) = await documents(town, DRAFTS.name)
        given = {"csrf": hidden(found), "idempotency-key": hidden(found, "idempotency-key"), "/reason": "code_lost"}
        assert (await desk.post(f"/registration/lost-codes/{draft['_id']}", data=given)).status_code == 200


async def test_whoever_asked_is_reminded_once_before_the_close_and_once_before_the_end(town: Town, box: Box) -> None:
    ends = datetime.fromisoformat(published()["dates"]["ends"]).replace(tzinfo=UTC)
    town.clock.instant = ends - timedelta(days=20) + timedelta(hours=12)
    async with town.browser() as browser:
        code = await typed(town, browser, reminds=True)
        page = await browser.get(f"{APPLICATION}/part/contact")
        assert re.search(r'name="reminds" value="yes" checked', page.text)
    async with town.browser() as silent:
        await typed(town, silent)
    await sweep(town)
    assert box.mails == []
    town.clock.instant = ends - CLOSING_NOTICE + timedelta(hours=12)
    for _ in range(3):
        await sweep(town)
    assert [(mail.to, mail.subject) for mail in box.mails] == [(ADDRESS, "Your application is not sent yet")]
    said = box.mails[0].text
    assert not any(one in said for one in ("Qzcanary", code, ADDRESS)), "no code, and nothing that was typed"
    town.clock.instant = ends - timedelta(days=20) + KEPT - timedelta(days=4) + timedelta(hours=12)
    for _ in range(3):
        await sweep(town)
    assert [mail.subject for mail in box.mails[1:]] == ["Your application will be deleted"]
    read = [one for one in await documents(town, READINGS.name) if "contact" in repr(one)]
    assert read, "that the address was opened stands in the trail"


async def test_reminders_end_from_the_mail_by_a_button_and_their_language_is_the_drafts(town: Town, box: Box) -> None:
    async with town.browser() as browser:
        await browser.get("/?lang=fr")
        await typed(town, browser, reminds=True)
    await sweep(town, days=26)
    (mail,) = box.mails
    assert mail.language == "fr"
    assert mail.stop is not None
    path = mail.stop.removeprefix("http://127.0.0.1:8000")
    async with town.browser() as other:
        assert (await other.get(path)).status_code == 200
        assert "stopped_at" not in repr(await documents(town, REMINDED.name)), "fetching the address ends nothing"
        assert (await other.post(path + "0")).status_code == 404
        assert "stopped_at" not in repr(await documents(town, REMINDED.name))
        assert (await other.post(path)).status_code == 200
    assert "stopped_at" in repr(await documents(town, REMINDED.name))


async def test_what_was_typed_for_an_office_stands_in_no_trail(town: Town, box: Box) -> None:
    canary = "Qzoffice" + "x" * 100_000
    async with town.browser() as browser:
        await typed(town, browser)
        answer = await kept(browser, "office", {"/office": canary})
        assert answer.status_code == 422
        assert canary in (await browser.get(f"{APPLICATION}/part/office")).text, "what was typed is kept"
        await ask(town)
        await sweep(town)
        assert [mail.to for mail in box.mails] == [ADDRESS]
        (read,) = [one for one in await documents(town, READINGS.name) if "contact" in repr(one)]
        assert "Qzoffice" not in repr(read)
        assert "Qzoffice" not in repr(await documents(town, DRAFTS.name))
        await kept(browser, "office", PARTS["office"])
        await ask(town)
        await sweep(town)
        kabul = [one for one in await documents(town, READINGS.name) if "'kabul'" in repr(one)]
        assert kabul, "the programme's own office stands there"


@pytest.mark.parametrize("character", ["\x00", "\x01", "\ue000", "\U000e0fff"])
async def test_a_character_that_no_address_has_is_refused_and_what_was_typed_stays(town: Town, character: str) -> None:
    address = f"a{character}b@example.org"
    async with town.browser() as browser:
        await begun(browser)
        answer = await kept(browser, "contact", {**PARTS["contact"], "/person/email": address, TELEPHONE: "0401 2345"})
        assert answer.status_code == 422, answer.text
        part = await browser.get(f"{APPLICATION}/part/contact")
        assert part.status_code == 200
        assert "0401 2345" in part.text, "the rest of the part stays"
    lost = await ask(town, address)
    assert lost.status_code == 422
    assert f'action="{LOST}"' in lost.text


async def test_drafts_of_others_with_the_address_neither_hide_somebodys_nor_multiply_mails(
    town: Town, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.registration.work.drafting.LOOKED_AT_ONCE", 5)
    for _ in range(LINKS_AT_ONCE + 2):
        async with town.browser() as other:
            await begun(other)
            await kept(other, "contact", {"/person/email": ADDRESS.upper()})
    async with town.browser() as browser:
        await typed(town, browser)
    await ask(town)
    box.failing.append(Unavailable("mail"))
    await sweep(town)
    assert box.mails == []
    await sweep(town, minutes=3)
    (mail,) = box.mails
    codes = A_CODE.findall(mail.text)
    assert len(set(codes)) == LINKS_AT_ONCE
    assert mail.to == ADDRESS, "as it stands in the first of them"
    assert await opens(town, codes[0], "Qzcanary") == 303, "the one in which most was typed comes first"
    read = [one for one in await documents(town, READINGS.name) if "contact" in repr(one)]
    assert read
    for number in range(LINKS_AT_ONCE + 2):
        async with town.browser() as other:
            await begun(other)
            await kept(other, "names", {**PARTS["names"], "/person/family_name": "Qzother"})
            if number == 0:
                await kept(other, "contact", {"/person/email": "other@example.org"})
                await ask(town, "other@example.org")
                await sweep(town)
                said = {"code": A_CODE.findall(box.mails.pop().text)[0], "fact": "Qzother"}
                assert (await other.post(OPEN, data=said)).status_code == 303
            await kept(other, "contact", PARTS["contact"])
    await ask(town)
    await sweep(town)
    (again,) = box.mails[1:]
    first = A_CODE.findall(again.text)[0]
    assert await opens(town, first, "Qzcanary") == 303, "whoever used a link of a mail reads that box"


async def test_an_address_that_is_changed_while_its_question_is_answered_gets_no_link(
    town: Town, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    drafting = town.services["registration"].drafting
    found_at = drafting.found_at
    async with town.browser() as browser, town.browser() as other:
        await typed(town, browser)
        await kept(browser, "names", {**PARTS["names"], "/person/family_name": "Qzfirst"})
        await typed(town, other)

        async def slowly(address: str) -> object:
            found = await found_at(address)
            await kept(browser, "contact", {"/person/email": "other@example.org"})
            return found

        monkeypatch.setattr(drafting, "found_at", slowly)
        await ask(town)
        await sweep(town)
    (mail,) = box.mails
    assert (mail.to, len(A_CODE.findall(mail.text))) == (ADDRESS, 1)


async def test_one_address_is_reminded_once_a_day_and_one_stop_ends_it_for_all_its_drafts(town: Town, box: Box) -> None:
    ends = datetime.fromisoformat(published()["dates"]["ends"]).replace(tzinfo=UTC)
    town.clock.instant = ends - CLOSING_NOTICE + timedelta(hours=9)
    for number in range(3):
        async with town.browser() as browser:
            await begun(browser)
            contact = {"/person/email": ADDRESS.upper() if number else ADDRESS}
            await kept(browser, "contact", contact, reminds="yes")
    for _ in range(4):
        await sweep(town, minutes=1)
    assert len(box.mails) == 1
    for _ in range(4):
        await sweep(town, minutes=30)
    assert len(box.mails) == 1
    for _ in range(3):
        await sweep(town, days=1 / 3)
    assert len(box.mails) == 2, "the next day has another one"
    stops = {mail.stop for mail in box.mails}
    assert len(stops) == 1, "one address ends them all"
    assert ADDRESS not in repr(stops)
    path = str(stops.pop()).removeprefix("http://127.0.0.1:8000")
    async with town.browser() as other:
        assert [(await other.post(path)).status_code for _ in range(2)] == [200, 200]
    async with town.browser() as browser:
        await begun(browser)
        await kept(browser, "contact", {"/person/email": ADDRESS}, reminds="yes")
        await sweep(town, days=1)
        await sweep(town, hours=4)
        await kept(browser, "contact", {"/person/email": "other@example.org"}, reminds="yes")
    await sweep(town, minutes=1)
    assert [mail.to for mail in box.mails[2:]] == ["other@example.org"]
    assert ADDRESS not in repr(await documents(town, REMINDED.name)).lower()


async def moved(town: Town, days: int) -> None:
    dates = published()["dates"]
    ends = datetime.fromisoformat(dates["ends"]) + timedelta(days=days)
    await published_anew(town, dates={**dates, "ends": ends.date().isoformat()})


async def test_the_holder_of_an_open_draft_is_told_once_that_the_closing_day_moved(town: Town, box: Box) -> None:
    async with town.browser() as browser, town.browser() as silent, town.browser() as later:
        code = await typed(town, browser)
        await begun(silent)
        await sweep(town)
        assert box.mails == []
        await moved(town, 30)
        box.failing.append(Unavailable("mail"))
        await sweep(town)
        await typed(town, later)
        for _ in range(3):
            await sweep(town, minutes=5)
        (mail,) = box.mails
        assert (mail.to, mail.subject) == (ADDRESS, "The closing day has moved")
        assert "31 July 2008, 00:00 (Kabul time" in mail.text
        assert not any(one in mail.text for one in ("Qzcanary", code, ADDRESS)), "nothing that was typed"
        assert '<time datetime="2008-07-30">' in (await browser.get(APPLICATION)).text
        await sweep(town, days=1)
        assert len(box.mails) == 1
        await moved(town, 40)
        await moved(town, 30)
        await sweep(town, days=1)
        assert len(box.mails) == 1, "it stands where the person was told"
        await moved(town, 50)
        for _ in range(2):
            await sweep(town, days=1)
        assert [one.subject for one in box.mails] == ["The closing day has moved"] * 3, "the second draft's too"
        assert len({one.id for one in box.mails}) == 3


async def test_what_was_sent_and_not_noted_is_the_same_mail_once_more(
    town: Town, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with town.browser() as browser:
        await typed(town, browser)
    await moved(town, 30)
    reminding = town.services["registration"].reminding

    async def cut_off(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(reminding, "_finish", cut_off)
    await sweep(town)
    monkeypatch.undo()
    await sweep(town, minutes=30)
    assert len(box.mails) == 2
    assert len({one.id for one in box.mails}) == 1


async def test_whoever_was_reminded_before_is_reminded_anew_before_the_day_that_stands(town: Town, box: Box) -> None:
    ends = datetime.fromisoformat(published()["dates"]["ends"]).replace(tzinfo=UTC)
    town.clock.instant = ends - CLOSING_NOTICE + timedelta(hours=12)
    async with town.browser() as browser:
        await typed(town, browser, reminds=True)
    await sweep(town)
    await moved(town, 20)
    await sweep(town, days=1)
    town.clock.instant += timedelta(days=19)
    for _ in range(3):
        await sweep(town, minutes=1)
    said = [one.subject for one in box.mails]
    assert said == ["Your application is not sent yet", "The closing day has moved", "Your application is not sent yet"]
    assert len({one.id for one in box.mails}) == 3


async def test_without_an_office_the_reminder_names_the_first_closing_and_its_zone(town: Town, box: Box) -> None:
    offices = published()["offices"]
    await published_anew(town, offices=[{**one, "time_zone": "Asia/Kabul"} for one in offices])
    ends = datetime.fromisoformat(published()["dates"]["ends"]).replace(tzinfo=UTC)
    town.clock.instant = ends - CLOSING_NOTICE + timedelta(hours=6)
    async with town.browser() as browser:
        await typed(town, browser, reminds=True)
    await sweep(town)
    assert "1 July 2008, 00:00 (Kabul time, UTC+04:30)" in box.mails[0].text
    assert "The programme closes then, and nobody can apply any more." in box.mails[0].text


async def test_where_offices_close_apart_whoever_chose_none_is_told_of_the_first(town: Town, box: Box) -> None:
    others = {one["code"]: "America/Guayaquil" for one in published()["offices"] if one["code"] != "kabul"}
    await published_anew(town, offices=in_zones(**others))
    ends = datetime.fromisoformat(published()["dates"]["ends"]).replace(tzinfo=UTC)
    town.clock.instant = ends - CLOSING_NOTICE + timedelta(hours=16)
    async with town.browser() as browser:
        await typed(town, browser, reminds=True)
    await sweep(town)
    assert "1 July 2008, 00:00 (Kabul time, UTC+04:30)" in box.mails[0].text
    assert "The first of the programme's offices closes then." in box.mails[0].text


async def test_a_browser_whose_link_was_overtaken_by_one_from_a_mail_is_told_when(town: Town, box: Box) -> None:
    async with town.browser() as browser:
        old = await typed(town, browser)
        await ask(town)
        await sweep(town)
        assert await opens(town, link_in(box), "Qzcanary") == 303
        told = await browser.get(APPLICATION, follow_redirects=True)
        assert "A link to your application that came by e-mail was used" in told.text
        async with town.browser() as other:
            typed_in = await other.post(OPEN, data={"code": old})
            assert "A link to your application that came by e-mail was used" in typed_in.text


@pytest.mark.parametrize("begun_before", [True, False])
async def test_ten_whole_applications_of_others_keep_nobodys_link_out_of_the_mail(
    town: Town, box: Box, begun_before: bool
) -> None:
    """Whether they were begun before or edited since: in one of the orders the person's own comes first."""

    async def others(number: int) -> None:
        for _ in range(number):
            async with town.browser() as other:
                await filled(other)
                await kept(other, "names", {"/person/family_name": "Qzother", "/person/given_name": "Qzother"})
                assert (await sent(other)).status_code == 303
            town.clock.instant += timedelta(seconds=1)

    if begun_before:
        await others(LINKS_AT_ONCE + 1)
    async with town.browser() as browser:
        await begun(browser)
        await kept(browser, "contact", PARTS["contact"])
        await kept(browser, "names", {"/person/family_name": "Qzmine"})
    town.clock.instant += timedelta(seconds=1)
    if not begun_before:
        await others(LINKS_AT_ONCE + 1)
    await ask(town)
    await sweep(town)
    (mail,) = [one for one in box.mails if A_CODE.search(one.text)]
    codes = list(dict.fromkeys(A_CODE.findall(mail.text)))
    assert len(codes) == LINKS_AT_ONCE
    assert 303 in [await opens(town, code, "Qzmine") for code in codes]
