"""A page that lies open goes on through an outage of whatever stands between it and the service: its stream is asked
for anew after growing pauses, and what changed meanwhile is shown."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest
import uvicorn
from playwright.async_api import Page, async_playwright

from services.monitoring.pages import live
from shared.clock import derived_id
from shared.identity.passes import Pass, sign_pass
from shared.identity.tokens import Principal
from shared.web.front import Front
from shared.web.pages.readers import PASS_COOKIE
from tests.e2e.chromium import ARGUMENTS, EXECUTABLE
from tests.e2e.system import free_port
from tests.unit.monitoring.story import PROGRAMME, Story
from tests.unit.monitoring.telling import monitoring, tell
from tests.unit.pages.test_figures import told
from tests.unit.registration.serving import Serving

OUTAGE_SECONDS = 2.0
WAIT_MS = 15_000
PATH = f"/monitoring/indicators/{PROGRAMME}/returns"
BAD_GATEWAY, NO_CONTENT = b"502 Bad Gateway", b"204 No Content"


class Between:
    """A proxy that can be told to answer for the service. `streams`: when each was asked for."""

    def __init__(self, upstream: int) -> None:
        self.answer: bytes | None = None
        self.streams: list[float] = []
        self._upstream = upstream
        self._lines: set[asyncio.StreamWriter] = set()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._lines.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            if b"/live?" in head.split(b" ")[1]:
                self.streams.append(asyncio.get_running_loop().time())
            if self.answer:
                writer.write(b"HTTP/1.1 " + self.answer + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                await writer.drain()
            else:
                await self._through(head, reader, writer)
        self._lines.discard(writer)
        writer.close()

    async def _through(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._upstream)
        # One request a connection, so that each is looked at.
        back.write(head.replace(b"keep-alive", b"close"))
        try:
            while some := await there.read(65_536):
                writer.write(some)
                await writer.drain()
        finally:
            back.close()

    def cut(self) -> None:
        for one in tuple(self._lines):
            one.transport.abort()


@asynccontextmanager
async def served(serving: Serving) -> AsyncIterator[int]:
    port = free_port()
    config = uvicorn.Config(Front({"monitoring": serving.service.app}), port=port, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield port
    serving.service.ending()
    server.should_exit = server.force_exit = True
    await task


class Looked:
    """A page in a browser, the proxy before it, and who tells what happens."""

    def __init__(self, serving: Serving, story: Story, between: Between, page: Page) -> None:
        self.serving = serving
        self.story = story
        self.between = between
        self.page = page

    async def happen(self, name: str) -> None:
        stood = len(self.story.records)
        self.story.person(name, sex="male")
        self.story.returned(name)
        await tell(self.serving, self.story, stood)

    async def shows(self, figure: str) -> None:
        await self.page.wait_for_function(
            "figure => document.querySelector('[data-live]').innerText.includes(figure)", arg=figure, timeout=WAIT_MS
        )

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_MS / 1_000):
            while not holds():
                await asyncio.sleep(0.02)


@asynccontextmanager
async def looked_at(folder: Path) -> AsyncIterator[Looked]:
    if not EXECUTABLE.exists():
        pytest.skip(f"no browser: {EXECUTABLE} is missing (`make browser`)")

    async with AsyncExitStack() as stack:
        serving = await stack.enter_async_context(monitoring(folder))
        story = told()
        await tell(serving, story)
        between = Between(await stack.enter_async_context(served(serving)))
        server = await asyncio.start_server(between.handle, "127.0.0.1", 0)
        stack.callback(between.cut)
        stack.callback(server.close)
        port = server.sockets[0].getsockname()[1]
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(executable_path=EXECUTABLE, args=list(ARGUMENTS))
        stack.push_async_callback(browser.close)
        principal = Principal(derived_id("account", "officer"), "officer", "kabul")
        text = sign_pass(serving.keys, "monitoring", Pass(principal, derived_id("a session")), serving.clock.now())
        address = f"http://127.0.0.1:{port}"
        context = await browser.new_context()
        await context.add_cookies([{"name": PASS_COOKIE, "value": text, "url": f"{address}/monitoring"}])
        page = await context.new_page()
        await page.goto(f"{address}{PATH}")
        yield Looked(serving, story, between, page)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser's own second try, after which the script's begin."""
    monkeypatch.setattr(live, "RETRY", b"retry: 100\n\n")


async def test_a_page_goes_on_without_a_gap_after_two_seconds_of_502(tmp_path: Path) -> None:
    """Formats, 69. The pauses grow."""
    async with looked_at(tmp_path) as looked:
        between, clock = looked.between, asyncio.get_running_loop()
        await looked.until(lambda: len(between.streams) == 1)
        await looked.happen("before")
        await looked.shows("26")
        between.answer, stood = BAD_GATEWAY, len(between.streams)
        between.cut()
        await looked.happen("meanwhile")
        await looked.until(lambda: len(between.streams) >= stood + 2)
        await asyncio.sleep(OUTAGE_SECONDS - (clock.time() - between.streams[stood]))
        between.answer = None
        await looked.shows("27")
        await looked.happen("after")
        await looked.shows("28")
        # The browser's own second try, and the script's.
        first, second = (later - earlier for earlier, later in pairwise(between.streams[stood : stood + 3]))
        assert second > 1.2 * first > 1


async def test_no_content_alone_ends_the_asking(tmp_path: Path) -> None:
    async with looked_at(tmp_path) as looked:
        between = looked.between
        await looked.until(lambda: len(between.streams) == 1)
        between.answer = NO_CONTENT
        between.cut()
        # The browser's own second try is answered so, and the script's question what that answer was.
        await looked.until(lambda: len(between.streams) == 3)
        between.answer = None
        await asyncio.sleep(1.5)
        assert len(between.streams) == 3
