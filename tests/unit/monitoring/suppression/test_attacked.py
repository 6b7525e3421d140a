"""Tables drawn by a seed, attacked as an evaluator would who keeps everything and solves for the cells."""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest

from services.monitoring.domain.suppression import least, protecting
from services.monitoring.domain.suppression.attacker import eliminated, intervals, recovered, unprotected
from services.monitoring.domain.suppression.problem import Relation
from tests.unit.monitoring.suppression.made import PROTECTION, Made, drawn, nested, next_step, table, year

TABLES = 200
# What a program's tolerance may take off an interval.
NEARLY = 1e-6


def flat(seed: int) -> Made:
    made, sizes = Made(), (3, 4)
    table(made, "t", drawn(seed, 300, sizes), sizes)
    return made


def cube(seed: int) -> Made:
    made, sizes = Made(), (2, 3, 2)
    table(made, "t", drawn(seed, 260, sizes), sizes)
    return made


def quarters(seed: int) -> Made:
    made, sizes = Made(), (2, 3)
    nested(made, "t", drawn(seed, 400, (*sizes, 3)), sizes, quarters=3)
    return made


def steps(seed: int) -> Made:
    """Published once, and again when some had come and some had gone."""
    made, sizes = Made(), (2, 3)
    persons = drawn(seed, 250, sizes)
    table(made, "before", persons, sizes)
    found = made.protect()
    assert found.certified
    made.decide(found)
    gone, come = persons[:12], drawn(seed + 1, 40, sizes)
    table(made, "after", [*persons[12:], *come], sizes)
    next_step(made, "before", "after", [*gone, *come], sizes)
    return made


def less(seed: int) -> Made:
    """Those who came, those who finished, and what no table shows: who came and did not finish."""
    made, sizes = Made(), (2, 4)
    persons = drawn(seed, 280, sizes)
    table(made, "came", persons, sizes)
    table(made, "finished", [one for number, one in enumerate(persons) if number % 9], sizes)
    for name, classes in list(made.cells):
        if name == "came":
            made.rest(("rest", classes), ("came", classes), ("finished", classes))
    return made


KINDS: tuple[Callable[[int], Made], ...] = (flat, cube, quarters, steps, less)


def got_out(made: Made, published: set[Hashable]) -> tuple[set[Hashable], dict[Hashable, float]]:
    """The small cells that a reader recovers, and of those that are narrower than they may be how wide they are."""
    cells, small = list(made.cells.values()), made.small()
    exact = recovered(cells, made.relations, published).keys() & set(small)
    left = intervals(cells, made.relations, published, small)
    return exact, {key: high - low for key, (low, high) in left.items() if high - low < PROTECTION - NEARLY}


@pytest.mark.parametrize("kind", KINDS)
def test_a_reader_recovers_nothing_and_no_interval_is_narrow(kind: Callable[[int], Made]) -> None:
    looked_at = unguarded = 0
    for seed in range(TABLES // len(KINDS)):
        made = kind(seed)
        found = made.protect(seconds=5.0)
        assert found.certified
        assert found.least <= found.weight
        assert got_out(made, made.published(found)) == (set(), {})
        looked_at += len(made.small())
        unguarded += bool(got_out(made, made.published(found) | found.complementary)[0])
    # The tables have something to hide, and hiding the small cells alone hides it in few of them.
    assert looked_at > 100
    assert unguarded > TABLES // len(KINDS) / 2


@pytest.mark.long
def test_a_year_of_figures_is_attacked_in_every_small_cell() -> None:
    made = year()
    found = made.protect(seconds=9.0)
    assert found.certified
    assert found.least <= found.weight
    assert got_out(made, made.published(found)) == (set(), {})


def subsets(made: Made) -> Iterator[tuple[int, set[Hashable]]]:
    """Every choice of what is withheld besides the small cells, the lightest first."""
    free = [key for key, cell in made.cells.items() if cell.decided is None and key not in made.small()]
    every = [set(some) for many in range(len(free) + 1) for some in combinations(free, many)]
    yield from sorted(((sum(made.cells[key].weight for key in some), some) for some in every), key=lambda one: one[0])


def by_trying(made: Made) -> int | None:
    """The least weight of a safe choice."""
    cells, small = list(made.cells.values()), made.small()
    shown = {key for key, cell in made.cells.items() if cell.decided != "withheld"} - set(small)
    for weight, some in subsets(made):
        left = intervals(cells, made.relations, shown - some, small)
        if all(high - low >= PROTECTION - NEARLY for low, high in left.values()):
            return weight
    return None


@pytest.mark.parametrize("sizes", [(5,), (2, 2), (2, 3), (3, 3)], ids=str)
def test_the_least_is_what_trying_every_choice_finds(sizes: tuple[int, ...]) -> None:
    heavier = 0
    for seed in range(12):
        made, turn = Made(), random.Random(seed)
        table(made, "t", drawn(seed, 60, sizes), sizes)
        for key in made.cells:
            made.cells[key] = replace(made.cells[key], weight=turn.randint(1, 4))
        found = made.protect()
        assert (found.certified, found.weight, found.least) == (True, by_trying(made), found.weight)
        heavier += found.weight > 0
    assert heavier > 3


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_figures_in_any_order_give_the_same_answer(kind: Callable[[int], Made]) -> None:
    made = kind(7)
    first = made.protect()
    turn = random.Random(7)
    shuffled = Made(dict(turn.sample(list(made.cells.items()), len(made.cells))))
    for relation in turn.sample(made.relations, len(made.relations)):
        shuffled.relations.append(Relation(tuple(turn.sample(relation.terms, len(relation.terms)))))
    assert shuffled.protect() == first


def test_a_choice_without_complementary_cells_is_not_certified(monkeypatch: pytest.MonkeyPatch) -> None:
    """What if the search were wrong: the check in the end takes nothing from it but states, and tries them."""
    made = quarters(3)
    monkeypatch.setattr(protecting, "mended", lambda attack, *_: attack.shape.fixed)
    monkeypatch.setattr(protecting, "pruned", lambda attack, choice, _: choice)
    monkeypatch.setattr(protecting, "improved", lambda attack, moves, best, *_: (best, 0))
    found = made.protect()
    assert (found.certified, found.why) == (False, "unproven")
    assert made.published(found) == set()
    exact, narrow = got_out(made, made.cells.keys() - set(made.small()))
    assert exact
    assert narrow.keys() >= exact


def test_a_line_that_is_too_strong_shows_in_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is held to what trying finds: a planted line that forbids safe choices is seen there."""
    reason_of = least.reason_of

    def stronger(*given: Any) -> least.Reason | None:
        reason = reason_of(*given)
        return None if reason is None else least.Reason(reason.factors / 2)

    monkeypatch.setattr(least, "reason_of", stronger)
    wrong = 0
    for seed in range(12):
        made = Made()
        table(made, "t", drawn(seed, 60, (2, 3)), (2, 3))
        found = made.protect()
        assert found.certified
        wrong += found.least > (by_trying(made) or 0)
    assert wrong


def test_states_that_a_reader_could_rule_out_count_for_nothing() -> None:
    made = Made()
    for key, many in (("whole", 40), ("a", 4), ("b", 36)):
        made.put(key, many)
    made.equal("whole", "a", "b")
    cells = list(made.cells.values())

    def left(published: set[Hashable], *worlds: dict[Hashable, int]) -> dict[Hashable, int]:
        return unprotected(cells, made.relations, published, worlds, PROTECTION)

    assert left({"whole"}, {"a": 10, "b": 30}) == {}
    assert left({"whole"}, {"a": 10}) == {"a": 0, "b": 0}
    assert left({"whole"}, {"a": -4, "b": 44}) == {"a": 0, "b": 0}
    assert left({"whole", "b"}, {"a": 10, "b": 30}) == {"a": 0}
    assert left({"whole", "b"}, {"whole": 46, "a": 10}) == {"a": 0}
    assert left({"b"}, {"whole": 46, "a": 10}) == {}
    assert left({"whole"}, {"a": 8, "b": 32}) == {"a": 4, "b": 4}


def test_elimination_finds_what_follows_from_sums() -> None:
    made = Made()
    for key, many in (("whole", 40), ("a", 4), ("b", 36), ("a1", 3), ("a2", 1), ("c", 0), ("d", 0), ("none", 0)):
        made.put(key, many)
    made.equal("whole", "a", "b")
    made.equal("a", "a1", "a2")
    made.equal("none", "c", "d")
    cells = list(made.cells.values())
    published: set[Hashable] = {"whole", "b", "a1", "none"}
    assert eliminated(cells, made.relations, published) == {"a": 4, "a2": 1}
    # Two that come to nothing, neither of which is less than nothing: the bounds tell it.
    assert recovered(cells, made.relations, published).keys() == {"a", "a2", "c", "d"}
    assert recovered(cells, made.relations, {"whole"}) == {}
