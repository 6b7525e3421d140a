"""Who is connected: how many, and for how long somebody may take over saying what he wants.

Without this a few hundred half-sent requests hold everything open that a client, a proxy or an attacker leaves behind.
"""

from __future__ import annotations

import asyncio
import re
import resource
from collections.abc import Sequence
from typing import Any, cast

from shared.telemetry.observability import count
from shared.web.bodies import BODY_BYTES_AT_MOST
from shared.web.doors import Door, written
from shared.web.gathered import Gathered
from shared.web.passing import Passing
from shared.web.patience import Patience
from shared.web.speaking import Speaking

# Files, the log's and the stores' connections, and who is just being turned away.
OTHER_FILES = 256
LINGER_SECONDS = 1.0
RETRY_SECONDS = 5
_PLAIN = re.compile(rb"[^\r\n]+(?:\r\n[!-9;-~]+:[^\r\n]*)*")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([^\r]*)", re.IGNORECASE)
# What leaves open where the request ends, or who closes: such a connection is closed with the refusal.
_UNUSUAL = re.compile(rb"\r\n(?:transfer-encoding|expect|connection|upgrade):", re.IGNORECASE)


class Connections:
    """The open ones of one server; `accept` makes them, `look` closes whom nobody needs to wait for any longer.

    `doors`: where submissions come in, looked at before a request is read. `passing`: to whom a connection goes whose
    next request another process answers.
    """

    def __init__(self, patience: Patience, doors: Sequence[Door] = (), passing: Passing | None = None) -> None:
        self.patience = patience
        self.doors = tuple(doors)
        self.passing = passing
        self._at_most = min(patience.connections, files_at_most() - OTHER_FILES)
        self._open: set[Connection] = set()

    def accept(self, **given: Any) -> Connection:
        """A protocol for the server's next connection."""
        return Connection(self, **given)

    def admit(self, connection: Connection) -> bool:
        """Whether there is a place for one more."""
        if len(self._open) >= self._at_most:
            count("connections_refused")
            return False
        self._open.add(connection)
        return True

    def forget(self, connection: Connection) -> None:
        self._open.discard(connection)

    def look(self, now: float) -> None:
        """`now`: the loop's clock. To be called about once a second."""
        for connection in tuple(self._open):
            connection.look(now, self.patience)


class Connection(Speaking):
    """One client's."""

    def __init__(self, among: Connections, begun: bytes = b"", **given: Any) -> None:
        super().__init__(**given)
        self._among = among
        # What was read of a request before it could be told whose it is; of one that comes from elsewhere, all of it.
        self._begun = begun
        self._refused = False
        self._door: Door | None = None
        self._to_drop = 0
        self._heard = self._since = self._written = 0.0
        self._bytes = self._unsent = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(cast(asyncio.Transport, Gathered(transport, self.loop)))
        self._heard = self._since = self._written = self.loop.time()
        if not self._among.admit(self):
            # The server waits for its connections when it stops; this one has nothing to wait for.
            self.connections.discard(self)
            self._turn_away(503, "overloaded", RETRY_SECONDS)
        elif self._begun:
            begun, self._begun = self._begun, b""
            self.data_received(begun)

    def connection_lost(self, exc: Exception | None) -> None:
        self._among.forget(self)
        self._leave_door()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._heard = self.loop.time()
        self._bytes += len(data)
        dropped = min(self._to_drop, len(data))
        self._to_drop -= dropped
        self.take(data[dropped:])

    def take(self, data: bytes) -> None:
        refused = True
        while refused and data and self.idle():
            data, self._begun = self._begun + data, b""
            if self._elsewhere(data):
                return
            refused, data = self._at_a_door(data)
        if data and not self._refused:
            self._unset_keepalive_if_required()
            self.read(data)

    def on_response_complete(self) -> None:
        # What follows on the same connection has its own minute.
        self._heard = self._since = self.loop.time()
        self._bytes = 0
        self._leave_door()
        super().on_response_complete()

    def _elsewhere(self, data: bytes) -> bool:
        """Whether another process answers what begins so, or that cannot be told yet."""
        passing = self._among.passing
        goes = passing.leads(data) if passing else False
        if goes is None:
            self._unset_keepalive_if_required()
            self._begun = data
        elif goes:
            self._pass_on(cast(Passing, passing), data)
        return goes is not False

    def _pass_on(self, passing: Passing, data: bytes) -> None:
        # An answer that is still to be written would be lost; only who does not wait for answers has one.
        if self.transport.get_write_buffer_size() or not passing.hand_over(self._file(), data):
            self._turn_away(503, "overloaded", RETRY_SECONDS)
            return
        count("connections_passed")
        self._refused = True
        self._among.forget(self)
        self._unset_keepalive_if_required()
        self.transport.abort()

    def _file(self) -> int:
        return int(self.transport.get_extra_info("socket").fileno())

    def _at_a_door(self, data: bytes) -> tuple[bool, bytes]:
        """Whether it was refused there, and what is left to be read; else the door counts it until it is answered."""
        door = next((one for one in self._among.doors if one.leads(data)), None)
        if door is None:
            return False, data
        retry_after = door.admission.retry_after()
        if retry_after is None:
            self._door = door
            door.admission.knocking += 1
            return False, data
        count("refused_at_the_door")
        head, found, rest = data.partition(b"\r\n\r\n")
        length = _length(head) if found else None
        if length is None:
            self._turn_away(429, "overloaded", retry_after)
            return True, b""
        self._unset_keepalive_if_required()
        self.transport.write(written(429, "overloaded", retry_after, closes=False))
        self._to_drop = max(length - len(rest), 0)
        return True, rest[length:]

    def _leave_door(self) -> None:
        if self._door is not None:
            self._door.admission.knocking -= 1
            self._door = None

    def refuse(self, status: int, rule: str) -> None:
        """What is no HTTP is refused like everything else, as a problem."""
        self._turn_away(status, rule)

    def look(self, now: float, patience: Patience) -> None:
        """Closes the connection of somebody who keeps others waiting."""
        if self._refused or self.transport.is_closing():
            return
        if not self._takes(now, patience):
            count("connections_unread")
            self.transport.abort()
        elif not self._says(now, patience):
            count("connections_silent")
            if self.amid_request() or self._to_drop or self._begun:
                self._turn_away(408, "too_slow")
            else:
                # Opened ahead of need, as browsers do: an answer to nothing would be taken for that of a request.
                self.transport.close()

    def _takes(self, now: float, patience: Patience) -> bool:
        """Whether what was written is being read at the other end."""
        unsent = self.transport.get_write_buffer_size()
        if not unsent or unsent < self._unsent:
            self._written = now
        self._unsent = unsent
        return now - self._written <= patience.slow_seconds

    def _says(self, now: float, patience: Patience) -> bool:
        """Whether a request that is not whole yet is on its way, or nothing is expected."""
        if self._expects_nothing():
            self._heard = self._since = now
            self._bytes = 0
            return True
        if now - self._heard > patience.silent_seconds:
            return False
        if now - self._since <= patience.slow_seconds:
            return True
        fast = self._bytes >= patience.least_bytes_a_second * (now - self._since)
        self._since, self._bytes = now, 0
        return fast

    def _expects_nothing(self) -> bool:
        """Whether it is the service's turn: the request is whole, or it is we who do not read on."""
        if self.timeout_keep_alive_task is not None or self.flow.read_paused or self.owes_answer():
            return True
        return self.answering is not None and self.answering.waiting_for_100_continue

    def _turn_away(self, status: int, rule: str, retry_after: int | None = None) -> None:
        """Writes a problem where no answer has begun, and closes: at once for what we send, soon for what comes."""
        self._refused = True
        # Who is on the way out takes nobody's place.
        self._among.forget(self)
        self._unset_keepalive_if_required()
        begun = self.answering
        unanswered = begun is None or begun.response_complete or not begun.response_started
        if unanswered and not self.answered_early() and not self._to_drop:
            self.transport.write(written(status, rule, retry_after, closes=True))
        self.give_up()
        if self.transport.can_write_eof():
            # Closed at once, what the client still sends would be answered by a reset, which takes the answer along.
            self.transport.write_eof()
            self.loop.call_later(LINGER_SECONDS, self.transport.abort)
        else:
            self.transport.close()


def _length(head: bytes) -> int | None:
    """How long the body is; None where somebody could read the head otherwise, and where it is too long to be read."""
    found = [length.rstrip() for length in _LENGTH.findall(head)]
    if len(found) != 1 or not re.fullmatch(rb"[0-9]{1,9}", found[0]):
        return None
    if not _PLAIN.fullmatch(head) or _UNUSUAL.search(head):
        return None
    return int(found[0]) if int(found[0]) <= BODY_BYTES_AT_MOST else None


def files_at_most() -> int:
    """How many files this process may have open, after asking for as many as it may ask for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else 1_048_576
