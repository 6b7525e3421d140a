"""The histories of returns in deploy/histories: their figures counted from the plan, whole and in small."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest

from deploy.replay.expansion import planned
from deploy.replay.history import Figure, History, load_history
from deploy.replay.planned import counted
from deploy.replay.returns.model import Returns
from deploy.replay.returns.schedule import Schedule, scheduled
from deploy.replay.scaling import scaled
from shared.programmes.loader import load_definition
from shared.programmes.model import Definition

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
CODES = ("quests-mida", "mida-somalia-sida")
SIDA = "mida-somalia-sida"


@cache
def files(code: str) -> tuple[History, Definition]:
    definition = load_definition(DEPLOY / f"programmes/{code}.yaml")
    return load_history(DEPLOY / f"histories/{code}.yaml", definition), definition


def chapter_of(history: History) -> Returns:
    (chapter,) = history.chapters
    assert isinstance(chapter, Returns)
    return chapter


@cache
def schedule(code: str) -> Schedule:
    history, definition = files(code)
    return scheduled(chapter_of(history), definition, history.seed)


def wrong(history: History, definition: Definition, figures: tuple[Figure, ...]) -> list[tuple[str, str, object]]:
    facts = planned(history, definition).facts
    shown = [(one, counted(definition, facts, one.indicator, one.period, one.by)) for one in figures]
    return [(one.indicator, str(one.by), value) for one, value in shown if not one.met(value)]


@pytest.mark.parametrize("code", CODES)
def test_every_figure_comes_out_of_the_plan(code: str) -> None:
    history, definition = files(code)
    assert wrong(history, definition, history.figures) == []


def test_the_golden_figures_of_sida_are_published_ones() -> None:
    history, _ = files(SIDA)
    golden = {(one.indicator, *one.by.values()): one.value for one in history.figures if one.origin == "published"}
    assert golden == {
        ("institutions",): 35,
        ("persons_placed",): 124,
        ("persons_placed", "diaspora"): 84,
        ("persons_placed", "intern"): 38,
        ("persons_placed", "local"): 2,
        ("persons_placed", "other"): 0,
        ("women_placed",): 24,
        ("women_share",): 19,
        ("contracts",): 172,
    }


def test_ten_nationalities_and_no_eleventh() -> None:
    history, definition = files(SIDA)
    dimension = definition.dimension("nationality")
    assert dimension is not None
    by_class = {one.by["nationality"]: one.value for one in history.figures if "nationality" in one.by}
    assert by_class.keys() == {one.code for one in dimension.classes}
    assert sum(by_class.values()) == 124
    assert len([value for value in by_class.values() if value]) == 10


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("scale", ["0.01", "0.05", "0.1", "0.15", "0.3"])
def test_in_small_every_figure_can_still_be_shown(code: str, scale: str) -> None:
    history, definition = files(code)
    small, plan = scaled(history, definition, Decimal(scale))
    assert len(plan.steps) < len(planned(history, definition).steps) / 2
    assert {one.indicator for one in small.figures} == {one.indicator for one in history.figures}
    assert wrong(small, definition, small.figures) == []


@pytest.mark.parametrize("code", CODES)
def test_so_many_hosts_received_somebody_as_the_file_says(code: str) -> None:
    received: dict[tuple[str, str | None], set[str]] = {}
    for one in schedule(code).assignments:
        if one.outcome in ("completed", "ended_early"):
            received.setdefault(one.host.place, set()).add(one.host.name)
    stated = {line.place: line.received for line in chapter_of(files(code)[0]).hosts}
    assert {place: len(hosts) for place, hosts in received.items()} == stated


def test_the_youngest_group_was_born_last_and_has_worked_least() -> None:
    people = [one for one in schedule(SIDA).people if one.eligible]
    lives = {
        young: [one.attributes for one in people if one.group.youngest == young and one.first_said is None]
        for young in (True, False)
    }
    assert min(one.birth_year or 0 for one in lives[True]) >= max(one.birth_year or 0 for one in lives[False])
    assert max(one.experience_years or 0 for one in lives[True]) <= 3
    assert sum(one.category == "intern" for one in lives[True]) == len(lives[True])


def test_interns_compete_with_interns() -> None:
    lists = [one.listed for one in schedule(SIDA).assignments if one.reached == "filled"]
    of_interns = [one for one in lists if one[0].group.category == "intern"]
    assert len(of_interns) == 38
    assert all(other.group.category == "intern" for one in of_interns for other in one)


@pytest.mark.parametrize("code", CODES)
def test_a_decline_an_extension_a_withdrawn_consent_and_a_correction_happen(code: str) -> None:
    steps = planned(*files(code)).steps
    verbs = {step.id.partition("/")[2] for step in steps}
    assert {"decline", "extend", "withdraw", "correct"} <= verbs
    went = {one.goes for one in schedule(code).assignments if one.outcome == "completed"}
    recorded_as_men = [one for one in went if one.first_said is not None and one.first_said.sex != one.sex]
    assert [(one.sex, one.first_said and one.first_said.sex) for one in recorded_as_men] == [("female", "male")]
