"""One SQLite file with one group-committing writer: what the local store and the local log stand on.

Settings of every file: WAL, synchronous=FULL, secure_delete, one process at a time (a lock file beside it).
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from shared.errors import SettingsError, Unavailable
from shared.store.sqlite_batch import Job, Work, checkpoint, ends_batch, error_name, run_alone, run_batch

T = TypeVar("T")
Lifts = Mapping[int, Callable[[sqlite3.Connection], None]]

MAX_WAITING = 20_000
MAX_BATCH = 2_000
PRAGMAS = {
    # Counts for a new file alone. Most documents have less than 3 kB, and 4 kB pages would stay half empty.
    "page_size": "8192",
    "journal_mode": "wal",
    "synchronous": "2",
    "secure_delete": "1",
    "temp_store": "2",
    "wal_autocheckpoint": "4000",
    "journal_size_limit": "67108864",
    "cache_size": "-8000",
    "busy_timeout": "5000",
}
ASSERTED = ("journal_mode", "synchronous", "secure_delete")


class GroupCommit:
    """A SQLite file with one writer thread; `path` None is in memory, without a thread, run inline.

    `setup_sql` is a script of `CREATE ... IF NOT EXISTS`; `form` the number of what it makes; `lifts` make this form of
    an earlier one, each within one transaction. Jobs run in the order in which they were submitted; all that wait are
    written in one transaction, each waiter is resolved after the commit.
    """

    def __init__(self, path: Path | None, setup_sql: str, form: int = 1, lifts: Lifts | None = None) -> None:
        self.path = path
        self._setup_sql = setup_sql
        self._form = form
        self._lifts = lifts or {}
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._reading = threading.Lock()
        # What was submitted together is handed over together: each hand-over wakes the thread.
        self._queue: queue.SimpleQueue[list[Job] | None] = queue.SimpleQueue()
        self._waiting = 0
        self._submitted: list[Job] = []
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock: int | None = None
        self._effective: dict[str, str] = {}

    async def start(self) -> None:
        """Opens the file and starts the writer; SettingsError where it cannot be used."""
        if self.path is None:
            if self._writer is None:
                self._writer = self._reader = self._open(":memory:")
            return
        if self._thread is not None:
            return
        self._loop = asyncio.get_running_loop()
        self._lock = _lock(self.path)
        try:
            self._writer = self._open(str(self.path))
            self._reader = sqlite3.connect(str(self.path), isolation_level=None, check_same_thread=False)
            self._reader.executescript("PRAGMA query_only=ON; PRAGMA busy_timeout=5000")
        except BaseException:
            self._close()
            raise
        self._thread = threading.Thread(target=self._write, name=f"writer {self.path.name}", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Writes what waits, truncates the WAL and closes; in memory everything stays for the next start."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._hand_over()
        self._queue.put(None)
        await asyncio.to_thread(thread.join)
        try:
            if self._writer is not None:
                checkpoint(self._writer)
        finally:
            self._close()

    async def submit(self, work: Work[T]) -> T:
        """Runs `work` inside the writer's next transaction; returns its result once that is durable.

        `work` must leave transactions alone, and is run once more where another one has to be undone. What it raises
        is raised here, and nothing of it is written. Raises Unavailable (nothing was done) or UnknownOutcome (the
        commit failed).
        """
        if self.path is None:
            return self._inline(work)
        return await self._queued(work)

    def read(self, work: Work[T]) -> T:
        """Runs `work` at once on the read-only connection, which sees all that was committed. Keep it short."""
        if self._reader is None:
            raise Unavailable("the file is closed")
        with self._reading:
            try:
                return work(self._reader)
            except sqlite3.Error as error:
                if ends_batch(error):
                    raise Unavailable(f"the file cannot be read ({error_name(error)})") from error
                raise

    async def truncate(self) -> None:
        """Moves the WAL into the file and empties it, so that nothing erased is left in it."""
        if self.path is not None:
            await self._queued(checkpoint, alone=True)

    def settings(self) -> dict[str, str]:
        """The effective pragmas of the writer's connection."""
        return {"file": "in memory" if self.path is None else str(self.path), **self._effective}

    async def _queued(self, work: Work[T], *, alone: bool = False) -> T:
        if self._thread is None or self._loop is None:
            raise Unavailable("the file is closed")
        if self._waiting >= MAX_WAITING:
            raise Unavailable("too many writes are waiting")
        job = Job(work, self._loop.create_future(), alone=alone)
        if not self._submitted:
            self._loop.call_soon(self._hand_over)
        self._submitted.append(job)
        self._waiting += 1
        result: T = await job.waiter
        return result

    def _hand_over(self) -> None:
        """What was submitted in one turn of the loop goes to the thread together, and mostly into one commit."""
        submitted, self._submitted = self._submitted, []
        if submitted:
            self._queue.put(submitted)

    def _open(self, name: str) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(name, isolation_level=None, check_same_thread=False, cached_statements=256)
            for pragma, value in PRAGMAS.items():
                connection.execute(f"PRAGMA {pragma}={value}").fetchall()
            self._effective = {p: str(connection.execute(f"PRAGMA {p}").fetchone()[0]) for p in PRAGMAS}
            found = self._formed(connection)
        except sqlite3.Error as error:
            raise SettingsError(f"{name} cannot be used as a SQLite file ({error_name(error)})") from error
        if found != self._form:
            connection.close()
            raise SettingsError(f"{name} was written by another version: its form is {found}, this one's {self._form}")
        wrong = [p for p in ASSERTED if self._effective[p] != PRAGMAS[p]]
        if wrong and name != ":memory:":
            connection.close()
            raise SettingsError(f"{name} does not allow {', '.join(f'{p}={PRAGMAS[p]}' for p in wrong)}")
        return connection

    def _formed(self, connection: sqlite3.Connection) -> int:
        """The file's form, once it was made or lifted where that can be."""
        found = int(connection.execute("PRAGMA user_version").fetchone()[0])
        empty = connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None
        if found != self._form and not empty:
            if found not in self._lifts:
                return found
            connection.execute("BEGIN IMMEDIATE")
            self._lifts[found](connection)
            connection.execute(f"PRAGMA user_version={self._form}")
            connection.execute("COMMIT")
        # The form first: a crash in between leaves an empty file, which may have any.
        connection.execute(f"PRAGMA user_version={self._form}")
        connection.executescript(self._setup_sql)
        return self._form

    def _close(self) -> None:
        for connection in (self._reader, self._writer):
            if connection is not None:
                connection.close()
        self._reader = self._writer = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _inline(self, work: Work[T]) -> T:
        if self._writer is None:
            raise Unavailable("the file is closed")
        self._writer.execute("BEGIN")
        try:
            result = work(self._writer)
        except BaseException:
            self._writer.execute("ROLLBACK")
            raise
        self._writer.execute("COMMIT")
        return result

    def _write(self) -> None:
        """The writer thread: takes all that waits, commits once, wakes the waiters in one call."""
        assert self._writer is not None  # noqa: S101 - start() opened it
        while True:
            jobs, ended = _drain(self._queue)
            together = [job for job in jobs if not job.alone]
            if together:
                run_batch(self._writer, together)
            for job in jobs:
                # A checkpoint is refused inside a transaction, so it runs between two batches.
                if job.alone:
                    run_alone(self._writer, job)
            self._settle(jobs)
            if ended:
                return

    def _settle(self, jobs: list[Job]) -> None:
        def settle() -> None:
            self._waiting -= len(jobs)
            for job in jobs:
                job.settle()

        if jobs and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(settle)


def _drain(waiting: queue.SimpleQueue[list[Job] | None]) -> tuple[list[Job], bool]:
    """Waits for jobs and takes what else is there; the flag says that the end was asked for."""
    jobs: list[Job] = []
    item = waiting.get()
    while item is not None:
        jobs += item
        if len(jobs) >= MAX_BATCH:
            return jobs, False
        try:
            item = waiting.get_nowait()
        except queue.Empty:
            return jobs, False
    return jobs, True


def _lock(path: Path) -> int:
    """The descriptor that holds the file's lock until it is closed or the process dies."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Made here so that the WAL, which takes the file's mode, is the owner's alone as well.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SettingsError(f"{path} cannot be opened for writing ({error.strerror})") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise SettingsError(f"{path} is in use by another process") from error
    return lock
