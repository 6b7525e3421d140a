"""What is withheld, case by case, worked out by hand."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Hashable
from dataclasses import replace
from time import perf_counter

import pytest

from services.monitoring.domain.suppression.attacker import intervals, recovered
from services.monitoring.domain.suppression.problem import Cell, Relation
from services.monitoring.domain.suppression.protecting import protect
from tests.unit.monitoring.suppression.made import ALL, PROTECTION, Made, nested, next_step, table

SEXES = ("f", "m")


def cross(values: list[list[int]]) -> Made:
    """A table of rows and columns with its margins."""
    made = Made()
    persons = [
        (row, column) for row, line in enumerate(values) for column, many in enumerate(line) for _ in range(many)
    ]
    table(made, "t", persons, (len(values), len(values[0])))
    return made


def at(*classes: int | str) -> Hashable:
    return ("t", classes)


def safe(made: Made, protection: int = PROTECTION) -> frozenset[Hashable]:
    """The complementary cells of an answer that a reader gets nothing from, and which is the least."""
    found = made.protect(protection=protection)
    assert found.certified
    assert found.weight == found.least
    published = made.published(found)
    assert recovered(list(made.cells.values()), made.relations, published).keys().isdisjoint(made.small())
    left = intervals(list(made.cells.values()), made.relations, published, made.small())
    assert all(high - low >= protection for low, high in left.values())
    return found.complementary


def test_nothing_small_withholds_nothing() -> None:
    assert safe(cross([[20, 30], [40, 50]])) == set()


def test_one_small_cell_takes_three_others_of_a_table_with_it_as_a_rectangle() -> None:
    made = cross([[3, 20], [40, 50]])
    assert len(safe(made)) == 3
    # Two rows and two columns are tied by five margins: whatever is chosen, some cell of each line goes with it.
    margins = {at(0, ALL), at(1, ALL), at(ALL, 0), at(ALL, 1), at(ALL, ALL)}
    for key in margins:
        made.cells[key] = replace(made.cells[key], weight=10)
    assert safe(made) == {at(0, 1), at(1, 0), at(1, 1)}


def test_zeros_are_treated_alike() -> None:
    made = cross([[0, 20], [40, 50]])
    assert len(safe(made)) == 3
    assert made.protect().primary == {at(0, 0)}


def test_what_tells_of_nobody_is_published_however_small() -> None:
    made = Made()
    made.put("sites", 3, sensitive=False)
    made.put("families", 40)
    assert made.protect().withheld == set()


def test_a_part_is_withheld_where_the_rest_of_its_whole_is_small() -> None:
    """The evaluator's subtraction: assignments less those that were completed."""
    made = Made()
    made.put("assignments", 272, weight=2)
    made.put("completed", 269)
    made.rest("not completed", "assignments", "completed")
    assert safe(made) == {"completed"}
    made.put("registrations", 510)
    assert safe(made) == {"completed"}


def test_a_share_tells_its_rest() -> None:
    made = Made()
    made.put("women", 60, weight=3)
    made.put("placed", 64, weight=5)
    made.rest("men", "placed", "women")
    assert safe(made) == {"women"}


def test_quarters_beside_a_year() -> None:
    """The year is the sum of its quarters, one of which is a single woman: another goes with it, not the year."""
    made = Made()
    for quarter, many in enumerate((1, 14, 20, 31)):
        made.put(quarter, many)
    made.put("year", 66, weight=3)
    made.equal("year", *range(4))
    assert len(safe(made)) == 1


def test_two_small_ones_in_a_sum_protect_each_other_only_as_far_as_they_go() -> None:
    made = Made()
    for part, many in enumerate((2, 1, 30)):
        made.put(part, many)
    made.put("whole", 33, weight=3)
    made.equal("whole", 0, 1, 2)
    # The two come to 3, so that each is between 0 and 3.
    assert safe(made, protection=3) == set()
    assert safe(made, protection=5) == {2}


def test_a_change_between_two_steps_is_small_though_both_figures_are_large() -> None:
    made = Made()
    made.put("before", 240, decided="published")
    made.put("after", 241)
    made.put("change", 1, size=1, decided="withheld", lower=None)
    made.equal("after", "before", "change")
    assert safe(made) == {"after"}
    made.cells["change"] = replace(made.cells["change"], size=12)
    assert safe(made) == set()


def test_what_was_withheld_earlier_hides_a_change() -> None:
    made = Made()
    made.put("before", 240, decided="withheld")
    made.put("after", 241)
    made.put("change", 1, size=1, decided="withheld", lower=None)
    made.equal("after", "before", "change")
    assert safe(made) == set()


def test_a_second_step_keeps_to_what_the_first_has_told() -> None:
    persons = [(0, 0)] * 4 + [(0, 1)] * 30 + [(1, 0)] * 40 + [(1, 1)] * 55
    made = Made()
    table(made, "t", persons, (2, 2))
    made.decide(made.protect())
    later = [*persons, *[(1, 1)] * 11]
    table(made, "u", later, (2, 2))
    next_step(made, "t", "u", [(1, 1)] * 11, (2, 2))
    found = made.protect()
    # Whoever did not change is a small change, and zeros are treated alike: what was shown before is not shown again.
    assert found.certified
    published = made.published(found)
    assert recovered(list(made.cells.values()), made.relations, published).keys().isdisjoint(made.small())


def test_three_dimensions_and_quarters_under_a_year() -> None:
    persons = [(a, b, c, q) for a in range(2) for b in range(2) for c in range(2) for q in range(2) for _ in range(15)]
    persons.remove((0, 0, 0, 0))
    persons = [one for one in persons if one != (0, 0, 0, 0)] + [(0, 0, 0, 0)] * 4
    made = Made()
    nested(made, "t", persons, (2, 2, 2), quarters=2)
    # A cube has eight corners and the other quarter as many: a cell moves only with one of each line, or with margins.
    chosen = safe(made)
    assert len(chosen) == 15


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda made: made.decide_as("published", "all", "f", "m"), ("m",)),
        (lambda made: made.decide_as("published", "all", "f"), ("m",)),
        (lambda made: made.bound("m", 0, 4), ("m",)),
    ],
    ids=["published itself", "follows from what was published", "known without any publication"],
)
def test_what_is_told_already_cannot_be_protected(change: Callable[[Told], None], named: tuple[str, ...]) -> None:
    made = Told()
    change(made)
    found = made.protect()
    assert (found.certified, found.why, found.untold) == (False, "no_safe_choice", named)
    assert made.published(found) <= {key for key, cell in made.cells.items() if cell.decided == "published"}


class Told(Made):
    """Women and men of all, of whom few are men."""

    def __init__(self) -> None:
        super().__init__()
        self.put("all", 43)
        self.put("f", 40)
        self.put("m", 3)
        self.equal("all", "f", "m")

    def decide_as(self, decided: str, *names: str) -> None:
        for name in names:
            self.cells[name] = replace(self.cells[name], decided=decided)  # type: ignore[arg-type]

    def bound(self, name: str, lower: int, upper: int) -> None:
        self.cells[name] = replace(self.cells[name], lower=lower, upper=upper)


def test_sums_of_money_are_protected_by_as_much_as_is_asked_for_each() -> None:
    made = Made()
    for office, (cents, persons) in enumerate(((912_345_678, 3), (40_000_000_000, 40), (650_000_000_000, 700))):
        made.put(office, cents, size=persons, protection=cents // 10)
    made.put("all", sum(made.cells[office].value for office in range(3)), size=743, weight=9)
    made.equal("all", *range(3))
    found = made.protect()
    assert (found.certified, found.weight, found.least) == (True, 1, 1)
    (low, high) = intervals(list(made.cells.values()), made.relations, made.published(found), [0])[0]
    assert high - low >= 91_234_567


def test_whole_numbers_that_leave_one_value_are_no_protection() -> None:
    """2a + 7b + 7c = 32: in fractions a may be anything from 0 to 5, in whole numbers it is 2."""
    made = Made()
    made.put("a", 2, upper=5)
    made.put("b", 1, upper=2, decided="withheld", sensitive=False)
    made.put("c", 3, lower=3, upper=4, decided="withheld", sensitive=False)
    made.put("sum", 2 * 2 + 7 * 1 + 7 * 3, decided="published", size=32)
    made.relations.append(Relation((("a", 2), ("b", 7), ("c", 7), ("sum", -1))))
    cells = list(made.cells.values())
    assert intervals(cells, made.relations, {"sum"}, ["a"])["a"] == pytest.approx((0, 5))
    found = made.protect(protection=3)
    assert (found.certified, found.untold) == (False, ("a",))


def test_without_time_nothing_is_published() -> None:
    made = cross([[3, 20], [40, 50]])
    found = made.protect(seconds=0.0)
    assert (found.certified, found.why, found.untold) == (False, "time", ())
    assert made.published(found) == set()


@pytest.mark.parametrize("checks", range(1, 40, 3))
def test_however_early_the_time_is_over_an_answer_is_safe_or_none(checks: int) -> None:
    """The clock stands still until it was asked so many times, and then the time is over."""
    made = cross([[3, 20, 4], [40, 50, 60], [2, 30, 11]])
    asked = iter(range(10_000))
    found = made.protect(seconds=1.0, clock=lambda: 0.0 if next(asked) < checks else 2.0)
    if not found.certified:
        assert made.published(found) == set()
    else:
        assert found.least <= found.weight
        left = intervals(list(made.cells.values()), made.relations, made.published(found), made.small())
        assert all(high - low >= 5 for low, high in left.values())


@pytest.mark.parametrize(
    ("cells", "relations", "said"),
    [
        ([Cell("a", 1, 1), Cell("a", 1, 1)], [], "twice"),
        ([Cell("a", 1, 1)], [Relation((("a", 1), ("b", -1)))], "no cell"),
        ([Cell("a", 1, 1), Cell("b", 2, 2)], [Relation((("a", 1), ("b", -1)))], "break"),
        ([Cell("a", -1, 1)], [], "bounds"),
        ([Cell("a", 2**51, 1)], [], "large"),
        ([Cell("a", 1, 1, weight=-1)], [], "weight"),
        ([Cell("a", 1, 1, protection=0)], [], "protection"),
    ],
)
def test_what_is_no_problem_is_refused(cells: list[Cell], relations: list[Relation], said: str) -> None:

    with pytest.raises(ValueError, match=said):
        protect(cells, relations, threshold=10, protection=5, seconds=1.0, clock=perf_counter)


def test_who_publishes_nothing_does_not_read_the_library() -> None:
    code = "import sys, services.monitoring.domain.suppression.protecting; sys.exit('highspy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
