"""What an operator sees of a replica: parked records, their replay and their end, the effective settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, StringConstraints
from starlette.responses import Response

from shared.cases.bodies import Input
from shared.messaging.shadow import new_shadow
from shared.replica import Ports, Replica
from shared.store.port import Document
from shared.web.answers import answered, answers
from shared.web.bodies import documented, read_body
from shared.web.callers import Granted, may
from shared.web.commands import expected_version
from shared.web.conditions import VERSIONED
from shared.web.json import Resource, listing, reading
from shared.web.lists import query
from shared.web.problems import etag
from shared.web.routing import Routes

DROP = {"topic": "registration.persons", "partition": 0, "offset": 17, "reason": "refused_for_good"}


class ParkedRecord(BaseModel):
    """One record that waits, by its place in the log, and why; `tries`: how often it was tried again."""

    topic: str
    partition: int
    offset: int
    reason: str
    tries: int


DropReason = Literal["unreadable", "lost", "not_ours", "refused_for_good", "settled_otherwise"]


class Drop(Input):
    """Which record is given up, by its place in the log, and why. Only the first one of a subject can be.

    `lost`: the log does not hold it any more; `not_ours`: no service of ours wrote it; `refused_for_good`: the rules
    will never allow what follows from it; `settled_otherwise`: what should follow was done by hand.
    """

    topic: Annotated[str, StringConstraints(max_length=100, pattern=r"^[a-z_.-]+$")]
    partition: Annotated[int, Field(ge=0, lt=2**31)]
    offset: Annotated[int, Field(ge=0, lt=2**63)]
    reason: DropReason


class DroppedRecord(BaseModel):
    """One record that was given up: where it was, why it had been parked, why and by which account it was dropped.

    `epoch`, `sequence`: its place among its subject's events, where it could be read.
    """

    topic: str
    partition: int
    offset: int
    parked: str
    reason: DropReason
    by: str
    at: str
    epoch: int | None = None
    sequence: int | None = None


class Parked(BaseModel):
    """What is parked for a subject, in order, and what was dropped; `next_at`: when it is tried again, RFC 3339."""

    id: str
    next_at: str | None
    parked: tuple[ParkedRecord, ...]
    dropped: tuple[DroppedRecord, ...]


class EffectiveSettings(BaseModel):
    """Settings by name, as they are in force."""

    log: dict[str, Any]
    store: dict[str, Any]


def parked_router(replica: Replica) -> APIRouter:
    """`GET /parked`, `GET /parked/{id}`, `POST /parked/{id}/replay` and `/drop`; the id is the shadow's."""
    router = Routes()
    resource = Resource("parked", replica.shadows.name, Parked, lambda shadow, _: parked_seen(shadow))
    listing(router, path="/parked", resource=resource)
    reading(router, path="/parked/{id}", resource=resource)

    async def replay(id: str, request: Request, granted: Granted = Depends(may("parked", "replay"))) -> Response:
        query(request)
        await read_body(request, Input)
        await granted.load(replica.shadows.name, id)
        await replica.replay(id, expected_version(request))
        return await _shown(replica, id)

    router.add_api_route(
        "/parked/{id}/replay",
        replay,
        methods=["POST"],
        operation_id="parked_replay",
        summary="Tries what is parked for the subject again, in order",
        openapi_extra={**documented(Input, {}), VERSIONED: True, "responses": answers(Parked, "What is still parked.")},
        tags=["parked"],
    )
    _dropping(router, replica)
    return router


def _dropping(router: APIRouter, replica: Replica) -> None:
    async def drop(id: str, request: Request, granted: Granted = Depends(may("parked", "drop"))) -> Response:
        query(request)
        asked = (await read_body(request, Drop)).model
        await granted.load(replica.shadows.name, id)
        said = {"reason": asked.reason, "by": granted.principal.account}
        await replica.drop(id, (asked.topic, asked.partition, asked.offset), said, expected_version(request))
        return await _shown(replica, id)

    router.add_api_route(
        "/parked/{id}/drop",
        drop,
        methods=["POST"],
        operation_id="parked_drop",
        summary="Gives up the first record that is parked for the subject; later ones go on",
        openapi_extra={
            **documented(Drop, DROP),
            VERSIONED: True,
            "responses": answers(Parked, "What is still parked."),
        },
        tags=["parked"],
    )


async def _shown(replica: Replica, id: str) -> Response:
    shadow = await replica.ports.store.load(replica.shadows.name, id) or new_shadow(id)
    return JSONResponse(dict(parked_seen(shadow)), 200, {"ETag": etag(int(shadow["version"]))})


async def settings_of(ports: Ports) -> dict[str, dict[str, Any]]:
    """The settings in force of log and store, by name. Raises Unavailable."""
    return {"log": dict(await ports.log.settings()), "store": dict(await ports.store.settings())}


def settings_router(ports: Ports) -> APIRouter:
    """`GET /settings`: the effective settings of log and store, by name."""
    router = Routes()

    async def settings(request: Request, _granted: Granted = Depends(may("settings", "read"))) -> Response:
        query(request)
        return JSONResponse(await settings_of(ports))

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


def parked_seen(shadow: Document) -> Mapping[str, Any]:
    """What is parked for the subject of a shadow, and what was dropped: `Parked` as JSON types."""
    names = DroppedRecord.model_fields
    dropped = [{name: one[name] for name in names if name in one} for one in shadow.get("dropped", [])]
    return {"id": shadow["_id"], "next_at": shadow["next_at"], "parked": shadow["parked"], "dropped": dropped}
