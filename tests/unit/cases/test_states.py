"""Every case x state x verb against what was written by hand, and against what the rules say when asked."""

from __future__ import annotations

import ast
import inspect
import textwrap
from datetime import UTC, datetime
from typing import Any

import pytest

from deploy.generate import cases_of
from shared.cases.case import NEW, Asked, Case, Move, as_said
from shared.errors import Refusal
from shared.services import SERVICES
from shared.web.bodies import documented
from tests.unit.cases.states import written

CASES: tuple[Case[Any], ...] = tuple(case for service in SERVICES for case in cases_of(service))
NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


def test_every_case_is_written_down() -> None:
    assert set(written()) == {case.name for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_table_leads_where_it_was_written(case: Case[Any]) -> None:
    moves = [move for move in case.moves if move.first]
    told = {(move.verb, before, move.leads_to(before)) for move in moves for before in move.before}
    assert told == written()[case.name].arrows


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_verb_leads_to_what_is_not_built(case: Case[Any]) -> None:
    assert not set(case.statuses) & written()[case.name].later
    assert set(case.statuses) <= set(_states(case))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_verb_is_refused_from_every_other_state(case: Case[Any]) -> None:
    """What is not written down is refused by name, or changes nothing where the table says so."""
    allowed = {(verb, before) for verb, before, _ in written()[case.name].arrows}
    for verb, rows in case.rows.items():
        named = {rule for row in rows for rule in row.named.values()}
        for status in (NEW, *case.statuses):
            if (verb, status) not in allowed and rows[0].first:
                answer = _answer(case, verb, status)
                assert answer in {"nothing", "illegal_transition", "not_found", case.second, *named}, (verb, status)


def _answer(case: Case[Any], verb: str, status: str) -> str:
    state = None if status == NEW else case.state.model_construct(status=status)
    try:
        return "events" if case.decide(state, Asked(verb), NOW) else "nothing"
    except Refusal as refusal:
        return refusal.rule


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_state_has_a_way_to_it(case: Case[Any]) -> None:
    for status in case.statuses:
        way = case.way_to(status)
        assert way[0].opens
        assert status in way[-1].leads_to(_before(case, way))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_examples_are_accepted_by_their_bodies(case: Case[Any]) -> None:
    for verb in case.verbs:
        documented(case.rows[verb][0].body, case.rows[verb][0].example)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_rule_names_its_refusals_in_the_table(case: Case[Any]) -> None:
    """What the rules of a verb raise stands in its rows, where the contract takes it from."""
    for verb in case.verbs:
        declared = {one for row in case.rows[verb] for one in (*row.refuses, *row.named.values())}
        raised = {one for row in case.rows[verb] for one in _raised(row)}
        assert raised - {"illegal_transition"} <= declared, verb


def _states(case: Case[Any]) -> tuple[str, ...]:
    annotation: Any = case.state.model_fields["status"].annotation
    return tuple(annotation.__args__)


def _before(case: Case[Any], way: tuple[Move, ...]) -> str:
    here = NEW
    for move in way[:-1]:
        (here, *_) = sorted(move.leads_to(here))
    return here


def _raised(move: Move) -> set[str]:
    return _refusals(move.rule) | (_refusals(move.when) if move.when else set())


def _refusals(function: Any, seen: frozenset[str] = frozenset()) -> set[str]:
    """The rules in the function's own `Refusal("rule")`, and in those of its module that it calls."""
    if function is as_said or function.__qualname__ in seen:
        return set()
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    module = inspect.getmodule(function)
    found: set[str] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        if node.func.id == "Refusal" and node.args and isinstance(node.args[0], ast.Constant):
            found.add(str(node.args[0].value))
        called = getattr(module, node.func.id, None)
        if inspect.isfunction(called) and called.__module__ == function.__module__:
            found |= _refusals(called, seen | {function.__qualname__})
    return found
