"""The group-committing writer of a SQLite file."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from shared.errors import Unavailable, UnknownOutcome
from shared.store import sqlite as module
from shared.store.sqlite import GroupCommit
from shared.store.sqlite_batch import Job, run_batch

SETUP = "CREATE TABLE IF NOT EXISTS things (id INTEGER PRIMARY KEY, name TEXT) WITHOUT ROWID"


def inserting(id: int, name: str = "") -> Callable[[sqlite3.Connection], int]:
    def work(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO things VALUES (?, ?)", (id, name))
        return id

    return work


def stored(file: GroupCommit) -> list[int]:
    return file.read(lambda c: [row[0] for row in c.execute("SELECT id FROM things ORDER BY id")])


@pytest_asyncio.fixture(params=["memory", "file"])
async def file(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[GroupCommit]:
    opened = GroupCommit(None if request.param == "memory" else tmp_path / "things.sqlite", SETUP)
    await opened.start()
    yield opened
    await opened.stop()


async def test_a_job_that_raises_is_undone_alone(file: GroupCommit) -> None:
    def half(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO things VALUES (100, 'half')")
        raise KeyError("half")

    answers = await asyncio.gather(
        file.submit(inserting(1)),
        file.submit(half),
        file.submit(inserting(1)),
        file.submit(inserting(2)),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [int, KeyError, sqlite3.IntegrityError, int]
    assert stored(file) == [1, 2]


async def test_one_that_wrote_before_it_raised_is_undone_and_the_others_are_done_once(file: GroupCommit) -> None:
    def adding(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO things VALUES ((SELECT count(*) FROM things), 'counted')")
        return len(connection.execute("SELECT id FROM things").fetchall())

    def reading(connection: sqlite3.Connection) -> None:
        raise LookupError(str(connection.execute("SELECT count(*) FROM things").fetchone()[0]))

    def writing(connection: sqlite3.Connection) -> None:
        adding(connection)
        raise KeyError("written")

    works = (adding, reading, adding, writing, adding, reading)
    answers = await asyncio.gather(*(file.submit(work) for work in works), return_exceptions=True)
    assert [str(answer) for answer in answers] == ["1", "1", "2", "'written'", "3", "3"]
    assert stored(file) == [0, 1, 2]


async def test_jobs_run_in_the_order_of_submission(file: GroupCommit) -> None:
    order: list[int] = []
    await asyncio.gather(*(file.submit(lambda c, n=n: order.append(n)) for n in range(200)))  # type: ignore[misc]
    assert order == list(range(200))


async def test_a_waiter_that_gave_up_harms_nobody(file: GroupCommit) -> None:
    tasks = [asyncio.create_task(file.submit(inserting(n))) for n in range(20)]
    await asyncio.sleep(0)
    tasks[3].cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(answer, int) for answer in answers) >= 19
    await file.submit(inserting(1000))


async def test_in_memory_there_is_no_thread_and_no_pause() -> None:
    before = threading.active_count()
    file = GroupCommit(None, SETUP)
    for coroutine in (file.start(), file.submit(inserting(1)), file.stop(), file.start(), file.truncate()):
        # One step to its end: nothing was waited for.
        with pytest.raises(StopIteration):
            coroutine.send(None)
    assert stored(file) == [1]
    assert threading.active_count() == before


async def test_waiting_jobs_share_commits_and_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 50)
    file = GroupCommit(tmp_path / "things.sqlite", SETUP)
    await file.start()
    held, entered = threading.Event(), threading.Event()

    def hold(connection: sqlite3.Connection) -> None:
        entered.set()
        held.wait(5)

    first = asyncio.create_task(file.submit(hold))
    await asyncio.to_thread(entered.wait, 5)
    tasks = [asyncio.create_task(file.submit(inserting(n))) for n in range(60)]
    await asyncio.sleep(0)
    held.set()
    answers = await asyncio.gather(first, *tasks, return_exceptions=True)
    # What is being written counts among those that wait for their answer.
    assert [type(answer) for answer in answers[50:]] == [Unavailable] * 11
    assert stored(file) == list(range(49))
    await asyncio.gather(*(file.submit(inserting(n)) for n in range(49, 90)))
    assert len(stored(file)) == 90
    await file.stop()


async def test_a_full_file_fails_the_batch_and_heals(tmp_path: Path) -> None:
    file = GroupCommit(tmp_path / "things.sqlite", SETUP)
    await file.start()
    await file.submit(lambda c: c.execute("PRAGMA max_page_count=20").fetchall())
    writes = (file.submit(inserting(n, "x" * 2000)) for n in range(100))
    with pytest.raises(Unavailable, match="SQLITE_FULL"):
        await asyncio.gather(*writes)
    before = stored(file)
    await file.submit(lambda c: c.execute("PRAGMA max_page_count=4294967294").fetchall())
    await file.submit(inserting(1000))
    assert stored(file) == [*before, 1000]
    await file.stop()


class FailingCommit:
    """A connection whose commit fails with the given SQLite error."""

    def __init__(self, code: int) -> None:
        self._real = sqlite3.connect(":memory:", isolation_level=None)
        self._real.executescript(SETUP)
        self._code = code

    @property
    def in_transaction(self) -> bool:
        return self._real.in_transaction

    @property
    def total_changes(self) -> int:
        return self._real.total_changes

    def execute(self, statement: str, *arguments: object) -> sqlite3.Cursor:
        if statement == "COMMIT":
            error = sqlite3.OperationalError("commit")
            error.sqlite_errorcode = self._code
            raise error
        return self._real.execute(statement, *arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "kind"), [(sqlite3.SQLITE_IOERR_FSYNC, UnknownOutcome), (sqlite3.SQLITE_FULL, Unavailable)]
)
async def test_a_failed_commit_answers_every_job(code: int, kind: type[Exception]) -> None:
    connection = FailingCommit(code)
    loop = asyncio.get_running_loop()
    jobs = [Job(inserting(n), loop.create_future()) for n in (1, 1, 2)]
    run_batch(connection, jobs)  # type: ignore[arg-type]
    assert [type(job.error) for job in jobs] == [kind] * 3
    assert connection.execute("SELECT count(*) FROM things").fetchone()[0] == 0
    assert not connection.in_transaction
    for job in jobs:
        job.waiter.cancel()
