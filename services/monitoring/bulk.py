"""Filling an empty read model from the topics: passes in stages, each of which needs what those before it left."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from services.monitoring.database import Connection, literal
from services.monitoring.files import JOINED_FOLDER
from services.monitoring.handlers import Mark
from services.monitoring.passes import Pass, Passed, longest_first, read_pass
from services.monitoring.store import FACT_TOPICS, ReadModel, insert_arrow, save_marks
from shared.clock import Runtime, stop_tasks
from shared.messaging.port import Log, Position
from shared.messaging.readers import Readers
from shared.messaging.topics import PERSONS, TOPICS

Written = asyncio.Future[None]
# Facts are joined with their persons' entries and profiles and with the zones of their offices.
STAGES: tuple[tuple[str, ...], ...] = (tuple(sorted(set(TOPICS) - FACT_TOPICS)), tuple(sorted(FACT_TOPICS)))
# What later passes read of a topic, by the table in whose place it stands.
_LEFT: Mapping[str, Mapping[str, str]] = {
    PERSONS.name: {
        "events": f"SELECT * FROM events WHERE topic = '{PERSONS.name}' AND entry IS NOT NULL",  # noqa: S608
        "profiles": "SELECT * FROM profiles",
    },
}
# Records that all passes under way hold in memory, at some 600 bytes each.
HELD_RECORDS = 300_000


async def fill(log: Log, model: ReadModel, runtime: Runtime, readers: Readers) -> int:
    """Reads every topic from its beginning to its present end into an empty model; the number of records.

    Raises Unavailable, and duckdb.Error where the model cannot be written; it is then good for nothing but to be
    dropped.
    """
    ends = await log.ends(sorted(TOPICS))
    beside = None if model.path is None else model.path.parent
    with TemporaryDirectory(prefix=JOINED_FOLDER, dir=beside) as folder:
        filling = _Filling(model, runtime, readers, Path(folder))
        return sum([await filling.stage(topics, ends) for topics in STAGES])


class _Filling:
    def __init__(self, model: ReadModel, runtime: Runtime, readers: Readers, folder: Path) -> None:
        self._model = model
        self._runtime = runtime
        self._readers = readers
        self._folder = folder
        self._joined: dict[str, tuple[Path, ...]] = {}

    async def stage(self, topics: Sequence[str], ends: Mapping[Position, int]) -> int:
        """All passes over these topics; what later ones join with it then stands in files."""
        waiting = deque(self._passes(topics, ends))
        tasks = [self._runtime.spawn(self._take(waiting), "rebuild-pass") for _ in range(self._readers.many)]
        try:
            records = sum(await asyncio.gather(*tasks))
        finally:
            await stop_tasks(tasks)
        await self._leave(topics)
        return records

    def _passes(self, topics: Sequence[str], ends: Mapping[Position, int]) -> Iterator[Pass]:
        for position, end in longest_first(ends):
            shares = end * self._readers.many // HELD_RECORDS + 1
            if end and position[0] in topics:
                for share in range(shares):
                    yield Pass(position, end, shares, share, self._model.zones, self._joined)

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

    async def _leave(self, topics: Sequence[str]) -> None:
        """Leaves what later stages join with this one in files."""
        for topic, tables in _LEFT.items():
            for table, query in tables.items() if topic in topics else ():
                file = self._folder / f"{topic}.{table}.parquet"
                await self._writing(partial(_export, query, file))
                self._joined = self._joined | {table: (*self._joined.get(table, ()), file)}
        self._model.reload_zones()

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


def _export(query: str, file: Path, connection: Connection) -> None:
    connection.execute(f"COPY ({query}) TO {literal(file)} (FORMAT parquet)")
