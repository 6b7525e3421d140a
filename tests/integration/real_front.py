"""A small reverse proxy for tests: one address before several replicas of each service.

`python -m tests.integration.real_front PORT NAME=URL[,URL...] ...`
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence

import httpx
import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from shared.web.front import Front

# A frozen replica answers nothing; the client's next try goes to the other one.
ANSWER_SECONDS = 4.0
ASIDE_SECONDS = 5.0
OWN_HEADERS = ("host", "content-length", "connection", "transfer-encoding", "date", "server")


class Forward:
    """Replicas of one service in turn; where one refuses the connection, the next is asked at once."""

    def __init__(self, service: str, urls: Sequence[str]) -> None:
        self._service = service
        self._urls = list(urls)
        self._turn = 0
        self._aside: dict[str, float] = {}
        limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
        self._http = httpx.AsyncClient(timeout=httpx.Timeout(ANSWER_SECONDS, connect=1.0), limits=limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        answer = Response(status_code=502)
        for url in self._in_turn():
            try:
                answer = await self._forwarded(request, url, body)
                break
            except httpx.ConnectError:
                continue
            except httpx.TimeoutException:
                self._aside[url] = time.monotonic() + ASIDE_SECONDS
                answer = Response(status_code=504)
                break
            except httpx.TransportError:
                break
        await answer(scope, receive, send)

    def _in_turn(self) -> list[str]:
        """From the next one on; those that were silent a moment ago come last."""
        self._turn += 1
        place, now = self._turn % len(self._urls), time.monotonic()
        turn = [*self._urls[place:], *self._urls[:place]]
        return sorted(turn, key=lambda url: self._aside.get(url, 0.0) > now)

    async def _forwarded(self, request: Request, url: str, body: bytes) -> Response:
        headers = [(name, value) for name, value in request.headers.items() if name not in OWN_HEADERS]
        query = f"?{request.url.query}" if request.url.query else ""
        target = f"{url}{request.url.path}{query}"
        answer = await self._http.request(request.method, target, content=body, headers=headers)
        kept = {name: value for name, value in answer.headers.items() if name not in OWN_HEADERS}
        return Response(answer.content, answer.status_code, kept)


def front(replicas: Mapping[str, Sequence[str]]) -> Front:
    return Front({name: Forward(name, urls) for name, urls in replicas.items()})


async def serve(port: int, replicas: Mapping[str, Sequence[str]]) -> None:
    config = uvicorn.Config(front(replicas), port=port, log_level="warning", access_log=False, lifespan="off")
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    named = (word.partition("=") for word in sys.argv[2:])
    asyncio.run(serve(int(sys.argv[1]), {name: urls.split(",") for name, _, urls in named}))
