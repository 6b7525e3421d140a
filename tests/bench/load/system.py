"""A build's system as a process: started on an empty folder, asked from outside, killed, frozen, measured."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import yaml

from deploy.local.processes import free_port
from tests.bench.load.builds import ROOT, Build
from tests.bench.load.generator import Seen, Task, read
from tests.bench.load.persons import INDICATOR, PROGRAMME, Persons

SERVICES = ("registration", "matching", "placement", "monitoring")
START_SECONDS = 90.0
STOP_SECONDS = 30.0
CONNECTIONS = 2_000
LOOK_SECONDS = 0.5
TICKS = os.sysconf("SC_CLK_TCK")

Harm = Callable[[], None]


class System:
    """`sankofa up` of a build with one published programme, whose figures follow registrations as they come."""

    def __init__(self, build: Build, folder: Path, issuer: str, key: Path) -> None:
        folder.mkdir()
        self.build = build
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()
        self._key = key
        self._issuer = issuer
        self._persons = Persons(issuer, key.read_bytes(), self.port)
        self._child: subprocess.Popen[bytes] | None = None
        self._before_kill = 0.0
        self._people = 0
        self._most_mb = self._look_at = 0.0
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("SANKOFA_", "KAFKA_", "MONGODB_", "OTEL_"))},
            "SANKOFA_DATA": str(self.data),
            "SANKOFA_KEYS": str(folder / "keys"),
            "SANKOFA_ISSUER": issuer,
            "SANKOFA_BASE_URL": f"http://127.0.0.1:{self.port}",
        }

    def start(self, seconds: float = START_SECONDS) -> None:
        """RuntimeError where it does not become ready within so many seconds."""
        with (self.folder / "up.log").open("ab") as out:
            words = [self.build.sankofa, "up", "--port", str(self.port), "--log-level", "error"]
            self._child = subprocess.Popen(
                words, cwd=self.build.folder, env=self._environment, stdout=out, stderr=out, start_new_session=True
            )
        self._most_mb = 0.0
        until = time.monotonic() + seconds
        while not all(self._get(f"/{name}/health/ready") for name in SERVICES):
            if time.monotonic() > until or self._child.poll() is not None:
                raise RuntimeError(f"{self.build.name} does not start: {(self.folder / 'up.log').read_text()[-400:]}")
            self._look()
            time.sleep(0.1)

    def publish(self) -> None:
        """The build's own file of the programme, open until long after now."""
        definition = yaml.safe_load((self.build.folder / "deploy/programmes/trqn-1.yaml").read_text())
        definition["dates"]["ends"] = "2099-01-01"
        headers = {"Authorization": f"Bearer {self._persons.token('administrator', 'publishing')}"}
        content = json.dumps({"definition": definition}, default=str).encode()
        headers |= {"Content-Type": "application/json", "Idempotency-Key": "publishing"}
        answer = httpx.post(self._url("/registration/v1/programmes"), content=content, headers=headers)
        if answer.status_code != 201:
            raise RuntimeError(f"{self.build.name} refuses the programme: {answer.status_code} {answer.text[:400]}")
        until = time.monotonic() + START_SECONDS
        while self.counted() is None:
            if time.monotonic() > until:
                raise RuntimeError(f"{self.build.name} never heard of the programme")
            time.sleep(0.1)

    def counted(self) -> int | None:
        """The indicator; None where it is not known."""
        headers = {"Authorization": f"Bearer {self._persons.token('administrator', 'watching')}"}
        found = self._get(f"/monitoring/v1/programmes/{PROGRAMME}/indicators/{INDICATOR}", headers)
        return int(found["value"] or 0) if found else None

    def offered(self, rate: float, seconds: float, wait_seconds: float, harm: Harm | None = None) -> Seen:
        """What the generator saw. `harm` is done in the middle of the load."""
        out = self.folder / f"seen-{self._people}.json"
        task = Task(
            self.port,
            self._issuer,
            str(self._key),
            rate,
            seconds,
            self._people,
            self.counted() or 0,
            wait_seconds,
            CONNECTIONS,
            str(out),
        )
        self._people += round(rate * seconds) + 1
        words = [sys.executable, "-m", "tests.bench.load.generator", json.dumps(asdict(task))]
        with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as generator:
            assert generator.stdout
            generator.stdout.readline()
            if harm:
                self._wait(generator, seconds / 2)
                harm()
            self._wait(generator)
            if generator.returncode:
                raise RuntimeError("the generator failed")
        return read(out)

    def _wait(self, generator: subprocess.Popen[str], seconds: float = math.inf) -> None:
        until = time.monotonic() + seconds
        while generator.poll() is None and time.monotonic() < until:
            self._look()
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL, and started again at once."""
        self._before_kill = self.processor_seconds()
        assert self._child
        self._child.kill()
        self._child.wait()
        self.start()

    def frozen(self, seconds: float) -> None:
        """SIGSTOP for so long, of all its processes."""
        assert self._child
        pids = _with_children(self._child.pid)
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for pid in pids:
                os.kill(pid, number)
            time.sleep(seconds if number == signal.SIGSTOP else 0)

    def stop(self) -> None:
        if self._child and self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
            try:
                self._child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()

    def processor_seconds(self) -> float:
        """Of the whole process and its children so far, those that have ended included, in user and kernel mode."""
        assert self._child
        return self._before_kill + sum(map(_processor_seconds, _with_children(self._child.pid)))

    def memory_mb(self) -> float:
        """Resident memory of all its processes now, what they share counted once."""
        assert self._child
        return sum(map(_proportional_mb, _with_children(self._child.pid)))

    @property
    def most_mb(self) -> float:
        """The most of that since the last start, looked at every half second while it starts and under load."""
        return self._most_mb

    def _look(self) -> None:
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_SECONDS
            self._most_mb = max(self._most_mb, self.memory_mb())

    def forget_read_model(self) -> None:
        """Of the stopped system, so that its next start reads everything anew."""
        shutil.rmtree(self.data / "monitoring")

    def stopped_bytes(self) -> int:
        """Stops it: what the files of the data folder take on the disk then, without write-ahead logs."""
        self.stop()
        return sum(path.stat().st_blocks * 512 for path in self.data.rglob("*") if path.is_file())

    def registered(self) -> list[tuple[str, str, float]]:
        """Of the stopped system's log: expert, event and append time in seconds of each registration."""
        script = str(Path(__file__).with_name("registered.py"))
        words = [self.build.python, script, str(self.data)]
        out = subprocess.run(words, cwd=self.build.folder, capture_output=True, text=True, check=True).stdout
        return [(expert, event, ms / 1000) for expert, event, ms in map(json.loads, out.splitlines())]

    def _get(self, path: str, headers: dict[str, str] | None = None) -> dict[str, Any] | None:
        try:
            answer = httpx.get(self._url(path), headers=headers, timeout=10)
        except httpx.TransportError:
            return None
        return dict(answer.json()) if answer.is_success else None

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


def _proportional_mb(pid: int) -> float:
    """A page that several processes have counts for each as its share; nothing for one that has just ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _with_children(pid: int) -> list[int]:
    """The process and all that descend from it."""
    children = [
        int(child) for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()
    ]
    return [pid, *(one for child in children for one in _with_children(child))]
