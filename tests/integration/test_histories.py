"""Histories through the edges of embedded systems in this process: in small, with every figure, and one refused."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.cli.client import StepFailed
from deploy.cli.history import app
from deploy.replay.steps import Step
from services.registration.work.registering import EXPERT_REGISTRATION
from shared.clock import RealRuntime
from shared.errors import Refusal
from shared.intake.submission import Submission
from shared.messaging.local import LocalLog
from shared.messaging.topics import TOPICS
from tests.integration.four import Four, small_history

EXAMPLES = Path(__file__).parents[1] / "unit/replay/histories"


def rows_of(*words: str) -> list[dict[str, Any]]:
    ran = CliRunner().invoke(app, ["all", "--json", *words], catch_exceptions=False)
    rows: list[dict[str, Any]] = json.loads(ran.stdout)
    assert ran.exit_code == (0 if all(row["right"] for row in rows) else 1)
    return rows


def off(rows: list[dict[str, Any]]) -> list[str]:
    return [f"{row['code']} {row['by']}: {row['ours']}, not {row['published']}" for row in rows if not row["right"]]


def test_every_history_of_the_project_runs_in_small() -> None:
    rows = rows_of("--scale", "0.05")
    assert off(rows) == []
    assert {row["origin"] for row in rows} == {"counted"}
    assert "trqn-1" in {row["programme"] for row in rows}


def test_whatever_a_chapter_can_state_comes_out_of_the_system() -> None:
    rows = rows_of("--folder", str(EXAMPLES))
    assert off(rows) == []
    assert {row["programme"] for row in rows} == {"example-returns", "example-plain"}
    assert [row["ours"] for row in rows if row["code"] == "women_share"] == ["40.0", "28.6"]


def test_a_figure_that_is_off_is_said(tmp_path: Path) -> None:
    text = (EXAMPLES / "plain.yaml").read_text()
    folder = tmp_path / "histories"
    folder.mkdir()
    (folder / "plain.yaml").write_text(text.replace("value: 1681,", "value: 1682,"))
    (tmp_path / "programmes").symlink_to(EXAMPLES.with_name("programmes"))
    assert off(rows_of("--folder", str(folder), "--only", "plain")) == ["families {}: 1681, not 1682"]


async def test_a_refused_submission_ends_the_run_at_once_with_its_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = small_history("publish")
    people = [step for step in small_history("shortlist") if "person" in step.body][:2]
    assert len(people) == 2
    screens = [step for step in small_history("shortlist") if step.id == people[1].id.replace("register", "screen")]
    number = _number(people[1])
    runtime = RealRuntime()
    began = time.monotonic()
    async with Four(LocalLog(None, list(TOPICS.values()), runtime), runtime) as four:
        deciders = four.services["registration"].replica.intake._deciders
        registers = deciders[EXPERT_REGISTRATION]

        async def unless_second(submission: Submission) -> None:
            if submission.body["person"]["document"]["number"] == number:
                raise Refusal("already_registered", "the person is registered in this programme")
            await registers(submission)

        monkeypatch.setitem(deciders, EXPERT_REGISTRATION, unless_second)
        with pytest.raises(StepFailed, match=r"refused.*already_registered"):
            await four.put([*steps, *people, *screens], tmp_path)
    runtime.close()
    assert time.monotonic() - began < 30


def _number(step: Step) -> str:
    person: Any = step.body["person"]
    return str(person["document"]["number"])
