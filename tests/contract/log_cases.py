"""What the log's contract tests share: an adapter's place, a handler that keeps what it got, short ways to append."""

from __future__ import annotations

import asyncio
import socket
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from shared.clock import RealRuntime
from shared.messaging.kafka import KafkaLog
from shared.messaging.local import LocalLog
from shared.messaging.local_lent import Lender, LentLog
from shared.messaging.port import Log, Message, Record, Topic

LAG_MS = 200


async def until(check: Callable[[], object], seconds: float = 30.0) -> None:
    """Waits for what happens in other tasks; a test that never sees it fails here."""
    async with asyncio.timeout(seconds):
        while not check():
            await asyncio.sleep(0.01)


class Inbox:
    """A handler that keeps what it got, and fails while `failures` are left."""

    def __init__(self, failures: int = 0) -> None:
        self.batches: list[list[Record]] = []
        self.failures = failures
        self.failed: list[list[Record]] = []

    async def __call__(self, batch: list[Record]) -> None:
        if self.failures:
            self.failures -= 1
            self.failed.append(batch)
            raise RuntimeError("as wanted by the test")
        self.batches.append(batch)

    @property
    def records(self) -> list[Record]:
        return [record for batch in self.batches for record in batch]

    @property
    def values(self) -> list[bytes | None]:
        return [record.value for record in self.records]


class Borrowed(LentLog):
    """A lent log whose writer stops after it."""

    def __init__(
        self, path: Path, topics: Sequence[Topic], runtime: RealRuntime, line: Any, writer: LocalLog, lender: Lender
    ) -> None:
        super().__init__(path, topics, runtime, line)
        self._parts = writer, lender

    async def stop(self) -> None:
        await super().stop()
        writer, lender = self._parts
        await lender.stop()
        await writer.stop()


class Place:
    """One adapter's place for logs: logs that are opened here see the same records."""

    def __init__(self, adapter: str, runtime: RealRuntime, path: Path | None, servers: str) -> None:
        self.adapter = adapter
        self.servers = servers
        self.path = path
        self._runtime = runtime
        self._opened: list[Log] = []

    def topic(self, partitions: int = 3, *, compacted: bool = False) -> Topic:
        return Topic(f"test.t{uuid.uuid4().hex[:12]}", partitions, compacted)

    def made(self, topics: Sequence[Topic]) -> Log:
        if self.adapter == "kafka":
            return KafkaLog(self.servers, topics, self._runtime, client_id="contract", compaction_lag_ms=LAG_MS)
        return LocalLog(self.path, topics, self._runtime)

    async def open(self, *topics: Topic) -> Log:
        log = self.made(topics)
        await log.start()
        if self.adapter == "lent":
            log = await self._lent(log, topics)
        self._opened.append(log)
        return log

    async def _lent(self, log: Log, topics: Sequence[Topic]) -> Log:
        """What another process would have of that log, which stops with it."""
        assert isinstance(log, LocalLog)
        assert self.path
        here, there = socket.socketpair()
        lender = Lender(log, here, self._runtime)
        await lender.start()
        lent = Borrowed(self.path, topics, self._runtime, there, log, lender)
        await lent.start()
        return lent

    async def restarted(self, log: Log, *topics: Topic) -> Log:
        """The log as a new process finds it; in memory, stopped and started."""
        await log.stop()
        if self.adapter == "memory":
            await log.start()
            return log
        return await self.open(*topics)

    async def compact(self, log: Log, topic: Topic, gone: tuple[int, int]) -> None:
        """Makes the log compact the topic and waits until that (partition, offset) is gone."""
        if isinstance(log, LocalLog):
            await log.compact(topic.name)
            return
        # Kafka leaves the newest segment alone; the next append after the lag begins a new one.
        partition, offset = gone
        async with asyncio.timeout(60):
            while (await log.read(topic.name, partition, offset, 1))[0].offset == offset:
                await asyncio.sleep(LAG_MS / 1000)
                await log.append(topic.name, partition, [Message("filler", b"x")])
                log = await self.restarted(log, topic)

    async def close(self) -> None:
        for log in self._opened:
            await log.stop()


async def all_of(log: Log, topic: Topic) -> list[Record]:
    """Every record of the topic, partition by partition."""
    found: list[Record] = []
    for partition in range(topic.partitions):
        offset = 0
        while records := await log.read(topic.name, partition, offset, 1000):
            found.extend(records)
            offset = records[-1].offset + 1
    return found


async def by_columns(log: Log, topic: Topic) -> list[Record]:
    """`all_of`, read by columns, of which each says what its records say."""
    found: list[Record] = []
    for partition in range(topic.partitions):
        offset = 0
        while len((columns := await log.read_columns(topic.name, partition, offset)).offsets):
            records = columns.records(np.arange(len(columns.offsets)))
            assert columns.offsets.tolist() == [record.offset for record in records]
            assert columns.appended_ms.tolist() == [record.appended_ms for record in records]
            assert columns.keys.to_pylist() == [record.key for record in records]
            assert columns.bodies(np.arange(len(records))).each() == [record.value or b"" for record in records]
            named = {name for record in records for name, _ in record.headers if "\ufffd" not in name}
            for name in named | {"ce_type"}:
                assert columns.header(name).to_pylist() == [record.named.get(name) for record in records], name
            last = len(records) - 1
            assert list(columns.records(np.array([last]))) == [records[last]]
            found.extend(records)
            offset = records[-1].offset + 1
    return found


async def put(log: Log, topic: Topic, key: str, *values: bytes) -> None:
    """Appends the values under the key, in its partition."""
    messages = [Message(key, value) for value in values]
    await log.append(topic.name, log.partition_of(topic.name, key), messages)
