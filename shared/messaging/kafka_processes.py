"""Work on Kafka's log in processes of their own: Python uses one core, and one partition needs no other."""

from __future__ import annotations

import asyncio
import atexit
import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from multiprocessing.connection import Connection
from typing import TypeVar

from shared.clock import RealRuntime
from shared.errors import Unavailable
from shared.messaging.kafka import KafkaLog
from shared.messaging.readers import Work
from shared.messaging.topics import TOPICS
from shared.telemetry.observability import configure_logging

T = TypeVar("T")
R = TypeVar("R")


class KafkaProcesses:
    """`Readers` of at most `many` processes, each with a log of its own; an asynchronous context.

    Arguments and answers are pickled, so a function of work stands at the top of a module. The processes end with
    the context, whatever they do then, and with the process that started them, however that ends.
    """

    def __init__(self, servers: str, many: int, *, client_id: str) -> None:
        self.many = many
        context = multiprocessing.get_context("spawn")
        # Nothing is ever sent: its end at the other side says that nobody waits for an answer any more.
        ending, self._waiting = context.Pipe(duplex=False)
        self._pool = ProcessPoolExecutor(many, context, initializer=_begin, initargs=(servers, client_id, ending))

    async def __aenter__(self) -> KafkaProcesses:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._waiting.close()
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)

    async def run(self, work: Work[T, R], argument: T) -> R:
        """As `Readers.run`."""
        try:
            return await asyncio.wrap_future(self._pool.submit(_run, work, argument))
        except BrokenExecutor as error:
            raise Unavailable("log: a reading process is gone") from error


class _Alone(RealRuntime):
    """A runtime whose pool is the loop itself: nothing else waits for it, and a thread would only share the
    interpreter with it."""

    async def in_pool(self, work: Callable[[], R]) -> R:
        return work()


class _Process:
    """What one of the processes keeps between two pieces of work: a loop that stands still, and a connected log."""

    def __init__(self, servers: str, client_id: str) -> None:
        self._servers = servers
        self._client_id = client_id
        self._loop = asyncio.new_event_loop()
        self._runtime = _Alone()
        self._log: KafkaLog | None = None

    def run(self, work: Work[T, R], argument: T) -> R:
        """The cyclic garbage is collected between two pieces of work: looking for it in what a piece of work gathers
        would take a third of its time."""
        gc.disable()
        try:
            return self._loop.run_until_complete(self._work(work, argument))
        finally:
            gc.collect()

    async def _work(self, work: Work[T, R], argument: T) -> R:
        if self._log is None:
            log = KafkaLog(self._servers, list(TOPICS.values()), self._runtime, client_id=self._client_id)
            await log.start()
            self._log = log
            # What is there by now stays, and no collection need look at it again.
            gc.freeze()
        return await work(self._log, self._runtime, argument)


_process: _Process | None = None


def _begin(servers: str, client_id: str, ending: Connection) -> None:
    global _process
    # Ctrl-C reaches the whole group; the process that waits for the answers decides what follows.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(ending,), daemon=True).start()
    # Everything that it holds goes with it: to take that apart first takes time, and some libraries write about it.
    atexit.register(os._exit, 0)
    configure_logging(client_id, "warning")
    _process = _Process(servers, client_id)


def _end_with(ending: Connection) -> None:
    ending.poll(None)
    os._exit(0)


def _run(work: Work[T, R], argument: T) -> R:
    if _process is None:
        raise RuntimeError("the process was not begun")
    return _process.run(work, argument)
