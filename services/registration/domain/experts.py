"""An expert: a person in one programme, screened by the criteria that the programme declares (DOMAIN section 3).

screening <> needs_info; screening > eligible | ineligible; any > suspended > what it was before. Whether somebody
is on assignment or an alumnus follows from placements and is never stored here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from services.registration.domain.transitions import existing, only_from
from shared.contracts.base import Event, Instant, Scope
from shared.contracts.registration import (
    ExpertDeclaredEligible,
    ExpertDeclaredIneligible,
    ExpertInfoProvided,
    ExpertInfoRequested,
    ExpertRegistered,
    ExpertReinstated,
    ExpertSuspended,
)
from shared.errors import Refusal

Status = Literal["screening", "needs_info", "eligible", "ineligible", "suspended"]


class Expert(BaseModel):
    """`criteria`: names of those that failed; `items`: codes of what is missing; `resumes`: before the suspension."""

    model_config = ConfigDict(frozen=True)

    person: str
    programme: str
    programme_version: int | None = None
    office: str
    channel: Literal["self", "officer"]
    registered_at: Instant
    status: Status = "screening"
    items: tuple[str, ...] = ()
    criteria: tuple[str, ...] = ()
    reason: str | None = None
    resumes: Status | None = None


@dataclass(frozen=True)
class RegisterExpert:
    person: str
    programme: str
    programme_version: int
    office: str
    channel: Literal["self", "officer"]


@dataclass(frozen=True)
class ScreenExpert:
    """`failed`: names of the criteria that are not met on the day of the screening; none means eligible."""

    failed: tuple[str, ...]


@dataclass(frozen=True)
class RequestInfo:
    items: tuple[str, ...]


@dataclass(frozen=True)
class ProvideInfo:
    pass


@dataclass(frozen=True)
class SuspendExpert:
    reason: str


@dataclass(frozen=True)
class ReinstateExpert:
    pass


def decide(state: Expert | None, command: Any, now: datetime) -> Sequence[Event]:
    """Refusals: `already_registered`, `not_found`, `illegal_transition`."""
    if isinstance(command, RegisterExpert):
        return [_register(state, command, now)]
    expert = existing(state)
    if isinstance(command, ScreenExpert):
        only_from(expert.status, "screening")
        return [_screened(expert, command, now)]
    if isinstance(command, RequestInfo):
        only_from(expert.status, "screening")
        return [ExpertInfoRequested(happened_at=now, items=command.items)]
    if isinstance(command, ProvideInfo):
        only_from(expert.status, "needs_info")
        return [ExpertInfoProvided(happened_at=now)]
    if isinstance(command, SuspendExpert):
        only_from(expert.status, "screening", "needs_info", "eligible", "ineligible")
        return [ExpertSuspended(happened_at=now, person=expert.person, reason=command.reason)]
    if isinstance(command, ReinstateExpert):
        only_from(expert.status, "suspended")
        return [ExpertReinstated(happened_at=now, person=expert.person)]
    raise Refusal("unknown_command")


def _register(state: Expert | None, command: RegisterExpert, now: datetime) -> Event:
    if state is not None:
        raise Refusal("already_registered", "the person is registered in this programme")
    return ExpertRegistered(
        happened_at=now,
        person=command.person,
        programme=command.programme,
        programme_version=command.programme_version,
        office=command.office,
        channel=command.channel,
    )


def _screened(expert: Expert, command: ScreenExpert, now: datetime) -> Event:
    if command.failed:
        return ExpertDeclaredIneligible(happened_at=now, person=expert.person, criteria=command.failed)
    return ExpertDeclaredEligible(happened_at=now, person=expert.person)


def evolve(state: Expert | None, event: Any) -> Expert:
    if isinstance(event, ExpertRegistered):
        return Expert(
            person=event.person,
            programme=event.programme,
            programme_version=event.programme_version,
            office=event.office,
            channel=event.channel,
            registered_at=event.happened_at,
        )
    if state is None:
        raise TypeError(type(event).__name__)
    return state.model_copy(update=_changes(state, event))


def _changes(state: Expert, event: Any) -> dict[str, Any]:
    match event:
        case ExpertInfoRequested():
            return {"status": "needs_info", "items": event.items}
        case ExpertInfoProvided():
            return {"status": "screening", "items": ()}
        case ExpertDeclaredEligible():
            return {"status": "eligible", "criteria": ()}
        case ExpertDeclaredIneligible():
            return {"status": "ineligible", "criteria": event.criteria}
        case ExpertSuspended():
            return {"status": "suspended", "reason": event.reason, "resumes": state.status}
        case ExpertReinstated():
            return {"status": state.resumes or "screening", "reason": None, "resumes": None}
        case _:
            raise TypeError(type(event).__name__)


def scope(state: Expert) -> Scope:
    return Scope(state.office, state.programme, state.programme_version)
