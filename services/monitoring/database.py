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
from threading import Condition, Event, Lock
from typing import TypeVar

import duckdb

from shared.errors import SettingsError, Unavailable

T = TypeVar("T")
Connection = duckdb.DuckDBPyConnection

# DuckDB's default of 256 kB gives each of a dozen small tables a block or two that are mostly empty, and columns of
# many rows are read as fast from these.
BLOCK_BYTES = 65_536

# DuckDB keeps a table in groups of this many rows, a quarter of its default. Rows beyond whole groups are held, and are
# written once more with those that come.
ROW_GROUP = 30_720

# After a file's name: DuckDB's log of what is not yet in it, and the folder of what did not fit into memory.
WAL = ".wal"
SPILLED = ".tmp"

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
        self._limits = (threads, memory_limit_mb)
        self._name = f"memory{next(_names)}"
        self._scratch = f"{self._name}_scratch"
        self._idle: LifoQueue[Connection] = LifoQueue()
        self._closed = Event()
        self._readers = 0
        self._shut = False
        self._changed = Condition()
        self._threads: dict[str, _Thread] = {}
        if path is None:
            self._root = _memory_instance(threads)
            self._root.cursor().execute(f"ATTACH ':memory:' AS {self._name}")
            # A replica that was killed in the simulation closes nothing; its memory goes with the object.
            self._detach = weakref.finalize(self, _detach, self._root, self._name, self._scratch)
            # At the end of the process the connection may be gone already.
            self._detach.atexit = False
        else:
            self._root = _open(path, self._name, *self._limits)
        self.writer = self._connection()

    def _connection(self) -> Connection:
        connection = self._root.cursor()
        connection.execute(f"USE {self._name}")
        return connection

    @contextmanager
    def reader(self) -> Iterator[Connection]:
        """A connection of the caller's own until the block ends.

        Unavailable once the database is closed, while it is opened anew, and where the file cannot be read.
        """
        with self._changed:
            if self._closed.is_set() or self._shut:
                raise Unavailable("read model")
            self._readers += 1
        try:
            with self._lent() as connection:
                yield connection
        except (duckdb.FatalException, duckdb.IOException) as error:
            raise Unavailable("read model") from error
        finally:
            with self._changed:
                self._readers -= 1
                self._changed.notify_all()

    @contextmanager
    def _lent(self) -> Iterator[Connection]:
        try:
            connection = self._idle.get_nowait()
        except Empty:
            connection = self._connection()
        try:
            yield connection
        finally:
            if self._closed.is_set() or self._shut:
                connection.close()
            else:
                self._idle.put(connection)

    def usable(self) -> bool:
        """Whether the writing connection still answers: DuckDB gives a database up after some errors."""
        try:
            # What reads no table is answered even then.
            self.writer.execute("SELECT 1 FROM duckdb_tables() LIMIT 1")
        except duckdb.Error:
            return False
        return True

    def reopened(self) -> bool:
        """Closes every connection, waiting for readers, and opens the file again; False where it cannot be opened."""
        if self.path is None:
            return False
        with self._changed:
            self._shut = True
            self._changed.wait_for(lambda: self._readers == 0)
        self._close_connections()
        # DuckDB gives the same, useless instance for as long as one connection to it is left.
        self._root.close()
        try:
            self._root = _open(self.path, self._name, *self._limits)
            self.writer = self._connection()
        except (SettingsError, duckdb.Error):
            return False
        with self._changed:
            self._shut = False
        return True

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
        if "writing" not in self._threads:
            self._threads["writing"] = _Thread(self.writer)
        return self._threads["writing"].submit(work)

    def beside(self, work: Callable[[Connection], T]) -> Future[T]:
        """As `in_background`, in another thread and on a connection of its own: for tables that nobody else writes
        then."""
        if "beside" not in self._threads:
            self._threads["beside"] = _Thread(self._connection())
        return self._threads["beside"].submit(work)

    def scratch(self) -> str:
        """The name of a database in memory beside this one, for tables that every connection sees and no file holds;
        it goes when this one is closed."""
        self._root.cursor().execute(f"ATTACH IF NOT EXISTS ':memory:' AS {self._scratch}")
        return self._scratch

    def close(self) -> None:
        """Closes every connection; what was committed stays in the file."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._close_connections()
        if self.path is None:
            self._detach()
        else:
            self._root.close()

    def _close_connections(self) -> None:
        """Those of threads when all was done that they were given."""
        while self._threads:
            self._threads.popitem()[1].close()
        while not self._idle.empty():
            self._idle.get_nowait().close()
        self.writer.close()


class _Thread:
    """A thread that works on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="read-model")

    def submit(self, work: Callable[[Connection], T]) -> Future[T]:
        return self._pool.submit(work, self._connection)

    def close(self) -> None:
        """Waits for all that was submitted."""
        self._pool.shutdown(wait=True)
        self._connection.close()


def _detach(root: Connection, *names: str) -> None:
    for name in names:
        root.cursor().execute(f"DETACH DATABASE IF EXISTS {name}")


def _open(path: Path, name: str, threads: int, memory_limit_mb: int) -> Connection:
    """An instance with the file attached as `name`: only so does DuckDB take the size of row groups."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        config: dict[str, str | bool | int | float | list[str]] = {
            "threads": threads,
            "memory_limit": f"{memory_limit_mb}MB",
            "temp_directory": f"{path}{SPILLED}",
        }
        root = duckdb.connect(":memory:", config=config)
        file = str(path).replace("'", "''")
        root.execute(f"ATTACH '{file}' AS {name} (BLOCK_SIZE {BLOCK_BYTES}, ROW_GROUP_SIZE {ROW_GROUP})")
    except (OSError, duckdb.Error) as error:
        raise SettingsError(f"read model {path}: {type(error).__name__}") from error
    return root
