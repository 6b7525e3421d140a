"""An assignment that goes to another office: what hangs on it goes too, once, whatever comes in between."""

from __future__ import annotations

from typing import Any

import pytest

from services.matching.domain.assignments import ASSIGNMENT
from services.matching.domain.knowledge import OfAnotherOffice
from services.matching.domain.matches import MATCH, Entry
from services.matching.store import ASSIGNMENTS, MATCHES
from services.matching.work.selection import match_of
from shared.cases.case import TAKE
from shared.cases.taking import taken_by
from shared.cases.transfers import ACCEPT, ASK
from shared.contracts.matching.matches import MatchTransferred
from shared.contracts.registration.experts import ExpertTransferred
from shared.contracts.registration.institutions import InstitutionTransferred
from shared.errors import Unavailable
from shared.messaging.reading import parse
from tests.unit.matching.facts import HOST, LONG_AGO, OFFICE, expert_id, terms
from tests.unit.matching.world import World, match_id

OTHER = "tbilisi"
OFFICES = {OFFICE: "Asia/Kabul", OTHER: "Asia/Tbilisi"}


async def passed_on(world: World, assignment: str) -> None:
    asks = ASSIGNMENT.ask(ASK, OFFICES, to_office=OTHER, reason="office_closes")
    for command in (asks, ASSIGNMENT.ask(ACCEPT, OFFICES)):
        await world.kernel.execute(ASSIGNMENTS, assignment, command, world.cause())


async def offices(world: World, assignment: str, *names: str) -> set[str | None]:
    found = [await world.match(assignment, name) for name in names]
    return {one.parties.office for one in found if one}


async def followed(world: World) -> list[str]:
    read = [parse(record) for record in await world.records("matching.matches")]
    return [one[0].subject for one in read if isinstance(one, tuple) and isinstance(one[1], MatchTransferred)]


async def test_every_match_follows_once_however_often_it_is_heard() -> None:
    async with World() as world:
        assignment = await world.shortlisted(["anna", "bert", "carl"])
        await world.allocate(assignment, "anna")
        await world.offer(assignment, "anna")
        await world.do(assignment, "bert", "withdraw", reason="family")
        await world.run()
        anna, everybody = match_id(assignment, "anna"), ("anna", "bert", "carl")
        taken = await world.kernel.execute(MATCHES, anna, MATCH.ask(TAKE), world.cause(account="x"))
        assert taken_by(taken.document) == "x"
        before = await world.holds(assignment), await world.states(assignment, *everybody)
        await passed_on(world, assignment)
        await world.run(twice=True)
        assert await offices(world, assignment, *everybody) == {OTHER}
        assert sorted(await followed(world)) == sorted(match_id(assignment, one) for one in everybody)
        # Who had it was of the other office; seats and where each stands are as before.
        assert taken_by((await world.kept(MATCHES.name))[anna]) is None
        assert (await world.holds(assignment), await world.states(assignment, *everybody)) == before
        assert (await world.of(assignment)).time_zone == "Asia/Tbilisi"
        # What follows belongs to the new office too.
        await world.accept(assignment, "anna")
        await world.run()
        records = [parse(record) for record in await world.records("matching.matches")]
        said = {one[1].parties.office for one in records if isinstance(one, tuple) and hasattr(one[1], "terms")}
        assert said == {OFFICE, OTHER}
        folded = await world.folded(MATCHES, "matching.matches")
        assert all(state["parties"]["office"] == OTHER for state in folded.values())


async def test_what_a_crash_left_between_two_matches_is_done_by_the_next_delivery(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with World() as world:
        assignment = await world.shortlisted(["anna", "bert", "carl"])
        execute, done = world.kernel.execute, list[str]()

        async def stopping(aggregate: Any, id: str, command: Any, *how: Any, **more: Any) -> Any:
            if getattr(command, "verb", "") == "follow":
                done.append(id)
                if len(done) == 2:
                    raise Unavailable
            return await execute(aggregate, id, command, *how, **more)

        await passed_on(world, assignment)
        monkeypatch.setattr(world.kernel, "execute", stopping)
        await world.send()
        with pytest.raises(Unavailable):
            await world.hear()
        assert await offices(world, assignment, "anna", "bert", "carl") == {OFFICE, OTHER}
        await world.run()
        assert await offices(world, assignment, "anna", "bert", "carl") == {OTHER}
        assert len(await followed(world)) == 3


async def test_an_application_that_was_read_before_and_saved_after_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    async with World() as world:
        await world.others.host()
        await world.others.expert("anna")
        await world.run()
        assignment = await world.assignment()
        take_pool = world.works.promises.take_pool

        async def meanwhile(*how: Any) -> None:
            await passed_on(world, assignment)
            # Its event is heard before the match is there.
            await world.send()
            await world.hear()
            await take_pool(*how)

        monkeypatch.setattr(world.works.promises, "take_pool", meanwhile)
        await world.decide(await world.apply(assignment, "anna"))
        assert await offices(world, assignment, "anna") == {OTHER}
        assert await followed(world) == [match_id(assignment, "anna")]


async def test_the_office_of_an_expert_and_of_a_host_is_the_one_that_was_told_last() -> None:
    async with World() as world:
        assignment = await world.shortlisted(["anna"], reason="few_candidates")
        await world.others.expert("bert")
        moved = {"happened_at": LONG_AGO, "office": OTHER, "left": OFFICE}
        await world.others.tell(expert_id("bert"), ExpertTransferred(**moved))
        await world.others.tell(HOST, InstitutionTransferred(**moved))
        await world.run()
        call = world.call(ASSIGNMENT, "shortlist", assignment, experts=(expert_id("bert"),), override_reason="urgent")
        assert await world.raising(lambda: world.works.allocation.shortlist(call)) == "expert_unknown"
        # Its own request is the host's still; another one it makes in its new office.
        draft = await world.draft()
        await world.works.requests.revise(world.call(ASSIGNMENT, "revise", draft, terms=terms(seats=2)))
        said: Any = {"office": OFFICE, "programme": "example-1", "title": "Terms", "terms": terms()}
        new = world.call(ASSIGNMENT, "create", "another", **said)
        drafting = world.works.requests.draft(new.id, new.body, new.cause)
        assert await world.raising(lambda: drafting) == "institution_of_another_office"
        await passed_on(world, assignment)
        await world.run()
        again = world.call(ASSIGNMENT, "shortlist", assignment, experts=(expert_id("bert"),), override_reason="urgent")
        await world.works.allocation.shortlist(again)
        await world.run()
        assert await offices(world, assignment, "anna", "bert") == {OTHER}


async def test_whoever_has_a_match_is_named_again_by_the_office_that_has_the_assignment_now() -> None:
    async with World() as world:
        assignment = await world.shortlisted(["anna", "bert", "carl"])
        await world.others.expert("dora")
        await world.do(assignment, "anna", "withdraw", reason="family")
        await passed_on(world, assignment)
        await world.run(twice=True)

        def naming(name: str) -> Any:
            said = {"experts": (expert_id(name),), "override_reason": "urgent", "again_reason": "available_again"}
            return world.call(ASSIGNMENT, "shortlist", assignment, **said)

        # Of an expert of the other office who never stood here, the new one learns nothing.
        assert await world.raising(lambda: world.works.allocation.shortlist(naming("dora"))) == "expert_unknown"
        await world.works.allocation.shortlist(naming("anna"))
        await world.run(twice=True)
        again = match_of(Entry.model_construct(previous=match_id(assignment, "anna")))
        _, state = await world.kernel.load(MATCHES, again)
        assert state
        assert (state.status, state.parties.office, state.previous) == (
            "shortlisted",
            OTHER,
            match_id(assignment, "anna"),
        )


async def test_an_officer_who_applies_for_whoever_stands_here_is_told_so_after_the_transfer() -> None:
    async with World() as world:
        assignment = await world.shortlisted(["anna"], reason="few_candidates")
        await passed_on(world, assignment)
        await world.run()
        state, selection = await world.of(assignment), world.works.selection
        await selection.check_filing(state, expert_id("anna"), own=False, stood=True)
        with pytest.raises(OfAnotherOffice):
            await selection.check_filing(state, expert_id("anna"), own=False, stood=False)
        submission = await world.apply(assignment, "anna")
        await world.decide(submission)
        assert await world.status_of(submission) == ("refused", ["already_matched"])
