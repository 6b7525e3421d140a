"""One pass over a partition: its records read, checked and turned into the rows of the read model's tables.

A pass needs nothing of another one, so passes run side by side and in any process.
"""

from __future__ import annotations

import gc
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from functools import partial
from itertools import accumulate
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import pyarrow as pa

from services.monitoring.domain.rows import EventRow
from services.monitoring.records import Batch, Mark, take
from services.monitoring.schema import arrow
from shared.clock import Runtime, stop_tasks
from shared.messaging.port import Log, Position, Record

READ_RECORDS = 10_000


class Pass(NamedTuple):
    """What to read: the partition up to `end`, of its subjects one share in `shares`.

    `folder`: where to leave what was found for another process; None where this one reads it.
    """

    position: Position
    end: int
    shares: int
    share: int
    folder: Path | None = None


class Passed(NamedTuple):
    """What a pass found: its Arrow tables by name, or the files that hold them, and where it stopped."""

    position: Position
    mark: Mark
    records: int
    tables: Mapping[str, Any]


def longest_first(ends: Mapping[Position, int]) -> list[tuple[Position, int]]:
    """The partitions with their ends, in the order in which readers side by side end together."""
    return sorted(ends.items(), key=itemgetter(1), reverse=True)


async def read_pass(log: Log, runtime: Runtime, task: Pass) -> Passed:
    """Reads the pass into the tables of its rows. Raises Unavailable."""
    batch, mark = Batch(), Mark()
    async with aclosing(records_of(log, runtime, task)) as read:
        async for records, high_ms in read:
            await runtime.in_pool(partial(_take, batch, records, mark))
            # The records of other shares move the mark too.
            mark.high_ms = high_ms
    mark.next_offset = task.end
    tables = await runtime.in_pool(partial(_tables, batch))
    if task.folder is not None:
        tables = {name: _left(table, task, name) for name, table in tables.items()}
    return Passed(task.position, mark, batch.records, tables)


async def records_of(log: Log, runtime: Runtime, task: Pass) -> AsyncGenerator[tuple[list[Record], int]]:
    """The pass's records, some at a time, with the running maximum of the partition's append times after them.

    The times may fall, where a broker takes over whose clock is behind: what is known is known since the maximum.
    Raises Unavailable.
    """
    high_ms = 0
    async with aclosing(_ahead(log, runtime, task.position, task.end)) as read:
        async for records in read:
            below = records if records[-1].offset < task.end else [r for r in records if r.offset < task.end]
            below = raised(below, high_ms)
            high_ms = below[-1].appended_ms if below else high_ms
            yield shared_out(below, task.shares, task.share), high_ms


async def _ahead(log: Log, runtime: Runtime, position: Position, end: int) -> AsyncGenerator[list[Record]]:
    """The partition's records up to its end; the next ones are read while the caller works on the last."""
    offset, reading = 0, runtime.spawn(log.read(*position, 0, READ_RECORDS), "rebuild-ahead")
    try:
        while offset < end and (records := await reading):
            offset = records[-1].offset + 1
            if offset < end:
                reading = runtime.spawn(log.read(*position, offset, READ_RECORDS), "rebuild-ahead")
            yield records
    finally:
        await stop_tasks([reading])


def raised(records: list[Record], high_ms: int) -> list[Record]:
    """The records with the running maximum of the partition's append times, which may fall when a broker changes."""
    told = [record.appended_ms for record in records]
    times = list(accumulate(told, max, initial=high_ms))[1:]
    if times == told:
        return records
    return [
        record if record.appended_ms == time else record._replace(appended_ms=time)
        for record, time in zip(records, times, strict=True)
    ]


def shared_out(records: list[Record], shares: int, share: int) -> list[Record]:
    """The records of one share: every record of a subject is in the same one."""
    if shares == 1:
        return records
    return [record for record in records if crc32(record.key or b"") % shares == share]


@contextmanager
def without_collection() -> Iterator[None]:
    """No cyclic garbage collection in the block: millions of tuples hold no cycle, and walking them takes half
    of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _take(batch: Batch, records: list[Record], mark: Mark) -> None:
    with without_collection():
        take(batch, records, mark)


def _tables(batch: Batch) -> dict[str, Any]:
    with without_collection():
        rows: dict[str, list[Any]] = {
            "events": each_once(batch.events),
            "unreadable": batch.unreadable,
            "profiles": [row.flat() for entries in batch.profiles.values() for row in entries],
            "offices": [row for offices in batch.offices.values() for row in offices],
        }
        return {name: arrow(name, found) for name, found in rows.items() if found}


def _left(table: pa.Table, task: Pass, name: str) -> Path:
    """A file with the table, which another process maps: through a pipe it would be copied four times."""
    topic, partition = task.position
    path = (task.folder or Path()) / f"{topic}-{partition}-{task.share}.{name}.arrow"
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return path


@contextmanager
def found_table(found: pa.Table | Path) -> Iterator[pa.Table]:
    """The table of a pass; its file is gone after the block."""
    if not isinstance(found, Path):
        yield found
        return
    with pa.memory_map(str(found)) as file:
        yield pa.ipc.open_file(file).read_all()
    found.unlink()


def each_once(rows: list[EventRow]) -> list[EventRow]:
    """The rows without what came again: the first occurrence of an event is the one that made it known."""
    held: set[Any] = set()
    fresh = []
    for row in rows:
        if (place := row[1:4]) not in held:
            held.add(place)
            fresh.append(row)
    return fresh
