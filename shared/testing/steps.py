"""What the seeded loop runs: futures, tasks and handles that know their place and their replica."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from contextvars import Context, ContextVar
from typing import Any, TypeVar

T = TypeVar("T")
Work = Generator[Any, None, T] | Coroutine[Any, Any, T]

DISPOSAL_ROUNDS = 8

# Which incarnation of which replica the current step belongs to; None for the world outside all of them.
replica: ContextVar[str | None] = ContextVar("replica", default=None)


class SeededFuture(asyncio.Future[T]):
    """A future with a serial number as its hash: sets of futures are walked in one order in every process."""

    def __init__(self, loop: asyncio.AbstractEventLoop, serial: int) -> None:
        self._serial = serial
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._serial


class SeededTask(asyncio.Task[T]):
    """A task with a serial number as its hash, for the same reason, and with its replica's incarnation."""

    def __init__(
        self,
        work: Work[T],
        loop: asyncio.AbstractEventLoop,
        serial: int,
        name: str,
        context: Context,
    ) -> None:
        self._serial = serial
        self.owner = context.get(replica)
        super().__init__(work, loop=loop, name=name, context=context)

    def __hash__(self) -> int:
        return self._serial


class SeededHandle(asyncio.Handle):
    __slots__ = ("owner",)
    owner: str | None


class SeededTimer(asyncio.TimerHandle):
    __slots__ = ("owner",)
    owner: str | None


AnyHandle = SeededHandle | SeededTimer


def owned(handle: Any) -> Any:
    """The handle, with the incarnation of the context in which it will run."""
    handle.owner = handle._context.get(replica)
    return handle


def label_of(handle: Any) -> str:
    """What a step runs, without addresses: they differ between processes."""
    callback = handle._callback
    task = getattr(callback, "__self__", None)
    if isinstance(task, asyncio.Task):
        return f"task {task.get_name()}"
    return str(getattr(callback, "__qualname__", type(callback).__name__))


def place_of(task: asyncio.Task[Any]) -> str:
    """The function and line at which an unfinished task waits."""
    frames = task.get_stack(limit=1)
    return f"{frames[0].f_code.co_qualname}:{frames[0].f_lineno}" if frames else "?"


def dispose(coroutine: Any) -> None:
    """Ends a coroutine that nobody will run again, whatever its `finally` blocks do."""
    for _ in range(DISPOSAL_ROUNDS):
        try:
            coroutine.close()
        except RuntimeError:
            # A `finally` block awaited something; closing again ends that wait too.
            continue
        except (Exception, asyncio.CancelledError):
            # What the cleaning-up of a killed process raises tells nothing about the run.
            return
        return
