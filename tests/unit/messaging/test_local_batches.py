"""The batches of a member of the local log: how much one holds, and what goes on between two of them."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.clock import RealRuntime
from shared.messaging.delivery import BATCH_RECORDS
from shared.messaging.local import LocalLog
from shared.messaging.local_file import READ_ROWS, SHORT_BYTES
from shared.messaging.partitions import READ_BYTES
from shared.messaging.port import Message, Record, Topic

TOPIC = Topic("t", 3)
LONG = 400_000


@pytest.fixture
def runtime() -> Iterator[RealRuntime]:
    made = RealRuntime()
    yield made
    made.close()


class Batches:
    """A handler that keeps what it was given, and never waits."""

    def __init__(self, records: int) -> None:
        self.all: list[list[Record]] = []
        self.reached = asyncio.Event()
        self._records = records

    async def __call__(self, batch: list[Record]) -> None:
        self.all.append(batch)
        if self.many >= self._records:
            self.reached.set()

    @property
    def many(self) -> int:
        return sum(map(len, self.all))


async def test_a_member_whose_handler_never_waits_hears_stop_and_writes_positions(runtime: RealRuntime) -> None:
    log = LocalLog(None, [TOPIC], runtime)
    await log.start()
    await log.append(TOPIC.name, 0, [Message("k", b"v")] * (10 * BATCH_RECORDS))
    batches = Batches(2 * BATCH_RECORDS)
    member = log.subscribe("g", [TOPIC.name], batches)
    await member.start()
    await batches.reached.wait()
    assert (await log.positions("g", [TOPIC.name]))[TOPIC.name, 0] > 0
    await member.stop()
    assert batches.many < 10 * BATCH_RECORDS
    assert (await log.positions("g", [TOPIC.name]))[TOPIC.name, 0] == batches.many
    await log.stop()
    log.close()


async def test_long_records_end_a_batch_by_their_bytes_over_all_partitions(runtime: RealRuntime) -> None:
    log = LocalLog(None, [TOPIC], runtime)
    await log.start()
    many = READ_BYTES // LONG * 3 // 4
    for partition in range(TOPIC.partitions):
        await log.append(TOPIC.name, partition, [Message("k", bytes([n]) * LONG) for n in range(many)])
    batches = Batches(many * TOPIC.partitions)
    member = log.subscribe("g", [TOPIC.name], batches)
    await member.start()
    await asyncio.wait_for(batches.reached.wait(), 30)
    await member.stop()
    for partition in range(TOPIC.partitions):
        offsets = [record.offset for batch in batches.all for record in batch if record.partition == partition]
        assert offsets == list(range(many))
    longest = max(sum(len(record.value or b"") for record in batch) for batch in batches.all)
    assert READ_BYTES < longest <= 2 * READ_BYTES
    assert len(batches.all) > 1
    await log.stop()
    log.close()


@pytest.mark.parametrize("kept", ["memory", "file"])
async def test_long_and_short_records_are_read_alike(kept: str, tmp_path: Path, runtime: RealRuntime) -> None:
    path = tmp_path / "log.sqlite" if kept == "file" else None
    log = LocalLog(path, [TOPIC], runtime)
    await log.start()
    dice = random.Random(1)
    lengths = [dice.choice([0, 1, SHORT_BYTES - 1, SHORT_BYTES, SHORT_BYTES + 1, LONG]) for _ in range(60)]
    values = [dice.randbytes(length) for length in lengths]
    for value in values:
        # What reading bounds for itself bounds no write.
        await log.append(TOPIC.name, 0, [Message("k", value)])
        assert (await log.read(TOPIC.name, 0, 0, 1))[0].value == values[0]
    read: list[Record] = []
    while found := await log.read(TOPIC.name, 0, len(read), 20):
        read += found
    assert [record.value for record in read] == values
    if path:
        other = sqlite3.connect(path)
        assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
        other.close()
    await log.stop()
    log.close()


async def test_a_reading_of_long_records_ends_by_its_bytes(runtime: RealRuntime) -> None:
    log = LocalLog(None, [TOPIC], runtime)
    await log.start()
    await log.append(TOPIC.name, 0, [Message("k", b"v" * LONG) for _ in range(4 * READ_BYTES // LONG)])
    assert READ_BYTES // LONG < len(await log.read(TOPIC.name, 0, 0, BATCH_RECORDS)) <= READ_BYTES // LONG + READ_ROWS
    await log.stop()
    log.close()
