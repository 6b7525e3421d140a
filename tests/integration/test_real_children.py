"""The children of `sankofa up`: one that keeps dying, one that was left behind, the order of the end, missing parts."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.cli import running
from deploy.cli.hosting import bound_socket, serve
from deploy.local import parting, secantus, servers
from deploy.local.processes import ChildFailed, free_port
from deploy.local.secantus import program
from shared.clock import RealRuntime
from shared.errors import SettingsError
from tests import console
from tests.integration.real_system import answers
from tests.tools import skipped_without_tools

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


class Up:
    """`sankofa up --store mongodb` on a folder, with its own words apart from its children's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.errors = folder / "up.log"
        self.child: console.Child | None = None

    def start(self) -> None:
        url, port = "http://127.0.0.1", free_port()
        kept = {k: v for k, v in os.environ.items() if not k.startswith("SANKOFA_")}
        given = {**kept, "SANKOFA_DATA": str(self.folder / "data")}
        words = ("up", "--store", "mongodb", "--port", str(port))
        with self.errors.open("wb") as errors:
            self.child = console.started(words, given, errors=errors)
        wait_until(lambda: answers(f"{url}:{port}/matching/health/ready"))

    def server(self) -> int:
        """The process id of the store; 0 while there is none."""
        words = (self.folder / "data/mongodb/secantusd.log.pid").read_text().split()
        return int(words[0]) if words else 0

    def stop(self) -> None:
        if self.child and self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            self.child.wait(20)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    with skipped_without_tools():
        program()
    up = Up(tmp_path)
    up.start()
    yield up
    up.stop()


def wait_until(holds: Callable[[], bool], seconds: float = 40) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.1)


def runs(process: int) -> bool:
    try:
        return process > 0 and Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_child_that_keeps_dying_ends_the_system_with_one_line(up: Up) -> None:
    assert up.child
    killed = set[int]()
    for _ in range(servers.DEATHS):
        wait_until(lambda: up.server() not in {0, *killed} and runs(up.server()))
        killed.add(up.server())
        os.kill(up.server(), signal.SIGKILL)
    assert up.child.wait(30) == 2
    lines = up.errors.read_text().splitlines()
    [line] = [line for line in lines if line.startswith("sankofa:")]
    assert line.startswith(f"sankofa: SecantusDB died {servers.DEATHS} times within")
    # A log line names what it is about only under a key that log lines may have.
    deaths = [json.loads(line) for line in lines if '"server_died"' in line]
    assert [line["kind"] for line in deaths] == ["SecantusDB"] * servers.DEATHS
    assert not runs(up.server())


def beside(process: int) -> list[int]:
    """The processes that wait for the end of that one."""
    lists = Path(f"/proc/{process}/task").glob("*/children")
    children = [int(one) for listed in lists for one in listed.read_text().split()]
    argv = {one: Path(f"/proc/{one}/cmdline").read_bytes().split(b"\0") for one in children}
    return [one for one, words in argv.items() if parting.__name__.encode() in words]


def test_the_child_of_a_killed_system_ends_with_it(up: Up) -> None:
    assert up.child
    left = up.server()
    up.child.kill()
    up.child.wait()
    wait_until(lambda: not runs(left))
    up.start()
    assert runs(up.server())


def test_a_child_that_outlived_a_killed_system_is_ended_by_the_next_one(up: Up) -> None:
    """Whoever would have ended it was killed first."""
    assert up.child
    left, (guard,) = up.server(), beside(up.child.pid)
    os.kill(guard, signal.SIGKILL)
    up.child.kill()
    up.child.wait()
    assert runs(left)
    up.start()
    assert not runs(left)
    assert runs(up.server())
    up.stop()
    assert not runs(up.server())


class Noting:
    """Stands for a server, the services or the servers together, and notes when it is stopped."""

    running = True

    def __init__(self, name: str, ended: list[str]) -> None:
        self.name, self.ended = name, ended

    def start(self) -> None:
        """Runs already."""

    def stop(self) -> None:
        self.ended.append(self.name)


async def test_services_end_first_then_kafka_then_the_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ended: list[str] = []
    monkeypatch.setattr(servers, "KafkaServer", lambda _: Noting("kafka", ended))
    monkeypatch.setattr(servers, "SecantusServer", lambda _: Noting("store", ended))

    class Host:
        app = None
        runtime = RealRuntime()

        async def start(self) -> None:
            raise SettingsError("nothing to serve")

        async def stop(self) -> None:
            ended.append("services")

    host: Any = Host()
    with pytest.raises(SettingsError, match="nothing to serve"):
        await serve(host, bound_socket(0), servers.Servers(tmp_path, kafka=True, mongodb=True))
    asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
    host.runtime.close()
    # Each was stopped before it was started too, as one that had died.
    assert ended[-3:] == ["services", "kafka", "store"]


async def test_three_deaths_in_a_minute_are_given_up_and_three_in_an_hour_are_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clock = [0.0]
    monkeypatch.setattr(servers, "time", type("Clock", (), {"monotonic": staticmethod(lambda: clock[0])}))
    watched = servers.Servers(tmp_path, kafka=False, mongodb=False)
    watched._deaths["Kafka"] = servers.deque(maxlen=servers.DEATHS)
    for clock[0] in (0.0, 1_000.0, 2_000.0, 2_040.0):
        watched._note_death("Kafka")
    clock[0] = 2_050.0
    with pytest.raises(ChildFailed, match="Kafka died 3 times within 60 s"):
        watched._note_death("Kafka")


def test_up_without_the_extra_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(secantus, "PROGRAM", "secantusd-of-nobody")
    with pytest.raises(SettingsError, match=r"secantusd-of-nobody \(package secantusdb\) is needed"):
        running.up(data=tmp_path / "data", port=0, store="mongodb")
    assert not (tmp_path / "data").exists()


def test_up_without_kafkas_libraries_and_maven_is_one_line(tmp_path: Path) -> None:
    java = shutil.which("java")
    if java is None:
        pytest.skip("Apache Kafka needs java (Java 17 and Maven), which is not on this machine")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").symlink_to(java)
    given = {**os.environ, "PATH": str(tmp_path / "bin"), "SANKOFA_CACHE": str(tmp_path / "cache")}
    words = ("up", "--log", "kafka", "--port", "0", "--data", str(tmp_path / "data"))
    ran = console.ran(words, given, timeout=60)
    assert (ran.returncode, len(ran.stderr.splitlines())) == (2, 1), ran.stderr
    assert "mvn (Java 17 and Maven)" in ran.stderr
