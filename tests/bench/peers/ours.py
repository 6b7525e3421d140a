"""Ours in a process of its own: `python -m tests.bench.peers.ours MODE SERVERS TOPIC GROUP EVENTS FOLDER`."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, TypeAdapter

from services.monitoring.bulk import fill
from services.monitoring.database import Connection, Database
from services.monitoring.domain.rows import EPOCH
from services.monitoring.passes import Pass, longest_first, read_pass
from services.monitoring.settings import cores
from services.monitoring.store import ReadModel
from shared.clock import RealRuntime, Runtime
from shared.messaging.kafka import KafkaLog
from shared.messaging.kafka_processes import KafkaProcesses
from shared.messaging.port import Log, Position, Record
from shared.messaging.topics import TOPICS
from tests.bench.peers.counting import Counting, Task, cell, cell_of

DAY_US = 86_400_000_000
CELL = ["programme", "office", "type", "day"]
CELLS = """
SELECT concat_ws(' ', programme, office, type, strftime(make_timestamp(happened_us), '%Y-%m')),
       count(*), count(DISTINCT person)
FROM events WHERE topic = ? GROUP BY ALL
"""
KEEP = """
CREATE TABLE kept_events AS SELECT cell, sum(events) AS events FROM events GROUP BY cell;
CREATE TABLE kept_persons AS SELECT DISTINCT cell, person FROM persons;
CREATE TABLE kept_positions AS SELECT * FROM positions
"""
KEPT = """
SELECT cell, events, count(person)
FROM kept_events LEFT JOIN kept_persons USING (cell) GROUP BY ALL
"""
Day = tuple[str | None, str | None, str, int]
Found = dict[str, tuple[int, int]]


class Parties(BaseModel):
    person: str


class Body(BaseModel):
    """What the projection reads of an event's body."""

    happened_at: str
    parties: Parties | None = None


async def member(log: KafkaLog, task: Task, counting: Counting, _runtime: RealRuntime) -> None:
    """A member of a group by the log port, as every service is one."""
    done, validate = asyncio.Event(), TypeAdapter(Body).validate_json

    async def handle(records: list[Record]) -> None:
        counting.begin()
        for record in records:
            body = validate(record.value or b"")
            counting.event(cell_of(dict(record.headers), body.happened_at), body.parties and body.parties.person)
        if counting.end(len(records)):
            done.set()

    subscription = log.subscribe(task.group, [task.topic], handle)
    await subscription.start()
    await done.wait()
    await subscription.stop()


async def whole(log: KafkaLog, task: Task, counting: Counting, runtime: RealRuntime) -> Found:
    """Monitoring's whole read model from every topic, then the projection as a query over it."""
    model = ReadModel(Path(task.folder) / "model.duckdb")
    async with KafkaProcesses(task.servers, cores(), client_id="bench") as readers:
        before = await processor(readers)
        counting.begin()
        events = await fill(log, model, runtime, readers)
        found = model.database.writer.execute(CELLS, [task.topic]).fetchall()
        counting.end(events)
        counting.processor += await processor(readers) - before
    model.close()
    return by_cell(found)


async def rebuild(log: KafkaLog, task: Task, counting: Counting, _runtime: RealRuntime) -> Found:
    """The projection as a rebuild makes it: passes over partitions, each event checked wholly as monitoring checks it,
    the counts, the persons and the positions in one transaction of a DuckDB file."""
    database = Database(Path(task.folder) / "projection.duckdb")
    async with KafkaProcesses(task.servers, cores(), client_id="bench") as readers:
        before = await processor(readers)
        counting.begin()
        ends = await log.ends([task.topic])
        passes = [Pass(position, end, 1, 0) for position, end in longest_first(ends)]
        counted = await asyncio.gather(*(readers.run(count, one) for one in passes))
        with database.transaction() as connection:
            keep(connection, counted, ends)
        found = connection.execute(KEPT).fetchall()
        counting.end(sum(ends.values()))
        counting.processor += await processor(readers) - before
    database.close()
    return by_cell(found)


def by_cell(found: list[tuple[str, int, int]]) -> Found:
    return {place: (events, persons) for place, events, persons in found}


async def count(log: Log, runtime: Runtime, task: Pass) -> tuple[pa.Table, pa.Table]:
    """One partition's events by cell, and its persons by cell."""
    passed = await read_pass(log, runtime, task)
    events, known = by_day(passed.tables["events"])
    return (
        pa.table({"cell": cells_of(events), "events": events["count_all"]}),
        pa.table({"cell": cells_of(known), "person": known["person"]}),
    )


def by_day(events: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Events and persons by programme, office, type and day, from which the months follow at the end."""
    days = events.append_column("day", pc.divide(events["happened_us"], DAY_US))
    named = days.filter(pc.is_valid(days["person"]))
    return days.group_by(CELL).aggregate([([], "count_all")]), named.group_by([*CELL, "person"]).aggregate([])


def cells_of(days: pa.Table) -> list[str]:
    """The cell that each row's day belongs to."""
    rows = zip(*(days[name].to_pylist() for name in CELL), strict=True)
    return [cell_on(day) for day in rows]


@lru_cache
def cell_on(day: Day) -> str:
    programme, office, kind, number = day
    return cell(programme or "", office or "", kind, (EPOCH + timedelta(days=number)).isoformat())


def keep(connection: Connection, counted: Sequence[tuple[pa.Table, pa.Table]], ends: Mapping[Position, int]) -> None:
    """The projection with the positions up to which it counts."""
    connection.register("events", pa.concat_tables([events for events, _ in counted]))
    connection.register("persons", pa.concat_tables([persons for _, persons in counted]))
    places = [f"{topic}/{partition}" for topic, partition in ends]
    connection.register("positions", pa.table({"place": places, "end": list(ends.values())}))
    connection.execute(KEEP)


async def processor(readers: KafkaProcesses) -> float:
    """Seconds of processor time of all reading processes, each of which is connected then."""
    used: dict[int, float] = {}
    while len(used) < readers.many:
        used |= dict(await asyncio.gather(*(readers.run(processor_here, None) for _ in range(readers.many))))
    return sum(used.values())


async def processor_here(_log: Log, runtime: Runtime, _: None) -> tuple[int, float]:
    # So long that every process gets one of these.
    await runtime.sleep(0.2)
    return os.getpid(), time.process_time()


async def main(mode: str) -> None:
    task = Task.from_arguments()
    counting, runtime = Counting(task.events), RealRuntime()
    log = KafkaLog(task.servers, list(TOPICS.values()), runtime, client_id="bench")
    await log.start()
    counting.say(await {"member": member, "rebuild": rebuild, "whole": whole}[mode](log, task, counting, runtime))
    await log.stop()
    runtime.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv.pop(1)))
