"""Of whom a form lets an officer choose: the best of all who are eligible, or a word that there are more."""

from __future__ import annotations

from typing import Any

import pytest

from services.matching.store import ASSIGNMENTS
from services.matching.work import candidates, hosts
from shared.clock import derived_id
from shared.web.suggesting import Suggestions
from tests.unit.matching.facts import OFFICE, expert_id
from tests.unit.matching.world import World
from tests.unit.pages.test_cases import reader

NAMES = [f"expert-{number}" for number in range(9)]
NOBODY: Any = None


async def best(world: World, assignment: str) -> Suggestions:
    document = await world.store.load(ASSIGNMENTS.name, assignment)
    assert document
    return await world.works.candidates.best(document, NOBODY)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "LOOKED_AT_ONCE", 2)
    monkeypatch.setattr(candidates, "SHOWN", 3)


async def peopled(world: World) -> str:
    """An assignment, and experts of whom the one that the index finds last has worked for the longest."""
    await world.others.host()
    for years, name in enumerate(sorted(NAMES, key=expert_id)):
        await world.others.expert(name, experience_years=4 + years)
    await world.run()
    return await world.assignment()


@pytest.mark.usefixtures("small")
async def test_the_best_are_found_wherever_they_stand() -> None:
    async with World() as world:
        assignment = await peopled(world)
        await world.others.expert("abroad", office="herat", experience_years=40)
        await world.run()
        found = await best(world, assignment)
        ordered = sorted(NAMES, key=expert_id, reverse=True)
        assert [one.id for one in found.cases] == [expert_id(name) for name in ordered[:3]]
        assert found.of_first is None
        # Whoever stands on the assignment already is no further candidate, and another one takes the place.
        await world.shortlist(assignment, ordered[0], reason="few_candidates")
        assert [one.id for one in (await best(world, assignment)).cases] == [expert_id(name) for name in ordered[1:4]]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("at_most", "cut"), [(8, True), (10, False)])
async def test_where_there_are_more_than_are_looked_at_the_form_says_so(
    at_most: int, cut: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "LOOKED_AT", at_most)
    async with World() as world:
        assignment = await peopled(world)
        assert (await best(world, assignment)).of_first == (at_most if cut else None)
        async with reader("matching", world.service.app, world.keys, world.clock) as officer:
            page = (await officer.get(f"/matching/assignments/{assignment}/shortlist")).text
        assert ("There are more than could be looked at" in page) is cut


async def test_of_more_hosts_than_are_shown_the_form_says_that_there_are_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "SHOWN", 2)
    async with World(hosted=False) as world:
        for number in range(2):
            await world.others.host(derived_id("host", str(number)))
        await world.run()
        async with reader("matching", world.service.app, world.keys, world.clock, office=OFFICE) as officer:
            few = (await officer.get("/matching/assignments/new/create")).text
            await world.others.host(derived_id("host", "2"))
            await world.run()
            many = (await officer.get("/matching/assignments/new/create")).text
        word = "There are more than could be looked at"
        assert (word in few, word in many) == (False, True)
