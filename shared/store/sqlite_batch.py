"""Many writes in one SQLite transaction: each is undone alone, all become durable together."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from shared.errors import PortError, Unavailable, UnknownOutcome

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

# After these SQLite may have rolled back the whole transaction, so they end the batch, not one job.
BATCH_ERRORS = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
}


def error_name(error: sqlite3.Error) -> str:
    """SQLite's own name of the error; its message may quote a value and is left out."""
    return getattr(error, "sqlite_errorname", None) or type(error).__name__


def is_full(error: sqlite3.Error) -> bool:
    """Whether there was no room on the disk: nothing was done, and nothing will be before there is some."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL


def ends_batch(error: BaseException) -> bool:
    """Whether SQLite may have rolled back everything that was begun."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in BATCH_ERRORS


@dataclass(slots=True)
class Job:
    """Work that waits for the writer; `alone` asks for no transaction around it."""

    work: Work[Any]
    waiter: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None
    alone: bool = False

    def settle(self) -> None:
        if self.waiter.done():
            return
        if self.error is not None:
            self.waiter.set_exception(self.error)
        else:
            self.waiter.set_result(self.result)


def run_batch(connection: sqlite3.Connection, jobs: Sequence[Job]) -> None:
    """Runs every job in one transaction; a job that raises is undone alone.

    Each job ends with a result that is durable, with its own error, with Unavailable (nothing was done)
    or with UnknownOutcome (the commit itself failed).
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        if not _run_together(connection, jobs):
            connection.execute("ROLLBACK")
            connection.execute("BEGIN IMMEDIATE")
            for job in jobs:
                _run_apart(connection, job)
    except sqlite3.Error as error:
        _give_up(connection, jobs, Unavailable, f"the file cannot be written ({error_name(error)})")
        return
    try:
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        text = f"the commit failed ({error_name(error)})"
        undone = is_full(error) or getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
        _give_up(connection, jobs, Unavailable if undone else UnknownOutcome, text)


def _run_together(connection: sqlite3.Connection, jobs: Sequence[Job]) -> bool:
    """Runs the jobs without a savepoint each, for which SQLite would copy every page that one writes.

    False: one has to be undone that wrote before it raised. Mostly one raises because of what it reads.
    """
    for job in jobs:
        written = connection.total_changes
        try:
            job.result = job.work(connection)
        except Exception as error:
            if ends_batch(error):
                raise
            if connection.total_changes != written:
                return False
            job.error = error
    return True


def _run_apart(connection: sqlite3.Connection, job: Job) -> None:
    """Runs a job that is undone alone if it raises."""
    job.result = job.error = None
    connection.execute("SAVEPOINT job")
    try:
        job.result = job.work(connection)
    except Exception as error:
        if ends_batch(error):
            raise
        job.error = error
        connection.execute("ROLLBACK TO job")
    connection.execute("RELEASE job")


def _give_up(connection: sqlite3.Connection, jobs: Sequence[Job], kind: type[PortError], text: str) -> None:
    if connection.in_transaction:
        try:
            connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            text += f", nor rolled back ({error_name(error)})"
    for job in jobs:
        # A job may have refused because of what another one wrote, which is not there now.
        job.error = kind(text)


def checkpoint(connection: sqlite3.Connection) -> None:
    """Moves the whole WAL into the file and empties it; Unavailable where a reader or the disk prevents it."""
    try:
        busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.Error as error:
        raise Unavailable(f"the WAL cannot be emptied ({error_name(error)})") from error
    if busy:
        raise Unavailable("a reader kept the WAL from being emptied")


def run_alone(connection: sqlite3.Connection, job: Job) -> None:
    """Runs one job outside a transaction, which some pragmas ask for."""
    try:
        job.result = job.work(connection)
    except Exception as error:
        job.error = error
