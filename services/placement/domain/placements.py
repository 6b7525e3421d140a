"""A placement, from the accepted offer to the completed return (docs/domain.md, section 3).

Virtual: no travel; the host confirms the first day of work. The obligatory steps of the preparation are those that
the programme's definition lists for the modality, training for virtual work included. `given` of a turn: a
`Preparation`, or the `Days` of the programme for what names dates.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, StringConstraints

from services.placement.domain.dates import (
    DEPARTED_EARLY,
    DEPARTED_LATE,
    OTHER_DAYS,
    Contract,
    Extension,
    arrived_in_time,
    contract_has_begun,
    departed_in_time,
    later_than_the_contract,
    within_the_terms,
    work_is_over,
)
from services.placement.domain.revisions import REVISIONS, ContractCorrection, on_its_right_days
from services.placement.domain.standing import (
    ANYWHERE,
    BEFORE_ARRIVAL,
    PREPARING,
    RUNNING,
    Party,
    Placement,
    is_virtual,
)
from shared.cases.bodies import Change, Input, Reason
from shared.cases.case import NEW, Case, Move, Told, Turn, states
from shared.cases.revisions import MISTAKES
from shared.cases.taking import taking
from shared.cases.transfers import Follow, where_it_hangs
from shared.contracts.base import Code, Id, TimeZone
from shared.contracts.matching.assignments import Terms
from shared.contracts.matching.matches import MatchParties
from shared.contracts.placement.placements import (
    HostCertified,
    NoShowReported,
    PlacementCancelled,
    PlacementContractCorrected,
    PlacementContracted,
    PlacementEndedEarly,
    PlacementExtended,
    PlacementOpened,
    PlacementRefused,
    PlacementTransferred,
    PreparationStep,
    PreparationStepCompleted,
    ReportAccepted,
    ReportsDue,
    ReportSubmitted,
    ReturnCompleted,
    ReturnStarted,
    TravelStarted,
)
from shared.errors import Refusal
from shared.identity.roles import BY_EXPERT, BY_HOST, BY_OFFICER, By
from shared.programmes.sections.placement import TRAVEL_STEPS
from shared.texts import lines


class Opening(Input):
    match: Id
    parties: MatchParties
    terms: Terms
    time_zone: TimeZone | None = None


class Refused(Input):
    match: Id
    parties: MatchParties
    reason: Code


class Retraction(Refused):
    """The match is taken back, or the consent: what has not begun is cancelled; what runs ends, if `running` says."""

    running: bool = True


class Step(Change):
    """`settled`: done, or that the step does not apply to this case: nobody needs a visa for the own country."""

    step: PreparationStep
    settled: Literal["done", "not_needed"] = "done"


class EarlyEnd(Reason):
    party: Party


class Report(Change):
    """What was done and what came of it, in the expert's words, which stay in this service as a note does."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=20_000), BeforeValidator(lines)]


def travels(state: Placement) -> None:
    """Virtual work has no travel, no travel insurance and no allowance."""
    if is_virtual(state):
        raise Refusal("virtual_has_no_travel", "virtual work begins when the host confirms its first day")


def works_from_home(state: Placement) -> None:
    """Only virtual work begins without a journey."""
    if not is_virtual(state):
        raise Refusal("illegal_transition", f"possible from travelling; the case is {state.status}")


def a_step_to_do(turn: Turn[Placement, Step]) -> Told:
    """Each step once; for virtual work only those that its modality lists. Training and the security briefing are for
    everybody; the rest follows from a journey, and may not apply to one."""
    if turn.body.step in (*turn.state.steps, *turn.state.steps_not_needed):
        raise Refusal("step_completed_before", "each step is completed once")
    if turn.body.settled == "not_needed" and turn.body.step not in TRAVEL_STEPS:
        raise Refusal("step_always_needed", "training and security are for everybody", status=422)
    if is_virtual(turn.state) and turn.body.step not in turn.given.steps:
        raise Refusal("step_of_travel", "virtual work has no travel, no travel insurance and no allowance")
    return {"settled": None if turn.body.settled == "done" else turn.body.settled}


def reports_are_in(state: Placement) -> None:
    """Where reports are due, nothing is complete before one is accepted and the host has certified the work."""
    if state.status != "reports_due":
        return
    if not state.accepted_report:
        raise Refusal("report_not_accepted", "a report is due and none is accepted")
    if not state.certified:
        raise Refusal("certificate_missing", "the host has not certified the work")


def the_next_report(turn: Turn[Placement, Report]) -> Told:
    """Reports are numbered from 1; one that was accepted stays, and a further one may follow."""
    return {"report": turn.state.report + 1}


def a_report_waits(state: Placement) -> None:
    """A report is accepted once; a further one may follow."""
    if state.report == state.accepted_report:
        raise Refusal("no_report_waits", "no report waits for its acceptance")


def the_report_that_waits(turn: Turn[Placement, Change]) -> Told:
    """The last report."""
    return {"report": turn.state.report}


def not_certified_yet(state: Placement) -> None:
    """One certificate a placement."""
    if state.certified:
        raise Refusal("certified_before", "one certificate a placement")


def ends_what_runs(turn: Turn[Placement, Retraction]) -> Told:
    """A consent that is taken back breaks off no return that has begun; any other retraction ends it."""
    return {"party": "programme"} if turn.body.running else []


def no_fact(_turn: Turn[Placement, Change]) -> Told:
    return []


ALL_THREE: By = {"expert": "own", "host": "institution", "officer": "office"}
DEFINITION = states("definition")
CALENDAR = frozenset({"guard:calendar"})
DATED = CALENDAR | DEFINITION
DATES: Mapping[str, Any] = {"starts_on": "2027-03-01", "ends_on": "2027-05-01"}
OF_THE_EXPERT = ("family", "health", "work", "other_offer", "expert_withdrew")
OF_THE_HOST = ("host_closed", "host_withdrew", "no_funds", "security")
EARLY: Mapping[str, Any] = {"party": "expert", "reason": "family"}


def fold(state: Placement | None, event: Any) -> Mapping[str, Any]:
    """What an event changes beside the status and the fields of its own names."""
    match event:
        case PlacementOpened():
            return {"starts_on": event.terms.starts_on, "ends_on": event.terms.ends_on}
        case PlacementContracted():
            return {"contracts": 1}
        case PlacementContractCorrected():
            return {"reason": state.reason if state else None}
        case PlacementExtended():
            return {"contracts": (state.contracts if state else 0) + 1}
        case PreparationStepCompleted():
            settled = "steps_not_needed" if event.settled else "steps"
            return {settled: (*(getattr(state, settled) if state else ()), event.step)}
        case PlacementEndedEarly() if state:
            return {"ends_on": _cut_short(state, event)}
        case ReportAccepted():
            return {"accepted_report": event.report}
        case HostCertified():
            return {"certified": True}
    return {}


def _cut_short(state: Placement, event: PlacementEndedEarly) -> date | None:
    """The first day that was not worked; an early end after the contract's own changes nothing."""
    if state.starts_on is None or state.ends_on is None:
        return state.ends_on
    return max(state.starts_on, min(state.ends_on, state.day_of(event.happened_at)))


FACTS: tuple[Move, ...] = (
    Move("open", states(NEW), PlacementOpened, body=Opening, overtaken="nothing"),
    Move("refuse", states(NEW), PlacementRefused, body=Refused, overtaken="nothing"),
    Move(
        "contract",
        states("host_confirmed"),
        PlacementContracted,
        body=Contract,
        by=BY_OFFICER,
        rule=within_the_terms,
        reasons=OTHER_DAYS,
        needs=DATED,
        refuses=("dates_reversed", "dates_too_far_apart", "dates_outside_terms", "placement_overlaps"),
        example=DATES,
        anew=("starts_on", "ends_on"),
    ),
    Move(
        "complete-step",
        PREPARING,
        PreparationStepCompleted,
        body=Step,
        by=BY_OFFICER,
        rule=a_step_to_do,
        needs=DEFINITION,
        refuses=("step_always_needed", "step_completed_before", "step_of_travel"),
        example={"step": "training"},
    ),
    Move(
        "depart",
        PREPARING,
        TravelStarted,
        by=BY_OFFICER,
        rule=departed_in_time,
        needs=DEFINITION,
        when=travels,
        refuses=("preparation_incomplete", "virtual_has_no_travel", DEPARTED_EARLY, DEPARTED_LATE),
    ),
    Move(
        "confirm-arrival",
        states("travelling"),
        ReturnStarted,
        by=BY_HOST,
        rule=arrived_in_time,
        needs=DEFINITION,
        refuses=("preparation_incomplete", "arrival_before_start", "arrival_after_end"),
    ),
    Move(
        "confirm-arrival",
        PREPARING,
        ReturnStarted,
        by=BY_HOST,
        rule=arrived_in_time,
        needs=DEFINITION,
        when=works_from_home,
        refuses=("preparation_incomplete", "arrival_before_start", "arrival_after_end"),
    ),
    Move(
        "extend",
        states("active"),
        PlacementExtended,
        body=Extension,
        by=BY_OFFICER,
        rule=later_than_the_contract,
        reasons=OTHER_DAYS,
        needs=DATED,
        refuses=(
            "extension_not_later",
            "dates_too_far_apart",
            "dates_outside_programme",
            "placement_overlaps",
        ),
        example={"ends_on": "2027-06-01"},
        aside=True,
        anew=("ends_on",),
    ),
    Move("call-for-reports", states("active"), ReportsDue, by=BY_OFFICER),
    Move(
        "submit-report",
        RUNNING,
        ReportSubmitted,
        body=Report,
        by=BY_EXPERT,
        rule=the_next_report,
        needs=states("private"),
        writes=True,
        refuses=("notes_full", "person_erased"),
        note_to=("expert",),
        example={"text": "Eighteen teachers were trained; they will train their colleagues."},
    ),
    Move(
        "accept-report",
        RUNNING,
        ReportAccepted,
        by=BY_OFFICER,
        rule=the_report_that_waits,
        when=a_report_waits,
        answers="submit-report",
        checked_by_another=True,
        refuses=("no_report_waits", "four_eyes"),
    ),
    Move("certify", RUNNING, HostCertified, by=BY_HOST, when=not_certified_yet, refuses=("certified_before",)),
    Move(
        "complete",
        RUNNING,
        ReturnCompleted,
        by=BY_HOST,
        rule=work_is_over,
        when=reports_are_in,
        refuses=("completed_before_start", "report_not_accepted", "certificate_missing"),
    ),
    Move(
        "end-early",
        RUNNING,
        PlacementEndedEarly,
        body=EarlyEnd,
        by=ALL_THREE,
        needs=CALENDAR,
        reasons=(*OF_THE_EXPERT, *OF_THE_HOST, "consent_withdrawn", "conduct"),
        example=EARLY,
        aside=True,
    ),
    Move(
        "report-no-show",
        PREPARING | {"travelling"},
        NoShowReported,
        by=BY_HOST,
        rule=contract_has_begun,
        needs=CALENDAR,
        refuses=("no_show_before_start",),
        aside=True,
    ),
    Move(
        "cancel",
        BEFORE_ARRIVAL,
        PlacementCancelled,
        body=Reason,
        by=BY_OFFICER,
        needs=CALENDAR,
        reasons=(*OF_THE_EXPERT, *OF_THE_HOST, "visa_refused", "document_missing", "no_answer", "mistake"),
        example={"reason": "host_closed"},
        aside=True,
    ),
    Move(
        "correct-contract",
        PREPARING | {"travelling"},
        PlacementContractCorrected,
        body=ContractCorrection,
        by=BY_OFFICER,
        rule=on_its_right_days,
        reasons=(*MISTAKES, *OTHER_DAYS),
        needs=DATED,
        refuses=(
            "dates_reversed",
            "dates_too_far_apart",
            "dates_outside_terms",
            "placement_overlaps",
            "another_fact_since",
            DEPARTED_EARLY,
            DEPARTED_LATE,
        ),
        example={**DATES, "reason": "typing_error"},
        aside=True,
        anew=("starts_on", "ends_on"),
    ),
    Move("retract", BEFORE_ARRIVAL | {NEW}, PlacementCancelled, body=Retraction, overtaken="nothing"),
    Move("retract", RUNNING, PlacementEndedEarly, body=Retraction, rule=ends_what_runs, overtaken="nothing"),
    # The consent was given anew: a flag outside the state goes, and nothing happens to the case.
    Move("note-consent", ANYWHERE, (), rule=no_fact),
    Move(
        "follow",
        ANYWHERE,
        PlacementTransferred,
        body=Follow,
        rule=where_it_hangs,
        desk="leaves",
        overtaken="nothing",
    ),
    *taking(BEFORE_ARRIVAL | RUNNING),
)

PLACEMENT = Case(
    "placements",
    Placement,
    (*FACTS, *REVISIONS.moves(FACTS)),
    fold,
    revisable=REVISIONS.revisable,
    readers={**ALL_THREE, "finance": "office"},
    filters=("programme", "match", "assignment", "person"),
)
