"""A history in small: its marginals still hold, everything that happened still happens, its figures are counted."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from deploy.cli.files import histories_folder, read_history
from deploy.replay.cases.model import Cases
from deploy.replay.checks import check_history
from deploy.replay.planned import counted
from deploy.replay.returns.model import Returns
from deploy.replay.scaling import scaled
from tests.unit.replay.files import FOLDER, PLAIN, told

PATHS = (*sorted(histories_folder().glob("*.yaml")), *sorted((FOLDER / "histories").glob("*.yaml")))


@pytest.mark.parametrize("path", PATHS, ids=lambda one: one.stem)
@pytest.mark.parametrize("scale", ["0.05", "0.3"])
def test_the_small_form_holds_all_that_the_linter_asks_for(path: Path, scale: str) -> None:
    history, definition = read_history(path)
    small, plan = scaled(history, definition, Decimal(scale))
    assert check_history(small, definition) == []
    assert {one.origin for one in small.figures} == {"counted"}
    for figure in small.figures:
        assert figure.met(counted(definition, plan.facts, figure.indicator, figure.period, figure.by))
    verbs = {step.path.rsplit("/", 1)[1].split("}")[-1] for step in plan.steps}
    whole = {step.path.rsplit("/", 1)[1].split("}")[-1] for step in scaled(history, definition, Decimal(1))[1].steps}
    assert verbs == whole


@pytest.mark.parametrize("path", PATHS, ids=lambda one: one.stem)
def test_at_scale_1_everything_is_as_it_was(path: Path) -> None:
    history, definition = read_history(path)
    small, _ = scaled(history, definition, Decimal(1))
    assert small.chapters == history.chapters
    met = {(one.indicator, one.period, str(one.by)): one.value for one in small.figures}
    assert all(one.met(met[(one.indicator, one.period, str(one.by))]) for one in history.figures)


def test_returns_shrink_by_largest_remainder() -> None:
    history, definition = read_history(histories_folder() / "trqn-1.yaml")
    (chapter,) = scaled(history, definition, Decimal("0.05"))[0].chapters
    assert isinstance(chapter, Returns)
    # 216 persons x 0.05 = 10.8, and 20 of them would be 1 at each of the largest cells.
    assert sum(one.persons for one in chapter.deliveries.placed) == 11
    assert [one.returns for one in chapter.deliveries.starts] == [7, 5]
    assert (chapter.deliveries.declined, chapter.deliveries.ended_early[0].returns) == (1, 1)


def test_plain_cases_shrink_with_their_totals() -> None:
    alone = told(PLAIN)
    first, second = scaled(alone.history, alone.definition, Decimal("0.25"))[0].chapters
    assert isinstance(first, Cases)
    assert isinstance(second, Cases)
    assert (first.count, first.offices, [one.cases for one in first.when]) == (3, {"baku": 2, "quito": 1}, [2, 1])
    assert first.spread["create"]["country"] == {"AZ": 2, "EC": 1}
    assert first.each["hold"]["sessions"] == 10
    assert second.each["complete-works"]["families"] == 250
