"""A full disk: reads go on, writes are refused with 503 and `Retry-After`, and with room it heals by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.edge_world import PROGRAMME, People
from tests.e2e.system import SERVICES, System, got
from tests.tools import SmallDisk, small_disk

# Longer than it took the process to end, when a full disk ended it.
REST_SECONDS = 8.0


@contextmanager
def running(folder: Path, keys: Path | None = None) -> Iterator[System]:
    """A system with data, keys (unless they are elsewhere) and log lines in the folder."""
    system = System(folder)
    if keys:
        system.environment["SANKOFA_KEYS"] = str(keys)
    with system.running():
        yield system


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", 48) as disk:
        yield disk


class Readers:
    """What people look at, in every service, as it was while there was room."""

    def __init__(self, people: People) -> None:
        self.people = people
        people.publish()
        self.institution = people.institution()
        self.expert = people.expert()
        self.assignment = people.assignment(self.institution)
        people.match(self.assignment, self.expert, "offered")
        people.quiet()
        self.seen = self.look()

    def look(self) -> dict[str, Any]:
        paths = (
            f"/registration/v1/experts/{self.expert}",
            f"/registration/v1/programmes/{PROGRAMME}",
            f"/matching/v1/assignments/{self.assignment}",
            "/matching/v1/matches",
            "/placement/v1/placements",
        )
        found = {path: self.people.get(path) for path in paths}
        figures = f"/monitoring/v1/programmes/{PROGRAMME}/indicators"
        found[figures] = self.people.get(figures, "administrator", None)
        assert {path: answer.status_code for path, answer in found.items() if not answer.is_success} == {}
        values = {row["code"]: row["value"] for row in found[figures].json()["items"]}
        return {**{path: found[path].json() for path in paths}, "figures": values}

    def registered(self) -> int:
        return len(self.people.get("/registration/v1/experts").json()["items"])


def refused(answer: httpx.Response) -> bool:
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) > 0
    return True


def alive(system: System) -> bool:
    assert system.child
    return system.child.poll() is None


def wait_live(system: System, seconds: float = 30) -> None:
    """Returns when each service answers; it need not be ready, since what is ready can also write."""
    deadline = time.monotonic() + seconds
    while True:
        assert alive(system), system.errors.read_text()[-2000:]
        try:
            if all(got(f"{system.url}/{name}/health/live").is_success for name in SERVICES):
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, "the system did not answer"
        time.sleep(0.05)


def seen_again(readers: Readers, seconds: float = 20) -> None:
    """Returns when everything can be read as it was: a start reads the definitions first."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            assert readers.look() == readers.seen
            return
        except AssertionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def test_a_full_disk_stops_writes_alone_and_heals_with_room(disk: SmallDisk) -> None:
    with running(disk.folder) as system:
        people = People(system)
        readers = Readers(people)
        disk.fill()
        body, until, refusals = people.registration(), time.monotonic() + REST_SECONDS, 0
        while time.monotonic() < until:
            refusals += refused(people.post("/registration/v1/experts", body, idempotency_key="on-a-full-disk"))
            refused(people.post(f"/matching/v1/assignments/{readers.assignment}/cancel", {"reason": "no_funds"}))
            assert readers.look() == readers.seen
            disk.fill()
            time.sleep(0.5)
        assert refusals > 5
        assert alive(system)
        disk.free()
        receipt = people.done("/registration/v1/experts", body)
        people.accepted("registration", receipt["id"])
        people.quiet()
        # What was refused was not half done.
        assert readers.registered() == 2
        system.wait_ready()
        people.close()


@pytest.mark.parametrize(
    "ended", ["killed when full", pytest.param("stopped when full", marks=pytest.mark.long), "stopped with room"]
)
def test_it_starts_on_a_full_disk_can_be_read_and_heals(disk: SmallDisk, ended: str) -> None:
    with running(disk.folder) as system:
        people = People(system)
        readers = Readers(people)
        for _ in range(2):
            if ended.endswith("when full"):
                disk.fill()
                refused(people.post("/registration/v1/experts", people.registration()))
            else:
                disk.free()
                system.wait_ready()
            system.kill() if ended.startswith("killed") else system.stop()
            disk.fill()
            system.start()
            wait_live(system)
            disk.fill()
            seen_again(readers)
            refused(people.post("/registration/v1/experts", people.registration()))
        disk.free()
        system.wait_ready()
        people.expert(state="registered")
        people.quiet()
        assert readers.registered() == 2
        people.close()


def test_a_full_disk_under_the_keys_stops_what_needs_a_new_key_alone(tmp_path: Path) -> None:
    with small_disk(tmp_path / "keys", 4) as disk, running(tmp_path, disk.folder / "keys") as system:
        people = People(system)
        readers = Readers(people)
        disk.fill()
        for turn in range(2):
            body = people.registration()
            receipt = people.post("/registration/v1/experts", body, idempotency_key=f"without-room-{turn}")
            # Acknowledged and stored; without a key of the person's own it waits for its decision.
            assert receipt.status_code == 202, receipt.text
            time.sleep(1)
            assert people.get(f"/registration/v1/receipts/{receipt.json()['id']}").json()["status"] == "pending"
            assert alive(system)
            assert readers.look() == readers.seen
            system.kill()
            disk.fill()
            system.start()
            wait_live(system)
            seen_again(readers)
        disk.free()
        people.eventually(lambda: readers.registered() == 3, "the decisions")
        people.quiet()
        people.close()
