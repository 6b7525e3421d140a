"""Charts as SVG, drawn by Vega-Lite in a process of its own.

The library holds the interpreter's lock for as long as it draws, a tenth of a second and more, and 80 MB for ever: in
this process every request would wait meanwhile. The other one is started by the first chart and ends by itself.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from shared.errors import Overloaded, Unavailable
from shared.telemetry.observability import count

KEPT_AT_MOST = 200
WAITING_AT_MOST = 20
# The first one takes two seconds where the machine is busy.
SECONDS_AT_MOST = 10.0
RETRY_SECONDS = 2
SVG_BYTES_AT_MOST = 4 * 1_048_576


class Drawing:
    """What was drawn of late is kept: a chart follows from its specification alone."""

    def __init__(
        self, command: tuple[str, ...] = (sys.executable, "-m", "services.monitoring.drawing_process")
    ) -> None:
        self._command = command
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._process: Process | None = None

    async def svg(self, spec: Mapping[str, Any]) -> bytes:
        """The chart. Raises Unavailable where it cannot be drawn now, Overloaded where many wait for theirs."""
        asked = json.dumps(spec, sort_keys=True)
        if asked in self._kept:
            self._kept.move_to_end(asked)
            return self._kept[asked]
        if self._waiting >= WAITING_AT_MOST:
            raise Overloaded("charts", retry_after_seconds=RETRY_SECONDS)
        self._waiting += 1
        try:
            async with self._turn:
                drawn = self._kept.get(asked) or await self._drawn(asked)
        finally:
            self._waiting -= 1
        self._kept[asked] = drawn
        while len(self._kept) > KEPT_AT_MOST:
            self._kept.popitem(last=False)
        return drawn

    async def stop(self) -> None:
        """Ends the process, if there is one."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()

    async def _drawn(self, asked: str) -> bytes:
        try:
            async with asyncio.timeout(SECONDS_AT_MOST):
                # One that had nothing to draw for long ends by itself, maybe just now.
                answer = await self._asked(asked) or await self._asked(asked)
        except BaseException as error:
            # Half of an answer may be on its way, which the next chart must not get.
            await self.stop()
            if isinstance(error, TimeoutError | OSError | ValueError):
                count("chart_failed")
                raise Unavailable("charts: not drawn") from error
            raise
        drawn = json.loads(answer) if answer else None
        if drawn is None:
            count("chart_failed")
            raise Unavailable("charts: not drawn")
        return str(drawn).encode()

    async def _asked(self, asked: str) -> bytes:
        """The answer's line; empty where the process ended."""
        process = await self._running()
        if process.stdin is None or process.stdout is None:
            raise OSError
        try:
            process.stdin.write(asked.encode() + b"\n")
            await process.stdin.drain()
            answer = await process.stdout.readline()
        except ConnectionError:
            answer = b""
        if not answer:
            await self.stop()
        return answer

    async def _running(self) -> Process:
        if self._process is None or self._process.returncode is not None:
            # It gets none of the settings, among which there are passwords.
            kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH") if name in os.environ}
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=kept, limit=SVG_BYTES_AT_MOST
            )
        return self._process
