"""Where submissions come in, from outside with plain sockets: a full queue refuses before anything is read, and the
connection stays usable; nothing else is refused meanwhile."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, Response

from deploy.cli.hosting import Server, bound_socket
from shared.clock import RealRuntime
from shared.intake.admission import FIRST_RATE, WAIT_AT_MOST_SECONDS, Admission
from shared.web.doors import Door
from shared.web.front import Front
from shared.web.patience import Patience

FULL = round(FIRST_RATE * WAIT_AT_MOST_SECONDS) + 1
BODY = b'{"n": 1}'


def request(path: str = "/registration/v1/experts", *more: bytes, body: bytes = BODY, method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1".encode(), b"Host: 127.0.0.1", b"Content-Length: %d" % len(body), *more]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


class Reception:
    """A service with one place that takes submissions and one that takes drafts, behind a real server."""

    def __init__(self) -> None:
        self.admission = Admission(lambda: 0.0)
        self.read: list[bytes] = []
        self.app = FastAPI()
        self.app.add_api_route("/v1/experts", self._taking, methods=["POST"], status_code=202)
        self.app.add_api_route("/v1/assignments/{id}/applications", self._taking, methods=["POST"], status_code=202)
        self.app.add_api_route("/v1/assignments/{id}/revise", self._taking, methods=["POST"])
        self.app.add_api_route("/v1/experts", self._taking, methods=["GET"])
        self.port = 0

    async def _taking(self, request: Request) -> Response:
        self.read.append(await request.body())
        return JSONResponse({"waiting": self.admission.waiting})

    def full(self) -> None:
        for number in range(FULL):
            self.admission.queued(f"person-{number}")

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)


async def answer(reader: asyncio.StreamReader) -> tuple[int, str, bytes]:
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).decode()
    length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
    assert length
    return int(head.split()[1]), head.lower(), await reader.readexactly(int(length[1]))


@pytest.fixture
async def reception() -> AsyncIterator[Reception]:
    found, runtime, listening = Reception(), RealRuntime(), bound_socket(0)
    door = Door(found.app, "registration", found.admission)
    server = Server(Front({"registration": found.app}), runtime, Patience(), [door])
    running = asyncio.ensure_future(server.serve(sockets=[listening]))
    while not server.started:
        await asyncio.sleep(0.01)
    found.port = listening.getsockname()[1]
    yield found
    server.should_exit = server.force_exit = True
    await running
    runtime.close()


@pytest.mark.parametrize("path", ["/registration/v1/experts", "/registration/v1/assignments/a-1/applications"])
async def test_a_full_queue_refuses_before_the_body_is_read_and_the_connection_goes_on(
    reception: Reception, path: str
) -> None:
    reception.full()
    reader, writer = await reception.connect()
    for _ in range(3):
        writer.write(request(path))
        status, head, body = await answer(reader)
        assert (status, json.loads(body)["rule"]) == (429, "overloaded")
        assert f"retry-after: {round(WAIT_AT_MOST_SECONDS) + 1}" in head
        assert "application/problem+json" in head
    assert reception.read == []
    while reception.admission.waiting > 1:
        reception.admission.decided(next(iter(reception.admission._own)))
    writer.write(request(path))
    assert (await answer(reader))[0] == 200
    assert reception.read == [BODY]
    writer.close()


async def test_a_body_that_comes_in_pieces_after_its_refusal_is_no_request(reception: Reception) -> None:
    reception.full()
    reader, writer = await reception.connect()
    whole = request(body=b"GET /registration/v1/experts HTTP/1.1\r\n\r\n" * 100)
    for part in (whole[:150], whole[150:400], whole[400:] + request(method="GET", body=b"")):
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0.05)
    assert (await answer(reader))[0] == 429
    assert (await answer(reader))[0] == 200
    assert reception.read == [b""]
    writer.close()


async def test_two_requests_at_once_get_two_answers(reception: Reception) -> None:
    reception.full()
    reader, writer = await reception.connect()
    writer.write(request() + request(method="GET", body=b"") + request())
    assert [(await answer(reader))[0] for _ in range(2)] == [429, 200]
    writer.close()


@pytest.mark.parametrize(
    "unusual",
    [
        b"POST /registration/v1/experts HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /registration/v1/experts HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /registration/v1/experts HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n",
        b"POST /registration/v1/experts HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
        b"POST /registration/v1/experts HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /registration/v1/experts HTTP/1.1\r\nHost: x\r\n",
    ],
)
async def test_where_it_is_not_plain_where_a_request_ends_the_connection_ends(
    reception: Reception, unusual: bytes
) -> None:
    reception.full()
    reader, writer = await reception.connect()
    writer.write(unusual)
    status, head, _ = await answer(reader)
    assert (status, "connection: close" in head) == (429, True)
    assert await reader.read() == b""
    writer.close()


async def test_a_draft_and_a_question_are_never_refused_for_it(reception: Reception) -> None:
    reception.full()
    reader, writer = await reception.connect()
    for asked in (request("/registration/v1/assignments/a-1/revise"), request(method="GET", body=b"")):
        writer.write(asked)
        assert (await answer(reader))[0] == 200
    writer.close()


async def test_a_request_counts_from_its_first_bytes_until_it_is_answered_or_gone(reception: Reception) -> None:
    reader, writer = await reception.connect()
    writer.write(request())
    assert json.loads((await answer(reader))[2]) == {"waiting": 1}
    assert reception.admission.waiting == 0
    writer.write(request(body=b"x" * 100)[:-10])
    await asyncio.sleep(0.1)
    assert reception.admission.waiting == 1
    writer.close()
    await writer.wait_closed()
    await asyncio.sleep(0.1)
    assert reception.admission.waiting == 0
