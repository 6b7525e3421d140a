"""Schedules keep every invariant, are the same history twice, and go red for each planted bug."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest

from shared.testing.faults import Rates
from tests.simulation.__main__ import missing, outcomes, run_one, told
from tests.simulation.evidence import Violation
from tests.simulation.planted import BUGS
from tests.simulation.scenario import SCENARIO
from tests.simulation.schedule import run_schedule

RUNS = int(os.environ.get("RUNS", "30"))
# Of the directed ones, each of which is about one fault.
DIRECTED_RUNS = max(RUNS // 4, 10)
SEED = int(os.environ.get("SEED", "1"))
SEEDS_FOR_A_BUG = 100

# 200 schedules take minutes where other work shares the cores.
pytestmark = pytest.mark.timeout(1500)


def test_every_invariant_holds_in_every_schedule() -> None:
    counts: Counter[str] = Counter()
    for outcome in outcomes(range(SEED, SEED + RUNS), None, 1):
        assert outcome.violations == (), f"seed {outcome.seed}"
        counts += outcome.counts
    assert missing(counts, RUNS) == []


def test_schedule_without_faults_is_quiet() -> None:
    outcome = run_schedule(SEED, SCENARIO, rates=Rates())
    assert outcome.violations == ()


def test_heads_are_mended_whoever_sleeps_and_wakes() -> None:
    counts: Counter[str] = Counter()
    for outcome in outcomes(range(SEED, SEED + DIRECTED_RUNS), None, 1, "stale heads"):
        assert outcome.violations == (), f"seed {outcome.seed}"
        counts += outcome.counts
    assert counts["heads_mended"] == counts["stale_heads"] > DIRECTED_RUNS


def test_a_stop_is_heard_behind_what_nobody_mends_and_what_was_dropped_lets_the_rest_go_on() -> None:
    counts: Counter[str] = Counter()
    for outcome in outcomes(range(SEED, SEED + DIRECTED_RUNS), None, 1, "dead letters"):
        assert outcome.violations == (), f"seed {outcome.seed}"
        counts += outcome.counts
    assert DIRECTED_RUNS // 10 < counts["parked_dropped"] < DIRECTED_RUNS


def test_a_broken_invariant_is_told_once_a_subject_with_a_count() -> None:
    violations = [Violation("I8", "a", "first"), *(Violation("I8", "a", str(n)) for n in range(5_999))]
    others = [Violation("I8", "b", "alone"), Violation("I10", "a", "alone")]
    lines = list(told([*violations, *others]))
    assert lines == ["I8 a: first (and 5,999 more)", "I8 b: alone", "I10 a: alone"]


@pytest.mark.parametrize("bug", sorted(BUGS))
def test_planted_bug_turns_a_named_invariant_red(bug: str) -> None:
    for seed in range(SEED, SEED + SEEDS_FOR_A_BUG):
        red = {violation.invariant for violation in run_one(seed, bug).violations}
        if red & BUGS[bug].caught_by:
            return
    pytest.fail(f"{SEEDS_FOR_A_BUG} schedules with {bug!r} and none of {sorted(BUGS[bug].caught_by)} went red")


def test_a_seed_replays_exactly() -> None:
    first, second = run_one(SEED), run_one(SEED)
    assert (first.fingerprint, first.counts, first.steps) == (second.fingerprint, second.counts, second.steps)


def test_a_seed_replays_in_another_process_with_another_hash_seed() -> None:
    printed = set()
    for hash_seed in ("1", "2"):
        ran = subprocess.run(
            [sys.executable, "-m", "tests.simulation", "--runs", "2", "--seed", "7", "--jobs", "1", "--fingerprints"],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        printed.add(ran.stdout)
    assert len(printed) == 1


def test_a_failing_seed_is_named_and_the_exit_code_is_1() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--runs", "2", "--jobs", "2", "--bug", "calendar hold skipped"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert "seed 1: I5 " in ran.stdout
