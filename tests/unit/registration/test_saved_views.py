"""Saved views: kept by account, offered to the office where they are shared, and back to the list in one click."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest
import pytest_asyncio
from pydantic import ValidationError

from services.registration.app import build
from services.registration.domain import saved_views
from services.registration.domain.saved_views import SavedView, SavedViews
from services.registration.saved_views.api import ViewSaved
from services.registration.store import COLLECTIONS, SHADOWS, VIEWS
from shared.clock import derived_id
from shared.errors import Refusal
from shared.replica import stored
from shared.store.documents import new_document
from tests.unit.pages.test_cases import INSTITUTION, Office, held
from tests.unit.registration.serving import Serving

LIST, PAGE = "registration/institutions", "/registration/saved-views"
PART = f"{PAGE}/part?list={LIST}"


def view(name: str, query: str = "status=proposed") -> SavedView:
    at = datetime(2026, 3, 4, tzinfo=UTC)
    return SavedView(list=LIST, name=name, query=query, shared=False, office="kabul", saved_at=at)


def test_the_same_name_takes_the_others_place_and_the_same_view_stays_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(saved_views, "VIEWS_AT_MOST", 2)
    one = SavedViews().with_one(view("Waiting"))
    later = view("Waiting").model_copy(update={"saved_at": datetime(2026, 3, 5, tzinfo=UTC)})
    assert one.with_one(later) is one
    replaced = one.with_one(view("WAITING", "status=partner"))
    assert [(found.name, found.query) for found in replaced.views] == [("WAITING", "status=partner")]
    two = replaced.with_one(view("Second"))
    with pytest.raises(Refusal, match="too_many_views"):
        two.with_one(view("Third"))
    assert len(two.with_one(view("second", "")).views) == 2
    assert two.without(view("sECOND")) == replaced


def test_what_is_kept_back_stays_as_it_is_and_is_shared_no_more() -> None:
    shared = view("Waiting").model_copy(update={"shared": True})
    both = SavedViews().with_one(shared).with_one(view("Second"))
    assert both.shares(view("waiting"))
    assert both.kept_back(view("waiting")) == SavedViews(views=(view("Waiting"), view("Second")))
    assert both.kept_back(view("Third")) == both


@pytest.mark.parametrize("query", ["<b>=1", "a=1&&b=2", "a", "a=" + "x" * 401, "a=%0d b"])
def test_what_is_no_query_of_a_list_is_refused(query: str) -> None:
    with pytest.raises(ValidationError):
        ViewSaved(list=LIST, name="Waiting", query=query)


def test_what_is_of_the_moment_is_not_kept_and_no_address_leads_elsewhere() -> None:
    kept = ViewSaved(
        list=LIST, name="  Waiting   long ", query="status=proposed&after=x.y&lang=ar&columns=name%2Ccountry"
    )
    assert (kept.name, kept.query) == ("Waiting long", "columns=name%2Ccountry&status=proposed")
    for list in ("//evil.example", "reporting/indicators", "registration/../x", "registration/experts?x"):
        with pytest.raises(ValidationError):
            ViewSaved(list=list, name="x")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office() -> AsyncIterator[Office]:
    async with Serving("registration", stored(COLLECTIONS, SHADOWS), build) as serving:
        one = Office(serving)
        yield one
        await one.http.aclose()


def as_saved(page: str, **said: str) -> dict[str, str]:
    """What the list's form of saved views holds, with what is typed in it."""
    form = page.partition('action="/registration/saved-views"')[2].partition("</form>")[0]
    hidden = dict(re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', form))
    return {**{name: unescape(value) for name, value in hidden.items()}, **said}


@pytest.mark.asyncio(loop_scope="module")
async def test_an_officer_saves_a_list_and_chooses_it_again_in_one_click(office: Office) -> None:
    await office.institution(office="dushanbe", name="Kolej", account="dushanbe@example.org")
    ada, bea = office.serving.account("ada"), office.serving.account("bea")
    narrowed = f"{INSTITUTION}?status=proposed&order=newest&columns=name&columns=country"
    async with (
        office.browser(office="dushanbe", account=ada) as http,
        office.browser(office="dushanbe", account=bea) as colleague,
        office.browser(office="naryn", account=office.serving.account("cem")) as stranger,
    ):
        page = (await http.get(narrowed)).text
        labels = re.findall(r'<th scope="col">([^<]*)</th>', page)
        assert [one for one in labels if one in ("Name", "Country", "Sector")] == ["Name", "Country"]
        assert PART in unescape(page)
        for name, query in (("", ""), ("x" * 100, "?status=proposed")):
            unnamed = as_saved((await http.get(f"{INSTITUTION}{query}")).text, name=name)
            refused = await http.post(PAGE, data=unnamed)
            assert refused.status_code == 422
            assert as_saved(refused.text, name=name) == unnamed
        answer = await http.post(PAGE, data=as_saved(page, name="Ours <b>", shared="1"))
        address = "/registration/institutions?columns=name%2Ccountry&order=newest&status=proposed"
        assert (answer.status_code, answer.headers["location"]) == (303, address)
        again = (await http.get(address)).text
        assert re.findall(r'<th scope="col">([^<]*)</th>', again) == labels
        assert "Kolej" in again
        for reader, links in ((http, 1), (colleague, 1), (stranger, 0)):
            part = (await reader.get(PART)).text
            assert (
                part.count(f'<a href="{address.replace("&", "&amp;")}" target="_top"><bdi>Ours &lt;b&gt;</bdi></a>')
                == links
            )
            assert (await reader.get(f"{PAGE}/part?list=matching/matches")).text.count("<bdi>") == 0
        # A colleague's is chosen, and removed by nobody else.
        assert 'name="id"' not in (await colleague.get(PAGE)).text
        form = held(await http.get(PAGE))
        token = held(await colleague.get(PAGE)).get("csrf", form["csrf"])
        assert (await colleague.post(f"{PAGE}/remove", data={**form, "csrf": token})).status_code == 404
        assert "Ours" in (await colleague.get(PART)).text
        for _ in range(2):
            assert (await http.post(f"{PAGE}/remove", data=form)).status_code == 303
        assert "Ours" not in (await http.get(PAGE)).text
        file = (await http.get(f"{INSTITUTION}/list.csv?columns=name")).text
        assert file.splitlines()[0].endswith('"Reference","Status","Name"')
        assert (await http.get(f"{INSTITUTION}?columns=secret")).status_code == 422


@pytest.mark.asyncio(loop_scope="module")
async def test_the_same_name_again_stays_shared_unless_that_is_changed(office: Office) -> None:
    who: dict[str, Any] = {"office": "osh", "subject": "gul"}
    async with office.browser(office="osh", account=office.serving.account("gul")) as http:
        page = (await http.get(f"{INSTITUTION}?status=proposed")).text
        for box, shared in (({}, False), ({"shared": "1"}, True), ({}, True)):
            await http.post(PAGE, data=as_saved(page, name="Waiting", **box))
            (item,) = (await office.serving.get("/saved-views", **who)).json()["items"]
            assert item["shared"] is shared
    body = {"list": LIST, "name": "Waiting", "shared": False}
    assert (await office.serving.post("/saved-views/save", "officer", body, **who)).json()["shared"] is False


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("list", ["registration/sign-out", "registration/audit", "placement/experts"])
async def test_what_is_no_list_is_refused(office: Office, list: str) -> None:
    answer = await office.serving.post("/saved-views/save", "officer", {"list": list, "name": "x"}, office="osh")
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["pointer"], error["rule"]) == (422, "/list", "literal_error")
    assert "registration/experts" in error["detail"]


@pytest.mark.parametrize(
    ("list", "query", "rule", "words"),
    [
        ("registration/experts", "status=nonsense", "code_not_listed", "status: one of identity_clash, "),
        ("registration/experts", "status=eligible&status=screening", "duplicate_parameter", "status"),
        ("registration/experts", "office=garowe", "unknown_parameter", "one of limit, after, status, "),
        ("registration/experts", "order=sideways", "code_not_listed", "order: one of oldest, newest"),
        ("registration/experts", "programme=nowhere-1", "programme_unknown", "programme: the code of a programme"),
        ("registration/experts", "person=somebody", "string_pattern_mismatch", "person: an id"),
        ("registration/experts", "limit=9000", "limit_out_of_range", "limit"),
        ("registration/experts", "columns=secret", "code_not_listed", "columns: of "),
        ("matching/assignments", "status=eligible", "code_not_listed", "status: one of "),
        ("placement/placements", "taken_by=you", "code_not_listed", "taken_by: one of me, nobody"),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_what_the_list_refuses_is_not_saved(office: Office, list: str, query: str, rule: str, words: str) -> None:
    body = {"list": list, "name": "x", "query": query}
    answer = await office.serving.post("/saved-views/save", "officer", body, office="mogadishu", subject="ivy")
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["pointer"], error["rule"]) == (422, "/query", rule)
    assert words in error.get("detail", "")
    async with office.browser(office="mogadishu", account=office.serving.account("ivy")) as http:
        form = as_saved((await http.get(INSTITUTION)).text, list=list, name="x", query=query)
        page = await http.post(PAGE, data=form)
        assert page.status_code == 422
        assert "The list cannot be asked for this." in page.text
    assert (await office.serving.get("/saved-views", office="mogadishu", subject="ivy")).json()["items"] == []


@pytest.mark.asyncio(loop_scope="module")
async def test_what_a_view_is_refused_for_is_said_at_its_field(office: Office) -> None:
    for said, words in (
        ({"name": ""}, '<a href="#view-name">Name of the view: Enter a name</a>'),
        ({"name": "x" * 100}, '<a href="#view-name">Name of the view: Shorten this text</a>'),
        ({"name": "x", "query": "columns=" + "a" * 990}, "<li>The list cannot be asked for this."),
    ):
        form = {**as_saved((await office.http.get(INSTITUTION)).text), **said}
        page = await office.http.post(PAGE, data=form)
        assert (page.status_code, words in unescape(page.text)) == (422, True), page.text


@pytest.mark.parametrize("list", ["registration/messages", "matching/assignments", "placement/trainings"])
@pytest.mark.asyncio(loop_scope="module")
async def test_each_list_there_is_can_be_saved(office: Office, list: str) -> None:
    body = {"list": list, "name": "x"}
    assert (await office.serving.post("/saved-views/save", "officer", body, office="osh", subject="hal")).is_success


@pytest.mark.parametrize("name", ["", " ", "\u200c", "\u3164 \u3164", "\u2800", "\u0301"])
def test_a_name_that_nobody_sees_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="string_too_short"):
        ViewSaved(list=LIST, name=name)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_name_that_is_refused_comes_back_with_what_was_sent(office: Office) -> None:
    page = (await office.http.get(f"{INSTITUTION}?status=proposed")).text
    answer = await office.http.post(PAGE, data=as_saved(page, name=" "))
    assert (answer.status_code, "There is a problem" in answer.text) == (422, True)
    assert 'name="query" value="status=proposed"' in answer.text
    forged = await office.http.post(PAGE, data={**as_saved(page, name="x"), "csrf": ""})
    assert forged.status_code == 403


@pytest.mark.asyncio(loop_scope="module")
async def test_programs_save_list_and_remove_and_say_all_that_is_kept(office: Office) -> None:
    who: dict[str, Any] = {"office": "tbilisi", "subject": "dil"}
    body = {"list": "matching/matches", "name": "Offers", "query": "status=offered", "shared": True}
    first = await office.serving.post("/saved-views/save", "officer", body, **who)
    again = await office.serving.post("/saved-views/save", "officer", body, **who)
    assert (first.status_code, first.json()) == (200, again.json())
    listed = (await office.serving.get("/saved-views", **who)).json()
    assert listed["items"] == [first.json()]
    assert first.json()["address"] == "/matching/matches?status=offered"
    theirs = (await office.serving.get("/saved-views", office="tbilisi", subject="eli")).json()["items"]
    assert theirs == [{**first.json(), "own": False}]
    removed = {"id": first.json()["id"]}
    for strange in (removed, {"id": derived_id("nobody")}):
        refused = await office.serving.post("/saved-views/remove", "officer", strange, office="tbilisi", subject="eli")
        assert (refused.status_code, refused.json()["rule"]) == (404, "not_found")
    assert len((await office.serving.get("/saved-views", **who)).json()["items"]) == 1
    for _ in range(2):
        again = await office.serving.post("/saved-views/remove", "officer", removed, key="once", **who)
        assert (again.status_code, again.json()) == (200, removed)
    for key in (None, "another"):
        gone = await office.serving.post("/saved-views/remove", "officer", removed, key=key, **who)
        assert (gone.status_code, gone.json()["rule"]) == (404, "not_found")
    stands = await office.serving.store.load(VIEWS.name, office.serving.account("dil"))
    assert stands
    assert stands["state"]["views"] == []
    assert len(stands["state"]["removed_by"]) == 1
    assert (await office.serving.post("/saved-views/save", "host", body)).status_code == 403


@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_no_longer_shared_is_whoever_saved_it_and_nobody_elses(office: Office) -> None:
    serving, who, theirs = office.serving, {"office": "tbilisi", "subject": "fay"}, {"office": "tbilisi"}
    saved = {"list": LIST, "name": "Ours", "query": "status=proposed", "shared": True}
    one = (await serving.post("/saved-views/save", "officer", saved, **who)).json()
    stranger = await serving.post("/saved-views/stop-sharing", "officer", {"id": one["id"]}, **theirs, subject="gia")
    assert (stranger.status_code, stranger.json()["rule"]) == (404, "not_found")
    assert one["id"] in {
        item["id"] for item in (await serving.get("/saved-views", **theirs, subject="gia")).json()["items"]
    }
    for _ in range(2):
        done = await serving.post("/saved-views/stop-sharing", "officer", {"id": one["id"]}, **who)
        assert (done.status_code, done.json()) == (200, {**one, "shared": False})
    assert (await serving.get("/saved-views", **who)).json()["items"] == [{**one, "shared": False}]
    seen = (await serving.get("/saved-views", **theirs, subject="gia")).json()["items"]
    assert one["id"] not in {item["id"] for item in seen}
    # Saving it again as it is does not share it anew.
    del saved["shared"]
    assert (await serving.post("/saved-views/save", "officer", saved, **who)).json()["shared"] is False


@pytest.mark.asyncio(loop_scope="module")
async def test_a_button_ends_the_sharing_of_a_view(office: Office) -> None:
    hue = office.serving.account("hue")
    async with office.browser(office="osh", account=hue) as http:
        page = (await http.get(f"{INSTITUTION}?status=proposed")).text
        await http.post(PAGE, data=as_saved(page, name="Mine in part", shared="1"))
        listed = (await http.get(PAGE)).text
        form = listed.partition(f'action="{PAGE}/stop-sharing"')[2].partition("</form>")[0]
        sent = dict(re.findall(r'name="([^"]*)" value="([^"]*)"', form))
        assert (await http.post(f"{PAGE}/stop-sharing", data={**sent, "csrf": "x"})).status_code == 403
        assert (await http.post(f"{PAGE}/stop-sharing", data=sent)).headers["location"] == PAGE
        after = (await http.get(PAGE)).text
        assert "Mine in part" in after
        assert f"{PAGE}/stop-sharing" not in after


@pytest.mark.asyncio(loop_scope="module")
async def test_an_id_tells_nobody_whose_a_view_is(office: Office) -> None:
    """It follows from a key, and one that was kept when it followed from account and name alone is told to nobody."""
    serving, who = office.serving, {"office": "naryn", "subject": "ike"}
    account = serving.account("ike")
    guessed = derived_id("saved view", account, LIST, "ours")
    said = {"list": LIST, "name": "Ours", "query": "", "shared": True, "office": "naryn"}
    former = {"id": guessed, **said, "saved_at": "2026-03-04T00:00:00.000000Z"}
    document = {**new_document(account), "version": 1, "state": {"views": [former]}}
    await serving.store.save(VIEWS.name, VIEWS.indexed(document), 0)
    (own,) = (await serving.get("/saved-views", **who)).json()["items"]
    items = (await serving.get("/saved-views", office="naryn", subject="jan")).json()["items"]
    (offered,) = [item for item in items if item["name"] == "Ours"]
    assert offered["id"] == own["id"] != guessed
    again = await serving.post("/saved-views/save", "officer", {"list": LIST, "name": "OURS"}, **who)
    assert (again.json()["id"], again.json()["shared"]) == (own["id"], True)
    assert guessed not in repr(await serving.store.load(VIEWS.name, account))
    assert (await serving.post("/saved-views/remove", "officer", {"id": own["id"]}, **who)).is_success
    assert (await serving.get("/saved-views", **who)).json()["items"] == []
