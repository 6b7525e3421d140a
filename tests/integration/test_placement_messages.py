"""What placement does about messages: each twice, in any order across topics, and after a hold's time is over."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pytest

from services.placement.app import build
from services.placement.domain import calendars
from services.placement.domain.placements import PLACEMENT
from services.placement.store import COLLECTIONS, PLACEMENTS, SHADOWS
from shared.clock import derived_id, short_hash
from shared.contracts.registry import read
from shared.identity.keyfiles import KeyDestroyed
from shared.messaging.reading import Unreadable, parse
from shared.replica import stored
from shared.store.aggregates import Cause
from tests.unit.placement import arriving
from tests.unit.placement.arriving import DEFINITION, PERSON, Arriving
from tests.unit.registration.serving import Serving

MAY, AUGUST, OCTOBER = "2026-05-01", "2026-08-01", "2026-10-01"


@pytest.fixture
async def edge() -> AsyncIterator[Serving]:
    async with Serving("placement", stored(COLLECTIONS, SHADOWS), build) as serving:
        await published(serving)
        yield serving


async def published(serving: Serving) -> None:
    await Arriving(serving.log).append(arriving.definition(DEFINITION))
    await serving.follows("example-1")


async def state_of(edge: Serving, number: int = 0) -> dict[str, Any]:
    document = await edge.store.load("placements", arriving.placement(number))
    assert document is not None
    return dict(document["state"])


async def hold_of(edge: Serving, number: int = 0) -> dict[str, Any]:
    calendar = await edge.store.load("calendars", PERSON)
    assert calendar is not None
    return dict(calendar["holds"][arriving.placement(number)])


async def test_of_two_overlapping_offers_one_is_refused(edge: Serving) -> None:
    arrivals = Arriving(edge.log)
    await arrivals.append(
        *arriving.known(edge.account),
        (arriving.match(0), arriving.accepted(MAY, AUGUST)),
        (arriving.match(1), arriving.accepted("2026-07-31", OCTOBER, number=1)),
        (arriving.match(2), arriving.accepted(AUGUST, OCTOBER, number=2)),
        (arriving.match(3), arriving.accepted(MAY, OCTOBER, "virtual", number=3)),
    )
    await edge.quiet()
    states = [(await state_of(edge, number))["status"] for number in range(4)]
    # Which of the three on-site ones came first is the log's to say; no two that share a day stand together.
    assert states[3] == "host_confirmed"
    assert states[1] == "refused" or states[0] == states[2] == "refused"
    assert "refused" in states
    for number, status in enumerate(states):
        assert (await hold_of(edge, number))["status"] == ("refused" if status == "refused" else "confirmed")


async def test_a_retraction_gives_the_days_back(edge: Serving) -> None:
    arrivals = Arriving(edge.log)
    await arrivals.append((arriving.match(), arriving.accepted(MAY, AUGUST)), arriving.retracting())
    await edge.quiet()
    assert (await state_of(edge))["status"] == "cancelled"
    assert (await hold_of(edge))["status"] == "released"
    await arrivals.append((arriving.match(1), arriving.accepted(MAY, AUGUST, number=1)))
    await edge.quiet()
    assert (await state_of(edge, 1))["status"] == "host_confirmed"


async def test_a_withdrawn_consent_closes_the_calendar_and_opens_again(edge: Serving) -> None:
    arrivals = Arriving(edge.log)
    await arrivals.append((arriving.match(), arriving.accepted(MAY, AUGUST)))
    await edge.quiet()
    await arrivals.append(*arriving.known(edge.account)[:1], arriving.consent_given(), arriving.consent_withdrawn())
    await edge.quiet()
    assert (await state_of(edge))["reason"] == "consent_withdrawn"
    await arrivals.append((arriving.match(1), arriving.accepted(MAY, AUGUST, number=1)))
    await edge.quiet()
    refused = await state_of(edge, 1)
    assert (refused["status"], refused["reason"]) == ("refused", "consent_withdrawn")
    await arrivals.append(arriving.consent_given(), (arriving.match(2), arriving.accepted(AUGUST, OCTOBER, number=2)))
    await edge.quiet()
    await arrivals.append((arriving.match(3), arriving.accepted(MAY, AUGUST, number=3)))
    await edge.quiet()
    assert (await state_of(edge, 3))["status"] == "host_confirmed"


@pytest.mark.parametrize("behind_a_gap", [False, True])
async def test_an_erasure_closes_the_calendar_for_good(edge: Serving, behind_a_gap: bool) -> None:
    arrivals = Arriving(edge.log)
    await edge.keys.persons("placement").key(PERSON)
    if behind_a_gap:
        arrivals.lose(PERSON, "registration.persons")
    erased = arriving.erased()
    await arrivals.append(arriving.consent_given(), arriving.consent_withdrawn(), erased, arriving.consent_given())
    await edge.quiet()
    await arrivals.append((arriving.match(), arriving.accepted(MAY, AUGUST)))
    await edge.quiet()
    refused = await state_of(edge)
    if behind_a_gap:
        # What would open it waits for somebody who looks.
        assert (refused["status"], refused["reason"]) == ("refused", "person_erased")
    with pytest.raises(KeyDestroyed):
        await edge.keys.persons("placement").existing(PERSON)


async def test_a_withdrawal_behind_a_gap_stops_at_once_and_an_earlier_consent_turns_nothing_back(edge: Serving) -> None:
    arrivals = Arriving(edge.log)
    await arrivals.append((arriving.match(), arriving.accepted(MAY, AUGUST)))
    await edge.quiet()
    # The person's first event is lost: whatever follows it waits for somebody who looks.
    arrivals.lose(PERSON, "registration.persons")
    await arrivals.append(arriving.consent_given(), arriving.consent_withdrawn())

    async def stopped() -> bool:
        return (await state_of(edge)).get("reason") == "consent_withdrawn"

    await edge.eventually(stopped)
    shadow = await edge.store.load("shadows", PERSON)
    assert shadow is not None
    assert ([entry["reason"] for entry in shadow["parked"]], shadow["marks"]) == (["gap", "behind"], {})
    document = await edge.store.load("placements", arriving.placement())
    assert await edge.service.replica.replay(PERSON)
    again = await edge.store.load("placements", arriving.placement())
    calendar = await edge.store.load("calendars", PERSON)
    assert calendar is not None
    assert (again, calendar["closed"]) == (document, "consent_withdrawn")


async def test_a_sleeper_does_not_close_what_was_opened_again(edge: Serving) -> None:
    work, guards = edge.service.work, edge.service.replica.guards
    await guards.close(work.guard, PERSON, "consent_withdrawn", (1, 2))
    await guards.reopen(work.guard, PERSON, (1, 3))
    assert await guards.close(work.guard, PERSON, "consent_withdrawn", (1, 2)) == []
    calendar = await edge.store.load("calendars", PERSON)
    assert calendar is not None
    assert calendar["closed"] is None


async def test_of_two_that_widen_one_hold_neither_loses(edge: Serving) -> None:
    work, guards = edge.service.work, edge.service.replica.guards
    await guards.take(work.guard, PERSON, "p", {"starts_on": MAY, "ends_on": AUGUST, "modality": "temporary"})

    async def until(day: str) -> None:
        await guards.extend(work.guard, PERSON, "p", lambda claim: {**claim, "ends_on": max(claim["ends_on"], day)})

    await until(OCTOBER)
    await until("2026-09-01")
    calendar = await edge.store.load("calendars", PERSON)
    assert calendar is not None
    assert calendar["holds"]["p"]["claim"]["ends_on"] == OCTOBER


async def test_a_hold_that_nobody_used_refuses_its_placement(edge: Serving) -> None:
    work, guards = edge.service.work, edge.service.replica.guards
    claim = {
        "starts_on": MAY,
        "ends_on": AUGUST,
        "modality": "temporary",
        "match": arriving.match(),
        "parties": arriving.parties().model_dump(mode="json", exclude_none=True),
    }
    await guards.take(work.guard, PERSON, arriving.placement(), claim)
    edge.clock.ahead = timedelta(seconds=61)

    async def released() -> bool:
        return bool((await hold_of(edge))["status"] == "released")

    await edge.eventually(released)
    assert (await state_of(edge))["reason"] == "hold_expired"
    # The sleeper that had taken the hold finds its answer: nothing opens any more.
    await Arriving(edge.log).append((arriving.match(), arriving.accepted(MAY, AUGUST)))
    await edge.quiet()
    assert (await state_of(edge))["status"] == "refused"


def stories() -> list[tuple[int, ...]]:
    """Every interleaving of two topics of which each keeps its own order: indices into persons and matches."""
    return sorted(set(itertools.permutations((0, 0, 0, 1, 1))))


@pytest.mark.parametrize("story", stories(), ids=lambda story: "".join(map(str, story)))
async def test_every_message_twice_and_out_of_order_across_topics(story: tuple[int, ...]) -> None:
    serving = Serving("placement", stored(COLLECTIONS, SHADOWS), build)
    await serving.store.start()
    await serving.log.start()
    serving.service.replica.definitions.start()
    await published(serving)
    arrivals = Arriving(serving.log)
    person = [*arriving.known(serving.account)[:1], arriving.consent_given(), arriving.consent_withdrawn()]
    lanes = (person, [(arriving.match(), arriving.accepted(MAY, AUGUST)), arriving.retracting()])
    records = [[arrivals.record(*event) for event in lane] for lane in lanes]
    consumer = serving.service.replica.consumer
    for lane in story:
        record = records[lane].pop(0)
        await consumer.deliver(record)
        await consumer.deliver(record)
    status = (await state_of(serving))["status"]
    # Only where the withdrawal came before the offer had the calendar said no.
    withdrawn_first = [n for n, lane in enumerate(story) if lane == 0][2] < story.index(1)
    assert status == ("refused" if withdrawn_first else "cancelled")
    document = await serving.store.load("placements", arriving.placement())
    assert document is not None
    assert len(document["outbox"]) == (1 if withdrawn_first else 2)
    await check_fold(serving)
    await serving.service.replica.definitions.stop()
    await serving.log.stop()
    await serving.store.stop()
    serving.clock.close()
    await serving.client.aclose()


async def check_fold(serving: Serving) -> None:
    """The stored state is the fold of the document's events, read from their exact bytes."""
    async for document in serving.store.scan("placements"):
        state = None
        for entry in document["outbox"]:
            envelope = arriving.Envelope.of(entry["headers"])
            state = PLACEMENTS.evolve(state, read(envelope, entry["value"].encode()))
        assert state is not None
        assert state.model_dump(mode="json", exclude_none=True) == document["state"]


async def test_days_that_a_crash_left_held_are_given_back(edge: Serving) -> None:
    arrivals = Arriving(edge.log)
    await arrivals.append((arriving.match(), arriving.accepted(MAY, AUGUST)))
    await edge.quiet()
    # The placement alone is saved, as by a replica that died before it settled the calendar.
    cause = Cause(derived_id("crash"))
    await edge.service.replica.kernel.execute(
        PLACEMENTS, arriving.placement(), PLACEMENT.ask("cancel", reason="x"), cause
    )
    await edge.quiet()
    assert (await hold_of(edge))["status"] == "released"


async def test_a_contract_on_other_days_gives_back_what_the_offer_held(edge: Serving) -> None:
    """Nobody holds a year between the terms and a contract that was agreed for later."""
    arrivals = Arriving(edge.log)
    await arrivals.append((arriving.match(), arriving.accepted(MAY, AUGUST)))
    await edge.quiet()
    body = {"starts_on": "2027-05-01", "ends_on": "2027-08-01", "override_reason": "host_asked"}
    assert (await edge.post(f"/placements/{arriving.placement()}/contract", "officer", body)).status_code == 200
    claim = (await hold_of(edge))["claim"]
    assert (claim["starts_on"], claim["ends_on"]) == (body["starts_on"], body["ends_on"])
    await arrivals.append((arriving.match(1), arriving.accepted(MAY, OCTOBER, number=1)))
    await edge.quiet()
    assert (await state_of(edge, 1))["status"] == "host_confirmed"


async def test_a_crash_between_contract_and_calendar_heals_by_the_event(edge: Serving) -> None:
    await Arriving(edge.log).append((arriving.match(), arriving.accepted(MAY, AUGUST)))
    await edge.quiet()
    guards, work, kernel = edge.service.replica.guards, edge.service.work, edge.service.replica.kernel
    cause, starts_on, ends_on = Cause(derived_id("crash")), date(2026, 6, 1), date(2026, 9, 1)
    asked = short_hash(cause.command_id)
    await guards.extend(
        work.guard, PERSON, arriving.placement(), lambda claim: calendars.widened(claim, starts_on, ends_on, asked)
    )
    assert (await hold_of(edge))["claim"]["starts_on"] == MAY
    contract = PLACEMENT.ask("contract", starts_on=starts_on, ends_on=ends_on, override_reason="host_asked")
    await kernel.execute(PLACEMENTS, arriving.placement(), contract, cause)
    await edge.quiet()
    claim = (await hold_of(edge))["claim"]
    assert (claim["starts_on"], claim["ends_on"]) == ("2026-06-01", "2026-09-01")


async def test_what_is_published_can_be_read(edge: Serving) -> None:
    await Arriving(edge.log).append((arriving.match(), arriving.accepted(MAY, AUGUST)))
    await edge.quiet()
    (record,) = await edge.topic("placement.placements")
    found = parse(record)
    assert not isinstance(found, Unreadable)
    assert found[0].scope.office == "kabul"
    assert found[0].subject == arriving.placement()
