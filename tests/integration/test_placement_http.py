"""Placement through its public edge: from the confirmed host to the completed return."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.placement.app import build
from services.placement.store import COLLECTIONS, SHADOWS
from shared.contracts.placement.placements import PlacementFactTakenBack, PlacementTimeCorrected
from shared.identity.roles import Role
from shared.messaging.reading import parse
from shared.replica import stored
from tests.unit.pages.test_cases import reader
from tests.unit.placement import arriving
from tests.unit.placement.arriving import DEFINITION, PERSON, Arriving
from tests.unit.registration.serving import Serving

PATH = f"/placements/{arriving.placement()}"


class Day:
    """Days from now: what is recorded lies in the past, so the whole story happened last year."""

    def __init__(self, edge: Serving) -> None:
        self.first = (edge.clock.now() - timedelta(days=300)).replace(hour=9, minute=0, second=0, microsecond=0)

    def date(self, number: int) -> str:
        return (self.first + timedelta(days=number)).date().isoformat()

    def at(self, number: int) -> dict[str, str]:
        return {"happened_at": (self.first + timedelta(days=number)).isoformat().replace("+00:00", "Z")}


@pytest.fixture
async def edge() -> AsyncIterator[Serving]:
    async with Serving("placement", stored(COLLECTIONS, SHADOWS), build) as serving:
        yield serving


async def confirmed(edge: Serving, modality: str = "temporary", number: int = 0, first: int = 100) -> Day:
    day = Day(edge)
    arrivals = Arriving(edge.log)
    if number == 0:
        await arrivals.append(arriving.definition(DEFINITION), *arriving.known(edge.account))
    offer = arriving.accepted(day.date(first), day.date(first + 90), modality, number=number)
    offer = offer.model_copy(update={"happened_at": day.first, "recorded_late": True})
    await arrivals.append((arriving.match(number), offer))
    await edge.quiet()
    await edge.follows("example-1")
    return day


async def step(edge: Serving, verb: str, body: dict[str, Any], path: str = PATH, **how: Any) -> httpx.Response:
    return await edge.post(f"{path}/{verb}", how.pop("role", "officer"), body, **how)


async def done(edge: Serving, verb: str, body: dict[str, Any], **how: Any) -> str:
    answer = await step(edge, verb, body, **how)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["state"])


async def contracted(edge: Serving, day: Day) -> None:
    body = {"starts_on": day.date(100), "ends_on": day.date(190), **day.at(10)}
    assert await done(edge, "contract", body) == "contracted"


async def active(edge: Serving, day: Day) -> None:
    await contracted(edge, day)
    await done(edge, "complete-step", {"step": "training", **day.at(20)})
    await done(edge, "complete-step", {"step": "insurance", **day.at(21)})
    assert await done(edge, "depart", day.at(99)) == "travelling"
    assert await done(edge, "confirm-arrival", day.at(100)) == "active"


async def test_from_the_confirmed_host_to_the_completed_return(edge: Serving) -> None:
    day = await confirmed(edge)
    await active(edge, day)
    assert await done(edge, "extend", {"ends_on": day.date(220), **day.at(180)}) == "active"
    calendar = await edge.store.load("calendars", PERSON)
    assert calendar is not None
    assert calendar["holds"][arriving.placement()]["claim"]["ends_on"] == day.date(220)
    assert await done(edge, "complete", day.at(220)) == "completed"
    again = await step(edge, "complete", day.at(221))
    assert (again.status_code, again.json()["rule"]) == (409, "illegal_transition")
    await edge.quiet()
    names = [dict(r.headers)["ce_type"].decode().rsplit(".", 1)[1] for r in await edge.topic("placement.placements")]
    assert names == [
        "PlacementOpened",
        "PlacementContracted",
        "PreparationStepCompleted",
        "PreparationStepCompleted",
        "TravelStarted",
        "ReturnStarted",
        "PlacementExtended",
        "ReturnCompleted",
    ]


async def test_the_host_and_the_expert_see_their_own(edge: Serving) -> None:
    await confirmed(edge)
    assert (await edge.get(PATH, "host", subject="college")).status_code == 200
    assert (await edge.get(PATH, "expert", subject="me")).json()["state"] == "host_confirmed"
    assert (await edge.get(PATH, "finance", office="kabul")).status_code == 200
    for how in ({"role": "host", "subject": "another"}, {"role": "expert", "subject": "you"}, {"office": "herat"}):
        assert (await edge.get(PATH, **how)).status_code == 404
        assert (await edge.get("/placements", **how)).json()["items"] == []
    assert len((await edge.get("/placements")).json()["items"]) == 1
    assert (await edge.get(PATH, "evaluator")).status_code == 403
    assert (await step(edge, "depart", {}, role="expert", subject="me")).status_code == 403


async def test_the_host_confirms_arrival_and_completion(edge: Serving) -> None:
    day = await confirmed(edge, first=-200)
    days = {"starts_on": day.date(-200), "ends_on": day.date(500)}
    body = {**days, "override_reason": "host_asked", **day.at(10)}
    await done(edge, "contract", body)
    for name in ("training", "insurance"):
        await done(edge, "complete-step", {"step": name, **day.at(20)})
    await done(edge, "depart", day.at(30))
    assert (await step(edge, "confirm-arrival", {}, role="host", subject="another")).status_code == 404
    assert await done(edge, "confirm-arrival", {}, role="host", subject="college") == "active"
    assert await done(edge, "complete", {}, role="host", subject="college") == "completed"
    late = await step(edge, "complete", day.at(31), role="host", subject="college")
    # The host says when it happened, as an officer does, and no earlier than what happened last.
    assert (late.status_code, late.json()["rule"]) == (409, "happened_before_last")
    assert [one["pointer"] for one in late.json()["errors"]] == ["/happened_at"]
    completed = (await edge.get(PATH)).json()["last_fact"]["happened_at"]
    assert completed[:10] in late.json()["errors"][0]["detail"]
    report = {"text": "All was done.", **day.at(31)}
    by_expert = await step(edge, "submit-report", report, role="expert", subject="me")
    assert (by_expert.status_code, by_expert.json()["rule"]) == (403, "role_may_not_record_late")


async def test_obligatory_steps_come_first(edge: Serving) -> None:
    day = await confirmed(edge)
    await contracted(edge, day)
    early = await step(edge, "depart", day.at(20))
    assert (early.status_code, early.json()["rule"]) == (409, "preparation_incomplete")
    assert (await step(edge, "confirm-arrival", day.at(20))).json()["rule"] == "illegal_transition"


async def test_virtual_work_begins_without_travel(edge: Serving) -> None:
    day = await confirmed(edge, "virtual")
    await contracted(edge, day)
    assert (await step(edge, "depart", day.at(99))).json()["rule"] == "virtual_has_no_travel"
    assert (await step(edge, "confirm-arrival", day.at(100))).json()["rule"] == "preparation_incomplete"
    await done(edge, "complete-step", {"step": "training", **day.at(20)})
    assert await done(edge, "confirm-arrival", day.at(100)) == "active"


async def test_a_repeated_request_is_answered_and_not_done_again(edge: Serving) -> None:
    day = await confirmed(edge)
    body = {"starts_on": day.date(100), "ends_on": day.date(180), **day.at(10)}
    first = await step(edge, "contract", body, key="c")
    again = await step(edge, "contract", body, key="c")
    assert first.status_code == again.status_code == 200
    assert first.headers["etag"] == again.headers["etag"]
    assert (await step(edge, "contract", {**body, "ends_on": day.date(150)}, key="c")).status_code == 422
    stale = await step(edge, "cancel", {"reason": "host_closed", **day.at(11)}, if_match='"1"')
    assert stale.status_code == 412
    fresh = await step(edge, "cancel", {"reason": "host_closed", **day.at(11)}, if_match=first.headers["etag"])
    assert fresh.json()["state"] == "cancelled"
    # The repetition of what was accepted is answered with today's state, and takes no days again.
    assert (await step(edge, "contract", body, key="c")).json()["state"] == "cancelled"
    calendar = await edge.store.load("calendars", PERSON)
    assert calendar is not None
    assert calendar["holds"][arriving.placement()]["status"] == "released"


async def test_an_extension_into_another_placement_is_refused(edge: Serving) -> None:
    day = await confirmed(edge)
    await confirmed(edge, number=1, first=190)
    await active(edge, day)
    refused = await step(edge, "extend", {"ends_on": day.date(200), **day.at(180)})
    assert (refused.status_code, refused.json()["rule"]) == (409, "placement_overlaps")
    assert (await edge.get(PATH)).json()["ends_on"] == day.date(190)
    # Once the other one is off, its days are free.
    other = f"/placements/{arriving.placement(1)}"
    await done(edge, "cancel", {"reason": "host_closed", **day.at(180)}, path=other)
    assert await done(edge, "extend", {"ends_on": day.date(200), **day.at(180)}) == "active"


async def test_an_early_end_frees_the_days_that_were_not_worked(edge: Serving) -> None:
    day = await confirmed(edge)
    await active(edge, day)
    body = {"party": "expert", "reason": "family", **day.at(130)}
    assert await done(edge, "end-early", body) == "ended_early"
    await edge.quiet()
    calendar = await edge.store.load("calendars", PERSON)
    assert calendar is not None
    hold = calendar["holds"][arriving.placement()]
    assert (hold["status"], hold["claim"]["ends_on"]) == ("confirmed", day.date(130))
    await confirmed(edge, number=1, first=130)
    assert (await edge.get(f"/placements/{arriving.placement(1)}")).json()["state"] == "host_confirmed"
    await confirmed(edge, number=2, first=125)
    assert (await edge.get(f"/placements/{arriving.placement(2)}")).json()["state"] == "refused"


async def test_no_show_before_the_start_is_refused(edge: Serving) -> None:
    day = await confirmed(edge)
    await contracted(edge, day)
    early = await step(edge, "report-no-show", day.at(50))
    assert (early.status_code, early.json()["rule"]) == (409, "no_show_before_start")
    assert await done(edge, "report-no-show", day.at(103)) == "no_show"


async def test_what_runs_is_flagged_when_the_consent_goes(edge: Serving) -> None:
    day = await confirmed(edge)
    await active(edge, day)
    arrivals = Arriving(edge.log)
    # The person was recorded before: the numbers of the topic go on.
    arrivals.record(*arriving.known(edge.account)[0])
    arrivals.record(arriving.match(), arriving.accepted("2026-01-01", "2026-02-01"))
    # The match is taken back for the same reason; that too leaves the running return to the officer.
    taken_back = arriving.retracting(reason="consent_withdrawn")
    await arrivals.append(arriving.consent_given(), arriving.consent_withdrawn(), taken_back)
    await edge.quiet()
    seen = (await edge.get(PATH)).json()
    assert (seen["state"], seen["consent_withdrawn"]) == ("active", True)
    refused = await step(edge, "extend", {"ends_on": day.date(200), **day.at(180)})
    assert refused.json()["rule"] == "consent_withdrawn"
    assert await done(edge, "end-early", {"party": "expert", "reason": "consent_withdrawn"}) == "ended_early"
    await arrivals.append(arriving.consent_given())
    await edge.quiet()
    assert (await edge.get(PATH)).json()["consent_withdrawn"] is False


@pytest.mark.parametrize(
    ("verb", "body", "pointer"),
    [
        ("contract", {"starts_on": "tomorrow", "ends_on": "2026-08-01"}, "/starts_on"),
        ("contract", {"starts_on": "2026-05-01"}, "/ends_on"),
        ("complete-step", {"step": "holiday"}, "/step"),
        ("end-early", {"party": "nobody", "reason": "x"}, "/party"),
        ("cancel", {"reason": "two words"}, "/reason"),
        ("depart", {"status": "active"}, "/status"),
    ],
)
async def test_bad_input_names_its_field(edge: Serving, verb: str, body: dict[str, Any], pointer: str) -> None:
    await confirmed(edge)
    answer = await step(edge, verb, body)
    assert answer.status_code == 422
    assert pointer in [row["pointer"] for row in answer.json()["errors"]]
    for value in body.values():
        assert f'"{value}"' not in answer.text


RIGHT = {"reason": "wrong_date"}
MISTAKE = {"reason": "wrong_case"}


async def names_on_topic(edge: Serving) -> list[str]:
    await edge.quiet()
    records = await edge.topic("placement.placements")
    return [dict(record.headers)["ce_type"].decode().rsplit(".", 1)[1] for record in records]


async def test_a_step_that_was_recorded_as_of_today_is_dated_rightly_and_the_return_goes_on(edge: Serving) -> None:
    """The return took place months ago, and one step of it was sent without its day."""
    day = await confirmed(edge)
    await contracted(edge, day)
    await done(edge, "complete-step", {"step": "training", **day.at(20)})
    await done(edge, "complete-step", {"step": "insurance"})
    assert (await step(edge, "depart", day.at(99))).json()["rule"] == "happened_before_last"
    early = await step(edge, "correct-time", {**RIGHT, **day.at(19)})
    assert (early.status_code, early.json()["rule"]) == (409, "happened_before_last")
    right = await step(edge, "correct-time", {**RIGHT, **day.at(21)})
    assert right.status_code == 200, right.text
    last = right.json()["last_fact"]
    assert (last["fact"], last["corrected"]) == ("PreparationStepCompleted", True)
    assert await done(edge, "depart", day.at(99)) == "travelling"
    assert await done(edge, "confirm-arrival", day.at(100)) == "active"
    await edge.quiet()
    corrected = next(
        event
        for record in await edge.topic("placement.placements")
        if isinstance(found := parse(record), tuple) and isinstance(event := found[1], PlacementTimeCorrected)
    )
    assert (corrected.fact, corrected.of) == (4, "PreparationStepCompleted")


async def test_a_mistaken_arrival_is_taken_back_and_the_event_names_what_it_replaces(edge: Serving) -> None:
    day = await confirmed(edge)
    await active(edge, day)
    back = await step(edge, "take-back", MISTAKE, key="once")
    assert (back.status_code, back.json()["state"]) == (200, "travelling")
    again = await step(edge, "take-back", MISTAKE, key="once")
    assert again.headers["etag"] == back.headers["etag"]
    await edge.quiet()
    reads = [found for record in await edge.topic("placement.placements") if isinstance(found := parse(record), tuple)]
    arrived = next(envelope for envelope, event in reads if type(event).__name__ == "ReturnStarted")
    envelope, taken = reads[-1]
    assert isinstance(taken, PlacementFactTakenBack)
    assert (taken.replaces, taken.fact, taken.status) == (arrived.id, arrived.sequence, "travelling")
    # It stands at the instant of the fact before it, so that the true arrival may be any day after that.
    assert envelope.time == next(one.time for one, event in reads if type(event).__name__ == "TravelStarted")
    assert await done(edge, "confirm-arrival", day.at(100)) == "active"
    assert (await step(edge, "take-back", {})).status_code == 422
    assert (await step(edge, "take-back", {**MISTAKE, **day.at(100)})).status_code == 422
    assert (await step(edge, "take-back", MISTAKE, role="host", subject="college")).status_code == 403


async def test_a_contract_that_is_taken_back_leaves_the_days_that_the_offer_held(edge: Serving) -> None:
    day = await confirmed(edge)
    shorter = {"starts_on": day.date(110), "ends_on": day.date(150), **day.at(10)}
    assert await done(edge, "contract", shorter) == "contracted"
    assert await done(edge, "take-back", MISTAKE) == "host_confirmed"
    await edge.quiet()
    claim = (await edge.store.load("calendars", PERSON) or {})["holds"][arriving.placement()]["claim"]
    assert (claim["starts_on"], claim["ends_on"]) == (day.date(100), day.date(190))
    await contracted(edge, day)
    right = {"starts_on": day.date(100), "ends_on": day.date(180), "reason": "typing_error"}
    assert await done(edge, "correct-contract", right) == "contracted"
    assert (await edge.get(PATH)).json()["ends_on"] == day.date(180)
    claim = (await edge.store.load("calendars", PERSON) or {})["holds"][arriving.placement()]["claim"]
    assert claim["ends_on"] == day.date(180)
    # What corrects the contract is no fact of its own: the contract is put right as before, with its right days.
    assert await done(edge, "correct-time", {**RIGHT, **day.at(9)}) == "contracted"
    assert (await edge.get(PATH)).json()["ends_on"] == day.date(180)
    assert await done(edge, "take-back", MISTAKE) == "host_confirmed"
    assert (await edge.get(PATH)).json()["ends_on"] == day.date(190)


async def test_an_end_that_is_taken_back_needs_its_days_in_the_calendar_first(edge: Serving) -> None:
    day = await confirmed(edge)
    await active(edge, day)
    body = {"party": "expert", "reason": "family", **day.at(130)}
    assert await done(edge, "end-early", body) == "ended_early"
    await confirmed(edge, number=1, first=140)
    refused = await step(edge, "take-back", MISTAKE)
    assert (refused.status_code, refused.json()["rule"]) == (409, "placement_overlaps")
    later = await step(edge, "correct-time", {**RIGHT, **day.at(150)})
    assert (later.status_code, later.json()["rule"]) == (409, "placement_overlaps")
    assert await done(edge, "correct-time", {**RIGHT, **day.at(135)}) == "ended_early"
    assert (await edge.get(PATH)).json()["ends_on"] == day.date(135)
    other = f"/placements/{arriving.placement(1)}"
    await done(edge, "cancel", {"reason": "host_closed", **day.at(136)}, path=other)
    assert await done(edge, "take-back", MISTAKE) == "active"
    assert (await edge.get(PATH)).json()["ends_on"] == day.date(190)


async def test_what_another_service_has_acted_on_is_not_taken_back(edge: Serving) -> None:
    day = await confirmed(edge)
    await contracted(edge, day)
    assert await done(edge, "report-no-show", day.at(110)) == "no_show"
    refused = await step(edge, "take-back", MISTAKE)
    assert (refused.status_code, refused.json()["rule"]) == (409, "acted_on")
    early = await step(edge, "correct-time", {**RIGHT, **day.at(99)})
    assert early.json()["rule"] == "no_show_before_start"
    assert await done(edge, "correct-time", {**RIGHT, **day.at(101)}) == "no_show"


async def test_an_arrival_is_not_taken_back_once_the_consent_was(edge: Serving) -> None:
    day = await confirmed(edge)
    await active(edge, day)
    arrivals = Arriving(edge.log)
    for subject, event in arriving.known(edge.account):
        # They are on the log already, under the numbers before this one.
        arrivals.record(subject, event)
    await arrivals.append(arriving.consent_withdrawn())
    await edge.quiet()
    assert (await edge.get(PATH)).json()["consent_withdrawn"]
    refused = await step(edge, "take-back", MISTAKE)
    assert (refused.status_code, refused.json()["rule"]) == (409, "consent_withdrawn")


async def test_today_counts_reports_to_accept_and_certificates_to_give(edge: Serving) -> None:
    day = await confirmed(edge)
    await active(edge, day)
    host = edge.account("college")

    async def today(role: Role, **how: Any) -> list[tuple[str, str]]:
        async with reader("placement", edge.service.app, edge.keys, edge.clock, role, **how) as http:
            page = (await http.get("/placement/today")).text
        tasks = re.findall(r'<p class="soft">([^<:]+): (\d+) · <a href="([^"]+)"', page)
        assert all(address.startswith(f"/placement{PATH}/") for _, _, address in tasks), page
        return [(words, number) for words, number, _ in tasks]

    assert await today("officer") == [("Certify the work", "1")]
    await edge.post(f"{PATH}/submit-report", "expert", {"text": "It was done."}, subject="me")
    waits = [("Accept the report", "1"), ("Certify the work", "1")]
    assert await today("officer") == waits
    await edge.post(f"{PATH}/call-for-reports", "officer")
    assert await today("officer") == waits
    assert await today("host", account=host) == waits[1:]
    assert (await edge.post(f"{PATH}/accept-report", "officer", subject="another")).status_code == 200
    assert (await edge.post(f"{PATH}/certify", "host", subject="college")).status_code == 200
    assert await today("officer") == []


async def test_a_report_is_sealed_and_read_by_its_writer_and_by_officers_alone(edge: Serving) -> None:
    day = await confirmed(edge)
    await active(edge, day)
    for blank in ("", "  \n\t", "\u3164"):
        refused = await edge.post(f"{PATH}/submit-report", "expert", {"text": blank}, subject="me")
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/text")
    text = "Eighteen midwives of Kunduz were trained."
    sent = await edge.post(f"{PATH}/submit-report", "expert", {"text": text}, subject="me", key="once")
    assert sent.status_code == 200, sent.text
    again = await edge.post(f"{PATH}/submit-report", "expert", {"text": text}, subject="me", key="once")
    assert again.headers["etag"] == sent.headers["etag"]
    document = await edge.store.load("placements", arriving.placement())
    assert "midwives" not in json.dumps(document)
    for how in ({"role": "officer"}, {"role": "expert", "subject": "me"}):
        assert [note["text"] for note in (await edge.get(PATH, **how)).json()["notes"]] == [text]
    assert "notes" not in (await edge.get(PATH, role="host", subject="college")).json()
