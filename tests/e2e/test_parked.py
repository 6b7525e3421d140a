"""`sankofa parked`: what nobody can mend is listed, dropped with a reason, and stays listed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.clock import RealRuntime, derived_id
from shared.messaging.local import LocalLog
from shared.messaging.port import Message
from shared.messaging.topics import TOPICS
from tests.e2e.edge_world import People
from tests.e2e.system import System

SUBJECT = derived_id("nobody's")
TOPIC = "registration.persons"


async def poison(data: Path) -> None:
    """A record of a type that no service knows, as somebody else may write one."""
    headers = {
        "ce_id": derived_id("poison"),
        "ce_type": "org.sankofa.registration.Invented",
        "ce_source": "/registration",
        "ce_subject": SUBJECT,
        "ce_time": "2026-01-05T09:00:00.000000Z",
        "ce_epoch": "1",
        "ce_sequence": "0000000001",
        "ce_dataschema": "urn:sankofa:schema:registration.Invented:1",
    }
    data.mkdir(parents=True)
    runtime = RealRuntime()
    log = LocalLog(data / "log.sqlite", list(TOPICS.values()), runtime)
    await log.start()
    raw = tuple((name, text.encode()) for name, text in headers.items())
    await log.append(TOPIC, log.partition_of(TOPIC, SUBJECT), [Message(SUBJECT, json.dumps({}).encode(), raw)])
    await log.stop()
    runtime.close()


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    system = System(tmp_path)
    # A table is as wide as the terminal.
    system.environment["COLUMNS"] = "250"
    asyncio.run(poison(system.data))
    with system.running():
        yield system


def test_what_nobody_can_mend_is_dropped_with_a_reason_and_stays_listed(system: System) -> None:
    people = People(system)
    people.eventually(lambda: SUBJECT in system.sankofa("parked", "list").stdout, "the parked record")
    drop = ("parked", "drop", SUBJECT, "--group", "matching")
    wrong = system.sankofa(*drop, "--reason", "because")
    assert (wrong.returncode, "refused_for_good" in wrong.stderr) == (2, True)
    replayed = system.sankofa("parked", "replay", SUBJECT, "--group", "matching")
    assert (replayed.returncode, replayed.stdout) == (1, "matching: 1 left\n")
    dropped = system.sankofa(*drop, "--reason", "not_ours")
    assert (dropped.returncode, dropped.stdout) == (0, "matching: dropped, 0 left\n"), dropped.stderr
    again = system.sankofa(*drop, "--reason", "not_ours")
    assert (again.returncode, "nothing is parked" in again.stderr) == (1, True)
    for words in (("list", "--group", "matching"), ("show", SUBJECT, "--group", "matching")):
        shown = system.sankofa("parked", *words).stdout
        assert "dropped" in shown
        assert "unregistered_type" in shown
        assert "not_ours" in shown
    # Each service has a shadow of its own.
    assert SUBJECT in system.sankofa("parked", "list", "--group", "placement").stdout
    assert people.http.get("/matching/health/backlog").json()["parked"] == 0
    people.close()
