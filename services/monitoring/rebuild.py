"""Building the read model anew beside the live one, and comparing the two (`sankofa rebuild monitoring --verify`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from services.monitoring.bulk import fill
from services.monitoring.follower import Follower, apply_records
from services.monitoring.records import Mark
from services.monitoring.store import DIGESTED, ReadModel
from shared.clock import Runtime
from shared.messaging.port import Log, Position
from shared.messaging.readers import Readers

READ_RECORDS = 10_000


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


async def rebuild(log: Log, live: Follower, target: ReadModel, runtime: Runtime, readers: Readers) -> Report:
    """Fills the empty `target` from offset 0 to the live model's positions and compares them table by table.

    Live answers go on; the live model stands still only while the last records are read and compared. Where the
    two are equal the follower goes on with `target`, and the caller closes the old model. Raises Unavailable.
    """
    started = runtime.monotonic()
    events = await fill(log, target, runtime, readers)
    async with live.standstill:
        await live.catch_up_at_standstill()
        ends = {position: mark.next_offset for position, mark in live.model.marks.items()}
        events += await _read_on(log, target, runtime, ends)
        seconds = runtime.monotonic() - started
        ours, new = await runtime.in_pool(live.model.digests), await runtime.in_pool(target.digests)
        report = Report(events, seconds, ours == new, {table: (ours[table], new[table]) for table in DIGESTED})
        if report.equal:
            for position, mark in live.model.marks.items():
                target.marks[position] = mark
            live.model = target
    return report


async def _read_on(log: Log, target: ReadModel, runtime: Runtime, ends: Mapping[Position, int]) -> int:
    """Brings the model to exactly these ends; the number of records."""
    total = 0
    for position, end in sorted(ends.items()):
        while (offset := (target.marks.get(position) or Mark()).next_offset) < end:
            records = [r for r in await log.read(*position, offset, READ_RECORDS) if r.offset < end]
            await runtime.in_pool(partial(apply_records, target, {position: records}, ends))
            total += len(records)
    return total
