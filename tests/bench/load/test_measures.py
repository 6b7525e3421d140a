from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from tests.bench.load import measures
from tests.bench.load.generator import Seen, Sent
from tests.bench.load.persons import registration
from tests.bench.load.rounds import Sustained, harmed


def accepted(at: float, subject: str) -> Sent:
    return Sent(at - 0.1, at, 202, None, subject)


SEEN = Seen(
    [accepted(10.0, "a"), accepted(11.0, "b"), Sent(11.5, 12.0, 429, 8.0), accepted(12.0, "c"), Sent(12.5)],
    [(10.5, 5), (11.2, 6), (15.0, 7)],
)
REGISTERED = [("a", "1", 10.4), ("b", "2", 13.0), ("c", "3", 16.0)]


def test_a_quantile_is_a_value_that_was_there() -> None:
    assert measures.quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert measures.quantile([float(n) for n in range(100)], 0.99) == 99.0
    assert measures.quantile([], 0.5) != measures.quantile([], 0.5)


def test_the_count_follows_the_acknowledgements_in_their_order() -> None:
    assert measures.counted_after(SEEN, 5) == pytest.approx([1.2, 4.0, measures.NEVER])


def test_what_was_decided_is_found_by_its_own_subject() -> None:
    assert measures.decided_after(SEEN, REGISTERED[:2]) == pytest.approx([0.4, 2.0, measures.NEVER])


def test_lost_and_doubled_are_seen() -> None:
    assert measures.lost_and_doubled([SEEN], REGISTERED) == (0, 0)
    assert measures.lost_and_doubled([SEEN], [*REGISTERED[1:], ("b", "9", 13.0)]) == (1, 1)


def test_retry_after_is_compared_with_the_drain_of_what_had_been_acknowledged() -> None:
    """Refused at 12.0, when a and b were acknowledged; c at the same instant is not. b was decided at 13, too soon."""
    assert measures.retry_against_drain(SEEN, REGISTERED) == []
    late = [REGISTERED[0], ("b", "2", 16.0), ("c", "3", 17.0)]
    assert measures.retry_against_drain(SEEN, late) == pytest.approx([2.0])


def test_rates_are_of_what_was_decided() -> None:
    assert measures.goodput(REGISTERED, 10.0, 14.0) == pytest.approx(0.5)
    assert measures.tail_rate(REGISTERED, 12.0) == pytest.approx(0.5)


def test_a_summary_counts_answers_and_refusals() -> None:
    found = harmed(SEEN, REGISTERED, 3.0, 100.0, True)
    assert (found.refused, found.answered, found.lost, found.doubled) == (1, 4, 0, 0)


def test_a_rate_is_kept_up_where_nobody_is_refused_and_nobody_waits_too_long() -> None:
    good = Sustained(80, 15, (0.1, 0.5), (1.0, 5.0), 1200, 1200, 0.1, 200)
    assert good.kept_up
    for worse in (
        replace(good, people=1199),
        replace(good, acknowledged=(0.1, 0.51)),
        replace(good, counted=(1.0, measures.NEVER)),
    ):
        assert not worse.kept_up


def test_no_two_people_are_alike() -> None:
    people = [registration(number)["person"] for number in range(50)]
    for one, other in pairwise(people):
        assert one["document"] != other["document"]
        assert one["family_name"] != other["family_name"]
        assert one["email"] != other["email"]
