"""Work on Kafka's log in processes of their own, and monitoring's rebuild by them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local.kafka import KafkaServer
from deploy.local.processes import free_port
from services.monitoring import app, bulk
from services.monitoring.app import MonitoringService
from services.monitoring.settings import Settings
from services.monitoring.store import COLLECTIONS, SHADOWS
from shared.clock import RealRuntime, Runtime
from shared.contracts.registration.persons import PersonRecorded
from shared.errors import Unavailable
from shared.identity.keys import Keys
from shared.messaging.kafka import KafkaLog
from shared.messaging.kafka_processes import KafkaProcesses
from shared.messaging.port import Log, Message
from shared.messaging.topics import TOPICS
from shared.replica import Ports, stored
from shared.store.local import LocalStore
from tests.unit.monitoring.story import OFFICE, START, Story, entry, id_of
from tests.unit.monitoring.story import stored as facts_of
from tests.unit.monitoring.test_sets import random_story

pytest_plugins = ["tests.contract.log_adapters"]
pytestmark = pytest.mark.real

ENDS_WITHIN_SECONDS = 10.0
PARENT = """
import asyncio, sys
from shared.messaging.kafka_processes import KafkaProcesses
from tests.integration.test_kafka_processes import process_and_wait

async def main():
    async with KafkaProcesses(sys.argv[1], 1, client_id="test") as processes:
        await processes.run(process_and_wait, sys.argv[2])

if __name__ == "__main__":
    asyncio.run(main())
"""


async def process_of(log: Log, runtime: Runtime, topic: str) -> tuple[int, int]:
    """Which process this is, and how many partitions it sees of the topic."""
    await runtime.sleep(0.2)
    return os.getpid(), len(await log.ends([topic]))


async def fail(_log: Log, _runtime: Runtime, text: str) -> None:
    raise ValueError(text)


async def die(_log: Log, _runtime: Runtime, _: None) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def process_and_wait(_log: Log, runtime: Runtime, file: str) -> None:
    """Leaves its process's number in the file, and goes on for ever."""
    Path(file).write_text(str(os.getpid()))
    await runtime.sleep(1_000)


def alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def process_in(file: Path) -> int:
    deadline = time.monotonic() + 60
    while not file.exists() or not file.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return int(file.read_text())


def ended(process: int) -> bool:
    deadline = time.monotonic() + ENDS_WITHIN_SECONDS
    while alive(process) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not alive(process)


@pytest.fixture
async def processes(kafka_server: KafkaServer) -> AsyncIterator[KafkaProcesses]:
    async with KafkaProcesses(kafka_server.bootstrap_servers, 2, client_id="test") as found:
        yield found


async def test_work_is_done_side_by_side_in_other_processes(processes: KafkaProcesses) -> None:
    seen: set[int] = set()
    async with asyncio.timeout(60):
        while len(seen) < 2:
            answers = [processes.run(process_of, "registration.persons") for _ in range(2)]
            for process, partitions in await asyncio.gather(*answers):
                assert partitions == TOPICS["registration.persons"].partitions
                seen.add(process)
    assert os.getpid() not in seen


async def test_what_the_work_raises_is_raised_and_the_process_works_on(processes: KafkaProcesses) -> None:
    with pytest.raises(ValueError, match="a reason"):
        await processes.run(fail, "a reason")
    assert (await processes.run(process_of, "registration.persons"))[1] == TOPICS["registration.persons"].partitions


async def test_a_process_that_dies_is_said(processes: KafkaProcesses) -> None:
    with pytest.raises(Unavailable):
        await processes.run(die, None)


async def test_a_dead_kafka_is_said() -> None:
    async with KafkaProcesses(f"127.0.0.1:{free_port()}", 1, client_id="test") as processes:
        with pytest.raises(Unavailable):
            await processes.run(process_of, "registration.persons")


async def test_leaving_ends_work_that_nobody_waits_for(kafka_server: KafkaServer, tmp_path: Path) -> None:
    file = tmp_path / "process"
    async with KafkaProcesses(kafka_server.bootstrap_servers, 1, client_id="test") as processes:
        running = asyncio.ensure_future(processes.run(process_and_wait, str(file)))
        process = await asyncio.to_thread(process_in, file)
        left = time.monotonic()
    assert time.monotonic() - left < ENDS_WITHIN_SECONDS
    with pytest.raises((Unavailable, asyncio.CancelledError)):
        await running
    assert ended(process)


def test_the_processes_end_with_the_one_that_started_them(kafka_server: KafkaServer, tmp_path: Path) -> None:
    program, file = tmp_path / "parent.py", tmp_path / "process"
    program.write_text(PARENT)
    around = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    parent = subprocess.Popen([sys.executable, program, kafka_server.bootstrap_servers, file], env=around)
    try:
        process = process_in(file)
        assert alive(process)
    finally:
        parent.kill()
        parent.wait()
    assert ended(process)


async def appended(log: Log, story: Story) -> None:
    for record in story.records:
        message = Message((record.key or b"").decode(), record.value or b"", record.headers)
        await log.append(record.topic, record.partition, [message])
    story.records.clear()


async def test_a_rebuild_by_several_processes_equals_the_live_model(
    kafka_server: KafkaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "cores", lambda: 2)
    monkeypatch.setattr(app, "PROCESSES_PAY_FROM", 0)
    # So little that every partition takes several passes.
    monkeypatch.setattr(bulk, "HELD_RECORDS", 10)
    run, passes, dying = KafkaProcesses.run, list[Any](), False

    async def noted(processes: KafkaProcesses, work: Any, argument: Any) -> Any:
        passes.append(argument)
        return await run(processes, die if dying and len(passes) == 5 else work, argument)

    monkeypatch.setattr(KafkaProcesses, "run", noted)
    runtime = RealRuntime()
    log = KafkaLog(kafka_server.bootstrap_servers, list(TOPICS.values()), runtime, client_id="test")
    store, keys = LocalStore(None, stored(COLLECTIONS, SHADOWS), runtime), Keys(tmp_path / "keys")
    settings = Settings(data=tmp_path, kafka=kafka_server.bootstrap_servers)
    service = MonitoringService(Ports(store, log, runtime, keys), settings)
    await log.start()
    try:
        story = random_story(7)
        story.host()
        # A name and a correction of it, and the same records once more.
        story.profile("a", [entry("a", "first", sex="male"), entry("a", "second", hours=1, sex="female")])
        for record in story.records[3:9]:
            story.again(record)
        await appended(log, story)
        await log.append("matching.matches", 0, [Message("nobody", b"not an event", (("ce_type", b"\\xff"),))])
        await service.follower.catch_up()
        before, counts = facts_of(service.follower.model), service.follower.model.counts()
        live, dying = service.follower.model, True
        with pytest.raises(Unavailable):
            await service.rebuild()
        assert (service.follower.model, live.counts()) == (live, counts)
        dying = False
        report = await service.rebuild()
        assert (report.different, report.events) == ([], sum((await log.ends(sorted(TOPICS))).values()))
        assert {done.position[0] for done in passes} > {"registration.persons", "matching.matches"}
        assert max(done.shares for done in passes) > 1
        assert facts_of(service.follower.model) == before
        assert service.follower.model.counts() == counts
        assert counts["facts"] > 0
        assert counts["unreadable"] >= 1
        await appended(log, _one_more(story))
        await service.follower.catch_up()
        assert service.follower.model.counts()["events"] == counts["events"] + 1
        assert [path.name for path in (tmp_path / "monitoring").iterdir() if path.is_dir()] == []
    finally:
        service.follower.model.close()
        await log.stop()
        await keys.close()
        runtime.close()


def _one_more(story: Story) -> Story:
    story.tell(id_of("person", "one more"), PersonRecorded(happened_at=START, office=OFFICE))
    return story
