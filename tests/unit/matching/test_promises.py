"""Seats are never overfilled, reserves follow once, and what was given back is never taken again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from services.matching.domain.assignments import ASSIGNMENT
from services.matching.domain.matches import MATCH, SEATED
from services.matching.store import MATCHES
from shared.clock import derived_id
from shared.contracts.matching.matches import OfferExpired
from shared.contracts.placement.placements import (
    NoShowReported,
    PlacementCancelled,
    PlacementEndedEarly,
    PlacementOpened,
    PlacementRefused,
)
from shared.contracts.registration.experts import ExpertReinstated, ExpertSuspended
from shared.contracts.registration.persons import ConsentGiven, ConsentWithdrawn
from shared.errors import Refusal, TooEarly
from shared.messaging.reading import parse
from tests.unit.matching.facts import LONG_AGO, expert_id, person_id, terms
from tests.unit.matching.world import World, match_id, types_of

FIVE = ["anna", "bela", "cora", "dina", "edda"]


async def placed(world: World, assignment: str, name: str, *events: object) -> None:
    match = match_id(assignment, name)
    state = await world.match(assignment, name)
    assert state
    assert state.parties
    opened = PlacementOpened(happened_at=LONG_AGO, match=match, parties=state.parties, terms=terms())
    await world.others.tell(derived_id(match, "placement"), opened, *events)  # type: ignore[arg-type]
    await world.run()


async def accepted(world: World, assignment: str, name: str) -> None:
    if (await world.states(assignment, name)) != ["allocated"]:
        await world.allocate(assignment, name)
    await world.offer(assignment, name)
    await world.accept(assignment, name)
    await world.run()


@pytest.mark.parametrize("seats", [1, 2, 3])
async def test_seats_are_never_overfilled_by_many_at_once(seats: int) -> None:
    async with World() as world:
        assignment = await world.shortlisted(FIVE, seats=seats)
        tries = [world.allocate(assignment, name) for name in FIVE for _ in range(8)]
        world.rng.shuffle(tries)
        answers = await asyncio.gather(*tries, return_exceptions=True)
        assert all(answer is None or isinstance(answer, Refusal) for answer in answers)
        await world.run()
        states = await world.states(assignment, *FIVE)
        assert sum(state in SEATED for state in states) == seats
        assert states.count("reserve") == 5 - seats
        assert list((await world.holds(assignment)).values()) == ["confirmed"] * seats


async def test_when_the_seats_are_given_the_rest_are_reserves_by_rank() -> None:
    async with World() as world:
        assignment = await world.shortlisted(FIVE, seats=2)
        await world.allocate(assignment, "bela")
        await world.run()
        assert await world.states(assignment, "anna", "cora") == ["shortlisted", "shortlisted"]
        await world.allocate(assignment, "anna")
        await world.run()
        found = [await world.match(assignment, name) for name in ("cora", "dina", "edda")]
        assert [(one.status, one.position) for one in found if one] == [("reserve", 1), ("reserve", 2), ("reserve", 3)]


@pytest.mark.parametrize("seed", range(8))
async def test_after_a_decline_the_reserve_follows_exactly_once(seed: int) -> None:
    async with World(seed) as world:
        assignment = await world.shortlisted(FIVE)
        await world.allocate(assignment, "anna")
        await world.offer(assignment, "anna")
        await world.do(assignment, "anna", "decline", reason="family")
        await world.run(twice=True)
        assert await world.states(assignment, *FIVE) == ["declined", "allocated", "reserve", "reserve", "reserve"]
        assert types_of(await world.records("matching.matches")).count("AssignmentMatched") == 2
        assert await world.holds(assignment) == {
            match_id(assignment, "anna"): "released",
            match_id(assignment, "bela"): "confirmed",
        }
        assert await world.pool(person_id("anna")) == {match_id(assignment, "anna"): "released"}


async def test_an_officer_may_be_faster_than_the_succession() -> None:
    async with World() as world:
        assignment = await world.shortlisted(FIVE)
        await world.allocate(assignment, "anna")
        await world.run()
        await world.offer(assignment, "anna")
        await world.do(assignment, "anna", "decline", reason="family")
        await world.allocate(assignment, "cora")
        await world.allocate(assignment, "cora")
        await world.run(twice=True)
        assert await world.states(assignment, *FIVE) == ["declined", "reserve", "allocated", "reserve", "reserve"]


async def test_an_allocation_that_is_refused_holds_no_seat_and_costs_nobody_the_match() -> None:
    """Recorded late, before the match was on the shortlist: refused, and a minute later all stands as before."""
    async with World() as world:
        assignment = await world.shortlisted(FIVE)
        before = await world.kept(ASSIGNMENT.name)
        long_ago = world.clock.now() - timedelta(hours=5)
        late = replace(world.cause(), happened_at=long_ago, recorded_late=True)
        call = world.call(MATCH, "allocate", match_id(assignment, "anna"), late)
        assert await world.raising(lambda: world.works.allocation.allocate(call)) == "happened_before_last"
        assert await world.kept(ASSIGNMENT.name) == before
        world.later(seconds=61)
        await world.fire()
        await world.run(twice=True)
        assert await world.states(assignment, *FIVE) == ["shortlisted"] * 5
        await world.allocate(assignment, "anna")
        assert await world.states(assignment, "anna") == ["allocated"]


async def test_a_hold_whose_match_was_never_saved_is_voided_and_the_seat_is_free() -> None:
    async with World() as world:
        assignment = await world.shortlisted(FIVE)
        lost = await world.match(assignment, "anna")
        assert lost
        assert lost.parties
        await world.works.promises.take_seat(match_id(assignment, "anna"), lost.parties)
        assert await world.raising(lambda: world.allocate(assignment, "bela")) == "seats_full"
        world.later(seconds=61)
        await world.fire()
        await world.run()
        assert (await world.states(assignment, "anna"))[0] == "retracted"
        assert (await world.holds(assignment))[match_id(assignment, "anna")] == "released"
        # The seat was given once, so the rest are reserves and the first of them has followed.
        assert await world.states(assignment, "bela", "cora") == ["allocated", "reserve"]


async def test_a_sleeper_cannot_take_what_was_given_back() -> None:
    async with World() as world:
        assignment = await world.shortlisted(FIVE)
        one = await world.match(assignment, "anna")
        assert one
        assert one.parties
        promises = world.works.promises
        await promises.take_seat(match_id(assignment, "anna"), one.parties)
        world.later(seconds=61)
        await world.fire()
        with pytest.raises(Refusal, match="illegal_transition"):
            await world.kernel.execute(MATCHES, match_id(assignment, "anna"), MATCH.ask("allocate"), world.cause())
        with pytest.raises(Refusal, match="hold_released"):
            await promises.take_seat(match_id(assignment, "anna"), one.parties)
        await world.run()
        assert (await world.states(assignment, "anna", "bela")) == ["retracted", "allocated"]


async def test_a_full_assignment_is_not_remembered_against_a_reserve() -> None:
    async with World() as world:
        assignment = await world.shortlisted(FIVE)
        await world.allocate(assignment, "anna")
        assert await world.raising(lambda: world.allocate(assignment, "bela")) == "seats_full"
        await world.do(assignment, "anna", "retract", reason="withdrew")
        await world.run()
        assert await world.states(assignment, "anna", "bela") == ["retracted", "allocated"]


async def test_filled_by_the_last_acceptance_and_reopened_when_placement_gives_one_back() -> None:
    async with World() as world:
        assignment = await world.shortlisted(FIVE, seats=2)
        await accepted(world, assignment, "anna")
        assert (await world.of(assignment)).status == "matching"
        await accepted(world, assignment, "bela")
        assert (await world.of(assignment)).status == "filled"
        await placed(world, assignment, "anna", NoShowReported(happened_at=LONG_AGO))
        assert (await world.of(assignment)).status == "matching"
        assert await world.states(assignment, "anna", "cora") == ["retracted", "allocated"]
        await accepted(world, assignment, "cora")
        assert (await world.of(assignment)).status == "filled"


async def test_an_accepted_match_keeps_its_seat_until_placement_has_answered() -> None:
    async with World() as world:
        assignment = await world.shortlisted(FIVE)
        await accepted(world, assignment, "anna")
        await world.do(assignment, "anna", "retract", reason="host_withdrew")
        await world.run()
        assert await world.states(assignment, "anna", "bela") == ["retracting", "reserve"]
        match = match_id(assignment, "anna")
        cancelled = PlacementCancelled(happened_at=LONG_AGO, match=match, reason="host_withdrew")
        await placed(world, assignment, "anna", cancelled)
        assert await world.states(assignment, "anna", "bela") == ["retracted", "allocated"]
        assert (await world.of(assignment)).status == "matching"


async def test_an_early_end_takes_the_match_back_only_where_it_was_asked_for() -> None:
    async with World() as world:
        assignment = await world.shortlisted(FIVE)
        await accepted(world, assignment, "anna")
        await placed(world, assignment, "anna", PlacementEndedEarly(happened_at=LONG_AGO, party="expert", reason="ill"))
        assert await world.states(assignment, "anna", "bela") == ["accepted", "reserve"]
        assert (await world.of(assignment)).status == "filled"


async def test_a_refused_placement_frees_the_seat() -> None:
    async with World() as world:
        assignment = await world.shortlisted(FIVE)
        await accepted(world, assignment, "anna")
        one = await world.match(assignment, "anna")
        assert one
        assert one.parties
        match = match_id(assignment, "anna")
        refused = PlacementRefused(happened_at=LONG_AGO, match=match, parties=one.parties, reason="calendar_overlap")
        await world.others.tell(derived_id(match, "placement"), refused)
        await world.run(twice=True)
        taken_back = await world.match(assignment, "anna")
        assert taken_back
        assert (taken_back.status, taken_back.reason) == ("retracted", "calendar_overlap")
        assert await world.states(assignment, "bela") == ["allocated"]


async def test_an_unanswered_offer_expires_and_the_reserve_follows() -> None:
    async with World() as world:
        assignment = await world.shortlisted(FIVE)
        await world.allocate(assignment, "anna")
        await world.offer(assignment, "anna")
        world.later(days=14, seconds=1)
        assert await world.raising(lambda: world.accept(assignment, "anna")) == "offer_expired"
        await world.fire()
        await world.fire()
        await world.run(twice=True)
        assert await world.states(assignment, "anna", "bela") == ["expired", "allocated"]


async def offered_ago(world: World, days: float = 0, seconds: float = 0) -> str:
    """Anna was offered the post so long ago, which is recorded now."""
    ago = timedelta(days=days, seconds=seconds)
    world.later(days=-1 - days)
    assignment = await world.shortlisted(FIVE)
    await world.allocate(assignment, "anna")
    world.later(days=1 + days)
    then = world.clock.now() - ago
    late = replace(world.cause(), happened_at=then, recorded_late=True)
    await world.works.allocation.offer(world.call(MATCH, "offer", match_id(assignment, "anna"), late))
    return assignment


async def test_an_offer_recorded_late_expires_at_its_instant_and_the_reserve_follows() -> None:
    """It was made a second ago: what still lies ahead is waited for as for any other offer."""
    async with World() as world:
        assignment = await offered_ago(world, seconds=1)
        document = await world.store.load(MATCHES.name, match_id(assignment, "anna"))
        assert document
        assert document["timed"]
        world.later(days=14)
        await world.fire()
        await world.run(twice=True)
        assert await world.states(assignment, "anna", "bela") == ["expired", "allocated"]


async def test_an_offer_that_was_over_when_it_was_recorded_waits_for_its_answer_and_then_stands_as_expired() -> None:
    async with World() as world:
        assignment = await offered_ago(world, days=60)
        await world.fire()
        await world.run()
        assert await world.states(assignment, "anna") == ["offered"]
        assert await world.raising(lambda: world.accept(assignment, "anna")) == "offer_expired"
        world.later(days=14, seconds=1)
        await world.fire()
        await world.run(twice=True)
        assert await world.states(assignment, "anna", "bela") == ["expired", "allocated"]
        expiry = next(
            event
            for record in await world.records("matching.matches")
            if isinstance(read := parse(record), tuple) and isinstance(event := read[1], OfferExpired)
        )
        anna = await world.match(assignment, "anna")
        assert anna
        assert (expiry.happened_at, expiry.recorded_late) == (anna.expires_at, True)


async def test_an_offer_that_was_over_is_answered_as_of_then_or_ended_by_the_officer() -> None:
    async with World() as world:
        assignment = await offered_ago(world, days=60)
        then = world.clock.now() - timedelta(days=50)
        late = replace(world.cause(), happened_at=then, recorded_late=True)
        await world.works.allocation.accept(world.call(MATCH, "accept", match_id(assignment, "anna"), late))
        assert await world.states(assignment, "anna") == ["accepted"]
    async with World() as world:
        assignment = await offered_ago(world, days=60)
        await world.do(assignment, "anna", "expire")
        await world.run()
        assert await world.states(assignment, "anna", "bela") == ["expired", "allocated"]


async def test_nobody_is_given_an_offer_or_a_seat_of_work_that_is_over() -> None:
    async with World() as world:
        assignment = await world.shortlisted(FIVE)
        await world.allocate(assignment, "anna")
        ends_on = datetime.combine((await world.of(assignment)).terms.ends_on, time(), tzinfo=UTC)
        world.clock.ahead += ends_on - world.clock.now()
        for act, name in ((world.offer, "anna"), (world.allocate, "bela")):
            assert await world.raising(lambda act=act, name=name: act(assignment, name)) == "work_is_over"
        late = replace(world.cause(), happened_at=ends_on - timedelta(days=9), recorded_late=True)
        await world.works.allocation.offer(world.call(MATCH, "offer", match_id(assignment, "anna"), late))
        assert await world.states(assignment, "anna") == ["offered"]


async def test_cancellation_frees_everything() -> None:
    async with World() as world:
        assignment = await world.shortlisted(FIVE, seats=3)
        await world.allocate(assignment, "anna")
        await world.allocate(assignment, "bela")
        await accepted(world, assignment, "cora")
        await world.cancel(assignment)
        await world.run(twice=True)
        assert await world.states(assignment, *FIVE) == [
            "retracted",
            "retracted",
            "retracting",
            "not_selected",
            "not_selected",
        ]
        match = match_id(assignment, "cora")
        await placed(
            world,
            assignment,
            "cora",
            PlacementCancelled(happened_at=LONG_AGO, match=match, reason="assignment_cancelled"),
        )
        assert await world.states(assignment, "cora") == ["retracted"]
        assert set((await world.holds(assignment)).values()) == {"released"}
        for name in FIVE:
            assert set((await world.pool(person_id(name))).values()) == {"released"}


async def test_an_application_that_slips_past_a_cancellation_is_stopped_by_itself() -> None:
    async with World() as world:
        assignment = await world.shortlisted(FIVE)
        await world.others.expert("fara")
        await world.run()
        selection = world.works.selection
        seen = selection._open_assignment

        async def open_then_cancelled(id: str) -> object:
            state = await seen(id)
            await world.cancel(assignment, "cancel")
            await world.send()
            await world.hear()
            return state

        submission = await world.apply(assignment, "fara")
        selection._open_assignment = open_then_cancelled  # type: ignore[assignment,method-assign]
        await world.decide(submission)
        await world.run()
        late = await world.match(assignment, "fara")
        assert late
        assert (late.status, late.reason) == ("not_selected", "assignment_cancelled")


@pytest.mark.parametrize("seed", range(4))
async def test_a_withdrawn_consent_stops_every_open_match_and_closes_the_pool(seed: int) -> None:
    async with World(seed) as world:
        first = await world.shortlisted(FIVE)
        second = await world.assignment()
        await world.shortlist(second, "anna", "bela", "cora")
        third = await world.assignment()
        await world.apply(third, "anna")
        await world.run()
        await world.allocate(first, "anna")
        await accepted(world, second, "anna")
        withdrawn = ConsentWithdrawn(happened_at=LONG_AGO, purpose="placement")
        await world.others.tell(person_id("anna"), withdrawn)
        await world.run(twice=True)
        assert [(await world.states(one, "anna"))[0] for one in (first, second, third)] == [
            "retracted",
            "retracting",
            "not_selected",
        ]
        assert (await world.states(first, "bela")) == ["allocated"]
        fourth = await world.assignment()
        refused = await world.apply(fourth, "anna")
        await world.decide(refused)
        assert await world.status_of(refused) == ("refused", ["consent_withdrawn"])
        await world.others.tell(person_id("anna"), ConsentGiven(happened_at=LONG_AGO, purpose="placement"))
        await world.run(twice=True)
        again = await world.apply(fourth, "anna", "again")
        await world.decide(again)
        assert await world.status_of(again) == ("accepted", [])


async def test_a_match_that_is_not_there_yet_is_created_as_retracted() -> None:
    async with World() as world:
        assignment = await world.shortlisted(FIVE)
        await world.others.expert("fara")
        await world.run()
        parties = (await world.match(assignment, "anna")).parties  # type: ignore[union-attr]
        assert parties
        theirs = parties.model_copy(update={"expert": expert_id("fara"), "person": person_id("fara")})
        await world.works.promises.take_pool(match_id(assignment, "fara"), theirs)
        suspended = ExpertSuspended(happened_at=LONG_AGO, person=person_id("fara"), reason="unreachable")
        await world.others.tell(expert_id("fara"), suspended)
        await world.run(twice=True)
        assert await world.states(assignment, "fara") == ["retracted"]
        # The replica that held the pool wakes up and can no longer create the match.
        late = await world.apply(assignment, "fara")
        await world.decide(late)
        assert await world.status_of(late) == ("refused", ["match_ended"])


async def test_two_reasons_keep_the_pool_closed_until_both_are_gone() -> None:
    async with World() as world:
        await world.shortlisted(FIVE)
        anna = person_id("anna")
        await world.others.tell(anna, ConsentWithdrawn(happened_at=LONG_AGO, purpose="placement"))
        await world.others.tell(
            expert_id("anna"), ExpertSuspended(happened_at=LONG_AGO, person=anna, reason="unreachable")
        )
        await world.run()
        await world.others.tell(expert_id("anna"), ExpertReinstated(happened_at=LONG_AGO, person=anna))
        await world.run()
        pool = await world.store.load("pools", anna)
        assert pool
        assert pool["closed"]
        await world.others.tell(anna, ConsentGiven(happened_at=LONG_AGO, purpose="placement"))
        await world.run()
        pool = await world.store.load("pools", anna)
        assert pool
        assert pool["closed"] is None


async def test_an_application_waits_for_a_consent_that_is_on_its_way_and_no_longer() -> None:
    async with World() as world:
        await world.others.host()
        await world.run()
        assignment = await world.assignment()
        first = await world.apply(assignment, "anna")
        await world.others.expert("anna", consents=False)
        second = await world.apply(assignment, "bela")
        await world.others.expert("bela", consents=False)
        await world.hear()
        for submission in (first, second):
            with pytest.raises(TooEarly, match="consent"):
                await world.decide(submission)
        await world.others.consents("anna")
        await world.hear()
        assert await world.status_of(first) == ("accepted", [])
        world.later(seconds=61)
        await world.decide(second)
        assert await world.status_of(second) == ("refused", ["no_consent"])
        assert await world.states(assignment, "anna", "bela") == ["longlisted", "missing"]
        assert await world.pool(person_id("bela")) == {}


async def test_a_profile_holds_from_the_offices_own_day_on() -> None:
    """Tomorrow's entry counts at 20:00 UTC in Kabul, where it is tomorrow already."""
    async with World() as world:
        await world.others.host()
        await world.others.expert("anna", education=1)
        await world.run()
        now = world.clock.now()
        world.clock.ahead += now.replace(hour=20, minute=0) + timedelta(days=1) - now
        await world.others.studied("anna", (world.clock.now() + timedelta(days=1)).date())
        await world.run()
        assignment = await world.assignment()
        submission = await world.apply(assignment, "anna")
        await world.decide(submission)
        assert await world.states(assignment, "anna") == ["longlisted"]


async def test_a_decider_that_slept_makes_no_match_of_a_refused_application() -> None:
    async with World() as world:
        await world.others.host()
        await world.others.expert("anna")
        await world.run()
        assignment, anna = await world.assignment(), person_id("anna")
        submission = await world.apply(assignment, "anna")
        promises, asleep, woken = world.works.promises, asyncio.Event(), asyncio.Event()
        take_pool = promises.take_pool

        async def freezing(*claim: Any) -> None:
            promises.take_pool = take_pool  # type: ignore[method-assign]
            asleep.set()
            await woken.wait()
            await take_pool(*claim)

        promises.take_pool = freezing  # type: ignore[method-assign]
        zombie = asyncio.create_task(world.decide(submission))
        await asleep.wait()
        await world.others.tell(anna, ConsentWithdrawn(happened_at=LONG_AGO, purpose="placement"))
        await world.hear()
        await world.decide(submission)
        await world.others.tell(anna, ConsentGiven(happened_at=LONG_AGO, purpose="placement"))
        await world.hear()
        woken.set()
        await zombie
        assert await world.status_of(submission) == ("refused", ["consent_withdrawn"])
        assert await world.match(assignment, "anna") is None
        again = await world.apply(assignment, "anna", "again")
        await world.decide(again)
        assert await world.status_of(again) == ("accepted", [])
        assert await world.states(assignment, "anna") == ["longlisted"]


async def cancelled_after_the_acceptance(world: World) -> tuple[str, str]:
    """Anna accepted, and her placement was cancelled because her visa was refused: the assignment, the ended match."""
    assignment = await world.shortlisted(["anna"], reason="single_candidate")
    await accepted(world, assignment, "anna")
    await world.run()
    match = match_id(assignment, "anna")
    parties = (await world.match(assignment, "anna")).parties  # type: ignore[union-attr]
    opened = PlacementOpened(happened_at=LONG_AGO, match=match, parties=parties, terms=terms())
    cancelled = PlacementCancelled(happened_at=LONG_AGO, match=match, reason="visa_refused")
    await world.others.tell(derived_id(match, "placement"), opened, cancelled)
    await world.run()
    assert await world.states(assignment, "anna") == ["retracted"]
    return assignment, match


async def test_a_pair_whose_placement_was_cancelled_stands_again_in_a_new_round_with_a_reason() -> None:
    async with World() as world:
        assignment, match = await cancelled_after_the_acceptance(world)
        call = world.call(
            ASSIGNMENT,
            "shortlist",
            assignment,
            world.cause("again"),
            experts=(expert_id("anna"),),
            override_reason="single_candidate",
            again_reason="visa_granted",
        )
        await world.works.allocation.shortlist(call)
        await world.works.allocation.shortlist(call)
        await world.run(twice=True)
        following = derived_id(match, "round")
        _, state = await world.kernel.load(MATCHES, following)
        assert state
        assert (state.status, state.previous, state.again_reason) == ("allocated", match, "visa_granted")
        for verb in ("offer", "accept"):
            await getattr(world.works.allocation, verb)(world.call(MATCH, verb, following))
        await world.run(twice=True)
        assert (await world.kernel.load(MATCHES, following))[1].status == "accepted"  # type: ignore[union-attr]
        assert (await world.of(assignment)).status == "filled"
        # Her placement is another one, so that nothing of the cancelled one stands in its way.
        assert derived_id(following, "placement") != derived_id(match, "placement")
        assert await world.pool(person_id("anna")) == {match: "released", following: "confirmed"}


async def test_a_pair_whose_match_has_ended_is_refused_with_what_would_be_right() -> None:
    async with World() as world:
        assignment, _ = await cancelled_after_the_acceptance(world)
        call = world.call(
            ASSIGNMENT, "shortlist", assignment, experts=(expert_id("anna"),), override_reason="single_candidate"
        )
        with pytest.raises(Refusal, match="match_ended") as refused:
            await world.works.allocation.shortlist(call)
        assert (refused.value.problems[0].pointer, "again_reason" in refused.value.detail) == ("/experts/0", True)
        submission = await world.apply(assignment, "anna")
        await world.decide(submission)
        assert await world.status_of(submission) == ("refused", ["match_ended"])
        standing = world.works.selection.standing
        assert await standing(assignment, expert_id("anna")) == (match_id(assignment, "anna"), "retracted")
        assert await standing(assignment, expert_id("bela")) == (match_id(assignment, "bela"), None)


async def test_an_expert_who_declined_is_not_asked_again_by_a_new_round() -> None:
    async with World() as world:
        assignment = await world.shortlisted(FIVE)
        await world.allocate(assignment, "anna")
        await world.offer(assignment, "anna")
        await world.do(assignment, "anna", "decline", reason="family")
        await world.run()
        call = world.call(
            ASSIGNMENT, "shortlist", assignment, experts=(expert_id("anna"),), again_reason="available_again"
        )
        assert await world.raising(lambda: world.works.allocation.shortlist(call)) == "match_ended"


async def test_whoever_declined_by_mistake_stands_again_in_a_new_round() -> None:
    async with World() as world:
        assignment = await world.shortlisted(FIVE)
        await world.allocate(assignment, "anna")
        await world.offer(assignment, "anna")
        await world.do(assignment, "anna", "decline", reason="family")
        await world.run(twice=True)
        match = match_id(assignment, "anna")
        take_back = world.works.putting_right.of_matches["take-back"]
        await take_back(world.call(MATCH, "take-back", match, world.cause("undo"), reason="mistake"))
        await take_back(world.call(MATCH, "take-back", match, world.cause("undo"), reason="mistake"))
        await world.run(twice=True)
        # The next one has the seat by now; what was taken from nobody is given to nobody.
        assert await world.states(assignment, "anna") == ["retracted"]
        again = {"experts": (expert_id("anna"),), "override_reason": "single_candidate", "again_reason": "mistake"}
        await world.works.allocation.shortlist(world.call(ASSIGNMENT, "shortlist", assignment, **again))
        await world.run(twice=True)
        _, state = await world.kernel.load(MATCHES, derived_id(match, "round"))
        assert state is not None
        assert (state.status, state.previous, state.again_reason) == ("reserve", match, "mistake")
