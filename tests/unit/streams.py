"""Streams of Server-Sent Events as a server carries them: what came of one, and how its reader goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from shared.clock import Runtime


class Listening:
    """One stream. `room` closed: the reader takes nothing more; `wait_seconds`: for so long something is waited for."""

    def __init__(self, wait_seconds: float) -> None:
        self.wait_seconds = wait_seconds
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
    def text(self) -> str:
        return self.raw.decode()

    @property
    def changes(self) -> int:
        return self.text.count("event: changed")

    @property
    def events(self) -> list[dict[str, str]]:
        """What a client dispatches: the fields of each whole event that has data."""
        found = []
        for block in self.text.split("\n\n")[:-1]:
            fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
            if "data" in fields:
                found.append(fields)
        return found

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(self.wait_seconds):
            while not holds():
                self.came.clear()
                await self.came.wait()


@asynccontextmanager
async def open_stream(
    runtime: Runtime, app: Any, address: str, headers: Mapping[str, str], method: str, wait_seconds: float
) -> AsyncIterator[Listening]:
    """The stream at an address of the app; open for as long as the block runs."""
    one = Listening(wait_seconds)
    path, _, query = address.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("sankofa.test", 80),
    }
    task = runtime.spawn(app(scope, one.receive, one.send), "a stream")
    try:
        async with asyncio.timeout(wait_seconds):
            await one.came.wait()
        yield one
    finally:
        one.gone.set()
        one.room.set()
        async with asyncio.timeout(wait_seconds):
            await task
