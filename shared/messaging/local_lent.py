"""The local log in a second process of the same system: it reads the file itself and has the first process write.

One process writes a file (`ARCHITECTURE`, section 4). What the second one appends, and where its groups stand, goes to
the writer over a pair of connected sockets and is acknowledged once it is committed; after each commit it hears of the
new ends. Both processes are of one build, and nobody else holds an end of the pair.
"""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import socket
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from struct import Struct
from typing import Any, cast

from shared.clock import Runtime
from shared.errors import PortError, Unavailable, UnknownOutcome
from shared.messaging.local import LocalLog
from shared.messaging.local_file import Operation, Shown
from shared.messaging.local_writer import Tails
from shared.messaging.port import Topic

STOP_SECONDS = 3.0
# Told to a process that does not read them, ends are kept as one that takes no more room however many there are.
UNREAD_BYTES = 64 * 1024
_LENGTH = Struct(">I")
_ENDS = 0


class Frames(asyncio.Protocol):
    """Objects over a stream, each with its length before it; `lost` is called when the other end has gone."""

    def __init__(self, received: Callable[[Any], None], lost: Callable[[], None], drained: Callable[[], None]) -> None:
        self._received = received
        self._lost = lost
        self._drained = drained
        self._begun = bytearray()
        self._transport: asyncio.Transport | None = None

    @property
    def unread(self) -> int:
        """Bytes that the other end has not taken yet."""
        return self._transport.get_write_buffer_size() if self._transport else 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._begun += data
        place = 0
        while place + _LENGTH.size <= len(self._begun):
            (length,) = _LENGTH.unpack_from(self._begun, place)
            end = place + _LENGTH.size + length
            if end > len(self._begun):
                break
            # Both ends are processes of one system, and the sockets never had a name.
            self._received(pickle.loads(self._begun[place + _LENGTH.size : end]))  # noqa: S301
            place = end
        del self._begun[:place]

    def send(self, what: Any) -> None:
        if self._transport is None or self._transport.is_closing():
            raise Unavailable("log: its writer has gone")
        raw = pickle.dumps(what, pickle.HIGHEST_PROTOCOL)
        self._transport.write(_LENGTH.pack(len(raw)) + raw)

    def resume_writing(self) -> None:
        self._drained()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._lost()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Lender:
    """Beside the log that writes the file: does what the other process asks for, and tells it of the ends."""

    def __init__(self, log: LocalLog, line: socket.socket, runtime: Runtime) -> None:
        self._log = log
        self._line = line
        self._runtime = runtime
        self._frames = Frames(self._asked, self._unheard, self._tell)
        self._untold: Tails = {}
        self._unfollow: Callable[[], None] | None = None

    async def start(self) -> None:
        """After the log."""
        await asyncio.get_running_loop().create_connection(lambda: self._frames, sock=self._line)
        self._unfollow = self._log.follow(self._grown)

    async def stop(self) -> None:
        """Before the log."""
        self._unheard()
        self._frames.close()

    def _unheard(self) -> None:
        if self._unfollow is not None:
            self._unfollow()
            self._unfollow = None

    def _asked(self, asked: tuple[int, Operation]) -> None:
        number, operation = asked
        try:
            done = self._begun(operation)
        except PortError as error:
            self._answer(number, error)
        else:
            done.add_done_callback(partial(self._done, number))

    def _begun(self, operation: Operation) -> asyncio.Future[None]:
        if isinstance(operation, Shown):
            return self._runtime.spawn(self._log.show(operation.shown_ms), "log-shown")
        return self._log.submit(operation)

    def _done(self, number: int, done: asyncio.Future[None]) -> None:
        if done.cancelled():
            self._answer(number, UnknownOutcome("log: cancelled"))
            return
        error = done.exception()
        if error is not None and not isinstance(error, PortError):
            error = UnknownOutcome(f"log: {type(error).__name__}")
        self._answer(number, error)

    def _answer(self, number: int, error: PortError | None) -> None:
        # Whoever asked has heard of the ends that its own append made before it hears that it is durable.
        self._tell()
        self._send((number, error))

    def _grown(self, tails: Tails) -> None:
        self._untold.update(tails)
        if self._frames.unread < UNREAD_BYTES:
            self._tell()

    def _tell(self) -> None:
        if self._untold:
            told, self._untold = self._untold, {}
            self._send((_ENDS, told))

    def _send(self, what: Any) -> None:
        # Of whoever has gone nobody waits for an answer.
        with contextlib.suppress(Unavailable):
            self._frames.send(what)


class SentWriter:
    """`Writer` of the second process: the first one's."""

    def __init__(self, grown: Callable[[Tails], None]) -> None:
        self.frames = Frames(self._heard, self._gone, lambda: None)
        self._grown = grown
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._numbers = _ENDS

    def submit(self, operation: Operation) -> asyncio.Future[None]:
        self._numbers += 1
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.frames.send((self._numbers, operation))
        self._waiting[self._numbers] = done
        return done

    def flush(self) -> None:
        """What waits for company waits at the other end, and no longer than there."""

    def stop(self) -> None:
        """Nothing of it is in this process."""

    async def settled(self) -> None:
        """When everything that was submitted has its answer."""
        if self._waiting:
            await asyncio.wait(list(self._waiting.values()), timeout=STOP_SECONDS)

    def _heard(self, told: tuple[int, Any]) -> None:
        number, said = told
        if number == _ENDS:
            self._grown(said)
            return
        done = self._waiting.pop(number)
        if done.done():
            return
        if said is None:
            done.set_result(None)
        else:
            done.set_exception(said)

    def _gone(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for done in waiting.values():
            if not done.done():
                done.set_exception(UnknownOutcome("log: its writer has gone"))


class LentLog(LocalLog):
    """`shared.messaging.port.Log` on a file that another process writes, whose `Lender` has the other end of `line`."""

    def __init__(self, path: Path, topics: Sequence[Topic], runtime: Runtime, line: socket.socket) -> None:
        super().__init__(path, topics, runtime)
        self._line = line
        self._sent: SentWriter | None = None

    async def start(self) -> None:
        """After the other process's own log. Raises SettingsError."""
        if self._sent is not None:
            return
        self._file.open_beside()
        self._opened = True
        self._look()
        sent = SentWriter(self._grown)
        await asyncio.get_running_loop().create_connection(lambda: sent.frames, sock=self._line)
        self._writer = self._sent = sent
        # What was committed between the look and the first word of the other end.
        self._look()

    async def stop(self) -> None:
        sent, self._sent = self._sent, None
        if sent is not None:
            await self._leave()
            await sent.settled()
            self._writer = None
            sent.frames.close()
            self.close()

    async def show(self, now_ms: int) -> None:
        """By whoever stamps."""
        try:
            await self.submit(Shown(now_ms))
        except UnknownOutcome as error:
            raise Unavailable("log: the instant shown") from error
