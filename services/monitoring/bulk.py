"""Filling an empty read model from the topics: passes side by side, then the facts of all that they found."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import pyarrow as pa

from services.monitoring.database import ROW_GROUP, Connection
from services.monitoring.files import PASSED_FOLDER
from services.monitoring.filling import DERIVED_AT_ONCE, Derived, Facts
from services.monitoring.passes import Pass, Passed, found_table, longest_first, read_pass
from services.monitoring.records import FIRST, Mark
from services.monitoring.schema import SCHEMAS
from services.monitoring.store import ReadModel, save_marks
from services.monitoring.writing import insert_arrow
from shared.clock import Runtime, stop_tasks
from shared.messaging.port import Log, Position
from shared.messaging.readers import Readers
from shared.messaging.topics import TOPICS

T = TypeVar("T")

# Records that all passes under way hold in memory, at some 600 bytes each.
HELD_RECORDS = 300_000
# Events whose facts are derived by one statement, but for the last ones: to plan it takes as long as a few thousand.
DERIVED_FROM = 60_000


async def fill(log: Log, model: ReadModel, runtime: Runtime, readers: Readers) -> int:
    """Reads every topic from its beginning to its present end into an empty model; the number of records.

    Raises Unavailable, and duckdb.Error where the model cannot be written; it is then good for nothing but to be
    dropped.
    """
    ends = await log.ends(sorted(TOPICS))
    with _left_in(model, readers) as folder:
        return await _Filling(model, runtime, readers, folder).read(ends)


@contextmanager
def _left_in(model: ReadModel, readers: Readers) -> Iterator[Path | None]:
    """Where the passes of other processes leave what they found."""
    if readers.many == 1 or model.path is None:
        yield None
        return
    with TemporaryDirectory(prefix=PASSED_FOLDER, dir=model.path.parent) as folder:
        yield Path(folder)


class _Filling:
    """One thread writes what passes found while another one derives the facts of it and the next passes read."""

    def __init__(self, model: ReadModel, runtime: Runtime, readers: Readers, folder: Path | None) -> None:
        self._model = model
        self._runtime = runtime
        self._readers = readers
        self._folder = folder
        self._found: dict[str, list[pa.Table]] = {}
        self._told: dict[str, list[pa.Table]] = {}
        self._marks: dict[Position, Mark] = {}
        self._first_left = 0
        self._first_read = asyncio.Event()
        self._turn = asyncio.Lock()
        self._written: asyncio.Future[None] = _done(None)
        self._derived: asyncio.Future[list[Derived]] = _done([])
        self._facts: Facts | None = None

    async def read(self, ends: Mapping[Position, int]) -> int:
        """All passes, some side by side, and what follows from them; the number of records."""
        first = {position: end for position, end in ends.items() if position[0] in FIRST}
        waiting = deque(self._passes(first))
        self._first_left = len(waiting)
        waiting.extend(self._passes({position: end for position, end in ends.items() if position not in first}))
        tasks = [self._runtime.spawn(self._take(waiting), "rebuild-pass") for _ in range(self._readers.many)]
        try:
            records = sum(await asyncio.gather(*tasks))
        finally:
            await stop_tasks(tasks)
        await self._hand_on(last=True)
        if self._facts is not None:
            await self._write_facts(self._facts, await self._derived)
            await self._beside(partial(_keep_rest, self._facts))
            await self._written
            await self._beside(partial(_finish, self._facts))
        return records

    def _passes(self, ends: Mapping[Position, int]) -> Iterator[Pass]:
        for position, end in longest_first(ends):
            # What one pass has found waits here while the next one reads.
            shares = end * max(self._readers.many, 2) // HELD_RECORDS + 1
            for share in range(shares if end else 0):
                yield Pass(position, end, shares, share, self._folder)

    async def _take(self, waiting: deque[Pass]) -> int:
        """One pass after the other."""
        records = 0
        while waiting:
            passed = await self._readers.run(read_pass, waiting.popleft())
            records += passed.records
            self._keep(passed)
            if self._first_left and _rows(self._told) >= DERIVED_AT_ONCE:
                # What is read first is read by others now, for all of it was handed out before.
                await self._first_read.wait()
            await self._hand_on()
        return records

    def _keep(self, passed: Passed) -> None:
        topic = passed.position[0]
        self._marks[passed.position] = passed.mark
        for name, found in passed.tables.items():
            table = found_table(found)
            self._found.setdefault(name, []).append(table)
            if name == "events" and topic not in FIRST:
                self._told.setdefault(topic, []).append(table)
        if topic in FIRST:
            self._first_left -= 1

    async def _hand_on(self, *, last: bool = False) -> None:
        """What was found goes to the threads that write and derive, where that is enough for them."""
        async with self._turn:
            begins = self._facts is None and not self._first_left
            await self._write(begins=begins, all=last)
            if begins:
                await self._written
                self._facts = await self._beside(partial(self._begin, _one(self._found["events"])))
                self._first_read.set()
            if self._facts is not None:
                await self._derive(self._facts, all=last)

    async def _write(self, *, begins: bool, all: bool) -> None:
        """Whole row groups of events, with what else was found; at last what is left of them too."""
        events = _one(self._found.pop("events", []))
        many = len(events) if all else len(events) // ROW_GROUP * ROW_GROUP
        self._found["events"] = [events.slice(many)]
        if not (many or begins or all):
            return
        await self._written
        others, self._found = self._found, {"events": self._found["events"]}
        tables = {name: _one(some) for name, some in others.items()} | {"events": events.slice(0, many)}
        # How far all of it goes is said with the last of it.
        self._model.marks = marks = dict(self._marks) if all else {}
        self._written = asyncio.wrap_future(self._model.database.in_background(partial(_write, tables, marks)))

    async def _derive(self, facts: Facts, *, all: bool) -> None:
        """Where that thread waits for it, or must not be left behind too far."""
        many = _rows(self._told)
        if all or many >= DERIVED_AT_ONCE or (many >= DERIVED_FROM and self._derived.done()):
            derived = await self._derived
            told, self._told = self._told, {}
            self._derived = self._beside(partial(_add, facts, {topic: _one(some) for topic, some in told.items()}))
            await self._write_facts(facts, derived)

    async def _write_facts(self, facts: Facts, derived: Iterable[Derived]) -> None:
        """They are kept by the thread that writes, while the other one derives more."""
        for one in derived:
            await self._written
            self._written = asyncio.wrap_future(self._model.database.in_background(partial(facts.keep, one)))

    def _beside(self, work: Callable[[Connection], T]) -> asyncio.Future[T]:
        # Not in the pool: what waits for its turn there would hold up the questions that live answers come from.
        return asyncio.wrap_future(self._model.database.beside(work))

    def _begin(self, unwritten: pa.Table, connection: Connection) -> Facts:
        self._model.reload_zones()
        return Facts(connection, self._model.database.scratch(), self._model.zones, unwritten)


def _write(tables: Mapping[str, pa.Table], marks: dict[Position, Mark], connection: Connection) -> None:
    connection.execute("BEGIN")
    for name, rows in tables.items():
        if not len(rows):
            continue
        # Each table by itself and in one piece: of several pieces, and of a statement with several tables, DuckDB makes
        # row groups that are not whole, and writes all of them once more.
        insert_arrow(connection, {name: rows.combine_chunks()})
    save_marks(connection, marks)
    connection.execute("COMMIT")


def _add(facts: Facts, told: Mapping[str, pa.Table], _connection: Connection) -> list[Derived]:
    # No transaction around all facts, which would have to fit somewhere: who cannot finish drops the file.
    for topic, events in told.items():
        facts.add(topic, events)
    return facts.done()


def _keep_rest(facts: Facts, connection: Connection) -> None:
    for one in facts.done(all=True):
        facts.keep(one, connection)


def _finish(facts: Facts, connection: Connection) -> None:
    """What is read from events that stand in the model, all of them."""
    for topic in FIRST:
        facts.add_written(topic)
    _keep_rest(facts, connection)
    facts.read_plainly()


def _one(tables: list[pa.Table]) -> pa.Table:
    # Each may be without the columns that are empty in it.
    return pa.concat_tables(tables, promote_options="default") if tables else SCHEMAS["events"].empty_table()


def _rows(tables: Mapping[str, list[pa.Table]]) -> int:
    return sum(len(table) for some in tables.values() for table in some)


def _done(found: T) -> asyncio.Future[T]:
    done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    done.set_result(found)
    return done
