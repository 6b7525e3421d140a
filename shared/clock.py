"""Time, ids, randomness and tasks: the ports that let one seeded loop run everything."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

import structlog

logger = structlog.get_logger()
T = TypeVar("T")
NAMESPACE = uuid.UUID("5f1cf7e6-3d0c-5b43-8d6b-5a4b0f7a5a4e")
# The bits of a uuid that say its version and variant (RFC 9562), and what a uuid5 and a uuid4 have there.
_VERSION_AND_VARIANT = 0xF << 76 | 0b11 << 62
_FIVE_RFC = 5 << 76 | 0b10 << 62
_FOUR_RFC = 4 << 76 | 0b10 << 62
_NAMESPACE_BYTES = NAMESPACE.bytes


def text_of(instant: datetime) -> str:
    """RFC 3339 in UTC with six decimals and Z, the one form in which stores and events hold times.

    Raises ValueError for a time without a zone.
    """
    if instant.tzinfo is None:
        raise ValueError("a time needs its zone")
    # Not strftime, whose %Y leaves out the zeros of an early year: such a text could not be read back.
    at = instant if instant.tzinfo is UTC else instant.astimezone(UTC)
    # What UTC's offset is written as has six characters.
    return f"{at.isoformat(timespec='microseconds')[:-6]}Z"


def instant_of(text: str) -> datetime:
    """The instant that an RFC 3339 text names."""
    return datetime.fromisoformat(text).astimezone(UTC)


def derived_id(*parts: str) -> str:
    """The uuid5 that follows from the parts; the same parts give the same id everywhere."""
    # uuid.uuid5 makes the same id by way of an object, at several times the cost, and a command derives a dozen.
    return hashed_id(hashlib.sha1(_NAMESPACE_BYTES + "\x1f".join(parts).encode(), usedforsecurity=False).digest())


def hashed_id(hashed: bytes) -> str:
    """The first 16 bytes of a hash in the form of a uuid5."""
    return _hyphened(((int.from_bytes(hashed[:16]) & ~_VERSION_AND_VARIANT) | _FIVE_RFC).to_bytes(16).hex())


def _hyphened(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def short_hash(text: str) -> str:
    """16 hexadecimal digits of SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class InThread(Protocol):
    """Runs blocking work on one thread, one piece after the other."""

    async def __call__(self, work: Callable[[], T], /) -> T: ...


class Runtime(Protocol):
    """What a replica takes from outside besides its log and store."""

    rng: random.Random
    ended: list[str]
    """Names of the lasting tasks that an error has ended: the process has to be started again."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...

    def new_id(self) -> str: ...

    async def sleep(self, seconds: float) -> None: ...

    def spawn(self, work: Coroutine[Any, Any, T], name: str, *, lasting: bool = False) -> asyncio.Task[T]:
        """Starts the work beside the caller. `lasting`: it runs until it is stopped, nobody awaits it, and an error
        that ends it is the end of the process; it stands in `ended`."""
        ...

    async def in_pool(self, work: Callable[[], T]) -> T:
        """Runs blocking or CPU-bound work away from the event loop (at once in the simulation)."""
        ...

    def own_thread(self, name: str) -> InThread:
        """`in_pool` on one more thread that nobody else's work can hold up; it ends with the runtime."""
        ...


class RealRuntime:
    """Wall clock, random ids, real tasks, a bounded pool of threads."""

    def __init__(self, workers: int = 2) -> None:
        self.rng: random.Random = random.SystemRandom()
        self.ended: list[str] = []
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="work")
        self._own: list[ThreadPoolExecutor] = []
        self._tasks: set[asyncio.Task[Any]] = set()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def new_id(self) -> str:
        digits = ((int.from_bytes(os.urandom(16)) & ~_VERSION_AND_VARIANT) | _FOUR_RFC).to_bytes(16).hex()
        return _hyphened(digits)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def spawn(self, work: Coroutine[Any, Any, T], name: str, *, lasting: bool = False) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        # The loop holds tasks weakly; without this reference one could vanish in mid-flight.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if lasting:
            task.add_done_callback(self._note_end)
        return task

    def _note_end(self, task: asyncio.Task[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.ended.append(task.get_name())
            # The class alone: the message of an unexpected error may quote what it stumbled over.
            logger.critical("task_ended", task=task.get_name(), error=type(error).__name__)

    async def in_pool(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def own_thread(self, name: str) -> InThread:
        own = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._own.append(own)

        async def run(work: Callable[[], T], /) -> T:
            return await asyncio.get_running_loop().run_in_executor(own, work)

        return run

    def close(self) -> None:
        for executor in (self._pool, *self._own):
            executor.shutdown(wait=True, cancel_futures=True)


async def stop_tasks(tasks: list[asyncio.Task[Any]]) -> None:
    """Cancels the tasks and waits until each has ended; their own errors are theirs to have logged."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def together(*work: Awaitable[Any]) -> list[Any]:
    """The results of work that does not wait for one another; all of it has ended when the first error is raised."""
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


async def retrying(
    work: Callable[[], Awaitable[T]], runtime: Runtime, errors: tuple[type[Exception], ...], attempts: int = 5
) -> T:
    """Calls `work` until it does not raise one of `errors`, with a growing pause; the last error is raised."""
    for attempt in range(attempts - 1):
        try:
            return await work()
        except errors:
            await runtime.sleep(min(0.05 * 2**attempt, 2.0))
    return await work()
