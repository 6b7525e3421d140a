"""Whether a match uses what was promised to it: a seat of the assignment, a place in the person's pool."""

from __future__ import annotations

from services.matching.domain.matches import ENDED, SEATED, Match
from shared.cases.holds import Usage


def seat_usage(state: Match | None) -> Usage:
    """Whether the match may still use a seat's hold, uses it, or never can again."""
    if state is None:
        return "pending"
    if state.status in ENDED:
        return "spent"
    return "used" if state.status in SEATED else "pending"


def pool_usage(state: Match | None) -> Usage:
    """An open match uses its hold in the person's pool from its creation to its end."""
    if state is None:
        return "pending"
    return "spent" if state.status in ENDED else "used"
