"""Monitoring with a feed, told of two offices; streams and pages of it as a server carries them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from shared.identity.roles import Role
from tests.unit.monitoring.story import Story
from tests.unit.registration.serving import Serving

WAIT_SECONDS = 5.0


def two_offices() -> Story:
    story = Story()
    story.published()
    for name in ("ali", "ben", "cem"):
        story.person(name)
        story.accepted(name)
    story.office = "bogota"
    story.person("dan")
    return story


class Listening:
    """One stream: what came of it, and how its reader goes. `room` closed: the reader takes nothing more."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.raw = b""
        self.ended = False
        self.came = asyncio.Event()
        self.gone = asyncio.Event()
        self.room = asyncio.Event()
        self.room.set()

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        self.raw += message.get("body", b"")
        self.ended = message["type"] == "http.response.body" and not message.get("more_body")
        self.came.set()
        await self.room.wait()

    @property
    def events(self) -> list[dict[str, str]]:
        """What a client dispatches: the fields of each whole event that has data."""
        found = []
        for block in self.raw.decode().split("\n\n")[:-1]:
            fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
            if "data" in fields:
                found.append(fields)
        return found

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while not holds():
                self.came.clear()
                await self.came.wait()


@asynccontextmanager
async def listening(
    edge: Serving, role: Role, after: str = "", *, office: str | None = None, method: str = "GET", **headers: str
) -> AsyncIterator[Listening]:
    """A stream that is open for as long as the block runs."""
    one = Listening()
    office = "kabul" if office is None and role == "officer" else office
    given = {"authorization": f"Bearer {edge.issuer.issue(role, office)}", **headers}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": "/v1/feed",
        "raw_path": b"/v1/feed",
        "query_string": f"after={after}".encode() if after else b"",
        "root_path": "",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()],
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
    }
    task = edge.clock.spawn(edge.service.app(scope, one.receive, one.send), "a stream")
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            await one.came.wait()
        yield one
    finally:
        one.gone.set()
        one.room.set()
        async with asyncio.timeout(WAIT_SECONDS):
            await task
