"""A backup that is taken under load, and what is restored of it: nothing half done, and the same figures."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deploy.cli.backup import MANIFEST, written
from shared.clock import text_of
from tests.e2e.edge_world import PDF, PROGRAMME, People
from tests.e2e.evidence import evidence_of, violations
from tests.e2e.system import System
from tests.store_files import content_of

LOAD_SECONDS = 4.0
SHARE_SECONDS = 0.2
# After which an answer as of an instant is final.
SETTLED_SECONDS = 7.0
FIGURES = f"/monitoring/v1/programmes/{PROGRAMME}/indicators"


class Load:
    """People register one after the other, until they are told to stop; what was acknowledged is written down."""

    def __init__(self, system: System) -> None:
        self.people = People(system)
        self.acknowledged: list[str] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._ended.is_set():
            key = f"under-load-{len(self.acknowledged)}"
            receipt = self.people.post("/registration/v1/experts", self.people.registration(), idempotency_key=key)
            if receipt.status_code == 429:
                # While the backup holds the stores still, what one address may send is bounded.
                self._ended.wait(SHARE_SECONDS)
                continue
            assert receipt.status_code == 202, receipt.text
            self.acknowledged.append(receipt.json()["id"])

    def wait_for_one_more(self) -> None:
        """Until somebody is registered who was not when this was called; the test's own time limit bounds it."""
        before = len(self.acknowledged)
        while len(self.acknowledged) == before:
            assert self._thread.is_alive(), "the load ended by an answer that it does not know"
            time.sleep(0.05)

    @contextmanager
    def running(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._ended.set()
            self._thread.join()
            self.people.close()


def counted(people: People, as_of: str | None = None) -> dict[str, Any]:
    answer = people.get(FIGURES + (f"?as_of={as_of}" if as_of else ""), "administrator", None)
    assert answer.is_success, answer.text
    return {row["code"]: (row["value"], row["final"]) for row in answer.json()["items"]}


async def submissions(data: Path) -> set[str]:
    evidence = await evidence_of(data)
    return {one["_id"] for one in evidence.documents["registration"]["submissions"]}


def done(ran: Any) -> str:
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return str(ran.stdout)


def refused(ran: Any) -> str:
    assert ran.returncode == 2, ran.stdout + ran.stderr
    [line] = ran.stderr.strip().splitlines()
    return str(line)


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    with System(tmp_path).running() as system:
        yield system


@pytest.mark.timeout(300)
async def test_a_backup_under_load_is_restored_whole_in_a_new_epoch(system: System, tmp_path: Path) -> None:
    people = People(system)
    people.publish()
    expert = people.expert()
    people.match(people.assignment(people.institution()), expert, "accepted")
    read = f"/registration/v1/experts/{expert}/files/{people.file(expert)}/read"
    people.quiet()
    before = text_of(datetime.now(UTC))
    time.sleep(SETTLED_SECONDS)
    figures = counted(people, before)
    assert {final for _, final in figures.values()} == {True}
    load = Load(system)
    with load.running():
        time.sleep(LOAD_SECONDS / 2)
        acknowledged = list(load.acknowledged)
        done(system.sankofa("backup", str(tmp_path / "backup")))
        load.wait_for_one_more()
    people.quiet()
    system.stop()

    old, again = system.data, tmp_path / "again"
    words = ("restore", "--data", str(again), "--from", str(tmp_path / "backup"), "--since", str(old))
    assert "published since: registration.experts" in done(system.sankofa(*words))
    system.environment |= {"SANKOFA_KEYS": str(system.keys), "SANKOFA_DATA": str(again)}
    system.data, kept = again, await submissions(again)
    # Whatever was acknowledged before the backup began is in it, and something that came later is not.
    assert acknowledged
    assert set(acknowledged) <= kept
    assert set(load.acknowledged) - kept
    system.start()
    system.wait_ready()
    people.quiet()
    assert counted(people, before) == figures
    assert people.post(read, {"purpose": "screening"}).content == PDF
    for receipt in acknowledged:
        people.accepted("registration", receipt)
    assert counted(people)["registrations"][0] == len(kept)
    people.expert()
    people.quiet()
    assert counted(people)["registrations"][0] == len(kept) + 1
    people.close()
    system.stop()
    evidence = await evidence_of(again)
    assert [str(one) for one in violations(evidence)] == []
    epochs = {read.envelope.epoch for topic in evidence.records for read in evidence.reads(topic)}
    assert (min(epochs), len(epochs)) == (1, 2)


def test_no_file_of_a_backup_is_ahead_of_what_caused_it(tmp_path: Path) -> None:
    """What is committed to a second file only after it stood in a first is in no backup without it."""
    files = [tmp_path / "a.sqlite", tmp_path / "b.sqlite"]
    for path in files:
        with closing(sqlite3.connect(path, isolation_level=None)) as file:
            file.execute("PRAGMA journal_mode = WAL")
            file.execute("CREATE TABLE counted (number INTEGER PRIMARY KEY)")
    ended = threading.Event()

    def write() -> None:
        connections = [sqlite3.connect(path, isolation_level=None, timeout=30) for path in files]
        number = 0
        while not ended.is_set():
            number += 1
            for connection in connections:
                connection.execute("INSERT INTO counted VALUES (?)", (number,))
        for connection in connections:
            connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    found = []
    try:
        for turn in range(12):
            written(files if turn % 2 else files[::-1], tmp_path / f"backup-{turn}")
            greatest = []
            for path in files:
                with closing(sqlite3.connect(tmp_path / f"backup-{turn}" / path.name)) as file:
                    greatest.append(file.execute("SELECT coalesce(max(number), 0) FROM counted").fetchone()[0])
            found.append(tuple(greatest))
            time.sleep(0.02)
    finally:
        ended.set()
        writer.join()
    assert {first - second for first, second in found} <= {0, 1}, found
    assert len(set(found)) > 6


def test_a_backup_holds_no_key_and_no_name_and_is_its_owners_alone(system: System, tmp_path: Path) -> None:
    people = People(system)
    people.publish()
    people.expert(given_name="Qzcanary")
    people.quiet()
    people.close()
    target = tmp_path / "backup"
    done(system.sankofa("backup", str(target)))
    files = list(target.iterdir())
    assert {path.stat().st_mode & 0o077 for path in (target, *files)} == {0}
    services = {f"{name}.sqlite" for name in ("log", "registration", "matching", "placement", "monitoring")}
    assert {path.name for path in files} == {MANIFEST, *services}
    held = b"".join(content_of(path) for path in files)
    assert b"Qzcanary" not in held
    keys = [path.read_bytes() for path in system.keys.rglob("*.key")]
    assert keys
    assert [key for key in keys if key in held] == []


def test_what_is_no_whole_backup_and_what_would_write_over_something_is_refused(system: System, tmp_path: Path) -> None:
    target, new = tmp_path / "backup", str(tmp_path / "new")
    done(system.sankofa("backup", str(target)))
    assert "not empty" in refused(system.sankofa("backup", str(target)))
    assert "inside" in refused(system.sankofa("backup", str(system.data / "backup")))
    assert "inside" in refused(system.sankofa("backup", str(system.keys / "backup")))
    assert "no system" in refused(system.sankofa("backup", str(tmp_path / "b"), "--data", str(tmp_path / "nowhere")))
    assert "not empty" in refused(system.sankofa("restore", "--data", str(system.data), "--from", str(target)))
    # The old system still runs and publishes.
    still = system.sankofa("restore", "--data", new, "--from", str(target), "--since", str(system.data))
    assert "in use" in refused(still)
    for damage in ("flipped", "missing", "manifest"):
        broken = tmp_path / damage
        shutil.copytree(target, broken)
        if damage == "flipped":
            raw = bytearray((broken / "registration.sqlite").read_bytes())
            raw[-1] ^= 1
            (broken / "registration.sqlite").write_bytes(bytes(raw))
        else:
            (broken / ("log.sqlite" if damage == "missing" else MANIFEST)).unlink()
        assert str(broken) in refused(system.sankofa("restore", "--data", new, "--from", str(broken)))
    assert list(tmp_path.glob("new*")) in ([], [tmp_path / "new"])
    assert list((tmp_path / "new").glob("*")) == []


def test_a_restored_system_starts_with_the_keys_that_it_had_and_no_others(system: System, tmp_path: Path) -> None:
    people = People(system)
    people.publish()
    people.expert()
    people.close()
    done(system.sankofa("backup", str(tmp_path / "backup")))
    done(system.sankofa("restore", "--data", str(tmp_path / "again"), "--from", str(tmp_path / "backup")))
    system.stop()
    system.environment["SANKOFA_KEYS"] = str(tmp_path / "other-keys")
    assert "key" in refused(system.sankofa("up", "--data", str(tmp_path / "again"), "--port", "0", timeout=60))
