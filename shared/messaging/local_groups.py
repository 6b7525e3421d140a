"""Groups of the local log: partitions over members, batches, and positions that follow the handler."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import structlog

from shared.clock import Runtime
from shared.errors import PortError
from shared.messaging.delivery import BATCH_RECORDS, STOP_SECONDS, handler_failed, pause_s
from shared.messaging.partitions import READ_BYTES
from shared.messaging.port import BatchHandler, Position, Record

# What follows at once joins the next batch: most events come in company, and a batch of each would cost as much.
BATCH_EVERY_S = 0.05
logger = structlog.get_logger()


class Source(Protocol):
    """What a group needs of its log."""

    def end(self, position: Position) -> int: ...

    def fetch(self, position: Position, offset: int, limit: int) -> list[Record]: ...

    def commit(self, group: str, offsets: Mapping[Position, int]) -> asyncio.Future[None]: ...


class Taken(NamedTuple):
    """A member's batch, and for each of its partitions the offset after its last record."""

    records: list[Record]
    ends: dict[Position, int]


def assigned(
    partitions: Sequence[Position], members: Mapping[int, frozenset[str]], before: Mapping[Position, int]
) -> dict[Position, int]:
    """Who reads which partition: as before where that is still even to within one, else the fewest moves.

    `members` maps a member's number to its topics. A partition whose topic nobody reads is left out.
    """
    load = dict.fromkeys(members, 0)
    owners: dict[Position, int] = {}
    for position in partitions:
        owner = before.get(position)
        if owner is not None and position[0] in members.get(owner, ()):
            owners[position] = owner
            load[owner] += 1
    for position in partitions:
        readers = [member for member in members if position[0] in members[member]]
        if not readers:
            continue
        least = min(readers, key=lambda member: load[member])
        owner = owners.get(position)
        if owner is None or load[owner] > load[least] + 1:
            owners[position] = least
            load[least] += 1
            if owner is not None:
                load[owner] -= 1
    return owners


class Group:
    """The members of one group in this process and the offsets that each partition is read from next."""

    def __init__(self, name: str, source: Source, positions: Mapping[Position, int]) -> None:
        self.name = name
        self.source = source
        self.next = dict(positions)
        self._members: dict[int, LocalSubscription] = {}
        self._owners: dict[Position, int] = {}
        self._busy: dict[Position, int] = {}
        self._joined = 0

    def join(self, member: LocalSubscription, partitions: Sequence[Position]) -> int:
        """Adds the member and shares the partitions out anew; returns its number."""
        self._joined += 1
        self._members[self._joined] = member
        for position in partitions:
            self.next.setdefault(position, 0)
        self._rebalance()
        return self._joined

    def leave(self, number: int) -> None:
        if self._members.pop(number, None) is not None:
            self.release(number)
            self._rebalance()

    def take(self, number: int, turn: int) -> Taken:
        """The member's next batch; its partitions are busy until `release`, so that no other member reads them.

        `turn` moves the partition that comes first, or a full one would starve the others.
        """
        mine = [position for position, owner in self._owners.items() if owner == number]
        taken, size = Taken([], {}), 0
        for index in range(len(mine)):
            position = mine[(index + turn) % len(mine)]
            start = self.next[position]
            if position in self._busy or start >= self.source.end(position):
                continue
            if records := self.source.fetch(position, start, BATCH_RECORDS - len(taken.records)):
                taken.records.extend(records)
                taken.ends[position] = records[-1].offset + 1
                self._busy[position] = number
            if len(taken.records) >= BATCH_RECORDS:
                break
            size += sum(len(record.value or b"") for record in records)
            if size > READ_BYTES:
                break
        return taken

    def done(self, taken: Taken) -> None:
        """Moves the positions over a batch whose handler returned."""
        self.next.update(taken.ends)

    def release(self, number: int) -> None:
        self._busy = {position: owner for position, owner in self._busy.items() if owner != number}
        if any(owner != number for owner in self._owners.values()):
            self.wake()

    def wake(self, topics: frozenset[str] | None = None) -> None:
        for member in self._members.values():
            if topics is None or topics & member.topics:
                member.wake.set()

    def _rebalance(self) -> None:
        topics = {number: member.topics for number, member in self._members.items()}
        self._owners = assigned(list(self.next), topics, self._owners)
        self.wake()


class LocalSubscription:
    """One member of a group: takes batches and hands them to its handler, one at a time."""

    def __init__(
        self,
        group: Callable[[], Group],
        partitions: Sequence[Position],
        handler: BatchHandler,
        runtime: Runtime,
        started: Callable[[LocalSubscription], None],
    ) -> None:
        self.topics = frozenset(topic for topic, _ in partitions)
        self.wake = asyncio.Event()
        self._find_group = group
        self._partitions = partitions
        self._handler = handler
        self._runtime = runtime
        self._started = started
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        self._moved: dict[Position, int] = {}
        self._commit: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        return self._task is not None and not self._task.done()

    async def start(self) -> None:
        if self.running:
            return
        self._stopping = False
        group = self._find_group()
        number = group.join(self, self._partitions)
        self._started(self)
        self._task = self._runtime.spawn(self._run(group, number), f"log-{group.name}-{number}", lasting=True)

    async def stop(self) -> None:
        """Lets a handler in flight end within 15 s; later it is cancelled, and its batch is read again."""
        if self._task is None:
            return
        self._stopping = True
        self.wake.set()
        _, late = await asyncio.wait({self._task}, timeout=STOP_SECONDS)
        if late:
            logger.warning("handler_cancelled", seconds=STOP_SECONDS)
        await self.abort()

    async def abort(self) -> None:
        """Ends at once as a crash would: nothing more is committed, the group shares out what this member had."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self, group: Group, number: int) -> None:
        turn = attempt = 0
        next_at = 0.0
        try:
            while not self._stopping:
                self.wake.clear()
                taken = Taken([], {})
                try:
                    if (early := next_at - self._runtime.monotonic()) > 0:
                        await self._runtime.sleep(early)
                    taken = group.take(number, turn)
                    if not taken.records:
                        await self.wake.wait()
                        continue
                    turn += 1
                    many = len(taken.records)
                    next_at = self._runtime.monotonic() + (BATCH_EVERY_S if many < BATCH_RECORDS else 0.0)
                    await self._handler(taken.records)
                except Exception as error:
                    attempt += 1
                    handler_failed(group.name, error, len(taken.records), attempt)
                    await self._pause(pause_s(attempt))
                else:
                    attempt = 0
                    self._move(group, taken)
                group.release(number)
                # A handler that never waits would keep the positions unwritten, and `stop` unheard.
                await asyncio.sleep(0)
            await self._committed()
        finally:
            if self._commit is not None:
                self._commit.cancel()
            group.leave(number)

    def _move(self, group: Group, taken: Taken) -> None:
        """Sends the batch's positions to the file; reading goes on while they are written."""
        group.done(taken)
        self._moved.update(taken.ends)
        if self._commit is None or self._commit.done():
            self._commit = self._runtime.spawn(self._write(group), f"log-commit-{group.name}")

    async def _committed(self) -> None:
        """Waits until every position is written, or was given up."""
        if self._commit is not None:
            await asyncio.shield(self._commit)

    async def _write(self, group: Group) -> None:
        """One commit at a time; what moves meanwhile goes into the next one."""
        attempt = 0
        while self._moved:
            offsets, self._moved = self._moved, {}
            try:
                await group.source.commit(group.name, offsets)
            except PortError as error:
                attempt += 1
                self._moved = {**offsets, **self._moved}
                logger.warning("commit_failed", group=group.name, error=type(error).__name__, attempt=attempt)
                await self._runtime.sleep(pause_s(attempt))
            else:
                attempt = 0

    async def _pause(self, seconds: float) -> None:
        """Sleeps, but not beyond `stop`."""
        try:
            async with asyncio.timeout(seconds):
                while not self._stopping:
                    self.wake.clear()
                    await self.wake.wait()
        except TimeoutError:
            pass
