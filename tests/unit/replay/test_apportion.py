"""Largest remainder: parts sum to the total, each next to its exact share."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.replay.apportion import apportioned, shrunk, shrunk_parts


def test_the_largest_remainders_gain() -> None:
    assert apportioned(10, [1, 1, 1]) == [4, 3, 3]
    assert apportioned(7, [10, 20, 71]) == [1, 1, 5]
    assert apportioned(0, [3, 4]) == [0, 0]
    assert apportioned(0, []) == []
    with pytest.raises(ValueError, match="share out nothing"):
        apportioned(1, [0, 0])


@given(st.integers(0, 10_000), st.lists(st.integers(0, 500), min_size=1).filter(any))
def test_parts_sum_and_lie_next_to_their_share(total: int, weights: list[int]) -> None:
    parts = apportioned(total, weights)
    assert sum(parts) == total
    assert all(abs(part - Fraction(total * one, sum(weights))) < 1 for part, one in zip(parts, weights, strict=True))


def test_what_happened_at_all_still_happens_once() -> None:
    scale = Decimal("0.05")
    assert [shrunk(number, scale) for number in (0, 1, 9, 30, 50, 272)] == [0, 1, 1, 2, 3, 14]
    assert shrunk_parts([100, 0, 60], scale) == [5, 0, 3]
    assert shrunk_parts([], scale) == []
