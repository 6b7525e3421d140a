"""The whole history of trqn-1 through the public edges; the system and the runner are killed on the way."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.identity.keys import Keys
from tests.e2e.evidence import answered, evidence_of, journal_violations, violations
from tests.e2e.system import System
from tests.simulation.evidence import Evidence

# By the scale of the history: how often the system and the runner are killed at least.
KILLS = {"1": (10, 2), "0.1": (4, 1)}
EXAMPLES = Path(__file__).parents[1] / "unit/replay"
PUBLISHED = {
    ("assignments", "first-report"): "160",
    ("assignments", "whole"): "272",
    ("women_share", "whole"): "25",
    ("registrations", "whole"): "512",
    ("requests", "whole"): "283",
}


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    system = System(tmp_path)
    yield system
    system.stop()


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_demo_prints_every_figure_beside_its_published_one(system: System) -> None:
    ran = system.sankofa("demo", "--exit", "--data", str(system.data), "--port", str(system.port))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for value in ("160", "272", "25", "at least 500", "512", "at least 280", "283"):
        assert value in ran.stdout
    assert "(off)" not in ran.stdout
    evidence = asyncio.run(evidence_of(system.data))
    assert [str(violation) for violation in violations(evidence)] == []
    _check_nobody_was_told(system, evidence)


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("scale", [pytest.param("1", marks=pytest.mark.long), "0.1"])
def test_killed_again_and_again_it_goes_on_and_does_nothing_twice(system: System, scale: str) -> None:
    seed = random.SystemRandom().randrange(10**6)
    figures, kills = _run_with_kills(system, random.Random(seed), scale)
    system_kills, runner_kills = KILLS[scale]
    assert kills["system"] >= system_kills, f"only {kills}"
    assert kills["runner"] >= runner_kills, f"only {kills}"
    shown = {(row["code"], row["period"]): row["ours"] for row in figures}
    assert all(row["right"] for row in figures), f"seed {seed}: {figures}"
    if scale == "1":
        assert {key: shown[key] for key in PUBLISHED} == PUBLISHED
    registered = int(shown["registrations", "whole"])
    _check_receipts(system, registered)
    system.stop()
    evidence = asyncio.run(evidence_of(system.data))
    runs, keys = (
        [answered("trqn-1", system.data, None if scale == "1" else Decimal(scale))],
        Keys(system.data.with_name("data-keys")),
    )
    found = [*violations(evidence), *journal_violations(evidence, keys, runs)]
    assert [str(violation) for violation in found] == [], f"seed {seed}"
    counted = Counter(document["status"] for document in evidence.documents["registration"]["submissions"])
    assert counted == {"accepted": registered}
    _check_nobody_was_told(system, evidence)


def test_a_history_anywhere_on_disk_runs_in_small(system: System) -> None:
    system.start()
    system.wait_ready()
    example, programme = EXAMPLES / "histories/example.yaml", EXAMPLES / "programmes/example-returns.yaml"
    words = ("history", "run", str(example), "--definition", str(programme), "--scale", "0.2", "--json")
    first, second = system.sankofa(*words), system.sankofa(*words)
    assert first.returncode == 0, first.stdout + first.stderr
    rows = json.loads(first.stdout)
    assert all(row["right"] for row in rows)
    assert {row["origin"] for row in rows} == {"counted"}
    # Run again, it finds everything done and the same figures.
    assert second.stdout == first.stdout
    system.stop()
    evidence = asyncio.run(evidence_of(system.data))
    assert [str(violation) for violation in violations(evidence)] == []
    _check_nobody_was_told(system, evidence)


def _check_nobody_was_told(system: System, evidence: Evidence) -> None:
    """Sending is on, and a history of years ago writes to nobody, however often it is run."""
    assert evidence.documents["registration"]["messages"] == []
    assert not system.data.with_name("data-mail").exists()


def _run_with_kills(system: System, rng: random.Random, scale: str) -> tuple[list[dict[str, Any]], Counter[str]]:
    """The history under SIGKILL at random moments, until it ends; the figures and what was really killed."""
    kills: Counter[str] = Counter()
    system.start()
    system.wait_ready()
    words = ("history", "run", "trqn-1", "--json", *(("--scale", scale) if scale != "1" else ()))
    at_most, of_the_runner = KILLS[scale]
    runner = system.begin(*words)
    while runner.poll() is None:
        time.sleep(rng.uniform(0.5, 4.0) if scale == "1" else rng.uniform(0.2, 1.5))
        if runner.poll() is not None:
            break
        if kills["system"] < at_most + (4 if scale == "1" else 1):
            system.kill()
            kills["system"] += 1
            system.start()
            system.wait_ready()
        if kills["system"] % 5 == 2 and kills["runner"] < of_the_runner:
            runner.kill()
            runner.communicate()
            kills["runner"] += 1
            runner = system.begin(*words)
    out, errors = runner.communicate()
    assert runner.returncode == 0, f"{kills}: {out[-2000:]} {errors[-2000:]}"
    return json.loads(out), kills


def _check_receipts(system: System, registered: int) -> None:
    """Receipts that the runner was given are honoured: the office that sent them in finds each accepted."""
    [journal] = (system.data / "histories").glob("trqn-1*.jsonl")
    lines = journal.read_text().splitlines()
    steps = [json.loads(line) for line in lines if line.startswith("{")]
    receipts = {row["answer"]["id"] for row in steps if row["answer"].get("subject")}
    assert len(receipts) >= registered
    officer = system.token("officer", "kabul", "officer-kabul")
    statuses = Counter(_status(system, receipt, officer) for receipt in receipts)
    # Another office's receipt is not found; of all 512 experts 178 are registered through Kabul.
    assert set(statuses) == {"accepted", "404"}
    assert registered != 512 or statuses["accepted"] == 178


def _status(system: System, receipt: str, headers: dict[str, str]) -> str:
    answer = httpx.get(f"{system.url}/registration/v1/receipts/{receipt}", headers=headers)
    return str(answer.json()["status"]) if answer.is_success else str(answer.status_code)
