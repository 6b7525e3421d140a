"""What surrounds every request: correlation id, trace, security headers, the last resort."""

from __future__ import annotations

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.clock import Runtime
from shared.telemetry.observability import count, logger
from shared.telemetry.tracing import note, span, valid_traceparent
from shared.web.problems import problem

ANY_BODY_BYTES_AT_MOST = 32 * 1_048_576
CORRELATION_ID = "x-correlation-id"
# RFC 9110 and RFC 5789; which of them a path has is its own matter (405).
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
OTHER = "OTHER"
PLAIN = {"Accept-Encoding": "identity"}
# It goes onto topics, which keep it for ever, and into logs: a caller's own text could be a name.
_CORRELATION = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)

# A page sets its own content policy; everything else gets the one that allows nothing.
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Envelope:
    """ASGI middleware inside a service's app."""

    def __init__(self, app: ASGIApp, service: str, runtime: Runtime) -> None:
        self._app = app
        self._service = service
        self._runtime = runtime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        # Anybody may send a method of his own: neither a span nor a metric repeats it.
        method = scope["method"] if scope["method"] in METHODS else OTHER
        given = headers.get(CORRELATION_ID, "")
        correlation_id = given.lower() if _CORRELATION.fullmatch(given.lower()) else self._runtime.new_id()
        parent = valid_traceparent(headers.get("traceparent"))
        with span("request", parent, self._runtime.rng, service=self._service, method=method) as traceparent:
            state = {"correlation_id": correlation_id, "traceparent": traceparent}
            scope["state"] = {**scope.get("state", {}), **state}
            answer = _Answer(
                bodiless(send) if method == "HEAD" else send,
                {**SECURITY_HEADERS, CORRELATION_ID: correlation_id, "traceparent": traceparent},
            )
            if method == "HEAD":
                scope["method"] = "GET"
            if method == OTHER:
                await problem(501, "method_unknown")(scope, receive, answer)
            elif any(one.strip().lower() != "identity" for one in headers.getlist("content-encoding")):
                # Whoever packs a body is told how it is taken (RFC 9110, 12.5.3), before anything is read.
                await problem(415, "content_encoding_not_taken", headers=PLAIN)(scope, receive, answer)
            else:
                await self._guarded(scope, _bounded(receive), answer, correlation_id)
            note(route=getattr(scope.get("route"), "path", None), status=answer.status)

    async def _guarded(self, scope: Scope, receive: Receive, answer: _Answer, correlation_id: str) -> None:
        try:
            await self._app(scope, receive, answer)
        except ClientDisconnect:
            count("client_disconnected")
        except _NothingMore:
            pass
        except Exception as error:
            # Never raised further: the server would print the message and the frames, which may hold a name.
            count("request_failed")
            logger.error(
                "request_failed",
                service=self._service,
                route=getattr(scope.get("route"), "path", None),
                method=scope["method"],
                error=type(error).__name__,
                correlation_id=correlation_id,
            )
            if not answer.started:
                failed: Response = problem(500, "internal")
                await failed(scope, receive, answer)


class _NothingMore(Exception):
    """An answer whose body nobody asked for has said all; one that goes on, as a stream of events, ends here."""


def bodiless(send: Send) -> Send:
    """Sends on what an answer to GET says of itself, without its body: what HEAD asks for."""

    async def send_bodiless(message: Message) -> None:
        if message["type"] != "http.response.body":
            await send(message)
            return
        await send({"type": "http.response.body", "body": b""})
        if message.get("more_body"):
            raise _NothingMore

    return send_bodiless


def _bounded(receive: Receive) -> Receive:
    """Stops a body that nothing else bounds: a route that reads it by another way than `read_body`."""
    received = 0

    async def receive_bounded() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > ANY_BODY_BYTES_AT_MOST:
            raise HTTPException(413)
        return message

    return receive_bounded


class _Answer:
    """Sends on, with headers added to the response's start where it has none of that name."""

    def __init__(self, send: Send, headers: dict[str, str]) -> None:
        self._send = send
        self._headers = headers
        self.started = False
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                headers.setdefault(name, value)
        await self._send(message)
