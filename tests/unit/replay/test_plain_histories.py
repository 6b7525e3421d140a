"""Histories of plain cases: published figures, and each figure as it follows from the steps, whole and in small."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from deploy.replay.cases.model import Cases
from deploy.replay.expansion import planned
from deploy.replay.history import History, load_history
from deploy.replay.planned import counted
from deploy.replay.scaling import scaled
from shared.programmes.loader import load_definition
from shared.programmes.model import Definition

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
PLAIN = ("coswa-nar", "institution-capacity", "ipmd")
# From docs/domain.md section 2, by hand.
GOLDEN = {
    ("coswa-nar", "families", "earlier", 3177),
    ("coswa-nar", "families", "fourth", 1681),
    ("coswa-nar", "systems_started", "fourth", 26),
    ("ipmd", "persons", "2008", 60000),
}


def read(code: str) -> tuple[History, Definition]:
    definition = load_definition(DEPLOY / f"programmes/{code}.yaml")
    return load_history(DEPLOY / f"histories/{code}.yaml", definition), definition


def test_the_published_figures_are_the_golden_ones() -> None:
    found = {
        (code, one.indicator, one.period, int(one.value))
        for code in PLAIN
        for one in read(code)[0].figures
        if one.origin == "published"
    }
    assert found == GOLDEN


@pytest.mark.parametrize("code", PLAIN)
def test_every_figure_follows_from_the_steps_and_no_code_is_needed(code: str) -> None:
    history, definition = read(code)
    assert all(isinstance(chapter, Cases) for chapter in history.chapters)
    facts = planned(history, definition).facts
    for figure in history.figures:
        shown = counted(definition, facts, figure.indicator, figure.period, figure.by)
        assert figure.met(shown), (figure, shown)


@pytest.mark.parametrize("code", PLAIN)
def test_in_small_it_has_fewer_steps_and_every_figure(code: str) -> None:
    history, definition = read(code)
    small, plan = scaled(history, definition, Decimal("0.1"))
    assert len(plan.steps) < len(planned(history, definition).steps) / 2
    assert len(small.figures) == len(history.figures)
    assert all(one.origin == "counted" and one.value >= 0 for one in small.figures)


def test_what_an_event_says_beyond_its_body_is_what_the_case_said_before() -> None:
    """The kind of works is said when they begin; whoever counts completed works by kind needs it there too."""
    history, definition = read("ipmd")
    completed = [one for one in planned(history, definition).facts if one.kind == "works_completed"]
    assert {one.fields["work_kind"] for one in completed} == {"potable_water", "sewerage", "bridge", "classrooms"}
