"""The log port behind a bad wire, with group membership of its own.

One process is kinder than Kafka, so members, generations and commits are played here, over the inner log's
`read`, `ends` and `wait` alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shared.errors import PortError, Unavailable, UnknownOutcome
from shared.messaging.port import Batch, BatchHandler, Log, Message, Position, Record, Topic
from shared.messaging.topics import TOPICS
from shared.testing.faults import FaultPlan, Wire
from shared.testing.groups import HEARTBEAT_SECONDS, Groups
from shared.testing.steps import replica

if TYPE_CHECKING:
    from shared.messaging.columns import Columns

IDLE_SECONDS = 3.0
HELD_SECONDS = 0.3
STOP_SECONDS = 15.0
REWIND_AT_MOST = 20
LIMITS = (1, 2, 5, 50)
Wanted = Callable[[Mapping[Position, int]], Mapping[Position, tuple[int, int]]]


class FaultyLog:
    """One log as all replicas see it. Whoever made the log starts and stops it."""

    def __init__(self, log: Log, plan: FaultPlan, topics: Mapping[str, Topic] = TOPICS) -> None:
        self.plan = plan
        self.wire = Wire(plan)
        self.groups = Groups(plan, {topic.name: topic.partitions for topic in topics.values()})
        self._log = log
        self._members = 0
        self._waiting: dict[asyncio.Future[None], Collection[Position]] = {}
        self._readers: set[str] = set()

    def next_member(self) -> int:
        """A number for a new member's name."""
        self._members += 1
        return self._members

    async def start(self) -> None:
        await self.wire.carry("log.start", _nothing)

    async def stop(self) -> None:
        """Leaves the log open for the other replicas."""

    def partition_of(self, topic: str, key: str) -> int:
        return self._log.partition_of(topic, key)

    async def append(self, topic: str, partition: int, messages: Sequence[Message]) -> None:
        copy = tuple(messages)

        async def appended() -> None:
            await self._log.append(topic, partition, copy)
            for waiter, positions in self._waiting.items():
                if (topic, partition) in positions:
                    _woken(waiter)

        await self.wire.carry("log.append", appended, writes=True)

    async def append_in_order(self, batches: Sequence[Batch]) -> None:
        """One after the other, as on Kafka: each may be the last that lands."""
        for topic, partition, messages in batches:
            await self.append(topic, partition, messages)

    def subscribe(self, group: str, topics: Sequence[str], handler: BatchHandler) -> FaultySubscription:
        return FaultySubscription(self, group, topics, handler)

    async def read(self, topic: str, partition: int, offset: int, limit: int = 1000) -> list[Record]:
        await self._perhaps_stall()
        return await self.wire.ask("log.read", lambda: self._log.read(topic, partition, offset, limit))

    async def read_columns(self, topic: str, partition: int, offset: int) -> Columns:
        await self._perhaps_stall()
        return await self.wire.ask("log.read", lambda: self._log.read_columns(topic, partition, offset))

    async def fetch(self, topics: Sequence[str], wanted: Wanted) -> tuple[Mapping[Position, int], list[list[Record]]]:
        """A member's request: the ends, and from each partition that `wanted` then names (offset, limit) its records.

        It does not stall: what is read without a group falls behind what the group knows.
        """

        async def fetched() -> tuple[Mapping[Position, int], list[list[Record]]]:
            ends = await self._log.ends(topics)
            asked = wanted(ends)
            return ends, [await self._log.read(*position, *place) for position, place in asked.items()]

        return await self.wire.ask("log.fetch", fetched)

    async def grown(self, ends: Mapping[Position, int], timeout: float) -> None:
        """A member's long poll: until one of these partitions ends behind what is given, or `timeout` seconds."""
        now = await self._log.ends(sorted({topic for topic, _ in ends}))
        if any(now[position] > end for position, end in ends.items()):
            return
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiting[waiter] = ends.keys()
        over = loop.call_later(timeout, _woken, waiter)
        try:
            await waiter
        finally:
            over.cancel()
            self._waiting.pop(waiter, None)

    async def _perhaps_stall(self) -> None:
        caller = replica.get()
        if caller is None or caller in self._readers:
            return
        self._readers.add(caller)
        if self.plan.happens("stall"):
            self.plan.counts["stalls"] += 1
            await self.plan.pause(self.plan.rates.hold_seconds)

    async def wait(self, topics: Sequence[str], ends: Mapping[Position, int], timeout: float) -> None:
        known = dict(ends)
        await self.wire.ask("log.wait", lambda: self._log.wait(topics, known, timeout))

    async def ends(self, topics: Sequence[str]) -> dict[Position, int]:
        return await self.wire.ask("log.ends", lambda: self._log.ends(topics))

    async def final_ends(self, topics: Sequence[str]) -> dict[Position, int]:
        return await self.wire.ask("log.ends", lambda: self._log.final_ends(topics))

    async def positions(self, group: str, topics: Sequence[str]) -> dict[Position, int]:
        async def committed() -> dict[Position, int]:
            known = self.groups.of(group).committed
            return {position: known.get(position, 0) for position in await self._log.ends(topics)}

        return await self.wire.ask("log.positions", committed)

    async def settings(self) -> dict[str, str]:
        return await self.wire.ask("log.settings", self._log.settings)


class FaultySubscription:
    """One member of a group: fetches, handles, commits, and is disturbed at each of the three."""

    def __init__(self, log: FaultyLog, group: str, topics: Sequence[str], handler: BatchHandler) -> None:
        self._log = log
        self._plan = log.plan
        self._groups = log.groups
        self._group = group
        self._topics = list(topics)
        self._handler = handler
        self._member = f"{group}/{replica.get() or 'outside'}/{log.next_member()}"
        self._generation = -1
        self._positions: dict[Position, int] = {}
        self._held_until: dict[Position, float] = {}
        self._stopping = False
        self._tasks: list[asyncio.Task[Any]] = []

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._stopping = False
        self._groups.heartbeat(self._group, self._member, self._topics)
        self._tasks = [
            loop.create_task(self._run(), name=f"member {self._member}"),
            loop.create_task(self._beat(), name=f"heartbeat {self._member}"),
        ]

    async def stop(self) -> None:
        self._stopping = True
        if self._tasks:
            await asyncio.wait(self._tasks[:1], timeout=STOP_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._groups.leave(self._group, self._member)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            self._groups.heartbeat(self._group, self._member, self._topics)

    async def _run(self) -> None:
        while not self._stopping:
            try:
                await self._round()
            except PortError:
                self._generation = -1
                await asyncio.sleep(0.2)
            except Exception as error:
                # Like a consumer that steps back on an error: the whole batch comes again, for ever.
                self._plan.counts[f"handler_errors:{type(error).__name__}"] += 1
                self._generation = -1
                await asyncio.sleep(IDLE_SECONDS)

    async def _round(self) -> None:
        self._join()
        ends, batch = await self._fetch()
        if not batch:
            await self._commit_again()
            held = any(self._positions[position] < ends.get(position, 0) for position in self._positions)
            pause = HELD_SECONDS if held else IDLE_SECONDS
            await self._log.grown({position: ends.get(position, 0) for position in self._positions}, pause)
            return
        # The generation of the fetch, not of the commit: that is what makes a zombie's commit stale.
        generation, reached = self._generation, _after(batch)
        await self._handle(batch)
        self._positions.update(reached)
        if generation != self._groups.of(self._group).generation:
            self._plan.counts["zombie_batches"] += 1
        await self._commit(generation, reached)
        self._perhaps_rewind()

    def _join(self) -> None:
        """Takes over what this member owns in the current generation, from the committed positions."""
        generation = self._groups.heartbeat(self._group, self._member, self._topics)
        if generation != self._generation:
            self._generation = generation
            committed = self._groups.of(self._group).committed
            owned = self._groups.owned(self._group, self._member)
            self._positions = {position: committed.get(position, 0) for position in owned}

    async def _fetch(self) -> tuple[Mapping[Position, int], list[Record]]:
        """The ends, and records of some of its partitions, ordered within each, mixed between them."""
        rng = self._plan.runtime.rng
        ends, parts = await self._log.fetch(self._topics, self._wanted)
        lanes = [records[::-1] for records in parts]
        batch = []
        while lanes := [lane for lane in lanes if lane]:
            batch.append(rng.choice(lanes).pop())
        return ends, batch

    def _wanted(self, ends: Mapping[Position, int]) -> dict[Position, tuple[int, int]]:
        """From where on and how much it asks of each partition that has more and is not kept back."""
        behind = [position for position, at in self._positions.items() if at < ends.get(position, 0)]
        rng = self._plan.runtime.rng
        return {p: (self._positions[p], rng.choice(LIMITS)) for p in behind if not self._is_held(p)}

    def _is_held(self, position: Position) -> bool:
        now = self._plan.runtime.monotonic()
        if self._held_until.get(position, 0.0) > now and not self._plan.healed:
            return True
        if not self._plan.happens("hold"):
            return False
        self._plan.counts["holds"] += 1
        self._held_until[position] = now + self._plan.runtime.rng.uniform(0, self._plan.rates.hold_seconds)
        return True

    async def _handle(self, batch: list[Record]) -> None:
        times = 2 if self._plan.happens("duplicate") else 1
        for _ in range(times):
            for record in batch:
                self._groups.deliver(self._group, (record.topic, record.partition), record.offset)
            await self._handler(list(batch))

    async def _commit(self, generation: int, reached: Mapping[Position, int]) -> None:
        """Commits over the wire; one that fails is made good by the next, or when there is nothing to read."""

        async def commit() -> bool:
            return self._groups.commit(self._group, self._member, generation, reached)

        try:
            current = await self._log.wire.carry("log.commit", commit, writes=True)
        except (Unavailable, UnknownOutcome):
            # Some clients go on from where they are, others ask where the group stands.
            current = self._plan.runtime.rng.random() < 0.5
        if not current:
            self._generation = -1

    async def _commit_again(self) -> None:
        """Without a next batch, a commit that was lost or landed out of turn would stand for ever."""
        committed = self._groups.of(self._group).committed
        behind = {position: at for position, at in self._positions.items() if at != committed.get(position, 0)}
        if behind and self._generation == self._groups.of(self._group).generation:
            await self._commit(self._generation, behind)

    def _perhaps_rewind(self) -> None:
        moved = [position for position, at in self._positions.items() if at > 0]
        if moved and self._plan.happens("rewind"):
            self._plan.counts["rewinds"] += 1
            position = self._plan.runtime.rng.choice(moved)
            at = self._positions[position]
            self._positions[position] = self._plan.runtime.rng.randrange(max(0, at - REWIND_AT_MOST), at)


def _woken(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _after(batch: list[Record]) -> dict[Position, int]:
    return {(record.topic, record.partition): record.offset + 1 for record in batch}


async def _nothing() -> None:
    """A connection without a request."""
