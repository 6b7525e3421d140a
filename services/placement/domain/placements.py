"""A placement: host_confirmed > contracted > pre_departure > travelling > active > completed | ended_early;
no_show and cancelled before the arrival; refused where the calendar said no (DOMAIN section 3).

Virtual: no travel; the host confirms the first day of work. The obligatory steps of the preparation are those
that the programme's definition lists for the modality, training for virtual work included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from services.placement.domain.placement_state import (
    BEFORE_ARRIVAL,
    PREPARING,
    Party,
    Placement,
    Status,
    is_virtual,
)
from shared.contracts.base import Event
from shared.contracts.matching import MatchParties, Terms
from shared.contracts.placement import (
    NoShowReported,
    PlacementCancelled,
    PlacementContracted,
    PlacementEndedEarly,
    PlacementExtended,
    PlacementOpened,
    PlacementRefused,
    PreparationStep,
    PreparationStepCompleted,
    ReturnCompleted,
    ReturnStarted,
    TravelStarted,
)
from shared.errors import Refusal


@dataclass(frozen=True)
class OpenPlacement:
    match: str
    parties: MatchParties
    terms: Terms
    time_zone: str | None = None


@dataclass(frozen=True)
class RefusePlacement:
    match: str
    parties: MatchParties
    reason: str


@dataclass(frozen=True)
class RetractPlacement:
    """The match is taken back, or the consent: what has not begun is cancelled; what runs ends, if `running` says."""

    match: str
    parties: MatchParties
    reason: str
    running: bool = True


@dataclass(frozen=True)
class NoteConsent:
    """The consent was given anew: a flag outside the state goes, and nothing happens to the case."""


@dataclass(frozen=True)
class ContractPlacement:
    starts_on: date
    ends_on: date


@dataclass(frozen=True)
class CompleteStep:
    step: PreparationStep
    obligatory: tuple[PreparationStep, ...]


@dataclass(frozen=True)
class Depart:
    obligatory: tuple[PreparationStep, ...]


@dataclass(frozen=True)
class ConfirmArrival:
    obligatory: tuple[PreparationStep, ...]


@dataclass(frozen=True)
class ExtendPlacement:
    ends_on: date


@dataclass(frozen=True)
class CompletePlacement:
    pass


@dataclass(frozen=True)
class EndEarly:
    party: Party
    reason: str


@dataclass(frozen=True)
class ReportNoShow:
    pass


@dataclass(frozen=True)
class CancelPlacement:
    reason: str


def decide(state: Placement | None, command: Any, now: datetime) -> Sequence[Event]:
    """Refusals: `not_found`, `illegal_transition`, `dates_reversed`, `preparation_incomplete`, `arrival_after_end`,
    `completed_before_start`, `no_show_before_start`, `extension_not_later`, `virtual_has_no_travel`, ...

    What opens, refuses or retracts comes from an event and finds its own earlier answer: then nothing happens.
    """
    match command:
        case OpenPlacement() | RefusePlacement() | RetractPlacement():
            return _by_event(state, command, now)
        case ContractPlacement():
            return _contract(existing(state), command, now)
        case CompleteStep() | Depart() | ConfirmArrival():
            return _on_the_way(existing(state), command, now)
        case ExtendPlacement() | CompletePlacement() | EndEarly():
            return _while_active(existing(state), command, now)
        case ReportNoShow():
            only_from(existing(state), *PREPARING, "travelling")
            _begun(existing(state), now, "no_show_before_start")
            return [NoShowReported(happened_at=now)]
        case NoteConsent():
            return []
        case CancelPlacement():
            placement = existing(state)
            only_from(placement, *BEFORE_ARRIVAL)
            return [_cancelled(placement.match, placement.parties, command.reason, now)]
        case _:
            raise Refusal("unknown_command")


def existing(state: Placement | None) -> Placement:
    if state is None:
        raise Refusal("not_found", status=404)
    return state


def only_from(state: Placement, *statuses: Status) -> None:
    """Refuses `illegal_transition` from any other state."""
    if state.status not in statuses:
        raise Refusal("illegal_transition", f"not from {state.status}")


def _by_event(
    state: Placement | None, command: OpenPlacement | RefusePlacement | RetractPlacement, now: datetime
) -> Sequence[Event]:
    if isinstance(command, RetractPlacement):
        return _retract(state, command, now)
    if state is not None:
        return []
    if isinstance(command, OpenPlacement):
        told = {name: getattr(command, name) for name in ("match", "parties", "terms", "time_zone")}
        return [PlacementOpened(happened_at=now, **told)]
    return [PlacementRefused(happened_at=now, match=command.match, parties=command.parties, reason=command.reason)]


def _retract(state: Placement | None, command: RetractPlacement, now: datetime) -> Sequence[Event]:
    if state is None or state.status in BEFORE_ARRIVAL:
        return [_cancelled(command.match, command.parties, command.reason, now)]
    if state.status == "active" and command.running:
        return [PlacementEndedEarly(happened_at=now, party="programme", reason=command.reason)]
    return []


def _cancelled(match: str, parties: MatchParties, reason: str, now: datetime) -> PlacementCancelled:
    return PlacementCancelled(happened_at=now, match=match, parties=parties, reason=reason)


def _contract(state: Placement, command: ContractPlacement, now: datetime) -> Sequence[Event]:
    only_from(state, "host_confirmed")
    if command.ends_on <= command.starts_on:
        raise Refusal("dates_reversed", status=422)
    return [PlacementContracted(happened_at=now, starts_on=command.starts_on, ends_on=command.ends_on)]


def _on_the_way(state: Placement, command: CompleteStep | Depart | ConfirmArrival, now: datetime) -> Sequence[Event]:
    if isinstance(command, CompleteStep):
        only_from(state, *PREPARING)
        if command.step in state.steps:
            raise Refusal("step_completed_before")
        if is_virtual(state) and command.step not in command.obligatory:
            raise Refusal("step_of_travel", "virtual work has no travel, no travel insurance and no allowance")
        return [PreparationStepCompleted(happened_at=now, step=command.step)]
    if isinstance(command, Depart):
        if is_virtual(state):
            raise Refusal("virtual_has_no_travel")
        only_from(state, *PREPARING)
        _prepared(state, command.obligatory)
        return [TravelStarted(happened_at=now)]
    only_from(state, *(PREPARING if is_virtual(state) else ("travelling",)))
    _prepared(state, command.obligatory)
    if state.ends_on is not None and state.day_of(now) >= state.ends_on:
        raise Refusal("arrival_after_end", "the contract was over by that day")
    return [ReturnStarted(happened_at=now)]


def _begun(state: Placement, now: datetime, rule: str) -> None:
    if state.starts_on is not None and state.day_of(now) < state.starts_on:
        raise Refusal(rule, "the contract begins on a later day")


def _prepared(state: Placement, obligatory: Sequence[PreparationStep]) -> None:
    if set(obligatory) - set(state.steps):
        raise Refusal("preparation_incomplete", "an obligatory step of the programme is not done")


def _while_active(
    state: Placement, command: ExtendPlacement | CompletePlacement | EndEarly, now: datetime
) -> Sequence[Event]:
    only_from(state, "active")
    if isinstance(command, CompletePlacement):
        _begun(state, now, "completed_before_start")
        return [ReturnCompleted(happened_at=now)]
    if isinstance(command, EndEarly):
        return [PlacementEndedEarly(happened_at=now, party=command.party, reason=command.reason)]
    if state.ends_on is None or command.ends_on <= state.ends_on:
        raise Refusal("extension_not_later", "an extension ends after the contract that it extends", status=422)
    return [PlacementExtended(happened_at=now, ends_on=command.ends_on)]
