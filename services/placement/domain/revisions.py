"""The last fact of a placement put right: its time corrected, or taken back; and a contract's days corrected.

A placement allows it of what happened in it. What ended it for matching (no show, cancellation, an end in the
programme's name) gave the seat away there, so that is not taken back: a new round leads to a new placement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from services.placement.domain.dates import arrived_in_time, contract_has_begun, within_the_terms, work_is_over
from services.placement.domain.standing import Days, Placement, Preparation
from shared.cases.bodies import REASON, Change, Reason
from shared.cases.case import Told, Turn
from shared.cases.trail import Past, restored
from shared.contracts.base import Code, Date, Event, Instant
from shared.contracts.frame import Listed
from shared.contracts.placement import (
    HostCertified,
    NoShowReported,
    PlacementContracted,
    PlacementEndedEarly,
    PlacementExtended,
    PlacementFactTakenBack,
    PreparationStepCompleted,
    ReportAccepted,
    ReportsDue,
    ReportSubmitted,
    ReturnCompleted,
    ReturnStarted,
    TravelStarted,
)
from shared.errors import Refusal

TAKEN_BACK: tuple[type[Event], ...] = (
    PlacementContracted,
    PreparationStepCompleted,
    TravelStarted,
    ReturnStarted,
    PlacementExtended,
    ReportsDue,
    ReportSubmitted,
    ReportAccepted,
    HostCertified,
    ReturnCompleted,
    PlacementEndedEarly,
)
REVISABLE: frozenset[type[Event]] = frozenset({*TAKEN_BACK, NoShowReported})
MISTAKES = ("typing_error", "wrong_case", "wrong_date", "reported_wrongly", "mistake")

_NAMES = frozenset(event.__name__ for event in REVISABLE)
_TAKEN_BACK_NAMES = frozenset(event.__name__ for event in TAKEN_BACK)
# What a fact's own rule asks of the instant at which it happened.
_ON_ITS_DAY: Mapping[str, Callable[[Turn[Placement, Change]], Told]] = {
    ReturnStarted.__name__: arrived_in_time,
    ReturnCompleted.__name__: work_is_over,
    NoShowReported.__name__: contract_has_begun,
}


class Correction(Reason):
    """`happened_at`: when the last fact happened, rightly."""

    happened_at: Instant


class TakingBack(Reason):
    """The last fact was recorded by mistake; `happened_at` is not said, for nothing happened."""

    happened_at: None = None


class ContractCorrection(Reason):
    """The days that the contract has rightly. `override_reason`: as for a contract."""

    starts_on: Date
    ends_on: Date
    override_reason: Annotated[Code | None, Listed(REASON)] = None


@dataclass(frozen=True)
class Revision:
    """`replaces`: the ids of the events that stand for the facts of the trail, by their sequence."""

    replaces: Mapping[int, str]
    preparation: Preparation
    programme: Days | None
    consent_withdrawn: bool


def may_be_corrected(state: Placement) -> None:
    """Only the time of the last fact, and of those that happened in the placement itself."""
    if state.last is None or state.last.name not in _NAMES:
        raise Refusal("fact_not_revisable", "the last fact of the placement is none that can be put right")


def may_be_taken_back(state: Placement) -> None:
    """Nothing of which another service has acted: an end in the programme's name frees the seat in matching."""
    if state.last is None or state.last.name not in _TAKEN_BACK_NAMES:
        raise Refusal("fact_not_revisable", "the last fact of the placement is none that can be taken back")
    if state.last.name == PlacementEndedEarly.__name__ and state.party == "programme":
        raise Refusal("acted_on", "matching may have freed the seat; a new round leads to a new placement")


def at_its_right_time(turn: Turn[Placement, Correction]) -> Told:
    """The fact's own rule is asked again, of the state before it."""
    past = _last(turn.state)
    if rule := _ON_ITS_DAY.get(past.name):
        rule(Turn(restored(turn.state, past), Change(), turn.now, turn.given.preparation))
    return _named(past, turn.given)


def without_it(turn: Turn[Placement, TakingBack]) -> Told:
    """The case stands again where it stood before, at the time of the fact before."""
    past = _last(turn.state)
    if past.name == ReturnStarted.__name__ and turn.given.consent_withdrawn:
        # Matching kept the match because the return had begun.
        raise Refusal("consent_withdrawn", "the consent was taken back while the return ran")
    before = restored(turn.state, past)
    return [
        PlacementFactTakenBack(
            happened_at=turn.state.trail[-2].happened_at,
            recorded_late=True,
            status=before.status,
            starts_on=before.starts_on,
            ends_on=before.ends_on,
            reason=turn.body.reason,
            **_named(past, turn.given),
        )
    ]


def on_its_right_days(turn: Turn[Placement, ContractCorrection]) -> Told:
    """Other days of the same contract, under the contract's own rule."""
    found = within_the_terms(Turn(turn.state, turn.body, turn.now, turn.given.programme))
    first = next(past for past in turn.state.trail if past.name == PlacementContracted.__name__)
    told = dict(found) if isinstance(found, Mapping) else {}
    return {**told, **_named(first, turn.given)}


def _last(state: Placement) -> Past:
    may_be_corrected(state)
    return state.trail[-1]


def _named(past: Past, revision: Revision) -> dict[str, Any]:
    replaces = revision.replaces.get(past.standing)
    if replaces is None:
        raise Refusal("another_fact_since", "another fact was recorded meanwhile")
    return {"fact": past.sequence, "of": past.name, "replaces": replaces}
