"""Recounts by this build and by an earlier one, in processes of their own and in turn."""

from __future__ import annotations

import json
import subprocess
from statistics import median

from tests.bench.load.builds import Build, before, this
from tests.bench.rows import QUICK_RUNS, RUNS, NotMeasured, Result, Row

NAMED = "monitoring: recounts beside an earlier build"
RECOUNT_SECONDS = 300
# The goal of this one is half of the time; the others' is the same time, to within what two runs of one build differ.
HALVED = "monitoring: recount persons by sex, age, residence"
SAME = 0.9
# What both builds have.
CODE = """
import json
from tests.bench.monitoring import _recounts
print(json.dumps([[row.name, row.ours] for row in _recounts({quick})]))
"""
HOW = (
    "the same million fact versions and questions as in the line of the same name, by {earlier} in an environment of "
    "its own; each in a new process, in turn; milliseconds of both"
)
SHORT = (
    "the wall time of cores that others had too (see load). Two thirds go into grouping rows by the codes of "
    "three attributes with the bits of their persons, a quarter into finding the rows, the rest into planning "
    "the statement."
)


def beside_before(quick: bool) -> list[Result]:
    """A line for each recount."""
    try:
        earlier = before()
        found: list[tuple[dict[str, float], dict[str, float]]] = [
            (_recounted(this(), quick), _recounted(earlier, quick)) for _ in range(QUICK_RUNS if quick else RUNS)
        ]
    except RuntimeError as error:
        return [NotMeasured(NAMED, str(error))]
    return [
        Row(
            name=f"{name}, beside an earlier build",
            unit="ms",
            ours=median(ours[name] for ours, _ in found),
            how=HOW.format(earlier=earlier.name),
            bare=median(theirs[name] for _, theirs in found),
            ratios=tuple(theirs[name] / ours[name] for ours, theirs in found),
            goal=2.0 if name == HALVED else SAME,
            less_is_better=True,
            short=SHORT if name == HALVED else "",
        )
        for name in found[0][0]
    ]


def _recounted(build: Build, quick: bool) -> dict[str, float]:
    """Milliseconds by the name of the recount."""
    command = [build.python, "-c", CODE.format(quick=quick)]
    done = subprocess.run(
        command, cwd=build.folder, capture_output=True, text=True, timeout=RECOUNT_SECONDS, check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing on standard error"])[-1]
        raise RuntimeError(f"{build.name} does not recount: {last[:200]}")
    return {name: float(milliseconds) for name, milliseconds in json.loads(done.stdout.splitlines()[-1])}
