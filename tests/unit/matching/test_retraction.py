"""However retraction and return overtake each other, an accepted match ends as accepted or as retracted."""

from __future__ import annotations

from typing import Any

import pytest

from services.matching.domain.knowledge import answer_to
from services.matching.store import ASSIGNMENTS
from shared.clock import derived_id
from shared.contracts.base import Event
from shared.contracts.placement.placements import (
    PlacementCancelled,
    PlacementEndedEarly,
    PlacementOpened,
    ReturnCompleted,
    ReturnStarted,
)
from shared.contracts.registration.persons import ConsentWithdrawn
from tests.unit.matching.facts import LONG_AGO, person_id, terms
from tests.unit.matching.world import World, match_id, types_of

BEGUN = {"match": "m", "returned": True}
OVER = {**BEGUN, "completed": True}


def ended(party: str, reason: str) -> dict[str, Any]:
    return {**BEGUN, "ended": {"party": party, "reason": reason}}


@pytest.mark.parametrize(
    ("known", "retraction", "answer"),
    [
        ({}, "family", None),
        ({"match": "m"}, "consent_withdrawn", None),
        (BEGUN, "consent_withdrawn", "return_begun"),
        (BEGUN, "family", None),
        (OVER, "consent_withdrawn", "return_begun"),
        (OVER, "family", "return_over"),
        (ended("programme", "family"), "family", "ended"),
        (ended("expert", "family"), "family", "return_over"),
        (ended("programme", "security"), "family", "return_over"),
        # The officer who ends it after a withdrawal may give the same reason; the retraction was answered before.
        (ended("programme", "consent_withdrawn"), "consent_withdrawn", "return_begun"),
    ],
)
def test_what_placement_told_answers_a_retraction(known: dict[str, Any], retraction: str, answer: str | None) -> None:
    assert answer_to(known, retraction) == answer


async def accepted(world: World, names: tuple[str, ...] = ("anna", "bela", "cora"), seats: int = 1) -> str:
    assignment = await world.shortlisted(list(names), seats=seats)
    for name in names[:seats]:
        await world.allocate(assignment, name)
        await world.offer(assignment, name)
        await world.accept(assignment, name)
    return assignment


async def returns(world: World, assignment: str, *events: Event) -> None:
    """Placement tells of anna's return; nothing of it is delivered yet."""
    match = match_id(assignment, "anna")
    state = await world.match(assignment, "anna")
    assert state
    assert state.parties
    opened = PlacementOpened(happened_at=LONG_AGO, match=match, parties=state.parties, terms=terms())
    await world.others.tell(derived_id(match, "placement"), opened, *events)


STARTED = ReturnStarted(happened_at=LONG_AGO)
COMPLETED = ReturnCompleted(happened_at=LONG_AGO)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("reason", "events", "ends", "because"),
    [
        ("consent_withdrawn", (STARTED,), "accepted", "return_begun"),
        ("consent_withdrawn", (STARTED, COMPLETED), "accepted", "return_begun"),
        ("family", (STARTED, COMPLETED), "accepted", "return_over"),
        (
            "family",
            (STARTED, PlacementEndedEarly(happened_at=LONG_AGO, party="programme", reason="family")),
            "retracted",
            "family",
        ),
        (
            "family",
            (STARTED, PlacementEndedEarly(happened_at=LONG_AGO, party="expert", reason="ill")),
            "accepted",
            "return_over",
        ),
    ],
)
async def test_a_retraction_and_the_return_meet_in_any_order(
    reason: str, events: tuple[Event, ...], ends: str, because: str, seed: int
) -> None:
    async with World(seed) as world:
        assignment = await accepted(world)
        await returns(world, assignment, *events)
        await world.do(assignment, "anna", "retract", reason=reason)
        await world.run(twice=bool(seed % 2))
        state = await world.match(assignment, "anna")
        assert state
        assert (state.status, state.reason) == (ends, because)
        follower = (await world.states(assignment, "bela"))[0]
        assert follower == ("allocated" if ends == "retracted" else "reserve")
        assert (await world.of(assignment)).status == ("matching" if ends == "retracted" else "filled")


async def test_a_match_that_was_kept_counts_again_when_its_assignment_is_filled() -> None:
    async with World() as world:
        assignment = await accepted(world, ("anna", "bela", "cora"), seats=2)
        await returns(world, assignment, STARTED)
        await world.do(assignment, "anna", "stop", reason="consent_withdrawn")
        await world.run()
        assert await world.states(assignment, "anna", "bela") == ["accepted", "accepted"]
        assert (await world.of(assignment)).status == "filled"


async def test_who_was_kept_can_be_taken_back_for_another_reason() -> None:
    async with World() as world:
        assignment = await accepted(world)
        await returns(world, assignment, STARTED)
        withdrawn = ConsentWithdrawn(happened_at=LONG_AGO, purpose="placement")
        await world.others.tell(person_id("anna"), withdrawn)
        await world.run(twice=True)
        assert await world.states(assignment, "anna") == ["accepted"]
        await world.do(assignment, "anna", "retract", reason="security")
        await world.run(twice=True)
        assert await world.states(assignment, "anna") == ["retracting"]
        placement = derived_id(match_id(assignment, "anna"), "placement")
        early = PlacementEndedEarly(happened_at=LONG_AGO, party="programme", reason="security")
        await world.others.tell(placement, early)
        await world.run(twice=True)
        assert await world.states(assignment, "anna", "bela") == ["retracted", "allocated"]
        assert types_of(await world.records("matching.matches")).count("MatchRetracted") == 1
        folded = await world.folded(ASSIGNMENTS, "matching.assignments")
        assert folded[assignment]["status"] == "matching"


async def test_what_never_began_is_retracted_whatever_the_reason() -> None:
    async with World() as world:
        assignment = await accepted(world)
        await world.do(assignment, "anna", "stop", reason="consent_withdrawn")
        match = match_id(assignment, "anna")
        await returns(
            world, assignment, PlacementCancelled(happened_at=LONG_AGO, match=match, reason="consent_withdrawn")
        )
        await world.run(twice=True)
        assert await world.states(assignment, "anna", "bela") == ["retracted", "allocated"]
