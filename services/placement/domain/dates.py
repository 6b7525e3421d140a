"""Dates of a placement: within which days contracts lie, and what may be said on which day.

`given` of a turn: the `Days` of the programme for what names dates, a `Preparation` for what happens on a day.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any

from services.placement.domain.bounds import OUTSIDE
from services.placement.domain.calendars import in_order
from services.placement.domain.standing import Placement, Preparation
from shared.cases.bodies import REASON, Change, Noted
from shared.cases.case import Told, Turn
from shared.cases.opening import Days
from shared.contracts.base import Code, Date
from shared.contracts.frame import Listed
from shared.contracts.placement.placements import PreparationStep
from shared.errors import Problem, Refusal

INCOMPLETE = "preparation_incomplete"
# Days that a journey may take before the first one on which an arrival may be confirmed: until then whoever departed
# can neither be said to have arrived nor to have stayed away.
JOURNEY_DAYS = 14
DEPARTED_EARLY, DEPARTED_LATE = "departure_too_early", "departure_after_end"
# Why a contract or an extension has other days than the terms and the programme.
OTHER_DAYS = ("host_asked", "expert_asked", "delayed", "funds_left", "programme_extended")


@dataclass(frozen=True)
class FirstDay:
    """From which day on something may be said, on the office's calendar, and the rule that refuses it before."""

    day: date
    rule: str


class Contract(Noted):
    """`override_reason`: why the dates lie outside those of the terms or of the programme."""

    starts_on: Date
    ends_on: Date
    override_reason: Annotated[Code | None, Listed(REASON)] = None


class Extension(Noted):
    """`override_reason`: why it lasts beyond the programme."""

    ends_on: Date
    override_reason: Annotated[Code | None, Listed(REASON)] = None


def within_the_terms(turn: Turn[Placement, Any]) -> Told:
    """A contract ends after it begins, within the terms' days and the programme's; other days need a reason."""
    body, terms, programme = turn.body, turn.state.terms, turn.given
    in_order(body.starts_on, body.ends_on)
    bounds = [one for one in (terms and Days(terms.starts_on, terms.ends_on), programme) if one is not None]
    outside = {}
    if bounds and body.starts_on < (first := max(one.starts_on for one in bounds)):
        outside["/starts_on"] = f"{first} at the earliest, or a reason"
    if bounds and body.ends_on > (last := min(one.ends_on for one in bounds)):
        outside["/ends_on"] = f"{last} at the latest, or a reason"
    if outside and body.override_reason is None:
        raise _outside("dates_outside_terms", outside)
    return {"override_reason": body.override_reason if outside else None}


def _outside(rule: str, wanted: Mapping[str, str]) -> Refusal:
    """`wanted`: by field, what would be right."""
    text = "other days than those of the terms and of the programme need a reason"
    return Refusal(rule, text, problems=tuple(Problem(rule, *one) for one in wanted.items()), status=422)


def later_than_the_contract(turn: Turn[Placement, Extension]) -> Told:
    """An extension ends after the contract that it extends, and within the programme unless there is a reason."""
    if turn.state.ends_on is None or turn.body.ends_on <= turn.state.ends_on:
        wanted = f"later than {turn.state.ends_on}, when the contract ends"
        problem = Problem("extension_not_later", "/ends_on", wanted)
        raise Refusal("extension_not_later", wanted, problems=(problem,), status=422)
    in_order(turn.state.ends_on, turn.body.ends_on)
    outside = turn.given is not None and turn.body.ends_on > turn.given.ends_on
    if outside and turn.body.override_reason is None:
        raise _outside(OUTSIDE, {"/ends_on": f"{turn.given.ends_on} at the latest, or a reason"})
    return {"override_reason": turn.body.override_reason if outside else None}


def still_to_do(preparation: Preparation, state: Placement) -> tuple[PreparationStep, ...]:
    """The obligatory steps that apply and are not done, in the order in which the programme lists them."""
    return tuple(one for one in preparation.steps if one not in (*state.steps, *state.steps_not_needed))


def prepared(turn: Turn[Placement, Change]) -> Told:
    """Nobody departs, or begins virtual work, before the obligatory steps of the programme are done."""
    if missing := still_to_do(turn.given, turn.state):
        raise Refusal(INCOMPLETE, f"obligatory steps that are not done: {', '.join(missing)}")
    return {}


def departed_in_time(turn: Turn[Placement, Change]) -> Told:
    """Prepared, not long before the arrival may be, and before the contract's end."""
    prepared(turn)
    _not_before(first_days(turn.given, turn.state), "depart", turn)
    return _before_the_end(DEPARTED_LATE, turn)


def arrived_in_time(turn: Turn[Placement, Change]) -> Told:
    """Prepared, not before the contract's first day, or the days before it that the programme allows, and before its
    end."""
    _not_before(first_days(turn.given, turn.state), "confirm-arrival", turn)
    _before_the_end("arrival_after_end", turn)
    return prepared(turn)


def contract_has_begun(turn: Turn[Placement, Change]) -> Told:
    """Who is not there before the contract's first day is no no-show."""
    return _not_before(first_days(None, turn.state), "report-no-show", turn)


def work_is_over(turn: Turn[Placement, Change]) -> Told:
    """No completion before the contract begins."""
    return _not_before(first_days(None, turn.state), "complete", turn)


def first_days(preparation: Preparation | None, state: Placement) -> Mapping[str, FirstDay]:
    """By verb, from which day on it is possible: each follows from the contract's first day. Nothing without one.

    `preparation`: what the programme asks for; without it, nobody arrives before the contract's first day.
    """
    begins = state.starts_on
    if begins is None:
        return {}
    early = timedelta(days=preparation.early_arrival_days if preparation is not None else 0)
    return {
        "depart": FirstDay(begins - early - timedelta(days=JOURNEY_DAYS), DEPARTED_EARLY),
        "confirm-arrival": FirstDay(begins - early, "arrival_before_start"),
        "report-no-show": FirstDay(begins, "no_show_before_start"),
        "complete": FirstDay(begins, "completed_before_start"),
    }


def _before_the_end(rule: str, turn: Turn[Placement, Change]) -> Told:
    if turn.state.ends_on is not None and turn.state.day_of(turn.now) >= turn.state.ends_on:
        raise Refusal(rule, f"the contract was over by then; possible before {turn.state.ends_on}")
    return {}


def _not_before(days: Mapping[str, FirstDay], verb: str, turn: Turn[Placement, Change]) -> Told:
    first = days.get(verb)
    if first is not None and turn.state.day_of(turn.now) < first.day:
        raise Refusal(
            first.rule, f"the contract begins on {turn.state.starts_on}; this is possible from {first.day} on"
        )
    return {}
