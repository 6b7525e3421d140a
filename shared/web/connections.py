"""Who is connected: how many, and for how long somebody may take over saying what he wants.

Without this a few hundred half-sent requests hold everything open that a client, a proxy or an attacker leaves behind.
"""

from __future__ import annotations

import resource
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from shared.telemetry.observability import count
from shared.web.envelope import SECURITY_HEADERS
from shared.web.problems import problem

# Files, the log's and the stores' connections, and who is just being turned away.
OTHER_FILES = 256
LINGER_SECONDS = 1.0


@dataclass(frozen=True)
class Patience:
    """`connections` at once. Closed is who sends no byte of a begun request for `silent_seconds`, who sends less than
    `least_bytes_a_second` over `slow_seconds`, and who takes nothing of an answer for `slow_seconds`. A slow upload
    that goes on steadily is none of these.
    """

    connections: int = 2_000
    silent_seconds: float = 15.0
    slow_seconds: float = 60.0
    least_bytes_a_second: float = 1_024.0


class Connections:
    """The open ones of one server; `accept` makes them, `look` closes whom nobody needs to wait for any longer."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
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


class Connection(H11Protocol):
    """One client's."""

    def __init__(self, among: Connections, **given: Any) -> None:
        super().__init__(**given)
        self._among = among
        self._refused = self._ever = False
        self._heard = self._since = self._written = 0.0
        self._bytes = self._unsent = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._heard = self._since = self._written = self.loop.time()
        if not self._among.admit(self):
            # The server waits for its connections when it stops; this one has nothing to wait for.
            self.connections.discard(self)
            self._turn_away(503, "overloaded", {"Retry-After": "5"})

    def connection_lost(self, exc: Exception | None) -> None:
        self._among.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._heard = self.loop.time()
        self._bytes += len(data)
        self._ever = True
        super().data_received(data)

    def on_response_complete(self) -> None:
        # What follows on the same connection has its own minute.
        self._heard = self._since = self.loop.time()
        self._bytes, self._ever = 0, False
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is refused like everything else, as a problem."""
        self._turn_away(400, "not_http")

    def look(self, now: float, patience: Patience) -> None:
        """Closes the connection of somebody who keeps others waiting."""
        if self._refused or self.transport.is_closing():
            return
        if not self._takes(now, patience):
            count("connections_unread")
            self.transport.abort()
        elif not self._says(now, patience):
            count("connections_silent")
            if self._ever:
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
        if self.timeout_keep_alive_task is not None or self.flow.read_paused:
            return True
        if self.cycle is not None and self.cycle.waiting_for_100_continue:
            return True
        return self.conn.their_state in (h11.DONE, h11.MUST_CLOSE)

    def _turn_away(self, status: int, rule: str, headers: dict[str, str] | None = None) -> None:
        """Writes a problem where no answer has begun, and closes: at once for what we send, soon for what comes."""
        self._refused = True
        # Who is on the way out takes nobody's place.
        self._among.forget(self)
        self._unset_keepalive_if_required()
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            # The service hears that the client has gone, and what it still says goes nowhere.
            cycle.disconnected = True
            cycle.message_event.set()
        if cycle is None or cycle.response_complete or not cycle.response_started:
            self.transport.write(_written(status, rule, headers or {}))
        if self.transport.can_write_eof():
            # Closed at once, what the client still sends would be answered by a reset, which takes the answer along.
            self.transport.write_eof()
            self.loop.call_later(LINGER_SECONDS, self.transport.abort)
        else:
            self.transport.close()


def files_at_most() -> int:
    """How many files this process may have open, after asking for as many as it may ask for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else 1_048_576


def _written(status: int, rule: str, headers: dict[str, str]) -> bytes:
    """A whole answer as bytes of HTTP/1.1."""
    answer = problem(status, rule, headers={**SECURITY_HEADERS, **headers, "Connection": "close"})
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
    lines += [name + b": " + value for name, value in answer.raw_headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + bytes(answer.body)
