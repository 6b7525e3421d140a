"""One DuckDB database, as a file or in memory, with one connection that writes and a few that read."""

from __future__ import annotations

import atexit
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from queue import Empty, LifoQueue
from threading import Event, Lock
from typing import TypeVar

import duckdb

from shared.errors import SettingsError, Unavailable

T = TypeVar("T")
Connection = duckdb.DuckDBPyConnection

_instance_lock = Lock()
_instance: Connection | None = None
_names = count(1)


def _memory_instance(threads: int) -> Connection:
    """The process's one in-memory DuckDB. A database of its own costs 1 ms there, an instance 20 to 60 ms."""
    global _instance
    with _instance_lock:
        if _instance is None:
            _instance = duckdb.connect(":memory:", config={"threads": threads})
            atexit.register(_instance.close)
        return _instance


class Database:
    """`path` None keeps it in memory. SettingsError where a file is in use by another process or not writable."""

    def __init__(self, path: Path | None, *, threads: int = 2, memory_limit_mb: int = 1024) -> None:
        self.path = path
        self._name = f"memory{next(_names)}"
        self._idle: LifoQueue[Connection] = LifoQueue()
        self._closed = Event()
        self._thread: ThreadPoolExecutor | None = None
        if path is None:
            self._root = _memory_instance(threads)
            self._root.cursor().execute(f"ATTACH ':memory:' AS {self._name}")
            # A replica that was killed in the simulation closes nothing; its memory goes with the object.
            self._detach = weakref.finalize(self, _detach, self._root, self._name)
        else:
            self._root = _open(path, threads, memory_limit_mb)
        self.writer = self._connection()

    def _connection(self) -> Connection:
        connection = self._root.cursor()
        if self.path is None:
            connection.execute(f"USE {self._name}")
        return connection

    @contextmanager
    def reader(self) -> Iterator[Connection]:
        """A connection of the caller's own until the block ends; Unavailable once the database is closed."""
        if self._closed.is_set():
            raise Unavailable("read model")
        try:
            connection = self._idle.get_nowait()
        except Empty:
            connection = self._connection()
        try:
            yield connection
        finally:
            if self._closed.is_set():
                connection.close()
            else:
                self._idle.put(connection)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """The writing connection in a transaction: all of the block or nothing of it."""
        self.writer.execute("BEGIN")
        try:
            yield self.writer
        except BaseException:
            self.writer.execute("ROLLBACK")
            raise
        self.writer.execute("COMMIT")

    def in_background(self, work: Callable[[Connection], T]) -> Future[T]:
        """Runs work on the writing connection in this database's own thread, one piece after the other; nobody else
        may use the connection meanwhile. `close` waits for all of it."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="read-model")
        return self._thread.submit(work, self.writer)

    def close(self) -> None:
        """Closes every connection; what was committed stays in the file."""
        if self._closed.is_set():
            return
        self._closed.set()
        if self._thread is not None:
            self._thread.shutdown(wait=True)
        while not self._idle.empty():
            self._idle.get_nowait().close()
        self.writer.close()
        if self.path is None:
            self._detach()
        else:
            self._root.close()


def _detach(root: Connection, name: str) -> None:
    root.cursor().execute(f"DETACH DATABASE IF EXISTS {name}")


def _open(path: Path, threads: int, memory_limit_mb: int) -> Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        config: dict[str, str | bool | int | float | list[str]] = {
            "threads": threads,
            "memory_limit": f"{memory_limit_mb}MB",
        }
        return duckdb.connect(str(path), config=config)
    except (OSError, duckdb.Error) as error:
        raise SettingsError(f"read model {path}: {type(error).__name__}") from error
