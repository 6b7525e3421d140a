"""What is taken for HTTP and what is refused: bytes on a plain socket, the answers, and whether the connection goes on.

Where a proxy before the service could read a request otherwise than the service does, it is refused.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from starlette.types import Receive, Scope, Send

from deploy.cli.hosting import Server, bound_socket
from shared.clock import RealRuntime
from shared.web.patience import Patience

pytestmark = pytest.mark.asyncio(loop_scope="module")

GET = b"GET /a HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: x\r\n"
UNREAD = b"POST /unread HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
UPGRADE = b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AA\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
ODD = b'/a"<>\\^`{|}[]?"<>\\^`{|}[]'
A_K = b"a" * 1_024


def line(first: bytes, *lines: bytes) -> bytes:
    return b"\r\n".join([first, *(lines or (b"Host: x",)), b"", b""])


# What is sent, and what was understood: method, target and body of each request.
TAKEN: dict[str, tuple[bytes, list[str]]] = {
    "no body": (GET + b"\r\n", ["GET /a"]),
    "a body": (POST + b"Content-Length: 2\r\n\r\nab", ["POST /a ab"]),
    "a body of a GET": (GET + b"Content-Length: 2\r\n\r\nab", ["GET /a ab"]),
    "a length among spaces": (POST + b"Content-Length:  2 \t\r\n\r\nab", ["POST /a ab"]),
    "a length with zeros": (POST + b"Content-Length: 0002\r\n\r\nab", ["POST /a ab"]),
    "chunks": (POST + CHUNKED + b"2\r\nab\r\n00A;n=v\r\n0123456789\r\n0\r\n\r\n", ["POST /a ab0123456789"]),
    "chunks, otherwise written": (POST + b"TRANSFER-ENCODING:\tCHUNKED\r\n\r\n0\r\n\r\n", ["POST /a"]),
    "a trailer is no header": (POST + CHUNKED + b"1\r\na\r\n0\r\nX-One: late\r\n\r\n", ["POST /a a"]),
    "three at once": (
        GET + b"\r\n" + POST + b"Content-Length: 1\r\n\r\na" + GET + b"\r\n",
        ["GET /a", "POST /a a", "GET /a"],
    ),
    "hundreds at once": ((GET + b"\r\n") * 500, ["GET /a"] * 500),
    "an empty line before": (b"\r\n" + GET + b"\r\n", ["GET /a"]),
    "an empty line after a body": (POST + b"Content-Length: 1\r\n\r\na\r\n" + GET + b"\r\n", ["POST /a a", "GET /a"]),
    "two spaces": (line(b"GET  /a  HTTP/1.1"), ["GET /a"]),
    "names in any case, values among spaces": (GET + b"X-ONE: A\r\nx-one:  b \t\r\n\r\n", ["GET /a x-one=A x-one=b"]),
    "an empty value": (GET + b"X-One:\r\nX-Two: b\r\n\r\n", ["GET /a x-one= x-two=b"]),
    "a value in Latin-1": (GET + b"X-One: \xe9\r\n\r\n", ["GET /a x-one=\u00e9"]),
    "an empty host": (line(b"GET /a HTTP/1.1", b"Host:"), ["GET /a"]),
    "a method of others": (line(b"PURGE /a HTTP/1.1"), ["PURGE /a"]),
    "a target for all": (line(b"OPTIONS * HTTP/1.1"), ["OPTIONS *"]),
    "a target of a proxy": (line(b"GET http://y/a?q HTTP/1.1"), ["GET http://y/a?q"]),
    "a target with two strokes": (line(b"GET //y/a HTTP/1.1"), ["GET //y/a"]),
    "a target as it is": (line(b"GET /b/../a/./c?b=c?d#f HTTP/1.1"), ["GET /b/../a/./c?b=c?d#f"]),
    "a target with a mark": (line(b"GET /a#f HTTP/1.1"), ["GET /a#f"]),
    "a target in percents": (line(b"GET /a%2Fb%C3%A9%zz?%C3 HTTP/1.1"), ["GET /a/b\u00e9%zz?%C3"]),
    "a target of odd signs": (line(b"GET " + ODD + b" HTTP/1.1"), [f"GET {ODD.decode()}"]),
    "another protocol": (GET + UPGRADE + b"\r\n" + GET + b"\r\n", ["GET /a", "GET /a"]),
    "another protocol, a body": (
        POST + UPGRADE + b"Content-Length: 32\r\n\r\nGET /in HTTP/1.1\r\nHost: x\r\n\r\n..." + GET + b"\r\n",
        ["POST /a GET /in HTTP/1.1\r\nHost: x\r\n\r\n...", "GET /a"],
    ),
    "another protocol, no body": (POST + UPGRADE + b"Content-Length: 0\r\n\r\n" + GET + b"\r\n", ["POST /a", "GET /a"]),
    "another protocol, chunks": (
        POST + UPGRADE + CHUNKED + b"2\r\nab\r\n0\r\nX-One: late\r\n\r\n" + GET + b"\r\n",
        ["POST /a ab", "GET /a"],
    ),
    "web sockets": (GET + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: eA==\r\n\r\n", ["GET /a"]),
    "a body that nobody reads": (UNREAD + b"Content-Length: 2\r\n\r\nab" + GET + b"\r\n", ["POST /unread", "GET /a"]),
    "chunks that nobody reads": (UNREAD + CHUNKED + b"2\r\nab\r\n0\r\n\r\n", ["POST /unread"]),
    "a go-ahead": (POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab", ["100", "POST /a ab"]),
    "60 KB of a head": (GET + b"Y: " + A_K * 60 + b"\r\n\r\n", ["GET /a"]),
    "a hundred headers": (GET + b"Y: a\r\n" * 100 + b"\r\n", ["GET /a"]),
    "a large body": (POST + b"Content-Length: 102400\r\n\r\n" + A_K * 100, ["POST /a " + "a" * 102_400]),
}  # fmt: skip

# After these the connection is closed.
LAST_TAKEN: dict[str, tuple[bytes, list[str]]] = {
    "an end": (GET + b"Connection: x, CLOSE\r\n\r\n" + GET + b"\r\n", ["GET /a"]),
    "an end and no end": (GET + b"Connection: keep-alive\r\nConnection: close\r\n\r\n", ["GET /a"]),
    "HTTP/1.0": (line(b"GET /a HTTP/1.0", b"Connection: keep-alive"), ["GET /a"]),
    "HTTP/1.0, a stream": (line(b"GET /stream HTTP/1.0"), ["GET /stream"]),
    "HTTP/1.0, a go-ahead": (
        line(b"POST /a HTTP/1.0", b"Expect: 100-continue", b"Content-Length: 1") + b"a",
        ["POST /a a"],
    ),
    "a go-ahead that is not given": (UNREAD + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n", ["POST /unread"]),
    "bytes after the body": (POST + b"Content-Length: 2\r\n\r\nab{}cd", ["POST /a ab", "400 not_http"]),
    "no HTTP after a request": (GET + b"\r\nwhat is this\r\n\r\n", ["GET /a", "400 not_http"]),
    "a bad chunk in the second": (GET + b"\r\n" + POST + CHUNKED + b"z\r\n", ["GET /a", "400 not_http"]),
}  # fmt: skip

NOT_HTTP: dict[str, bytes] = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 40,
    "a space before": b" " + GET + b"\r\n",
    "a tab between": line(b"GET\t/a\tHTTP/1.1"),
    "a space in the target": line(b"GET /a b HTTP/1.1"),
    "a space after the version": line(b"GET /a HTTP/1.1 "),
    "no version": b"GET /a\r\n\r\n",
    "version 0.9": line(b"GET /a HTTP/0.9"),
    "version 1.2": line(b"GET /a HTTP/1.2"),
    "version 2.0": line(b"GET /a HTTP/2.0"),
    "HTTP/2 as it begins": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "http in small letters": line(b"GET /a http/1.1"),
    "Icecast": line(b"SOURCE /a ICE/1.0"),
    "RTSP": line(b"DESCRIBE /a RTSP/1.0"),
    "a method in small letters": line(b"get /a HTTP/1.1"),
    "a method that nobody knows": line(b"BREW /a HTTP/1.1"),
    "a tunnel": line(b"CONNECT x:80 HTTP/1.1") + GET + b"\r\n",
    "a target without a stroke": line(b"GET a HTTP/1.1"),
    "a target beyond ASCII": line(b"GET /\xc3\xa9 HTTP/1.1"),
    "a question beyond ASCII": line(b"GET /a?\xc3\xa9 HTTP/1.1"),
    "a target with NUL": line(b"GET /a\x00 HTTP/1.1"),
    "a target with DEL": line(b"GET /a\x7f HTTP/1.1"),
    "no host": line(b"GET /a HTTP/1.1", b"X: y"),
    "two hosts": line(b"GET /a HTTP/1.1", b"Host: x", b"Host: y"),
    "a host twice": line(b"GET /a HTTP/1.1", b"Host: x", b"Host: x"),
    "two hosts of HTTP/1.0": line(b"GET /a HTTP/1.0", b"Host: x", b"Host: y"),
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
    "a length twice": POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nab",
    "a length twice in one": POST + b"Content-Length: 2, 2\r\n\r\nab",
    "a length with a sign": POST + b"Content-Length: +2\r\n\r\nab",
    "a length below nothing": POST + b"Content-Length: -2\r\n\r\nab",
    "a length in base 16": POST + b"Content-Length: 0x2\r\n\r\nab",
    "a length in two": POST + b"Content-Length: 2 2\r\n\r\nab",
    "an empty length": POST + b"Content-Length: \r\n\r\nab",
    "a length beyond 64 bits": POST + b"Content-Length: 99999999999999999999999\r\n\r\nab",
    "a length and chunks": POST + b"Content-Length: 5\r\n" + CHUNKED + b"0\r\n\r\n",
    "chunks and a length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "a length in a trailer": POST + CHUNKED + b"1\r\na\r\n0\r\nContent-Length: 4\r\n\r\n",
    "chunks of HTTP/1.0": line(b"POST /a HTTP/1.0", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
    **{
        f"the coding {coding!r}": POST + b"Transfer-Encoding:" + coding + b"\r\n\r\n0\r\n\r\n"
        for coding in (
            b"", b" gzip", b" identity", b" xchunked", b" gzip, chunked", b" chunked, gzip", b" chunked, chunked",
            b" chunked,", b" ,chunked", b" chunked;a=b", b' "chunked"', b"\x0bchunked", b" chunked\r\n identity",
            b" chunked\r\nTransfer-Encoding: chunked", b" identity\r\nTransfer-Encoding: chunked",
            b" chunked\r\nTransfer-Encoding: identity",
        )
    },
    "a space before the colon": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    **{
        f"the chunk {chunk!r}": POST + CHUNKED + chunk + b"\r\n0\r\n\r\n"
        for chunk in (
            b"0x2\r\nab", b"+2\r\nab", b" 2\r\nab", b"2 \r\nab", b"2\nab", b"2;a\nab", b"2;a\rb\r\nab", b"2\r\nabc",
            b"FFFFFFFFFFFFFFFFFF\r\nab", b"z\r\nab", b"\r\nab",
        )
    },
    **{
        f"the header {header!r}": GET + header + b"\r\n\r\n"
        for header in (
            b"X One: a", b": a", b"X-One", b"X-\xe9: a", b"X\x00: a", b"X(: a", b"X-One: a\x00b", b"X-One: a\x01b",
            b"X-One: a\x7fb", b"X-One: a\x0bb", b"X-One: a\rb", b"X-One: a\r\n b", b"X-One: a\r\n\tX-Two: b",
            b"X-One: a\nX-Two: b", b"X-One: a\r\n\nX-Two: b",
        )
    },
    "a folded line first": b"GET /a HTTP/1.1\r\n X-One: b\r\nHost: x\r\n\r\n",
    "lines ended by LF": b"GET /a HTTP/1.1\nHost: x\n\n",
    "lines ended by CR": b"GET /a HTTP/1.1\rHost: x\r\r",
    "a head ended by LF": b"GET /a HTTP/1.1\r\nHost: x\r\n\n",
}  # fmt: skip

TOO_LARGE: dict[str, bytes] = {
    "a value": GET + b"X-One: " + A_K * 80 + b"\r\n\r\n",
    "a value without an end": GET + b"X-One: " + A_K * 80,
    "a name": GET + b"X" * 80_000 + b": a\r\n\r\n",
    "a target": line(b"GET /" + A_K * 80 + b" HTTP/1.1"),
    "many headers": GET + b"X: a\r\n" * 200 + b"\r\n",
    "a trailer": POST + CHUNKED + b"0\r\nX: " + A_K * 80 + b"\r\n\r\n",
    "what a chunk says of itself": POST + CHUNKED + b"1;" + A_K * 80 + b"\r\na\r\n0\r\n\r\n",
    "empty lines": b"\r\n" * 40_000 + GET + b"\r\n",
}


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Says what it understood."""
    body, more = b"", scope["path"] != "/unread"
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message["body"], message.get("more_body", False)
    target = scope["path"] + "?" * bool(scope["query_string"]) + scope["query_string"].decode()
    ours = [f"{name}={value}" for name, value in _texts(scope["headers"]) if name.startswith("x-")]
    said = json.dumps(" ".join([scope["method"], target, *ours, *([body.decode()] if body else [])])).encode()
    length = [] if target == "/stream" else [(b"content-length", b"%d" % len(said))]
    await send({"type": "http.response.start", "status": 200, "headers": length})
    await send({"type": "http.response.body", "body": said[:3], "more_body": True})
    await send({"type": "http.response.body", "body": said[3:]})


def _texts(headers: list[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def port() -> AsyncIterator[int]:
    runtime, listening = RealRuntime(), bound_socket(0)
    server = Server(app, runtime, Patience())
    running = asyncio.ensure_future(server.serve(sockets=[listening]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield listening.getsockname()[1]
    server.should_exit = server.force_exit = True
    await running
    runtime.close()


async def answers(port: int, *parts: bytes) -> list[str]:
    """All that is answered until the server closes; between the parts the server has its turn."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await asyncio.sleep(0.001 if len(parts) > 2 else 0)
    said = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return _read(said)


def _read(said: bytes) -> list[str]:
    found = []
    while said:
        head, _, rest = said.partition(b"\r\n\r\n")
        status = head.split()[1].decode()
        length = re.search(rb"content-length: (\d+)", head)
        end = int(length[1]) if length else 0 if status == "100" else len(rest)
        body, said = rest[:end], rest[end:]
        told = json.loads(body) if body else status
        found.append(f"{status} {told['rule']}" if isinstance(told, dict) else told)
    return found


@pytest.mark.parametrize("name", TAKEN)
async def test_a_request_is_understood_and_the_connection_goes_on(port: int, name: str) -> None:
    sent, understood = TAKEN[name]
    assert await answers(port, sent, LAST) == [*understood, "GET /last"]


@pytest.mark.parametrize("name", LAST_TAKEN)
async def test_a_request_is_understood_and_the_connection_ends(port: int, name: str) -> None:
    sent, understood = LAST_TAKEN[name]
    assert await answers(port, sent) == understood


@pytest.mark.parametrize("name", NOT_HTTP)
async def test_what_others_may_read_otherwise_is_refused(port: int, name: str) -> None:
    assert (await answers(port, NOT_HTTP[name]))[-1] == "400 not_http"


@pytest.mark.parametrize("name", TOO_LARGE)
async def test_what_has_no_end_is_refused(port: int, name: str) -> None:
    assert await answers(port, TOO_LARGE[name]) == ["431 too_large"]


@pytest.mark.parametrize("name", [name for name, (sent, _) in TAKEN.items() if len(sent) < 1_000])
async def test_it_is_the_same_a_byte_at_a_time(port: int, name: str) -> None:
    sent, understood = TAKEN[name]
    assert await answers(port, *(sent[at : at + 1] for at in range(len(sent))), LAST) == [*understood, "GET /last"]
