"""The log on one machine: a SQLite file with partitions, groups, positions and compaction as on Kafka.

One process writes the file; another one may read it and have the first one write (`shared/messaging/local_lent.py`).
In memory (`path` None) it has no threads and no clock of its own: the simulation's log.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import structlog

from shared.clock import Runtime, stop_tasks
from shared.errors import PortError, Unavailable, UnknownOutcome
from shared.messaging.local_file import Append, Commit, Compact, LogFile, Operation, Shown
from shared.messaging.local_groups import Group, LocalSubscription
from shared.messaging.local_writer import Floor, InlineWriter, Tails, ThreadedWriter, Transactions, Writer, milliseconds
from shared.messaging.partitions import check_message, check_place, declared, partition_of
from shared.messaging.port import Batch, BatchHandler, Message, Position, Record, Subscription, Topic

if TYPE_CHECKING:
    from shared.messaging.columns import Columns

COMPACTION_LAG_S = 3600.0
# An instant is taken as over when the ends asked for then are 5 s old (kernel.md, section 8); so what the file holds of
# the instants shown may lag by a little less.
SHOWN_LAG_MS = 4_000
# At once by columns.
COLUMN_RECORDS = 10_000

T = TypeVar("T")
logger = structlog.get_logger()


class LocalLog:
    """`shared.messaging.port.Log` on SQLite. Everything acknowledged is on the disk (file mode).

    A second process on the same file is refused with SettingsError. `stop` keeps an in-memory log's records;
    `close` drops them.
    """

    def __init__(self, path: Path | None, topics: Sequence[Topic], runtime: Runtime) -> None:
        self.topics = {topic.name: topic for topic in topics}
        self._path = path
        self._runtime = runtime
        self._file = LogFile(path)
        self._writer: Writer | None = None
        self._opened = False
        self._floor = Floor(0, 0)
        self._shown_kept_ms = 0
        self._ends: dict[Position, int] = {}
        self._positions_of: dict[str, list[Position]] = {}
        self._groups: dict[str, Group] = {}
        self._subscriptions: list[LocalSubscription] = []
        self._waiters: dict[asyncio.Future[None], frozenset[str]] = {}
        self._followers: list[Callable[[Tails], None]] = []
        self._compactor: asyncio.Task[None] | None = None

    async def start(self) -> None:
        if self._writer is not None:
            return
        if not self._opened:
            self._file.open(list(self.topics.values()))
            self._opened = True
        transactions = Transactions(self._file, self._runtime.now)
        self._floor, self._shown_kept_ms = transactions.floor, transactions.floor.shown_ms
        self._look()
        if self._path is None:
            self._writer = InlineWriter(transactions, self._grown)
        else:
            self._writer = ThreadedWriter(transactions, self._grown, f"log-{self._path.name}")
            self._compactor = self._runtime.spawn(self._compact_hourly(), "log-compaction", lasting=True)

    def _look(self) -> None:
        """How far the file goes."""
        self._ends = {position: tail.end for position, tail in self._file.tails(self._file.reader).items()}

    async def stop(self) -> None:
        """Stops the members, waits until what was submitted is committed, closes the file."""
        await self._leave()
        if self._compactor is not None:
            await stop_tasks([self._compactor])
            self._compactor = None
        writer, self._writer = self._writer, None
        if writer is not None and self._path is not None:
            writer.flush()
            await self._runtime.in_pool(writer.stop)
            # The last futures are resolved by callbacks that the writer's thread has just queued.
            await asyncio.sleep(0)
            self.close()

    async def _leave(self) -> None:
        """Stops the members of every group."""
        await asyncio.gather(*(subscription.stop() for subscription in list(self._subscriptions)))
        self._subscriptions.clear()
        self._groups.clear()

    def close(self) -> None:
        """Closes the file; an in-memory log is gone with that."""
        if self._opened:
            self._file.close()
            self._opened = False

    def partition_of(self, topic: str, key: str) -> int:
        return partition_of(self.topics, topic, key)

    async def append(self, topic: str, partition: int, messages: Sequence[Message]) -> None:
        await self.append_in_order([(topic, partition, messages)])

    async def append_in_order(self, batches: Sequence[Batch]) -> None:
        """All of them in one transaction."""
        for topic, partition, messages in batches:
            check_place(self.topics, topic, partition)
            for message in messages:
                check_message(message)
        appended = [((topic, partition), messages) for topic, partition, messages in batches if messages]
        if appended:
            await self.submit(Append(appended))

    def subscribe(self, group: str, topics: Sequence[str], handler: BatchHandler) -> Subscription:
        partitions = self._partitions(topics)
        return LocalSubscription(lambda: self._group(group), partitions, handler, self._runtime, self._started)

    async def read(self, topic: str, partition: int, offset: int, limit: int = 1000) -> list[Record]:
        check_place(self.topics, topic, partition)
        return self._reading(lambda: self._file.read((topic, partition), offset, limit))

    async def read_columns(self, topic: str, partition: int, offset: int) -> Columns:
        # Not at the top: few processes read by columns.
        from shared.messaging.columns import RecordColumns

        return RecordColumns(await self.read(topic, partition, offset, COLUMN_RECORDS))

    async def wait(self, topics: Sequence[str], ends: Mapping[Position, int], timeout: float) -> None:
        positions = self._partitions(topics)
        if any(
            at > ends.get(position, 0)
            for position, at in zip(positions, map(self._ends.__getitem__, positions), strict=True)
        ):
            return
        grown: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters[grown] = frozenset(topics)
        over = asyncio.get_running_loop().call_later(timeout, _woken, grown)
        try:
            await grown
        finally:
            over.cancel()
            del self._waiters[grown]

    async def ends(self, topics: Sequence[str]) -> dict[Position, int]:
        positions = self._partitions(topics)
        return self._reading(lambda: {position: self._ends[position] for position in positions})

    async def final_ends(self, topics: Sequence[str]) -> dict[Position, int]:
        await self.show(milliseconds(self._runtime.now()))
        return await self.ends(topics)

    async def show(self, now_ms: int) -> None:
        """Nothing is stamped before that instant (ms since 1970) any more."""
        shown_ms = self._floor.show(now_ms)
        if shown_ms - self._shown_kept_ms > SHOWN_LAG_MS:
            # After a restart with a clock that went back, the file alone knows what was shown.
            try:
                await self.submit(Shown(shown_ms))
            except UnknownOutcome as error:
                # Kept or not, nobody was told of the instant yet.
                raise Unavailable("log: the instant shown") from error
            self._shown_kept_ms = max(shown_ms, self._shown_kept_ms)

    async def positions(self, group: str, topics: Sequence[str]) -> dict[Position, int]:
        kept = self._reading(lambda: self._file.positions(group))
        return {position: kept.get(position, 0) for position in self._partitions(topics)}

    async def settings(self) -> dict[str, str]:
        pragmas = self._reading(self._file.pragmas)
        found = {"log.adapter": "local", "log.file": str(self._path or "memory")}
        found |= {f"log.sqlite.{name}": value for name, value in pragmas.items()}
        for topic in self.topics.values():
            found[f"topic.{topic.name}.partitions"] = str(topic.partitions)
            found[f"topic.{topic.name}.cleanup.policy"] = "compact" if topic.compacted else "keep"
        return found

    async def compact(self, topic: str) -> None:
        """Keeps the last record a key in each partition; offsets stay, and so does a partition's last record."""
        declared(self.topics, topic)
        await self.submit(Compact(topic))

    def end(self, position: Position) -> int:
        return self._ends[position]

    def fetch(self, position: Position, offset: int, limit: int) -> list[Record]:
        return self._reading(lambda: self._file.read(position, offset, limit))

    def commit(self, group: str, offsets: Mapping[Position, int]) -> asyncio.Future[None]:
        return self.submit(Commit(group, offsets))

    def submit(self, operation: Operation) -> asyncio.Future[None]:
        """Done once it is committed. Raises Unavailable."""
        if self._writer is None:
            raise Unavailable("log: not started")
        return self._writer.submit(operation)

    def follow(self, grown: Callable[[Tails], None]) -> Callable[[], None]:
        """`grown` hears of the new ends after each commit, until what is returned is called."""
        self._followers.append(grown)
        return lambda: self._followers.remove(grown)

    def _reading(self, work: Callable[[], T]) -> T:
        if self._writer is None:
            raise Unavailable("log: not started")
        try:
            return work()
        except sqlite3.Error as error:
            raise Unavailable(f"log: {error}") from error

    def _partitions(self, topics: Sequence[str]) -> list[Position]:
        return [position for name in topics for position in self._positions(name)]

    def _positions(self, topic: str) -> list[Position]:
        found = self._positions_of.get(topic)
        if found is None:
            found = [(topic, number) for number in range(declared(self.topics, topic).partitions)]
            self._positions_of[topic] = found
        return found

    def _group(self, name: str) -> Group:
        if name not in self._groups:
            self._groups[name] = Group(name, self, self._reading(lambda: self._file.positions(name)))
        return self._groups[name]

    def _started(self, subscription: LocalSubscription) -> None:
        self._subscriptions = [kept for kept in self._subscriptions if kept.running]
        self._subscriptions.append(subscription)

    def _grown(self, tails: Tails) -> None:
        """After a commit: the new ends are visible, and whoever waits for one of these topics wakes."""
        if not tails:
            return
        for position, tail in tails.items():
            # Another process looks at the file before it is told, and so may know more already.
            self._ends[position] = max(tail.end, self._ends[position])
        topics = frozenset(topic for topic, _ in tails)
        for group in self._groups.values():
            group.wake(topics)
        for waiter, wanted in self._waiters.items():
            if wanted & topics:
                _woken(waiter)
        for follower in self._followers:
            follower(tails)

    async def _compact_hourly(self) -> None:
        """What a compacted topic supersedes, an erased person's timeline above all, is gone within two hours."""
        compacted = [topic.name for topic in self.topics.values() if topic.compacted]
        done: dict[str, int] = {}
        while compacted:
            await self._runtime.sleep(COMPACTION_LAG_S)
            for name in compacted:
                total = sum(self.end(position) for position in self._partitions([name]))
                if done.get(name) == total:
                    continue
                try:
                    await self.submit(Compact(name))
                    done[name] = total
                except PortError as error:
                    logger.warning("compaction_failed", topic=name, error=type(error).__name__)


def _woken(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
