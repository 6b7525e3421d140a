"""`sankofa up` is two processes that are one system: they end together, and what is acknowledged survives either."""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.parting import identity
from tests.e2e.edge_world import People
from tests.e2e.system import System


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    with System(tmp_path).running() as running:
        yield running


def second(system: System) -> int:
    """The process that the first one began."""
    assert system.child
    listed = Path(f"/proc/{system.child.pid}/task").glob("*/children")
    (pid,) = [int(child) for file in listed for child in file.read_text().split()]
    return pid


def ended(pid: int, seconds: float = 5.0) -> bool:
    until = time.monotonic() + seconds
    while identity(pid):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def test_the_second_ends_with_a_killed_first_and_the_next_start_loses_nothing(system: System) -> None:
    people = People(system)
    people.publish()
    expert, pid = people.expert(), second(system)
    system.kill()
    assert ended(pid)
    system.start()
    system.wait_ready()
    people.quiet()
    assert people.get(f"/registration/v1/experts/{expert}").status_code == 200
    assert people.get("/monitoring/v1/programmes/trqn-1/indicators/registrations").json()["value"] == 1
    people.close()


def test_the_first_ends_with_a_killed_second_and_says_so(system: System) -> None:
    assert system.child
    os.kill(second(system), signal.SIGKILL)
    assert system.child.wait(15) == 1
    assert "matching-placement-monitoring ended by an unexpected error" in system.errors.read_text()
    system.start()
    system.wait_ready()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_both_stop_when_the_first_is_asked_to(system: System, number: signal.Signals) -> None:
    assert system.child
    pid = second(system)
    system.child.send_signal(number)
    assert system.child.wait(10) == 0
    assert ended(pid, 0.5)


def test_a_name_is_never_in_the_memory_of_the_process_of_the_other_services(system: System) -> None:
    people = People(system)
    people.publish()
    host = people.institution(account="college")
    # Of this run alone: what the tests' own files say may lie in a process that began as a copy of theirs.
    name = "".join(secrets.choice("abcdefghijklmnop") for _ in range(20)).capitalize()
    expert = people.expert(given_name=name)
    people.match(people.assignment(host, begins_in_days=30), expert, "accepted")
    people.quiet()
    assert system.child
    assert _held(system.child.pid, name)
    assert not _held(second(system), name)
    people.close()


def _held(pid: int, name: str) -> bool:
    """Whether what the process may write holds the name, as bytes or as one of Python's texts."""
    forms = [name.encode(how) for how in ("utf-8", "utf-16-le", "utf-32-le")]
    with Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            where, mode, *_ = line.split()
            if mode.startswith("rw"):
                at, end = (int(place, 16) for place in where.split("-"))
                memory.seek(at)
                content = memory.read(end - at)
                if any(form in content for form in forms):
                    return True
    return False
