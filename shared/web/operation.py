"""What an operator sees of a replica: parked records, their replay, the effective settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.responses import Response

from shared.cases.bodies import Input
from shared.identity.tokens import Principal
from shared.replica import Ports, Replica
from shared.store.port import Document
from shared.web.answers import answered
from shared.web.bodies import documented, read_body
from shared.web.callers import Granted, may
from shared.web.json import Resource, listing, reading
from shared.web.lists import query


class ParkedRecord(BaseModel):
    """One record that waits, by its place in the log, and why; `tries`: how often it was tried again."""

    topic: str
    partition: int
    offset: int
    reason: str
    tries: int


class Parked(BaseModel):
    """What is parked for a subject, in order; `next_at`: when it is tried again by itself, RFC 3339."""

    id: str
    next_at: str | None
    parked: tuple[ParkedRecord, ...]


class EffectiveSettings(BaseModel):
    """Settings by name, as they are in force."""

    log: dict[str, Any]
    store: dict[str, Any]


def parked_router(replica: Replica) -> APIRouter:
    """`GET /parked`, `GET /parked/{id}`, `POST /parked/{id}/replay`; the id is the shadow's."""
    router = APIRouter()
    resource = Resource("parked", replica.shadows.name, Parked, _represent)
    listing(router, path="/parked", resource=resource)
    reading(router, path="/parked/{id}", resource=resource)

    async def replay(id: str, request: Request, granted: Granted = Depends(may("parked", "replay"))) -> Response:
        query(request)
        await read_body(request, Input)
        await granted.load(replica.shadows.name, id)
        await replica.replay(id)
        shadow = await replica.ports.store.load(replica.shadows.name, id)
        return JSONResponse(dict(_represent(shadow or {"_id": id, "parked": [], "next_at": None}, granted.principal)))

    router.add_api_route(
        "/parked/{id}/replay",
        replay,
        methods=["POST"],
        operation_id="parked_replay",
        summary="Tries what is parked for the subject again, in order",
        openapi_extra={**documented(Input, {}), "responses": answered(Parked, "What is still parked.")},
        tags=["parked"],
    )
    return router


def settings_router(ports: Ports) -> APIRouter:
    """`GET /settings`: the effective settings of log and store, by name."""
    router = APIRouter()

    async def settings(request: Request, _granted: Granted = Depends(may("settings", "read"))) -> Response:
        query(request)
        return JSONResponse({"log": await ports.log.settings(), "store": await ports.store.settings()})

    router.add_api_route(
        "/settings",
        settings,
        methods=["GET"],
        summary="The effective settings of log and store",
        operation_id="settings_read",
        openapi_extra={"responses": answered(EffectiveSettings, "By name.")},
        tags=["settings"],
    )
    return router


def _represent(shadow: Document, _principal: Principal) -> Mapping[str, Any]:
    return {"id": shadow["_id"], "next_at": shadow["next_at"], "parked": shadow["parked"]}
