"""A document's one timer: what its case waits for, or an unconfirmed hold (docs/kernel.md, section 5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from shared.cases.case import no_timer
from shared.clock import instant_of, text_of
from shared.store.port import Document

if TYPE_CHECKING:
    from shared.store.aggregates import Aggregate

S = TypeVar("S", bound=BaseModel)


@dataclass(frozen=True)
class Due:
    """Firing executes `command` at `at`. `happened_at`: as of that earlier instant, recorded late; None: as of then."""

    at: datetime
    command: Any
    happened_at: datetime | None = None


def programme_timer(aggregate: Aggregate[S], document: Document, state: S | None = None) -> Due | None:
    """What the case waits for. `state` is the document's, where it is known.

    What lies ahead of the instant at which the last fact was recorded fires when it comes, also where that fact was
    recorded late. What was over by then is left for as long as the case's timer says, and then fires as of its time.
    """
    if aggregate.timer is no_timer:
        return None
    state = aggregate.read(document) if state is None else state
    timer = aggregate.timer(state) if state is not None else None
    if timer is None:
        return None
    if timer.on_the_clock or not document["late"] or timer.at > (recorded := instant_of(document["last_recorded_at"])):
        return Due(timer.at, timer.command)
    return Due(recorded + timer.waits, timer.command, timer.at) if timer.waits is not None else None


def schedule(draft: Document, aggregate: Aggregate[S] | None, state: S | None = None) -> None:
    """Sets the document's one timer: the earlier of its programme timer and its unconfirmed holds.

    Holds run on the real clock always. `state` is the draft's where the caller has it; reading it once more would
    validate all of it again.
    """
    due = [hold["until"] for hold in draft["holds"].values() if hold["status"] == "held"]
    if aggregate and (timer := programme_timer(aggregate, draft, state)):
        due.append(text_of(timer.at))
    draft["timed"] = bool(due)
    draft["next_at"] = min(due) if due else None
