"""A running system as a child process, and the commands that a user types against it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from tests import console

SANKOFA = str(Path(sys.executable).with_name("sankofa"))
SERVICES = ("registration", "matching", "placement", "monitoring")
# Nothing here speaks TLS, and each of the library's own calls would read the world's certificates: 20 ms of processor
# time, taken from the system that is waited for.
got = partial(httpx.get, verify=False)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class System:
    """`sankofa up` on a folder of its own; it can be killed and started again as often as a test wants."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.child: console.Child | subprocess.Popen[bytes] | None = None
        self.errors = folder / "up.log"
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("SANKOFA_", "KAFKA_", "MONGODB_"))},
            "SANKOFA_DATA": str(self.data),
            "SANKOFA_BASE_URL": self.url,
        }

    @property
    def keys(self) -> Path:
        return Path(self.environment.get("SANKOFA_KEYS") or self.data.with_name("data-keys"))

    @property
    def mails(self) -> Path:
        """Where mail goes that no server takes."""
        return self.data.with_name(f"{self.data.name}-mail")

    @contextmanager
    def running(self) -> Iterator[System]:
        """Started and ready; stopped in the end, whatever happens."""
        self.start()
        try:
            self.wait_ready()
            yield self
        finally:
            self.stop()

    def start(self, *, installed: bool = False) -> None:
        """`installed`: by the console script itself."""
        words = ("up", "--port", str(self.port))
        with self.errors.open("ab") as errors:
            if installed:
                argv = [SANKOFA, *words]
                self.child = subprocess.Popen(argv, env=self.environment, stdout=errors, stderr=errors)
                return
            self.child = console.started(words, self.environment, output=errors, errors=errors)

    def wait_ready(self, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not self._ready():
            assert self.child
            assert self.child.poll() is None, self.errors.read_text()[-2000:]
            assert time.monotonic() < deadline, "the system did not become ready"
            time.sleep(0.05)

    def _ready(self) -> bool:
        try:
            return all(got(f"{self.url}/{name}/health/ready").is_success for name in SERVICES)
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        assert self.child
        self.child.kill()
        self.child.wait()

    def interrupt(self) -> tuple[int, float]:
        """Ctrl-C: the exit code and how many seconds it took."""
        assert self.child
        began = time.monotonic()
        self.child.send_signal(signal.SIGINT)
        return self.child.wait(30), time.monotonic() - began

    def stop(self) -> None:
        if self.child and self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()

    def sankofa(self, *words: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        return console.ran(words, self.environment, timeout=timeout)

    def begin(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [SANKOFA, *words], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def token(self, role: str, office: str | None = None, subject: str = "tester") -> dict[str, str]:
        words = ["token", "--role", role, "--subject", subject, *(("--office", office) if office else ())]
        return {"Authorization": f"Bearer {self.sankofa(*words).stdout.strip()}"}

    def get(self, path: str, headers: dict[str, str]) -> Any:
        answer = got(f"{self.url}{path}", headers=headers)
        answer.raise_for_status()
        return json.loads(answer.text)
