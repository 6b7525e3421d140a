"""What happened in a document, fact by fact, kept with it: a timeline needs no look at the log.

Codes and instants alone, as the events have them, with role and office of whoever acted; no account and no text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shared.clock import text_of
from shared.contracts.base import Event, said_of
from shared.contracts.corrections import Revising
from shared.contracts.transfers import CaseTransferred
from shared.store.port import Document

if TYPE_CHECKING:
    from shared.store.aggregates import Cause

PAST = "past"
# Most cases have a dozen. Of one with more the oldest stand on the log alone.
KEPT_AT_MOST = 300

# An event, and where the case stood after it; None for a document without a status.
Told = tuple[Event, str | None]


def remember(draft: Document, told: Sequence[Told], cause: Cause) -> None:
    """Adds the events to the draft's past, in their order; `emit` has said before when they were recorded."""
    before = [] if cause.forgets else draft.get(PAST, [])
    draft[PAST] = [*before, *(_entry(draft, event, status, cause) for event, status in told)][-KEPT_AT_MOST:]


def no_longer_told(document: Document) -> int:
    """How many of the document's events its past has no more, or had not yet when it was written."""
    emitted = sum(int(head["count"]) for head in document["emitted"].values())
    return max(0, emitted - len(document.get(PAST, ())))


def _entry(draft: Document, event: Event, status: str | None, cause: Cause) -> dict[str, Any]:
    late = event.recorded_late or isinstance(event, Revising)
    found = {
        "fact": type(event).__name__,
        "save": draft["version"],
        "at": text_of(event.happened_at),
        "recorded_at": draft["last_recorded_at"] if late else None,
        "status": status,
        **(cause.by or {}),
        "reason": said_of(event, "reason"),
        "step": said_of(event, "step"),
        "settled": said_of(event, "settled"),
        "to_office": event.office if isinstance(event, CaseTransferred) else said_of(event, "to_office"),
    }
    return {name: value for name, value in found.items() if value is not None}
