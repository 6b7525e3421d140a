"""The written result of benchmarks; figures are made up here, nothing is timed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.rows import NotMeasured, Row, side_by_side
from tests.bench.table import figure, keep, kept

FAST = Row("Reading", "records/s", 90_000.0, "a loop", bare=100_000.0, ratios=(0.88, 0.9, 0.93), goal=0.8)
SLOW = Row("Starting", "s", 200.0, "the command", goal=180.0, less_is_better=True, short="the disk")


def test_the_table_keeps_what_was_not_measured_again(tmp_path: Path) -> None:
    keep({"reading": [FAST], "starting": [SLOW]}, tmp_path)
    keep({"starting": [NotMeasured("Starting", "no disk")]}, tmp_path)
    text = (tmp_path / "benchmarks.md").read_text()
    assert "| Reading | `reading` | 90,000 records/s | 100,000 records/s | 0.90 (0.88 to 0.93) | 0.8 | yes |" in text
    assert "- **Starting**: no disk" in text
    assert "at most" not in text


def test_what_was_measured_last_is_read_again(tmp_path: Path) -> None:
    assert kept("reading", tmp_path) == []
    keep({"reading": [FAST, NotMeasured("Writing", "no disk")]}, tmp_path)
    assert kept("reading", tmp_path) == [FAST]
    assert kept("starting", tmp_path) == []


def test_a_goal_that_is_missed_says_why(tmp_path: Path) -> None:
    keep({"starting": [SLOW]}, tmp_path)
    text = (tmp_path / "benchmarks.md").read_text()
    assert "| at most 180 s | no |" in text
    assert "- **Starting**: the disk" in text


@pytest.mark.parametrize(("value", "text"), [(1234567.0, "1,230,000"), (1000.4, "1,000"), (0.012345, "0.0123")])
def test_three_digits(value: float, text: str) -> None:
    assert figure(value) == text


async def test_both_sides_run_in_turn() -> None:
    order: list[str] = []

    async def ours() -> float:
        order.append("ours")
        return 8.0

    async def bare() -> float:
        order.append("bare")
        return 10.0

    pair = await side_by_side(ours, bare, quick=False)
    assert order == ["ours", "bare"] * 5
    assert (pair.ours, pair.bare, set(pair.ratios)) == (8.0, 10.0, {0.8})
