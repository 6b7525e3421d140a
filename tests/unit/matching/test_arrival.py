"""Every message twice, out of order over the topics, with crashes in between: the same end."""

from __future__ import annotations

import contextlib
import itertools
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.matching.domain.assignments import ASSIGNMENT
from services.matching.domain.matches import MATCH
from services.matching.handlers import handlers
from services.matching.store import ASSIGNMENTS, MATCHES, SHADOWS, pool_key
from shared.clock import derived_id, instant_of
from shared.contracts.placement.placements import PlacementCancelled, PlacementOpened
from shared.contracts.registration.experts import ExpertDeclaredIneligible, ExpertSuspended
from shared.contracts.registration.persons import ConsentWithdrawn
from shared.errors import Refusal, TooEarly
from shared.intake.submissions import SUBMISSIONS
from shared.messaging.handlers import Delivery
from shared.store.aggregates import Cause
from tests.unit.matching.facts import LONG_AGO, OFFICE, expert_id, person_id, terms
from tests.unit.matching.world import World, match_id, types_of

ANNA = person_id("anna")
FIVE = ["anna", "bela", "cora", "dina", "edda"]


async def nobody_hears(_delivery: Delivery) -> None:
    pass


async def test_what_waits_is_brought_back_by_what_is_heard_elsewhere() -> None:
    """Another replica hears of the expert: what waits is found in the store, whoever tried it."""
    async with World() as world:
        assignment = await world.assignment()
        submission = await world.apply(assignment, "anna")
        with pytest.raises(TooEarly):
            await world.decide(submission)
        world.works.selection.waiting.forget(submission)
        await world.others.expert("anna")
        await world._deliver_all(twice=True)
        assert await world.status_of(submission) == ("accepted", [])
        assert await world.store.count(SUBMISSIONS.name, "awaits", expert_id("anna")) == 0


async def test_whoever_is_screened_for_long_is_told_of_once_and_tried_ever_more_rarely() -> None:
    async with World() as world:
        await world.others.person("anna")
        await world.others.registered("anna")
        await world.run()
        assignment = await world.assignment()
        submission = await world.apply(assignment, "anna")
        waits = list[int]()
        with capture_logs() as logs:
            for _ in range(8):
                with pytest.raises(TooEarly):
                    await world.decide(submission)
                document = await world.store.load(SUBMISSIONS.name, submission)
                assert document
                waits.append(round((instant_of(document["next_at"]) - world.clock.now()).total_seconds()))
        assert waits == [10, 20, 40, 80, 160, 300, 300, 300]
        said = [(one["log_level"], one["reason"]) for one in logs if one["event"] == "submission_waits"]
        assert said == [("warning", "eligibility")]
        backlog = await world.replica.backlog()
        assert (backlog.undecided, backlog.awaiting, backlog.caught_up) == (0, 1, False)
        await world.others.eligible("anna")
        await world._deliver_all(twice=True)
        assert await world.status_of(submission) == ("accepted", [])
        backlog = await world.replica.backlog()
        assert (backlog.undecided, backlog.awaiting) == (0, 0)


@pytest.mark.parametrize(
    ("event", "rule"),
    [
        (
            ExpertDeclaredIneligible(happened_at=LONG_AGO, person=person_id("anna"), criteria=("age",)),
            "expert_ineligible",
        ),
        (ExpertSuspended(happened_at=LONG_AGO, person=person_id("anna"), reason="conduct"), "expert_suspended"),
    ],
)
async def test_what_ends_the_wait_is_answered_at_once(event: Any, rule: str) -> None:
    async with World() as world:
        await world.others.person("anna")
        await world.others.registered("anna")
        await world.run()
        submission = await world.apply(await world.assignment(), "anna")
        with pytest.raises(TooEarly):
            await world.decide(submission)
        await world.others.tell(expert_id("anna"), event)
        await world._deliver_all(twice=True)
        assert await world.status_of(submission) == ("refused", [rule])


class Crash(BaseException):
    """The process is gone: nothing catches this."""


async def test_an_application_waits_until_eligibility_and_profile_are_known() -> None:
    async with World() as world:
        assignment = await world.assignment()
        submission = await world.apply(assignment, "anna")
        for step in (world.others.registered, world.others.eligible):
            await world._undecided()
            assert await world.status_of(submission) == ("pending", [])
            await step("anna")
            await world._deliver_all(twice=False)
        assert await world.match(assignment, "anna") is None
        await world.others.person("anna")
        await world._deliver_all(twice=False)
        # What was heard decided it at once; its timer had not come yet.
        assert await world.status_of(submission) == ("accepted", [])
        assert await world.states(assignment, "anna") == ["longlisted"]


async def test_an_application_heals_by_its_timer_alone() -> None:
    async with World() as world:
        assignment = await world.assignment()
        submission = await world.apply(assignment, "anna")
        await world._undecided()
        await world.others.expert("anna")
        with pytest.MonkeyPatch.context() as patch:
            # A stop between what is known and whoever waits to hear of it.
            patch.setattr(world.works.selection.waiting, "heard", nobody_hears)
            world.replica.listens(handlers(world.works))
            await world._deliver_all(twice=False)
        assert (await world.status_of(submission))[0] == "pending"
        world.later(seconds=11)
        await world.fire()
        assert await world.status_of(submission) == ("accepted", [])


async def test_an_expert_who_never_was_is_refused_in_the_end() -> None:
    async with World() as world:
        assignment = await world.assignment()
        submission = await world.apply(assignment, "nobody")
        world.later(days=8)
        await world.decide(submission)
        assert await world.status_of(submission) == ("refused", ["expert_unknown"])


async def test_who_is_not_eligible_or_of_another_programme_is_refused() -> None:
    async with World() as world:
        assignment = await world.assignment()
        await world.others.person("anna")
        await world.others.registered("anna")
        event = ExpertDeclaredIneligible(happened_at=LONG_AGO, person=person_id("anna"), criteria=("age",))
        await world.others.tell(expert_id("anna"), event)
        await world.others.person("bela")
        await world.others.registered("bela", "example-2")
        await world.run()
        submission = await world.apply(assignment, "anna")
        await world.decide(submission)
        assert await world.status_of(submission) == ("refused", ["expert_ineligible"])
        call = world.call(ASSIGNMENT, "shortlist", assignment, experts=(expert_id("bela", "example-2"),))
        with pytest.raises(Exception, match="expert_of_another_programme"):
            await world.works.shortlists.decide(call)


async def test_who_fails_a_hard_filter_has_applied_and_is_not_selected() -> None:
    async with World() as world:
        assignment = await world.assignment()
        await world.others.expert("anna", education=3)
        submission = await world.apply(assignment, "anna")
        await world.run(twice=True)
        assert await world.status_of(submission) == ("accepted", [])
        one = await world.match(assignment, "anna")
        assert one
        assert (one.status, one.criteria) == ("not_selected", ("education",))
        assert await world.pool(person_id("anna")) == {match_id(assignment, "anna"): "released"}


async def test_a_second_application_is_refused_and_the_first_repeated() -> None:
    async with World() as world:
        assignment = await world.assignment()
        await world.others.expert("anna")
        await world.run()
        first = await world.apply(assignment, "anna")
        await world.decide(first)
        second = await world.apply(assignment, "anna", "once more")
        await world.decide(second)
        assert await world.status_of(second) == ("refused", ["already_matched"])
        assert len(types_of(await world.records("matching.matches"))) == 2


async def test_a_shortlist_has_its_bounds() -> None:
    async with World() as world:
        assignment = await world.assignment()
        for name in (*FIVE, "fara", "gita"):
            await world.others.expert(name)
        await world.run()
        assert await world.raising(lambda: world.shortlist(assignment)) == "shortlist_too_short"
        assert await world.raising(lambda: world.shortlist(assignment, "anna", "bela")) == "shortlist_too_short"
        assert await world.raising(lambda: world.shortlist(assignment, "nobody")) == "expert_unknown"
        await world.shortlist(assignment, *FIVE, "fara", "gita")
        state = await world.of(assignment)
        experts = sorted(expert_id(name) for name in (*FIVE, "fara", "gita"))
        assert state.shortlisted == tuple(derived_id(assignment, expert) for expert in experts[:5])
        await world.shortlist(assignment, reason="few_candidates")
        assert ((await world.of(assignment)).round, len((await world.of(assignment)).shortlisted)) == (2, 7)


async def test_an_earlier_return_counts_against_first_timers_points() -> None:
    async with World() as world:
        await world.others.expert("anna")
        await world.run()
        first, second = await world.assignment(), await world.assignment()
        await world.decide(await world.apply(first, "anna"))
        one = await world.match(first, "anna")
        assert one
        assert one.parties
        from shared.contracts.placement.placements import ReturnStarted

        opened = PlacementOpened(
            happened_at=LONG_AGO, match=match_id(first, "anna"), parties=one.parties, terms=terms()
        )
        placement = derived_id(match_id(first, "anna"), "placement")
        await world.others.tell(placement, opened, ReturnStarted(happened_at=LONG_AGO))
        await world.run(twice=True)
        await world.decide(await world.apply(second, "anna"))
        two = await world.match(second, "anna")
        assert two
        assert (one.score or 0) - (two.score or 0) == 10


async def story(world: World, *, twice: bool) -> tuple[list[str], list[str], str]:
    """Applications, a shortlist, a decline, an acceptance that placement gives back, another acceptance."""
    await world.others.host()
    assignment = await world.assignment()
    for name in FIVE:
        await world.apply(assignment, name)
    for place, name in enumerate(FIVE):
        await world.others.expert(name, experience_years=12 - place)
    await world.run(twice=twice)
    await world.shortlist(assignment)
    await world.allocate(assignment, "anna")
    await world.offer(assignment, "anna")
    await world.do(assignment, "anna", "decline", reason="family")
    await world.run(twice=twice)
    await world.offer(assignment, "bela")
    await world.accept(assignment, "bela")
    await world.run(twice=twice)
    bela = await world.match(assignment, "bela")
    assert bela
    assert bela.parties
    match = match_id(assignment, "bela")
    await world.others.tell(
        derived_id(match, "placement"),
        PlacementOpened(happened_at=LONG_AGO, match=match, parties=bela.parties, terms=terms()),
        PlacementCancelled(happened_at=LONG_AGO, match=match, reason="ill"),
    )
    await world.run(twice=twice)
    await world.offer(assignment, "cora")
    await world.accept(assignment, "cora")
    await world.run(twice=twice)
    return (
        await world.states(assignment, *FIVE),
        sorted(types_of(await world.records("matching.matches"))),
        (await world.of(assignment)).status,
    )


@pytest.mark.parametrize("seed", range(12))
async def test_the_order_of_arrival_changes_nothing(seed: int) -> None:
    async with World() as plain:
        wanted = await story(plain, twice=False)
    assert wanted[0] == ["declined", "retracted", "accepted", "reserve", "reserve"]
    assert wanted[2] == "filled"
    async with World(seed) as world:
        assert await story(world, twice=True) == wanted
        for aggregate, topic in ((ASSIGNMENTS, "matching.assignments"), (MATCHES, "matching.matches")):
            states = {id: document["state"] for id, document in (await world.kept(aggregate.name)).items()}
            assert await world.folded(aggregate, topic) == states


async def test_no_attribute_of_a_person_is_on_a_topic_of_matching() -> None:
    async with World() as world:
        await story(world, twice=False)
        for topic in ("matching.assignments", "matching.matches"):
            for record in await world.records(topic):
                body = record.value or b""
                assert not any(word in body for word in (b"birth_year", b'"sex"', b"nationality", b"female"))


class Crashing:
    """A store whose n-th save ends the process, before it or after it."""

    def __init__(self, world: World, at: int, after: bool) -> None:
        self._save = world.store.save
        self._left = at
        self._after = after
        self.crashed = False

    async def save(self, collection: str, document: Any, expected_version: int) -> None:
        self._left -= 1
        if self._left == 0 and not self._after:
            self.crashed = True
            raise Crash
        await self._save(collection, document, expected_version)
        if self._left == 0:
            self.crashed = True
            raise Crash


@pytest.mark.parametrize(("after", "wait"), [(False, 61), (True, 0)])
async def test_a_crash_between_any_two_saves_of_the_succession_heals(after: bool, wait: int) -> None:
    for at in itertools.count(1):
        async with World(at) as world:
            assignment = await world.shortlisted(FIVE)
            await world.allocate(assignment, "anna")
            await world.offer(assignment, "anna")
            await world.do(assignment, "anna", "decline", reason="family")
            await world.send()
            crashing = Crashing(world, at, after)
            world.store.save = crashing.save  # type: ignore[method-assign]
            while True:
                try:
                    await world.run()
                    break
                except Crash:
                    world.later(seconds=wait)
                    if wait:
                        await world.fire()
            states = await world.states(assignment, *FIVE)
            assert [state in ("allocated",) for state in states].count(True) == 1, (at, states)
            assert list((await world.holds(assignment)).values()).count("confirmed") == 1
            assert "held" not in (await world.holds(assignment)).values()
            if not wait:
                assert states == ["declined", "allocated", "reserve", "reserve", "reserve"]
            if not crashing.crashed:
                # There were not so many saves.
                break
    assert at > 11


async def test_a_shortlist_that_is_refused_has_changed_nothing() -> None:
    """Whoever was named stands nowhere, whatever it was refused for, and the officer may name them anew."""
    async with World() as world:
        await world.others.host()
        for name in FIVE:
            await world.others.expert(name)
        await world.others.expert("weak", education=3)
        await world.others.expert("gone")
        await world.others.tell(person_id("gone"), ConsentWithdrawn(happened_at=LONG_AGO, purpose="placement"))
        assignment = await world.assignment()
        await world.run(twice=True)
        before = {name: await world.kept(name) for name in world.replica.collections}
        with pytest.raises(Refusal) as refused:
            await world.shortlist(assignment, "anna", "weak")
        assert [(one.rule, one.pointer) for one in refused.value.problems] == [
            ("shortlist_too_short", "/override_reason"),
            ("hard_filters", "/experts/1"),
        ]
        assert refused.value.problems[1].detail == "does not pass: education"
        with pytest.raises(Refusal) as refused:
            await world.shortlist(assignment, *FIVE, "gone")
        assert [(one.rule, one.pointer) for one in refused.value.problems] == [("consent_withdrawn", "/experts/5")]
        assert {name: await world.kept(name) for name in world.replica.collections} == before
        await world.run(twice=True)
        assert {name: await world.kept(name) for name in world.replica.collections} == before
        await world.shortlist(assignment, *FIVE, "weak")
        assert await world.states(assignment, *FIVE, "weak") == ["shortlisted"] * 5 + ["not_selected"]


@pytest.mark.parametrize("after", [False, True])
async def test_a_crash_between_any_two_saves_of_a_shortlist_heals(after: bool) -> None:
    for at in itertools.count(1):
        async with World(at) as world:
            await world.others.host()
            for name in FIVE:
                await world.others.expert(name)
            await world.run()
            assignment = await world.assignment()
            experts = tuple(expert_id(name) for name in FIVE)
            call = world.call(ASSIGNMENT, "shortlist", assignment, experts=experts)
            crashing, save = Crashing(world, at, after), world.store.save
            world.store.save = crashing.save  # type: ignore[method-assign]
            with contextlib.suppress(Crash):
                await world.works.allocation.shortlist(call)
            world.store.save = save  # type: ignore[method-assign]
            decided = (await world.of(assignment)).round == 1
            await world.run(twice=True)
            assert await world.states(assignment, *FIVE) == ["shortlisted" if decided else "missing"] * 5, at
            assert (await world.works.allocation.shortlist(call)).repeated == decided
            await world.run(twice=True)
            assert await world.states(assignment, *FIVE) == ["shortlisted"] * 5, at
            assert (await world.of(assignment)).round == 1
            if not crashing.crashed:
                break
    assert at > 11


async def test_who_is_stopped_between_the_decision_and_its_effect_stands_as_taken_back() -> None:
    async with World() as world:
        await world.others.host()
        for name in FIVE:
            await world.others.expert(name)
        await world.run()
        assignment = await world.assignment()
        experts = tuple(expert_id(name) for name in FIVE)
        await world.works.shortlists.decide(world.call(ASSIGNMENT, "shortlist", assignment, experts=experts))
        await world.others.tell(person_id("bela"), ConsentWithdrawn(happened_at=LONG_AGO, purpose="placement"))
        await world.hear()
        await world.run(twice=True)
        assert await world.states(assignment, "anna", "bela", "cora") == ["shortlisted", "retracted", "shortlisted"]
        bela = await world.match(assignment, "bela")
        assert bela
        assert bela.reason == "consent_withdrawn"


async def test_a_round_that_follows_a_crash_takes_nobody_of_the_round_before() -> None:
    async with World() as world:
        await world.others.host()
        for name in FIVE:
            await world.others.expert(name)
        await world.run()
        assignment = await world.assignment()
        for names in (FIVE[:3], FIVE[2:]):
            call = world.call(
                ASSIGNMENT,
                "shortlist",
                assignment,
                experts=tuple(expert_id(name) for name in names),
                override_reason="few_candidates",
            )
            await world.works.shortlists.decide(call)
        state = await world.of(assignment)
        assert (state.round, len(state.shortlisted), len(set(state.shortlisted))) == (2, 5, 5)
        await world.run(twice=True)
        assert await world.states(assignment, *FIVE) == ["shortlisted"] * 5


async def test_a_shortlist_that_crashed_after_its_decision_is_finished_by_its_event() -> None:
    async with World() as world:
        await world.others.host()
        for name in FIVE:
            await world.others.expert(name)
        await world.run()
        assignment = await world.assignment()
        experts = tuple(expert_id(name) for name in FIVE)
        call = world.call(ASSIGNMENT, "shortlist", assignment, experts=experts)
        await world.works.shortlists.decide(call)
        assert await world.states(assignment, *FIVE) == ["missing"] * 5
        again = await world.works.shortlists.decide(call)
        assert again.repeated
        await world.run(twice=True)
        assert await world.states(assignment, *FIVE) == ["shortlisted"] * 5
        assert types_of(await world.records("matching.assignments")).count("AssignmentMatchingStarted") == 1


async def test_a_late_record_has_no_running_offer() -> None:
    async with World() as world:
        assignment = await world.shortlisted(FIVE)
        await world.allocate(assignment, "anna")
        match = match_id(assignment, "anna")
        now = world.clock.now()
        world.later(days=40)
        late = Cause(derived_id("late"), "", happened_at=now + timedelta(hours=1), recorded_late=True)
        await world.works.allocation.offer(world.call(MATCH, "offer", match, late))
        await world.fire()
        assert await world.states(assignment, "anna") == ["offered"]
        answered = Cause(derived_id("late answer"), "", happened_at=now + timedelta(days=9), recorded_late=True)
        await world.works.allocation.accept(world.call(MATCH, "accept", match, answered))
        await world.run(twice=True)
        assert await world.states(assignment, "anna", "bela") == ["accepted", "reserve"]


async def test_what_is_known_follows_the_events() -> None:
    async with World() as world:
        await world.others.host()
        await world.others.expert("anna", account=derived_id("account", "anna"))
        await world.run(twice=True)
        shadow = await world.store.load(SHADOWS.name, expert_id("anna"))
        assert shadow
        known = shadow["knowledge"]["expert"]
        assert (known["screening"], known["office"]) == ("eligible", OFFICE)
        assert [one["_id"] for one in await world.store.find(SHADOWS.name, "pool", pool_key("example-1", OFFICE))] == [
            expert_id("anna")
        ]
        found = await world.store.find(SHADOWS.name, "account", derived_id("account", "anna"))
        assert [one["_id"] for one in found] == [person_id("anna")]


async def test_whose_identity_is_not_settled_is_known_as_one_who_is_screened() -> None:
    """What an application is answered tells nothing of a document number that others hold."""
    async with World() as world:
        await world.others.registered("anna")
        await world.others.clashing("bela")
        await world.run(twice=True)
        known = [await world.store.load(SHADOWS.name, expert_id(name)) for name in ("anna", "bela")]
        plain, clashing = [{**one["knowledge"]["expert"], "person": ""} for one in known if one]
        assert clashing == plain
        assert await world.store.find(SHADOWS.name, "pool", pool_key("example-1", OFFICE)) == []


async def test_an_event_is_applied_although_the_application_that_waited_for_it_fails() -> None:
    async with World() as world:
        assignment = await world.assignment()
        submission = await world.apply(assignment, "anna")
        with pytest.raises(TooEarly):
            await world.decide(submission)
        selection = world.works.selection

        async def failing(*_: Any) -> None:
            raise ZeroDivisionError

        selection.entry = failing  # type: ignore[method-assign,assignment]
        await world.others.host()
        await world.others.expert("anna")
        await world.hear()
        for subject in (expert_id("anna"), person_id("anna")):
            shadow = await world.store.load("shadows", subject)
            assert shadow
            assert shadow["parked"] == []
        assert await world.status_of(submission) == ("pending", [])
