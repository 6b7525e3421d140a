"""Building the read model anew beside the live one, and comparing the two (`sankofa rebuild monitoring --verify`)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from itertools import accumulate

from services.monitoring.bulk import ORDER, Bulk, share
from services.monitoring.follower import Follower, apply_records
from services.monitoring.handlers import Mark
from services.monitoring.store import DIGESTED, ReadModel
from shared.clock import Runtime, stop_tasks
from shared.messaging.port import Log, Position, Record

READ_RECORDS = 10_000
# Records of a partition that are held in memory in one pass, at some 600 bytes each.
HELD_RECORDS = 300_000


@dataclass(frozen=True)
class Report:
    """What a rebuild found. `seconds` counts reading and deriving, not the comparison; `digests` by table: the live
    model's and the new one's."""

    events: int
    seconds: float
    equal: bool
    digests: Mapping[str, tuple[str, str]]

    @property
    def different(self) -> list[str]:
        """The tables that differ."""
        return [table for table, (live, new) in self.digests.items() if live != new]


async def rebuild(log: Log, live: Follower, target: ReadModel, runtime: Runtime, *, swap: bool = True) -> Report:
    """Fills the empty `target` from offset 0 to the live model's positions and compares them table by table.

    Live answers go on; the live model stands still only while the last records are read and compared. Where the
    two are equal and `swap` is set, the follower goes on with `target`, and the caller closes the old model.
    Raises Unavailable.
    """
    started = runtime.monotonic()
    events = await fill(log, target, runtime)
    async with live.standstill:
        await live.catch_up_at_standstill()
        ends = {position: mark.next_offset for position, mark in live.model.marks.items()}
        events += await _read_on(log, target, runtime, ends)
        seconds = runtime.monotonic() - started
        ours, new = await runtime.in_pool(live.model.digests), await runtime.in_pool(target.digests)
        report = Report(events, seconds, ours == new, {table: (ours[table], new[table]) for table in DIGESTED})
        if swap and report.equal:
            for position, mark in live.model.marks.items():
                target.marks[position] = mark
            live.model = target
    return report


async def fill(log: Log, target: ReadModel, runtime: Runtime) -> int:
    """Reads every topic from its beginning to its present end into an empty model; the number of records."""
    ends = await log.ends(ORDER)
    bulk = Bulk(target)
    for topic in ORDER:
        for position in sorted(position for position, end in ends.items() if position[0] == topic and end):
            passes = ends[position] // HELD_RECORDS + 1
            for number in range(passes):
                await _pass(log, bulk, runtime, position, ends[position], (passes, number))
    await runtime.in_pool(bulk.finish)
    return bulk.events


async def _pass(log: Log, bulk: Bulk, runtime: Runtime, position: Position, end: int, part: tuple[int, int]) -> None:
    """One pass over a partition; what stands at or past its end is left to the follower."""
    mark = Mark()
    bulk.begin()
    try:
        async with aclosing(_ahead(log, runtime, position, end)) as batches:
            async for records in batches:
                below = raised([record for record in records if record.offset < end], mark.high_ms)
                await runtime.in_pool(partial(bulk.add, share(below, *part), mark))
                # Other passes' records move this pass's mark too.
                mark.high_ms = below[-1].appended_ms if below else mark.high_ms
        mark.next_offset = end
        await runtime.in_pool(partial(bulk.commit, position, mark))
    except BaseException:
        bulk.abandon()
        raise


async def _ahead(log: Log, runtime: Runtime, position: Position, end: int) -> AsyncGenerator[list[Record], None]:
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
    times = list(accumulate((record.appended_ms for record in records), max, initial=high_ms))[1:]
    return [
        record if record.appended_ms == time else record._replace(appended_ms=time)
        for record, time in zip(records, times, strict=True)
    ]


async def _read_on(log: Log, target: ReadModel, runtime: Runtime, ends: Mapping[Position, int]) -> int:
    """Brings the model to exactly these ends; the number of records."""
    total = 0
    for position, end in sorted(ends.items()):
        while (offset := (target.marks.get(position) or Mark()).next_offset) < end:
            records = [r for r in await log.read(*position, offset, READ_RECORDS) if r.offset < end]
            await runtime.in_pool(partial(apply_records, target, {position: records}, ends))
            total += len(records)
    return total
