"""Filling an empty read model from the topics: passes side by side, then the facts of all that they found."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from services.monitoring.database import Connection
from services.monitoring.files import PASSED_FOLDER
from services.monitoring.filling import derive_facts
from services.monitoring.passes import Pass, Passed, found_table, longest_first, read_pass
from services.monitoring.records import Mark
from services.monitoring.store import ReadModel, save_marks
from services.monitoring.writing import insert_arrow
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
    ends = await log.ends(sorted(TOPICS))
    with _left_in(model, readers) as folder:
        filling = _Filling(model, runtime, readers, folder)
        records = await filling.read(ends)
        await filling.derive()
    return records


@contextmanager
def _left_in(model: ReadModel, readers: Readers) -> Iterator[Path | None]:
    """Where the passes of other processes leave what they found."""
    if readers.many == 1 or model.path is None:
        yield None
        return
    with TemporaryDirectory(prefix=PASSED_FOLDER, dir=model.path.parent) as folder:
        yield Path(folder)


class _Filling:
    def __init__(self, model: ReadModel, runtime: Runtime, readers: Readers, folder: Path | None) -> None:
        self._model = model
        self._runtime = runtime
        self._readers = readers
        self._folder = folder

    async def read(self, ends: Mapping[Position, int]) -> int:
        """All passes, some side by side; the number of records."""
        waiting = deque(self._passes(ends))
        tasks = [self._runtime.spawn(self._take(waiting), "rebuild-pass") for _ in range(self._readers.many)]
        try:
            return sum(await asyncio.gather(*tasks))
        finally:
            await stop_tasks(tasks)

    async def derive(self) -> None:
        """The facts of all that was read."""
        await self._writing(partial(_derive, self._model))

    def _passes(self, ends: Mapping[Position, int]) -> Iterator[Pass]:
        for position, end in longest_first(ends):
            shares = end * self._readers.many // HELD_RECORDS + 1
            for share in range(shares if end else 0):
                yield Pass(position, end, shares, share, self._folder)

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
    for table, found in passed.tables.items():
        with found_table(found) as rows:
            insert_arrow(connection, {table: rows})
    save_marks(connection, marks)
    connection.execute("COMMIT")


def _derive(model: ReadModel, connection: Connection) -> None:
    model.reload_zones()
    # No transaction around all of it, which would have to fit somewhere: who cannot finish drops the file.
    derive_facts(connection, model.zones)
