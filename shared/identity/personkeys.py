"""One data key a person (AES-256), in a store of its own that no backup of data holds.

A key is durable before it is handed out, so nothing is ever sealed under a key that a crash could take away.
Destroying it is the erasure: a stub stays, and the person gets no second key.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Protocol, TypeVar

from shared.errors import SettingsError, Unavailable
from shared.identity.keyfiles import KEY_BYTES, NO_ROOM, KeyDestroyed, private_folder

T = TypeVar("T")

_SETTINGS = {"journal_mode": "wal", "synchronous": "2", "secure_delete": "1"}


class PersonKeys(Protocol):
    """Data keys of 32 bytes by person id."""

    async def key(self, person: str) -> bytes:
        """The person's key; made, and durable, where there was none. Raises KeyDestroyed, Unavailable."""
        ...

    async def existing(self, person: str) -> bytes | None:
        """The person's key, or None where there never was one. Raises KeyDestroyed, Unavailable."""
        ...

    async def destroy(self, person: str) -> None:
        """Destroys the key for good; also where there was none yet."""
        ...

    async def destroyed(self) -> list[str]:
        """The persons whose keys were destroyed: what no backup of data holds, and no restore brings back."""
        ...

    async def close(self) -> None: ...


class PersonKeysInMemory:
    """For the simulation: keys from the given randomness."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._keys: dict[str, bytes | None] = {}

    async def key(self, person: str) -> bytes:
        found = await self.existing(person)
        if found is None:
            found = self._keys[person] = self._rng.randbytes(KEY_BYTES)
        return found

    async def existing(self, person: str) -> bytes | None:
        if person not in self._keys:
            return None
        found = self._keys[person]
        if found is None:
            raise KeyDestroyed
        return found

    async def destroy(self, person: str) -> None:
        self._keys[person] = None

    async def destroyed(self) -> list[str]:
        return sorted(person for person, key in self._keys.items() if key is None)

    async def close(self) -> None:
        return None


@dataclass(slots=True)
class _Take:
    """Somebody who waits for a person's key, and what the thread found."""

    person: str
    waiter: asyncio.Future[bytes]
    answer: bytes | Exception | None = None


class PersonKeyFile:
    """A SQLite file (WAL, synchronous=FULL, secure_delete) with one thread of its own.

    What is asked while the thread commits goes into its next transaction. Several processes on one machine may
    share the file; the first key of a person wins.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rng = random.SystemRandom()
        self._connection: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="person-keys")
        self._takes: SimpleQueue[_Take] = SimpleQueue()
        self._called = False

    async def key(self, person: str) -> bytes:
        take = _Take(person, asyncio.get_running_loop().create_future())
        self._takes.put(take)
        if not self._called:
            self._called = True
            self._thread.submit(self._take_all)
        return await take.waiter

    async def existing(self, person: str) -> bytes | None:
        return await self._run(lambda connection: _select(connection, person))

    async def destroy(self, person: str) -> None:
        await self._run(lambda connection: _destroy(connection, person))

    async def destroyed(self) -> list[str]:
        return await self._run(_destroyed)

    async def close(self) -> None:
        """Closes the file; the next call opens it again."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._guarded, work)

    def _guarded(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._connection is None:
            self._connection = _open(self._path)
        try:
            return work(self._connection)
        except sqlite3.Error as error:
            # The next call opens the file anew; a connection after an I/O error may be of no further use.
            self._close()
            raise Unavailable(f"person keys ({getattr(error, 'sqlite_errorname', type(error).__name__)})") from error

    def _take_all(self) -> None:
        """In the thread: makes what was asked for in one transaction; waiters hear of it after the commit."""
        # Before the queue is emptied: whoever asks from now on calls again.
        self._called = False
        takes: list[_Take] = []
        with contextlib.suppress(Empty):
            while True:
                takes.append(self._takes.get_nowait())
        if not takes:
            return
        try:
            self._guarded(lambda connection: self._take(connection, takes))
        except Exception as error:
            for take in takes:
                take.answer = error
        for loop, own in groupby(takes, lambda take: take.waiter.get_loop()):
            # A loop that was closed meanwhile has nobody who waits.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_settle, list(own))

    def _take(self, connection: sqlite3.Connection, takes: Sequence[_Take]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        for take in takes:
            key = self._rng.randbytes(KEY_BYTES)
            made = connection.execute(
                "INSERT OR IGNORE INTO person_keys (person, key) VALUES (?, ?)", (take.person, key)
            )
            try:
                take.answer = key if made.rowcount else _select(connection, take.person)
            except KeyDestroyed as destroyed:
                take.answer = destroyed
        # Returns after its fsync: no key is handed out before.
        connection.execute("COMMIT")

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _open(path: Path) -> sqlite3.Connection:
    private_folder(path.parent)
    try:
        # Made here, since the WAL takes the file's mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(path, isolation_level=None, timeout=5.0)
        for name, value in _SETTINGS.items():
            connection.execute(f"PRAGMA {name}={value}").fetchall()
        wrong = [n for n, v in _SETTINGS.items() if str(connection.execute(f"PRAGMA {n}").fetchone()[0]) != v]
        connection.execute("CREATE TABLE IF NOT EXISTS person_keys (person TEXT PRIMARY KEY, key BLOB) WITHOUT ROWID")
    except (OSError, sqlite3.Error) as error:
        kind = Unavailable if _passes(error) else SettingsError
        raise kind(f"{path} cannot be used for person keys ({type(error).__name__})") from error
    if wrong:
        connection.close()
        raise SettingsError(f"{path} does not allow {', '.join(wrong)}")
    return connection


def _passes(error: OSError | sqlite3.Error) -> bool:
    """Whether the disk is at fault, as one without room is, and not the file that was named."""
    if isinstance(error, OSError):
        return error.errno in NO_ROOM
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


def _settle(takes: Sequence[_Take]) -> None:
    for take in takes:
        if take.waiter.done():
            continue
        if isinstance(take.answer, bytes):
            take.waiter.set_result(take.answer)
        else:
            # Each gets an error of its own: a traceback would grow with everyone who raises the same one.
            error = take.answer or Unavailable("person keys")
            take.waiter.set_exception(type(error)(*error.args))


def _select(connection: sqlite3.Connection, person: str) -> bytes | None:
    row = connection.execute("SELECT key FROM person_keys WHERE person = ?", (person,)).fetchone()
    if row is None:
        return None
    if row[0] is None:
        raise KeyDestroyed
    return bytes(row[0])


def _destroyed(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("SELECT person FROM person_keys WHERE key IS NULL ORDER BY person").fetchall()
    return [str(person) for (person,) in rows]


def _destroy(connection: sqlite3.Connection, person: str) -> None:
    connection.execute(
        "INSERT INTO person_keys (person, key) VALUES (?, NULL) ON CONFLICT (person) DO UPDATE SET key = NULL",
        (person,),
    )
    # Older frames of the WAL still hold the key until it is emptied.
    busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    if busy:
        raise Unavailable("person keys are being read; destroy again")
