"""Terms of reference, from draft to filled (DOMAIN section 3).

draft > submitted <> edits_requested;  submitted > approved | rejected
approved > published > matching <> filled;  any open > cancelled(reason)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from shared.contracts.base import Event, Scope
from shared.contracts.matching import (
    AssignmentApproved,
    AssignmentCancelled,
    AssignmentDrafted,
    AssignmentEditsRequested,
    AssignmentFilled,
    AssignmentMatchingStarted,
    AssignmentPublished,
    AssignmentRejected,
    AssignmentReopened,
    AssignmentRevised,
    AssignmentSubmitted,
    Terms,
)
from shared.errors import Refusal

Status = Literal[
    "draft",
    "submitted",
    "edits_requested",
    "approved",
    "rejected",
    "published",
    "matching",
    "filled",
    "cancelled",
]
# Where experts may apply, and where a shortlist may be made.
OPEN_TO_EXPERTS: frozenset[Status] = frozenset({"published", "matching"})
ENDED: frozenset[Status] = frozenset({"rejected", "cancelled"})


class Assignment(BaseModel):
    """The fold of an assignment's events. `shortlisted`: match ids of all rounds, by round and then by rank."""

    model_config = ConfigDict(frozen=True)

    status: Status
    terms: Terms
    office: str | None = None
    programme: str | None = None
    programme_version: int | None = None
    round: int = 0
    shortlisted: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    reason: str | None = None


@dataclass(frozen=True)
class DraftAssignment:
    office: str
    programme: str
    programme_version: int
    terms: Terms


@dataclass(frozen=True)
class SubmitAssignment:
    pass


@dataclass(frozen=True)
class RequestEdits:
    items: tuple[str, ...]


@dataclass(frozen=True)
class ReviseAssignment:
    terms: Terms


@dataclass(frozen=True)
class ApproveAssignment:
    pass


@dataclass(frozen=True)
class RejectAssignment:
    reason: str


@dataclass(frozen=True)
class PublishAssignment:
    pass


@dataclass(frozen=True)
class StartMatching:
    """`matches`: the new round's shortlist by rank."""

    matches: tuple[str, ...]
    override_reason: str | None = None


@dataclass(frozen=True)
class FillAssignment:
    pass


@dataclass(frozen=True)
class ReopenAssignment:
    pass


@dataclass(frozen=True)
class CancelAssignment:
    reason: str


OPEN: frozenset[Status] = frozenset(
    {"draft", "submitted", "edits_requested", "approved", "published", "matching", "filled"}
)
LEGAL: dict[type[Any], frozenset[Status]] = {
    SubmitAssignment: frozenset({"draft", "edits_requested"}),
    RequestEdits: frozenset({"submitted"}),
    ReviseAssignment: frozenset({"draft", "edits_requested"}),
    ApproveAssignment: frozenset({"submitted"}),
    RejectAssignment: frozenset({"submitted"}),
    PublishAssignment: frozenset({"approved"}),
    StartMatching: OPEN_TO_EXPERTS,
    CancelAssignment: OPEN,
}


def decide(state: Assignment | None, command: Any, now: datetime) -> Sequence[Event]:
    """The events of one command. Raises Refusal `illegal_transition` or `already_exists`, or `not_found` (404)."""
    if isinstance(command, DraftAssignment):
        if state is not None:
            raise Refusal("already_exists")
        return [_drafted(command, now)]
    if state is None:
        raise Refusal("not_found", status=404)
    if isinstance(command, FillAssignment):
        # Filling and reopening follow from counting the accepted offers; who counted late finds it done.
        return [AssignmentFilled(happened_at=now)] if state.status == "matching" else []
    if isinstance(command, ReopenAssignment):
        return [AssignmentReopened(happened_at=now)] if state.status == "filled" else []
    require(state, type(command))
    return [_EVENTS[type(command)](state, command, now)]


def require(state: Assignment, command: type[Any]) -> None:
    """Raises Refusal `illegal_transition` where the assignment is in no state from which the command leads on."""
    if state.status not in LEGAL[command]:
        raise Refusal("illegal_transition", f"an assignment that is {state.status} does not allow this")


def _drafted(command: DraftAssignment, now: datetime) -> Event:
    return AssignmentDrafted(
        happened_at=now,
        terms=command.terms,
        office=command.office,
        programme=command.programme,
        programme_version=command.programme_version,
    )


def _started(state: Assignment, command: StartMatching, now: datetime) -> Event:
    return AssignmentMatchingStarted(
        happened_at=now,
        round=state.round + 1,
        matches=command.matches,
        override_reason=command.override_reason,
    )


_EVENTS: dict[type[Any], Callable[[Assignment, Any, datetime], Event]] = {
    SubmitAssignment: lambda s, c, now: AssignmentSubmitted(happened_at=now),
    RequestEdits: lambda s, c, now: AssignmentEditsRequested(happened_at=now, items=c.items),
    ReviseAssignment: lambda s, c, now: AssignmentRevised(happened_at=now, terms=c.terms),
    ApproveAssignment: lambda s, c, now: AssignmentApproved(happened_at=now),
    RejectAssignment: lambda s, c, now: AssignmentRejected(happened_at=now, reason=c.reason),
    PublishAssignment: lambda s, c, now: AssignmentPublished(happened_at=now),
    StartMatching: _started,
    CancelAssignment: lambda s, c, now: AssignmentCancelled(happened_at=now, reason=c.reason),
}


def evolve(state: Assignment | None, event: Event) -> Assignment:
    """The state after the event. ValueError for an event that cannot come first."""
    if isinstance(event, AssignmentDrafted):
        return Assignment(
            status="draft",
            terms=event.terms,
            office=event.office,
            programme=event.programme,
            programme_version=event.programme_version,
        )
    if state is None:
        raise ValueError("an assignment begins with its draft")
    return state.model_copy(update=_changes(state, event))


_BECOMES: dict[type[Event], Status] = {
    AssignmentSubmitted: "submitted",
    AssignmentEditsRequested: "edits_requested",
    AssignmentApproved: "approved",
    AssignmentRejected: "rejected",
    AssignmentPublished: "published",
    AssignmentMatchingStarted: "matching",
    AssignmentFilled: "filled",
    AssignmentReopened: "matching",
    AssignmentCancelled: "cancelled",
}


def _changes(state: Assignment, event: Event) -> dict[str, Any]:
    changes: dict[str, Any] = {"status": _BECOMES[type(event)]} if type(event) in _BECOMES else {}
    if isinstance(event, AssignmentRevised):
        changes["terms"] = event.terms
    elif isinstance(event, AssignmentEditsRequested):
        changes["items"] = event.items
    elif isinstance(event, AssignmentMatchingStarted):
        new = tuple(id for id in event.matches if id not in state.shortlisted)
        changes |= {"round": event.round, "shortlisted": (*state.shortlisted, *new)}
    elif isinstance(event, AssignmentRejected | AssignmentCancelled):
        changes["reason"] = event.reason
    return changes


def scope(state: Assignment) -> Scope:
    return Scope(state.office, state.programme, state.programme_version)
