"""Real servers as child processes: started, waited for, frozen, killed and stopped in order."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from deploy.local.parting import Guard, end, identity
from shared.errors import SankofaError, SettingsError

LOOPBACK = "127.0.0.1"
LAST_LINES = 12


class MissingTool(SankofaError):
    """A program that a launcher needs is not on this machine; the message names it and what it is for."""


class ChildFailed(SankofaError):
    """A child process ended early or was not ready in time; the message has its last log lines."""


class ChildEnded(ChildFailed):
    """It ended by itself before it was ready."""


def free_port() -> int:
    """A loopback TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def port_open(port: int, timeout: float = 0.2) -> bool:
    """Whether something accepts connections on that loopback port."""
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=timeout):
        return True
    return False


class Child:
    """One child process of this one, writing to `log_path`; `ready` is asked until it says yes.

    It ends with this process, however that ends. `<log_path>.pid` is locked while this process owns the child: one that
    is still about to end is found there and ended before the next one starts, since both would write the same folder.
    """

    def __init__(
        self, name: str, argv: Sequence[str], env: Mapping[str, str], ready: Callable[[], bool], log_path: Path
    ) -> None:
        self.name = name
        self.argv = list(argv)
        self.env = dict(env)
        self.ready = ready
        self.log_path = log_path
        self._pid_path = log_path.with_name(log_path.name + ".pid")
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        self._guard: Guard | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts the process without waiting for it; raises SettingsError where another owner has it."""
        if self.running:
            return
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        self._own()
        self._guard = self._guard or Guard()
        with self.log_path.open("ab") as log:
            # A session of its own: Ctrl-C reaches the owner alone, which then stops its children in order.
            self._process = subprocess.Popen(
                self.argv,
                env={**os.environ, **self.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._guard.watch(self._process.pid)
        self._pid_path.write_text(identity(self._process.pid))

    def wait_ready(self, timeout: float = 30.0) -> None:
        """Blocks until `ready()`; raises ChildEnded when the process ended, ChildFailed when the seconds are over."""
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            if not self.running:
                code = self._process.returncode if self._process else None
                raise ChildEnded(f"{self.name} ended with code {code}:\n{self.last_lines()}")
            if self.ready():
                return
            time.sleep(0.05)
        raise ChildFailed(f"{self.name} was not ready after {timeout:g} s:\n{self.last_lines()}")

    def stop(self, timeout: float = 10.0) -> int | None:
        """SIGTERM, after `timeout` seconds SIGKILL; returns the exit code."""
        if self._process is None:
            return None
        if self.running:
            self.thaw()
            self._process.terminate()
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._disown()
        return code

    def kill(self) -> None:
        """SIGKILL, and waits for the end."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._disown()

    def freeze(self) -> None:
        """SIGSTOP: the process keeps its connections and answers nothing from the return of this call on."""
        self._signal(signal.SIGSTOP)
        if self._process is not None and self.running:
            # Every thread runs on for a moment after the signal was sent.
            os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def last_lines(self) -> str:
        if not self.log_path.exists():
            return ""
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-LAST_LINES:])

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self.running:
            self._process.send_signal(number)

    def _own(self) -> None:
        if self._lock is None:
            lock = os.open(self._pid_path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                raise SettingsError(f"{self.name}: {self.log_path.parent} is in use by another process") from None
            self._lock = lock
        left = self._pid_path.read_text().strip()
        if left and identity(int(left.split()[0])) == left:
            end(left)

    def _disown(self) -> None:
        if self._guard is not None:
            self._guard.leave()
            self._guard = None
        self._pid_path.write_text("")
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
