"""An appeal: whoever was found ineligible, or is suspended, has the decision looked at by another officer.

A new registration is not the way round: a person stands in a programme once.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta, tzinfo
from typing import Annotated, Any, Literal

from pydantic import Field

from shared.cases.bodies import Note, Noted
from shared.cases.case import Told, Turn
from shared.clock import text_of
from shared.contracts.registration.experts import GROUNDS, Ground
from shared.errors import Refusal

Outcome = Literal["pending", "upheld", "dismissed"]


class Appeal(Noted):
    """`note`: why, in the person's own words; it is sealed, and no event carries it."""

    ground: Annotated[Ground, Field(description=" ".join(f"`{code}`: {text}" for code, text in GROUNDS.items()))]
    note: Note


def until(decided_at: datetime, zone: tzinfo, within_days: int) -> datetime:
    """The first instant at which an appeal comes too late: `within_days` full calendar days follow the decision's."""
    last = decided_at.astimezone(zone).date() + timedelta(days=within_days)
    return datetime.combine(last + timedelta(days=1), time(), zone)


def is_open(state: Any, now: datetime) -> bool:
    """Whether the last decision on the expert may still be appealed; one that named no last day always may."""
    return state.appeal_until is None or now < state.appeal_until


def in_time(turn: Turn[Any, Appeal]) -> Told:
    """An appeal comes by the last day that the decision named."""
    if not is_open(turn.state, turn.now):
        detail = f"possible before {text_of(turn.state.appeal_until)}; an officer may screen again, or reinstate"
        raise Refusal("appeal_too_late", detail)
    return {}
