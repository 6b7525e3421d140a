"""Asking for messages from a place on: by a request that is answered at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.monitoring.domain.telling import Audience
from services.monitoring.feed.cursors import Cursors, Positions, before_restore, beginning
from services.monitoring.feed.messages import Messages
from services.monitoring.feed.walking import Walk
from shared.clock import Runtime
from shared.errors import Overloaded
from shared.messaging.port import Log, Position

# What one request looks at and answers with: whoever's records they are, the log is read for somebody who waits.
RECORDS_AT_MOST, BYTES_AT_MOST = 10_000, 2_000_000
# After so many records others have their turn.
IN_ONE_TURN = 500
READING_AT_ONCE, WAITING_AT_MOST = 4, 200
RETRY_AFTER_SECONDS = 5
NOW = "now"


@dataclass(frozen=True)
class Message:
    """A message on its way: its text, and where the reader stands behind it."""

    text: bytes
    positions: Positions


@dataclass(frozen=True)
class Some:
    """Messages, and where to go on. `whole`: there was nothing more when they were read. `beyond`: it began where no
    log has come to yet."""

    messages: Sequence[Message]
    positions: Positions
    whole: bool
    beyond: bool = False


class Pulling:
    """Reads the log for whoever asks, some at once. Raises Unavailable."""

    def __init__(self, log: Log, messages: Messages, cursors: Cursors, runtime: Runtime) -> None:
        self.log = log
        self.messages = messages
        self.cursors = cursors
        self._runtime = runtime
        self._turns = asyncio.Semaphore(READING_AT_ONCE)
        self._asking = 0

    async def place(self, after: str | None, audience: Audience) -> Positions:
        """Where a cursor leads: None to the beginning, `now` to the end. Raises Refusal as `Cursors.read` does."""
        if after is None:
            return beginning(audience)
        if after == NOW:
            return await self.log.ends(audience.topics)
        positions = self.cursors.read(after, audience)
        if (await Walk.to_the_end(self.log, audience.topics, positions)).beyond_the_end:
            raise before_restore()
        return positions

    async def some(self, audience: Audience, positions: Mapping[Position, int], limit: int) -> Some:
        """At most `limit` messages for that audience from there on. Raises Overloaded (429) where many are asking."""
        if self._asking >= WAITING_AT_MOST:
            raise Overloaded("feed", retry_after_seconds=RETRY_AFTER_SECONDS, status=429)
        self._asking += 1
        try:
            async with self._turns:
                return await self._walked(audience, positions, limit)
        finally:
            self._asking -= 1

    async def _walked(self, audience: Audience, positions: Mapping[Position, int], limit: int) -> Some:
        walk = await Walk.to_the_end(self.log, audience.topics, positions)
        found: list[Message] = []
        size = looked_at = 0
        while len(found) < limit and size < BYTES_AT_MOST and looked_at < RECORDS_AT_MOST:
            record = await walk.next()
            if record is None:
                return Some(found, walk.positions, whole=True, beyond=walk.beyond_the_end)
            looked_at += 1
            if looked_at % IN_ONE_TURN == 0:
                await self._runtime.sleep(0)
            if audience.takes(record.named, record.value) and (text := self.messages.text(record)):
                found.append(Message(text, dict(walk.positions)))
                size += len(text)
        return Some(found, walk.positions, whole=False)
