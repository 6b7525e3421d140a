"""A child process ends with the one that started it, however that ends: another process, beside both, waits for it.

A killed process stops nothing any more, and what it started is not always a program that could look after itself.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PROC = Path("/proc")


def identity(pid: int) -> str:
    """`<pid> <when it started>`, which no later process shares; empty where none runs (or only a zombie)."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "" if PROC.exists() else _listed(pid)
    return "" if fields[0] == "Z" else f"{pid} {fields[19]}"


def _listed(pid: int) -> str:
    """The same where the system has no such folder."""
    said = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = said.stdout.strip().partition(" ")
    return f"{pid} {' '.join(started.split())}" if started and not state.startswith("Z") else ""


def end(whom: str, timeout: float = 10.0) -> None:
    """Ends a process that is not our child: SIGCONT and SIGTERM, then SIGKILL."""
    pid = int(whom.split()[0])
    until = time.monotonic() + timeout
    for number in (signal.SIGCONT, signal.SIGTERM):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    while identity(pid) == whom:
        if time.monotonic() > until:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


class Guard:
    """Ends the process that it was told of last once this one is gone."""

    def __init__(self) -> None:
        # Its standard input ends with whoever holds the other side: this process alone, since no child inherits it.
        self._beside = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self, pid: int) -> None:
        """From here on that process, with all that it was told before forgotten."""
        if self._beside.stdin is not None:
            self._beside.stdin.write(f"{identity(pid)}\n".encode())
            self._beside.stdin.flush()

    def leave(self) -> None:
        """What was watched has ended, or goes on by itself."""
        self._beside.kill()
        self._beside.wait()
        if self._beside.stdin is not None:
            self._beside.stdin.close()


def main() -> None:
    told = sys.stdin.buffer.read().decode().splitlines()
    if told and told[-1] and identity(int(told[-1].split()[0])) == told[-1]:
        end(told[-1])


if __name__ == "__main__":
    main()
