"""An institution that may not host: nobody is sought for it or sent to it, what stands goes on, and it heals."""

from __future__ import annotations

from typing import Any

import pytest

from services.matching.domain.assignments import ASSIGNMENT
from services.matching.domain.knowledge import NotHeard, check_active
from services.matching.store import ASSIGNMENTS
from shared.clock import derived_id
from shared.contracts.base import Event
from shared.contracts.registration.institutions import InstitutionActivated, InstitutionClosed, InstitutionPutOnHold
from shared.errors import Refusal
from tests.unit.matching.facts import HOST, LONG_AGO, OFFICE
from tests.unit.matching.world import World
from tests.unit.pages.test_cases import reader

NOT_ACTIVE = "institution_not_active"
ENDS = (
    InstitutionPutOnHold(happened_at=LONG_AGO, reason="relocating"),
    InstitutionClosed(happened_at=LONG_AGO, reason="merged"),
)


async def told(world: World, event: Event) -> None:
    await world.others.tell(HOST, event)
    await world.run(twice=True)


async def active(world: World) -> None:
    await told(world, InstitutionActivated(happened_at=LONG_AGO))


def test_what_was_not_heard_of_comes_too_early_and_what_is_not_active_is_refused() -> None:
    with pytest.raises(NotHeard):
        check_active({})
    for status in ("proposed", "assessed", "partner", "on_hold", "closed"):
        with pytest.raises(Refusal) as refused:
            check_active({"institution": {"status": status}})
        assert refused.value.rule == NOT_ACTIVE
    check_active({"institution": {"status": "active"}})


@pytest.mark.parametrize("ends", ENDS)
async def test_no_step_is_taken_towards_people_while_it_may_not_host(ends: Event) -> None:
    async with World() as world:
        drafted = await world.draft()
        for verb, account in (("submit", "one"), ("approve", "two"), ("publish", "one")):
            call = world.call(ASSIGNMENT, verb, drafted, world.cause(account=account))
            await told(world, ends)
            before = await world.kept(ASSIGNMENTS.name)
            assert await world.raising(lambda call=call: world.works.requests.go_on(call)) == NOT_ACTIVE
            assert await world.kept(ASSIGNMENTS.name) == before
            await active(world)
            await world.works.requests.go_on(call)
            await told(world, ends)
            # Whoever repeats what was done is answered as before.
            assert (await world.works.requests.go_on(call)).repeated
        assert (await world.of(drafted)).status == "published"
        # What its own state refuses is told first.
        again = world.call(ASSIGNMENT, "submit", drafted)
        assert await world.raising(lambda: world.works.requests.go_on(again)) == "illegal_transition"


@pytest.mark.parametrize("ends", ENDS)
async def test_nobody_is_named_seated_or_offered_anything_there_and_an_accepted_offer_goes_on(ends: Event) -> None:
    async with World() as world:
        assignment = await world.shortlisted(["anna", "bela", "cora"], seats=2)
        await world.allocate(assignment, "anna")
        await world.offer(assignment, "anna")
        await world.allocate(assignment, "bela")
        submission = await world.apply(assignment, "dora")
        await told(world, ends)
        refused: list[Any] = [
            lambda: world.shortlist(assignment, "anna", reason="urgent"),
            lambda: world.allocate(assignment, "cora"),
            lambda: world.offer(assignment, "bela"),
        ]
        assert [await world.raising(one) for one in refused[:1] + refused[2:]] == [NOT_ACTIVE] * 2
        assert await world.status_of(submission) == ("refused", [NOT_ACTIVE])
        await world.accept(assignment, "anna")
        await world.run(twice=True)
        assert await world.states(assignment, "anna", "bela") == ["accepted", "allocated"]
        await active(world)
        await world.offer(assignment, "bela")
        assert await world.states(assignment, "bela") == ["offered"]


async def test_a_seat_is_given_by_nobody_while_it_may_not_host() -> None:
    async with World() as world:
        assignment = await world.shortlisted(["anna", "bela", "cora"])
        await told(world, ENDS[0])
        assert await world.raising(lambda: world.allocate(assignment, "anna")) == NOT_ACTIVE
        # Nothing is held for a seat that was not given.
        assert await world.holds(assignment) == {}
        await active(world)
        await world.allocate(assignment, "anna")
        assert await world.states(assignment, "anna") == ["allocated"]


async def test_pages_list_no_vacancy_of_it_and_say_what_is_missing() -> None:
    async with World() as world:
        await world.others.expert("ada", account := derived_id("account", "ada"))
        await world.run()
        vacancy, drafted = await world.assignment(), await world.draft()
        await told(world, ENDS[0])
        page, form = f"/matching/assignments/{vacancy}", f"/matching/assignments/{drafted}/submit"
        listed, link = "/matching/vacancies", f'href="/matching/vacancies/{vacancy}"'
        said = "This institution cannot host at present"
        app = ("matching", world.service.app, world.keys, world.clock)
        async with reader(*app, office=OFFICE) as officer:
            shut = (await officer.get(page)).text
            assert (said in shut, f'href="{page}/shortlist"' in shut) == (True, False)
            assert said in (await officer.get(form)).text
            assert link not in (await officer.get(listed)).text
        async with reader(*app, office="tbilisi") as other:
            assert link not in (await other.get(listed)).text
        async with reader(*app, "expert", office=None, account=account) as expert:
            assert link not in (await expert.get(listed)).text
            assert (await expert.get(f"{listed}/{vacancy}")).status_code == 404
            await active(world)
            assert link in (await expert.get(listed)).text
            assert (await expert.get(f"{listed}/{vacancy}")).status_code == 200
        async with reader(*app, office=OFFICE) as officer:
            opened = (await officer.get(page)).text
            assert (said in opened, f'href="{page}/shortlist"' in opened) == (False, True)
