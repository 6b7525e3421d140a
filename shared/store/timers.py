"""A document's one timer: what its case waits for, or an unconfirmed hold (docs/kernel.md, section 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel

from shared.cases.case import Timer, no_timer
from shared.clock import text_of
from shared.store.port import Document

if TYPE_CHECKING:
    from shared.store.aggregates import Aggregate

S = TypeVar("S", bound=BaseModel)


def programme_timer(aggregate: Aggregate[S], document: Document, state: S | None = None) -> Timer | None:
    """What the case waits for; nothing while it is recorded late. `state` is the document's, where it is known."""
    if document["late"] or aggregate.timer is no_timer:
        return None
    state = aggregate.read(document) if state is None else state
    return aggregate.timer(state) if state is not None else None


def schedule(draft: Document, aggregate: Aggregate[S] | None, state: S | None = None) -> None:
    """Sets the document's one timer: the earlier of its programme timer and its unconfirmed holds.

    A programme timer does not run on a case that is recorded late; holds run on the real clock always. `state`
    is the draft's where the caller has it; reading it once more would validate all of it again.
    """
    due = [hold["until"] for hold in draft["holds"].values() if hold["status"] == "held"]
    if aggregate and (timer := programme_timer(aggregate, draft, state)):
        due.append(text_of(timer.at))
    draft["timed"] = bool(due)
    draft["next_at"] = min(due) if due else None
