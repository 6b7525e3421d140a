"""Who writes the local log: a thread with group commit on a file, the caller itself in memory."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from shared.errors import PortError, Unavailable, UnknownOutcome
from shared.messaging.local_file import Append, Commit, Compact, LogFile, Operation, Tail
from shared.messaging.port import Position
from shared.store.sqlite_batch import is_full

LONGEST_COMMIT = 1000
# A position goes to the disk with the next append, and alone where none comes so soon.
POSITION_WAITS_S = 0.05

Tails = dict[Position, Tail]
Job = tuple[Operation, asyncio.Future[None]]


class Floor:
    """The greatest instant, in ms since 1970, that the log ever stamped or showed, over all partitions.

    A clock that steps back must not stamp a record before an instant as of which somebody was told that all is
    known. `shown_ms` and `stamped_ms` are each written by one thread.
    """

    def __init__(self, shown_ms: int, stamped_ms: int) -> None:
        self.shown_ms = shown_ms
        self.stamped_ms = stamped_ms

    def stamp(self, now: datetime) -> int:
        self.stamped_ms = max(milliseconds(now), self.stamped_ms, self.shown_ms)
        return self.stamped_ms

    def show(self, now_ms: int) -> int:
        self.shown_ms = max(now_ms, self.shown_ms)
        return self.shown_ms


def milliseconds(now: datetime) -> int:
    return int(now.timestamp() * 1000)


class Transactions:
    """Applies operations in one transaction each; knows the end of every partition. Used by one thread."""

    def __init__(self, file: LogFile, now: Callable[[], datetime]) -> None:
        self._file = file
        self._now = now
        self._tails = file.tails(file.writer)
        stamped_ms = max((tail.appended_ms for tail in self._tails.values()), default=0)
        self.floor = Floor(file.shown_ms(), stamped_ms)

    def run(self, operations: list[Operation]) -> Tails:
        """Commits all of them or raises: Unavailable (nothing was done) or UnknownOutcome. Returns the new ends."""
        if not all(isinstance(operation, Commit) for operation in operations):
            return self._run(operations)
        # A position that a power cut takes back is a second delivery, no loss: it need not wait for the disk, and
        # the next append's sync takes it along. A killed process loses none.
        self._file.synchronous("NORMAL")
        try:
            return self._run(operations)
        finally:
            self._file.synchronous("FULL")

    def _run(self, operations: list[Operation]) -> Tails:
        moved: Tails = {}
        try:
            self._file.writer.execute("BEGIN IMMEDIATE")
            now_ms = self.floor.stamp(self._now())
            for operation in operations:
                self._apply(operation, moved, now_ms)
        except sqlite3.Error as error:
            self._roll_back()
            raise Unavailable(f"log: {error}") from error
        except BaseException:
            # A transaction that stayed open would refuse every later one.
            self._roll_back()
            raise
        try:
            self._file.writer.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            if is_full(error):
                # The frame that commits is the last to be written, and it was not.
                raise Unavailable(f"log: {error}") from error
            # The frames may lie in the WAL all the same; a crash now could bring them to life.
            raise UnknownOutcome(f"log: {error}") from error
        self._file.ended(committed=True)
        self._tails.update(moved)
        return moved

    def _apply(self, operation: Operation, moved: Tails, now_ms: int) -> None:
        if isinstance(operation, Append):
            for position, messages in operation.batches:
                tail = moved.get(position, self._tails[position])
                moved[position] = self._file.insert(position, messages, tail, now_ms)
        elif isinstance(operation, Commit):
            self._file.move(operation)
        elif isinstance(operation, Compact):
            self._file.compact(operation.topic)
        else:
            self._file.show(operation)

    def _roll_back(self) -> None:
        if self._file.writer.in_transaction:
            self._file.writer.execute("ROLLBACK")
        self._file.ended(committed=False)


class Writer(Protocol):
    """Takes operations; each future is done after its transaction, in the event loop."""

    def submit(self, operation: Operation) -> asyncio.Future[None]: ...

    def flush(self) -> None:
        """Writes at once what waits for company."""
        ...

    def stop(self) -> None:
        """Returns when everything that was submitted is committed."""
        ...


class InlineWriter:
    """Writes at once in the event loop, without a thread: the simulation replays exactly."""

    def __init__(self, transactions: Transactions, grown: Callable[[Tails], None]) -> None:
        self._transactions = transactions
        self._grown = grown

    def submit(self, operation: Operation) -> asyncio.Future[None]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            tails = self._transactions.run([operation])
        except PortError as error:
            done.set_exception(error)
        else:
            done.set_result(None)
            self._grown(tails)
        return done

    def flush(self) -> None:
        """Nothing ever waits."""

    def stop(self) -> None:
        """Nothing is ever left to write."""


class ThreadedWriter:
    """One thread writes the file: what has queued up while it committed goes into the next transaction."""

    def __init__(self, transactions: Transactions, grown: Callable[[Tails], None], name: str) -> None:
        self._transactions = transactions
        self._grown = grown
        self._loop = asyncio.get_running_loop()
        self._submitted: list[Job] = []
        self._positions: list[Job] = []
        self._later: asyncio.TimerHandle | None = None
        self._jobs: queue.SimpleQueue[list[Job] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, operation: Operation) -> asyncio.Future[None]:
        done: asyncio.Future[None] = self._loop.create_future()
        if isinstance(operation, Commit):
            self._positions.append((operation, done))
            if self._later is None:
                self._later = self._loop.call_later(POSITION_WAITS_S, self._hand_over)
            return done
        if not self._submitted:
            self._loop.call_soon(self._hand_over)
        self._submitted.append((operation, done))
        return done

    def flush(self) -> None:
        self._hand_over()

    def _hand_over(self) -> None:
        """What was submitted in one turn of the loop goes to the thread together, and mostly into one commit."""
        if self._later is not None:
            self._later.cancel()
            self._later = None
        submitted, self._submitted = [*self._submitted, *self._positions], []
        self._positions = []
        if submitted:
            self._jobs.put(submitted)

    def stop(self) -> None:
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        open_ = True
        while open_:
            jobs, open_ = self._drain()
            if not jobs:
                continue
            tails: Tails = {}
            error: PortError | None = None
            try:
                tails = self._transactions.run([operation for operation, _ in jobs])
            except PortError as raised:
                error = raised
            except Exception as raised:
                # Whatever it was: waiters must hear of it, and the thread serves the next ones.
                error = UnknownOutcome(f"log: {type(raised).__name__}")
            try:
                self._loop.call_soon_threadsafe(self._resolve, jobs, tails, error)
            except RuntimeError:
                # The loop was closed with work in flight: nobody waits any more, the data is safe.
                return

    def _drain(self) -> tuple[list[Job], bool]:
        """Waits for jobs, then takes what is there; False with the mark that the writer ends."""
        jobs: list[Job] = []
        some = self._jobs.get()
        while some is not None:
            jobs += some
            if len(jobs) >= LONGEST_COMMIT:
                return jobs, True
            try:
                some = self._jobs.get_nowait()
            except queue.Empty:
                return jobs, True
        return jobs, False

    def _resolve(self, jobs: list[Job], tails: Tails, error: PortError | None) -> None:
        self._grown(tails)
        for _, done in jobs:
            if done.done():
                continue
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(type(error)(*error.args))
