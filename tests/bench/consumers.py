"""Consumer throughput of each log adapter, beside the barest loop over the same records."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.record.memory_records import MemoryRecords

from deploy.local.kafka import KafkaServer
from deploy.local.processes import MissingTool
from shared.clock import RealRuntime, derived_id
from shared.contracts.base import Envelope
from shared.messaging.delivery import BATCH_RECORDS
from shared.messaging.kafka import KafkaLog
from shared.messaging.kafka_decoding import read_as_the_port
from shared.messaging.kafka_group import CONSUMER_SETTINGS
from shared.messaging.local import LocalLog
from shared.messaging.port import Log, Message, Record, Topic
from tests.bench.rows import NotMeasured, Result, Row, side_by_side

TOPIC = Topic("bench.records", 6)
RECORDS = 60_000
QUICK_RECORDS = 12_000
APPENDED_AT_ONCE = 200
VALUE_BYTES = 1_000
GROUPS = iter(range(1000))

READ = (
    "SELECT number, key, value, headers, appended_ms FROM records WHERE place=? AND number>=? ORDER BY number LIMIT ?"
)
MOVE = (
    "INSERT INTO positions (consumers, place, number) VALUES (?, ?, ?) "
    "ON CONFLICT (consumers, place) DO UPDATE SET number=excluded.number"
)
OURS = (
    f"ours: a member of a new group by `subscribe`; its handler adds up the bytes of {RECORDS:,} records of 1 KB with "
    "our headers in 6 partitions"
)
HOW_LOCAL = (
    f"{OURS}. The bare loop selects the same rows {BATCH_RECORDS} at a time from the same file by Python's sqlite3, "
    "adds up the bytes, leaves headers undecoded and {positions}."
)
HOW_KAFKA = (
    f"{OURS}, on one node of Apache Kafka. The bare loop is aiokafka's own consumer with the same fetch settings: "
    f"`getmany` of {BATCH_RECORDS} records, the bytes added up, `commit` after each. Both are timed from the first "
    "batch on, so joining the group does not count."
)


class Counting:
    """A handler that counts bytes, and the seconds from a start to the last record."""

    def __init__(self, records: int) -> None:
        self.left = records
        self.bytes = 0
        self.done = asyncio.Event()
        self.started: float | None = None
        self.timed = 0
        self.seconds = 0.0

    async def __call__(self, batch: list[Record]) -> None:
        for record in batch:
            self.bytes += len(record.value or b"")
        self.count(len(batch))

    def count(self, records: int) -> None:
        self.left -= records
        if self.started is None:
            # The first batch stops the wait for the group; what follows is throughput.
            self.started = perf_counter()
        else:
            self.timed += records
        if self.left <= 0:
            self.seconds = perf_counter() - self.started
            self.done.set()

    @property
    def rate(self) -> float:
        return self.timed / self.seconds


def messages(many: int, rng: random.Random) -> list[Message]:
    """Events of about 1 KB, as an outbox has them."""
    made = []
    for number in range(many):
        subject = derived_id("subject", str(number % 1000))
        envelope = Envelope(
            id=derived_id("event", str(number)),
            type="org.sankofa.registration.ExpertRegistered",
            version=1,
            source="/registration",
            subject=subject,
            time="2026-01-01T00:00:00.000000Z",
            epoch=1,
            sequence=number // 1000 + 1,
        )
        headers = tuple((name, text.encode()) for name, text in envelope.headers().items())
        filling = f"{rng.getrandbits(4 * VALUE_BYTES):x}"[: VALUE_BYTES - 40]
        made.append(Message(subject, json.dumps({"number": number, "filling": filling}).encode(), headers))
    return made


async def fill(log: Log, many: int) -> None:
    """The records, evenly over the partitions."""
    sent = messages(APPENDED_AT_ONCE, random.Random(1))
    for start in range(0, many, APPENDED_AT_ONCE):
        await log.append(TOPIC.name, start // APPENDED_AT_ONCE % TOPIC.partitions, sent)


async def subscribed(log: Log, many: int) -> float:
    """Records a second through the port."""
    counting = Counting(many)
    subscription = log.subscribe(f"bench-{next(GROUPS)}", [TOPIC.name], counting)
    await subscription.start()
    await counting.done.wait()
    await subscription.stop()
    return counting.rate


def selected(path: Path, many: int, *, keeping: bool) -> float:
    """Records a second by plain statements on the same file; `keeping`: the position is committed after each batch."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous=FULL")
    counting = Counting(many)
    group = f"bare-{next(GROUPS)}"
    for (place,) in connection.execute("SELECT id FROM partitions WHERE topic=?", (TOPIC.name,)).fetchall():
        offset = 0
        while rows := connection.execute(READ, (place, offset, BATCH_RECORDS)).fetchall():
            for row in rows:
                counting.bytes += len(row[2])
            offset = rows[-1][0] + 1
            counting.count(len(rows))
            if keeping:
                connection.execute(MOVE, (group, place, offset))
    connection.close()
    return counting.rate


@asynccontextmanager
async def plain_consumer(servers: str, topics: Sequence[str], group: str) -> AsyncIterator[AIOKafkaConsumer]:
    """aiokafka's own consumer, with its own record class and our fetch settings."""
    fetcher.MemoryRecords, fetcher.PartitionRecords = MemoryRecords, PartitionRecords
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=servers,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_bytes=CONSUMER_SETTINGS["fetch_max_bytes"],
        max_partition_fetch_bytes=CONSUMER_SETTINGS["max_partition_fetch_bytes"],
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()
        read_as_the_port()


async def batches(consumer: AIOKafkaConsumer) -> AsyncIterator[dict[TopicPartition, list[ConsumerRecord]]]:
    """What `getmany` gives, without end; the positions are the caller's to commit."""
    while True:
        found = await consumer.getmany(timeout_ms=CONSUMER_SETTINGS["batch_timeout_ms"], max_records=BATCH_RECORDS)
        if found:
            yield found


async def polled(servers: str, many: int) -> float:
    """Records a second by aiokafka alone."""
    counting = Counting(many)
    async with plain_consumer(servers, [TOPIC.name], f"bare-{next(GROUPS)}") as consumer:
        async for found in batches(consumer):
            for records in found.values():
                for record in records:
                    counting.bytes += len(record.value)
            counting.count(sum(map(len, found.values())))
            await consumer.commit()
            if counting.done.is_set():
                break
    return counting.rate


async def local_rows(quick: bool, many: int) -> list[Result]:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "log.sqlite"
        runtime = RealRuntime()
        log = LocalLog(path, [TOPIC], runtime)
        await log.start()
        await fill(log, many)

        async def ours() -> float:
            return await subscribed(log, many)

        def bare(keeping: bool) -> Callable[[], object]:
            async def measure() -> float:
                return await asyncio.to_thread(selected, path, many, keeping=keeping)

            return measure

        await ours()
        same = await side_by_side(ours, bare(True), quick)  # type: ignore[arg-type]
        reading = await side_by_side(ours, bare(False), quick)  # type: ignore[arg-type]
        await log.stop()
        runtime.close()
    name, unit = "Consuming from the local log on file", "records/s"
    keeps = (
        "commits its position before it reads on, where ours commits while it reads on: a slow disk holds up it alone"
    )
    return [
        Row(
            name,
            unit,
            reading.ours,
            HOW_LOCAL.format(positions="keeps no position"),
            reading.bare,
            reading.ratios,
            0.8,
            short=SHORT_LOCAL,
        ),
        Row(
            f"{name}, beside a loop that commits positions",
            unit,
            same.ours,
            HOW_LOCAL.format(positions=keeps),
            same.bare,
            same.ratios,
        ),
    ]


async def kafka_rows(quick: bool, many: int) -> list[Result]:
    name = "Consuming from Kafka"
    with tempfile.TemporaryDirectory() as scratch:
        server = KafkaServer(Path(scratch) / "kafka")
        try:
            await asyncio.to_thread(server.start)
        except MissingTool as error:
            return [NotMeasured(name, str(error))]
        runtime = RealRuntime()
        log = KafkaLog(server.bootstrap_servers, [TOPIC], runtime, client_id="bench")
        try:
            await log.start()
            await fill(log, many)

            async def ours() -> float:
                return await subscribed(log, many)

            async def bare() -> float:
                return await polled(server.bootstrap_servers, many)

            await ours()
            await bare()
            pair = await side_by_side(ours, bare, quick)
        finally:
            await log.stop()
            runtime.close()
            await asyncio.to_thread(server.stop)
    return [Row(name, "records/s", pair.ours, HOW_KAFKA, pair.bare, pair.ratios, 0.8, short=SHORT_KAFKA)]


SHORT_LOCAL = (
    "1.15 to 1.25 times the CPU of the reading loop (the least of a series: 1.9 to 2.1 us a record against 1.6 to 1.7,"
    " seven series on a busy machine). What is over is mostly a record made of each row (0.2 us), then the handler's"
    " look at it by name, and, once a batch, a turn of the event loop and the hand-over of the positions. Headers are"
    " left packed until somebody looks; SQLite itself refuses records that are too long to be read 500 at once. Tried"
    " without gain: reading the next batch in a thread (Python's sqlite3 lets go of the interpreter's lock for every"
    " row), records made by their type's own constructor. Memory-mapped reading would save 4 %, and a failing disk"
    " would end the process instead of raising."
)
SHORT_KAFKA = (
    "15 to 18 us of CPU a record against 12 to 16: nearly all of it is the client's, which is the bare loop's too. "
    "Ours adds a tuple a record and FastStream's turn a batch; the client's headers are looked at only when asked for."
)


async def rows(quick: bool) -> list[Result]:
    many = QUICK_RECORDS if quick else RECORDS
    return [*await local_rows(quick, many), *await kafka_rows(quick, many)]
