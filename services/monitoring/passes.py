"""One pass over a partition: its records read, checked and turned into the rows of the read model's tables.

A pass needs nothing of another one, so passes run side by side and in any process.
"""

from __future__ import annotations

import gc
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import pyarrow as pa

from services.monitoring.columns import Rows, Sweep
from services.monitoring.records import Mark
from services.monitoring.schema import arrow
from shared.clock import Runtime, stop_tasks
from shared.messaging.columns import Columns, Whole
from shared.messaging.port import Log, Position


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


class Part(NamedTuple):
    """Records of a pass: which of the columns' rows belong to it, since when each row is known, and the running maximum
    of append times after them all."""

    columns: Columns
    asked: Rows
    known_ms: Whole
    high_ms: int


async def read_pass(log: Log, runtime: Runtime, task: Pass) -> Passed:
    """Reads the pass into the tables of its rows. Raises Unavailable."""
    sweep, mark = Sweep(task.position), Mark(task.end)
    async with aclosing(parts_of(log, runtime, task)) as parts:
        async for part in parts:
            await runtime.in_pool(partial(_take, sweep, part))
            # The records of other shares move the mark too.
            mark.high_ms = part.high_ms
    tables = await runtime.in_pool(partial(_tables, sweep))
    if task.folder is not None:
        tables = {name: _left(table, task, name) for name, table in tables.items()}
    return Passed(task.position, mark, sweep.records, tables)


async def parts_of(log: Log, runtime: Runtime, task: Pass) -> AsyncGenerator[Part]:
    """The pass's records, some at a time. Raises Unavailable."""
    high_ms = 0
    async with aclosing(_ahead(log, runtime, task.position, task.end)) as read:
        async for columns in read:
            known_ms = raised(columns.appended_ms, high_ms)
            asked = columns.offsets < task.end
            high_ms = int(known_ms[asked].max(initial=high_ms))
            yield Part(columns, asked & _shared_out(columns, task), known_ms, high_ms)


async def _ahead(log: Log, runtime: Runtime, position: Position, end: int) -> AsyncGenerator[Columns]:
    """The partition's records up to its end; the next ones are read while the caller works on the last."""
    offset, reading = 0, runtime.spawn(log.read_columns(*position, 0), "rebuild-ahead")
    try:
        while offset < end and len((columns := await reading).offsets):
            offset = int(columns.offsets[-1]) + 1
            if offset < end:
                reading = runtime.spawn(log.read_columns(*position, offset), "rebuild-ahead")
            yield columns
    finally:
        await stop_tasks([reading])


def raised(appended_ms: Whole, high_ms: int) -> Whole:
    """The running maximum of the partition's append times, which may fall where a broker takes over whose clock is
    behind: what is known is known since the maximum."""
    return np.maximum(np.maximum.accumulate(appended_ms), high_ms)


def _shared_out(columns: Columns, task: Pass) -> Rows:
    """The rows of the pass's share: every record of a subject is in the same one."""
    if task.shares == 1:
        return np.ones(len(columns.offsets), bool)
    return np.array([crc32(key or b"") % task.shares == task.share for key in columns.keys.to_pylist()], bool)


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


def _take(sweep: Sweep, part: Part) -> None:
    with without_collection():
        sweep.take(part.columns, part.asked, part.known_ms)


def _tables(sweep: Sweep) -> dict[str, Any]:
    rest = sweep.rest
    rows: dict[str, list[Any]] = {
        "unreadable": rest.unreadable,
        "profiles": [row.flat() for entries in rest.profiles.values() for row in entries],
        "offices": [row for offices in rest.offices.values() for row in offices],
    }
    events = sweep.events()
    found = {"events": events} if len(events) else {}
    with without_collection():
        return found | {name: arrow(name, taken) for name, taken in rows.items() if taken}


def _left(table: pa.Table, task: Pass, name: str) -> Path:
    """A file with the table, which another process maps: through a pipe it would be copied four times."""
    topic, partition = task.position
    path = (task.folder or Path()) / f"{topic}-{partition}-{task.share}.{name}.arrow"
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return path


def found_table(found: pa.Table | Path) -> pa.Table:
    """The table of a pass. Its file loses its name here, and its room with the table."""
    if not isinstance(found, Path):
        return found
    with pa.memory_map(str(found)) as file:
        table = pa.ipc.open_file(file).read_all()
    found.unlink()
    return table
