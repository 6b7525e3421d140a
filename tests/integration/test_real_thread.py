"""The thread on real servers: services as processes, two replicas each, on Kafka and a MongoDB-protocol server.

The tests of this file follow one another on one system; each leaves it running and at rest.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from deploy.cli.client import Client
from shared.identity.keys import Keys
from shared.store.port import OUTBOX_INDEX
from tests.e2e.evidence import GROUPS, journal_violations, violations
from tests.integration.real_histories import (
    Prepared,
    journal_of,
    left_behind,
    run_through,
    small,
    token_of,
    wrong_figures,
)
from tests.integration.real_system import RealSystem
from tests.tools import skipped_without_tools

# Ten processes, a broker and a store on two cores: a form of its own, `make real`.
pytestmark = [pytest.mark.real, pytest.mark.long, pytest.mark.timeout(600)]

# CONSUMER_SETTINGS' session is 10 s; after it the broker gives a frozen replica's partitions to the other one.
FROZEN_AT_MOST_SECONDS = 40.0
FIRST = small("small-1", 6)
SECOND = small("small-2", 14)
EXPERTS = 14
# Ids that registrations beside the histories were answered with, in this file's order of tests.
BY_HAND: set[str] = set()


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealSystem]:
    with skipped_without_tools():
        made = RealSystem(tmp_path_factory.mktemp("real"), drivers=("motor", "pymongo"))
        made.start()
    yield made
    made.stop()


async def test_two_replicas_of_each_service_carry_a_history(system: RealSystem) -> None:
    await run_through(system, FIRST)
    assert await wrong_figures(system, FIRST.history) == []
    await _nothing_lost_or_doubled(system, EXPERTS)


async def test_replica_broker_and_store_are_killed_and_a_replica_freezes_on_the_way(system: RealSystem) -> None:
    done = Progress()
    running = asyncio.create_task(run_through(system, SECOND, done))
    try:
        happened = await _faults(system, done, running)
        answers = await running
    finally:
        running.cancel()
    assert happened == {"replica": 2, "broker": 1, "store": 1, "frozen": 1}
    assert await wrong_figures(system, SECOND.history) == []
    assert await wrong_figures(system, FIRST.history) == []
    assert set(answers) == {step.id for step in SECOND.steps}
    await _nothing_lost_or_doubled(system, 2 * EXPERTS)


class Progress:
    """How many steps were acknowledged; a fault waits for its place."""

    def __init__(self) -> None:
        self.steps = 0

    def __call__(self, by: int, note: str) -> None:
        self.steps += by

    async def reaches(self, steps: int) -> None:
        while self.steps < steps:
            await asyncio.sleep(0.02)


async def _faults(system: RealSystem, done: Progress, running: asyncio.Task[object]) -> Counter[str]:
    """Each fault at its place in the history; those that came after its end are not counted."""
    happened: Counter[str] = Counter()

    async def at(steps: int, what: str) -> None:
        await asyncio.wait([running, asyncio.ensure_future(done.reaches(steps))], return_when=asyncio.FIRST_COMPLETED)
        happened[what] += not running.done()

    await at(10, "replica")
    system.replicas["registration-1"].child.kill()
    back = asyncio.create_task(asyncio.to_thread(system.restart, "registration-1"))
    # Before the freeze: a broker that comes back gives every member a session anew.
    await at(25, "broker")
    system.kafka.kill()
    await asyncio.to_thread(system.kafka.start)
    await at(45, "frozen")
    frozen = system.replicas["matching-2"].child
    frozen.freeze()
    since = time.monotonic()
    try:
        await at(60, "store")
        system.store.kill()
        await asyncio.to_thread(system.store.start)
        await at(100, "replica")
        system.replicas["placement-1"].child.kill()
        await asyncio.gather(back, asyncio.to_thread(system.restart, "placement-1"))
        while await _members(system, "matching") > 1:
            assert time.monotonic() - since < FROZEN_AT_MOST_SECONDS, "the group kept its frozen member"
            await asyncio.sleep(0.2)
    finally:
        frozen.thaw()
    return happened


async def _members(system: RealSystem, group: str) -> int:
    """How many replicas the broker counts in the group."""
    admin = AIOKafkaAdminClient(bootstrap_servers=system.kafka.bootstrap_servers)
    await admin.start()
    try:
        (answer,) = await admin.describe_consumer_groups([group])
        return len(answer.groups[0][5])
    finally:
        await admin.close()


async def test_while_the_broker_is_dead_intake_and_reads_go_on(system: RealSystem) -> None:
    before = await _registrations(system)
    system.kafka.kill()
    try:
        async with httpx.AsyncClient(base_url=system.url, timeout=20) as http:
            answer = await http.post("/registration/v1/experts", **_registration(system, SECOND, "C0000001"))
            assert answer.status_code == 202, answer.text
            _note(answer)
            status = answer.json()["status_url"]
            headers = _registration(system, SECOND, "")["headers"]
            while (shown := await http.get(status, headers=headers)).json()["status"] == "pending":
                await asyncio.sleep(0.1)
            assert shown.json()["status"] == "accepted"
            assert (await http.get("/registration/v1/experts", headers=headers)).status_code == 200
            assert (await http.get("/matching/v1/assignments", headers=headers)).status_code == 200
        assert await _registrations(system) == before
    finally:
        await asyncio.to_thread(system.kafka.start)
    client = Client(system.url)
    await client.wait_quiet()
    await client.close()
    assert await _registrations(system) == before + 1
    await _nothing_lost_or_doubled(system, 2 * EXPERTS + 1)


async def test_while_the_store_is_dead_nothing_is_promised(system: RealSystem) -> None:
    sent = _registration(system, SECOND, "C0000002")
    url = f"{system.replicas['registration-1'].url}/registration/v1/experts"
    system.store.kill()
    try:
        async with httpx.AsyncClient(timeout=30) as http:
            answers = await asyncio.gather(*(http.post(url, **sent) for _ in range(3)), http.get(url, **_reading(sent)))
        assert [answer.status_code for answer in answers] == [503] * 4, [answer.text for answer in answers]
        assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
    finally:
        await asyncio.to_thread(system.store.start)
    client = Client(system.url)
    await client.wait_quiet()
    async with httpx.AsyncClient(timeout=30) as http:
        answer = await http.post(url, **sent)
    assert answer.status_code == 202
    _note(answer)
    await client.wait_quiet()
    await client.close()
    await _nothing_lost_or_doubled(system, 2 * EXPERTS + 2)


def _registration(system: RealSystem, prepared: Prepared, number: str) -> dict[str, object]:
    """A registration of the history under another document number, with its headers and a key of its own."""
    step = next(step for step in prepared.steps if step.id.endswith("/register") and "person" in step.body)
    person = step.body["person"]
    body = {**step.body, "person": {**person, "document": {**person["document"], "number": number}}}
    token = token_of(system.settings)(step)
    return {"json": body, "headers": {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid.uuid4())}}


def _note(answer: httpx.Response) -> None:
    BY_HAND.update(str(answer.json()[name]) for name in ("id", "subject"))


def _reading(sent: dict[str, object]) -> dict[str, object]:
    return {"headers": sent["headers"]}


async def _registrations(system: RealSystem) -> int:
    """What monitoring shows of the second history."""
    wrong = [line for line in await wrong_figures(system, SECOND.history) if line.startswith("registrations")]
    return int(wrong[0].split()[2].rstrip(",")) if wrong else EXPERTS


async def _nothing_lost_or_doubled(system: RealSystem, experts: int) -> None:
    """The invariants on topics and stores; every registration once; nothing unsent and nothing unread."""
    evidence = await left_behind(system)
    runs = [(prepared.steps, journal_of(system, prepared.history.code)) for prepared in (FIRST, SECOND)]
    found = [*violations(evidence), *journal_violations(evidence, Keys(system.keys), runs, BY_HAND)]
    assert [str(violation) for violation in found] == []
    submissions = evidence.documents["registration"]["submissions"]
    assert Counter(document["status"] for document in submissions) == {"accepted": experts}
    assert len(evidence.documents["registration"]["experts"]) == experts
    for group in GROUPS:
        waiting = [d["_id"] for c in evidence.documents[group].values() for d in c if OUTBOX_INDEX in d.get("ix", {})]
        assert waiting == []
