"""What the seeded loop runs: futures, tasks and handles that know their place and their replica."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextvars import Context, ContextVar
from typing import Any, TypeVar

T = TypeVar("T")
Work = Generator[Any, None, T] | Coroutine[Any, Any, T]

DISPOSAL_ROUNDS = 8

# Which incarnation of which replica the current step belongs to; None for the world outside all of them.
replica: ContextVar[str | None] = ContextVar("replica", default=None)


class SeededFuture(asyncio.Future[T]):
    """A future with a serial number as its hash, and with the incarnation that made it.

    By the hash, sets of futures are walked in one order in every process.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, serial: int) -> None:
        self._serial = serial
        self.owner = replica.get()
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
    """A handle with the incarnation of the context in which it will run."""

    __slots__ = ("owner",)
    owner: str | None

    def __init__(
        self,
        callback: Callable[..., object],
        args: Sequence[Any],
        loop: asyncio.AbstractEventLoop,
        context: Context,
    ) -> None:
        # What the base class does, without asking for a debug mode that does not exist: a run makes 20,000 handles.
        self._callback = callback
        self._args = args
        self._loop = loop
        self._context = context
        self._cancelled = False
        self._repr = self._source_traceback = None
        self.owner = context.get(replica)


class SeededTimer(asyncio.TimerHandle):
    """A timer with the incarnation of the context in which it will run."""

    __slots__ = ("owner",)
    owner: str | None
    _callback: Callable[..., object]
    _context: Context

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: Sequence[Any],
        loop: asyncio.AbstractEventLoop,
        context: Context,
    ) -> None:
        super().__init__(when, callback, args, loop, context)
        self.owner = context.get(replica)


AnyHandle = SeededHandle | SeededTimer


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
