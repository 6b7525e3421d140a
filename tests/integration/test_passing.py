"""Two processes of one system behind one port, played by two servers: each request is answered by whom it names."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator

import pytest
from starlette.types import Receive, Scope, Send

from deploy.cli import hosting
from deploy.cli.hosting import Server, bound_socket
from shared.clock import RealRuntime
from shared.web.front import Front
from shared.web.passing import MESSAGE_BYTES, Passing
from shared.web.patience import Patience

SHORT = Patience(connections=20, silent_seconds=1.0, slow_seconds=2.0, least_bytes_a_second=1_024.0)
HERE, THERE = "registration", "matching"


class App:
    """Says its own name, how long the body was, and who asked."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        length, more = 0, b"early=" not in scope["query_string"]
        while more:
            message = await receive()
            length, more = length + len(message.get("body", b"")), message.get("more_body", False)
        body = json.dumps({"name": self.name, "length": length, "from": scope["client"][1]}).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class Two:
    """The first accepts; `port` is its own."""

    def __init__(self) -> None:
        self.runtime = RealRuntime()
        self.listening = bound_socket(0)
        self.port = self.listening.getsockname()[1]
        line, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        first = Front({HERE: App(HERE)}, elsewhere=(THERE,))
        self.first = Server(first, self.runtime, SHORT, passing=Passing(line, lambda name: name == THERE))
        second = Front({THERE: App(THERE)})
        self.second = Server(second, self.runtime, SHORT, passing=Passing(other, lambda name: name != THERE))
        self.running = [
            asyncio.ensure_future(self.first.serve(sockets=[self.listening])),
            asyncio.ensure_future(self.second.serve(sockets=[])),
        ]

    async def started(self) -> None:
        while not (self.first.started and self.second.started):
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        for server in (self.first, self.second):
            server.should_exit = server.force_exit = True
        await asyncio.gather(*self.running)
        self.runtime.close()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)


@pytest.fixture
async def two(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Two]:
    monkeypatch.setattr(hosting, "LOOK_EVERY_SECONDS", 0.1)
    both = Two()
    await both.started()
    yield both
    await both.stop()


def asked(service: str, body: bytes = b"", rest: str = "/v1/x?y=/registration/") -> bytes:
    return (
        b"POST /%s%s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
        % (
            service.encode(),
            rest.encode(),
            len(body),
        )
        + body
    )


async def answered(reader: asyncio.StreamReader) -> tuple[int, dict[str, object]]:
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    length = re.search(rb"(?i)content-length: (\d+)", head)
    assert length
    return int(head.split()[1]), json.loads(await reader.readexactly(int(length[1])))


async def test_one_connection_asks_both_in_turn(two: Two) -> None:
    reader, writer = await two.connect()
    own = writer.get_extra_info("sockname")[1]
    for service in (HERE, THERE, THERE, HERE, THERE, HERE):
        writer.write(asked(service, b"abc"))
        assert await answered(reader) == (200, {"name": service, "length": 3, "from": own})
    writer.close()


async def test_what_follows_a_request_that_was_answered_early_goes_where_it_names(two: Two) -> None:
    """A refusal often comes before the body was read: its rest and the next request then come together."""
    reader, writer = await two.connect()
    for service, other in ((HERE, THERE), (THERE, HERE), (HERE, HERE)):
        early = asked(service, b"x" * 300_000, "/v1/x?early=")
        writer.write(early[:200])
        assert (await answered(reader))[1]["name"] == service
        writer.write(early[200:] + asked(other, b"abc"))
        status, said = await answered(reader)
        assert (status, said["name"], said["length"]) == (200, other, 3)
    writer.close()


async def test_many_at_once_are_each_answered_by_whom_they_name(two: Two) -> None:
    async def one(number: int) -> None:
        reader, writer = await two.connect()
        for turn in range(6):
            service = (HERE, THERE)[(number + turn) % 2]
            writer.write(asked(service, b"x" * number))
            status, said = await answered(reader)
            assert (status, said["name"], said["length"]) == (200, service, number)
        writer.close()

    await asyncio.gather(*map(one, range(15)))


@pytest.mark.parametrize("service", [HERE, THERE])
async def test_a_request_may_begin_a_byte_at_a_time(two: Two, service: str) -> None:
    reader, writer = await two.connect()
    for number in asked(service, b"abc"):
        writer.write(bytes([number]))
        await writer.drain()
        await asyncio.sleep(0.001)
    status, said = await answered(reader)
    assert (status, said["name"], said["length"]) == (200, service, 3)
    writer.close()


@pytest.mark.parametrize("length", [MESSAGE_BYTES - 200, MESSAGE_BYTES + 1, 1_000_000])
async def test_what_has_come_of_a_long_body_goes_along(two: Two, length: int) -> None:
    reader, writer = await two.connect()
    for service in (THERE, HERE):
        writer.write(asked(service, b"x" * length))
        status, said = await answered(reader)
        assert (status, said["name"], said["length"]) == (200, service, length)
    writer.close()


async def test_who_does_not_wait_for_an_answer_is_told_that_the_next_request_was_misdirected(two: Two) -> None:
    """Pipelined, the second request lies behind the first one's parser; it is refused and may be sent again."""
    reader, writer = await two.connect()
    writer.write(asked(HERE) + asked(THERE))
    assert (await answered(reader))[1]["name"] == HERE
    status, said = await answered(reader)
    assert (status, said["rule"]) == (421, "misdirected")
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


@pytest.mark.parametrize("begun", [b"GE", b"GET /match", asked(THERE)[:-6]])
async def test_half_a_request_is_not_waited_for_on_either_side(two: Two, begun: bytes) -> None:
    reader, writer = await two.connect()
    writer.write(begun)
    assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 408 ")
    writer.close()


@pytest.mark.parametrize("path", ["/matchin", "/matchings/v1", "/Matching/v1", "//matching/v1", "/%6datching/v1"])
async def test_what_is_no_name_of_the_others_stays(two: Two, path: str) -> None:
    reader, writer = await two.connect()
    writer.write(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode())
    status, said = await answered(reader)
    assert (status, said["rule"]) in {(404, "not_found"), (421, "misdirected")}
    writer.close()


async def test_without_the_other_process_its_requests_are_refused_and_others_answered(two: Two) -> None:
    two.second.should_exit = True
    await two.running[1]
    reader, writer = await two.connect()
    writer.write(asked(HERE))
    assert (await answered(reader))[0] == 200
    writer.write(asked(THERE))
    status, said = await answered(reader)
    assert (status, said["rule"]) == (503, "overloaded")
    writer.close()
