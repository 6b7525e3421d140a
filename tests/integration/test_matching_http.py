"""Matching through its public edge: requests, applications, shortlists, seats, offers, rights."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.matching.app import build
from services.matching.domain.assignments import DRAFT
from services.matching.store import ASSIGNMENTS, COLLECTIONS, POOLS, SHADOWS
from shared.clock import derived_id, text_of
from shared.contracts.matching.matches import MatchParties
from shared.contracts.placement.placements import PlacementContracted, PlacementOpened, TravelStarted
from shared.contracts.registration.institutions import InstitutionActivated, InstitutionPutOnHold
from shared.errors import Unavailable
from shared.identity.keys import verify_receipt
from shared.intake.receipts import signed_bytes
from shared.replica import stored
from shared.web.callers import guarded_routes
from tests.unit.matching.facts import CODE, DEFINITION, HOST, LONG_AGO, OFFICE, Others, expert_id, person_id, terms
from tests.unit.registration.serving import Serving

NAMES = ("anna", "bela", "cora")


@pytest.fixture
async def edge() -> AsyncIterator[Serving]:
    async with Serving("matching", stored(COLLECTIONS, SHADOWS), build) as serving:
        yield serving


@pytest.fixture
async def told(edge: Serving) -> Serving:
    """What registration would have told: a programme, an active host, three experts, anna signed in."""
    others = Others(edge.log)
    await others.programme()
    await others.host()
    for place, name in enumerate(NAMES):
        account = edge.account("anna") if name == "anna" else None
        await others.expert(name, account, experience_years=12 - place)
    await edge.follows(CODE)
    await edge.quiet()
    return edge


def draft(**changes: Any) -> dict[str, Any]:
    """A draft of the host's; dotted names reach inside `terms`."""
    body = copy.deepcopy(DRAFT) | {"programme": CODE, "office": OFFICE}
    body["terms"]["institution"] = HOST
    for name, value in changes.items():
        (body["terms"] if name in body["terms"] or name == "surplus" else body)[name] = value
    return body


def rule(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["rule"]


async def published(edge: Serving, **changes: Any) -> str:
    answer = await edge.post("/assignments", "officer", draft(**changes), subject="one")
    assert answer.status_code == 201, answer.text
    id = str(answer.json()["id"])
    for verb, subject in (("submit", "one"), ("approve", "two"), ("publish", "one")):
        answer = await edge.post(f"/assignments/{id}/{verb}", "officer", subject=subject)
        assert answer.status_code == 200, answer.text
    return id


async def applied(edge: Serving, assignment: str, name: str, **how: Any) -> dict[str, Any]:
    role = how.pop("role", "officer")
    answer = await edge.post(f"/assignments/{assignment}/applications", role, {"expert": expert_id(name)}, **how)
    assert answer.status_code == 202, answer.text
    receipt: dict[str, Any] = answer.json()

    async def decided() -> bool:
        found = await edge.get(f"/receipts/{receipt['id']}", role, **how)
        assert found.status_code == 200, found.text
        receipt.update(found.json())
        return bool(receipt["status"] != "pending")

    await edge.eventually(decided)
    return receipt


async def shortlisted(edge: Serving, **changes: Any) -> tuple[str, list[str]]:
    """The assignment and its matches by rank."""
    assignment = await published(edge, **changes)
    body = {"experts": [expert_id(name) for name in NAMES]}
    answer = await edge.post(f"/assignments/{assignment}/shortlist", "officer", body)
    assert answer.status_code == 200, answer.text
    return assignment, answer.json()["shortlist"]


async def state(edge: Serving, match: str, wanted: str) -> dict[str, Any]:
    found: dict[str, Any] = {}

    async def reached() -> bool:
        found.update((await edge.get(f"/matches/{match}")).json())
        return bool(found["state"] == wanted)

    await edge.eventually(reached)
    return found


async def test_from_the_draft_to_the_accepted_offer(told: Serving) -> None:
    assignment = await published(told)
    receipt = await applied(told, assignment, "anna")
    assert (receipt["status"], receipt["subject"]) == ("accepted", derived_id(assignment, expert_id("anna")))
    answer = await told.post(
        f"/assignments/{assignment}/shortlist", "officer", {"experts": [expert_id("bela"), expert_id("cora")]}
    )
    assert answer.json()["state"] == "matching"
    matches = answer.json()["shortlist"]
    first = (await told.get(f"/matches/{matches[0]}")).json()
    assert (first["expert"], first["state"], first["rank"]) == (expert_id("anna"), "shortlisted", 1)
    assert first["score"] == sum(one["points"] for one in first["components"])
    listed = (await told.get(f"/assignments/{assignment}/shortlist")).json()["items"]
    assert [one["rank"] for one in listed] == [1, 2, 3]
    allocated = await told.post(f"/matches/{matches[0]}/allocate", "officer")
    assert allocated.json()["state"] == "allocated"
    offered = await told.post(f"/matches/{matches[0]}/offer", "officer")
    assert offered.json()["expires_at"] > text_of(told.clock.now() + timedelta(days=13))
    accepted = await told.post(f"/matches/{matches[0]}/accept", "expert", subject="anna")
    assert accepted.json()["state"] == "accepted"
    assert "rank" not in accepted.json()
    assert (await state(told, matches[1], "reserve"))["position"] == 1
    await told.quiet()
    final = (await told.get(f"/assignments/{assignment}")).json()
    assert (final["state"], final["seats"]) == ("filled", {"total": 1, "held": 1})


async def test_a_decline_brings_the_reserve(told: Serving) -> None:
    _, matches = await shortlisted(told)
    await told.post(f"/matches/{matches[0]}/allocate", "officer")
    await told.post(f"/matches/{matches[0]}/offer", "officer")
    answer = await told.post(f"/matches/{matches[0]}/decline", "officer", {"reason": "family"})
    assert answer.json()["state"] == "declined"
    await state(told, matches[1], "allocated")
    again = await told.post(f"/matches/{matches[1]}/allocate", "officer")
    assert again.status_code == 200
    assert rule(await told.post(f"/matches/{matches[2]}/allocate", "officer")) == (409, "seats_full")
    retracted = await told.post(f"/matches/{matches[1]}/retract", "officer", {"reason": "no_answer"})
    assert retracted.json()["state"] == "retracted"
    await state(told, matches[2], "allocated")


async def test_twenty_at_once_get_one_seat(told: Serving) -> None:
    _, matches = await shortlisted(told)
    calls = [told.post(f"/matches/{matches[n % 3]}/allocate", "officer") for n in range(20)]
    answers = await asyncio.gather(*calls)
    assert {answer.status_code for answer in answers} == {200, 409}
    assert {answer.json()["rule"] for answer in answers if answer.status_code == 409} == {"seats_full"}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 200}) == 1


async def test_four_eyes_on_the_approval(told: Serving) -> None:
    id = (await told.post("/assignments", "officer", draft(), subject="one")).json()["id"]
    assert rule(await told.post(f"/assignments/{id}/approve", "officer", subject="two")) == (409, "illegal_transition")
    await told.post(f"/assignments/{id}/submit", "officer", subject="one")
    assert rule(await told.post(f"/assignments/{id}/approve", "officer", subject="one")) == (409, "four_eyes")
    edits = {"items": ["seats"]}
    asked = await told.post(f"/assignments/{id}/request-edits", "officer", edits, subject="two")
    assert (asked.json()["state"], asked.json()["items"]) == ("edits_requested", ["seats"])
    body = {"terms": draft(seats=2)["terms"]}
    revised = await told.post(f"/assignments/{id}/revise", "officer", body, subject="reviser")
    assert (revised.json()["terms"]["seats"], revised.json()["title"]) == (2, DRAFT["title"])
    await told.post(f"/assignments/{id}/submit", "officer", subject="two")
    # Whoever wrote any of it does not approve it: who drafted, who revised, who submitted.
    for wrote in ("one", "two", "reviser"):
        assert rule(await told.post(f"/assignments/{id}/approve", "officer", subject=wrote)) == (409, "four_eyes")
    approved = await told.post(f"/assignments/{id}/approve", "officer", subject="three")
    assert approved.json()["state"] == "approved"
    cancelled = await told.post(f"/assignments/{id}/cancel", "officer", {"reason": "no_funds"})
    assert (cancelled.json()["state"], cancelled.json()["reason"]) == ("cancelled", "no_funds")


async def test_a_rejected_request_stays_rejected(told: Serving) -> None:
    id = (await told.post("/assignments", "officer", draft())).json()["id"]
    await told.post(f"/assignments/{id}/submit", "officer")
    answer = await told.post(f"/assignments/{id}/reject", "officer", {"reason": "outside_priorities"})
    assert answer.json()["state"] == "rejected"
    assert rule(await told.post(f"/assignments/{id}/publish", "officer")) == (409, "illegal_transition")


async def test_a_host_writes_for_its_own_institution_alone(told: Serving) -> None:
    mine = await told.post("/assignments", "host", draft(), subject="host")
    assert rule(mine) == (403, "not_yours")
    others = Others(told.log)
    from shared.contracts.registration.institutions import InstitutionActivated, InstitutionRegistered
    from tests.unit.matching.facts import LONG_AGO

    own = derived_id("own host")
    registered = InstitutionRegistered(
        happened_at=LONG_AGO,
        account=told.account("host"),
        office=OFFICE,
        country="AF",
        sector="education",
        host_type="public",
    )
    await others.tell(own, registered, InstitutionActivated(happened_at=LONG_AGO))
    await told.quiet()
    answer = await told.post("/assignments", "host", draft(institution=own), subject="host")
    assert answer.status_code == 201, answer.text
    id = answer.json()["id"]
    assert (await told.post(f"/assignments/{id}/submit", "host", subject="host")).status_code == 200
    assert rule(await told.post(f"/assignments/{id}/approve", "host", subject="host")) == (403, "role_may_not")
    assert (await told.get(f"/assignments/{id}", "host", subject="another")).status_code == 404
    assert [one["id"] for one in (await told.get("/assignments", "host", subject="host")).json()["items"]] == [id]
    sent = {"items": ["languages"], "note": "Which language do the nurses speak?"}
    assert (await told.post(f"/assignments/{id}/request-edits", "officer", sent)).status_code == 200
    (note,) = (await told.get(f"/assignments/{id}", "host", subject="host")).json()["notes"]
    assert (note["verb"], note["text"]) == ("request-edits", sent["note"])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"institution": derived_id("unknown")}, (409, "institution_unknown")),
        ({"sector": "mining"}, (422, "terms_do_not_fit")),
        ({"programme": "nowhere-1"}, (404, "programme_unknown")),
        ({"office": "tbilisi"}, (403, "not_yours")),
        ({"title": ""}, (422, "invalid")),
        ({"title": "x" * 201}, (422, "invalid")),
        ({"title": "Training\u0007"}, (422, "invalid")),
        ({"description": "  "}, (422, "invalid")),
        ({"description": "Trains.\u0007"}, (422, "invalid")),
        ({"description": "Trains.\u0000"}, (422, "character_not_allowed")),
        ({"surplus": 1}, (422, "invalid")),
        ({"seats": "1"}, (422, "invalid")),
        ({"status": "approved"}, (422, "invalid")),
        ({"starts_on": "yesterday"}, (422, "invalid")),
        ({"institution": {"$ne": None}}, (422, "key_not_allowed")),
        ({"happened_at": "2007-03-05T09:00:00"}, (422, "invalid")),
    ],
)
async def test_a_draft_that_cannot_be(told: Serving, changes: dict[str, Any], expected: tuple[int, str]) -> None:
    answer = await told.post("/assignments", "officer", draft(**changes))
    assert rule(answer) == expected
    assert all(row["pointer"].startswith("/") for row in answer.json()["errors"] if expected[0] == 422)
    assert "mining" not in answer.text
    assert (await told.get("/assignments")).json() == {"items": [], "next": None, "total": {"number": 0, "more": False}}


async def test_an_institution_on_hold_cannot_ask(told: Serving) -> None:
    others = Others(told.log)
    await others.host(derived_id("new"), active=False)
    await told.quiet()
    answer = await told.post("/assignments", "officer", draft(institution=derived_id("new")))
    assert rule(answer) == (409, "institution_not_active")


async def test_an_institution_that_is_put_on_hold_is_sent_nobody(told: Serving) -> None:
    others = Others(told.log)
    for name in ("new", "newer"):
        await others.host(derived_id(name))
    await told.quiet()
    open_one, (first, second, _) = await shortlisted(told, institution=derived_id("new"), seats=2)
    assert (await told.post(f"/matches/{first}/allocate", "officer")).status_code == 200
    drafted = (await told.post("/assignments", "officer", draft(institution=derived_id("new")))).json()["id"]
    other = await published(told, institution=derived_id("newer"))
    application = {"expert": expert_id("anna")}
    await others.tell(derived_id("new"), InstitutionPutOnHold(happened_at=LONG_AGO, reason="relocating"))
    await told.quiet()
    for path, body in (
        (f"/assignments/{drafted}/submit", {}),
        (f"/assignments/{open_one}/shortlist", {"override_reason": "urgent"}),
        (f"/assignments/{open_one}/applications", application),
        (f"/matches/{first}/offer", {}),
        (f"/matches/{second}/allocate", {}),
    ):
        assert rule(await told.post(path, "officer", body)) == (409, "institution_not_active"), path
    path = f"/assignments/{open_one}/applications"
    assert rule(await told.post(path, "expert", application, subject="anna")) == (409, "institution_not_active")
    for role, subject in (("officer", "one"), ("expert", "anna")):
        listed = (await told.get("/vacancies", role, subject=subject)).json()["items"]
        assert [one["id"] for one in listed] == [other]
        assert (await told.get(f"/vacancies/{open_one}", role, subject=subject)).status_code == 404
    await others.tell(derived_id("new"), InstitutionActivated(happened_at=LONG_AGO))
    await told.quiet()
    assert len((await told.get("/vacancies", "officer")).json()["items"]) == 2
    assert (await told.post(f"/matches/{first}/offer", "officer")).status_code == 200


async def test_idempotency_and_versions(told: Serving) -> None:
    first = await told.post("/assignments", "officer", draft(), key="k1")
    again = await told.post("/assignments", "officer", draft(), key="k1")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    other = await told.post("/assignments", "officer", draft(seats=2), key="k1")
    assert rule(other) == (422, "idempotency_key_reused")
    id = first.json()["id"]
    assert first.headers["etag"] == '"1"'
    stale = await told.post(f"/assignments/{id}/submit", "officer", if_match='"7"')
    assert rule(stale) == (412, "version_is_another")
    done = await told.post(f"/assignments/{id}/submit", "officer", key="k2", if_match='"1"')
    assert (done.status_code, done.headers["etag"]) == (200, '"2"')
    repeated = await told.post(f"/assignments/{id}/submit", "officer", key="k2", if_match='"1"')
    assert (repeated.status_code, repeated.json()) == (200, done.json())


async def test_versions_of_what_touches_more_than_one_document(told: Serving) -> None:
    assignment, matches = await shortlisted(told)
    await told.quiet()
    match = matches[0]
    assert rule(await told.post(f"/matches/{match}/allocate", "officer", if_match='"99"')) == (
        412,
        "version_is_another",
    )
    done = await told.post(f"/matches/{match}/allocate", "officer", key="a")
    assert (await told.post(f"/matches/{match}/allocate", "officer", key="a", if_match='"1"')).json() == done.json()
    late = {"override_reason": "few_candidates"}
    stale = await told.post(f"/assignments/{assignment}/shortlist", "officer", late, if_match='"1"')
    assert rule(stale) == (412, "version_is_another")
    body = {"experts": [expert_id(name) for name in NAMES]}
    other = await published(told)
    one = await told.post(f"/assignments/{other}/shortlist", "officer", body, key="s")
    two = await told.post(f"/assignments/{other}/shortlist", "officer", body, key="s")
    assert (one.status_code, two.status_code) == (200, 200)
    assert two.json()["round"] == 1
    assert (await told.post(f"/assignments/{other}/shortlist", "officer", {}, key="s")).status_code == 422


async def test_receipts_of_applications(told: Serving) -> None:
    assignment = await published(told)
    path = f"/assignments/{assignment}/applications"
    first = await told.post(path, "officer", {"expert": expert_id("anna")}, key="k")
    again = await told.post(path, "officer", {"expert": expert_id("anna")}, key="k")
    assert first.status_code == again.status_code == 202
    assert first.json() == again.json()
    other = await told.post(path, "officer", {"expert": expert_id("bela")}, key="k")
    assert rule(other) == (422, "idempotency_key_reused")
    receipt = first.json()
    keys = told.keys.receipt_public_keys("matching")
    assert verify_receipt(keys, receipt["key_id"], signed_bytes(receipt), receipt["signature"])
    twice = await applied(told, assignment, "anna")
    assert (twice["status"], twice["problems"]) == ("refused", [{"pointer": "", "rule": "already_matched"}])
    await told.post(f"/assignments/{assignment}/cancel", "officer", {"reason": "no_funds"})
    repeated = await told.post(path, "officer", {"expert": expert_id("anna")}, key="k")
    assert (repeated.status_code, repeated.json()) == (202, receipt)
    assert rule(await told.post(path, "officer", {"expert": expert_id("bela")})) == (409, "assignment_not_open")


async def test_an_expert_applies_for_himself_alone(told: Serving) -> None:
    assignment = await published(told)
    mine = await applied(told, assignment, "anna", role="expert", subject="anna")
    assert mine["status"] == "accepted"
    path = f"/assignments/{assignment}/applications"
    assert rule(await told.post(path, "expert", {"expert": expert_id("bela")}, subject="anna")) == (404, "not_found")
    assert (await told.get(f"/receipts/{mine['id']}", "expert", subject="bela")).status_code == 404
    assert rule(await told.post(path, "officer", {"expert": expert_id("bela")}, office="tbilisi")) == (
        404,
        "not_found",
    )
    match = mine["subject"]
    seen = await told.get(f"/matches/{match}", "expert", subject="anna")
    assert seen.json()["state"] == "longlisted"
    assert (await told.get(f"/matches/{match}", "expert", subject="bela")).status_code == 404
    assert [one["id"] for one in (await told.get("/matches", "expert", subject="anna")).json()["items"]] == [match]
    assert rule(await told.post(f"/matches/{match}/allocate", "expert", subject="anna")) == (403, "role_may_not")
    unpublished = (await told.post("/assignments", "officer", draft())).json()["id"]
    hidden = await told.post(
        f"/assignments/{unpublished}/applications", "expert", {"expert": expert_id("anna")}, subject="anna"
    )
    assert rule(hidden) == (404, "not_found")


async def test_who_registers_himself_is_known_before_it_was_heard_of(told: Serving) -> None:
    assignment = await published(told)
    person = derived_id("account-person", told.account("newcomer"))
    body = {"expert": derived_id(person, CODE)}
    answer = await told.post(f"/assignments/{assignment}/applications", "expert", body, subject="newcomer")
    assert answer.status_code == 202
    status = await told.get(f"/receipts/{answer.json()['id']}", "expert", subject="newcomer")
    assert status.json()["status"] == "pending"


async def test_another_offices_cases_are_not_there(told: Serving) -> None:
    assignment, matches = await shortlisted(told)
    for path in (f"/assignments/{assignment}", f"/matches/{matches[0]}", f"/assignments/{assignment}/shortlist"):
        assert (await told.get(path, office="tbilisi")).status_code == 404
        assert (await told.get(path, "evaluator")).status_code == 403
    for path in (f"/assignments/{assignment}/cancel", f"/matches/{matches[0]}/retract"):
        answer = await told.post(path, "officer", {"reason": "no_funds"}, office="tbilisi")
        assert rule(answer) == (404, "not_found")
    assert (await told.get("/matches", office="tbilisi")).json()["items"] == []
    assert len((await told.get("/matches")).json()["items"]) == 3
    assert (await told.client.get("/v1/matches")).status_code == 401


async def test_an_officer_learns_nothing_of_experts_of_another_office(told: Serving) -> None:
    account = told.account("dora")
    await Others(told.log).expert("dora", account, office="tbilisi", education=0)
    await told.quiet()
    assignment = await published(told)
    refused = await told.post(f"/assignments/{assignment}/applications", "officer", {"expert": expert_id("dora")})
    problems = [{"pointer": "/expert", "rule": "not_found"}]
    assert (*rule(refused), refused.json()["errors"]) == (404, "not_found", problems)
    for unknown in ("dora", "nobody"):
        body = {"experts": [expert_id("anna"), expert_id(unknown)], "override_reason": "few_candidates"}
        answer = await told.post(f"/assignments/{assignment}/shortlist", "officer", body)
        assert (*rule(answer), answer.json()["errors"][0]["pointer"]) == (409, "expert_unknown", "/experts/1")
    assert (await told.get("/matches")).json()["items"] == []
    hers = await applied(told, assignment, "dora", role="expert", subject="dora")
    assert hers["status"] == "accepted"


async def test_an_application_that_was_filed_before_the_office_was_known_is_refused(told: Serving) -> None:
    assignment = await published(told)
    answer = await told.post(f"/assignments/{assignment}/applications", "officer", {"expert": expert_id("dora")})
    assert (answer.status_code, answer.json()["subject"]) == (202, derived_id(assignment, expert_id("dora")))
    await Others(told.log).expert("dora", office="tbilisi")

    async def refused() -> bool:
        receipt = (await told.get(f"/receipts/{answer.json()['id']}")).json()
        return receipt["status"] == "refused" and receipt["problems"] == [{"pointer": "/expert", "rule": "not_found"}]

    await told.eventually(refused)
    assert (await told.get("/matches")).json()["items"] == []


async def test_who_never_consented_is_neither_sourced_nor_taken_as_an_applicant(told: Serving) -> None:
    """A roster may hold people who only want to be told of sessions; nobody proposes them to a host."""
    others = Others(told.log)
    await others.expert("dora", told.account("dora"), consents=False)
    await others.consents("dora", "outreach")
    await told.quiet()
    assignment = await published(told)
    path = f"/assignments/{assignment}/applications"
    for role in ("expert", "officer"):
        answer = await told.post(path, role, {"expert": expert_id("dora")}, subject="dora")
        assert (*rule(answer), answer.json()["errors"][0]["pointer"]) == (409, "no_consent", "/expert")
    body = {"experts": [expert_id("dora")], "override_reason": "few_candidates"}
    answer = await told.post(f"/assignments/{assignment}/shortlist", "officer", body)
    assert (*rule(answer), answer.json()["errors"][0]["pointer"]) == (409, "no_consent", "/experts/0")
    await others.consents("dora")
    await told.quiet()
    assert (await applied(told, assignment, "dora", role="expert", subject="dora"))["status"] == "accepted"


async def test_vacancies_are_for_everybody_who_may_apply(told: Serving) -> None:
    await told.post("/assignments", "officer", draft())
    assignment = await published(told)
    listed = (await told.get("/vacancies", "expert")).json()["items"]
    assert [one["id"] for one in listed] == [assignment]
    assert listed[0]["title"] == DRAFT["title"]
    assert "shortlist" not in listed[0]
    assert (await told.get(f"/vacancies/{assignment}", "expert")).json() == listed[0]
    await told.post(f"/assignments/{assignment}/cancel", "officer", {"reason": "no_funds"})
    assert (await told.get(f"/vacancies/{assignment}", "expert")).status_code == 404
    assert (await told.get("/vacancies", "expert")).json()["items"] == []


async def test_late_records_need_the_right_and_an_order(told: Serving) -> None:
    then, before = "2026-03-05T09:00:00Z", "2026-03-04T09:00:00Z"
    refused = await told.post("/assignments", "host", draft(happened_at=then), subject="host")
    assert refused.status_code == 403
    answer = await told.post("/assignments", "officer", draft(happened_at=then))
    id = answer.json()["id"]
    earlier = await told.post(f"/assignments/{id}/submit", "officer", {"happened_at": before})
    assert rule(earlier) == (409, "happened_before_last")
    future = text_of(told.clock.now() + timedelta(hours=1))
    assert (await told.post(f"/assignments/{id}/submit", "officer", {"happened_at": future})).status_code == 422


async def test_bounds_of_a_shortlist_and_unknown_experts(told: Serving) -> None:
    assignment = await published(told)
    path = f"/assignments/{assignment}/shortlist"
    assert rule(await told.post(path, "officer", {})) == (409, "shortlist_too_short")
    unknown = await told.post(path, "officer", {"experts": [derived_id("nobody")]})
    (error,) = unknown.json()["errors"]
    assert (unknown.status_code, error["pointer"], error["rule"]) == (409, "/experts/0", "expert_unknown")
    assert "a registered expert" in error["detail"]
    twice = await told.post(path, "officer", {"experts": [expert_id("anna")] * 2, "override_reason": "urgent"})
    (error,) = twice.json()["errors"]
    assert (twice.status_code, error["pointer"], error["rule"]) == (422, "/experts", "value_repeated")
    some = {"experts": [expert_id("anna")], "override_reason": "single_candidate"}
    answer = await told.post(path, "officer", some)
    assert (answer.status_code, len(answer.json()["shortlist"])) == (200, 1)
    assert answer.json()["override_reason"] == "single_candidate"
    assert rule(await told.post(path, "officer", {"experts": ["nobody"]})) == (422, "invalid")


async def test_an_expired_offer_cannot_be_accepted(told: Serving) -> None:
    _, matches = await shortlisted(told)
    await told.post(f"/matches/{matches[0]}/allocate", "officer")
    await told.post(f"/matches/{matches[0]}/offer", "officer")
    told.clock.ahead = timedelta(days=15)
    answer = await told.post(f"/matches/{matches[0]}/accept", "officer")
    assert rule(answer) == (409, "offer_expired")


@pytest.fixture
def cut_off(told: Serving, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Any], Awaitable[None]]:
    """A request whose process dies after the match was saved and before the guards are asked to confirm it."""

    async def crash(*_: Any) -> None:
        raise Unavailable("store")

    async def cut(path: str, body: Any = None) -> None:
        with monkeypatch.context() as broken:
            broken.setattr(told.service.works.promises, "settle", crash)
            answer = await told.post(path, "officer", body, key=path)
        assert answer.status_code == 503

    return cut


async def holds(edge: Serving, collection: str, id: str) -> list[str]:
    document = await edge.service.ports.store.load(collection, id)
    return [hold["status"] for hold in document["holds"].values()]


async def backlog(edge: Serving) -> tuple[int, bool, bool]:
    found = (await edge.client.get("/health/backlog")).json()
    return found["unconfirmed"], found["caught_up"], found["quiet"]


async def test_what_a_crash_left_held_is_not_quiet_before_its_timer_decided_it(told: Serving, cut_off: Any) -> None:
    assignment = await published(told)
    some = {"experts": [expert_id("anna")], "override_reason": "single_candidate"}
    (match,) = (await told.post(f"/assignments/{assignment}/shortlist", "officer", some)).json()["shortlist"]
    await told.quiet()
    await cut_off(f"/matches/{match}/allocate")
    assert await holds(told, ASSIGNMENTS.name, assignment) == ["held"]

    async def caught_up() -> bool:
        return (await backlog(told))[1]

    await told.eventually(caught_up)
    assert await backlog(told) == (1, True, False)
    told.clock.ahead = timedelta(seconds=61)
    await told.quiet()
    assert await backlog(told) == (0, True, True)
    assert await holds(told, ASSIGNMENTS.name, assignment) == ["confirmed"]


async def test_a_repeated_request_confirms_what_its_first_try_left_held(told: Serving, cut_off: Any) -> None:
    assignment = await published(told)
    path, body = (
        f"/assignments/{assignment}/shortlist",
        {"experts": [expert_id("anna")], "override_reason": "single_candidate"},
    )
    await cut_off(path, body)
    answer = await told.post(path, "officer", body, key=path)
    assert answer.status_code == 200
    (match,) = answer.json()["shortlist"]
    # What was decided is finished by its event, whoever asks again.
    await state(told, match, "shortlisted")
    assert await holds(told, POOLS.name, person_id("anna")) == ["confirmed"]
    await cut_off(f"/matches/{match}/allocate")
    assert await holds(told, ASSIGNMENTS.name, assignment) == ["held"]
    answer = await told.post(f"/matches/{match}/allocate", "officer", key=f"/matches/{match}/allocate")
    assert (answer.status_code, answer.json()["state"]) == (200, "allocated")
    assert await holds(told, ASSIGNMENTS.name, assignment) == ["confirmed"]


async def test_every_route_has_its_row_and_every_post_an_accepted_example(told: Serving) -> None:
    app = told.service.app
    assert [route for route in guarded_routes(app) if not route.declared] == []
    document = (await told.client.get("/openapi.json")).json()
    posts = [path["post"] for path in document["paths"].values() if "post" in path]
    assert len(posts) >= 15
    assert all(post["requestBody"]["content"]["application/json"] for post in posts)
    assert (await told.client.get("/health/ready")).json()["status"] == "ready"
    await told.quiet()
    assert (await told.client.get("/health/backlog")).json()["quiet"] is True


async def test_a_match_shows_its_placement_as_placement_told_it_last(told: Serving) -> None:
    _, (match, *_) = await shortlisted(told)
    assert (await told.get(f"/matches/{match}")).json()["placement"] is None
    stored = await told.store.load("matches", match)
    assert stored
    parties, id = MatchParties.model_validate(stored["state"]["parties"]), derived_id(match, "placement")
    others = Others(told.log)
    days = {"starts_on": date(2027, 5, 1), "ends_on": date(2027, 8, 1)}
    for event, reached in (
        (PlacementOpened(happened_at=LONG_AGO, match=match, parties=parties, terms=terms()), "host_confirmed"),
        (PlacementContracted(happened_at=LONG_AGO, **days), "contracted"),
        (TravelStarted(happened_at=LONG_AGO), "travelling"),
    ):
        await others.tell(id, event)
        await told.quiet()
        assert (await told.get(f"/matches/{match}")).json()["placement"] == {"id": id, "state": reached}


async def test_terms_are_refused_at_the_type_of_host_that_the_institution_is_not(told: Serving) -> None:
    answer = await told.post("/assignments", "officer", draft(host_type="private"))
    assert (answer.status_code, [one["pointer"] for one in answer.json()["errors"]]) == (422, ["/terms/host_type"])


async def test_nobody_applies_for_work_that_is_over_but_who_records_late_may(told: Serving) -> None:
    assignment = await published(told)
    told.clock.ahead = datetime(2027, 9, 1, tzinfo=UTC) - told.clock.now()
    path, body = f"/assignments/{assignment}/applications", {"expert": expert_id("bela")}
    over = await told.post(path, "officer", body)
    assert rule(over) == (409, "work_is_over")
    assert "2027-08-01" in over.json()["detail"]
    assert (await told.post(path, "officer", body | {"happened_at": "2027-06-01T09:00:00Z"})).status_code == 202


async def test_vacancies_do_not_offer_what_is_over_and_say_where_the_caller_stands(told: Serving) -> None:
    assignment = await published(told)
    longer = await published(told, ends_on="2027-12-01")
    await applied(told, longer, "anna", role="expert", subject="anna")
    listed = (await told.get("/vacancies", "expert", subject="anna")).json()["items"]
    # In the order of their last days; where the caller stands is said of the caller's own matches alone.
    assert [(one["id"], one["standing"]) for one in listed] == [(assignment, None), (longer, "longlisted")]
    assert (await told.get(f"/vacancies/{longer}", "expert", subject="anna")).json()["standing"] == "longlisted"
    assert (await told.get(f"/vacancies/{longer}", "expert", subject="bela")).json()["standing"] is None
    told.clock.ahead = datetime(2027, 9, 1, tzinfo=UTC) - told.clock.now()
    listed = (await told.get("/vacancies", "host", subject="college")).json()["items"]
    assert [one["id"] for one in listed] == [longer]


async def test_no_terms_are_drafted_in_a_programme_that_is_over_but_by_who_records_late(edge: Serving) -> None:
    others, dates = Others(edge.log), {"starts": date(2006, 1, 1), "ends": date(2008, 7, 1)}
    await others.programme(DEFINITION.model_copy(update={"dates": DEFINITION.dates.model_copy(update=dates)}))
    await others.host()
    await edge.follows(CODE)
    await edge.quiet()
    body = draft(starts_on="2008-03-01", ends_on="2008-05-01")
    assert rule(await edge.post("/assignments", "officer", body)) == (409, "programme_is_over")
    late = {**body, "happened_at": "2008-01-15T09:00:00Z"}
    assert (await edge.post("/assignments", "officer", late)).status_code == 201
