"""What the local log promises of its file: one process, nothing acknowledged lost, nothing superseded left behind."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.clock import RealRuntime
from shared.errors import SettingsError
from shared.messaging.local import LocalLog
from shared.messaging.port import Message, Record, Topic
from tests.contract.log_cases import Inbox, all_of, put, until
from tests.contract.log_process import TOPIC

pytest_plugins = ["tests.contract.log_adapters"]

ROOT = Path(__file__).resolve().parents[2]


def spawned(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.contract.log_process", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def lines(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().strip() for _ in range(count)]


def killed(process: subprocess.Popen[str]) -> list[str]:
    """SIGKILL; what it had still printed, without a last line that was cut."""
    process.send_signal(signal.SIGKILL)
    assert process.stdout is not None
    rest = process.stdout.read()
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    return rest.rpartition("\n")[0].splitlines()


async def test_what_was_acknowledged_is_there_after_kill_9(tmp_path: Path, log_runtime: RealRuntime) -> None:
    path = tmp_path / "log.sqlite"
    acknowledged: list[str] = []
    for _ in range(3):
        process = spawned("append", str(path))
        acknowledged += lines(process, 300)
        acknowledged += killed(process)
    assert len(acknowledged) >= 900
    log = LocalLog(path, [TOPIC], log_runtime)
    await log.start()
    records = await all_of(log, TOPIC)
    await log.stop()
    found = [record.key.decode() for record in records if record.key]
    assert set(acknowledged) <= set(found)
    for partition in range(TOPIC.partitions):
        offsets = [record.offset for record in records if record.partition == partition]
        assert offsets == list(range(len(offsets)))
    # Each run counts from 0, so three times at most; and of a killed run at most what was in flight is unacknowledged.
    assert len(found) - len(acknowledged) <= 3 * 9


async def test_records_in_a_handler_at_kill_9_are_delivered_again(tmp_path: Path, log_runtime: RealRuntime) -> None:
    path = tmp_path / "log.sqlite"
    log = LocalLog(path, [TOPIC], log_runtime)
    await log.start()
    for n in range(10):
        await put(log, TOPIC, f"k{n}", b"x")
    await log.stop()
    process = spawned("handle", str(path))
    handled = lines(process, 10)
    killed(process)
    log = LocalLog(path, [TOPIC], log_runtime)
    await log.start()
    inbox = Inbox()
    member = log.subscribe("g", [TOPIC.name], inbox)
    await member.start()
    await until(lambda: len(inbox.records) == 10)
    await log.stop()
    assert sorted(handled) == sorted(record.key.decode() for record in inbox.records if record.key)


async def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path, log_runtime: RealRuntime) -> None:
    path = tmp_path / "log.sqlite"
    process = spawned("append", str(path), str(400_000))
    output, _ = process.communicate(timeout=60)
    said = output.splitlines()
    assert said[-1] == "ended"
    assert "! Unavailable" in said or "! UnknownOutcome" in said
    acknowledged = {line for line in said[:-1] if not line.startswith("!")}
    assert acknowledged
    log = LocalLog(path, [TOPIC], log_runtime)
    await log.start()
    found = {record.key.decode() for record in await all_of(log, TOPIC) if record.key}
    await put(log, TOPIC, "after", b"x")
    await log.stop()
    assert acknowledged <= found


async def test_a_second_process_on_the_same_file_is_refused(tmp_path: Path, log_runtime: RealRuntime) -> None:
    path = tmp_path / "log.sqlite"
    process = spawned("append", str(path))
    lines(process, 1)
    second = LocalLog(path, [TOPIC], log_runtime)
    with pytest.raises(SettingsError, match="in use by another process"):
        await second.start()
    killed(process)
    await second.start()
    with pytest.raises(SettingsError, match="in use"):
        await LocalLog(path, [TOPIC], log_runtime).start()
    await second.stop()


async def test_what_cannot_be_used_is_one_clear_line(tmp_path: Path, log_runtime: RealRuntime) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "text.sqlite").write_text("not a database, but long enough to have a header of one" * 30)
    for path in (tmp_path / "file" / "log.sqlite", tmp_path / "text.sqlite"):
        with pytest.raises(SettingsError, match="log file") as refused:
            await LocalLog(path, [TOPIC], log_runtime).start()
        assert "\n" not in str(refused.value)


async def test_a_topic_that_was_declared_otherwise_is_refused(tmp_path: Path, log_runtime: RealRuntime) -> None:
    path = tmp_path / "log.sqlite"
    log = LocalLog(path, [TOPIC], log_runtime)
    await log.start()
    await log.stop()
    with pytest.raises(SettingsError, match=r"topic test\.records: partitions is 3, declared 4"):
        await LocalLog(path, [Topic(TOPIC.name, 4)], log_runtime).start()
    with pytest.raises(SettingsError, match=r"topic test\.records: compacted is False"):
        await LocalLog(path, [Topic(TOPIC.name, 3, compacted=True)], log_runtime).start()
    more = Topic("test.more", 2)
    grown = LocalLog(path, [more, TOPIC], log_runtime)
    await grown.start()
    await put(grown, more, "k", b"1")
    assert len(await all_of(grown, more)) == 1
    assert await all_of(grown, TOPIC) == []
    await grown.stop()


async def test_compaction_leaves_no_byte_of_what_it_removed(tmp_path: Path, log_runtime: RealRuntime) -> None:
    path = tmp_path / "log.sqlite"
    topic = Topic("test.profiles", 1, compacted=True)
    log = LocalLog(path, [topic], log_runtime)
    await log.start()
    await put(log, topic, "person", b"canary-before-erasure" * 50)
    await put(log, topic, "person", b"what is left")
    await log.compact(topic.name)
    await log.stop()
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"canary" not in content
    assert b"what is left" in content


class Backwards(RealRuntime):
    """A clock that goes back a second at every look."""

    def __init__(self) -> None:
        super().__init__()
        self._at = datetime(2020, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        self._at -= timedelta(seconds=1)
        return self._at


@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_append_times_never_fall_while_the_clock_does(tmp_path: Path, kind: str) -> None:
    runtime = Backwards()
    log = LocalLog(tmp_path / "log.sqlite" if kind == "file" else None, [TOPIC], runtime)
    await log.start()
    for n in range(5):
        await log.append(TOPIC.name, 0, [Message("k", f"{n}".encode())])
        await log.append(TOPIC.name, 1, [Message("k", f"{n}".encode())])
    for partition in (0, 1):
        times = [record.appended_ms for record in await log.read(TOPIC.name, partition, 0)]
        assert len(set(times)) == 1
    await log.stop()
    runtime.close()


@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_an_aborted_member_hands_its_batch_to_the_next(
    tmp_path: Path, kind: str, log_runtime: RealRuntime
) -> None:
    log = LocalLog(tmp_path / "log.sqlite" if kind == "file" else None, [TOPIC], log_runtime)
    await log.start()
    entered = asyncio.Event()

    async def hanging(batch: list[Record]) -> None:
        entered.set()
        await asyncio.Event().wait()

    dead, inbox = log.subscribe("g", [TOPIC.name], hanging), Inbox()
    await dead.start()
    await put(log, TOPIC, "k", b"1", b"2")
    await asyncio.wait_for(entered.wait(), 5)
    heir = log.subscribe("g", [TOPIC.name], inbox)
    await heir.start()
    await asyncio.sleep(0.05)
    assert not inbox.records, "a partition in a member's hands was read by another"
    await dead.abort()  # type: ignore[attr-defined]
    await until(lambda: len(inbox.records) == 2)
    await log.stop()


async def test_in_memory_nothing_runs_beside_the_event_loop(log_runtime: RealRuntime) -> None:
    import threading

    before = threading.active_count()
    log = LocalLog(None, [TOPIC], log_runtime)
    await log.start()
    inbox = Inbox()
    member = log.subscribe("g", [TOPIC.name], inbox)
    await member.start()
    await put(log, TOPIC, "k", b"1")
    # Not one poll: the append alone makes the member ready to run.
    for _ in range(3):
        await asyncio.sleep(0)
    assert inbox.values == [b"1"]
    assert threading.active_count() == before
    assert set((await log.positions("g", [TOPIC.name])).values()) == {0, 1}
    await log.stop()


class Stepping(RealRuntime):
    """A clock that a test sets."""

    def __init__(self) -> None:
        super().__init__()
        self.at = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_no_partition_is_stamped_before_what_another_one_was(tmp_path: Path, kind: str) -> None:
    runtime = Stepping()
    log = LocalLog(tmp_path / "log.sqlite" if kind == "file" else None, [TOPIC], runtime)
    await log.start()
    await log.append(TOPIC.name, 0, [Message("k", b"1")])
    [first] = await log.read(TOPIC.name, 0, 0)
    runtime.at -= timedelta(hours=1)
    await log.stop()
    await log.start()
    await log.append(TOPIC.name, 1, [Message("k", b"2")])
    [second] = await log.read(TOPIC.name, 1, 0)
    assert second.appended_ms == first.appended_ms
    await log.stop()
    runtime.close()


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_nothing_is_stamped_before_the_instant_at_which_the_ends_were_shown(
    tmp_path: Path, kind: str, restarted: bool
) -> None:
    runtime = Stepping()
    log = LocalLog(tmp_path / "log.sqlite" if kind == "file" else None, [TOPIC], runtime)
    await log.start()
    for _ in range(20):
        runtime.at += timedelta(seconds=1)
        await log.final_ends([TOPIC.name])
    shown_ms = round(runtime.at.timestamp() * 1000)
    runtime.at -= timedelta(hours=1)
    await log.final_ends([TOPIC.name])
    if restarted:
        await log.stop()
        await log.start()
    await log.append(TOPIC.name, 0, [Message("k", b"1")])
    [record] = await log.read(TOPIC.name, 0, 0)
    # What the file holds of the instants shown may lag by less than the 5 s that a watermark keeps off the clock.
    assert shown_ms - (5_000 if restarted else 0) < record.appended_ms + 1 <= shown_ms + 1
    await log.stop()
    runtime.close()
