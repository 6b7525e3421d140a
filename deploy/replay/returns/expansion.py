"""A chapter of returns as steps: everybody is there before the requests begin, and in the window that the file says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta

from deploy.replay.returns.model import Returns
from deploy.replay.returns.requests import KNOWN_DAYS, Registering, Running, Walk, at, host_steps
from deploy.replay.returns.schedule import Schedule
from deploy.replay.steps import Step, by_time
from shared.programmes.model import Definition
from shared.programmes.sections.placement import PlacementSection

HOST_DAYS = 10


def steps_of(chapter: Returns, schedule: Schedule, code: str, definition: Definition) -> Iterator[Step]:
    """Every step of the chapter; `code`: the history's."""
    preparation = definition.section(PlacementSection).preparation
    running = Running(definition.code, chapter.deliveries, preparation)
    delivery = [step for one in schedule.assignments for step in Walk(one, running).steps()]
    first = _first_dates(delivery)
    yield from _hosts(chapter, schedule, first)
    registering = Registering(code, definition.code, chapter.population.consents)
    last = max((step.happened_at for step in delivery), default=at(chapter.population.registered.ends))
    for expert in schedule.people:
        day = _day(chapter, expert.number, first.get(expert.name))
        yield from registering.steps(expert, at(day))
        yield from registering.afterwards(expert, day, last + timedelta(hours=1))
    yield from _by_person(by_time(delivery))


def _hosts(chapter: Returns, schedule: Schedule, first: Mapping[str, datetime]) -> Iterator[Step]:
    window = chapter.population.registered
    days = (window.ends - window.starts).days
    for number, host in enumerate(schedule.hosts):
        opened = at(window.starts + timedelta(days=days * number // len(schedule.hosts)))
        if host.name in first:
            opened = first[host.name] - timedelta(days=HOST_DAYS)
        yield from host_steps(host, opened)


def _day(chapter: Returns, number: int, first: datetime | None) -> date:
    """Within the window of registrations, and early enough for what the expert is first in."""
    window = chapter.population.registered
    last = window.ends - timedelta(days=1)
    # Spread without the generator, so that another population does not move the returns.
    spread = number * 7919
    if first is None:
        return window.starts + timedelta(days=spread % (window.ends - window.starts).days)
    latest = min(last, first.date() - timedelta(days=KNOWN_DAYS))
    return max(window.starts, latest - timedelta(days=spread % 45))


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
    for step in by_time(delivery):
        for name in (*step.about, *(need.split("/")[0] for need in step.needs if need.startswith("institution"))):
            first.setdefault(name, step.happened_at)
    return first
