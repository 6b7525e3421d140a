"""Placement's HTTP edge: its cases, with the work of the verbs that take more than one document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from services.placement import views
from services.placement.domain.dates import INCOMPLETE, first_days
from services.placement.domain.placements import PLACEMENT
from services.placement.domain.standing import PREPARING, is_virtual
from services.placement.store import PLACEMENTS, PLAIN
from services.placement.work.placing import Placing
from shared.contracts.placement.placements import PreparationStep
from shared.errors import TooEarly
from shared.identity.rights import Rights
from shared.papers.named import CERTIFICATE
from shared.programmes.sections.placement import PlacementSection
from shared.replica import Replica
from shared.store.port import Document
from shared.web.acting import Choosable, Chooses, Served, Unsealed, Work
from shared.web.callers import Granted
from shared.web.plain import plain
from shared.web.weighing import Shut, Shuts, Weighed, Weighing, Weighs

# Whoever receives the expert knows the day of the arrival and of the end, which is seldom the one of its recording.
RIGHTS: tuple[Rights, ...] = (("facts", "record-late", {"host": "institution"}),)
# What begins the journey, or virtual work: nothing does before the preparation is complete.
BEGINS = frozenset({"depart", "confirm-arrival"})
WEIGHED = BEGINS | {"complete-step"}


def _missing(placing: Placing, document: Document) -> tuple[PreparationStep, ...]:
    state = PLACEMENTS.read(document)
    return () if state is None or state.status not in PREPARING else placing.missing_steps(state)


def _with_what_is_missing(placing: Placing) -> Unsealed:
    async def told(document: Document, _granted: Granted) -> Mapping[str, Any]:
        try:
            return {"steps_missing": _missing(placing, document)}
        except TooEarly:
            # While programmes are still being read the rest of the case is told all the same.
            return {}

    return told


def _steps_to_choose(placing: Placing) -> Chooses:
    """Those that are still to be done; of a journey also what the programme does not ask of everybody."""

    def still_open(document: Document) -> tuple[Choosable, ...]:
        state = PLACEMENTS.read(document)
        if state is None:
            return ()
        missing, settled = _missing(placing, document), {*state.steps, *state.steps_not_needed}
        further = () if is_virtual(state) else (one for one in get_args(PreparationStep) if one not in settled)
        return (
            *(Choosable(one) for one in missing),
            *(Choosable(one, usual=False) for one in further if one not in missing),
        )

    return still_open


def _weighs(placing: Placing) -> Weighs:
    """The steps of the preparation, those that are still to be done first; nobody departs before."""

    async def found(verb: str, document: Document, _granted: Granted) -> Weighing | None:
        state, missing = PLACEMENTS.read(document), _missing(placing, document)
        if state is None or state.status not in PREPARING or (verb and verb not in WEIGHED):
            return None
        met = ((missing, False), (state.steps, True), (state.steps_not_needed, None))
        rows = tuple(Weighed(one, is_met) for steps, is_met in met for one in steps)
        return Weighing("step", rows, frozenset({"steps", "steps_not_needed", "steps_missing"})) if rows else None

    return found


def _shuts(placing: Placing) -> Shuts:
    """What has its day is shut until then, and what begins the journey while a step is missing."""

    async def found(document: Document, granted: Granted) -> Mapping[str, Shut]:
        state = PLACEMENTS.read(document)
        if state is None:
            return {}
        today = state.day_of(granted.edge.runtime.now())
        days = first_days(placing.preparation(state), state)
        early = {verb: Shut(one.rule, one.day) for verb, one in days.items() if today < one.day}
        return {**early, **({one: Shut(INCOMPLETE) for one in BEGINS} if _missing(placing, document) else {})}

    return found


def served_cases(replica: Replica, placing: Placing) -> tuple[Served, ...]:
    works: Mapping[str, Work] = {
        "contract": placing.promise,
        "extend": placing.promise,
        "correct-contract": placing.promise,
        "correct-time": placing.promise,
        "take-back": placing.promise,
        "complete-step": placing.prepare,
        "depart": placing.prepare,
        "confirm-arrival": placing.prepare,
        "submit-report": placing.report,
        "end-early": placing.end,
        "report-no-show": placing.end,
        "cancel": placing.end,
    }
    return (
        Served(
            PLACEMENT,
            PLACEMENTS,
            views.PlacementSeen,
            views.placement,
            works,
            unsealed=_with_what_is_missing(placing),
            section=PlacementSection,
            papers=(CERTIFICATE,),
            columns=("parties.expert", "parties.programme", "starts_on", "ends_on", "opened_at"),
            parts=("parties.assignment", "parties.expert", "parties.person", "parties.institution"),
            weighs=_weighs(placing),
            shuts=_shuts(placing),
            chooses={("complete-step", "step"): _steps_to_choose(placing)},
        ),
        *(plain(one, replica) for one in PLAIN),
    )
