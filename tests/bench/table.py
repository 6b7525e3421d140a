"""The written result: docs/benchmarks.json keeps the newest figures, docs/benchmarks.md is made of it."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from tests.bench.rows import NotMeasured, Result, Row

DOCS = Path(__file__).parents[2] / "docs"
HEAD = """# Benchmarks

Written by `make bench`, on real servers by `make bench-real`, under load from outside by `make bench-load`, in a
browser by `make bench-pages`; one of them alone: `make bench ARGS="--only NAME"`. Ours and the bare loop run in turn in
one process (A B A B; `peers`: in a process each; `load-...`: an earlier build stands in the bare loop's place), each
figure is the median of five runs (in a browser and `load-cost`: of three; else of `load-...`: of one), so the ratio
counts, not the rate: the machine's cores are shared with whatever else runs on it.
`load` is the one-minute load average at the end of a benchmark, the benchmark itself included: above the number
of cores something else ran too, and absolute times are too long.
"""
COLUMNS = (
    "benchmark",
    "name",
    "ours",
    "bare loop, peer or earlier build",
    "ratio (least to greatest)",
    "goal",
    "met",
    "measured",
)


def machine() -> dict[str, str]:
    """Where and when: cores, what already ran on them (one minute's load), Python, platform, date."""
    return {
        "cores": str(len(os.sched_getaffinity(0))),
        "load": f"{os.getloadavg()[0]:.1f}",
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "date": date.today().isoformat(),
    }


def keep(results: Mapping[str, Sequence[Result]], folder: Path = DOCS) -> None:
    """Replaces the figures of these benchmarks, leaves the others', and writes the document anew."""
    path = folder / "benchmarks.json"
    whole: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for name, rows in results.items():
        whole[name] = {"machine": machine(), "rows": [_written(row) for row in rows]}
    path.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n")
    (folder / "benchmarks.md").write_text(document(whole))


def kept(name: str, folder: Path = DOCS) -> list[Row]:
    """What that benchmark measured last; empty where it has not."""
    path = folder / "benchmarks.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    rows = [_read(row) for row in found.get(name, {}).get("rows", ())]
    return [row for row in rows if isinstance(row, Row)]


def _written(result: Result) -> dict[str, Any]:
    return {"kind": "row" if isinstance(result, Row) else "not measured", **asdict(result)}


def _read(written: Mapping[str, Any]) -> Result:
    fields = {name: value for name, value in written.items() if name != "kind"}
    if written["kind"] == "row":
        return Row(**{**fields, "ratios": tuple(fields["ratios"])})
    return NotMeasured(**fields)


def document(whole: Mapping[str, Any]) -> str:
    """The Markdown text: the table, how each comparison is made, what is short of its goal, what was not measured."""
    found = [(name, run["machine"], _read(row)) for name, run in whole.items() for row in run["rows"]]
    rows = [(name, where, row) for name, where, row in found if isinstance(row, Row)]
    missing = [row for _, _, row in found if isinstance(row, NotMeasured)]
    lines = [HEAD, _line(COLUMNS), _line(["---"] * len(COLUMNS))]
    lines += [_line(_cells(name, where, row)) for name, where, row in rows]
    lines += ["", "## How each comparison is made", ""]
    lines += [f"- **{row.name}**: {row.how}" for _, _, row in rows]
    lines += ["", "## Short of the goal", ""]
    lines += [f"- **{row.name}**: {row.short or 'not analysed yet'}" for _, _, row in rows if row.met is False] or [
        "Nothing that was measured."
    ]
    if missing:
        lines += ["", "## Not measured", "", *(f"- **{row.name}**: {row.reason}" for row in missing)]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(name: str, where: Mapping[str, str], row: Row) -> list[str]:
    spread = f" ({min(row.ratios):.2f} to {max(row.ratios):.2f})" if len(row.ratios) > 1 else ""
    bare = "" if row.bare is None else f"{figure(row.bare)} {row.unit}"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}{spread}"
    measured = f"{where['date']}, {where['cores']} cores, load {where['load']}, Python {where['python']}"
    met = {True: "yes", False: "no", None: ""}[row.met]
    return [row.name, f"`{name}`", f"{figure(row.ours)} {row.unit}", bare, ratio, _goal(row), met, measured]


def _goal(row: Row) -> str:
    if row.goal is None:
        return ""
    if row.bare is not None:
        return f"{row.goal:g}"
    return f"{'at most' if row.less_is_better else 'at least'} {figure(row.goal)} {row.unit}"


def figure(value: float) -> str:
    """Three significant digits, thousands parted: more would say more than a shared machine can."""
    if value >= 1000:
        digits = len(str(int(value))) - 3
        return f"{round(value, -digits):,.0f}"
    return f"{value:.3g}"
