"""Ours in a process of its own: `python -m tests.bench.peers.ours MODE SERVERS TOPIC GROUP EVENTS FOLDER`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from pydantic import BaseModel, TypeAdapter

from services.monitoring.rebuild import READ_RECORDS, fill
from services.monitoring.store import ReadModel
from shared.clock import RealRuntime
from shared.messaging.kafka import KafkaLog
from shared.messaging.port import Record
from shared.messaging.topics import TOPICS
from tests.bench.peers.counting import Counting, Task

CELLS = """
SELECT office || ' ' || strftime(make_timestamp(happened_us), '%Y-%m') || ' ' || type, count(*)
FROM events WHERE topic = ? GROUP BY ALL
"""


class Body(BaseModel):
    """What the projection reads of an event's body."""

    happened_at: str


async def member(log: KafkaLog, task: Task, counting: Counting, _runtime: RealRuntime) -> None:
    """A member of a group by the log port, as every service is one."""
    done, validate = asyncio.Event(), TypeAdapter(Body).validate_json

    async def handle(records: list[Record]) -> None:
        counting.begin()
        for record in records:
            headers = dict(record.headers)
            happened = validate(record.value or b"").happened_at
            counting.event(headers["ce_type"].decode(), headers["ce_office"].decode(), happened)
        if counting.end(len(records)):
            done.set()

    subscription = log.subscribe(task.group, [task.topic], handle)
    await subscription.start()
    await done.wait()
    await subscription.stop()


async def rebuild(log: KafkaLog, task: Task, counting: Counting, runtime: RealRuntime) -> None:
    """Monitoring's whole read model from every topic, then the projection as a query over it."""
    model = ReadModel(Path(task.folder) / "model.duckdb")
    counting.begin()
    events = await fill(log, model, runtime)
    counting.cells.update(dict(model.database.writer.execute(CELLS, [task.topic]).fetchall()))
    counting.end(events)
    model.close()


async def reader(log: KafkaLog, task: Task, counting: Counting, _runtime: RealRuntime) -> None:
    """By the log port without a group, as a rebuild reads; the counts in memory and nothing else."""
    validate = TypeAdapter(Body).validate_json
    counting.begin()
    for (topic, partition), end in (await log.ends([task.topic])).items():
        offset = 0
        while offset < end and (records := await log.read(topic, partition, offset, READ_RECORDS)):
            for record in records:
                headers = dict(record.headers)
                happened = validate(record.value or b"").happened_at
                counting.event(headers["ce_type"].decode(), headers["ce_office"].decode(), happened)
            counting.end(len(records))
            offset = records[-1].offset + 1


async def main(mode: str) -> None:
    task = Task.from_arguments()
    counting, runtime = Counting(task.events), RealRuntime()
    log = KafkaLog(task.servers, list(TOPICS.values()), runtime, client_id="bench")
    await log.start()
    await {"member": member, "reader": reader, "rebuild": rebuild}[mode](log, task, counting, runtime)
    counting.say()
    await log.stop()
    runtime.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv.pop(1)))
