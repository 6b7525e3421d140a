"""Bulk acts: what is looked at before, what is done once however often it is sent, and what becomes of each case."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from html import unescape
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.registration.app import build
from services.registration.store import COLLECTIONS, SHADOWS
from shared.clock import derived_id
from shared.errors import Unavailable
from shared.replica import stored
from shared.web import together
from shared.web.pages import bulk
from tests.unit.pages.test_cases import INSTITUTION, Office, held
from tests.unit.registration.serving import Serving

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office() -> AsyncIterator[Office]:
    async with Serving("registration", stored(COLLECTIONS, SHADOWS), build) as serving:
        one = Office(serving)
        yield one
        await one.http.aclose()


async def cases(office: Office, number: int) -> list[str]:
    return [await office.institution() for _ in range(number)]


async def look(office: Office, verb: str, ids: Iterable[str], query: str = "", **more: Any) -> httpx.Response:
    """The look at what would happen to those cases."""
    csrf = held(await office.http.get(INSTITUTION))["csrf"]
    return await office.send(f"bulk{query}", {"csrf": csrf, "verb": verb, "case": list(ids), **more})


def sent_by(page: httpx.Response) -> dict[str, Any]:
    """What the look sends when nothing is taken out."""
    chosen = re.findall(r'name="chosen" value="([^"]*)"', page.text)
    return {**held(page), "chosen": [unescape(one) for one in chosen]}


def told(page: httpx.Response) -> dict[str, str]:
    """Of each case of the result, by the first characters of its id, what became of it."""
    rows = re.findall(r'<bdi dir="ltr">([^<]{1,8})</bdi>.*?What became of it">([^<]*)<', page.text, re.DOTALL)
    return dict(rows)


async def test_many_are_looked_at_and_done_once_however_often_that_is_sent(office: Office) -> None:
    ids = await cases(office, 3)
    page = await look(office, "assess", ids)
    assert (page.status_code, "Can be done: " in page.text) == (200, True), page.text
    assert [await office.stands(id) for id in ids] == [("proposed", 1)] * 3
    sent = sent_by(page)
    assert sent["chosen"] == [f"{id}:1" for id in ids]
    for _ in range(2):
        done = await office.send("bulk/assess", sent)
        assert (done.status_code, told(done)) == (200, {id[:8]: "done" for id in ids}), done.text
        assert [await office.stands(id) for id in ids] == [("assessed", 2)] * 3


async def test_what_is_true_of_one_case_alone_is_not_asked_of_many(office: Office) -> None:
    ids = await cases(office, 1)
    page = (await office.http.get(INSTITUTION)).text
    offered = re.findall(r'<option value="([a-z-]+)">', page.rpartition('name="verb"')[2])
    passing = ["ask-transfer", "withdraw-transfer"]
    assert offered == ["assess", "accept-partner", "activate", "put-on-hold", "close", *passing]
    assert (await look(office, "assign-account", ids)).status_code == 404


async def test_a_form_for_many_has_the_hints_of_the_form_for_one(office: Office) -> None:
    ids = await cases(office, 1)
    for page in (
        await look(office, "ask-transfer", ids),
        await office.http.get(f"{INSTITUTION}/{ids[0]}/ask-transfer"),
    ):
        assert "The office that you ask reads it too" in page.text
        assert "It stays in the office" not in page.text


async def test_what_stopped_in_the_middle_is_finished_by_sending_it_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await cases(office, 3)
    sent, do, acts = sent_by(await look(office, "assess", ids)), together.act, []

    async def stopping(*asked: Any) -> Any:
        acts.append(await do(*asked))
        if len(acts) == 2:
            raise SystemError("as a process that ends after the save")
        return acts[-1]

    monkeypatch.setattr(together, "act", stopping)
    assert (await office.send("bulk/assess", sent)).status_code == 500
    assert [(await office.stands(id))[0] for id in ids] == ["assessed", "assessed", "proposed"]
    done = await office.send("bulk/assess", sent)
    assert told(done) == {id[:8]: "done" for id in ids}
    assert [await office.stands(id) for id in ids] == [("assessed", 2)] * 3
    assert [one.repeated for one in acts] == [False, False, True, True, False]


async def test_what_the_store_or_the_time_leaves_is_gone_on_with(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await cases(office, 3)
    sent, do, asked = sent_by(await look(office, "assess", ids)), together.act, list[str]()

    async def failing(served: Any, behind: Any, call: Any) -> Any:
        asked.append(call.id)
        if len(asked) == 2:
            raise Unavailable("the store")
        return await do(served, behind, call)

    monkeypatch.setattr(together, "act", failing)
    page = await office.send("bulk/assess", sent)
    assert told(page) == {ids[0][:8]: "done", ids[1][:8]: "not done yet", ids[2][:8]: "not done yet"}
    assert asked == ids[:2]
    # No time is left after the first: one more request for each.
    monkeypatch.setattr(together, "SECONDS_AT_MOST", 0.0)
    form = re.search(r"<form method=.post. action=.[^>]*bulk/assess.*?</form>", page.text, re.DOTALL)
    assert form
    rest = dict(re.findall(r'name="([a-z-]*)" value="([^"]*)"', form[0]))
    assert (rest["idempotency-key"], rest["chosen"]) == (sent["idempotency-key"], f"{ids[2]}:1")
    for left in ([ids[1], ids[2]], [ids[2]]):
        page = await office.send("bulk/assess", {**rest, "chosen": [f"{id}:1" for id in left]})
    assert told(page) == {ids[2][:8]: "done"}
    assert [await office.stands(id) for id in ids] == [("assessed", 2)] * 3


async def test_a_case_that_changed_meanwhile_is_left_as_it_is_and_the_others_are_done(office: Office) -> None:
    ids = await cases(office, 3)
    sent = sent_by(await look(office, "close", ids))
    await office.send(f"{ids[1]}/assess", await office.form(f"{ids[1]}/assess"))
    done = await office.send("bulk/close", {**sent, "/reason": "merged"})
    assert told(done) == {ids[0][:8]: "done", ids[1][:8]: "changed meanwhile", ids[2][:8]: "done"}
    assert [(await office.stands(id))[0] for id in ids] == ["closed", "assessed", "closed"]
    again = await look(office, "close", [ids[1]])
    assert sent_by(again)["chosen"] == [f"{ids[1]}:2"]


async def test_another_offices_case_is_not_found_and_what_would_be_refused_is_said(office: Office) -> None:
    own, strange = await office.institution(), await office.institution(office="tbilisi", name="Zqanary")
    over = await office.institution()
    await office.send(f"{over}/close", {**await office.form(f"{over}/close"), "/reason": "merged"})
    page = await look(office, "assess", [own, strange, over, "no id at all", derived_id("nobody")])
    assert sent_by(page)["chosen"] == [f"{own}:1"]
    assert ("Would be refused, and left out" in page.text, "Possible in the status: Proposed" in page.text) == (
        True,
        True,
    )
    assert ("Zqanary" in page.text, page.text.count("no id at all")) == (False, 0)
    forged = {**sent_by(page), "chosen": [f"{strange}:1", f"{over}:2", f"{own}:x", "../:1", f"{own}:1"]}
    done = await office.send("bulk/assess", forged)
    assert ("not found" in done.text, "Zqanary" in done.text) == (True, False)
    assert told(done)[over[:8]].startswith("refused")
    document = await office.serving.store.load("institutions", strange)
    assert document
    assert (document["state"]["status"], document["version"]) == ("proposed", 1)
    assert await office.stands(own) == ("assessed", 2)


async def test_a_body_that_is_refused_does_nothing_and_keeps_what_was_chosen(office: Office) -> None:
    ids = await cases(office, 2)
    sent = sent_by(await look(office, "close", ids))
    page = await office.send("bulk/close", {**sent, "/note": "Zqanary"})
    assert (page.status_code, "<title>Error:" in page.text, "Zqanary" in page.text) == (422, True, True)
    assert sent_by(page) == sent
    assert [await office.stands(id) for id in ids] == [("proposed", 1)] * 2


async def test_all_that_match_are_said_and_bounded(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        await office.institution(office="dushanbe")
    async with office.browser(office="dushanbe") as http:
        listed = await http.get(f"{INSTITUTION}?limit=1&status=proposed")
        assert re.search(r"All \S*3\S* that match, on every page", listed.text)
        form = {**held(listed), "verb": "assess", "all": "1"}
        page = await http.post(f"{INSTITUTION}/bulk?status=proposed", data=form)
        assert len(sent_by(page)["chosen"]) == 3
        assert len(sent_by(await http.post(f"{INSTITUTION}/bulk?status=closed", data=form))["chosen"]) == 0
        monkeypatch.setattr(bulk, "CASES_AT_MOST", 2)
        page = await http.post(f"{INSTITUTION}/bulk?status=proposed", data=form)
        assert (len(sent_by(page)["chosen"]), "More match than can be done at once" in page.text) == (2, True)
        many = {**held(listed), "verb": "assess", "case": [str(number) for number in range(3)]}
        for wrong in ({**form, "all": ""}, many):
            assert (await http.post(f"{INSTITUTION}/bulk", data=wrong)).status_code == 422
        # Another language, or Back after the end of a session: the list.
        assert (
            (await http.get(f"{INSTITUTION}/bulk?status=proposed&lang=fr"))
            .headers["location"]
            .endswith("institutions?status=proposed")
        )


async def test_only_an_office_acts_on_many_and_only_by_its_own_forms(office: Office) -> None:
    id = await office.institution()
    sent = sent_by(await look(office, "assess", [id]))
    listed = await office.http.get(INSTITUTION)
    assert 'value="assess"' in listed.text
    assert 'value="create"' not in listed.text
    assert 'value="take-back"' not in listed.text
    for verb in ("create", "take-back", "king", "correct-time"):
        assert (await office.send(f"bulk/{verb}", sent)).status_code == 404, verb
    elsewhere = await office.send("bulk/assess", sent, headers={"Sec-Fetch-Site": "cross-site"})
    kept = await office.http.post(f"{INSTITUTION}/bulk/assess", data=sent, headers={"Cookie": ""})
    assert (elsewhere.status_code, kept.status_code, f"{id}:1" in kept.text) == (403, 401, True)
    async with office.browser("host", account=office.serving.account("nobody")) as host:
        page = await host.post(f"{INSTITUTION}/bulk/assess", data=sent)
        assert page.status_code == 403
    assert await office.stands(id) == ("proposed", 1)
