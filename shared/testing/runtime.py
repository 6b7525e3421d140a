"""The port to time, ids, randomness and tasks, on the seeded loop."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

from shared.clock import InThread
from shared.testing.loop import SeededLoop

T = TypeVar("T")


class SeededRuntime:
    """`shared.clock.Runtime` for one incarnation of one replica (None: for the world outside all of them).

    `name` separates this runtime's randomness from that of others; `skew_seconds` sets its clock off the
    loop's. Every task that it spawns belongs to the incarnation, whoever calls.
    """

    def __init__(
        self, loop: SeededLoop, name: str, *, incarnation: str | None = None, skew_seconds: float = 0.0
    ) -> None:
        self.rng = random.Random(f"{loop.seed}/{name}")
        self.ended: list[str] = []
        self.incarnation = incarnation
        self._loop = loop
        self._skew = timedelta(seconds=skew_seconds)

    def now(self) -> datetime:
        return self._loop.now() + self._skew

    def monotonic(self) -> float:
        return self._loop.time()

    def new_id(self) -> str:
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def spawn(self, work: Coroutine[Any, Any, T], name: str, *, lasting: bool = False) -> asyncio.Task[T]:
        task = self._loop.task_of(self.incarnation, work, name)
        if lasting:
            task.add_done_callback(self._note_end)
        return task

    def _note_end(self, task: asyncio.Task[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.ended.append(task.get_name())
            self._loop.call_exception_handler({"message": "a lasting task ended", "exception": error, "task": task})

    async def in_pool(self, work: Callable[[], T]) -> T:
        """Runs the work at once, between two steps at which others may come first."""
        await asyncio.sleep(0)
        result = work()
        await asyncio.sleep(0)
        return result

    def own_thread(self, name: str) -> InThread:
        """There are no threads here: as `in_pool`."""
        return self.in_pool
