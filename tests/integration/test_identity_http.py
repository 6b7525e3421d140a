"""One account, two registrations under different names: nothing that was recorded first is written over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.registration.app import build
from services.registration.domain.examples import ATTRIBUTES, DEFINITION
from services.registration.store import COLLECTIONS, SHADOWS
from shared.errors import Unavailable
from shared.replica import stored
from tests.integration.test_registration_http import decided, registration
from tests.unit.registration.serving import Serving

SECOND = "example-2"


@pytest.fixture
async def edge() -> AsyncIterator[Serving]:
    async with Serving("registration", stored(COLLECTIONS, SHADOWS), build) as serving:
        for code in (DEFINITION["code"], SECOND):
            await serving.publish({**DEFINITION, "code": code})
        yield serving


async def registers(edge: Serving, **changes: Any) -> str:
    answer = await edge.post("/experts", "expert", registration(**changes), subject="me")
    assert (await decided(edge, answer.json(), role="expert", subject="me"))["status"] == "accepted"
    return str(answer.json()["subject"])


async def told(edge: Serving, expert: str) -> tuple[dict[str, Any], dict[str, Any]]:
    seen = (await edge.get(f"/experts/{expert}")).json()
    return seen, (await edge.get(f"/persons/{seen['person']}", "expert", subject="me")).json()


@pytest.mark.parametrize(
    "changes", [{"given_name": "Somebody", "family_name": "Else"}, {"attributes": {**ATTRIBUTES, "birth_year": 1965}}]
)
async def test_another_name_or_year_of_birth_writes_nothing_over_and_is_flagged(
    edge: Serving, changes: dict[str, Any]
) -> None:
    first = await registers(edge)
    second = await registers(edge, programme=SECOND, document=None, **changes)
    one, person = await told(edge, first)
    other, _ = await told(edge, second)
    assert (person["given_name"], person["family_name"]) == ("Given", "Family")
    assert one["person"] == other["person"]
    assert (one["identity_differs"], other["identity_differs"]) == (False, True)
    # The flag is for officers; the person's own view has none.
    assert "identity_differs" not in (await edge.get(f"/experts/{second}", "expert", subject="me")).json()
    assert {entry["attributes"]["birth_year"] for entry in person["profile"]} == {1971}


async def test_what_a_registration_said_otherwise_is_settled_by_an_officer(edge: Serving) -> None:
    first = await registers(edge)
    second = await registers(edge, programme=SECOND, document=None, given_name="Somebody", family_name="Else")
    path, said = f"/experts/{second}/keep-identity", {"reason": "typing_error"}
    flagged = (await edge.get("/experts?flag=identity_differs")).json()["items"]
    assert second in [one["id"] for one in flagged]
    assert "keep-identity" in (await edge.get(f"/experts/{second}")).json()["open"]
    # Of a case in which nothing differs there is nothing to settle.
    assert "keep-identity" not in (await edge.get(f"/experts/{first}")).json()["open"]
    unflagged = await edge.post(f"/experts/{first}/keep-identity", "officer", said)
    assert (unflagged.status_code, unflagged.json()["rule"]) == (409, "not_flagged")
    assert (await edge.post(path, "officer", said, office="herat")).status_code == 404
    assert (await edge.post(path, "expert", said, subject="me")).status_code == 403
    for wrong in ({}, {"reason": "because"}):
        assert (await edge.post(path, "officer", wrong)).status_code == 422
    settled = await edge.post(path, "officer", said, key="k")
    assert (settled.status_code, settled.json()["state"], settled.json()["identity_differs"]) == (
        200,
        "screening",
        False,
    )
    again = await edge.post(path, "officer", said, key="k")
    assert (again.status_code, again.headers["etag"]) == (200, settled.headers["etag"])
    assert (await edge.post(path, "officer", said)).json()["rule"] == "not_flagged"
    timeline = (await edge.get(f"/experts/{second}/timeline")).json()["items"]
    assert (timeline[0]["fact"], timeline[0]["reason"]) == ("ExpertIdentityKept", "typing_error")
    assert second not in [one["id"] for one in (await edge.get("/experts?flag=identity_differs")).json()["items"]]
    _, person = await told(edge, second)
    assert (person["given_name"], person["family_name"]) == ("Given", "Family")


async def test_the_same_person_in_another_spelling_is_the_same(edge: Serving) -> None:
    await registers(edge)
    spelt = {"given_name": "FAMILY", "family_name": "given"}
    second = await registers(edge, programme=SECOND, document=None, **spelt)
    assert (await told(edge, second))[0]["identity_differs"] is False


CANARY = "Zqanary"
PASSPORT = {"type": "passport", "country": "NL", "number": "N0000042"}
CHANGE = {"given_name": CANARY, "born": {"year": 1970, "month": 5}, "document": PASSPORT, "reason": "court_decision"}
UNNUMBERED = {**PASSPORT, "number": "--"}
SEEN = {"reason": "document_seen"}


async def eligible(edge: Serving) -> tuple[str, str]:
    """Expert and person id of somebody who registered alone and was found eligible."""
    expert = await registers(edge)
    assert (await edge.post(f"/experts/{expert}/screen", "officer")).json()["state"] == "eligible"
    return expert, str((await edge.get(f"/experts/{expert}")).json()["person"])


async def events(edge: Serving, person: str = "") -> list[str]:
    """What the topics tell of persons, or of that one, after the registration; nothing of it names anybody."""
    await edge.quiet()
    records = await edge.topic("registration.persons")
    for record in [*records, *await edge.topic("registration.profiles"), *await edge.topic("registration.experts")]:
        assert not any(told.encode() in (record.value or b"") for told in (CANARY, PASSPORT["number"]))
    records = [record for record in records if person in ("", (record.key or b"").decode())]
    names = [dict(record.headers)["ce_type"].rsplit(b".", 1)[1].decode() for record in records]
    return [name for name in names if name not in ("PersonRecorded", "ConsentGiven")]


async def test_a_change_of_identity_is_asked_for_seen_and_confirmed_by_another_officer(edge: Serving) -> None:
    expert, person = await eligible(edge)
    path = f"/persons/{person}"
    assert (await edge.post(f"{path}/request-identity-change", "expert", CHANGE, subject="other")).status_code == 404
    asked = await edge.post(f"{path}/request-identity-change", "expert", CHANGE, subject="me", key="k")
    assert (asked.status_code, asked.json()["identity_change"]["outcome"]) == (200, "pending")
    again = await edge.post(f"{path}/request-identity-change", "expert", CHANGE, subject="me", key="k")
    assert again.headers["etag"] == asked.headers["etag"]
    second = await edge.post(f"{path}/request-identity-change", "officer", CHANGE)
    assert (second.status_code, second.json()["rule"]) == (409, "identity_change_pending")
    await edge.quiet()
    (record,) = [
        one for one in await edge.topic("registration.persons") if b"IdentityChange" in dict(one.headers)["ce_type"]
    ]
    # As what somebody asked is known to whoever reads the topic; who it was is not.
    assert (dict(record.headers)["ce_byrole"], "ce_byoffice" in dict(record.headers)) == (b"expert", False)
    # Until it is decided everything stays as it was, and officers see that it waits.
    seen, mine = await told(edge, expert)
    assert (seen["state"], seen["identity_change_pending"]) == ("eligible", True)
    assert "identity_change_pending" not in (await edge.get(f"/experts/{expert}", "expert", subject="me")).json()
    assert (mine["given_name"], mine["profile"][-1]["attributes"]["birth_year"]) == ("Given", 1971)
    before = (await edge.get(path)).json()
    assert (before["family_name"], before["identity_change"]["asked"]["given_name"]) == ("Family", CANARY)
    assert "identity_change" not in (await edge.get(path, "protection")).json()
    assert CANARY not in (await edge.get("/persons")).text
    assert CANARY not in str(await edge.store.load("persons", person))

    confirmed = await edge.post(f"{path}/confirm-identity-change", "officer", SEEN, subject="b", key="c")
    assert confirmed.json()["identity_change"] == {"outcome": "confirmed", "reason": "document_seen"}
    again = await edge.post(f"{path}/confirm-identity-change", "officer", SEEN, subject="b", key="c")
    assert (again.status_code, again.headers["etag"]) == (200, confirmed.headers["etag"])
    await edge.quiet()
    seen, mine = await told(edge, expert)
    assert (seen["identity_change_pending"], mine["given_name"]) == (False, CANARY)
    # What was decided was decided on another document.
    assert (seen["state"], seen["reason"]) == ("screening", "identity_changed")
    # A name is one whole: half of the older one is nobody's.
    assert "family_name" not in mine
    assert (mine["profile"][-1]["attributes"]["birth_year"], mine["born"]) == (1970, {**CHANGE["born"], "about": False})
    assert "given_name" not in (await edge.get(path)).json()
    thin = ["ProfileChanged", "IdentityChangeRequested", "IdentityChangeConfirmed", "ProfileChanged"]
    assert await events(edge) == thin
    # The number is this person's now: nobody else registers with it.
    stranger = await edge.post("/experts", "expert", registration(document=PASSPORT), subject="stranger")
    assert (await decided(edge, stranger.json(), role="expert", subject="stranger"))["status"] == "accepted"
    assert (await edge.get(f"/experts/{stranger.json()['subject']}")).json()["state"] == "identity_clash"
    late = await edge.post(f"{path}/confirm-identity-change", "officer", SEEN, subject="b")
    assert (late.status_code, late.json()["rule"]) == (409, "identity_change_not_asked")


async def test_whoever_asks_for_the_person_does_not_decide_and_takes_no_number(edge: Serving) -> None:
    _, person = await eligible(edge)
    path = f"/persons/{person}"
    await edge.post(f"{path}/request-identity-change", "officer", CHANGE, subject="a")
    for verb, reason in (("confirm", "document_seen"), ("refuse", "not_proven")):
        own = await edge.post(f"{path}/{verb}-identity-change", "officer", {"reason": reason}, subject="a")
        assert (own.status_code, own.json()["rule"]) == (409, "four_eyes")
    stranger = await edge.post("/experts", "expert", registration(document=PASSPORT), subject="stranger")
    assert (await decided(edge, stranger.json(), role="expert", subject="stranger"))["status"] == "accepted"
    refused = await edge.post(
        f"{path}/refuse-identity-change", "officer", {"reason": "not_proven", "note": CANARY}, subject="b"
    )
    assert refused.json()["identity_change"] == {"outcome": "refused", "reason": "not_proven"}
    mine = (await edge.get(path, "expert", subject="me")).json()
    assert (mine["given_name"], [one["text"] for one in mine["notes"]]) == ("Given", [CANARY])
    # A note about a person is sealed under the person's key, and what was asked for is kept no longer.
    kept = await edge.store.load("persons", person)
    assert kept is not None
    assert CANARY not in str(kept)
    assert kept["private"]["sealed_identity_asked"] == ""
    assert (await events(edge, person))[-1] == "IdentityChangeRefused"


async def test_a_confirmation_that_was_cut_off_is_finished_when_it_comes_again(
    edge: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the number's hold and the person's save."""
    _, person = await eligible(edge)
    path = f"/persons/{person}"
    await edge.post(f"{path}/request-identity-change", "expert", CHANGE, subject="me")
    save, cut = edge.store.save, list[str]()

    async def fails(collection: str, document: Any, expected_version: int) -> None:
        if collection == "persons" and not cut:
            cut.append(document["_id"])
            raise Unavailable("the store")
        await save(collection, document, expected_version)

    monkeypatch.setattr(edge.store, "save", fails)
    first = await edge.post(f"{path}/confirm-identity-change", "officer", SEEN, subject="b", key="c")
    assert (first.status_code, cut) == (503, [person])
    again = await edge.post(f"{path}/confirm-identity-change", "officer", SEEN, subject="b", key="c")
    assert (again.status_code, again.json()["identity_change"]["outcome"]) == (200, "confirmed")
    assert (await edge.get(path, "expert", subject="me")).json()["given_name"] == CANARY


async def test_after_a_decision_the_year_of_birth_is_not_the_persons_own_to_correct(edge: Serving) -> None:
    expert = await registers(edge)
    path = f"/persons/{(await edge.get(f'/experts/{expert}')).json()['person']}"
    other = {"attributes": {**ATTRIBUTES, "birth_year": 1960}, "valid_from": "2007-03-05"}
    assert (await edge.post(f"{path}/correct-profile", "expert", other, subject="me")).status_code == 200
    await edge.post(f"/experts/{expert}/screen", "officer")
    back = {**other, "attributes": ATTRIBUTES}
    refused = await edge.post(f"{path}/correct-profile", "expert", back, subject="me")
    assert (refused.status_code, refused.json()["rule"]) == (409, "identity_change_needed")
    assert "request-identity-change" in refused.json()["detail"]
    assert [row["pointer"] for row in refused.json()["errors"]] == ["/attributes/birth_year"]
    rest = {"attributes": {**other["attributes"], "experience_years": 20}, "valid_from": "2008-01-01"}
    assert (await edge.post(f"{path}/correct-profile", "expert", rest, subject="me")).status_code == 200
    # On each day from which something was known the confirmed year stands.
    await edge.post(
        f"{path}/request-identity-change", "expert", {"birth_year": 1971, "reason": "mistaken_entry"}, subject="me"
    )
    await edge.post(f"{path}/confirm-identity-change", "officer", SEEN)
    profile = (await edge.get(path)).json()["profile"]
    latest = {one["valid_from"]: one["attributes"] for one in profile}
    assert {day: known["birth_year"] for day, known in latest.items()} == {"2007-03-05": 1971, "2008-01-01": 1971}
    assert latest["2008-01-01"]["experience_years"] == 20


@pytest.mark.parametrize(
    ("body", "status", "rule", "pointer"),
    [
        ({"reason": "marriage"}, 422, "identity_missing", ""),
        ({"given_name": "Other"}, 422, "required", "/reason"),
        ({"given_name": "Other", "reason": "rain"}, 422, "code_not_listed", "/reason"),
        ({"given_name": "x" * 121, "reason": "marriage"}, 422, "string_too_long", "/given_name"),
        ({"birth_year": 1999, "reason": "mistaken_entry"}, 422, "experience_beyond_a_life", "/birth_year"),
        (
            {"document": {**PASSPORT, "number": "--"}, "reason": "new_document"},
            422,
            "no_letter_or_digit",
            "/document/number",
        ),
        ({"born": {"year": 1999}, "reason": "mistaken_entry"}, 422, "experience_beyond_a_life", "/born/year"),
        (
            {"born": {"year": 1970}, "birth_year": 1969, "reason": "mistaken_entry"},
            422,
            "birth_year_differs",
            "/birth_year",
        ),
        ({"birth_year": 1971, "reason": "mistaken_entry"}, 409, "identity_unchanged", None),
        ({"given_name": "Given", "family_name": "Family", "reason": "marriage"}, 409, "identity_unchanged", None),
    ],
)
async def test_a_change_of_identity_says_what_and_why(
    edge: Serving, body: dict[str, Any], status: int, rule: str, pointer: str | None
) -> None:
    _, person = await eligible(edge)
    answer = await edge.post(f"/persons/{person}/request-identity-change", "expert", body, subject="me")
    found = answer.json()
    assert (answer.status_code, found.get("rule") if pointer is None else found["errors"][0]["rule"]) == (status, rule)
    if pointer is not None:
        assert [row["pointer"] for row in found["errors"]] == [pointer]


async def test_what_is_provided_for_one_case_does_not_change_the_year_that_another_was_decided_on(
    edge: Serving,
) -> None:
    await eligible(edge)
    second = await registers(edge, programme=SECOND, document=None)
    path = f"/experts/{second}"
    await edge.post(f"{path}/request-info", "officer", {"items": ["birth_year"]})
    provided = {"attributes": {**ATTRIBUTES, "birth_year": 1960}, "valid_from": "2007-03-05"}
    refused = await edge.post(f"{path}/provide-info", "expert", provided, subject="me")
    assert (refused.status_code, refused.json()["rule"]) == (409, "identity_change_needed")
    assert (await edge.get(path)).json()["state"] == "needs_info"
    same = {**provided, "attributes": {**ATTRIBUTES, "experience_years": 13}}
    assert (await edge.post(f"{path}/provide-info", "expert", same, subject="me")).json()["state"] == "screening"
