"""What a chapter of plain cases must hold: a path that its table allows, bodies that its verbs take, sums."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deploy.replay.cases.edge import Edge, check_bodies
from deploy.replay.cases.model import Cases
from deploy.replay.cases.tables import Tables, sections
from shared.cases.case import NEW, Case
from shared.programmes.marked_yaml import Broken, escaped
from shared.programmes.model import Definition, name_of

ROLE = "officer"


def check_cases(chapter: Cases, tables: Tables, definition: Definition | None) -> Iterator[Broken]:
    """Broken rules, by pointer within the chapter."""
    table = tables.get(chapter.of)
    if table is None:
        yield Broken("/of", "unknown_case", f"there is a table for {', '.join(sorted(tables))}")
        return
    found = [*_path(chapter, table), *_numbers(chapter), *_steps(chapter, table)]
    if definition is not None:
        found += _of_programme(chapter, definition)
    yield from found
    if not found:
        yield from check_bodies(chapter, table, _edge(chapter, definition))


def _edge(chapter: Cases, definition: Definition | None) -> Edge | None:
    section = sections().get(chapter.of)
    return None if section is None or definition is None else Edge(definition, definition.section(section))


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
    section = sections().get(chapter.of)
    if section is not None and name_of(section) not in definition.sections():
        yield Broken("/of", "not_in_programme", f"such cases need the section {name_of(section)}")
    for office in chapter.offices:
        if definition.office(office) is None:
            yield Broken(f"/offices/{office}", "unknown_code", "the programme does not list this code")
    for number, one in enumerate(chapter.when):
        if one.starts < definition.dates.starts or one.ends > definition.dates.ends:
            yield Broken(f"/when/{number}", "outside_programme", "the window lies in the programme's dates")
