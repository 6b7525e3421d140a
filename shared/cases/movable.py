"""Whose case it is, and which office was asked to take it over, as events of transfers say (shared.cases.transfers)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict

from shared.contracts.base import Instant
from shared.contracts.frame import Listed
from shared.contracts.transfers import CaseFollowed, CaseTransferred, TransferAsked, Transferring

# The field of a state, and of what an office reads of a case.
TRANSFER = "transfer"


class Transfer(BaseModel):
    """`to_office` was asked at that instant to take the case over, and has not answered yet."""

    model_config = ConfigDict(frozen=True)

    to_office: Annotated[str, Listed("office")]
    reason: str
    asked_at: Instant


class Movable(BaseModel):
    """A state of a case that an office may pass on to another one."""

    model_config = ConfigDict(frozen=True)

    transfer: Transfer | None = None


class Following(BaseModel):
    """A state of a case that hangs on another one and is of the same office: `CaseFollowed` says up to where."""

    model_config = ConfigDict(frozen=True)

    after_epoch: int = 0
    after_sequence: int = 0


def moved(state: Any, event: Transferring) -> Mapping[str, Any]:
    """What the event changes in the state: the office where the state, its parties or its frame name it, with the
    zone that stands beside it."""
    changes: dict[str, Any] = {}
    if isinstance(state, Movable):
        asked = isinstance(event, TransferAsked)
        said = {"to_office": event.to_office, "reason": event.reason} if isinstance(event, TransferAsked) else {}
        changes[TRANSFER] = Transfer(asked_at=event.happened_at, **said) if asked else None
    if not isinstance(event, CaseTransferred):
        return changes
    if isinstance(event, CaseFollowed):
        changes |= {"after_epoch": event.after_epoch, "after_sequence": event.after_sequence}
    name = next((one for one in ("parties", "frame") if getattr(state, one, None) is not None), "")
    within = getattr(state, name) if name else None
    if within is not None:
        changes[name] = within.model_copy(update=_placed(within, event))
    return {**_placed(state, event), **changes}


def _placed(within: BaseModel, event: CaseTransferred) -> dict[str, Any]:
    said = {"office": event.office, "time_zone": event.time_zone}
    known = type(within).model_fields
    return {name: value for name, value in said.items() if value is not None and name in known}
