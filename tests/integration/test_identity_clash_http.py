"""A document number that another person holds: the same answers for whoever registers, decided by one role, told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.registration.app import build
from services.registration.domain.examples import ATTRIBUTES, DEFINITION
from services.registration.store import COLLECTIONS, SHADOWS
from shared.errors import Unavailable
from shared.messaging.reading import parse
from shared.replica import stored
from tests.integration.test_registration_http import decided, document, registration
from tests.unit.registration.serving import Serving

SECOND = "example-2"
NUMBER = document("AB 123")
DECIDED = {"reason": "documents_compared"}
# What differs between any two registrations: ids, instants, and what proves the receipt.
OF_ITS_OWN = {
    "id",
    "consents_at",
    "subject",
    "person",
    "digest",
    "salt",
    "signature",
    "status_url",
    "received_at",
    "opened_at",
    "registered_at",
    "recorded_at",
    "at",
}


@pytest.fixture
async def edge() -> AsyncIterator[Serving]:
    async with Serving("registration", stored(COLLECTIONS, SHADOWS), build) as serving:
        office = {"code": "herat", "name": {"en": "Herat"}, "country": "AF", "time_zone": "Asia/Kabul"}
        for code in (DEFINITION["code"], SECOND):
            changed = {**DEFINITION, "code": code, "offices": [*DEFINITION["offices"], office]}
            await serving.publish(changed)
        yield serving


async def registers(edge: Serving, subject: str, **changes: Any) -> tuple[str, str]:
    """Expert id and person id of somebody who registers alone."""
    answer = await edge.post("/experts", "expert", registration(**changes), subject=subject)
    assert (await decided(edge, answer.json(), role="expert", subject=subject))["status"] == "accepted"
    expert = answer.json()["subject"]
    return expert, (await edge.get(f"/experts/{expert}", "expert", subject=subject)).json()["person"]


async def by_officer(edge: Serving, office: str = "kabul", **changes: Any) -> tuple[str, str]:
    answer = await edge.post("/experts", "officer", registration(office=office, **changes), office=office)
    assert answer.status_code == 202, answer.text
    assert (await decided(edge, answer.json(), office=office))["status"] == "accepted"
    expert = answer.json()["subject"]
    return expert, (await edge.get(f"/experts/{expert}", office=office)).json()["person"]


async def clash(edge: Serving) -> tuple[str, str, str]:
    """The case of whoever came second, that person, and the holder."""
    _, holder = await registers(edge, "first", document=NUMBER)
    expert, claimant = await registers(edge, "second", document=document("ab-123"), given_name="Other")
    return expert, claimant, holder


async def settle(edge: Serving, expert: str, outcome: str, **how: Any) -> httpx.Response:
    return await edge.post(f"/experts/{expert}/settle-identity", "protection", {"outcome": outcome, **DECIDED}, **how)


async def holds(edge: Serving) -> dict[str, str]:
    """The one guard's holds: person -> status."""
    (guard,) = [one async for one in edge.store.scan("documents")]
    return {person: hold["status"] for person, hold in guard["holds"].items()}


async def told(edge: Serving, topic: str, kind: str) -> list[str]:
    """The subjects of the events of a type on a topic."""
    await edge.quiet()
    read = [parse(record) for record in await edge.topic(topic)]
    return [one[0].subject for one in read if isinstance(one, tuple) and type(one[1]).__name__ == kind]


async def everything_said_to(edge: Serving, subject: str, number: dict[str, str]) -> list[tuple[int, Any, Any]]:
    """Status, body and headers of all that somebody who registers with the number can ask for."""
    how: Any = {"role": "expert", "subject": subject}
    first = await edge.post("/experts", body=registration(document=number), key=f"key-of-{subject}", **how)
    receipt = first.json()
    await decided(edge, receipt, **how)
    await edge.quiet()
    expert = f"/experts/{receipt['subject']}"
    case = await edge.get(expert, **how)
    person = f"/persons/{case.json()['person']}"
    answers = [
        first,
        await edge.get(f"/receipts/{receipt['id']}", **how),
        case,
        await edge.get("/experts", **how),
        await edge.get("/experts?status=screening", **how),
        await edge.get("/experts?status=identity_clash&programme=example-1", **how),
        await edge.get(person, **how),
        await edge.post("/experts", body=registration(document=number), key=f"key-of-{subject}", **how),
        await edge.post("/experts", body=registration(document=number), **how),
        await edge.post(f"{expert}/appeal", body={"ground": "facts", "note": "It is mine."}, **how),
        await edge.post(f"{expert}/provide-info", body={}, **how),
        await edge.post(f"{expert}/settle-identity", body={"outcome": "moves", **DECIDED}, **how),
        await edge.post(f"{person}/correct-profile", body=_corrected(), **how),
        await edge.post(f"{person}/withdraw-consent", body={"purpose": "placement"}, **how),
        await edge.get(expert, **how),
    ]
    return [(one.status_code, comparable(one.json()), headers(one)) for one in answers]


def _corrected() -> dict[str, Any]:
    return {"attributes": {**ATTRIBUTES, "experience_years": 13}, "valid_from": "2007-03-05"}


def headers(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name in ("etag", "content-type", "retry-after")}


def comparable(body: Any) -> Any:
    """Without what is each registration's own; what names a field stays there."""
    if isinstance(body, dict):
        return {name: "its own" if name in OF_ITS_OWN else comparable(value) for name, value in body.items()}
    return [comparable(one) for one in body] if isinstance(body, list) else body


async def test_whoever_registers_is_answered_the_same_whether_the_number_is_held_or_not(edge: Serving) -> None:
    await registers(edge, "first", document=NUMBER)
    free = await everything_said_to(edge, "second", document("ZZ 999"))
    held = await everything_said_to(edge, "third", NUMBER)
    assert [status for status, _, _ in free] == [
        202,
        200,
        200,
        200,
        200,
        200,
        200,
        202,
        409,
        409,
        409,
        403,
        200,
        200,
        200,
    ]
    for one, other in zip(free, held, strict=True):
        assert other == one
    assert held[2][1]["state"] == "screening"
    assert [len(held[number][1]["items"]) for number in (3, 4, 5)] == [1, 1, 0]


async def test_a_second_claimant_is_no_expert_until_the_protection_role_decides(edge: Serving) -> None:
    expert, claimant, holder = await clash(edge)
    seen = (await edge.get(f"/experts/{expert}")).json()
    assert (seen["state"], seen["open"]) == ("identity_clash", [])
    for verb in ("screen", "declare-eligible"):
        refused = await edge.post(f"/experts/{expert}/{verb}", "officer")
        assert (refused.status_code, refused.json()["rule"]) == (409, "illegal_transition")
        assert refused.json()["detail"].endswith("; the case is identity_clash")
    assert expert not in await told(edge, "registration.experts", "ExpertRegistered")
    assert await told(edge, "registration.experts", "ExpertIdentityClashed") == [expert]
    assert await holds(edge) == {holder: "confirmed", claimant: "refused"}
    # The number stands with the case, and the person has none of it.
    person, case = await edge.store.load("persons", claimant), await edge.store.load("experts", expert)
    assert not [name for name in person["private"] if name.startswith("sealed_document")]
    assert [name for name in case["private"] if name.startswith("sealed_document")]
    assert not [record for record in await edge.topic("registration.experts") if b"AB123" in (record.value or b"")]


async def test_the_protection_role_and_an_officer_who_may_read_the_holder_are_shown_the_person(edge: Serving) -> None:
    _, holder = await by_officer(edge, document=NUMBER)
    same_office, _ = await by_officer(edge, document=NUMBER)
    other_office, _ = await by_officer(edge, "herat", document=NUMBER)
    assert (await edge.get(f"/experts/{same_office}")).json()["holder"] == holder
    elsewhere = (await edge.get(f"/experts/{other_office}", office="herat")).json()
    assert elsewhere["state"] == "identity_clash"
    assert "holder" not in elsewhere
    for expert in (same_office, other_office):
        seen = (await edge.get(f"/experts/{expert}", "protection")).json()
        assert (seen["holder"], seen["open"]) == (holder, ["settle-identity"])


async def test_the_number_stays_the_holders_and_the_claimant_goes_on_without_it(edge: Serving) -> None:
    expert, claimant, holder = await clash(edge)
    before = (await edge.get(f"/experts/{expert}")).json()["registered_at"]
    answer = await settle(edge, expert, "holds", key="k", subject="decides")
    assert (answer.status_code, answer.json()["state"]) == (200, "screening")
    assert (await settle(edge, expert, "holds", key="k", subject="decides")).headers["etag"] == answer.headers["etag"]
    assert expert in await told(edge, "registration.experts", "ExpertRegistered")
    assert await holds(edge) == {holder: "confirmed", claimant: "refused"}
    mine = (await edge.get(f"/experts/{expert}", "expert", subject="second")).json()
    assert (mine["identity"]["outcome"], mine["reason"], mine["registered_at"]) == ("holds", None, before)
    theirs = (await edge.get(f"/persons/{holder}", "expert", subject="first")).json()
    assert (theirs["document_claim"]["outcome"], theirs["document_claim"]["reason"]) == ("holds", DECIDED["reason"])
    assert claimant not in str(theirs)
    assert (await edge.post(f"/experts/{expert}/screen", "officer")).json()["state"] == "eligible"
    again = await settle(edge, expert, "moves")
    assert (again.status_code, again.json()["rule"]) == (409, "illegal_transition")
    private = (await edge.store.load("experts", expert))["private"]
    assert private["identity_settled_by"] == edge.account("decides")


async def test_the_number_moves_to_the_claimant_and_back_by_another_decision(edge: Serving) -> None:
    expert, claimant, holder = await clash(edge)
    assert (await settle(edge, expert, "moves")).json()["state"] == "screening"
    await edge.quiet()
    assert await holds(edge) == {holder: "released", claimant: "confirmed"}
    theirs = (await edge.get(f"/persons/{holder}", "expert", subject="first")).json()
    assert theirs["document_claim"]["outcome"] == "moves"
    # Whose the number was claims it again, in another programme, and gets it back.
    again, _ = await registers(edge, "first", programme=SECOND, document=NUMBER)
    assert (await edge.get(f"/experts/{again}")).json()["state"] == "identity_clash"
    assert (await settle(edge, again, "moves")).status_code == 200
    await edge.quiet()
    assert await holds(edge) == {holder: "confirmed", claimant: "released"}
    # The first decision once more moves nothing any more.
    for record in await edge.topic("registration.experts"):
        shadow = (record.key or b"").decode()
        stood = await edge.store.load("shadows", shadow)
        if stood is not None:
            await edge.store.save("shadows", {**stood, "marks": {}, "version": stood["version"] + 1}, stood["version"])
        await edge.service.replica.consumer.deliver(record)
    assert await holds(edge) == {holder: "confirmed", claimant: "released"}


async def test_one_and_the_same_person_ends_the_second_case_until_it_is_found_otherwise(edge: Serving) -> None:
    expert, claimant, holder = await clash(edge)
    assert (await settle(edge, expert, "same_person")).json()["state"] == "duplicate"
    assert expert not in await told(edge, "registration.experts", "ExpertRegistered")
    mine = (await edge.get(f"/experts/{expert}", "expert", subject="second")).json()
    assert (mine["state"], mine["identity"]["outcome"]) == ("duplicate", "same_person")
    assert await holds(edge) == {holder: "confirmed", claimant: "refused"}
    same = await settle(edge, expert, "same_person")
    assert (same.status_code, same.json()["rule"]) == (409, "outcome_unchanged")
    assert (await settle(edge, expert, "holds")).json()["state"] == "screening"


async def test_only_the_protection_role_decides_and_says_why(edge: Serving) -> None:
    expert, _, _ = await clash(edge)
    for role in ("officer", "expert", "administrator"):
        answer = await edge.post(f"/experts/{expert}/settle-identity", role, {"outcome": "holds", **DECIDED})
        assert answer.status_code == 403
    for wrong in ({"outcome": "holds"}, {"outcome": "holds", "reason": "because"}, {"outcome": "nobody", **DECIDED}):
        assert (await edge.post(f"/experts/{expert}/settle-identity", "protection", wrong)).status_code == 422
    other, _ = await registers(edge, "third", document=document("ZZ 999"))
    assert (await settle(edge, other, "holds")).json()["rule"] == "illegal_transition"


async def test_what_a_crash_left_between_the_case_and_the_guard_is_done_afterwards(
    edge: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    expert, claimant, holder = await clash(edge)
    guards, tried = edge.service.replica.guards, []
    move = guards.move

    async def cut_off(*arguments: Any) -> None:
        tried.append(arguments)
        if len(tried) == 1:
            raise Unavailable("before the guard")
        await move(*arguments)
        if len(tried) == 2:
            raise Unavailable("before the holder is told")

    monkeypatch.setattr(guards, "move", cut_off)
    assert (await settle(edge, expert, "moves")).json()["state"] == "screening"

    async def done() -> bool:
        person = (await edge.get(f"/persons/{holder}")).json()
        return person["document_claim"] is not None

    await edge.eventually(done)
    assert len(tried) == 3
    assert await holds(edge) == {holder: "released", claimant: "confirmed"}
    assert await told(edge, "registration.persons", "DocumentClaimSettled") == [holder]


async def test_an_officer_registers_a_known_person_in_a_second_programme(edge: Serving) -> None:
    """The same document, the same person: the number is theirs, and nothing clashes."""
    first, person = await by_officer(edge, document=NUMBER)
    second, same = await by_officer(edge, programme=SECOND, document=NUMBER, known_person=person)
    assert (same == person, second != first) == (True, True)
    assert (await edge.get(f"/experts/{second}")).json()["state"] == "screening"
    assert await holds(edge) == {person: "confirmed"}
    assert await told(edge, "registration.persons", "PersonRecorded") == [person]
    again = await edge.post("/experts", "officer", registration(programme=SECOND, known_person=person))
    assert (again.status_code, again.json()["rule"]) == (409, "already_registered")
    renamed = registration(programme=DEFINITION["code"], known_person=person)
    assert (await edge.post("/experts", "officer", renamed)).status_code == 409


async def test_what_is_said_of_a_known_person_writes_no_name_over(edge: Serving) -> None:
    _, person = await by_officer(edge)
    second, _ = await by_officer(edge, programme=SECOND, known_person=person, given_name="Another")
    assert (await edge.get(f"/experts/{second}")).json()["identity_differs"] is True


async def test_nobody_names_a_person_whom_they_may_not_read(edge: Serving) -> None:
    _, person = await by_officer(edge)
    nobody = "00000000-0000-5000-8000-000000000000"
    wrong: tuple[tuple[Any, str, str], ...] = (
        ("officer", "herat", person),
        ("officer", "herat", nobody),
        ("officer", "kabul", nobody),
        ("expert", "kabul", person),
    )
    answers = []
    for role, office, known in wrong:
        body = registration(programme=SECOND, office=office, known_person=known)
        answer = await edge.post("/experts", role, body, office=office if role == "officer" else None, subject="me")
        answers.append((answer.status_code, answer.json()["errors"]))
    assert answers == [(422, [{"pointer": "/known_person", "rule": "known_person_unknown"}])] * len(wrong)


async def test_whoever_registers_alone_in_a_second_programme_is_the_same_person(edge: Serving) -> None:
    _, person = await registers(edge, "me", document=NUMBER)
    second, same = await registers(edge, "me", programme=SECOND, document=NUMBER)
    assert same == person
    assert (await edge.get(f"/experts/{second}")).json()["state"] == "screening"


async def erased(edge: Serving, person: str) -> None:
    answer = await edge.post(f"/persons/{person}/erase", "protection", {"reason": "own_request"})
    assert (answer.status_code, answer.json()["state"]) == (200, "erased"), answer.text
    await edge.quiet()


@pytest.mark.parametrize("outcome", ["holds", "moves"])
async def test_a_claim_is_decided_although_the_holder_was_erased(edge: Serving, outcome: str) -> None:
    expert, claimant, holder = await clash(edge)
    await erased(edge, holder)
    assert (await settle(edge, expert, outcome)).json()["state"] == "screening"
    await edge.quiet()
    assert await holds(edge) == {claimant: "refused" if outcome == "holds" else "confirmed"}
    assert await told(edge, "registration.persons", "DocumentClaimSettled") == []


async def test_of_a_claimant_who_is_erased_nothing_of_the_claim_is_left(edge: Serving) -> None:
    expert, claimant, holder = await clash(edge)
    await erased(edge, claimant)
    case = await edge.store.load("experts", expert)
    assert case["state"]["status"] == "withdrawn"
    assert not any(case["private"].values())
    assert await holds(edge) == {holder: "confirmed"}


async def becomes(edge: Serving, subject: str, number: dict[str, str]) -> tuple[list[Any], list[str]]:
    """All that is said to somebody who was found eligible in two programmes and then names another document, and to the
    officer who confirms it; the cases."""
    how: Any = {"role": "expert", "subject": subject}
    cases = [
        (await registers(edge, subject, programme=code, document=None))[0] for code in (DEFINITION["code"], SECOND)
    ]
    asked_first = f"/experts/{cases[1]}/request-info", {"items": ["diploma"]}
    for path, body in ((f"/experts/{cases[0]}/screen", {}), asked_first):
        assert (await edge.post(path, "officer", body)).status_code == 200
    person = f"/persons/{(await edge.get(f'/experts/{cases[0]}')).json()['person']}"
    change = {"document": number, "reason": "new_document"}
    said = [
        await edge.post(f"{person}/request-identity-change", body=change, **how),
        await edge.post(
            f"{person}/confirm-identity-change", "officer", {"reason": "document_seen"}, key=f"k-{subject}"
        ),
    ]
    await edge.quiet()
    said += [await edge.get(f"{person}{more}", **how) for more in ("", "/timeline")]
    said += [await edge.get(f"/experts/{one}{more}", **how) for one in cases for more in ("", "/timeline")]
    said += [await edge.get(f"/experts?status={one}", **how) for one in ("screening", "identity_clash")]
    said.append(await edge.get(person, "officer"))
    again = await edge.post(
        f"{person}/confirm-identity-change", "officer", {"reason": "document_seen"}, key=f"k-{subject}"
    )
    return [(one.status_code, comparable(one.json()), headers(one)) for one in (*said, again)], cases


async def test_another_document_is_answered_the_same_whether_its_number_is_held_or_not(edge: Serving) -> None:
    _, holder = await registers(edge, "first", document=NUMBER)
    free, unheld = await becomes(edge, "second", document("ZZ 999"))
    held, cases = await becomes(edge, "third", document("ab-123"))
    assert free == held
    assert [(await edge.get(f"/experts/{one}")).json()["state"] for one in unheld] == ["screening", "screening"]
    # To the office and to the role that decides they stand apart.
    assert [(await edge.get(f"/experts/{one}")).json()["state"] for one in cases] == ["identity_clash"] * 2
    assert (await edge.get(f"/experts/{cases[0]}", "protection")).json()["holder"] == holder
    refused = await edge.post(f"/experts/{cases[0]}/screen", "officer")
    assert (refused.status_code, refused.json()["rule"]) == (409, "illegal_transition")


@pytest.mark.parametrize(
    ("outcome", "state"), [("holds", "screening"), ("moves", "screening"), ("same_person", "duplicate")]
)
async def test_a_claim_by_a_change_of_identity_is_decided_once_for_all_cases(
    edge: Serving, outcome: str, state: str
) -> None:
    _, holder = await registers(edge, "first", document=NUMBER)
    _, cases = await becomes(edge, "second", document("ab-123"))
    claimant = (await edge.get(f"/experts/{cases[0]}")).json()["person"]
    assert (await settle(edge, cases[1], outcome)).status_code == 200
    await edge.quiet()
    assert [(await edge.get(f"/experts/{one}")).json()["state"] for one in cases] == [state] * 2
    moved = outcome == "moves"
    assert await holds(edge) == {
        holder: "released" if moved else "confirmed",
        claimant: "confirmed" if moved else "refused",
    }
    assert await told(edge, "registration.persons", "DocumentClaimSettled") == [holder]


async def test_what_is_decided_elsewhere_comes_before_another_document(edge: Serving) -> None:
    """Whether its number is held or not."""
    await registers(edge, "first", document=NUMBER)
    for subject, number in (("second", "ZZ 999"), ("third", "ab-123")):
        expert, person = await registers(edge, subject, document=None)
        change = {"document": document(number), "reason": "new_document"}
        await edge.post(f"/persons/{person}/request-identity-change", "expert", change, subject=subject)
        await edge.post(f"/experts/{expert}/suspend", "officer", {"reason": "under_inquiry"})
        seen = {"reason": "document_seen"}
        refused = await edge.post(f"/persons/{person}/confirm-identity-change", "officer", seen)
        assert (refused.status_code, refused.json()["rule"]) == (409, "case_undecided")
        await edge.post(f"/experts/{expert}/reinstate", "officer")
        assert (await edge.post(f"/persons/{person}/confirm-identity-change", "officer", seen)).status_code == 200


async def test_cases_whose_identity_waits_are_found_in_the_offices_list(edge: Serving) -> None:
    first, person = await registers(edge, "first", document=None)
    second, _ = await registers(edge, "second", document=None)
    await edge.post(
        f"/persons/{person}/request-identity-change",
        "expert",
        {"given_name": "Other", "reason": "marriage"},
        subject="first",
    )
    await edge.quiet()

    async def listed(query: str, role: Any = "officer", **how: Any) -> Any:
        answer = await edge.get(f"/experts?flag={query}", role, **how)
        return [one["id"] for one in answer.json()["items"]] if answer.is_success else answer.json()["errors"]

    assert await listed("identity_change_pending") == [first]
    assert await listed(f"identity_change_pending&status=screening&programme={DEFINITION['code']}") == [first]
    assert await listed("identity_change_pending&status=eligible") == []
    assert await listed("possible_duplicate") == [second]
    assert await listed("identity_change_pending", office="herat") == []
    flags = {one["id"]: one["identity_change_pending"] for one in (await edge.get("/experts")).json()["items"]}
    assert flags == {first: True, second: False}
    assert (await listed("rain"))[0]["rule"] == "code_not_listed"
    assert (await listed("identity_change_pending", "expert", subject="first"))[0]["rule"] == "unknown_parameter"
    await edge.post(f"/persons/{person}/refuse-identity-change", "officer", {"reason": "not_proven"})
    await edge.quiet()
    assert await listed("identity_change_pending") == []


async def test_names_documents_and_telephones_are_read_as_people_write_them(edge: Serving) -> None:
    """One name; a direction mark that was pasted; digits of Persian; an extension; another type of the same document,
    and a letter that looks like another one."""
    first = registration(
        family_name=None,
        given_name="\u202bرحیمی\u202c",
        telephone="۰۲۰ ۷۹۴ ۶۰۰۱ ext 4",
        document={"type": "passport", "country": "NL", "number": "AB\u200f 123"},
    )
    first["person"].pop("family_name")
    answer = await edge.post("/experts", "expert", first, subject="first")
    assert answer.status_code == 202, answer.text
    assert (await decided(edge, answer.json(), role="expert", subject="first"))["status"] == "accepted"
    person = (await edge.get(f"/experts/{answer.json()['subject']}", "expert", subject="first")).json()["person"]
    mine = (await edge.get(f"/persons/{person}", "expert", subject="first")).json()
    assert (mine["given_name"], "family_name" in mine) == ("رحیمی", False)
    opened = await edge.post(f"/persons/{person}/read-identity", "officer", {"purpose": "travel"})
    assert opened.json()["telephone"] == "+31 20 794 6001 ext. 4"
    assert opened.json()["documents"][0]["number"] == "AB 123"
    for subject, number in (
        ("second", {"type": "travel_document", "country": "NL", "number": "AB123"}),
        ("third", {"type": "passport", "country": "NL", "number": "\u0410B 123"}),
    ):
        expert, _ = await registers(edge, subject, document=number)
        assert (await edge.get(f"/experts/{expert}")).json()["state"] == "identity_clash"
    wrong = {
        "given_name": ({"given_name": " ", "family_name": ""}, "name_missing", "/person"),
        "type": ({"document": {**NUMBER, "type": "Passport"}}, "document_type_unknown", "/person/document/type"),
        "telephone": ({"telephone": "four"}, "telephone_unreadable", "/person/telephone"),
    }
    for said, rule, pointer in wrong.values():
        refused = await edge.post("/experts", "expert", registration(**said), subject="fourth")
        found = refused.json()["errors"]
        assert (refused.status_code, [(one["rule"], one["pointer"]) for one in found]) == (422, [(rule, pointer)])
        assert found[0]["detail"]
