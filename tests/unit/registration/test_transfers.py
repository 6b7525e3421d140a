"""An expert's case goes to another office with both consents: who reads what before, who reads the person after."""

from __future__ import annotations

import copy
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.registration.app import build
from services.registration.domain.examples import DEFINITION, EXPERT, INSTITUTION
from services.registration.domain.experts import EXPERT as CASE
from services.registration.store import COLLECTIONS, EXPERTS, PERSONS, SHADOWS
from shared.cases.transfers import ACCEPT, ASK, DECLINE, WITHDRAW
from shared.clock import derived_id
from shared.contracts.registration.experts import ExpertTransferred
from shared.contracts.registration.persons import PersonTransferred
from shared.messaging.reading import parse
from shared.replica import stored
from tests.unit.pages.test_cases import held
from tests.unit.registration.serving import Serving
from tests.unit.registration.test_readings import Bureau

pytestmark = pytest.mark.asyncio(loop_scope="module")
HERAT, PAGE = "herat", "/registration/experts"
WHY = "Zqanary moved to Herat"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bureau() -> AsyncIterator[Bureau]:
    async with Serving("registration", stored(COLLECTIONS, SHADOWS), build) as serving:
        one = Bureau(serving)
        definition = copy.deepcopy(DEFINITION)
        definition["offices"].append({**definition["offices"][0], "code": HERAT, "name": {"en": "Herat"}})
        for code in (DEFINITION["code"], "second-programme"):
            body = {"definition": {**definition, "code": code}}
            assert (await serving.post("/programmes", "administrator", body)).status_code == 201

        async def known() -> bool:
            return "second-programme" in serving.service.replica.definitions.codes()

        await serving.eventually(known)
        yield one
        await one.http.aclose()


async def expert_of(bureau: Bureau, person: str) -> str:
    (case,) = await bureau.serving.store.find(EXPERTS.name, "own", person)
    return str(case["_id"])


async def do(
    bureau: Bureau, expert: str, verb: str, office: str = "kabul", *, key: str | None = None, **said: Any
) -> httpx.Response:
    path = f"/experts/{expert}/{verb}"
    return await bureau.serving.post(path, "officer", said, office=office, subject=office, key=key)


def offices(document: Any) -> list[str]:
    """Those that may read the person."""
    return [one for one in document["ix"]["office"]["e"] if "\x1f" not in one]


async def asked(bureau: Bureau, given: str, **said: Any) -> tuple[str, str]:
    """A person and the case that Herat is asked to take over."""
    person = await bureau.person(given, "Transfer")
    expert = await expert_of(bureau, person)
    body = {"to_office": HERAT, "reason": "moved_away", **said}
    answer = await do(bureau, expert, ASK, **body)
    assert answer.status_code == 200, answer.text
    return person, expert


async def test_who_is_asked_sees_the_case_and_not_the_person(bureau: Bureau) -> None:
    person = await bureau.person("Asked", "Transfer", attributes={**_attributes(), "education": 1})
    expert = await expert_of(bureau, person)
    path, get = f"/experts/{expert}", bureau.serving.get
    assert (await get(path, office=HERAT)).status_code == 404
    await do(bureau, expert, "screen")
    await do(bureau, expert, "suspend", reason="conduct", note="Only for Kabul.")
    assert (await do(bureau, expert, "take")).status_code == 200
    answer = await do(bureau, expert, ASK, to_office=HERAT, reason="moved_away", note=WHY)
    assert answer.json()["transfer"]["to_office"] == HERAT
    seen = (await get(path, office=HERAT)).json()
    assert set(seen["open"]) == {ACCEPT, DECLINE}
    assert seen["transfer"] == {**answer.json()["transfer"]}
    assert [one["text"] for one in seen["notes"]] == [WHY]
    assert "taken_by" not in seen
    assert [set(row) for row in seen["failed_criteria"]] == [{"criterion"}]
    own = (await get(path)).json()
    assert {ASK, ACCEPT, DECLINE}.isdisjoint(own["open"])
    assert WITHDRAW in own["open"]
    assert len(own["notes"]) == 2
    # No other verb, not the person, and nothing for a third office or for the expert's own eyes.
    assert (await do(bureau, expert, "reinstate", HERAT)).status_code == 404
    for office in (HERAT, "sarajevo"):
        assert (await get(f"/persons/{person}", office=office)).status_code == 404
    assert (await get(path, office="sarajevo")).status_code == 404
    assert (await do(bureau, expert, ACCEPT, "kabul")).status_code == 404
    listed = (await get("/experts?transfer=to_us", office=HERAT)).json()["items"]
    assert expert in [one["id"] for one in listed]
    assert (await get("/experts", office=HERAT)).json()["items"] == []
    assert (await get("/experts?transfer=to_us")).json()["items"] == []
    # By whom of the other office it is worked on narrows nothing.
    for whose in ("me", "nobody"):
        found = await get(f"/experts?transfer=to_us&taken_by={whose}", office=HERAT)
        assert found.json()["items"] == []
    assert (await get("/experts?transfer=elsewhere")).status_code == 422


async def test_with_both_consents_the_person_goes_too(bureau: Bureau) -> None:
    person, expert = await asked(bureau, "Both")
    get = bureau.serving.get
    accepted = await do(bureau, expert, ACCEPT, HERAT, key="accept-both")
    assert (accepted.status_code, accepted.json()["office"], "transfer" in accepted.json()) == (200, HERAT, False)
    # The same once more is answered, and nothing else: it is no longer asked.
    again = await do(bureau, expert, ACCEPT, HERAT, key="accept-both")
    assert (again.status_code, again.json()["version"]) == (200, accepted.json()["version"])
    assert (await do(bureau, expert, ACCEPT, HERAT)).status_code == 404
    await bureau.serving.quiet()
    assert (await get(f"/persons/{person}", office=HERAT)).status_code == 200
    assert (await get(f"/persons/{person}")).status_code == 404
    assert (await get(f"/experts/{expert}")).status_code == 404
    found = await bureau.search("Both Transfer", office=HERAT)
    assert [one["id"] for one in found.json()["persons"]] == [person]
    assert (await bureau.search("Both Transfer")).json()["persons"] == []
    # Both offices stand in the past, and in the trail that the person reads.
    timeline = (await get(f"/experts/{expert}/timeline", office=HERAT)).json()["items"]
    said = [(one["fact"], one["office"]) for one in timeline[:2]]
    assert said == [("ExpertTransferred", HERAT), ("ExpertTransferAsked", "kabul")]
    assert [one["to_office"] for one in timeline[:2]] == [HERAT, HERAT]
    trail = [one for one in await bureau.entries(person) if one["purpose"] == "transfer"]
    assert {(one["office"], one["account"]) for one in trail} == {
        (office, bureau.serving.account(office)) for office in ("kabul", HERAT)
    }
    # Its own expert reads that it went, and not what offices said to each other before.
    view = EXPERTS.read(await bureau.serving.store.load(EXPERTS.name, expert))
    assert view
    assert (view.office, view.status) == (HERAT, "screening")


async def test_heard_again_it_changes_nothing_and_later_moves_stand(bureau: Bureau) -> None:
    person, expert = await asked(bureau, "Twice")
    for office, back in ((HERAT, "kabul"), ("kabul", HERAT)):
        assert (await do(bureau, expert, ACCEPT, office)).status_code == 200
        assert (await do(bureau, expert, ASK, office, to_office=back, reason="workload")).status_code == 200
    await bureau.serving.quiet()
    before = await bureau.serving.store.load(PERSONS.name, person)
    assert before
    assert (before["state"]["office"], offices(before)) == ("kabul", ["kabul"])
    consumer = bureau.serving.service.replica.consumer
    assert consumer
    for record in await bureau.serving.topic("registration.experts"):
        read = parse(record)
        if isinstance(read, tuple) and isinstance(read[1], ExpertTransferred):
            await consumer.deliver(record)
    await bureau.serving.quiet()
    assert await bureau.serving.store.load(PERSONS.name, person) == before
    told = [parse(one) for one in await bureau.serving.topic("registration.persons")]
    moved = [one for one in told if isinstance(one, tuple) and isinstance(one[1], PersonTransferred)]
    # Heard late, the first move finds the person's only case back where it was.
    assert len([one for one in moved if one[0].subject == person]) in (0, 2)


async def test_an_office_that_still_has_a_case_keeps_the_person(bureau: Bureau) -> None:
    person, expert = await asked(bureau, "Second")
    serving = bureau.serving
    body = {"programme": "second-programme", "office": "kabul", "known_person": person, "person": _person()}
    answer = await serving.post("/experts", "officer", body)
    assert answer.status_code == 202, answer.text

    async def registered() -> bool:
        return len(await serving.store.find(EXPERTS.name, "own", person)) == 2

    await serving.eventually(registered)
    assert (await do(bureau, expert, ACCEPT, HERAT)).status_code == 200
    await serving.quiet()
    document = await serving.store.load(PERSONS.name, person)
    assert document
    assert (document["state"]["office"], offices(document)) == ("kabul", [HERAT, "kabul"])


@pytest.mark.parametrize("verb", [WITHDRAW, DECLINE])
async def test_without_both_the_case_stays_and_nobody_else_sees_it(bureau: Bureau, verb: str) -> None:
    _, expert = await asked(bureau, verb)
    office, said = (HERAT, {"reason": "no_capacity"}) if verb == DECLINE else ("kabul", {})
    answered = await do(bureau, expert, verb, office, **said)
    # Whoever has declined sees the case no more.
    assert answered.status_code == 200, answered.text
    assert (await bureau.serving.get(f"/experts/{expert}", office=HERAT)).status_code == 404
    assert "transfer" not in (await bureau.serving.get(f"/experts/{expert}")).json()


async def test_each_office_reads_the_note_of_its_own_request_alone(bureau: Bureau) -> None:
    _, expert = await asked(bureau, "Noted", note=WHY)
    assert (await do(bureau, expert, DECLINE, HERAT, reason="no_capacity")).status_code == 200
    again = {"to_office": HERAT, "reason": "workload"}
    assert (await do(bureau, expert, ASK, **again)).status_code == 200
    path = f"/experts/{expert}"
    assert "notes" not in (await bureau.serving.get(path, office=HERAT)).json()
    assert (await do(bureau, expert, WITHDRAW)).status_code == 200
    assert (await do(bureau, expert, ASK, **again, note="Another reason.")).status_code == 200
    told = {office: (await bureau.serving.get(path, office=office)).json()["notes"] for office in ("kabul", HERAT)}
    assert {office: [one["text"] for one in notes] for office, notes in told.items()} == {
        "kabul": [WHY, "Another reason."],
        HERAT: ["Another reason."],
    }


async def test_what_is_to_be_looked_at_in_it_is_not_told_to_who_is_asked(bureau: Bureau) -> None:
    serving = bureau.serving
    await bureau.person("ALIKE", "transfer")
    _, expert = await asked(bureau, "Alike")
    flags, path = set(CASE.flags), f"/experts/{expert}"

    async def seen_by(office: str, narrowed: str) -> list[dict[str, Any]]:
        listed = (await serving.get(f"/experts?transfer={narrowed}", office=office)).json()["items"]
        return [(await serving.get(path, office=office)).json(), *(one for one in listed if one["id"] == expert)]

    assert [one["possible_duplicate"] for one in await seen_by("kabul", "from_us")] == [True, True]
    assert [flags & set(one) for one in await seen_by(HERAT, "to_us")] == [set(), set()]
    # Nor that it was settled.
    assert (await do(bureau, expert, "keep-apart", reason="common_name")).status_code == 200
    facts = {
        office: [one["fact"] for one in (await serving.get(f"{path}/timeline", office=office)).json()["items"]]
        for office in ("kabul", HERAT)
    }
    assert facts["kabul"] == ["ExpertKeptApart", *facts[HERAT]]
    assert (await do(bureau, expert, ACCEPT, HERAT)).status_code == 200
    assert flags <= set((await serving.get(path, office=HERAT)).json())
    again = (await serving.get(f"{path}/timeline", office=HERAT)).json()["items"]
    assert "ExpertKeptApart" in [one["fact"] for one in again]


async def test_whose_a_document_number_was_is_not_told_to_who_is_asked(bureau: Bureau) -> None:
    """What a registration hides, an office that only looks at the case is not told either."""
    serving = bureau.serving
    holder = await bureau.person("Number", "Holder")
    held_one = {"type": "passport", "country": "NL", "number": derived_id("Number", "Holder", "kabul")[:12]}
    body = copy.deepcopy(EXPERT)
    body["person"] |= {"given_name": "Claims", "family_name": "Number", "document": held_one}
    answer = await serving.post("/experts", "officer", body)
    expert = answer.json()["subject"]

    async def clashes() -> bool:
        document = await serving.store.load(EXPERTS.name, expert)
        return bool(document) and document["state"]["status"] == "identity_clash"

    await serving.eventually(clashes)
    outcome = {"outcome": "holds", "reason": "documents_compared"}
    settled = await serving.post(f"/experts/{expert}/settle-identity", "protection", outcome)
    assert settled.status_code == 200, settled.text
    assert (await do(bureau, expert, ASK, to_office=HERAT, reason="moved_away")).status_code == 200
    path = f"/experts/{expert}"
    own, strange = [(await serving.get(path, office=office)).json() for office in ("kabul", HERAT)]
    assert own["identity"]["outcome"] == "holds"
    assert (strange.get("identity"), strange["state"], holder in str(strange)) == (None, "screening", False)
    facts = {
        office: [
            (one["fact"], one.get("before"), one.get("state"))
            for one in (await serving.get(f"{path}/timeline", office=office)).json()["items"]
        ]
        for office in ("kabul", HERAT)
    }
    assert "ExpertIdentityClashed" in {fact for fact, *_ in facts["kabul"]}
    assert facts[HERAT] == [
        ("ExpertTransferAsked", None, "screening"),
        ("ExpertRegistered", None, "screening"),
    ]


async def test_how_a_host_wants_to_be_written_to_is_its_own_offices_to_know(bureau: Bureau) -> None:
    serving = bureau.serving
    answer = await serving.post("/institutions", "officer", INSTITUTION)
    assert answer.status_code == 201, answer.text
    path = f"/institutions/{answer.json()['id']}"
    body = {"to_office": HERAT, "reason": "nearer_to_host"}
    assert (await serving.post(f"{path}/{ASK}", "officer", body)).status_code == 200
    subject = str(INSTITUTION["account"])
    offered = await serving.post(f"{path}/propose-handover", "host", {"reason": "contact_left"}, subject=subject)
    assert offered.status_code == 200, offered.text
    seen = [(await serving.get(path, office=office)).json() for office in ("kabul", HERAT)]
    assert ["contact" in one for one in seen] == [True, False]
    assert ["handover" in one for one in seen] == [True, False]
    told = [(await serving.get(f"{path}/timeline", office=office)).json()["items"] for office in ("kabul", HERAT)]
    assert [any("Handover" in one["fact"] for one in items) for items in told] == [True, False]
    assert seen[1]["transfer"]["to_office"] == HERAT


async def test_the_pages_ask_and_answer(bureau: Bureau) -> None:
    person = await bureau.person("Paged", "Transfer")
    expert = await expert_of(bureau, person)
    form = await bureau.http.get(f"{PAGE}/{expert}/{ASK}")
    offered = re.findall(r'name="/to_office" value="([^"]+)"', form.text)
    assert (HERAT in offered, "kabul" in offered) == (True, False)
    sent = {**held(form), "/to_office": HERAT, "/reason": "office_closes", "/note": WHY}
    assert (await bureau.http.post(f"{PAGE}/{expert}/{ASK}", data=sent)).status_code == 303
    # The same form twice is one act.
    assert (await bureau.http.post(f"{PAGE}/{expert}/{ASK}", data=sent)).status_code == 303
    async with bureau.browser(office=HERAT) as other:
        listed = (await other.get(f"{PAGE}?transfer=to_us")).text
        assert f"{PAGE}/{expert}" in listed
        assert "Take the case over" in listed
        page = (await other.get(f"{PAGE}/{expert}")).text
        assert WHY in page
        assert "read-identity" not in page
        # Of what is the other office's to do nothing is offered, nor said to be shut.
        assert "Suspend" not in page
        accept = f"{PAGE}/{expert}/{ACCEPT}"
        assert (await other.post(accept, data=held(await other.get(accept)))).status_code == 303
        assert WHY in (await other.get(f"{PAGE}/{expert}")).text
    gone = await bureau.http.get(f"{PAGE}/{expert}")
    assert gone.status_code == 404


async def test_today_counts_what_one_office_asks_another_one(bureau: Bureau) -> None:
    _, expert = await asked(bureau, "Today")
    async with bureau.browser(office=HERAT) as other:
        there = (await other.get("/registration/today")).text
        listed = (await other.get(f"{PAGE}?transfer=to_us")).text
    here = (await bureau.http.get("/registration/today")).text
    for page, way, words in ((there, "to_us", "is asked to take over"), (here, "from_us", "asks another one")):
        line = page.partition(f'href="{PAGE}?transfer={way}"')[2].partition("</li>")[0]
        assert words in line
        (number,) = re.findall(r'<span class="number">(\d+)</span>', line)
        assert int(number) >= 1
    # The oldest stand there, and all of them in the list.
    assert len(re.findall(rf'href="{PAGE}/[0-9a-f-]+"', there.partition("transfer=to_us")[2])) >= 1
    assert f"{PAGE}/{expert}" in listed
    assert f"{PAGE}?transfer=to_us" not in here
    own = (await bureau.serving.get("/experts?transfer=from_us&status=screening")).json()["items"]
    assert expert in [one["id"] for one in own]
    assert (await bureau.serving.get("/experts?transfer=from_us", office=HERAT)).json()["items"] == []
    assert (await do(bureau, expert, DECLINE, HERAT, reason="no_capacity")).status_code == 200
    own = (await bureau.serving.get("/experts?transfer=from_us")).json()["items"]
    assert expert not in [one["id"] for one in own]


async def test_many_are_passed_on_and_taken_over_at_once(bureau: Bureau) -> None:
    experts = [await expert_of(bureau, await bureau.person(f"Many{n}", "Transfer")) for n in range(3)]
    chosen = [("case", one) for one in experts]
    csrf = held(await bureau.http.get(f"{PAGE}/{experts[0]}/{ASK}"))["csrf"]

    async def together(http: httpx.AsyncClient, verb: str, csrf: str, query: str = "", **said: str) -> httpx.Response:
        pairs = [("csrf", csrf), ("verb", verb), *chosen]
        looked = await http.post(f"{PAGE}/bulk{query}", content=_form(pairs), headers=_FORM)
        rows = re.findall(r'name="chosen" value="([^"]+)"', looked.text)
        assert len(rows) == len(experts), looked.text
        typed = [(f"/{name}", value) for name, value in said.items()]
        sent = [*held(looked).items(), *(("chosen", one) for one in rows), *typed]
        return await http.post(f"{PAGE}/bulk/{verb}{query}", content=_form(sent), headers=_FORM)

    asked = await together(bureau.http, ASK, csrf, to_office=HERAT, reason="office_closes")
    assert asked.status_code == 200, asked.text
    async with bureau.browser(office=HERAT) as other:
        csrf = held(await other.get(f"{PAGE}/{experts[0]}/{ACCEPT}"))["csrf"]
        taken = await together(other, ACCEPT, csrf, "?transfer=to_us")
        assert taken.status_code == 200
    states = [EXPERTS.read(await bureau.serving.store.load(EXPERTS.name, one)) for one in experts]
    assert {one.office for one in states if one} == {HERAT}


_FORM = {"content-type": "application/x-www-form-urlencoded"}


def _form(pairs: list[tuple[str, str]]) -> str:
    return str(httpx.QueryParams(pairs))


def _person() -> dict[str, Any]:
    person = copy.deepcopy(EXPERT["person"])
    person.pop("document", None)
    return dict(person)


def _attributes() -> dict[str, Any]:
    return dict(_person()["attributes"])
