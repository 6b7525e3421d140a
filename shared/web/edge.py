"""The HTTP edge that all four services share: one app a service, mounted under `/<service>`.

Everything runs on the event loop: a plain function as endpoint, dependency or error handler would be put into a
thread, where the seeded loop cannot follow.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.telemetry import TelemetryConfig
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from shared.web import problems
from shared.web.answers import RETRY_AFTER, answered
from shared.web.asyncapi import Received, asyncapi
from shared.web.callers import Edge, everybody
from shared.web.contract import contract
from shared.web.doors import Door
from shared.web.envelope import Envelope
from shared.web.pages import kept, refused
from shared.web.pages.static import static_router
from shared.web.routing import Routes
from shared.web.schemas import schemas_router

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
    """The service's app. Its routes are `/v1/...` of the routers, `/health/...`, `/openapi.json`, `/asyncapi.json`,
    `/static/...` of pages.

    `ready` gives the reasons why the service cannot serve yet (empty: it can), `backlog` what is not finished.
    `received`: what it consumes, for the AsyncAPI document; there is none without.
    """
    app = _bare(edge, title, version)
    for router in routers:
        app.include_router(router, prefix="/v1")
    app.include_router(schemas_router(edge.service))
    app.include_router(static_router())
    app.include_router(_operation(app, edge, ready, backlog))
    if received is not None:
        app.include_router(_events(edge.service, received))
    if edge.admission is not None:
        app.state.door = Door(app, edge.service, edge.admission)
    return app


def create_entrance(edge: Edge, routers: Iterable[APIRouter]) -> FastAPI:
    """The pages of the service that stand outside its base path: no contract names them."""
    app = _bare(edge, "Sankofa", "1")
    for router in routers:
        app.include_router(router)
    return app


def _bare(edge: Edge, title: str, version: str) -> FastAPI:
    """Without a route: what every one of them is surrounded by."""
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
    refused.install(app)
    kept.install(app)
    app.add_middleware(Envelope, service=edge.service, runtime=edge.runtime)
    return app


class Live(BaseModel):
    """The process runs."""

    status: Literal["live"]


class Readiness(BaseModel):
    """Whether the service can serve; `reasons`: why it cannot yet, none where it can."""

    status: Literal["ready", "starting"]
    reasons: tuple[str, ...]


class Sums(BaseModel):
    """What is not finished, without its parts."""

    model_config = ConfigDict(extra="allow")

    quiet: bool


class Document(BaseModel):
    """A contract, by the specification that it names."""

    model_config = ConfigDict(extra="allow")


def _said(model: type[BaseModel]) -> dict[str, Any]:
    """What an open route answers; one that is not ready says so in the same form, and when to ask again."""
    responses = answered(model, " ".join((model.__doc__ or "").split()))
    if model is Readiness:
        responses["503"] = {**responses["200"], "headers": {"Retry-After": RETRY_AFTER}}
    return {"responses": responses}


def _operation(app: FastAPI, edge: Edge, ready: Ready, backlog: Report | None) -> APIRouter:
    """Health and the contract, open to everybody."""
    router = Routes(dependencies=[Depends(everybody)], tags=["operation"])
    documents: dict[str, Any] = {}

    @router.get("/health/live", summary="Whether the process runs", openapi_extra=_said(Live))
    async def live(_request: Request) -> Response:
        return JSONResponse({"status": "live"})

    @router.get("/health/ready", summary="Whether it can serve, or why not yet", openapi_extra=_said(Readiness))
    async def is_ready(_request: Request) -> Response:
        reasons = [*ready(), *(["task_ended"] if edge.runtime.ended else [])]
        if reasons:
            return JSONResponse({"status": "starting", "reasons": reasons}, 503, {"Retry-After": "1"})
        return JSONResponse({"status": "ready", "reasons": []})

    @router.get("/openapi.json", summary="This document", openapi_extra=_said(Document))
    async def openapi(_request: Request) -> Response:
        if not documents:
            documents.update(contract(app, edge.service))
        return JSONResponse(documents)

    if backlog is not None:

        @router.get("/health/backlog", summary="What is not finished, in sums", openapi_extra=_said(Sums))
        async def unfinished(_request: Request) -> Response:
            return JSONResponse(dict(await backlog()))

    return router


def _events(service: str, received: Received) -> APIRouter:
    """The contract of the topics, open to everybody."""
    router = Routes(dependencies=[Depends(everybody)], tags=["operation"])
    documents: dict[str, Any] = {}

    @router.get("/asyncapi.json", summary="The service's events (AsyncAPI 3.0)", openapi_extra=_said(Document))
    async def events(_request: Request) -> Response:
        if not documents:
            documents.update(asyncapi(service, received))
        return JSONResponse(documents)

    return router
