"""What a chapter of plain cases must hold: a path that its table allows, bodies that its verbs take, sums."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from deploy.replay.cases.bodies import each_case
from deploy.replay.cases.model import Cases
from deploy.replay.cases.tables import Tables
from deploy.replay.cases.walks import said
from deploy.replay.steps import REFERENCE
from shared.cases.case import NEW, Case, Move
from shared.clock import derived_id
from shared.errors import rule_of
from shared.programmes.marked_yaml import Broken, escaped
from shared.programmes.model import Definition

ROLE = "officer"


def check_cases(chapter: Cases, tables: Tables, definition: Definition | None) -> Iterator[Broken]:
    """Broken rules, by pointer within the chapter."""
    table = tables.get(chapter.of)
    if table is None:
        yield Broken("/of", "unknown_case", f"there is a table for {', '.join(sorted(tables))}")
        return
    found = [*_path(chapter, table), *_numbers(chapter), *_steps(chapter, table)]
    yield from found
    if definition is not None:
        yield from _of_programme(chapter, definition)
    if not found:
        yield from _bodies(chapter, table)


def _path(chapter: Cases, table: Case[Any]) -> Iterator[Broken]:
    """Each verb is one of the table's, for an officer, and leads on from where the verbs before it have led."""
    states = frozenset({NEW})
    for place, verb in enumerate(chapter.path):
        rows = table.rows.get(verb, ())
        if not rows or ROLE not in rows[0].by:
            open_to = ", ".join(one for one in table.verbs if ROLE in table.rows[one][0].by)
            yield Broken(f"/path/{place}", "unknown_verb", f"an officer may do: {open_to}")
            return
        led = frozenset(to for row in rows for state in states & row.before for to in row.leads_to(state))
        if not led:
            before = ", ".join(sorted({state for row in rows for state in row.before}))
            detail = f"possible from {before}; the case is {' or '.join(sorted(states))}"
            yield Broken(f"/path/{place}", "illegal_transition", detail)
            return
        states = led


def _numbers(chapter: Cases) -> Iterator[Broken]:
    stated = [("/offices", sum(chapter.offices.values())), ("/when", sum(one.cases for one in chapter.when))]
    for step, fields in chapter.spread.items():
        for field, spread in fields.items():
            if not isinstance(spread, int):
                stated.append((f"/spread/{step}/{field}", sum(spread.values())))
    for pointer, total in stated:
        if total != chapter.count:
            yield Broken(pointer, "marginal_sum", f"sums to {total}; there are {chapter.count} cases")
    for number, one in enumerate(chapter.when):
        if one.ends <= one.starts:
            yield Broken(f"/when/{number}/ends", "window_backwards", "a window ends after it starts")


def _steps(chapter: Cases, table: Case[Any]) -> Iterator[Broken]:
    """What is said by step names steps of the path and fields of the verb's body; days never go back."""
    verbs = dict(chapter.steps())
    for part, step, fields in chapter.stated():
        if step not in verbs:
            yield Broken(f"/{part}/{step}", "unknown_step", f"the path has {', '.join(verbs)}")
            continue
        (move, *_) = table.rows.get(verbs[step], (None,))
        known = move.body.model_fields if move else {}
        for field in fields:
            if field not in known or field == "happened_at":
                takes = ", ".join(name for name in known if name != "happened_at") or "nothing"
                yield Broken(f"/{part}/{step}/{escaped(field)}", "unknown_field", f"{verbs[step]} takes {takes}")
    earlier = None
    for step in verbs:
        day = chapter.days.get(step, 0)
        if earlier is not None and day < earlier:
            yield Broken(f"/days/{step}", "days_backwards", "a step is not done before the one that it follows")
        earlier = day
    for step in chapter.days:
        if step not in verbs:
            yield Broken(f"/days/{step}", "unknown_step", f"the path has {', '.join(verbs)}")


def _of_programme(chapter: Cases, definition: Definition) -> Iterator[Broken]:
    for office in chapter.offices:
        if definition.office(office) is None:
            yield Broken(f"/offices/{office}", "unknown_code", "the programme does not list this code")
    for number, one in enumerate(chapter.when):
        if one.starts < definition.dates.starts or one.ends > definition.dates.ends:
            yield Broken(f"/when/{number}", "outside_programme", "the window lies in the programme's dates")


def _bodies(chapter: Cases, table: Case[Any]) -> Iterator[Broken]:
    """Each body as the edge will read it; the first case that is refused speaks for all."""
    for name, verb in chapter.steps():
        (move, *_) = table.rows[verb]
        for one in each_case(chapter):
            broken = _refused(chapter, name, move, said(one, name, move, chapter.called))
            if broken:
                yield from broken
                break


def _refused(chapter: Cases, name: str, move: Move, body: dict[str, Any]) -> list[Broken]:
    text = REFERENCE.sub(derived_id("some", "step"), json.dumps(body))
    try:
        move.body.model_validate_json(text, strict=True, extra="forbid")
    except ValidationError as error:
        rows = error.errors(include_url=False, include_context=False, include_input=False)
        return [Broken(_pointer(chapter, name, row["loc"]), rule_of(row["type"]), row["msg"]) for row in rows]
    return []


def _pointer(chapter: Cases, name: str, loc: tuple[str | int, ...]) -> str:
    """Where the field of the step's body is stated; the path's place for what nobody stated."""
    for part, step, fields in chapter.stated():
        if step == name and loc and loc[0] in fields:
            return f"/{part}/{step}/{escaped(str(loc[0]))}"
    return f"/path/{[step for step, _ in chapter.steps()].index(name)}"
