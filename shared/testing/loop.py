"""The seeded loop: one seed, one history.

An asyncio event loop without threads, sockets or a real clock. What runs next is drawn from the seed; time
jumps to the next timer when nothing is ready. Every handle belongs to the replica incarnation in whose context
it was scheduled, so that a replica can be killed or frozen between any two steps, as a process can.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import math
import random
import sys
from asyncio import events
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextvars import Context, copy_context
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, TypeVarTuple

from shared.testing.bare_loop import BareLoop, Standing
from shared.testing.steps import (
    AnyHandle,
    SeededFuture,
    SeededHandle,
    SeededTask,
    SeededTimer,
    dispose,
    label_of,
    place_of,
    replica,
)

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

EPOCH = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
STEP_MICROSECONDS = 7
STEPS_AT_MOST = 5_000_000
PRUNE_EVERY = 4_096


class Deadlock(Exception):
    """Nothing is ready, no timer is set, and the main future is not done; the text names the pending tasks."""


class Runaway(Exception):
    """The run took more steps than it may; the text names the pending tasks."""


class SeededLoop(BareLoop):
    """An event loop whose whole history follows from `seed`.

    `steps` counts executed handles, `unhandled` collects what tasks and callbacks raised and nobody awaited.
    With `trace=True` every step is kept as a line in `trace`; `fingerprint` is a cheap digest of all of them.
    """

    def __init__(self, seed: int | str, *, trace: bool = False, steps_at_most: int = STEPS_AT_MOST) -> None:
        super().__init__()
        self.seed = seed
        self.steps = 0
        self.trace: list[str] | None = [] if trace else None
        self._rng = random.Random(f"{seed}/schedule")
        self._draw = self._rng.random
        self._steps_at_most = steps_at_most
        self._microseconds = self._leapt = 0
        self._fingerprint = 0
        self._serial = self._pruned = 0
        self._ready: list[AnyHandle] = []
        self._timers: list[tuple[int, int, SeededTimer]] = []
        self._held: dict[str, list[AnyHandle]] = {}
        self._dead: set[str] = set()
        # Whoever is dead or frozen: one look for what nearly always runs.
        self._apart: set[str | None] = set()
        self._tasks: list[SeededTask[Any]] = []
        self._generators: list[AsyncGenerator[Any, Any]] = []
        self._running = self._stopping = self._closed = self._disposing = False

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._microseconds / 1_000_000

    def now(self) -> datetime:
        """The fixed epoch plus virtual time, and what the clocks were moved on by."""
        return EPOCH + timedelta(microseconds=self._microseconds + self._leapt)

    def leap(self, seconds: float) -> None:
        """Moves the wall clock on, as when the machine was suspended; timers of the loop do not notice."""
        self._leapt += round(seconds * 1_000_000)

    @property
    def fingerprint(self) -> str:
        """A digest of every choice that was made, for comparing two runs."""
        text = f"{self._fingerprint}/{self.steps}/{self._microseconds}/{self._rng.getstate()}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    # Scheduling.

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        if self._closed:
            self._check_open()
        handle = SeededHandle(callback, args, self, copy_context() if context is None else context)
        if self._disposing or handle.owner in self._apart:
            self._enqueue(handle)
        else:
            self._ready.append(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        self._check_open()
        handle = SeededTimer(when, callback, args, self, _given(context))
        if handle.owner not in self._dead:
            self._serial += 1
            heapq.heappush(self._timers, (math.ceil(when * 1_000_000), self._serial, handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Cancelled timers are skipped when they come due."""

    def _enqueue(self, handle: AnyHandle) -> None:
        if self._disposing or handle.owner in self._dead:
            handle.cancel()
        elif handle.owner is not None and handle.owner in self._held:
            self._held[handle.owner].append(handle)
        else:
            self._ready.append(handle)

    def create_future(self) -> asyncio.Future[Any]:
        self._serial += 1
        return SeededFuture(self, self._serial)

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: object = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        self._check_open()
        self._serial += 1
        task = SeededTask(coro, self, self._serial, str(name or f"task-{self._serial}"), _given(context))
        self._tasks.append(task)
        if self._serial - self._pruned > PRUNE_EVERY:
            self._pruned = self._serial
            self._tasks = [known for known in self._tasks if not known.done()]
        return task

    # Replicas.

    def task_of(self, incarnation: str | None, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """A task that belongs to that incarnation (None: to the world outside), whoever starts it."""
        context = copy_context()
        context.run(replica.set, incarnation)
        return self.create_task(work, name=name, context=context)

    def standing(self, incarnation: str | None) -> Standing:
        if incarnation in self._dead:
            return "dead"
        return "frozen" if incarnation in self._held else "running"

    def kill(self, incarnation: str) -> None:
        """Drops every handle of the incarnation, now and for ever, as kill -9 does: no `finally` block runs.

        Its tasks stay referenced and are disposed of by `close`, so that nothing of them runs by collection.
        """
        self._dead.add(incarnation)
        self._apart.add(incarnation)
        self._held.pop(incarnation, None)
        # Its timers are left in the heap and dropped when they come due.
        self._ready = [handle for handle in self._ready if handle.owner != incarnation]

    def freeze(self, incarnation: str) -> None:
        """Holds the incarnation's handles aside, as SIGSTOP does; its timers come due but do not fire."""
        if incarnation not in self._dead and incarnation not in self._held:
            self._apart.add(incarnation)
            self._held[incarnation] = [handle for handle in self._ready if handle.owner == incarnation]
            self._ready = [handle for handle in self._ready if handle.owner != incarnation]

    def thaw(self, incarnation: str) -> None:
        """Lets a frozen incarnation go on: what came due meanwhile is ready at once."""
        self._ready.extend(self._held.pop(incarnation, []))
        if incarnation not in self._dead:
            self._apart.discard(incarnation)

    # Running.

    def run_forever(self) -> None:
        self._check_open()
        if self._running or events._get_running_loop() is not None:
            raise RuntimeError("a loop is running already")
        hooks = sys.get_asyncgen_hooks()
        self._running, self._stopping = True, False
        try:
            # Strong references: an abandoned generator must not run its end whenever a collection comes.
            sys.set_asyncgen_hooks(firstiter=self._generators.append, finalizer=lambda _generator: None)
            events._set_running_loop(self)
            while not self._stopping:
                self._step()
        finally:
            self._running = False
            events._set_running_loop(None)
            sys.set_asyncgen_hooks(*hooks)

    def run_until_complete(self, future: Any) -> Any:
        """Runs until the future is done; raises Deadlock or Runaway where it cannot become so."""
        main = asyncio.ensure_future(future, loop=self)
        main.add_done_callback(self._main_done)
        self.run_forever()
        main.remove_done_callback(self._main_done)
        if not main.done():
            raise RuntimeError("the loop was stopped before its main future was done")
        return main.result()

    def _main_done(self, _main: asyncio.Future[Any]) -> None:
        self._stopping = True

    def _step(self) -> None:
        ready = self._ready
        if not ready or (self._timers and self._timers[0][0] <= self._microseconds):
            self._advance()
        # Taking the last one's place costs no shift, and the order of the ready ones means nothing.
        size = len(ready)
        chosen = int(self._draw() * size)
        handle = ready[chosen]
        ready[chosen] = ready[-1]
        ready.pop()
        if handle._cancelled:
            return
        self.steps += 1
        # Every step takes time, or a task that spins would keep all timers from firing.
        self._microseconds += STEP_MICROSECONDS
        self._fingerprint = (self._fingerprint * 1_000_003 + size * 8_191 + chosen + self._microseconds) % (1 << 61)
        if self.trace is not None:
            self.trace.append(f"{self._microseconds} {handle.owner or '-'} {label_of(handle)}")
        try:
            handle._context.run(handle._callback, *handle._args)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self.call_exception_handler({"message": f"in {label_of(handle)}", "exception": error, "handle": handle})
        if self.steps > self._steps_at_most:
            raise Runaway(f"more than {self._steps_at_most} steps; {self.pending()}")

    def _advance(self) -> None:
        """Moves due timers to the ready handles; with none ready, jumps to the next one that can fire."""
        timers = self._timers
        while timers and (timers[0][0] <= self._microseconds or not self._ready):
            due, _, handle = heapq.heappop(timers)
            if handle.cancelled() or handle.owner in self._dead:
                continue
            self._microseconds = max(self._microseconds, due)
            self._enqueue(handle)
        if not self._ready:
            raise Deadlock(f"nothing is ready and no timer is set; {self.pending()}")

    def pending(self) -> str:
        """The unfinished tasks of replicas that run, and how many are frozen or dead."""
        waiting = [task for task in self._tasks if not task.done()]
        running = [task for task in waiting if self.standing(task.owner) == "running"]
        names = "; ".join(f"{task.get_name()} [{task.owner or '-'}] at {place_of(task)}" for task in running[:20])
        return f"{len(running)} tasks wait ({len(waiting) - len(running)} of frozen or dead replicas): {names}"

    def stop(self) -> None:
        self._stopping = True

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return self._closed

    def _check_open(self) -> None:
        if self._closed and not self._disposing:
            raise RuntimeError("the loop is closed")

    # The end.

    def close(self) -> None:
        """Disposes of every task that is left, dead or alive; what their `finally` blocks schedule is dropped."""
        if self._running:
            raise RuntimeError("a running loop cannot be closed")
        if self._closed:
            return
        self._closed = self._disposing = True
        for task in self._tasks:
            if not task.done():
                # Disposal is not the end that asyncio would warn of.
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                dispose(task.get_coro())
        self._disposing = False
        self._ready, self._timers, self._held, self._tasks, self._generators = [], [], {}, [], []

    async def shutdown_asyncgens(self) -> None:
        generators, self._generators = self._generators, []
        for generator in generators:
            await generator.aclose()


def _given(context: Context | None) -> Context:
    # An empty context is false, so `or` would put the caller's in its place.
    return copy_context() if context is None else context
