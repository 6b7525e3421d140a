"""How an illegal transition is named."""

from __future__ import annotations

from typing import TypeVar

from shared.errors import Refusal

S = TypeVar("S")


def existing(state: S | None) -> S:
    """The state. Refusal `not_found` (404) for a case that was never opened."""
    if state is None:
        raise Refusal("not_found", status=404)
    return state


def only_from(status: str, *allowed: str) -> None:
    """Refuses what the state machine has no arrow for (DOMAIN section 3)."""
    if status not in allowed:
        raise Refusal("illegal_transition", f"possible from {', '.join(allowed)}; the case is {status}")
