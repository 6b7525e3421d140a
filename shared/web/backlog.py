"""What a replica has not finished, as it is asked for: its sums by everybody, its parts by administrators."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from shared.clock import Runtime
from shared.web.answers import answered
from shared.web.callers import Granted, may
from shared.web.edge import Report
from shared.web.lists import query
from shared.web.routing import Routes

# Between two countings as many times as long as one took, up to a quarter of a second: a store that is busy takes long.
RESTS, REST_AT_MOST_SECONDS = 10, 0.25
# By topic, and by what happened in this process: whom it tells how much an office works has to be known.
PARTS = frozenset({"lag", "counts"})


class Sparing:
    """Asks `report` for a small part of the time, whoever and however many ask.

    Who comes meanwhile waits and shares the next answer. So none is older than its question: one kept from before
    would tell somebody who waits for quiet that all is done, though it was only not begun.
    """

    def __init__(self, report: Report, runtime: Runtime) -> None:
        self._report = report
        self._runtime = runtime
        self._due = 0.0
        self._counting = asyncio.Lock()
        self._next: asyncio.Task[Mapping[str, Any]] | None = None

    async def __call__(self) -> Mapping[str, Any]:
        if self._next is None:
            self._next = self._runtime.spawn(self._ask(), "backlog")
        return await asyncio.shield(self._next)

    async def sums(self) -> Mapping[str, Any]:
        """The answer without its parts."""
        return {name: value for name, value in (await self()).items() if name not in PARTS}

    async def _ask(self) -> Mapping[str, Any]:
        async with self._counting:
            await self._runtime.sleep(max(self._due - self._runtime.monotonic(), 0.0))
            self._next = None
            began = self._runtime.monotonic()
            try:
                return await self._report()
            finally:
                ended = self._runtime.monotonic()
                self._due = ended + min(RESTS * (ended - began), REST_AT_MOST_SECONDS)


class Unfinished(BaseModel):
    """Counts of what is not finished, its age and its lag by topic; `counts`: this process's counters by name.

    `undecided`, `awaiting`: submissions that nobody has decided yet, and those that wait for what is not known yet.
    `jobs`: those that have not ended and wait for nobody. `unreadable`, `watermark`: of the service that keeps a read
    model. `caught_up`: whatever was acknowledged is done; `quiet`: nothing moves any more by itself.
    """

    model_config = ConfigDict(extra="allow")

    unsent: int
    unread: int
    undecided: int
    awaiting: int
    unconfirmed: int
    waiting: int
    parked: int
    jobs: int
    lag: dict[str, int]
    caught_up: bool
    quiet: bool
    outbox_age_seconds: float
    due_timers: int
    counts: dict[str, int]
    unreadable: int | None = None
    watermark: str | None = None


def backlog_router(report: Report) -> APIRouter:
    """`GET /backlog`: all of the report."""
    router = Routes()

    async def backlog(request: Request, _granted: Granted = Depends(may("backlog", "read"))) -> Response:
        query(request)
        return JSONResponse(dict(await report()))

    router.add_api_route(
        "/backlog",
        backlog,
        methods=["GET"],
        summary="What the service has not finished",
        operation_id="backlog_read",
        openapi_extra={"responses": answered(Unfinished, "Counted when it is asked.")},
        tags=["backlog"],
    )
    return router
