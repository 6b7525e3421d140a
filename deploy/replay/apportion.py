"""Whole numbers in given proportions: largest remainder, so that the parts sum to the total exactly."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal


def apportioned(total: int, weights: Sequence[int]) -> list[int]:
    """The total in as many parts as there are weights, by largest remainder; of equal remainders the first gains.

    ValueError where something is to be given to nobody: weights that sum to 0.
    """
    whole = sum(weights)
    if not whole:
        if total:
            raise ValueError("weights that sum to 0 share out nothing")
        return [0] * len(weights)
    parts = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda n: (-(total * weights[n] % whole), n))
    for n in by_remainder[: total - sum(parts)]:
        parts[n] += 1
    return parts


def shrunk(number: int, scale: Decimal) -> int:
    """The number at that scale, rounded half up; what happened at all still happens once."""
    if not number:
        return 0
    return max(1, int((number * scale).quantize(Decimal(1), rounding=ROUND_HALF_UP)))


def shrunk_parts(numbers: Sequence[int], scale: Decimal) -> list[int]:
    """The numbers at that scale: their total as `shrunk` gives it, shared out by largest remainder."""
    return apportioned(shrunk(sum(numbers), scale), numbers)
