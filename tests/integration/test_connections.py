"""Who keeps others waiting is closed, seen from outside with plain sockets on a real server; times are short here."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from starlette.types import Receive, Scope, Send

from deploy.cli import hosting
from deploy.cli.hosting import Server, bound_socket
from shared.clock import RealRuntime
from shared.web.patience import Patience

SHORT = Patience(connections=20, silent_seconds=1.0, slow_seconds=2.0, least_bytes_a_second=1_024.0)
HEAD = b"POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
GET = b"GET /x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


class App:
    """Reads the whole body and says how long it was; `held` keeps it from answering, `large` is its answer's size."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.let_go.set()
        self.gone = 0
        self.large = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        length, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.gone += 1
                return
            length, more = length + len(message["body"]), message.get("more_body", False)
        await self.let_go.wait()
        body = json.dumps({"length": length}).encode() + b" " * self.large
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class Served:
    def __init__(self, app: App, port: int) -> None:
        self.app = app
        self.port = port

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 22)

    async def said(self, sends: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> bytes:
        """All that comes until the server closes, while `sends` writes."""
        reader, writer = await self.connect()
        writing = asyncio.ensure_future(sends(writer))
        try:
            return await asyncio.wait_for(reader.read(), 10)
        finally:
            writing.cancel()
            with suppress(asyncio.CancelledError, ConnectionError):
                await writing
            writer.close()


@asynccontextmanager
async def served(monkeypatch: pytest.MonkeyPatch, patience: Patience) -> AsyncIterator[Served]:
    monkeypatch.setattr(hosting, "LOOK_EVERY_SECONDS", 0.1)
    runtime, app, listening = RealRuntime(), App(), bound_socket(0)
    server = Server(app, runtime, patience)
    running = asyncio.ensure_future(server.serve(sockets=[listening]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield Served(app, listening.getsockname()[1])
    finally:
        server.should_exit = server.force_exit = True
        await running
        runtime.close()


@pytest.fixture
async def edge(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    async with served(monkeypatch, SHORT) as found:
        yield found


def problem(answer: bytes, status: int, rule: str) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode()), answer
    assert b"application/problem+json" in head
    assert json.loads(body)["rule"] == rule


def sending(*parts: bytes, pause: float = 0.0) -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
    async def sends(writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)

    return sends


@pytest.mark.parametrize(
    "begun", [b"P", HEAD, HEAD + b"Content-Length: 10\r\n\r\n", HEAD + b"Content-Length: 10\r\n\r\n{"]
)
async def test_who_sends_half_a_request_and_nothing_more_is_closed(edge: Served, begun: bytes) -> None:
    problem(await edge.said(sending(begun)), 408, "too_slow")


async def test_who_connects_and_says_nothing_is_closed_without_a_word(edge: Served) -> None:
    assert await edge.said(sending()) == b""


async def test_the_service_hears_that_a_body_will_not_come(edge: Served) -> None:
    await edge.said(sending(HEAD + b"Content-Length: 10\r\n\r\n{"))
    await asyncio.sleep(0.05)
    assert edge.app.gone == 1


@pytest.mark.parametrize("pieces", [HEAD, HEAD + b"Content-Length: 4000\r\n\r\n"], ids=["headers", "body"])
async def test_a_byte_now_and_then_is_too_slow(edge: Served, pieces: bytes) -> None:
    """Never silent for as long as it takes to be closed for that, and under a kilobyte a second."""
    drops = [b"X-Slow: 1\r\n" if pieces == HEAD else b" "] * 100
    problem(await edge.said(sending(pieces, *drops, pause=0.25)), 408, "too_slow")


async def test_a_steady_slow_upload_goes_on(edge: Served) -> None:
    """It takes more than twice the span over which speed is measured, at four times the least speed."""
    parts = [b" " * 1_000] * 20
    reader, writer = await edge.connect()
    await sending(HEAD + b"Content-Length: 20000\r\n\r\n", *parts, pause=0.25)(writer)
    assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).startswith(b"HTTP/1.1 200")
    assert json.loads(await reader.readuntil(b"}")) == {"length": 20_000}
    writer.close()


async def test_who_waits_for_the_service_is_not_closed(edge: Served) -> None:
    edge.app.let_go.clear()
    reader, writer = await edge.connect()
    writer.write(HEAD + b"Content-Length: 2\r\n\r\n{}")
    await asyncio.sleep(2 * SHORT.slow_seconds)
    edge.app.let_go.set()
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()


async def drained(lazy: socket.socket) -> int:
    """How much still comes, until the server's end is closed."""
    found = 0
    while part := await asyncio.get_running_loop().sock_recv(lazy, 1 << 16):
        found += len(part)
    return found


async def test_who_takes_nothing_of_an_answer_is_closed(edge: Served) -> None:
    """Half open: the other end is there, and reads no more. The kernel's buffers are small, the answer is large."""
    edge.app.large = 1 << 24
    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.setblocking(False)
        await asyncio.get_running_loop().sock_connect(lazy, ("127.0.0.1", edge.port))
        await asyncio.get_running_loop().sock_sendall(lazy, GET)
        await asyncio.sleep(2 * SHORT.slow_seconds)
        assert await drained(lazy) < edge.app.large
    edge.app.large = 0
    reader, writer = await edge.connect()
    writer.write(GET)
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_what_is_no_http_is_a_problem(edge: Served) -> None:
    problem(await edge.said(sending(b"what is this\r\n\r\n")), 400, "not_http")


async def test_one_connection_too_many_is_refused_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half-sent requests take every place; a further one is told to come again, and places come free by themselves."""
    async with served(monkeypatch, Patience(connections=5, silent_seconds=1.0)) as edge:
        held = [await edge.connect() for _ in range(5)]
        for _, writer in held:
            writer.write(HEAD)
        await asyncio.sleep(0.1)
        answer = await edge.said(sending(GET))
        problem(answer, 503, "overloaded")
        assert b"retry-after: 5" in answer.lower()
        await asyncio.sleep(1.5)
        reader, writer = await edge.connect()
        writer.write(GET)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        for _, each in (*held, (reader, writer)):
            each.close()


async def test_a_second_request_has_its_own_time(edge: Served) -> None:
    """A connection that is used again is not held to what it did before."""
    reader, writer = await edge.connect()
    for _ in range(8):
        writer.write(GET)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        await reader.readuntil(b"}")
        await asyncio.sleep(0.5)
    writer.close()
