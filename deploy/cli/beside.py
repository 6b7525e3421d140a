"""A second process of `sankofa up`: services that do not share a processor core with the ones that people write to.

It is a copy of the first process, made before that has threads, and reads the log of it
(`shared/messaging/local_lent.py`); each has the files of its own services. Both hold the lock of the data folder. One
ends with the other, however that ends: the second as soon as the first has gone, the first with an error that says to
start it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from shared.clock import Runtime
from shared.errors import SettingsError
from shared.telemetry.observability import logger

START, READY = b"start", b"ready"
READY_SECONDS = 300.0
# Of the stop of the first process, which takes it in the middle.
STOP_SECONDS = 2.5
WORD_BYTES = 4_096


@dataclass(frozen=True)
class Lines:
    """One process's ends: what is said of starting, the log, and connections that pass."""

    said: socket.socket
    log: socket.socket
    connections: socket.socket

    def close(self) -> None:
        for line in (self.said, self.log, self.connections):
            line.close()


def lines() -> tuple[Lines, Lines]:
    """Both ends of all."""
    kinds = socket.SOCK_SEQPACKET, socket.SOCK_STREAM, socket.SOCK_SEQPACKET
    here, there = zip(*(socket.socketpair(socket.AF_UNIX, kind) for kind in kinds), strict=True)
    return Lines(*here), Lines(*there)


class Second:
    """The second process, as the first one has it."""

    def __init__(self, names: Sequence[str], pid: int, ends: Lines) -> None:
        self.names = tuple(names)
        self.lines = ends
        self._pid = pid
        self._asked = False
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Has it start; after the log."""
        await _say(self.lines.said, START)

    async def ready(self, runtime: Runtime) -> None:
        """Waits until it serves. Raises SettingsError where it cannot."""
        said = await asyncio.wait_for(_heard(self.lines.said), READY_SECONDS)
        if said != READY:
            raise SettingsError(said.decode() or f"{self._named} cannot start")
        self._watching = runtime.spawn(self._watch(), self._named, lasting=True)

    async def _watch(self) -> None:
        await _heard(self.lines.said)
        raise ChildProcessError(self._named)

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL when that takes too long; before the log."""
        self.terminate()
        waiting = asyncio.ensure_future(asyncio.to_thread(os.waitpid, self._pid, 0))
        try:
            await asyncio.wait({waiting}, timeout=STOP_SECONDS)
        finally:
            if not waiting.done():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._pid, signal.SIGKILL)

    def terminate(self) -> None:
        """Asks it to stop, and no longer takes its end for a fault."""
        if self._watching is not None:
            self._watching.cancel()
        # Asked twice, it would cut off what it still answers.
        if not self._asked:
            self._asked = True
            os.kill(self._pid, signal.SIGTERM)

    @property
    def _named(self) -> str:
        return "-".join(self.names)


def forked(names: Sequence[str], serve: Callable[[Lines], None]) -> Second:
    """Begins the second process, in which `serve` runs with its ends once it is told to start.

    To be called while this process has one thread.
    """
    here, there = lines()
    # What stands now is never looked through, and so stays one copy for both.
    gc.collect()
    gc.freeze()
    pid = os.fork()
    if pid == 0:
        here.close()
        _run(serve, there)
    there.close()
    return Second(names, pid, here)


def _run(serve: Callable[[Lines], None], ends: Lines) -> NoReturn:
    """Nothing of the first process's own goes on here, whatever happens."""
    code = 1
    try:
        # Ctrl-C reaches the first process alone, which then stops this one in order.
        os.setsid()
        serve(ends)
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException as error:
        logger.critical("task_ended", task="second process", error=type(error).__name__)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


async def told(said: socket.socket, begun: Callable[[Callable[[], None]], Awaitable[None]]) -> None:
    """In the second process: waits for the word to start; `begun` gets what says that it serves.

    It ends at once when the first process has gone, as if killed with it.
    """
    if await _heard(said) != START:
        return
    first = asyncio.ensure_future(_heard(said))
    first.add_done_callback(_end)
    try:
        await begun(lambda: said.sendall(READY))
    except SettingsError as error:
        await _say(said, " ".join(str(error).splitlines()).encode())
    finally:
        first.remove_done_callback(_end)
        first.cancel()


def _end(_gone: asyncio.Future[bytes]) -> None:
    os._exit(1)


async def _say(line: socket.socket, word: bytes) -> None:
    line.setblocking(False)
    await asyncio.get_running_loop().sock_sendall(line, word)


async def _heard(line: socket.socket) -> bytes:
    """The next word; empty where the other process has gone."""
    line.setblocking(False)
    return await asyncio.get_running_loop().sock_recv(line, WORD_BYTES)
