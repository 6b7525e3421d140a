"""How many requests begin in one turn of the event loop."""

from __future__ import annotations

import asyncio
from collections import deque

BEGIN_AT_MOST = 8


class Turns:
    """Lets requests begin a few in each turn of the loop, in their order.

    A request is worked on for milliseconds before it first waits for something. A hundred that came at once would
    hold up for half a second whoever is only to be refused, and everything else in the process.
    """

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._begun = 0

    async def begin(self) -> None:
        """Returns at once, or in one of the next turns."""
        loop = asyncio.get_running_loop()
        if not self._begun:
            loop.call_soon(self._next)
        if self._begun < BEGIN_AT_MOST and not self._waiting:
            self._begun += 1
            return
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiting.append(waiter)
        await waiter

    def _next(self) -> None:
        self._begun = 0
        while self._waiting and self._begun < BEGIN_AT_MOST:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                self._begun += 1
        if self._begun:
            asyncio.get_running_loop().call_soon(self._next)
