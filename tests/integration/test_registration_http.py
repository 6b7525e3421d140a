"""Registration through its public edge: programmes, experts, persons, institutions, receipts."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.registration.app import build
from services.registration.domain.examples import ATTRIBUTES, DEFINITION, EXPERT, INSTITUTION
from services.registration.store import COLLECTIONS, SHADOWS
from shared.clock import text_of
from shared.contracts.registration.persons import PURPOSES
from shared.identity.keys import verify_receipt
from shared.intake.receipts import signed_bytes
from shared.replica import stored
from tests.unit.registration.serving import Serving


@pytest.fixture
async def edge() -> AsyncIterator[Serving]:
    async with Serving("registration", stored(COLLECTIONS, SHADOWS), build) as serving:
        yield serving


@pytest.fixture
async def published(edge: Serving) -> Serving:
    await edge.publish(DEFINITION)
    return edge


def registration(**changes: Any) -> dict[str, Any]:
    """The example for one person; dotted names reach inside `person`."""
    body = copy.deepcopy(EXPERT)
    for name, value in changes.items():
        target = body["person"] if name in body["person"] else body
        target[name] = value
    return body


def document(number: str) -> dict[str, str]:
    return {"type": "passport", "country": "NL", "number": number}


async def decided(edge: Serving, receipt: dict[str, Any], **how: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}

    async def done() -> bool:
        answer = await edge.get(f"/receipts/{receipt['id']}", **how)
        assert answer.status_code == 200, answer.text
        found.update(answer.json())
        return bool(found["status"] != "pending")

    await edge.eventually(done)
    return found


async def registered(edge: Serving, **changes: Any) -> tuple[str, str]:
    """Expert id and person id of somebody whom an officer registered."""
    answer = await edge.post("/experts", "officer", registration(**changes))
    assert answer.status_code == 202, answer.text
    receipt = answer.json()
    assert (await decided(edge, receipt))["status"] == "accepted"
    expert = await edge.get(f"/experts/{receipt['subject']}")
    return receipt["subject"], expert.json()["person"]


async def test_a_definition_is_published_once_a_change(edge: Serving) -> None:
    first = await edge.post("/programmes", "administrator", {"definition": DEFINITION})
    assert (first.status_code, first.json()["version"]) == (201, 1)
    assert first.headers["location"] == "/registration/v1/programmes/example-1"
    again = await edge.post("/programmes", "administrator", {"definition": DEFINITION})
    assert again.json()["version"] == 1
    changed = {**DEFINITION, "phase": "2"}
    second = await edge.post("/programmes", "administrator", {"definition": changed})
    assert second.json()["version"] == 2
    read = await edge.get("/programmes/example-1", "expert")
    assert read.json()["definition"]["phase"] == "2"
    listed = await edge.get("/programmes", "host")
    assert [one["code"] for one in listed.json()["items"]] == ["example-1"]
    await edge.quiet()
    assert len(await edge.topic("registration.programmes")) == 2


async def test_a_bad_definition_is_refused_at_its_fields(edge: Serving) -> None:
    bad = {**DEFINITION, "selection": {"score": [{"component": "sector", "weight": 60}]}, "surplus": 1}
    answer = await edge.post("/programmes", "administrator", {"definition": bad})
    assert answer.status_code == 422
    assert any(row["pointer"].startswith("/definition/") for row in answer.json()["errors"])
    assert (await edge.post("/programmes", "officer", {"definition": DEFINITION})).status_code == 403
    assert (await edge.get("/programmes/example-1", "expert")).status_code == 404


async def test_an_officer_registers_and_screens(published: Serving) -> None:
    expert, person = await registered(published)
    screened = await published.post(f"/experts/{expert}/screen", "officer")
    assert screened.status_code == 200
    assert screened.json()["state"] == "eligible"
    assert screened.json()["programme_version"] == 1
    again = await published.post(f"/experts/{expert}/screen", "officer")
    assert (again.status_code, again.json()["rule"]) == (409, "illegal_transition")
    seen = (await published.get(f"/persons/{person}")).json()
    assert seen["consents"] == {"placement": "given"}
    assert seen["profile"][0]["attributes"]["birth_year"] == 1971
    assert not {"given_name", "family_name"} & seen.keys()


async def test_a_reader_learns_what_is_open_to_them_now(published: Serving) -> None:
    expert, person = await registered(published)
    path = f"/experts/{expert}"
    screening = (await published.get(path)).json()["open"]
    decided = ["screen", "declare-eligible", "declare-ineligible", "request-info", "suspend"]
    assert screening == [*decided, "take", "ask-transfer"]
    assert (await published.get(path, "protection")).json()["open"] == []
    asked = await published.post(f"{path}/request-info", "officer", {"items": ["diploma"]})
    assert asked.json()["open"] == ["provide-info", "suspend", "take", "ask-transfer"]
    seen = (await published.get(f"/persons/{person}")).json()
    open_now = ["assign-account", "set-contact", "correct-profile", "request-identity-change"]
    open_now += ["give-consent", "withdraw-consent"]
    assert (seen["state"], seen["open"]) == ("recorded", open_now)
    assert (await published.get("/programmes/example-1", "administrator")).json()["open"] == ["publish"]
    assert (await published.get("/programmes/example-1", "expert")).json()["open"] == []
    institution = (await published.post("/institutions", "officer", INSTITUTION)).json()
    assert institution["open"] == ["assign-account", "set-contact", "assess", "close", "ask-transfer"]
    hosts = await published.get(f"/institutions/{institution['id']}", "host", subject=INSTITUTION["account"])
    assert hosts.json()["open"] == ["set-contact", "propose-handover"]
    refused = await published.post(f"/institutions/{institution['id']}/activate", "officer")
    assert refused.json()["detail"] == "possible from on_hold, partner; the case is proposed"


async def test_a_declaration_against_the_criteria_is_refused(published: Serving) -> None:
    expert, _ = await registered(published)
    against = await published.post(f"/experts/{expert}/declare-ineligible", "officer")
    assert (against.status_code, against.json()["rule"]) == (409, "criteria_met")
    assert (await published.post(f"/experts/{expert}/declare-eligible", "officer")).json()["state"] == "eligible"
    other, _ = await registered(published, attributes={**ATTRIBUTES, "education": 3}, document=None)
    against = await published.post(f"/experts/{other}/declare-eligible", "officer")
    assert (against.status_code, against.json()["rule"]) == (409, "criteria_failed")
    assert (await published.post(f"/experts/{other}/declare-ineligible", "officer")).json()["state"] == "ineligible"


async def test_an_ineligible_expert_learns_required_and_actual(published: Serving) -> None:
    answer = await published.post(
        "/experts", "expert", registration(attributes={**ATTRIBUTES, "education": 3}), subject="me"
    )
    receipt = answer.json()
    assert (await decided(published, receipt, role="expert", subject="me"))["status"] == "accepted"
    await published.post(f"/experts/{receipt['subject']}/screen", "officer")
    mine = (await published.get(f"/experts/{receipt['subject']}", "expert", subject="me")).json()
    assert mine["failed_criteria"] == [{"criterion": "education", "required": 6, "actual": 3}]
    assert "possible_duplicate" not in mine
    theirs = (await published.get(f"/experts/{receipt['subject']}", "protection")).json()
    assert theirs["failed_criteria"] == [{"criterion": "education"}]
    assert (await published.get(f"/experts/{receipt['subject']}", "expert", subject="you")).status_code == 404
    assert (await published.get(f"/experts/{receipt['subject']}", office="herat")).status_code == 404
    for record in await published.topic("registration.experts"):
        assert b"actual" not in (record.value or b"")
    own = (await published.get(f"/persons/{mine['person']}", "expert", subject="me")).json()
    assert (own["given_name"], own["family_name"]) == ("Given", "Family")
    listed = (await published.get("/persons", "protection")).json()["items"]
    assert [one["id"] for one in listed] == [mine["person"]]
    assert not {"given_name", "family_name", "open"} & listed[0].keys()
    assert (await published.get(f"/persons/{mine['person']}", "evaluator")).status_code == 403


async def test_the_receipt_is_the_same_and_can_be_verified(published: Serving) -> None:
    first = await published.post("/experts", "officer", registration(), key="k1")
    again = await published.post("/experts", "officer", registration(), key="k1")
    other = await published.post("/experts", "officer", registration(given_name="Other"), key="k1")
    assert first.status_code == again.status_code == 202
    assert first.json() == again.json()
    assert other.status_code == 422
    receipt = first.json()
    keys = (await published.client.get("/v1/keys")).json()
    assert verify_receipt(keys, receipt["key_id"], signed_bytes(receipt), receipt["signature"])
    await decided(published, receipt)
    await published.quiet()
    assert len(await published.topic("registration.experts")) == 1


async def test_a_second_registration_in_the_programme_is_refused_and_says_what_is_possible(published: Serving) -> None:
    low = registration(attributes={**ATTRIBUTES, "education": 3})
    first = await published.post("/experts", "expert", low, subject="me", key="k1")
    await decided(published, first.json(), role="expert", subject="me")
    await published.post(f"/experts/{first.json()['subject']}/screen", "officer")
    second = await published.post("/experts", "expert", registration(given_name="Changed"), subject="me")
    assert (second.status_code, second.json()["rule"]) == (409, "already_registered")
    assert "is ineligible; possible now: appeal; an officer may screen again" in second.json()["detail"]
    again = await published.post("/experts", "expert", low, subject="me", key="k1")
    assert (again.status_code, again.json()) == (202, first.json())
    own = (await published.get("/experts", "expert", subject="me")).json()["items"]
    assert len(own) == 1


async def test_of_two_registrations_at_once_the_second_one_is_decided_against(published: Serving) -> None:
    """Both are taken in before either is decided; the receipt says what became of it."""
    answers = await asyncio.gather(
        *(published.post("/experts", "expert", registration(given_name=name), subject="me") for name in ("One", "Two"))
    )
    assert {one.status_code for one in answers} == {202}
    taken = [one.json() for one in answers]
    found = [await decided(published, one, role="expert", subject="me") for one in taken]
    assert sorted(one["status"] for one in found) == ["accepted", "refused"]
    assert [row["rule"] for one in found for row in one["problems"]] == ["already_registered"]


async def test_the_same_name_year_and_origin_only_flag(published: Serving) -> None:
    await registered(published, document=document("1"))
    expert, _ = await registered(published, document=document("2"), given_name="FAMILY", family_name="given")
    assert (await published.get(f"/experts/{expert}")).json()["possible_duplicate"] is True


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"given_name": "", "family_name": ""}, "/person"),
        ({"given_name": "\u0000"}, "/person/given_name"),
        ({"email": "no address"}, "/person/email"),
        ({"valid_from": "1800-01-01"}, "/person/valid_from"),
        ({"valid_from": "2999-01-01"}, "/person/valid_from"),
        ({"attributes": {**ATTRIBUTES, "nationality": "QQ"}}, "/person/attributes/nationality"),
        ({"attributes": {**ATTRIBUTES, "country_of_residence": "YU"}}, "/person/attributes/country_of_residence"),
        ({"attributes": {**ATTRIBUTES, "birth_year": 2100}}, "/person/attributes/birth_year"),
        ({"attributes": {**ATTRIBUTES, "birth_year": 1994}}, "/person/attributes/experience_years"),
        ({"attributes": {**ATTRIBUTES, "birth_year": 1994}}, "/person/attributes/education"),
        ({"attributes": {**ATTRIBUTES, "status": "eligible"}}, "/person/attributes/status"),
        ({"document": document("--")}, "/person/document/number"),
        ({"office": "nowhere"}, "/office"),
        ({"role": "administrator"}, "/role"),
    ],
)
async def test_bad_input_names_the_field_and_echoes_nothing(
    published: Serving, changes: dict[str, Any], pointer: str
) -> None:
    answer = await published.post("/experts", "expert", registration(**changes), subject="me")
    assert answer.status_code == 422, answer.text
    assert pointer in [row["pointer"] for row in answer.json()["errors"]]
    assert "somebody" not in answer.text


async def test_who_may_register(published: Serving) -> None:
    assert (await published.post("/experts", "officer", registration(), office="herat")).status_code == 403
    assert (await published.post("/experts", "host", registration())).status_code == 403
    late = registration(happened_at="2007-03-05T09:00:00Z")
    assert (await published.post("/experts", "expert", late, subject="me")).status_code == 403
    unknown = await published.post("/experts", "officer", registration(programme="nobody-knows"))
    assert unknown.status_code == 404


async def test_what_is_recorded_late_keeps_its_day(published: Serving) -> None:
    expert, _ = await registered(published, happened_at="2007-03-05T09:00:00Z", valid_from="2007-01-01")
    seen = (await published.get(f"/experts/{expert}")).json()
    assert seen["registered_at"] == "2007-03-05T09:00:00.000000Z"
    early = await published.post(f"/experts/{expert}/screen", "officer", {"happened_at": "2007-03-01T09:00:00Z"})
    assert (early.status_code, early.json()["rule"]) == (409, "happened_before_last")
    on_time = await published.post(f"/experts/{expert}/screen", "officer", {"happened_at": "2007-03-08T09:00:00Z"})
    assert on_time.json()["state"] == "eligible"


async def test_a_correction_and_a_new_entry_of_the_profile(published: Serving) -> None:
    _, person = await registered(published)
    before = (await published.get(f"/persons/{person}")).json()
    entry = before["profile"][0]
    wrong_day = {"attributes": ATTRIBUTES, "valid_from": "2007-04-01", "corrects": entry["id"]}
    refused = await published.post(f"/persons/{person}/correct-profile", "officer", wrong_day)
    assert (refused.status_code, refused.json()["rule"]) == (409, "correction_keeps_valid_from")
    body = {
        "attributes": {**ATTRIBUTES, "birth_year": 1972},
        "valid_from": entry["valid_from"],
        "corrects": entry["id"],
    }
    stale = await published.post(f"/persons/{person}/correct-profile", "officer", body, if_match='"99"')
    assert stale.status_code == 412
    corrected = await published.post(f"/persons/{person}/correct-profile", "officer", body, key="c1")
    assert corrected.status_code == 200
    later = corrected.json()["profile"][1]
    assert later["valid_from"] == entry["valid_from"]
    assert later["recorded_at"] > entry["recorded_at"]
    repeated = await published.post(f"/persons/{person}/correct-profile", "officer", body, key="c1")
    assert repeated.headers["etag"] == corrected.headers["etag"]
    await published.quiet()
    types = [dict(r.headers)["ce_type"] for r in await published.topic("registration.persons")]
    assert [one.rsplit(b".", 1)[1] for one in types] == [
        b"PersonRecorded",
        b"ProfileChanged",
        b"ConsentGiven",
        b"ProfileChanged",
    ]


async def test_consents(published: Serving) -> None:
    _, person = await registered(published)
    path = f"/persons/{person}"
    before = (await published.get(path)).json()["consents_at"]
    again = await published.post(f"{path}/give-consent", "officer", {"purpose": "placement"})
    assert (again.status_code, again.json()["rule"]) == (409, "consent_already_given")
    withdrawn = await published.post(f"{path}/withdraw-consent", "protection", {"purpose": "placement"})
    assert withdrawn.json()["consents"] == {"placement": "withdrawn"}
    assert withdrawn.json()["consents_at"]["placement"] > before["placement"]
    assert (await published.post(f"{path}/withdraw-consent", "officer", {"purpose": "placement"})).status_code == 409


async def test_consents_are_to_purposes_of_a_closed_list(published: Serving) -> None:
    refused = await published.post("/experts", "officer", registration(consents=["data.sharing"]))
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/consents/0")
    _, person = await registered(published, consents=list(PURPOSES))
    assert set((await published.get(f"/persons/{person}")).json()["consents"]) == set(PURPOSES)
    for purpose in ("a.b", "travel"):
        answer = await published.post(f"/persons/{person}/give-consent", "officer", {"purpose": purpose})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/purpose")


def dotted(value: Any, number: int) -> Any:
    """The definition with a dot in every code that it lists."""
    if isinstance(value, dict):
        return {
            key: f"{inner}.{number}" if key in ("code", "criterion") else dotted(inner, number)
            for key, inner in value.items()
        }
    return [dotted(one, number) for one in value] if isinstance(value, list) else value


async def test_a_dot_in_a_code_is_stored_or_refused_at_the_edge_and_nothing_waits_for_ever(edge: Serving) -> None:
    """Documents allow no dots in keys; a code that cannot be stored must not be acknowledged."""
    listed = [{"code": "citizen", "name": {"en": "x"}}]
    selection = {**DEFINITION["selection"], "reasons": [{"code": "a", "name": {"en": "A"}}]}
    selection["items"] = selection["reasons"]
    definition = dotted({**DEFINITION, "residence_statuses": listed, "selection": selection}, 1)
    await edge.publish(definition)
    attributes = {**ATTRIBUTES, "sector": "education.1", "residence_status": "citizen.1"}
    named = {"type": "passport", "country": "NL", "number": "D1"}
    body = registration(programme="example-1.1", office="kabul.1", attributes=attributes, document=named)
    receipt = (await edge.post("/experts", "officer", body, office="kabul.1")).json()
    assert (await decided(edge, receipt, office="kabul.1"))["status"] == "accepted"
    path = f"/experts/{receipt['subject']}"
    for verb, sent in (("request-info", {"items": ["a.1"]}), ("suspend", {"reason": "a.1"})):
        assert (await edge.post(f"{path}/{verb}", "officer", sent, office="kabul.1")).status_code == 200
    institution = {**INSTITUTION, "office": "kabul.1", "sector": "education.1", "host_type": "public.1", "area": "a.b"}
    assert (await edge.post("/institutions", "officer", institution, office="kabul.1")).status_code == 201
    await edge.quiet()


@pytest.mark.parametrize(
    ("said", "rule", "pointer"),
    [
        ({"office": "atlantis"}, "office_unknown", "/office"),
        ({"sector": "rain"}, "code_not_listed", "/sector"),
        ({"host_type": "rain"}, "code_not_listed", "/host_type"),
    ],
)
async def test_an_institution_names_an_office_and_codes_of_its_programmes(
    published: Serving, said: dict[str, str], rule: str, pointer: str
) -> None:
    body = {**INSTITUTION, "account": None, **said}
    body = {name: value for name, value in body.items() if value is not None}
    for role in ("host", "officer"):
        how: Any = {"subject": "college"} if role == "host" else {"office": body["office"]}
        refused = await published.post("/institutions", role, body, **how)
        assert (refused.status_code, refused.json()["errors"]) == (422, [{"pointer": pointer, "rule": rule}])
    assert (await published.post("/institutions", "officer", INSTITUTION)).status_code == 201


async def test_a_person_names_listed_codes_alone(published: Serving) -> None:
    """What is no code of the programme may be a name or a number, and would stand on a topic for ever."""
    canary = "Canary.Example.0617123456"
    expert, person = await registered(published)
    for name in ("residence_status", "sector", "category"):
        attributes = {**ATTRIBUTES, name: canary}
        refused = await published.post("/experts", "officer", registration(attributes=attributes))
        rows = [{"pointer": f"/person/attributes/{name}", "rule": "code_not_listed"}]
        assert (refused.status_code, refused.json()["errors"]) == (422, rows)
        body = {"attributes": attributes, "valid_from": "2007-04-01"}
        corrected = await published.post(f"/persons/{person}/correct-profile", "officer", body)
        rows = [{"pointer": f"/attributes/{name}", "rule": "code_not_listed"}]
        assert (corrected.status_code, corrected.json()["errors"]) == (422, rows)
        assert canary not in refused.text + corrected.text
    await published.post(f"/experts/{expert}/request-info", "officer", {"items": ["diploma"]})
    provided = await published.post(f"/experts/{expert}/provide-info", "officer", body)
    assert provided.json()["errors"] == rows
    await published.quiet()
    for topic in ("registration.profiles", "registration.persons", "registration.experts"):
        assert all(canary.encode() not in (record.value or b"") for record in await published.topic(topic))


async def test_a_correction_may_name_what_the_cases_version_lists_or_the_newest(published: Serving) -> None:
    sectors = [{"code": "health", "name": {"en": "Health"}}]
    _, person = await registered(published)
    health = {"attributes": {**ATTRIBUTES, "sector": "health"}, "valid_from": "2007-04-01"}
    path = f"/persons/{person}/correct-profile"
    assert (await published.post(path, "officer", health)).json()["rule"] == "code_not_listed"
    # The case keeps the version under which it was opened, and with it the codes that this version lists.
    changed = {**DEFINITION, "sectors": sectors}
    assert (await published.post("/programmes", "administrator", {"definition": changed})).json()["version"] == 2
    await published.follows("example-1", 2)
    assert (await published.post(path, "officer", health)).status_code == 200
    education = {"attributes": ATTRIBUTES, "valid_from": "2007-05-01"}
    assert (await published.post(path, "officer", education)).status_code == 200


async def test_whoever_is_asked_and_adds_nothing_is_told_so(published: Serving) -> None:
    """Sent empty, or as it began, the case would go back to the office with nothing in it."""
    for added in ("attributes", "note", "profile"):
        expert, person = await registered(published, document=None)
        path = f"/experts/{expert}"
        await published.post(f"{path}/request-info", "officer", {"items": ["diploma"]})
        stands = {"attributes": ATTRIBUTES, "valid_from": "2007-03-05"}
        for nothing in ({}, stands, {"note": None}):
            refused = await published.post(f"{path}/provide-info", "officer", nothing)
            assert (refused.status_code, refused.json()["rule"]) == (422, "nothing_provided")
        assert (await published.get(path)).json()["state"] == "needs_info"
        changed = {**stands, "attributes": {**ATTRIBUTES, "education": 8}}
        if added == "profile":
            corrected = await published.post(f"/persons/{person}/correct-profile", "officer", changed)
            assert corrected.status_code == 200
        body = {"attributes": changed, "note": {"note": "It lies at your counter."}, "profile": {}}[added]
        provided = await published.post(f"{path}/provide-info", "officer", body, key=f"provided-{added}")
        again = await published.post(f"{path}/provide-info", "officer", body, key=f"provided-{added}")
        assert (provided.json()["state"], again.status_code) == ("screening", 200)
        notes = (await published.get(path)).json().get("notes", ())
        assert [one["text"] for one in notes if one["verb"] == "provide-info"] == [
            *(["It lies at your counter."] if added == "note" else [])
        ]


async def test_screening_asks_and_goes_on(published: Serving) -> None:
    expert, person = await registered(published, attributes={**ATTRIBUTES, "education": 3})
    await published.post(f"/experts/{expert}/request-info", "officer", {"items": ["diploma"]})
    early = await published.post(f"/experts/{expert}/screen", "officer")
    assert early.json()["rule"] == "illegal_transition"
    body = {"attributes": {**ATTRIBUTES, "education": 7}, "valid_from": "2007-03-05"}
    provided = await published.post(f"/experts/{expert}/provide-info", "officer", body)
    assert provided.json()["state"] == "screening"
    assert len((await published.get(f"/persons/{person}")).json()["profile"]) == 2
    assert (await published.post(f"/experts/{expert}/screen", "officer")).json()["state"] == "eligible"
    await published.post(f"/experts/{expert}/suspend", "officer", {"reason": "unreachable"})
    assert (await published.post(f"/experts/{expert}/reinstate", "officer")).json()["state"] == "eligible"


async def test_an_account_stands_for_one_institution_alone(edge: Serving) -> None:
    """Another office, an earlier day: nobody takes over whose institution a signed-in host is."""
    office = {"code": "sarajevo", "name": {"en": "Sarajevo"}, "country": "BA", "time_zone": "Europe/Sarajevo"}
    await edge.publish({**DEFINITION, "offices": [*DEFINITION["offices"], office]})
    first = await edge.post("/institutions", "host", {**INSTITUTION, "account": None}, subject="host-f", key="k")
    assert first.status_code == 201, first.text
    mine = first.json()["id"]
    taken = {**INSTITUTION, "office": "sarajevo", "account": "host-f", "happened_at": "2001-01-01T00:00:00Z"}
    answer = await edge.post("/institutions", "officer", taken, office="sarajevo")
    assert (answer.status_code, answer.json()["errors"]) == (
        409,
        [{"pointer": "/account", "rule": "account_held_elsewhere"}],
    )
    again = await edge.post("/institutions", "host", {**INSTITUTION, "account": None}, subject="host-f", key="k2")
    assert (again.status_code, again.json()["rule"]) == (409, "account_held_elsewhere")
    repeated = await edge.post("/institutions", "host", {**INSTITUTION, "account": None}, subject="host-f", key="k")
    assert (repeated.status_code, repeated.json()["id"]) == (200, mine)
    assert (await edge.get(f"/institutions/{mine}", "host", subject="host-f")).status_code == 200
    assert [one["id"] for one in (await edge.get("/institutions", "host", subject="host-f")).json()["items"]] == [mine]
    other = await edge.post("/institutions", "officer", {**INSTITUTION, "account": None}, key="k3")
    assert other.status_code == 201


async def test_an_institution_from_proposal_to_closure(published: Serving) -> None:
    created = await published.post("/institutions", "officer", INSTITUTION)
    assert created.status_code == 201
    path = f"/institutions/{created.json()['id']}"
    assert created.headers["location"] == f"/registration/v1{path}"
    assert (await published.post(f"{path}/activate", "officer")).json()["rule"] == "illegal_transition"
    for verb, state in (("assess", "assessed"), ("accept-partner", "partner"), ("activate", "active")):
        assert (await published.post(f"{path}/{verb}", "officer")).json()["state"] == state
    hosts = await published.get(path, "host", subject=INSTITUTION["account"])
    assert hosts.json()["name"] == INSTITUTION["name"]
    assert (await published.get(path, "host", subject="another")).status_code == 404
    assert (await published.get(path, office="herat")).status_code == 404
    assert (await published.post(f"{path}/put-on-hold", "officer", {"reason": "relocating"})).json()[
        "state"
    ] == "on_hold"
    assert (await published.post(f"{path}/close", "officer", {"reason": "merged"})).json()["state"] == "closed"
    await published.quiet()
    for record in await published.topic("registration.institutions"):
        assert INSTITUTION["name"].encode() not in (record.value or b"")


async def test_lists_page_by_cursor(published: Serving) -> None:
    for number in range(3):
        await registered(published, document=document(str(number)))
    page = (await published.get("/experts?limit=2")).json()
    rest = (await published.get(f"/experts?limit=2&after={page['next']}")).json()
    assert len({one["id"] for one in page["items"] + rest["items"]}) == 3
    assert rest["next"] is None
    assert (await published.get("/experts", office="herat")).json()["items"] == []


async def test_names_reach_no_topic_and_no_document_in_the_clear(published: Serving) -> None:
    body = registration(given_name="Zzcanary", family_name="Qqcanary", email="canary@example.org")
    receipt = (await published.post("/experts", "officer", body)).json()
    await decided(published, receipt)
    await published.quiet()
    for collection in ("persons", "experts", "submissions", "documents", "shadows"):
        async for found in published.store.scan(collection):
            assert "canary" not in str(found).casefold()
    for topic in ("registration.persons", "registration.profiles", "registration.experts"):
        for record in await published.topic(topic):
            assert b"canary" not in (record.value or b"").lower()


async def test_a_moment_is_written_in_one_form(published: Serving) -> None:
    expert, _ = await registered(published)
    at = (await published.get(f"/experts/{expert}")).json()["registered_at"]
    assert len(at) == len(text_of(published.clock.now()))


async def test_nobody_registers_in_a_programme_that_is_over_but_who_did_before_its_end(edge: Serving) -> None:
    dates = {"starts": "2006-01-01", "ends": "2008-07-01"}
    sent = {"definition": {**DEFINITION, "dates": dates}}
    assert (await edge.post("/programmes", "administrator", sent)).status_code == 201
    await edge.follows(DEFINITION["code"])
    refused = await edge.post("/experts", "officer", registration())
    assert (refused.status_code, refused.json()["rule"]) == (409, "programme_is_over")
    late = registration(happened_at="2008-06-30T09:00:00Z", valid_from="2008-01-01")
    assert (await edge.post("/experts", "officer", late)).status_code == 202
