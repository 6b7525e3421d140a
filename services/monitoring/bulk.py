"""Filling an empty read model from the topics: passes side by side, then the facts of all that they found."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from services.monitoring.database import Connection
from services.monitoring.filling import derive_facts
from services.monitoring.handlers import Mark
from services.monitoring.passes import Pass, Passed, longest_first, read_pass
from services.monitoring.store import ReadModel, insert_arrow, save_marks
from shared.clock import Runtime, stop_tasks
from shared.messaging.port import Log, Position
from shared.messaging.readers import Readers
from shared.messaging.topics import TOPICS

Written = asyncio.Future[None]
# Records that all passes under way hold in memory, at some 600 bytes each.
HELD_RECORDS = 300_000


async def fill(log: Log, model: ReadModel, runtime: Runtime, readers: Readers) -> int:
    """Reads every topic from its beginning to its present end into an empty model; the number of records.

    Raises Unavailable, and duckdb.Error where the model cannot be written; it is then good for nothing but to be
    dropped.
    """
    filling = _Filling(model, runtime, readers)
    records = await filling.read(await log.ends(sorted(TOPICS)))
    await filling.derive()
    return records


class _Filling:
    def __init__(self, model: ReadModel, runtime: Runtime, readers: Readers) -> None:
        self._model = model
        self._runtime = runtime
        self._readers = readers

    async def read(self, ends: Mapping[Position, int]) -> int:
        """All passes, some side by side; the number of records."""
        waiting = deque(self._passes(ends))
        tasks = [self._runtime.spawn(self._take(waiting), "rebuild-pass") for _ in range(self._readers.many)]
        try:
            return sum(await asyncio.gather(*tasks))
        finally:
            await stop_tasks(tasks)

    async def derive(self) -> None:
        """The facts of all that was read, in one transaction."""
        await self._writing(partial(_derive, self._model))

    def _passes(self, ends: Mapping[Position, int]) -> Iterator[Pass]:
        for position, end in longest_first(ends):
            shares = end * self._readers.many // HELD_RECORDS + 1
            for share in range(shares if end else 0):
                yield Pass(position, end, shares, share)

    async def _take(self, waiting: deque[Pass]) -> int:
        """One pass after the other; what one found is written while the next one reads."""
        records, written = 0, _done()
        while waiting:
            passed = await self._readers.run(read_pass, waiting.popleft())
            await written
            written = self._keep(passed)
            records += passed.records
        await written
        return records

    def _keep(self, passed: Passed) -> Written:
        self._model.marks = marks = self._model.marks | {passed.position: passed.mark}
        return self._writing(partial(_write, passed, marks))

    def _writing(self, work: Callable[[Connection], None]) -> Written:
        # Not in the pool: what waits for its turn there would hold up the questions that live answers come from.
        return asyncio.wrap_future(self._model.database.in_background(work))


def _done() -> Written:
    nothing: Written = asyncio.get_running_loop().create_future()
    nothing.set_result(None)
    return nothing


def _write(passed: Passed, marks: dict[Position, Mark], connection: Connection) -> None:
    connection.execute("BEGIN")
    for table, rows in passed.tables.items():
        insert_arrow(connection, table, rows)
    save_marks(connection, marks)
    connection.execute("COMMIT")


def _derive(model: ReadModel, connection: Connection) -> None:
    model.reload_zones()
    connection.execute("BEGIN")
    derive_facts(connection, model.zones)
    connection.execute("COMMIT")
