"""Reading identifiers: for a purpose, counted, written down first, and shown to whoever it concerns."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.registration.app import build
from services.registration.domain.duplicates import compared, how_sure, in_contact
from services.registration.domain.examples import DEFINITION, EXPERT
from services.registration.domain.readings import OPENS, Used
from services.registration.readings.looking import purposes
from services.registration.store import COLLECTIONS, PERSONS, SHADOWS
from shared.audit.segments import READINGS
from shared.audit.verifying import verify
from shared.clock import derived_id
from shared.contracts.registration.persons import Attributes
from shared.errors import Refusal, Unavailable
from shared.identity.roles import Role
from shared.replica import stored
from tests.unit.pages.test_cases import Office
from tests.unit.registration.serving import Serving

# One service for all of them: each test has persons of its own.
pytestmark = pytest.mark.asyncio(loop_scope="module")
CANARY = "Zqanary"


class Bureau(Office):
    """Registration with a programme, and persons whom its officers registered."""

    async def person(self, given: str, family: str, *, office: str = "kabul", **said: Any) -> str:
        body = copy.deepcopy(EXPERT)
        body["office"] = office
        person = {**body["person"], "given_name": given, "family_name": family, **said}
        person["document"] = {**person["document"], "number": derived_id(given, family, office)[:12]}
        body["person"] = person
        answer = await self.serving.post("/experts", "officer", body, office=office)
        assert answer.status_code == 202, answer.text
        subject = answer.json()["subject"]
        found: list[str] = []

        async def stands() -> bool:
            case = await self.serving.store.load("experts", subject)
            if case:
                found.append(case["state"]["person"])
            return bool(case)

        await self.serving.eventually(stands)
        return found[0]

    async def read(self, id: str, purpose: str = "contact", role: Role = "officer", **how: Any) -> httpx.Response:
        return await self.serving.post(f"/persons/{id}/read-identity", role, {"purpose": purpose}, **how)

    async def search(self, name: str, **how: Any) -> httpx.Response:
        return await self.serving.post("/persons/search", "officer", {"name": name}, **how)

    async def entries(self, person: str) -> list[dict[str, Any]]:
        found = await self.serving.store.find(READINGS.name, "subject", person)
        return [one["reading"] for one in found]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bureau() -> AsyncIterator[Bureau]:
    async with Serving("registration", stored(COLLECTIONS, SHADOWS), build) as serving:
        one = Bureau(serving)
        definition = copy.deepcopy(DEFINITION)
        definition["offices"].append({**definition["offices"][0], "code": "herat", "name": {"en": "Herat"}})
        await serving.publish(definition)
        yield one
        await one.http.aclose()


async def test_a_purpose_opens_what_it_needs_and_the_trail_has_it(bureau: Bureau) -> None:
    id = await bureau.person(CANARY, "Contact")
    assert CANARY not in (await bureau.serving.get(f"/persons/{id}")).text
    answer = await bureau.read(id, subject="reader-1")
    assert answer.json() == {
        "id": id,
        "given_name": CANARY,
        "family_name": "Contact",
        "email": "somebody@example.org",
        "telephone": "+31 20 000 0000",
    }
    checked = (await bureau.read(id, "identity_check", subject="reader-1")).json()
    assert set(checked) == {"id", "given_name", "family_name", "documents"}
    (entry, earlier) = await bureau.entries(id)
    assert (entry["purpose"], tuple(entry["fields"])) == ("identity_check", OPENS["identity_check"])
    assert (earlier["purpose"], earlier["role"], earlier["office"]) == ("contact", "officer", "kabul")
    assert earlier["account"] == bureau.serving.account("reader-1")
    # The entries hold ids and codes, and so does all that left the service.
    documents = [document async for document in bureau.serving.store.scan(READINGS.name)]
    assert CANARY not in json.dumps(documents)
    topics = [record for topic in ("audit", "persons", "experts") for record in await told(bureau, topic)]
    assert topics
    assert all(CANARY.encode() not in (record.value or b"") for record in topics)


async def told(bureau: Bureau, topic: str) -> list[Any]:
    return await bureau.serving.topic(f"registration.{topic}")


async def test_who_may_not_is_answered_as_for_a_person_who_is_not_there(bureau: Bureau) -> None:
    id = await bureau.person("Other", "Office")
    before = len(await bureau.entries(id))
    strange = await bureau.read(id, office="herat")
    nobody = await bureau.read(derived_id("nobody"), office="herat")
    assert (strange.status_code, strange.json()) == (nobody.status_code, nobody.json())
    assert strange.status_code == 404
    for role in ("evaluator", "host", "finance", "administrator", "expert"):
        assert (await bureau.read(id, role=role)).status_code == 403  # type: ignore[arg-type]
    for wrong in ({}, {"purpose": "curiosity"}, {"purpose": "own"}, {"purpose": "contact", "note": "x"}):
        assert (await bureau.serving.post(f"/persons/{id}/read-identity", "officer", wrong)).status_code == 422
    assert len(await bureau.entries(id)) == before
    assert (await bureau.read(id, role="protection")).status_code == 200


async def test_what_cannot_be_written_down_is_not_shown(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    id = await bureau.person("Never", "Shown")

    async def away(_reading: Any) -> None:
        raise Unavailable("the audit trail")

    monkeypatch.setattr(bureau.serving.service.trail, "write", away)
    answer = await bureau.read(id)
    assert (answer.status_code, "Never" in answer.text) == (503, False)
    found = await bureau.search("Never Shown")
    assert (found.status_code, id in found.text) == (503, False)


async def test_an_account_reads_so_many_an_hour(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    id = await bureau.person("Often", "Read")
    monkeypatch.setattr(bureau.serving.service.readings, "_an_hour", 3)
    answers = [await bureau.read(id, subject="curious") for _ in range(3)]
    answers.append(await bureau.search("Often", subject="curious"))
    assert [one.status_code for one in answers] == [200, 200, 200, 429]
    assert answers[-1].json()["rule"] == "readings_used_up"
    assert (await bureau.read(id, subject="another")).status_code == 200
    assert len(await bureau.entries(id)) == 4


async def test_the_hour_and_the_day_are_counted_apart() -> None:
    now, used = datetime(2026, 11, 29, 9, 59, tzinfo=UTC), Used()
    for _ in range(2):
        used = used.with_one(now, 2, 3)
    with pytest.raises(Refusal, match="readings_used_up"):
        used.with_one(now, 2, 3)
    used = used.with_one(now + timedelta(minutes=1), 2, 3)
    with pytest.raises(Refusal) as refused:
        used.with_one(now + timedelta(hours=2), 2, 3)
    assert (refused.value.status, "3 a day" in refused.value.detail) == (429, True)
    assert used.with_one(now + timedelta(hours=15), 2, 3).in_day == 1


async def test_persons_are_found_by_the_words_of_their_names(bureau: Bureau) -> None:
    first = await bureau.person("Nasreen", "Müller-Haidari")
    second = await bureau.person("Nasreen", "Ahmadí")
    await bureau.person("Nasreen", "Elsewhere", office="herat")
    for sought, ids in (
        ("nasreen", {first, second}),
        ("AHMADI nasreen", {second}),
        ("haidari  muller", {first}),
        ("nasreen elsewhere", set()),
        ("nas", set()),
    ):
        answer = await bureau.search(sought)
        assert {one["id"] for one in answer.json()["persons"]} == ids, sought
        assert "Nasreen" not in answer.text
    assert answer.json() == {"persons": [], "more": False}
    assert {"birth_year": 1971, "country_of_origin": "AF", "id": second} in (await bureau.search("ahmadi")).json()[
        "persons"
    ]
    for wrong in ("", "  ", "-", "x" * 241):
        assert (await bureau.search(wrong)).status_code == 422
    for role in ("protection", "evaluator", "expert", "host"):
        refused = await bureau.serving.post("/persons/search", role, {"name": "nasreen"})  # type: ignore[arg-type]
        assert refused.status_code == 403
    assert {one["purpose"] for one in await bureau.entries(second)} == {"search"}
    # Nothing of the words can be read in the store.
    document = await bureau.serving.store.load(PERSONS.name, second)
    assert "nasreen" not in json.dumps(document).lower()


async def test_the_person_the_office_and_protection_see_who_looked(bureau: Bureau) -> None:
    id = await bureau.person("Looked", "At")
    await bureau.read(id, "travel", subject="reader-2")
    account = bureau.serving.account("reader-2")
    path = f"/persons/{id}/readings"
    seen = (await bureau.serving.get(path, "officer", subject="colleague")).json()["items"]
    assert [(one["purpose"], one["account"]) for one in seen] == [("travel", account)]
    # A look at who looked is a look.
    again = (await bureau.serving.get(path, "protection")).json()["items"]
    assert [one["purpose"] for one in again] == ["trail", "travel"]
    assert (await bureau.serving.get(path, "officer", office="herat")).status_code == 404
    assert (await bureau.serving.get(path, "evaluator")).status_code == 403
    assigned = {"account": "the-person@example.org", "reason": "first_sign_in"}
    assert (await bureau.serving.post(f"/persons/{id}/assign-account", "officer", assigned)).status_code == 200
    own = await bureau.serving.get(path, "expert", subject="the-person@example.org")
    assert [one["purpose"] for one in own.json()["items"]] == ["trail", "trail", "travel"]
    assert account not in own.text
    assert own.json()["items"][-1]["office"] == "kabul"
    assert len(await bureau.entries(id)) == 3
    # The own name on the own page is written down as well.
    page = await bureau.serving.get(f"/persons/{id}", "expert", subject="the-person@example.org")
    assert page.json()["given_name"] == "Looked"
    assert (await bureau.entries(id))[0]["purpose"] == "own"


async def test_protection_asks_across_all_cases(bureau: Bureau) -> None:
    one, two = await bureau.person("Asked", "One"), await bureau.person("Asked", "Two", office="herat")
    await bureau.read(one, "screening", subject="reader-3")
    await bureau.read(two, "contact", office="herat", subject="reader-3")
    account, day = bureau.serving.account("reader-3"), f"{bureau.serving.clock.now():%Y-%m-%d}"

    async def asked(query: str) -> list[tuple[str, list[str]]]:
        answer = await bureau.serving.get(f"/readings?{query}", "protection")
        assert answer.status_code == 200, answer.text
        return [(row["purpose"], row["persons"]) for row in answer.json()["items"]]

    assert await asked(f"account={account}") == [("contact", [two]), ("screening", [one])]
    assert await asked(f"account={account}&purpose=contact&day={day}") == [("contact", [two])]
    assert ("screening", [one]) in await asked(f"subject={one}&purpose=screening")
    assert await asked(f"account={account}&day=2001-01-01") == []
    # That it was asked tells of persons, so it stands there too.
    assert {"trail"} <= {entry["purpose"] for entry in await bureau.entries(two)}
    first = (await bureau.serving.get("/readings?limit=2", "protection")).json()
    assert (len(first["items"]), bool(first["next"])) == (2, True)
    following = await bureau.serving.get(f"/readings?limit=2&after={first['next']}", "protection")
    assert following.status_code == 200
    for wrong in ("account=x", "day=today", "purpose=curiosity", "name=Asked", "subject="):
        status = (await bureau.serving.get(f"/readings?{wrong}", "protection")).status_code
        assert status == (200 if wrong == "subject=" else 422), wrong
    for role in ("officer", "expert", "administrator"):
        assert (await bureau.serving.get("/readings", role)).status_code == 403  # type: ignore[arg-type]


async def test_pages_show_names_after_a_purpose_and_nowhere_else(bureau: Bureau) -> None:
    id = await bureau.person(CANARY, "Paged")
    path = f"/registration/persons/{id}"
    case = await bureau.http.get(path)
    assert f'href="{path}/read-identity"' in case.text
    assert f'href="{path}/readings"' in case.text
    form = await bureau.http.get(f"{path}/read-identity")
    token = re.findall(r'name="csrf" value="([^"]*)"', form.text)[-1]
    empty = await bureau.http.post(f"{path}/read-identity", data={"csrf": token})
    assert (empty.status_code, CANARY in empty.text) == (422, False)
    forged = await bureau.http.post(f"{path}/read-identity", data={"csrf": "", "/purpose": "contact"})
    assert forged.status_code == 403
    shown = await bureau.http.post(f"{path}/read-identity", data={"csrf": token, "/purpose": "contact"})
    assert shown.status_code == 200
    assert CANARY in shown.text
    assert CANARY not in shown.text.partition("</title>")[0]
    assert CANARY not in str(shown.url)
    trail = await bureau.http.get(f"{path}/readings")
    assert "To reach the person" in trail.text
    assert CANARY not in form.text + case.text + trail.text
    search = await bureau.http.get("/registration/search")
    token = re.findall(r'name="csrf" value="([^"]*)"', search.text)[-1]
    found = await bureau.http.post("/registration/search", data={"csrf": token, "/name": CANARY})
    assert f'href="{path}/read-identity"' in found.text
    nobody = await bureau.http.post("/registration/search", data={"csrf": token, "/name": "Nobody"})
    assert "Nobody of your office has this name." in nobody.text
    async with bureau.browser("protection") as protection:
        everywhere = await protection.get(f"/registration/readings?subject={id}&purpose=&day=&account=")
        assert "To reach the person" in everywhere.text
    async with bureau.browser(office="herat") as stranger:
        assert (await stranger.get(f"{path}/read-identity")).status_code == 404
    for language in ("fr", "ar"):
        page = await bureau.http.get(f"{path}/readings?lang={language}")
        assert "code:purpose" not in page.text


async def test_the_trail_is_asked_for_as_people_write(bureau: Bureau) -> None:
    id = await bureau.person("Asked", "Shortly")
    await bureau.read(id)
    (entry,) = [one for one in await bureau.entries(id) if one["purpose"] == "contact"]
    year, month, day = entry["at"][:10].split("-")
    async with bureau.browser("protection") as protection:
        path = "/registration/readings"
        for query in (
            f"subject={id[:8]}",
            f"subject={id[:8].upper()}",
            f"account={entry['account'][:8]}&subject={id}",
            f"subject={id}&day={day}+{int(month)}+{year}",
            f"subject={id}&day={year}-{month}-{day}",
            f"subject={id}&day/day={day}&day/month={month}&day/year={year}",
        ):
            found = await protection.get(f"{path}?{query}")
            assert (found.status_code, "To reach the person" in found.text) == (200, True), query
        other = await protection.get(f"{path}?subject={id}&day/day=1&day/month=1&day/year=2001")
        assert (other.status_code, "Nothing matches" in other.text) == (200, True)
        assert 'name="day/year" value="2001"' in other.text
        wrong = {
            "subject=0000000b": ("subject", 'value="0000000b"'),
            "account=Qz": ("account", 'value="Qz"'),
            "day=30+30+2026": ("day", 'value="30"'),
            "day/day=some&day/month=&day/year=": ("day", 'value="some"'),
            "purpose=nope": ("purpose", ""),
            "limit=0": ("", ""),
        }
        for query, (name, typed) in wrong.items():
            page = await protection.get(f"{path}?{query}", headers={"accept": "text/html"})
            assert (page.status_code, '<form method="get"' in page.text) == (422, True), query
            assert typed in page.text, query
            assert (f'id="{name}-wrong"' in page.text) is bool(name), query
            assert "<title>Error:" in page.text


async def test_a_filter_takes_the_reference_that_pages_show(bureau: Bureau) -> None:
    id, other = await bureau.person("Asked", "Briefly"), await bureau.person("Asked", "Elsewhere", office="herat")
    (case,) = await bureau.serving.store.find("experts", "own", id)
    page = await bureau.http.get(f"/registration/experts?person={id[:8]}")
    assert page.status_code == 200
    assert (page.text.count('<th scope="row">'), case["_id"] in page.text) == (1, True)
    # Of a person whom no case of the own list names nobody learns that it is there.
    said = {one: await bureau.http.get(f"/registration/experts?person={one}") for one in (other[:8], "0000000c")}
    assert [one.status_code for one in said.values()] == [422, 422]
    first, second = (page.text.replace(one, "") for one, page in said.items())
    assert first == second


async def test_of_an_erased_person_nothing_is_read_and_who_looked_stays(bureau: Bureau) -> None:
    id = await bureau.person("Erased", "Person")
    await bureau.read(id)
    erased = await bureau.serving.post(f"/persons/{id}/erase", "protection", {"reason": "own_request"})
    assert erased.status_code == 200, erased.text
    assert (await bureau.read(id)).status_code == 410
    assert (await bureau.search("Erased Person")).json()["persons"] == []
    assert [one["purpose"] for one in await bureau.entries(id)] == ["contact"]


async def test_possible_duplicates_stand_side_by_side(bureau: Bureau) -> None:
    first = await bureau.person("Twice", "Recorded", telephone="+31 20 111 11 11", email="one@example.org")
    second = await bureau.person("Recorded", "TWICE", telephone="0031 20 1111111", email="two@example.org")
    strange = await bureau.person("Twice", "Recorded", office="herat", email="three@example.org")
    listed = (await bureau.serving.get("/duplicates")).json()["items"]
    (case,) = [one for one in listed if one["person"] == second]
    assert strange not in json.dumps(listed)
    path = f"/experts/{case['id']}/alike"
    answer = await bureau.serving.get(path, subject="comparer")
    (other,) = answer.json()["others"]
    assert (other["person"], other["sure"], answer.json()["elsewhere"]) == (first, "almost_certain", 1)
    answers = {row["field"]: row["answer"] for row in other["compared"]}
    assert (answers["telephone"], answers["email"], answers["birth_year"]) == ("same", "different", "same")
    assert not {"Twice", "one@example.org"} & set(re.findall(r'"([^"]*)"', answer.text))
    assert (await bureau.entries(first))[0]["purpose"] == "identity_check"
    assert strange not in answer.text
    assert (await bureau.serving.get(path, office="herat")).status_code == 404
    assert (await bureau.serving.get(path, "evaluator")).status_code == 403
    everywhere = (await bureau.serving.get(path, "protection")).json()
    assert ({one["person"] for one in everywhere["others"]}, everywhere["elsewhere"]) == ({first, strange}, 0)
    page = await bureau.http.get(f"/registration{path}")
    assert "Almost certainly one person" in page.text
    assert "1 more is held by another office" in page.text
    at = f"/registration/experts/{case['id']}"
    assert f'href="{at}/suspend"' in page.text
    for leading in ("/registration/duplicates", at):
        assert f'href="{at}/alike"' in (await bureau.http.get(leading)).text, leading
    # Compared, they are two: the case is flagged no more, for the person who decided so and with the reason.
    assert f'href="{at}/keep-apart"' in page.text
    unsaid = await bureau.serving.post(f"/experts/{case['id']}/keep-apart", "officer", {})
    assert unsaid.json()["errors"] == [{"pointer": "/reason", "rule": "required"}]
    said = {"reason": "documents_compared"}
    assert (
        await bureau.serving.post(f"/experts/{case['id']}/keep-apart", "officer", said, office="herat")
    ).status_code == 404
    apart = [await bureau.serving.post(f"/experts/{case['id']}/keep-apart", "officer", said, key="k") for _ in range(2)]
    assert [(one.status_code, one.json()["possible_duplicate"]) for one in apart] == [(200, False)] * 2
    assert second not in json.dumps((await bureau.serving.get("/duplicates")).json()["items"])
    told = (await bureau.serving.get(f"/experts/{case['id']}/timeline")).json()["items"][0]
    assert (told["fact"], told["by"], told["reason"]) == ("ExpertKeptApart", "officer", "documents_compared")
    again = await bureau.serving.post(f"/experts/{case['id']}/keep-apart", "officer", said)
    assert (again.status_code, again.json()["rule"]) == (409, "not_flagged")
    assert f'href="{at}/keep-apart"' not in (await bureau.http.get(f"/registration{path}")).text
    # A case that resembles nobody has no such page.
    alone = await bureau.person("Only", "Once", attributes={"sex": "male"})
    (own,) = await bureau.serving.store.find("experts", "own", alone)
    assert (await bureau.serving.get(f"/experts/{own['_id']}/alike")).status_code == 404


async def test_how_sure_a_resemblance_is() -> None:
    one = Attributes(sex="female", birth_year=1971, country_of_origin="AF", education=6)
    rows = compared(one, one.model_copy(update={"education": 7}))
    assert {row.field: row.answer for row in rows}["education"] == "different"
    assert how_sure(rows) == "likely"
    assert how_sure(compared(one, one.model_copy(update={"sex": "male"}))) == "possible"
    assert how_sure(compared(one, one.model_copy(update={"sex": "not_stated"}))) == "likely"
    assert how_sure(in_contact({"email": "A@example.org"}, {"email": "a@example.org"})) == "almost_certain"
    assert [row.answer for row in in_contact({}, {"email": "a@example.org"})] == ["not_known", "not_known"]


async def test_the_trail_of_all_that_verifies(bureau: Bureau) -> None:
    service = bureau.serving.service
    await service.trail.anchor()
    await bureau.serving.quiet()
    report = await verify(bureau.serving.store, bureau.serving.log, bureau.serving.keys.audit_key("registration"))
    assert (report.findings, report.unanchored) == ((), 0)
    assert report.entries > 0
    assert set(OPENS) < set(purposes())
