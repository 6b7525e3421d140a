"""Answers that go on: Server-Sent Events, so many of one account and in all."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from shared.errors import Overloaded
from shared.web.pages.kept import EVENTS

AT_MOST, OF_ONE_ACCOUNT_AT_MOST = 1_000, 4
# A third of the minute after which proxies give up a connection on which nothing comes.
HEARTBEAT_SECONDS = 15.0
HEARTBEAT = b":\n\n"
RETRY_AFTER_SECONDS = 30
RETRY = b"retry: 3000\n\n"


class Places:
    """The streams of one kind that are open in this replica, by account."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    @property
    def taken(self) -> int:
        return self._open.total()

    def take(self, account: str) -> None:
        """Raises Overloaded (429) for an account that has several already, and where there are many in all."""
        if self._open[account] >= OF_ONE_ACCOUNT_AT_MOST or self.taken >= AT_MOST:
            raise Overloaded("live", retry_after_seconds=RETRY_AFTER_SECONDS, status=429)
        self._open[account] += 1

    def leave(self, account: str) -> None:
        self._open[account] -= 1
        if not self._open[account]:
            del self._open[account]


class Stream(StreamingResponse):
    """A stream of events; `leave` is called once when it has ended, however that was."""

    def __init__(self, told: AsyncGenerator[bytes], leave: Callable[[], None]) -> None:
        # A proxy that holds answers back until they are whole is asked not to.
        super().__init__(told, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}, media_type=EVENTS)
        self._told = told
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()
            await self._told.aclose()
