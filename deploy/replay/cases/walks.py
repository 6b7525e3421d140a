"""A chapter of plain cases as steps and as planned facts, both read off the table of moves and what events declare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from pydantic import JsonValue

from deploy.replay.cases.bodies import Body, OneCase, each_case
from deploy.replay.cases.model import Cases
from deploy.replay.planned import Planned, Value
from deploy.replay.steps import Step, referred
from shared.cases.case import Case, Move
from shared.clock import text_of
from shared.contracts.base import Event
from shared.contracts.catalogue import CATALOGUE
from shared.contracts.facts import Family, FieldType, Length, Ordinal, Said, Subject, Tells

TITLE = "title"


@dataclass(frozen=True)
class Walked:
    """One step of one case: its request, and the event that it makes."""

    step: Step
    verb: str
    event: type[Event]
    case: str


def walked(chapter: Cases, table: Case[Any], programme: str, first: str) -> Iterator[Walked]:
    """Every step of every case of the chapter, in each case's own order. `first`: the step that all of them need."""
    for one in each_case(chapter):
        before = first
        for name, verb in chapter.steps():
            (move, *_) = table.rows[verb]
            step = _step(chapter, one, name, move, programme)
            step = replace(step, needs=tuple(dict.fromkeys((before, *step.needs))))
            yield Walked(step, verb, move.first[0], one.name)
            before = step.id


def _step(chapter: Cases, one: OneCase, name: str, move: Move, programme: str) -> Step:
    """The request: a move that opens is posted to the list, any other one to the case."""
    base = f"/{chapter.of.split('/')[0]}/v1/{chapter.of.split('/')[1]}"
    opening = next(iter(chapter.steps()))[0]
    path = base if move.opens else f"{base}/{{{one.name}/{opening}.id}}/{move.verb}"
    when = at(one.day + timedelta(days=chapter.days.get(name, 0)), len(chapter.path), _place(chapter, name))
    body = said(one, name, move, programme)
    account = "approver" if move.checked_by_another else "officer"
    return Step(
        id=f"{one.name}/{name}",
        phase="delivery",
        needs=referred(body),
        path=path,
        body={**body, "happened_at": text_of(when)},
        happened_at=when,
        role="officer",
        office=one.office,
        subject=f"{account}-{one.office}",
    )


def said(one: OneCase, name: str, move: Move, programme: str) -> Body:
    """The body of a step, with what every case is told of itself."""
    own: Body = {"programme": programme, "office": one.office}
    body: Body = {field: value for field, value in own.items() if field in move.body.model_fields} | one.bodies[name]
    if isinstance(body.get(TITLE), str) and move.opens:
        body[TITLE] = f"{body[TITLE]} {one.number}"
    return body


def _place(chapter: Cases, name: str) -> int:
    return [step for step, _ in chapter.steps()].index(name)


def at(day: date, steps: int, place: int) -> datetime:
    """In the day's working hours; steps of one day follow each other."""
    return datetime.combine(day, time(9), tzinfo=UTC) + timedelta(minutes=place if steps <= 60 else 0)


def facts_of(walk: Iterable[Walked]) -> Iterator[Planned]:
    """The facts that stand in the end, by what the events declare that they tell."""
    cases: dict[str, list[Walked]] = {}
    for one in walk:
        cases.setdefault(one.case, []).append(one)
    for steps in cases.values():
        yield from _of_case(steps)


def _of_case(steps: list[Walked]) -> Iterator[Planned]:
    known: Body = {}
    told: list[tuple[Tells, Planned]] = []
    for one in steps:
        family = CATALOGUE.families[one.event.topic]
        told = [(tells, fact) for tells, fact in told if one.event.__name__ not in tells.ended_by]
        known |= one.step.body
        for tells in one.event.tells:
            before = [fact for _, fact in told if fact.kind == tells.kind]
            if tells.once and before:
                continue
            listed = one.step.body.get(tells.each) if tells.each else None
            items: list[Any] = listed if isinstance(listed, list) else [None] * (not tells.each)
            for item in items:
                fields = _fields(family, known, one, item, len(before) + 1)
                told.append((tells, Planned(tells.kind, one.step.happened_at, one.step.office, fields)))
    yield from (fact for _, fact in told)


def _fields(family: Family, known: Body, one: Walked, item: Any, ordinal: int) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for declared in family.fields:
        source = declared.source
        if isinstance(source, Said):
            found[declared.name] = _said(source, known, one, item, declared.type, family)
        elif isinstance(source, Subject):
            found[declared.name] = one.case
        elif isinstance(source, Ordinal):
            found[declared.name] = ordinal
        elif isinstance(source, Length):
            found[declared.name] = _days(known.get(source.starts), known.get(source.ends))
    return found


def _said(source: Said, known: Body, one: Walked, item: Any, type: FieldType, family: Family) -> Value:
    """At the first path where something stands. A frame's fields stand in the bodies under their own names.

    What the event says and its verb's body does not is what was said before: the case's state has it.
    """
    for path in source.paths:
        first, *rest = path.split(".")
        if first == "item":
            value = _at(item, rest)
        else:
            recalled = first in one.event.model_fields and first not in one.step.body
            scope = known if first in family.frame or recalled else one.step.body
            value = _at(scope, [first, *rest])
            value = _at(scope, rest) if value is None and rest else value
        if isinstance(value, str if type != "number" else int):
            return value
    return None


def _at(scope: JsonValue | Mapping[str, JsonValue], names: list[str]) -> Any:
    value: Any = scope
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _days(starts: JsonValue, ends: JsonValue) -> int | None:
    if isinstance(starts, str) and isinstance(ends, str):
        return (date.fromisoformat(ends) - date.fromisoformat(starts)).days
    return None
