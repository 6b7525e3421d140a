"""A host institution: proposed > assessed > partner > active <> on_hold > closed (DOMAIN section 3).

Its name is no personal datum, but it is text, and texts never travel on topics: it stays in the private part.
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
    InstitutionActivated,
    InstitutionAssessed,
    InstitutionBecamePartner,
    InstitutionClosed,
    InstitutionPutOnHold,
    InstitutionRegistered,
)
from shared.errors import Refusal

Status = Literal["proposed", "assessed", "partner", "active", "on_hold", "closed"]


class Institution(BaseModel):
    """`reason`: why it is on hold or closed."""

    model_config = ConfigDict(frozen=True)

    account: str | None = None
    office: str
    country: str
    sector: str
    host_type: str
    area: str | None = None
    registered_at: Instant
    status: Status = "proposed"
    reason: str | None = None


@dataclass(frozen=True)
class RegisterInstitution:
    account: str | None
    office: str
    country: str
    sector: str
    host_type: str
    area: str | None = None


@dataclass(frozen=True)
class AssessInstitution:
    pass


@dataclass(frozen=True)
class AcceptPartner:
    pass


@dataclass(frozen=True)
class ActivateInstitution:
    pass


@dataclass(frozen=True)
class PutOnHold:
    reason: str


@dataclass(frozen=True)
class CloseInstitution:
    reason: str


def decide(state: Institution | None, command: Any, now: datetime) -> Sequence[Event]:
    """Refusals: `already_registered`, `not_found`, `illegal_transition`."""
    if isinstance(command, RegisterInstitution):
        return [_register(state, command, now)]
    status = existing(state).status
    if isinstance(command, AssessInstitution):
        only_from(status, "proposed")
        return [InstitutionAssessed(happened_at=now)]
    if isinstance(command, AcceptPartner):
        only_from(status, "assessed")
        return [InstitutionBecamePartner(happened_at=now)]
    if isinstance(command, ActivateInstitution):
        only_from(status, "partner", "on_hold")
        return [InstitutionActivated(happened_at=now)]
    if isinstance(command, PutOnHold):
        only_from(status, "active")
        return [InstitutionPutOnHold(happened_at=now, reason=command.reason)]
    if isinstance(command, CloseInstitution):
        only_from(status, "proposed", "assessed", "partner", "active", "on_hold")
        return [InstitutionClosed(happened_at=now, reason=command.reason)]
    raise Refusal("unknown_command")


def _register(state: Institution | None, command: RegisterInstitution, now: datetime) -> Event:
    if state is not None:
        raise Refusal("already_registered")
    return InstitutionRegistered(
        happened_at=now,
        account=command.account,
        office=command.office,
        country=command.country,
        sector=command.sector,
        host_type=command.host_type,
        area=command.area,
    )


def evolve(state: Institution | None, event: Any) -> Institution:
    if isinstance(event, InstitutionRegistered):
        return Institution(
            account=event.account,
            office=event.office,
            country=event.country,
            sector=event.sector,
            host_type=event.host_type,
            area=event.area,
            registered_at=event.happened_at,
        )
    if state is None:
        raise TypeError(type(event).__name__)
    return state.model_copy(update=_changes(event))


def _changes(event: Any) -> dict[str, Any]:
    match event:
        case InstitutionAssessed():
            return {"status": "assessed"}
        case InstitutionBecamePartner():
            return {"status": "partner"}
        case InstitutionActivated():
            return {"status": "active", "reason": None}
        case InstitutionPutOnHold():
            return {"status": "on_hold", "reason": event.reason}
        case InstitutionClosed():
            return {"status": "closed", "reason": event.reason}
        case _:
            raise TypeError(type(event).__name__)


def scope(state: Institution) -> Scope:
    return Scope(office=state.office)
