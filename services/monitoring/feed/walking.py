"""Going through the log from given positions on, over all partitions in the order in which records were appended."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Mapping, Sequence

from services.monitoring.feed.cursors import Positions
from shared.messaging.port import Log, Position, Record

READ_AT_ONCE = 100


class Walk:
    """`positions`: what has been passed; it moves with each record, before anybody else's turn. `beyond_the_end`: it
    was to begin where the log has not come to. Raises Unavailable."""

    def __init__(self, log: Log, positions: Mapping[Position, int], ends: Mapping[Position, int]) -> None:
        self.positions: Positions = dict(positions)
        # Asked now: what comes meanwhile is read too, and leads past these ends.
        self.beyond_the_end = any(at > ends.get(one, 0) for one, at in positions.items())
        self._log = log
        self._ends = ends
        self._read: dict[Position, deque[Record]] = {}
        self._next: list[tuple[int, Position]] = []
        self._to_read: list[Position] = [one for one, at in self.positions.items() if at < ends.get(one, 0)]

    @staticmethod
    async def to_the_end(log: Log, topics: Sequence[str], positions: Mapping[Position, int]) -> Walk:
        """As far as the log reaches now."""
        return Walk(log, positions, await log.ends(topics))

    async def next(self) -> Record | None:
        """The next record; None where none is left."""
        while self._to_read:
            await self._fill(self._to_read[-1])
            self._to_read.pop()
        if not self._next:
            return None
        _, position = heapq.heappop(self._next)
        waiting = self._read[position]
        record = waiting.popleft()
        self.positions[position] = record.offset + 1
        if waiting:
            heapq.heappush(self._next, (waiting[0].appended_ms, position))
        elif record.offset + 1 < self._ends[position]:
            self._to_read.append(position)
        return record

    async def _fill(self, position: Position) -> None:
        found = await self._log.read(*position, self.positions[position], READ_AT_ONCE)
        self._read[position] = deque(found)
        if found:
            heapq.heappush(self._next, (found[0].appended_ms, position))
        else:
            # A gap up to the end: what a broker writes for itself.
            self.positions[position] = self._ends[position]
