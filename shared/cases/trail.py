"""The facts that a case's state stands on, so that the last one can be put right without reading the log again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from shared.contracts.base import Event, Instant
from shared.contracts.corrections import FactTakenBack, TimeCorrected

S = TypeVar("S", bound=BaseModel)

# Facts that a case remembers, so that a case with many of them stays small; older ones can no longer be put right.
REMEMBERED = 20

_OF_EVERY_CORRECTION = set(TimeCorrected.model_fields)


class Past(BaseModel):
    """A fact of the case. `sequence`: of the event that told it first, `standing`: of the one that stands for it now.

    `said`: the event's body, of which the fact is told anew with another time; `before`: what of the state it changed,
    as it was; `anew`: what of the state a later event told anew of the same fact. All are empty where the case does not
    allow the fact to be put right.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    sequence: int
    standing: int
    happened_at: Instant
    corrected: bool = False
    said: dict[str, Any] = {}
    before: dict[str, Any] = {}
    anew: dict[str, Any] = {}


class Trailed(BaseModel):
    """A state that remembers its last facts. `told`: how many events the case has told."""

    model_config = ConfigDict(frozen=True)

    told: int = 0
    trail: tuple[Past, ...] = ()

    @property
    def last(self) -> Past | None:
        """The last fact that stands; None before there is one."""
        return self.trail[-1] if self.trail else None


def noted(state: Trailed | None, event: Event, changes: Mapping[str, Any], *, revisable: bool) -> dict[str, Any]:
    """What the event adds to the trail of the state that it changes."""
    number = (state.told if state else 0) + 1
    past: dict[str, Any] = {"name": type(event).__name__, "sequence": number, "standing": number}
    past["happened_at"] = event.happened_at
    if revisable and state is not None:
        past["said"] = event.model_dump(mode="json", exclude_none=True)
        past["before"] = state.model_dump(mode="json", include=set(changes))
    return {"told": number, "trail": (*(state.trail if state else ()), Past(**past))[-REMEMBERED:]}


def amended(
    state: Trailed, told_by: Callable[[Past], bool], changes: Mapping[str, Any], *, stands: bool
) -> dict[str, Any]:
    """What an event adds to the trail that says more of a fact than was said: nothing of its own, for it goes with the
    last fact of which `told_by` says so. `stands`: whether that event stands for the fact from now on."""
    number, names = state.told + 1, set(changes)
    place = next((at for at in reversed(range(len(state.trail))) if told_by(state.trail[at])), None)
    if place is None:
        return {"told": number}
    past = state.trail[place]
    if past.said:
        was = state.model_dump(mode="json", include=names)
        then = state.model_copy(update=dict(changes)).model_dump(mode="json", include=names)
        past = past.model_copy(update={"before": {**was, **past.before}, "anew": {**past.anew, **then}})
    if stands:
        past = past.model_copy(update={"standing": number})
    return {"told": number, "trail": (*state.trail[:place], past, *state.trail[place + 1 :])}


def restored(state: S, past: Past) -> S:
    """The state as it was before its last fact."""
    return _with(state, past.before)


def told_anew(state: S, past: Past) -> S:
    """The state after the fact, with what was told anew of it."""
    return _with(state, past.anew)


def _with(state: S, fields: Mapping[str, Any]) -> S:
    return type(state).model_validate({**state.model_dump(mode="json"), **fields})


def taken_back(event: FactTakenBack, number: int) -> Past:
    """The taking back itself as the last fact, where it left the case in another state than before."""
    return Past(name=type(event).__name__, sequence=number, standing=number, happened_at=event.happened_at)


def corrected(past: Past, event: TimeCorrected, number: int) -> Past:
    """The fact at its right time, with what follows from that."""
    anew = event.model_dump(mode="json", exclude=_OF_EVERY_CORRECTION, exclude_none=True)
    said = {**past.said, **anew, "happened_at": event.model_dump(mode="json")["happened_at"]}
    return past.model_copy(
        update={"happened_at": event.happened_at, "standing": number, "corrected": True, "said": said}
    )
