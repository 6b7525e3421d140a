"""HTTP/1.1 as it is spoken here, over a parser that is written in C.

The parser bounds nothing and takes what others would read otherwise than it does. Heads are bounded here, and what a
proxy before us may have taken for something else is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

# Of a head, of a chunk's line, of all trailers: what may come before there is something to be done with it.
SPAN_BYTES_AT_MOST = 65_536
FIELDS_AT_MOST = 128
# So many bytes are read at a time: the requests in them are all begun, and more wait until those are answered.
PIECE_BYTES = 4_096
_FRAMING = (b"content-length", b"transfer-encoding")
# Of tunnels and of other protocols (RTSP, Icecast), which the parser takes for requests of HTTP/1.0.
_OTHERS = frozenset(
    {"CONNECT", "SOURCE", "DESCRIBE", "ANNOUNCE", "SETUP", "PLAY", "PAUSE", "TEARDOWN", "GET_PARAMETER"}
    | {"SET_PARAMETER", "REDIRECT", "RECORD", "FLUSH", "PRI"}
)
# By version: how many Host headers, and which transfer codings.
_ALLOWED: Mapping[str, tuple[Sequence[int], Sequence[list[bytes]]]] = {
    "1.0": ((0, 1), ([],)),
    "1.1": ((1,), ([], [b"chunked"])),
}


class Untaken(Exception):
    """What came is refused with this status and rule."""

    def __init__(self, status: int = 400, rule: str = "not_http") -> None:
        super().__init__(status, rule)
        self.answer = (status, rule)


class Exchange(RequestResponseCycle):
    """One request and its answer."""

    _until_closed = False

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            # Told no, a client may send the body that it has announced, or not: the next request could be either.
            self.keep_alive = self.keep_alive and not self.waiting_for_100_continue
            sized = any(name.lower() == b"content-length" for name, _ in message.get("headers", ()))
            if self.scope["http_version"] == "1.0" and not sized:
                # HTTP/1.0 knows no chunks; the end of the connection is that of the answer.
                self.chunked_encoding, self._until_closed = False, True
        elif self._until_closed:
            self.expected_content_length = len(message.get("body", b""))
        await super().send(message)


class Speaking(HttpToolsProtocol):
    """A connection's requests, in their order: the next ones are read when those that came whole are answered."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.answering: Exchange | None = None
        self._within = self._in_head = False
        self._bodied_upgrade = self._reads_again = False
        self._span = 0
        # What is still to come of a body whose length was told.
        self._left = 0
        self._held = b""
        self._wrong: Untaken | None = None

    def refuse(self, status: int, rule: str) -> None:
        """Answers what is no request of ours, and ends the connection."""
        raise NotImplementedError

    def take(self, data: bytes) -> None:
        """Reads what came, now or when its turn has come."""
        self.read(data)

    def read(self, data: bytes) -> None:
        at = 0
        while at < len(data) and self._wrong is None:
            if self.owes_answer():
                self._held += data[at:]
                self.flow.pause_reading()
                return
            at += self._read_piece(data[at : at + self._span_of_piece()])
            if self.idle() and at < len(data) and not self._held:
                # The rest of a request that was answered before it had come whole: what follows has a turn of its own.
                self.take(data[at:])
                return

    def _span_of_piece(self) -> int:
        """How much is read at once: of a body no more than is left of it."""
        bounded = self._within and not self._in_head and not self._bodied_upgrade and self._left
        return min(PIECE_BYTES, self._left) if bounded else PIECE_BYTES

    def idle(self) -> bool:
        """Whether the next byte begins a request."""
        return not self._within and (self.answering is None or self.answering.response_complete)

    def owes_answer(self) -> bool:
        """Whether a request has come whole and is not answered yet."""
        found = self.answering
        return found is not None and not found.more_body and not found.response_complete

    def amid_request(self) -> bool:
        """Whether a request has begun to come that has not come whole."""
        return self._within

    def answered_early(self) -> bool:
        """Whether what is coming is the rest of a request that has been answered."""
        return self._within and not self._in_head and self.cycle is self.answering and self.cycle.response_complete

    def connection_lost(self, exc: Exception | None) -> None:
        # The library tells the request that was read last, which may be one that waits behind this.
        self.give_up()
        super().connection_lost(exc)

    def give_up(self) -> None:
        """The service hears that the client has gone, and what it still says goes nowhere."""
        self.pipeline.clear()
        self._held = b""
        if self.answering is not None and not self.answering.response_complete:
            self.answering.disconnected = True
            self.answering.message_event.set()

    def on_response_complete(self) -> None:
        waits_for_more = not self.pipeline or self.pipeline[-1][0].more_body
        if self._wrong is not None and waits_for_more and not self.transport.is_closing():
            self.refuse(*self._wrong.answer)
            return
        super().on_response_complete()
        if self._held and not self.owes_answer() and not self.transport.is_closing():
            held, self._held = self._held, b""
            self._unset_keepalive_if_required()
            self.take(held)

    def on_message_begin(self) -> None:
        if not self._reads_again:
            self._within = self._in_head = True
            super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        # After the head come trailers, which are no headers: the proxies before us have looked at those alone.
        if not self._in_head:
            return
        if len(self.headers) >= FIELDS_AT_MOST:
            raise Untaken(431, "too_large")
        self.headers.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        if self._reads_again:
            return
        version, method = self.parser.get_http_version(), self.parser.get_method().decode("ascii")
        framing = self._framing(version, method)
        # The library reads a target as a browser's address: it drops a part and takes another's host for none.
        path, _, query = self.url.partition(b"?")
        self.scope["http_version"], self.scope["method"] = version, method
        self.scope["path"], self.scope["raw_path"] = unquote(path.decode("ascii")), path
        self.scope["query_string"] = query
        self._bodied_upgrade = self.parser.should_upgrade() and framing not in ((), ((b"content-length", b"0"),))
        self._in_head, self._span = False, 0
        self._left = next((int(value) for name, value in framing if name.lower() == b"content-length"), 0)
        self._begin(self._exchange(version))

    def on_body(self, body: bytes) -> None:
        self._span = 0
        self._left = max(self._left - len(body), 0)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._bodied_upgrade:
            self._within, self._span = False, 0
            super().on_message_complete()

    def _framing(self, version: str, method: str) -> tuple[tuple[bytes, bytes], ...]:
        """The headers that say where the request ends. Raises Untaken where others may read the head otherwise."""
        hosts = sum(name == b"host" for name, _ in self.headers)
        coded = [value.lower() for name, value in self.headers if name == b"transfer-encoding"]
        hosts_allowed, codings_allowed = _ALLOWED.get(version, ((), ()))
        if hosts not in hosts_allowed or coded not in codings_allowed or method in _OTHERS or not self.url.isascii():
            raise Untaken
        return tuple(pair for pair in self.headers if pair[0] in _FRAMING)

    def _exchange(self, version: str) -> Exchange:
        expected = any(pair[0] == b"expect" and pair[1].lower() == b"100-continue" for pair in self.headers)
        return Exchange(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=expected and version == "1.1",
            keep_alive=version == "1.1" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )

    def _begin(self, exchange: Exchange) -> None:
        self.cycle = exchange
        if self.answering is None or self.answering.response_complete:
            self._start_asgi_task(exchange, self.app)
        else:
            self.pipeline.appendleft((exchange, self.app))

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self.answering = cycle
        super()._start_asgi_task(cycle, app)

    def _read_piece(self, piece: bytes) -> int:
        """How much of it has been read."""
        self._span += len(piece)
        read = len(piece)
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as paused:
            # Nobody offers another protocol, so that what follows is of this one.
            read = paused.args[0]
            if self._bodied_upgrade:
                self._read_body_of_upgrade()
        except httptools.HttpParserError as error:
            self._go_wrong(error)
            return read
        if self._span > SPAN_BYTES_AT_MOST:
            self._go_wrong(Untaken(431, "too_large"))
        return read

    def _read_body_of_upgrade(self) -> None:
        """The parser takes a request that asks for another protocol to have no body, and its body for a request."""
        lines = [b"POST / HTTP/1.1", *(b": ".join(pair) for pair in self.headers if pair[0] in _FRAMING)]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._reads_again = True
        self.parser.feed_data(b"\r\n".join(lines) + b"\r\n\r\n")
        self._reads_again = self._bodied_upgrade = False

    def _go_wrong(self, error: Exception) -> None:
        """At once, or when those are answered that came whole before it."""
        cause = error.__context__ if isinstance(error, httptools.HttpParserCallbackError) else None
        if cause is not None and not isinstance(cause, Untaken):
            raise cause
        self._wrong = next((one for one in (error, cause) if isinstance(one, Untaken)), Untaken())
        if not self.owes_answer():
            self.refuse(*self._wrong.answer)
