"""The bodies of a plain chapter as the edge takes them: by their model, the programme's lists, the table's rules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

from pydantic import BaseModel, ValidationError

from deploy.replay.cases.model import Cases
from deploy.replay.cases.walks import Walked, walked
from deploy.replay.steps import REFERENCE
from shared.cases.case import Asked, Case
from shared.cases.named import unlisted
from shared.cases.opening import Days, Opening, Under, frame_of
from shared.clock import derived_id
from shared.errors import Problem, Refusal, rule_of
from shared.programmes.checks import named_codes
from shared.programmes.marked_yaml import Broken, escaped
from shared.programmes.model import Definition
from shared.programmes.reasons import check_codes
from shared.programmes.sections.base import Known, Section

VERSION = 1
# The field of the body, the rule, a sentence.
Refused = tuple[tuple[str | int, ...], str, str]


@dataclass(frozen=True)
class Edge:
    """What a plain case is opened under. Its table's rules need nothing else, unlike those of other cases."""

    definition: Definition
    section: Section

    @cached_property
    def codes(self) -> Known:
        return named_codes(self.definition, self.section)


def check_bodies(chapter: Cases, table: Case[Any], edge: Edge | None) -> Iterator[Broken]:
    """What is refused of any case, each place and rule once. Without an edge, what the bodies' models refuse."""
    programme = edge.definition.code if edge else chapter.called
    found: dict[tuple[str, str], Broken] = {}
    for _, steps in groupby(walked(chapter, table, programme, "programme"), key=lambda one: one.case):
        for broken in _of_case(chapter, table, edge, steps):
            found.setdefault((broken.pointer, broken.rule), broken)
    yield from found.values()


def _of_case(chapter: Cases, table: Case[Any], edge: Edge | None, steps: Iterator[Walked]) -> Iterator[Broken]:
    """The broken rules of one case. After a step that was refused, nothing is decided: there is no state."""
    state, decided = None, edge is not None
    for one in steps:
        refused: list[Refused] = []
        try:
            said = _read(one, table)
            if edge is not None:
                _check_codes(said, edge)
                check_codes(table.rows[one.verb][0], said, edge.section)
            if edge is not None and decided:
                state = _after(table, state, one, said, edge)
        except ValidationError as error:
            rows = error.errors(include_url=False, include_context=False, include_input=False)
            refused = [(row["loc"], rule_of(row["type"]), row["msg"]) for row in rows]
        except Refusal as refusal:
            sentence = refusal.detail or f"the case is refused by the rule {refusal.rule}"
            refused = [(_parts(at.pointer), at.rule, sentence) for at in refusal.problems]
        decided = decided and not refused
        name = one.step.id.partition("/")[2]
        yield from (Broken(_place(chapter, name, one, loc), rule, detail) for loc, rule, detail in refused)


def _read(one: Walked, table: Case[Any]) -> BaseModel:
    """The body of the step; each reference as an id of its own, for two of them are of two subjects.

    Raises ValidationError.
    """
    text = REFERENCE.sub(lambda found: derived_id("reference", found[0]), json.dumps(one.step.body))
    return table.rows[one.verb][0].body.model_validate_json(text, strict=True, extra="forbid")


def _check_codes(said: BaseModel, edge: Edge) -> None:
    if places := unlisted(said, edge.codes):
        problems = tuple(Problem("unknown_code", place) for place in places)
        raise Refusal("unknown_code", "the programme does not list this code", problems=problems)


def _after(table: Case[Any], state: Any, one: Walked, said: BaseModel, edge: Edge) -> Any:
    """The state after the step. Raises the Refusal of the table's rule."""
    if isinstance(said, Opening):
        (zone,) = (office.time_zone for office in edge.definition.offices if office.code == said.office)
        frame = frame_of(said, VERSION, zone)
    else:
        frame = state.frame
    dates = edge.definition.dates
    under = Under(frame, edge.section, Days(dates.starts, dates.ends))
    for event in table.decide(state, Asked(one.verb, said, under), one.step.happened_at):
        state = table.evolve(state, event)
    return state


def _parts(pointer: str) -> tuple[str | int, ...]:
    return tuple(int(part) if part.isdecimal() else part for part in pointer.split("/")[1:])


def _place(chapter: Cases, name: str, one: Walked, loc: tuple[str | int, ...]) -> str:
    """Where the field of the step's body is stated; the path's place for what nobody stated."""
    for part, step, fields in chapter.stated():
        if step == name and loc and loc[0] in fields:
            inner = _inner(fields[str(loc[0])], one.step.body.get(str(loc[0])), loc[1:])
            return "".join(f"/{escaped(str(piece))}" for piece in (part, step, loc[0], *inner))
    return f"/path/{[step for step, _ in chapter.steps()].index(name)}"


def _inner(stated: Any, told: Any, rest: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Where within what is stated. A code of a spread stands under itself, a row may have lost others before it."""
    if isinstance(stated, dict) and not rest:
        return (told,) if isinstance(told, str) and told in stated else ()
    if isinstance(stated, tuple) and isinstance(told, list) and rest and isinstance(rest[0], int):
        places = iter(range(len(stated)))
        kept = [next(place for place in places if _alike(stated[place], row)) for row in told[: rest[0] + 1]]
        return (kept[-1], *rest[1:])
    return rest


def _alike(row: dict[str, Any], told: Any) -> bool:
    """Whether the row of a case is this one's part: all but the numbers are the same."""
    return all(told.get(name) == value for name, value in row.items() if not isinstance(value, int))
