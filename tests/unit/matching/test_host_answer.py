"""Where the programme asks the host, nobody is offered anything before it agrees, and whom it refuses gives way."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.matching.domain.assignments import ASSIGNMENT
from services.matching.domain.matches import MATCH
from services.matching.store import MATCHES
from shared.clock import derived_id
from shared.programmes.published import published
from tests.unit.matching.facts import DEFINITION, HOST_ACCOUNT, expert_id
from tests.unit.matching.world import World, match_id
from tests.unit.pages.test_cases import held, reader

THREE = ["anna", "bela", "cora"]
CONTENT = json.loads(json.dumps(DEFINITION.as_json()))
CONTENT["selection"]["shortlist"]["host_confirms"] = True
ASKING = published(CONTENT)


async def refused(world: World, assignment: str, name: str, verb: str, **said: str) -> str:
    return await world.raising(lambda: world.do(assignment, name, verb, **said))


@pytest.mark.parametrize("seed", range(3))
async def test_an_offer_waits_for_the_host_and_whom_it_refuses_gives_the_seat_to_the_next(seed: int) -> None:
    async with World(seed, ASKING) as world:
        assignment = await world.shortlisted(THREE)
        await world.allocate(assignment, "anna")
        await world.run(twice=True)
        assert await world.states(assignment, *THREE) == ["allocated", "reserve", "reserve"]
        assert await world.raising(lambda: world.offer(assignment, "anna")) == "host_not_confirmed"
        await world.do(assignment, "anna", "refuse-candidate", reason="other_profile")
        await world.run(twice=True)
        # The next reserve has the seat, and the host is asked about that one too.
        assert await world.states(assignment, *THREE) == ["retracted", "allocated", "reserve"]
        assert await world.raising(lambda: world.offer(assignment, "bela")) == "host_not_confirmed"
        await world.do(assignment, "cora", "refuse-candidate", reason="languages_lacking")
        await world.do(assignment, "bela", "confirm-candidate")
        assert await refused(world, assignment, "bela", "confirm-candidate") == "host_not_asked"
        assert await refused(world, assignment, "bela", "refuse-candidate", reason="no_funds") == "host_not_asked"
        await world.offer(assignment, "bela")
        await world.run(twice=True)
        assert await world.states(assignment, *THREE) == ["retracted", "offered", "not_selected"]
        folded = await world.folded(MATCH, "matching.matches")
        stored = {id: document["state"] for id, document in (await world.kept(MATCH.name)).items()}
        assert folded == stored


async def put_right(world: World, assignment: str, name: str, verb: str, **said: Any) -> str:
    """The rule with which it is refused, or "not refused"."""
    call = world.call(MATCH, verb, match_id(assignment, name), reason="wrong_case", **said)
    return await world.raising(lambda: world.works.putting_right.of_matches[verb](call))


@pytest.mark.parametrize("seed", range(3))
async def test_a_host_that_agreed_by_mistake_is_asked_again(seed: int) -> None:
    async with World(seed, ASKING) as world:
        assignment = await world.shortlisted(THREE)
        await world.allocate(assignment, "anna")
        await world.run(twice=True)
        await world.do(assignment, "anna", "confirm-candidate")
        assert await put_right(world, assignment, "anna", "take-back") == "not refused"
        await world.run(twice=True)
        anna = await world.match(assignment, "anna")
        assert anna
        assert (anna.status, anna.host) == ("allocated", "asked")
        assert await world.raising(lambda: world.offer(assignment, "anna")) == "host_not_confirmed"
        # Asked again it may refuse; the seat goes to the next one, and is not taken back from there.
        await world.do(assignment, "anna", "refuse-candidate", reason="other_profile")
        await world.run(twice=True)
        assert await put_right(world, assignment, "anna", "take-back") == "acted_on"
        assert await world.states(assignment, *THREE) == ["retracted", "allocated", "reserve"]
        folded = await world.folded(MATCH, "matching.matches")
        assert folded == {id: document["state"] for id, document in (await world.kept(MATCH.name)).items()}


@pytest.mark.parametrize("seed", range(3))
async def test_whom_the_host_refused_by_mistake_stands_in_a_new_round(seed: int) -> None:
    async with World(seed, ASKING) as world:
        assignment = await world.shortlisted(THREE)
        await world.allocate(assignment, "anna")
        await world.run(twice=True)
        await world.do(assignment, "bela", "refuse-candidate", reason="other_profile")
        await world.run(twice=True)
        bela = await world.match(assignment, "bela")
        assert bela
        assert (bela.status, bela.host) == ("not_selected", "refused")
        assert await put_right(world, assignment, "bela", "take-back") == "not refused"
        await world.run(twice=True)
        bela = await world.match(assignment, "bela")
        assert bela
        assert (bela.status, bela.host, bela.reason) == ("retracted", "asked", None)
        assert await put_right(world, assignment, "bela", "take-back") == "acted_on"
        said: Any = {"override_reason": "few_candidates", "again_reason": "mistake"}
        call = world.call(ASSIGNMENT, "shortlist", assignment, experts=(expert_id("bela"),), **said)
        await world.works.allocation.shortlist(call)
        await world.run(twice=True)
        _, again = await world.kernel.load(MATCHES, derived_id(match_id(assignment, "bela"), "round"))
        assert again
        assert (again.status, again.host, again.again_reason) == ("reserve", "asked", "mistake")
        folded = await world.folded(MATCH, "matching.matches")
        assert folded == {id: document["state"] for id, document in (await world.kept(MATCH.name)).items()}


async def test_what_no_host_has_ended_is_not_taken_back_as_its_answer() -> None:
    async with World(definition=ASKING) as world:
        assignment = await world.shortlisted(THREE)
        await world.do(assignment, "anna", "withdraw", reason="family")
        assert await put_right(world, assignment, "anna", "take-back") == "acted_on"
        assert await world.states(assignment, "anna") == ["not_selected"]


async def test_an_officer_takes_the_answer_of_the_host_back_on_a_page() -> None:
    async with World(definition=ASKING) as world:
        assignment = await world.shortlisted(THREE)
        await world.do(assignment, "anna", "confirm-candidate")
        await world.do(assignment, "bela", "refuse-candidate", reason="other_profile")
        async with reader("matching", world.service.app, world.keys, world.clock) as officer:
            for name in ("anna", "bela"):
                path = f"/matching/matches/{match_id(assignment, name)}/take-back"
                form = {**held(await officer.get(path)), "/reason": "mistake"}
                assert (await officer.post(path, data=form)).status_code == 303
        assert await world.states(assignment, "anna", "bela") == ["shortlisted", "retracted"]
        anna = await world.match(assignment, "anna")
        assert anna
        assert anna.host == "asked"


async def test_where_no_programme_asks_the_host_has_nothing_to_answer() -> None:
    async with World() as world:
        assignment = await world.shortlisted(THREE)
        assert await refused(world, assignment, "anna", "confirm-candidate") == "host_not_asked"
        await world.allocate(assignment, "anna")
        await world.offer(assignment, "anna")
        match, path = await world.match(assignment, "anna"), f"/matching/matches/{match_id(assignment, 'bela')}"
        assert match
        assert match.host is None
        async with reader("matching", world.service.app, world.keys, world.clock, "host", account=HOST_ACCOUNT) as http:
            page, today = (await http.get(path)).text, (await http.get("/matching/today")).text
    assert f'href="{path}/confirm-candidate"' not in page
    assert "status=shortlisted" not in today


async def test_the_host_finds_whom_it_is_asked_about_and_answers_on_a_page() -> None:
    async with World(definition=ASKING) as world:
        assignment = await world.shortlisted(THREE)
        path = f"/matching/matches/{match_id(assignment, 'anna')}"
        app, keys, clock = world.service.app, world.keys, world.clock
        async with (
            reader("matching", app, keys, clock, "host", account=HOST_ACCOUNT) as host,
            reader("matching", app, keys, clock) as officer,
        ):
            today, page = (await host.get("/matching/today")).text, (await host.get(path)).text
            assert 'href="/matching/matches?status=shortlisted"' in today
            # To agree is the first and only full button; to refuse stands beside it.
            assert f'<a class="button" href="{path}/confirm-candidate">' in page
            assert f'<a class="button second" href="{path}/refuse-candidate">' in page
            assert "You" in page.partition("Waits for")[2].partition("</dd>")[0]
            form = held(await host.get(f"{path}/confirm-candidate"))
            assert (await host.post(f"{path}/confirm-candidate", data=form)).status_code == 303
            after, seen = (await host.get(path)).text, (await officer.get(path)).text
        assert f'href="{path}/confirm-candidate"' not in after
        assert "Agrees to the candidate" in seen
        assert "Host institution agreed to the candidate" in seen


async def test_a_reserve_waits_for_nobody() -> None:
    """It follows by itself; an officer who looks at what waits is not sent to it."""
    async with World() as world:
        assignment = await world.shortlisted(THREE)
        await world.allocate(assignment, "anna")
        await world.run()
        assert await world.states(assignment, *THREE) == ["allocated", "reserve", "reserve"]
        async with reader("matching", world.service.app, world.keys, world.clock) as officer:
            today = (await officer.get("/matching/today")).text
            page = (await officer.get(f"/matching/matches/{match_id(assignment, 'bela')}")).text
    assert ("status=allocated" in today, "status=reserve" in today) == (True, False)
    assert "Nobody: it goes on" in page
