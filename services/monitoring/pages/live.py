"""Telling open pages that their figures have changed: Server-Sent Events that say that alone.

What is compared is what the reader may see, so whatever else happens tells nothing. Readers of the same figures share
one look at them; between two looks there is a pause that grows with what they cost.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import duckdb

from services.monitoring.streaming import HEARTBEAT, HEARTBEAT_SECONDS, RETRY, Places, Stream
from shared.clock import Runtime, stop_tasks
from shared.errors import SankofaError
from shared.telemetry.observability import count

LOOK_SECONDS = 1.0
# Looking takes a quarter of one thread at most.
PAUSES = 3
# What says no more than when it was asked.
_OF_THE_ASKING = frozenset({"as_of", "final", "zone_data"})


def digest_of(answers: Iterable[Mapping[str, Any]]) -> str:
    """16 hexadecimal digits that change where a figure does, or what is said beside it."""
    told = [{name: value for name, value in one.items() if name not in _OF_THE_ASKING} for one in answers]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Look:
    """How figures are looked at. `key`: whose figures and which; `stamp` changes whenever they may have changed and
    costs nothing; `digest` asks for them."""

    key: Hashable
    stamp: Callable[[], Any]
    digest: Callable[[], Awaitable[str]]


@dataclass
class _Watched:
    look: Look
    stamp: Any = None
    digest: str = ""
    readers: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Live:
    """The streams of one replica; while there is none, nothing is looked at."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._watched: dict[Hashable, _Watched] = {}
        self._places = Places()
        self._tasks: list[asyncio.Task[None]] = []
        self._ended = asyncio.Event()

    @property
    def streams(self) -> int:
        """How many are open."""
        return self._places.taken

    async def stream(self, account: str, look: Look, seen: str, seconds: float) -> Stream:
        """The answer, which lasts so many seconds. `seen`: the digest of what the reader has before the eyes.

        Raises Overloaded (429) for an account that has several open already, and where there are many in all; what
        looking raises.
        """
        if look.key not in self._watched:
            # Asked here first, where whoever asks for what there is not is refused.
            await look.digest()
        self._places.take(account)
        watched = self._watched.setdefault(look.key, _Watched(look))
        watched.readers += 1
        if not self._tasks:
            self._tasks = [self._runtime.spawn(self._watch(), "live", lasting=True)]
        return Stream(self._told(watched, seen, seconds), lambda: self._leave(account, watched))

    def end(self) -> None:
        """Ends every stream, and from then on each one as it begins."""
        self._ended.set()
        for watched in self._watched.values():
            watched.changed.set()

    async def stop(self) -> None:
        """As `end`; nothing is looked at any more."""
        self.end()
        tasks, self._tasks = self._tasks, []
        await stop_tasks(tasks)

    def _leave(self, account: str, watched: _Watched) -> None:
        self._places.leave(account)
        watched.readers -= 1
        if not watched.readers:
            del self._watched[watched.look.key]
        if not self._watched:
            for task in self._tasks:
                task.cancel()
            self._tasks = []

    async def _told(self, watched: _Watched, seen: str, seconds: float) -> AsyncGenerator[bytes]:
        until = self._runtime.monotonic() + seconds
        yield RETRY
        while not self._ended.is_set() and (left := until - self._runtime.monotonic()) > 0:
            changed = watched.changed
            if watched.digest and watched.digest != seen:
                seen = watched.digest
                yield f"id: {seen}\nevent: changed\ndata: {seen}\n\n".encode()
            try:
                await asyncio.wait_for(changed.wait(), min(left, HEARTBEAT_SECONDS))
            except TimeoutError:
                yield HEARTBEAT

    async def _watch(self) -> None:
        while True:
            began = self._runtime.monotonic()
            for watched in tuple(self._watched.values()):
                await self._look(watched)
            spent = self._runtime.monotonic() - began
            await self._runtime.sleep(max(LOOK_SECONDS, PAUSES * spent))

    async def _look(self, watched: _Watched) -> None:
        try:
            stamp = watched.look.stamp()
            if stamp == watched.stamp:
                return
            digest = await watched.look.digest()
        except (SankofaError, duckdb.Error):
            # Not readable just now, as in the middle of a rebuild: the next look comes soon.
            count("live_look_failed")
            return
        watched.stamp = stamp
        if digest != watched.digest:
            watched.digest = digest
            before, watched.changed = watched.changed, asyncio.Event()
            before.set()
