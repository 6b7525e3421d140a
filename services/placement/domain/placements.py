"""A placement, from the accepted offer to the completed return (docs/domain.md, section 3).

Virtual: no travel; the host confirms the first day of work. The obligatory steps of the preparation are those that
the programme's definition lists for the modality, training for virtual work included. `given` of a turn: a
`Preparation`, or the `Days` of the programme for what names dates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints

from services.placement.domain.calendars import VIRTUAL, in_order
from shared.cases.bodies import REASON, Change, Input, Noted, Reason
from shared.cases.case import NEW, Case, Move, Told, Turn, states
from shared.contracts.base import Code, Date, Id, Instant, TimeZone
from shared.contracts.frame import Listed
from shared.contracts.matching import MatchParties, Terms
from shared.contracts.placement import (
    HostCertified,
    NoShowReported,
    PlacementCancelled,
    PlacementContracted,
    PlacementEndedEarly,
    PlacementExtended,
    PlacementOpened,
    PlacementRefused,
    PreparationStep,
    PreparationStepCompleted,
    ReportAccepted,
    ReportsDue,
    ReportSubmitted,
    ReturnCompleted,
    ReturnStarted,
    TravelStarted,
)
from shared.errors import Problem, Refusal
from shared.identity.roles import BY_EXPERT, BY_HOST, BY_OFFICER, By
from shared.texts import lines
from shared.zones import zone

Status = Literal[
    "host_confirmed",
    "contracted",
    "pre_departure",
    "travelling",
    "active",
    "reports_due",
    "completed",
    "ended_early",
    "no_show",
    "cancelled",
    "refused",
]
Party = Literal["expert", "host", "programme"]
PREPARING = states("contracted", "pre_departure")
BEFORE_ARRIVAL = PREPARING | {"host_confirmed", "travelling"}
RUNNING = states("active", "reports_due")
UNDER_CONTRACT = PREPARING | RUNNING | {"travelling", "completed"}
GIVES_DAYS_BACK = states("ended_early", "no_show", "cancelled", "refused")
ANYWHERE = UNDER_CONTRACT | BEFORE_ARRIVAL | GIVES_DAYS_BACK


class Placement(BaseModel):
    """`terms` is None for one that never opened; the dates are the contract's, once there is one.

    Dates are the office's own: `time_zone` says on which of them something happened (None: UTC). `report`: number of
    the last report, `accepted_report` of the last accepted one.
    """

    model_config = ConfigDict(frozen=True)

    match: str
    parties: MatchParties
    terms: Terms | None = None
    status: Status
    starts_on: Date | None = None
    ends_on: Date | None = None
    contracts: int = 0
    steps: tuple[PreparationStep, ...] = ()
    opened_at: Instant
    time_zone: str | None = None
    reason: str | None = None
    party: Party | None = None
    report: int = 0
    accepted_report: int = 0
    certified: bool = False

    def day_of(self, instant: datetime) -> date:
        """The office's calendar day at that instant."""
        return instant.astimezone(zone(self.time_zone) if self.time_zone else UTC).date()


@dataclass(frozen=True)
class Days:
    """Half-open: `ends_on` is the first day after."""

    starts_on: date
    ends_on: date


@dataclass(frozen=True)
class Preparation:
    """What the programme asks for before somebody departs, and how many days before the contract one may arrive."""

    steps: tuple[PreparationStep, ...] = ()
    early_arrival_days: int = 0


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


class Contract(Noted):
    """`override_reason`: why the dates lie outside those of the terms or of the programme."""

    starts_on: Date
    ends_on: Date
    override_reason: Annotated[Code | None, Listed(REASON)] = None


class Step(Change):
    step: PreparationStep


class Extension(Noted):
    """`override_reason`: why it lasts beyond the programme."""

    ends_on: Date
    override_reason: Annotated[Code | None, Listed(REASON)] = None


class EarlyEnd(Reason):
    party: Party


class Report(Change):
    """What was done and what came of it, in the expert's words, which stay in this service."""

    text: Annotated[str, BeforeValidator(lines), StringConstraints(min_length=1, max_length=20_000)]


def is_virtual(state: Placement) -> bool:
    return state.terms is not None and state.terms.modality == VIRTUAL


def travels(state: Placement) -> None:
    """Virtual work has no travel, no travel insurance and no allowance."""
    if is_virtual(state):
        raise Refusal("virtual_has_no_travel")


def works_from_home(state: Placement) -> None:
    """Only virtual work begins without a journey."""
    if not is_virtual(state):
        raise Refusal("illegal_transition", f"possible from travelling; the case is {state.status}")


def within_the_terms(turn: Turn[Placement, Contract]) -> Told:
    """A contract ends after it begins, within the terms' days and the programme's; other days need a reason."""
    body, terms, programme = turn.body, turn.state.terms, turn.given
    in_order(body.starts_on, body.ends_on)
    bounds = [one for one in (terms and Days(terms.starts_on, terms.ends_on), programme) if one is not None]
    outside = ["/starts_on"] if any(body.starts_on < one.starts_on for one in bounds) else []
    outside += ["/ends_on"] if any(body.ends_on > one.ends_on for one in bounds) else []
    if outside and body.override_reason is None:
        raise _outside("dates_outside_terms", outside)
    return {"override_reason": body.override_reason if outside else None}


def _outside(rule: str, pointers: list[str]) -> Refusal:
    text = "other days than those of the terms and of the programme need a reason"
    return Refusal(rule, text, problems=tuple(Problem(rule, one) for one in pointers), status=422)


def a_step_to_do(turn: Turn[Placement, Step]) -> Told:
    """Each step once; for virtual work only those that its modality lists."""
    if turn.body.step in turn.state.steps:
        raise Refusal("step_completed_before")
    if is_virtual(turn.state) and turn.body.step not in turn.given.steps:
        raise Refusal("step_of_travel", "virtual work has no travel, no travel insurance and no allowance")
    return {}


def prepared(turn: Turn[Placement, Change]) -> Told:
    """Nobody departs, or begins virtual work, before the obligatory steps of the programme are done."""
    if set(turn.given.steps) - set(turn.state.steps):
        raise Refusal("preparation_incomplete", "an obligatory step of the programme is not done")
    return {}


def arrived_in_time(turn: Turn[Placement, Change]) -> Told:
    """Prepared, not before the contract's first day, or the days before it that the programme allows, and before its
    end."""
    starts_on, day = turn.state.starts_on, turn.state.day_of(turn.now)
    if starts_on is not None and day < starts_on - timedelta(days=turn.given.early_arrival_days):
        raise Refusal("arrival_before_start", f"the contract begins on {starts_on}")
    if turn.state.ends_on is not None and day >= turn.state.ends_on:
        raise Refusal("arrival_after_end", "the contract was over by that day")
    return prepared(turn)


def contract_has_begun(turn: Turn[Placement, Change]) -> Told:
    """Who is not there before the contract's first day is no no-show."""
    return _begun(turn, "no_show_before_start")


def reports_are_in(state: Placement) -> None:
    """Where reports are due, nothing is complete before one is accepted and the host has certified the work."""
    if state.status != "reports_due":
        return
    if not state.accepted_report:
        raise Refusal("report_not_accepted", "a report is due and none is accepted")
    if not state.certified:
        raise Refusal("certificate_missing", "the host has not certified the work")


def work_is_over(turn: Turn[Placement, Change]) -> Told:
    """No completion before the contract begins."""
    return _begun(turn, "completed_before_start")


def _begun(turn: Turn[Placement, Change], rule: str) -> Told:
    if turn.state.starts_on is not None and turn.state.day_of(turn.now) < turn.state.starts_on:
        raise Refusal(rule, "the contract begins on a later day")
    return {}


def later_than_the_contract(turn: Turn[Placement, Extension]) -> Told:
    """An extension ends after the contract that it extends, and within the programme unless there is a reason."""
    if turn.state.ends_on is None or turn.body.ends_on <= turn.state.ends_on:
        raise Refusal("extension_not_later", "an extension ends after the contract that it extends", status=422)
    in_order(turn.state.ends_on, turn.body.ends_on)
    outside = turn.given is not None and turn.body.ends_on > turn.given.ends_on
    if outside and turn.body.override_reason is None:
        raise _outside("dates_outside_programme", ["/ends_on"])
    return {"override_reason": turn.body.override_reason if outside else None}


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
# Why a contract or an extension has other days than the terms and the programme.
OTHER_DAYS = ("host_asked", "expert_asked", "delayed", "funds_left", "programme_extended")
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
        case PlacementExtended():
            return {"contracts": (state.contracts if state else 0) + 1}
        case PreparationStepCompleted():
            return {"steps": (*(state.steps if state else ()), event.step)}
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


MOVES: tuple[Move, ...] = (
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
    ),
    Move(
        "complete-step",
        PREPARING,
        PreparationStepCompleted,
        body=Step,
        by=BY_OFFICER,
        rule=a_step_to_do,
        needs=DEFINITION,
        refuses=("step_completed_before", "step_of_travel"),
        example={"step": "training"},
    ),
    Move(
        "depart",
        PREPARING,
        TravelStarted,
        by=BY_OFFICER,
        rule=prepared,
        needs=DEFINITION,
        when=travels,
        refuses=("preparation_incomplete", "virtual_has_no_travel"),
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
        example={"text": "Eighteen teachers were trained; they will train their colleagues."},
    ),
    Move(
        "accept-report",
        RUNNING,
        ReportAccepted,
        by=BY_OFFICER,
        rule=the_report_that_waits,
        when=a_report_waits,
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
    ),
    Move(
        "report-no-show",
        PREPARING | {"travelling"},
        NoShowReported,
        by=BY_HOST,
        rule=contract_has_begun,
        needs=CALENDAR,
        refuses=("no_show_before_start",),
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
    ),
    Move("retract", BEFORE_ARRIVAL | {NEW}, PlacementCancelled, body=Retraction, overtaken="nothing"),
    Move("retract", RUNNING, PlacementEndedEarly, body=Retraction, rule=ends_what_runs, overtaken="nothing"),
    # The consent was given anew: a flag outside the state goes, and nothing happens to the case.
    Move("note-consent", ANYWHERE, (), rule=no_fact),
)

PLACEMENT = Case(
    "placements",
    Placement,
    MOVES,
    fold,
    readers={**ALL_THREE, "finance": "office"},
)
