"""A history as a plan: its steps, in an order in which each finds what it needs, and what they are to tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from deploy.replay.cases.model import Cases
from deploy.replay.cases.tables import tables
from deploy.replay.cases.walks import Walked, walked
from deploy.replay.cases.walks import facts_of as facts_of_cases
from deploy.replay.history import History
from deploy.replay.planned import Planned
from deploy.replay.returns.expansion import steps_of
from deploy.replay.returns.hosts import HistoryImpossible
from deploy.replay.returns.model import Returns
from deploy.replay.returns.planned import facts_of as facts_of_returns
from deploy.replay.returns.requests import PUBLISHED, at
from deploy.replay.returns.schedule import scheduled
from deploy.replay.steps import PHASES, Step, by_time
from shared.programmes.model import Definition
from shared.programmes.sections.selection import SelectionSection


@dataclass(frozen=True)
class Plan:
    """`steps`: each after what it needs; `facts`: what the system is to tell in the end."""

    steps: tuple[Step, ...]
    facts: tuple[Planned, ...]


def expand(history: History, definition: Definition) -> tuple[Step, ...]:
    """The steps of the plan alone."""
    return planned(history, definition).steps


def planned(history: History, definition: Definition) -> Plan:
    """The same file gives the same plan. Raises HistoryImpossible where the marginals leave no room."""
    steps: list[Step] = []
    facts: list[Planned] = []
    for chapter in history.chapters:
        if isinstance(chapter, Returns):
            schedule = scheduled(chapter, definition, history.seed)
            own = list(steps_of(chapter, schedule, history.code, definition))
            reserve = definition.section(SelectionSection).seats.reserve
            facts += facts_of_returns(schedule, own, reserve)
        else:
            walk = list(_walked(chapter, history))
            own, told = [one.step for one in walk], facts_of_cases(walk)
            facts += told
        steps += own
    ordered = by_time(steps)
    steps = [_publish(history, definition), *(one for phase in PHASES for one in ordered if one.phase == phase)]
    return Plan(tuple(_in_order(steps)), tuple(facts))


def _walked(chapter: Cases, history: History) -> Iterator[Walked]:
    return walked(chapter, tables()[chapter.of], history.programme, PUBLISHED)


def _in_order(steps: list[Step]) -> Iterator[Step]:
    """The steps, each after what it needs. Raises HistoryImpossible for one that needs what is not there before it."""
    seen: set[str] = set()
    for step in steps:
        if missing := [need for need in step.needs if need not in seen]:
            raise HistoryImpossible(f"{step.id} needs {missing[0]}, which no chapter has before it")
        seen.add(step.id)
        yield step


def _publish(history: History, definition: Definition) -> Step:
    return Step(
        id=PUBLISHED,
        phase="programme",
        needs=(),
        path="/registration/v1/programmes",
        body={"definition": definition.as_json()},
        happened_at=at(definition.dates.starts, 0),
        role="administrator",
        office=history.publisher,
        subject=f"administrator-{history.publisher}",
    )
