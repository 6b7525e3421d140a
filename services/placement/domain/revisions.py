"""What of a placement may be put right: the last fact, and a contract's days before the arrival.

What ended it for matching (no show, cancellation, an end in the programme's name) gave the seat away there, so that is
not taken back: a new round leads to a new placement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from services.placement.domain.dates import (
    DEPARTED_EARLY,
    DEPARTED_LATE,
    arrived_in_time,
    contract_has_begun,
    departed_in_time,
    first_days,
    within_the_terms,
    work_is_over,
)
from services.placement.domain.standing import Placement
from shared.cases.bodies import REASON, Reason
from shared.cases.case import Told, Turn
from shared.cases.opening import Days
from shared.cases.revisions import Facts, Revision, Revisions, TakingBack, at_any_time, named
from shared.cases.trail import Past
from shared.contracts.base import Code, Date
from shared.contracts.frame import Listed
from shared.contracts.placement.placements import (
    HostCertified,
    NoShowReported,
    PlacementContracted,
    PlacementEndedEarly,
    PlacementExtended,
    PlacementFactTakenBack,
    PlacementTimeCorrected,
    PreparationStepCompleted,
    ReportAccepted,
    ReportsDue,
    ReportSubmitted,
    ReturnCompleted,
    ReturnStarted,
    TravelStarted,
)
from shared.errors import Problem, Refusal

_TAKEN_BACK: Facts = {
    PlacementContracted: at_any_time,
    PreparationStepCompleted: at_any_time,
    TravelStarted: departed_in_time,
    ReturnStarted: arrived_in_time,
    PlacementExtended: at_any_time,
    ReportsDue: at_any_time,
    ReportSubmitted: at_any_time,
    ReportAccepted: at_any_time,
    HostCertified: at_any_time,
    ReturnCompleted: work_is_over,
    PlacementEndedEarly: at_any_time,
}


class ContractCorrection(Reason):
    """The days that the contract has rightly. `override_reason`: as for a contract."""

    starts_on: Date
    ends_on: Date
    override_reason: Annotated[Code | None, Listed(REASON)] = None


@dataclass(frozen=True)
class PlacementRevision(Revision):
    """`given`: the `Preparation`, which an arrival is asked for."""

    programme: Days | None = None
    consent_withdrawn: bool = False


def ended_by_another(state: Placement) -> None:
    """An end in the programme's name frees the seat in matching."""
    if state.status == "ended_early" and state.party == "programme":
        raise Refusal("acted_on", "matching may have freed the seat; a new round leads to a new placement")


def while_the_consent_stands(turn: Turn[Placement, TakingBack], past: Past) -> None:
    """Matching kept the match because the return had begun."""
    if past.name == ReturnStarted.__name__ and turn.given.consent_withdrawn:
        raise Refusal("consent_withdrawn", "the consent was taken back while the return ran")


REVISIONS = Revisions(
    PlacementTimeCorrected,
    PlacementFactTakenBack,
    timed={**_TAKEN_BACK, NoShowReported: contract_has_begun},
    undone=frozenset(_TAKEN_BACK),
    stands=ended_by_another,
    refuse=while_the_consent_stands,
    final=frozenset({"no_show", "cancelled", "refused"}),
    refuses=(
        DEPARTED_EARLY,
        DEPARTED_LATE,
        "arrival_before_start",
        "arrival_after_end",
        "completed_before_start",
        "no_show_before_start",
        "preparation_incomplete",
        "placement_overlaps",
        "consent_withdrawn",
    ),
    needs=frozenset({"trail", "guard:calendar", "definition"}),
)


def on_its_right_days(turn: Turn[Placement, ContractCorrection]) -> Told:
    """Other days of the same contract, under the contract's own rule; a departure that is recorded stays possible."""
    found = within_the_terms(Turn(turn.state, turn.body, turn.now, turn.given.programme))
    _around_the_departure(turn)
    first = next(past for past in turn.state.trail if past.name == PlacementContracted.__name__)
    told: dict[str, Any] = dict(found) if isinstance(found, Mapping) else {}
    return {**told, **named(first, turn.given)}


def _around_the_departure(turn: Turn[Placement, ContractCorrection]) -> None:
    """On days that exclude the departure nobody could confirm the arrival any more."""
    state, body = turn.state, turn.body
    gone = next((past for past in reversed(state.trail) if past.name == TravelStarted.__name__), None)
    if gone is None:
        return
    day, right = state.day_of(gone.happened_at), state.model_copy(update={"starts_on": body.starts_on})
    first = first_days(turn.given.given, right)["depart"]
    problems = []
    if day < first.day:
        latest = body.starts_on - (first.day - day)
        problems.append(Problem(first.rule, "/starts_on", f"{latest} at the latest: the departure was on {day}"))
    if body.ends_on <= day:
        problems.append(Problem(DEPARTED_LATE, "/ends_on", f"later than {day}, the day of the departure"))
    if problems:
        detail = f"the departure on {day} is recorded; correct that first, or the contract around it"
        raise Refusal(problems[0].rule, detail, problems=tuple(problems), status=422)
