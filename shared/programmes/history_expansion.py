"""A history as steps, in an order in which each finds what it needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from shared.programmes.history import History
from shared.programmes.history_cases import PUBLISHED, Case, at, expert_steps, host_steps
from shared.programmes.history_schedule import Schedule, scheduled
from shared.programmes.history_steps import Step
from shared.programmes.model import Definition
from shared.programmes.sections.placement import PlacementSection


def expand(history: History, definition: Definition) -> tuple[Step, ...]:
    """All steps in an order in which each comes after what it needs; the same file gives the same steps.

    Raises HistoryImpossible where the marginals leave no room.
    """
    schedule = scheduled(history, definition)
    preparation = definition.section(PlacementSection).obligatory_steps("temporary")
    delivery = [step for one in schedule.assignments for step in Case(one, history.programme, preparation).steps()]
    first = _first_dates(delivery)
    steps = [
        _publish(history, definition),
        *sorted(_registration(history, schedule, first), key=_when),
        *_by_person(sorted(delivery, key=_when)),
    ]
    return tuple(steps)


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


def _registration(history: History, schedule: Schedule, first: Mapping[str, datetime]) -> Iterator[Step]:
    window = history.population.registered
    days = (window.ends - window.starts).days
    for number, host in enumerate(schedule.hosts):
        opened = at(window.starts + timedelta(days=days * number // len(schedule.hosts)))
        if host.name in first:
            opened = first[host.name] - timedelta(days=10)
        yield from host_steps(host, opened)
    for expert in schedule.people:
        # Spread without the generator, so that another population does not move the returns.
        spread = (expert.number * 7919) % days
        day = at(window.starts + timedelta(days=spread))
        if expert.name in first:
            latest = first[expert.name].replace(hour=9) - timedelta(days=8)
            day = max(at(window.starts), latest - timedelta(days=spread % 45))
        yield from expert_steps(history, expert, day)


def _when(step: Step) -> tuple[datetime, str]:
    return step.happened_at, step.id


def _by_person(ordered: list[Step]) -> Iterator[Step]:
    """Links what is about one person in the order in which it happened."""
    latest: dict[str, str] = {}
    for step in ordered:
        before = {latest[name] for name in step.about if name in latest}
        latest.update(dict.fromkeys(step.about, step.id))
        yield replace(step, needs=tuple(dict.fromkeys((*step.needs, *sorted(before)))))


def _first_dates(delivery: list[Step]) -> dict[str, datetime]:
    """When each expert (by applying or being sourced) and each host (by its first draft) is first seen."""
    first: dict[str, datetime] = {}
    for step in sorted(delivery, key=_when):
        for name in (*step.about, *(need.split("/")[0] for need in step.needs if need.startswith("institution"))):
            first.setdefault(name, step.happened_at)
    return first
