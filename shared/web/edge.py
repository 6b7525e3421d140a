"""The HTTP edge that all four services share: one app a service, mounted under `/<service>`.

Everything runs on the event loop: a plain function as endpoint, dependency or error handler would be put into a
thread, where the seeded loop cannot follow.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.telemetry import TelemetryConfig
from starlette.responses import Response

from shared.web import problems
from shared.web.asyncapi import Received, asyncapi
from shared.web.callers import Edge, everybody
from shared.web.contract import contract
from shared.web.doors import Door
from shared.web.envelope import Envelope

# Our own traces tell the route; FastAPI's, which any global provider switches on, have the query and the path's ids.
SILENT: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
Ready = Callable[[], Sequence[str]]
Report = Callable[[], Awaitable[Mapping[str, Any]]]


def create_app(
    edge: Edge,
    *,
    title: str,
    routers: Iterable[APIRouter],
    ready: Ready,
    backlog: Report | None = None,
    received: Received | None = None,
    version: str = "1",
) -> FastAPI:
    """The service's app. Its routes are `/v1/...` of the routers, `/health/...`, `/openapi.json`, `/asyncapi.json`.

    `ready` gives the reasons why the service cannot serve yet (empty: it can), `backlog` what is not finished.
    `received`: what it consumes, for the AsyncAPI document; there is none without.
    """
    app = FastAPI(
        title=title,
        version=version,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=SILENT,
    )
    app.state.edge = edge
    problems.install(app)
    app.add_middleware(Envelope, service=edge.service, runtime=edge.runtime)
    for router in routers:
        app.include_router(router, prefix="/v1")
    app.include_router(_operation(app, edge, ready, backlog))
    if received is not None:
        app.include_router(_events(edge.service, received))
    if edge.admission is not None:
        app.state.door = Door(app, edge.service, edge.admission)
    return app


def _operation(app: FastAPI, edge: Edge, ready: Ready, backlog: Report | None) -> APIRouter:
    """Health and the contract, open to everybody."""
    router = APIRouter(dependencies=[Depends(everybody)], include_in_schema=False)
    documents: dict[str, Any] = {}

    @router.get("/health/live")
    async def live(_request: Request) -> Response:
        return JSONResponse({"status": "live"})

    @router.get("/health/ready")
    async def is_ready(_request: Request) -> Response:
        reasons = [*ready(), *(["task_ended"] if edge.runtime.ended else [])]
        if reasons:
            return JSONResponse({"status": "starting", "reasons": reasons}, 503, {"Retry-After": "1"})
        return JSONResponse({"status": "ready", "reasons": []})

    @router.get("/openapi.json")
    async def openapi(_request: Request) -> Response:
        if not documents:
            documents.update(contract(app, edge.service))
        return JSONResponse(documents)

    if backlog is not None:

        @router.get("/health/backlog")
        async def unfinished(_request: Request) -> Response:
            return JSONResponse(dict(await backlog()))

    return router


def _events(service: str, received: Received) -> APIRouter:
    """The contract of the topics, open to everybody."""
    router = APIRouter(dependencies=[Depends(everybody)], include_in_schema=False)
    documents: dict[str, Any] = {}

    @router.get("/asyncapi.json")
    async def events(_request: Request) -> Response:
        if not documents:
            documents.update(asyncapi(service, received))
        return JSONResponse(documents)

    return router
