"""Plain cases through placement's public edge: trainings and sites, opened by an office under a section."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.placement.app import build
from services.placement.store import COLLECTIONS, SHADOWS
from shared.clock import derived_id
from shared.replica import stored
from tests.unit.placement import arriving
from tests.unit.placement.arriving import DEFINITION, INSTITUTION, Arriving
from tests.unit.registration.serving import Serving

TRAINING = {
    "programme": "example-1",
    "office": "kabul",
    "title": "Planning of returns, for staff of ministries",
    "country": "AF",
    "sector": "education",
    "institution": INSTITUTION,
    "training_kind": "workshop",
    "training_topic": "planning",
    "starts_on": "2026-02-02",
    "ends_on": "2026-02-07",
}
SITE = {
    "programme": "example-1",
    "office": "kabul",
    "title": "The kahriz above the village school",
    "country": "AF",
    "sector": "education",
    "site_kind": "village",
}
GROUPS = [
    {"sex": "female", "category": "ministry", "institution": INSTITUTION, "persons": 20},
    {"sex": "male", "category": "ministry", "institution": INSTITUTION, "persons": 40},
]
HELD = {"sessions": 5, "participants": GROUPS}


def named(*codes: str) -> list[dict[str, Any]]:
    return [{"code": code, "name": {"en": code}} for code in codes]


def with_sections() -> dict[str, Any]:
    trainings = {"kinds": named("workshop"), "topics": named("planning"), "participants": named("ministry")}
    results = {"site_kinds": named("village"), "work_kinds": named("water_system"), "reached": ["families"]}
    return {**DEFINITION, "trainings": trainings, "results": results}


@pytest.fixture
async def edge() -> AsyncIterator[Serving]:
    async with Serving("placement", stored(COLLECTIONS, SHADOWS), build) as serving:
        await know(serving, with_sections())
        yield serving


async def know(edge: Serving, definition: dict[str, Any]) -> None:
    await Arriving(edge.log).append(arriving.definition(definition), *arriving.known(edge.account))
    await edge.quiet()
    await edge.follows("example-1")


async def done(edge: Serving, path: str, body: dict[str, Any] | None = None, **how: Any) -> dict[str, Any]:
    answer = await edge.post(path, "officer", body, **how)
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()
    return found


def broken(answer: httpx.Response) -> tuple[int, str, list[tuple[str, str]]]:
    problem = answer.json()
    return answer.status_code, problem["rule"], [(one["pointer"], one["rule"]) for one in problem["errors"]]


async def test_a_training_from_its_announcement_to_its_corrected_participants(edge: Serving) -> None:
    answer = await edge.post("/trainings", "officer", TRAINING)
    assert answer.status_code == 201
    path = answer.headers["location"].removeprefix("/placement/v1")
    training = answer.json()
    assert (training["state"], training["title"]) == ("announced", TRAINING["title"])
    assert training["open"] == ["reschedule", "hold", "cancel", "ask-transfer"]
    assert training["frame"]["programme_version"] == 1
    assert training["frame"]["time_zone"] == "Asia/Kabul"
    assert (await edge.get(path)).json() == training
    held = await done(edge, f"{path}/hold", HELD)
    assert (held["state"], held["open"], held["participants"]) == (
        "held",
        ["correct-participants", "correct-time", "take-back", "ask-transfer"],
        GROUPS,
    )
    corrected = {"participants": [{**GROUPS[0], "persons": 22}], "reason": "attendance_list"}
    assert (await done(edge, f"{path}/correct-participants", corrected))["correction"] == 1
    assert broken(await edge.post(f"{path}/cancel", "officer", {"reason": "trainer_ill"}))[:2] == (
        409,
        "illegal_transition",
    )
    await edge.quiet()
    records = await edge.topic("placement.trainings")
    types = [dict(record.headers)["ce_type"].decode().rsplit(".", 1)[1] for record in records]
    assert types == ["TrainingAnnounced", "TrainingHeld", "TrainingParticipantsCorrected"]
    assert {dict(record.headers)["ce_programme"] for record in records} == {b"example-1"}
    assert not any(str(TRAINING["title"]).encode() in record.value for record in records)


async def test_a_site_from_its_proposal_to_its_handing_over(edge: Serving) -> None:
    site = await done(edge, "/sites", SITE)
    path = f"/sites/{site['id']}"
    assert (site["state"], site["open"]) == ("proposed", ["assess", "drop", "ask-transfer"])
    await done(edge, f"{path}/assess")
    await done(edge, f"{path}/begin-works", {"work_kind": "water_system"})
    assert broken(await edge.post(f"{path}/hand-over", "officer"))[:2] == (409, "works_not_completed")
    refused = broken(await edge.post(f"{path}/complete-works", "officer", {"work": 1, "persons": 9}))
    assert refused == (
        422,
        "reach_stated_otherwise",
        [("/families", "required"), ("/persons", "not_in_programme")],
    )
    works = (await done(edge, f"{path}/complete-works", {"work": 1, "families": 64}))["works"]
    assert works == [{"work_kind": "water_system", "completed": True, "families": 64}]
    assert (await done(edge, f"{path}/hand-over"))["state"] == "handed_over"
    (entry,) = (await edge.get("/sites")).json()["items"]
    assert (entry["id"], entry["state"], entry["title"]) == (site["id"], "handed_over", SITE["title"])


async def test_a_programme_without_the_section_opens_no_such_case() -> None:
    async with Serving("placement", stored(COLLECTIONS, SHADOWS), build) as edge:
        await know(edge, DEFINITION)
        for path, body in (("/trainings", TRAINING), ("/sites", SITE)):
            answer = await edge.post(path, "officer", body)
            assert broken(answer) == (409, "not_in_programme", [("", "not_in_programme")])
            assert (await edge.get(path)).json()["items"] == []


@pytest.mark.parametrize(
    ("changed", "pointers"),
    [
        ({"training_kind": "course"}, ["/training_kind"]),
        ({"training_topic": "law"}, ["/training_topic"]),
        ({"country": "NL", "sector": "fishing"}, ["/country", "/sector"]),
    ],
)
async def test_codes_of_an_opening_are_the_programmes(
    edge: Serving, changed: dict[str, str], pointers: list[str]
) -> None:
    answer = await edge.post("/trainings", "officer", {**TRAINING, **changed})
    assert broken(answer) == (422, "code_not_listed", [(at, "code_not_listed") for at in pointers])


@pytest.mark.parametrize("unknown", [derived_id("another"), arriving.PERSON])
async def test_an_institution_that_nobody_told_of_is_refused(edge: Serving, unknown: str) -> None:
    answer = await edge.post("/trainings", "officer", {**TRAINING, "institution": unknown})
    assert broken(answer) == (409, "institution_unknown", [("/institution", "institution_unknown")])


async def test_what_a_later_verb_names_is_known_too(edge: Serving) -> None:
    training, site = await done(edge, "/trainings", TRAINING), await done(edge, "/sites", SITE)
    path, of_another = f"/trainings/{training['id']}/hold", {**GROUPS[1], "institution": derived_id("another")}
    answer = await edge.post(path, "officer", {"sessions": 1, "participants": [GROUPS[0], of_another]})
    places = [("/participants/1/institution", "institution_unknown")]
    assert broken(answer) == (409, "institution_unknown", places)
    guests = {**GROUPS[1], "category": "guests"}
    answer = await edge.post(path, "officer", {"sessions": 1, "participants": [GROUPS[0], guests]})
    assert broken(answer) == (422, "code_not_listed", [("/participants/1/category", "code_not_listed")])
    await done(edge, f"/sites/{site['id']}/assess")
    answer = await edge.post(f"/sites/{site['id']}/begin-works", "officer", {"work_kind": "bridge"})
    assert broken(answer) == (422, "code_not_listed", [("/work_kind", "code_not_listed")])


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"programme": "example-2"}, ("/programme", "programme_unknown")),
        ({"title": "two\u0000lines"}, ("/title", "character_not_allowed")),
        ({"title": ""}, ("/title", "string_too_short")),
        ({"colour": "blue"}, ("/colour", "unknown_field")),
        ({"ends_on": "2026-02-02"}, ("/ends_on", "dates_reversed")),
        ({"ends_on": "the end"}, ("/ends_on", "date_malformed")),
    ],
)
async def test_bad_input_is_refused_with_field_and_rule(
    edge: Serving, changed: dict[str, str], problem: tuple[str, str]
) -> None:
    status, _, problems = broken(await edge.post("/trainings", "officer", {**TRAINING, **changed}))
    assert (status, problems) == (422, [problem])


async def test_what_lies_outside_the_programme_says_why_or_is_refused(edge: Serving) -> None:
    """From 2026-01-01 until the day before 2028-07-01, on the office's calendar."""
    days = {"starts_on": "2999-02-02", "ends_on": "2999-02-07"}
    for said in ({}, {"override_reason": "no_such_reason"}):
        answer = await edge.post("/trainings", "officer", {**TRAINING, **days, **said})
        assert answer.status_code == 422
    answer = await edge.post("/trainings", "officer", {**TRAINING, **days})
    wrong = [("/starts_on", "dates_outside_programme"), ("/ends_on", "dates_outside_programme")]
    assert broken(answer) == (422, "dates_outside_programme", wrong)
    assert "2028-07-01" in answer.json()["errors"][0]["detail"]
    told = await done(edge, "/trainings", {**TRAINING, **days, "override_reason": "programme_extended"})
    assert told["override_reason"] == "programme_extended"
    moved = await edge.post(f"/trainings/{told['id']}/reschedule", "officer", {**days, "starts_on": "1900-01-01"})
    assert moved.status_code == 422
    within = {"starts_on": "2026-03-02", "ends_on": "2026-03-07"}
    assert (await done(edge, f"/trainings/{told['id']}/reschedule", within))["override_reason"] is None
    # A year before the programme is as far back as anything is recorded, whatever is said of it.
    too_long_ago = {**SITE, "happened_at": "1900-05-01T09:00:00Z", "override_reason": "begun_before"}
    refused = await edge.post("/sites", "officer", too_long_ago)
    assert broken(refused) == (422, "long_before_the_programme", [("/happened_at", "long_before_the_programme")])
    long_ago = {**SITE, "happened_at": "2025-05-01T09:00:00Z"}
    refused = await edge.post("/sites", "officer", long_ago)
    assert broken(refused) == (422, "dates_outside_programme", [("/happened_at", "dates_outside_programme")])
    site = await done(edge, "/sites", {**long_ago, "override_reason": "begun_before"})
    assert site["override_reason"] == "begun_before"
    early = {"work_kind": "water_system", "happened_at": "2025-08-01T09:00:00Z"}
    await done(edge, f"/sites/{site['id']}/assess", {"happened_at": "2025-06-01T09:00:00Z"})
    refused = await edge.post(f"/sites/{site['id']}/begin-works", "officer", early)
    assert broken(refused)[:2] == (422, "dates_outside_programme")
    begun = await done(edge, f"/sites/{site['id']}/begin-works", {**early, "override_reason": "begun_before"})
    assert begun["works"][0]["override_reason"] == "begun_before"


async def test_a_case_is_its_offices_and_its_institutions(edge: Serving) -> None:
    answer = await edge.post("/trainings", "officer", TRAINING, office="herat")
    assert broken(answer) == (403, "not_yours", [("/office", "not_yours")])
    path = f"/trainings/{(await done(edge, '/trainings', TRAINING))['id']}"
    seen = await edge.get(path, "host", subject="college")
    assert (seen.status_code, seen.json()["open"]) == (200, [])
    assert (await edge.get(path, "host", subject="another")).status_code == 404
    assert (await edge.get(path, office="herat")).status_code == 404
    assert (await edge.get(path, "evaluator")).status_code == 403
    assert (await edge.post(f"{path}/hold", "host", HELD, subject="college")).status_code == 403
    assert (await edge.post(f"{path}/hold", "officer", HELD, office="herat")).status_code == 404


async def test_the_same_request_twice_is_one_case_and_one_event(edge: Serving) -> None:
    first = await edge.post("/trainings", "officer", TRAINING, key="once")
    again = await edge.post("/trainings", "officer", TRAINING, key="once")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    path = f"/trainings/{first.json()['id']}"
    for _ in range(2):
        assert (await done(edge, f"{path}/hold", HELD, key="held"))["version"] == 2
    other = await edge.post("/trainings", "officer", {**TRAINING, "title": "Another"}, key="once")
    assert broken(other)[:2] == (422, "idempotency_key_reused")
    await edge.quiet()
    assert len(await edge.topic("placement.trainings")) == 2


async def test_a_training_keeps_the_version_that_it_was_opened_under(edge: Serving) -> None:
    path = f"/trainings/{(await done(edge, '/trainings', TRAINING))['id']}"
    newer = with_sections()
    newer["trainings"] = {**newer["trainings"], "participants": named("association")}
    subject, event = arriving.definition(newer)
    later = event.model_copy(update={"definition_version": 2})
    arrivals = Arriving(edge.log)
    await arrivals.append((subject, later))
    await edge.follows("example-1", 2)
    assert (await done(edge, f"{path}/hold", HELD))["state"] == "held"
    second = await done(edge, "/trainings", TRAINING)
    assert second["frame"]["programme_version"] == 2
    status, rule, _ = broken(await edge.post(f"/trainings/{second['id']}/hold", "officer", HELD))
    assert (status, rule) == (422, "code_not_listed")


async def test_lists_are_in_the_order_of_the_openings_a_page_at_a_time(edge: Serving) -> None:
    opened = [(await done(edge, "/sites", SITE))["id"] for _ in range(3)]
    first = (await edge.get("/sites?limit=2")).json()
    rest = (await edge.get(f"/sites?limit=2&after={first['next']}")).json()
    assert [one["id"] for one in (*first["items"], *rest["items"])] == opened
    assert (await edge.get("/sites", office="herat")).json()["items"] == []


PAST = {"starts_on": "2008-06-02", "ends_on": "2008-06-07"}


@pytest.mark.parametrize(("path", "body"), [("/trainings", {**TRAINING, **PAST}), ("/sites", SITE)])
async def test_nothing_is_opened_in_a_programme_that_is_over_but_what_happened_before(
    path: str, body: dict[str, Any]
) -> None:
    async with Serving("placement", stored(COLLECTIONS, SHADOWS), build) as edge:
        await know(edge, {**with_sections(), "dates": {"starts": "2006-01-01", "ends": "2008-07-01"}})
        refused = await edge.post(path, "officer", body)
        assert (refused.status_code, refused.json()["rule"]) == (409, "programme_is_over")
        # Half past one in the morning of the first day after it, in Kabul.
        last = await edge.post(path, "officer", {**body, "happened_at": "2008-06-30T21:00:00Z"})
        assert (last.status_code, last.json()["rule"]) == (409, "programme_is_over")
        late = await edge.post(path, "officer", {**body, "happened_at": "2008-06-30T19:00:00Z"})
        assert late.status_code == 201
