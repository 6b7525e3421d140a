"""`make demo` after set-up: the whole history of trqn-1 from an empty folder, in wall time."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from deploy.local.processes import free_port
from tests.bench.rows import NotMeasured, Result, Row

NAME = "`make demo` after set-up"
GOAL_SECONDS = 180.0
PATIENCE_SECONDS = 900.0
HOW = (
    "wall time of `sankofa demo --exit` with an empty data folder and a free port, once (it takes minutes): four "
    "services started, the history put through their edges, figures printed; a run in which a figure is off does not "
    "count as measured."
)
SHORT = ""


async def rows(quick: bool) -> list[Result]:
    if quick:
        return [NotMeasured(NAME, "takes minutes; run without --quick")]
    return [await asyncio.to_thread(demonstrated)]


def demonstrated() -> Result:
    sankofa = Path(sys.executable).with_name("sankofa")
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / "data"
        command = [str(sankofa), "demo", "--exit", "--data", str(data), "--port", str(free_port())]
        started = perf_counter()
        try:
            running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        except FileNotFoundError:
            return NotMeasured(NAME, "there is no sankofa beside this Python; run make setup")
        try:
            _, said = running.communicate(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            # It has a child of its own to stop, which a kill would leave behind.
            running.send_signal(signal.SIGINT)
            running.communicate()
            return NotMeasured(NAME, f"did not end within {PATIENCE_SECONDS:g} s")
        seconds = perf_counter() - started
    if running.returncode:
        last = (said.strip().splitlines() or ["nothing on standard error"])[-1]
        return NotMeasured(NAME, f"ended with exit code {running.returncode} after {seconds:.0f} s: {last[:200]}")
    return Row(NAME, "s", seconds, HOW, goal=GOAL_SECONDS, less_is_better=True, short=SHORT)
