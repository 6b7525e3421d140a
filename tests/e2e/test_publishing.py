"""`sankofa programme publish`, version after version; and verbs that pass on why the system says no."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.system import System

DEFINITION = (Path(__file__).parents[2] / "deploy/programmes/trqn-1.yaml").read_text()
REGISTRATIONS = "Experts registered"
KABUL = next(line for line in DEFINITION.splitlines(keepends=True) if "code: kabul," in line)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with System(tmp_path_factory.mktemp("publishing")).running() as system:
        yield system


def published(system: System, folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    file = folder / "definition.yaml"
    file.write_text(text)
    return system.sankofa("programme", "publish", str(file))


def test_an_older_content_becomes_the_next_version_and_the_newest_one_says_that_it_stands(
    system: System, tmp_path: Path
) -> None:
    texts = [DEFINITION.replace("phase: phase-1", f"phase: phase-{n}") for n in (1, 2, 3)]
    for version, text in enumerate((*texts, texts[1]), 1):
        ran = published(system, tmp_path, text)
        assert (ran.returncode, ran.stdout.strip()) == (0, f"trqn-1: version {version}"), ran.stderr
    ran = published(system, tmp_path, texts[1])
    assert (ran.returncode, ran.stdout.strip()) == (0, "trqn-1: version 4, as it stands: nothing new")
    ran = published(system, tmp_path, texts[1].replace(KABUL, ""))
    assert ran.returncode == 1
    assert "/definition/offices office_dropped" in ran.stderr
    assert "kabul" in ran.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--period", "x"), ("422", "query/period period_unknown", "first-report, second-report, whole")),
        (("--by", "x"), ("422", "query/by dimension_unknown", "sex, age, origin")),
        (("--definition", "999"), ("404", "definition_unknown")),
        (("--as-of", "yesterday"), ("--as-of", "2008-01-05T09:30:00Z")),
        (("--as-of", "2999-01-01T00:00:00+03:00"), ("422", "query/as_of as_of_beyond_watermark", "earlier instant")),
    ],
)
def test_a_refused_question_says_the_rule_and_what_would_be_right(
    system: System, tmp_path: Path, words: tuple[str, ...], told: tuple[str, ...]
) -> None:
    assert published(system, tmp_path, DEFINITION).returncode == 0
    ran = system.sankofa("figures", "trqn-1", *words)
    assert ran.returncode == 2
    assert [one for one in told if one not in ran.stderr] == [], ran.stderr


def test_an_offset_with_a_plus_is_understood(system: System, tmp_path: Path) -> None:
    assert published(system, tmp_path, DEFINITION).returncode == 0
    ran = system.sankofa("figures", "trqn-1", "--as-of", "2026-01-01T00:00:00+03:00", "--json")
    assert ran.returncode == 0, ran.stderr
    assert '"as_of": "2025-12-31T21:00:00' in ran.stdout


def test_figures_are_counted_by_the_version_that_is_asked_for(system: System, tmp_path: Path) -> None:
    """Two versions of which the newer one names an indicator otherwise."""
    versions = []
    for name in ("Registered at first", "Registered in the end"):
        ran = published(system, tmp_path, DEFINITION.replace(REGISTRATIONS, name))
        assert ran.returncode == 0, ran.stderr
        versions.append((ran.stdout.partition("version ")[2].strip(), name))
    for version, name in versions:
        ran = system.sankofa("figures", "trqn-1", "--definition", version, "--json")
        assert ran.returncode == 0, ran.stderr
        (row,) = [row for row in json.loads(ran.stdout) if row["code"] == "registrations"]
        assert (row["name"], row["definition_version"]) == (name, int(version))
    newest = json.loads(system.sankofa("figures", "trqn-1", "--json").stdout)
    assert {row["definition_version"] for row in newest} == {int(versions[-1][0])}
    for wrong in ("0", "-1", "first"):
        ran = system.sankofa("figures", "trqn-1", "--definition", wrong)
        assert (ran.returncode, "--definition" in ran.stderr) == (2, True), ran.stderr


def test_every_verb_passes_on_the_rule_of_a_refusal(system: System, tmp_path: Path) -> None:
    """A token that may not: the status alone would send an operator to the log."""
    token = tmp_path / "token"
    token.write_text(system.sankofa("token", "--role", "officer", "--office", "kabul").stdout)
    system.environment["SANKOFA_TOKEN_FILE"] = str(token)
    try:
        for words in (("doctor",), ("parked", "list"), ("rebuild", "monitoring"), ("programme", "publish", "FILE")):
            file = tmp_path / "definition.yaml"
            file.write_text(DEFINITION.replace("phase: phase-1", "phase: phase-9"))
            ran = system.sankofa(*(str(file) if word == "FILE" else word for word in words))
            assert ran.returncode == 1, (words, ran.stdout)
            assert "403 Forbidden role_may_not" in ran.stderr, (words, ran.stderr)
    finally:
        del system.environment["SANKOFA_TOKEN_FILE"]
