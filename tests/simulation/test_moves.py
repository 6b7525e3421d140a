"""Every move of every table has its place in the simulation, or a schedule of its own."""

from __future__ import annotations

from collections import Counter

import pytest

from shared.clock import derived_id
from shared.contracts.registration.experts import ExpertSuspended
from tests.simulation.__main__ import RARE_RUNS, missing, must_happen
from tests.simulation.moves import DIRECTED, SELDOM, cases, counted, every_move
from tests.simulation.walking import NOT_WALKED, goals, is_walked
from tests.unit.matching.facts import LONG_AGO, expert_id, person_id
from tests.unit.matching.test_promises import FIVE
from tests.unit.matching.world import World, match_id


def test_every_move_of_every_table_must_happen() -> None:
    moves = set(every_move())
    assert len(moves) == sum(len(case.moves) for case in cases())
    assert moves - DIRECTED <= set(must_happen())
    assert moves >= DIRECTED | SELDOM
    assert not DIRECTED & SELDOM


@pytest.mark.parametrize("runs", [RARE_RUNS - 1, RARE_RUNS])
def test_a_move_that_no_schedule_made_is_missing(runs: int) -> None:
    counts = Counter(must_happen())
    assert missing(counts, runs) == []
    for one in ("experts: keep-identity", "sites: accept-transfer"):
        del counts[one]
    seldom = ["sites: accept-transfer"] if runs == RARE_RUNS else []
    assert missing(counts, runs) == ["experts: keep-identity", *seldom]


def test_whatever_people_may_do_is_walked() -> None:
    """But for what the history asks for itself, and where a table's first states are."""
    left_out = {(case.name, move.verb) for case in cases() for move in case.moves if move.by and not move.opens}
    assert {one for one in left_out if one in NOT_WALKED} == NOT_WALKED
    for case in cases():
        assert all(is_walked(case, move) for status in goals(case) for move in case.way_to(status)[1:])


async def test_what_is_refused_or_done_before_is_no_move() -> None:
    counts = Counter[str]()
    async with World() as world:
        assignment = await world.shortlisted(FIVE)
        with counted(counts):
            await world.allocate(assignment, "anna")
            await world.allocate(assignment, "anna")
            assert await world.raising(lambda: world.allocate(assignment, "bela")) == "seats_full"
    assert counts == {"matches: allocate from shortlisted": 1}


async def test_a_match_that_is_not_there_yet_is_stopped_and_voided() -> None:
    counts = Counter[str]()
    async with World() as world:
        assignment = await world.shortlisted(FIVE)
        await world.others.expert("fara")
        await world.run()
        known = await world.match(assignment, "anna")
        assert known
        assert known.parties
        with counted(counts):
            theirs = known.parties.model_copy(update={"expert": expert_id("fara"), "person": person_id("fara")})
            await world.works.promises.take_pool(match_id(assignment, "fara"), theirs)
            suspended = ExpertSuspended(happened_at=LONG_AGO, person=person_id("fara"), reason="unreachable")
            await world.others.tell(expert_id("fara"), suspended)
            await world.run(twice=True)
            # Of another post nobody saves the match, and its seat is taken for one who is never given it.
            await world.works.promises.take_pool(derived_id("lost"), known.parties)
            await world.works.promises.take_seat(match_id(assignment, "bela"), known.parties)
            world.later(seconds=61)
            await world.fire()
            await world.run()
    assert {one for one in DIRECTED if counts[one]} == DIRECTED
