"""Who does work that reads much of the log: this process, or several others (`kafka_processes`)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from shared.clock import Runtime
from shared.messaging.port import Log

T = TypeVar("T")
R = TypeVar("R")
Work = Callable[[Log, Runtime, T], Coroutine[Any, Any, R]]


class Readers(Protocol):
    """`many`: how much of it is done at once."""

    @property
    def many(self) -> int: ...

    async def run(self, work: Work[T, R], argument: T) -> R:
        """Raises what the work raises, and Unavailable where the process that did it is gone."""
        ...


class InThisProcess:
    """Beside everything else that the process does, on its own log."""

    many = 1

    def __init__(self, log: Log, runtime: Runtime) -> None:
        self._log = log
        self._runtime = runtime

    async def run(self, work: Work[T, R], argument: T) -> R:
        return await work(self._log, self._runtime, argument)
