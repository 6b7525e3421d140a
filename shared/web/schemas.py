"""The JSON Schemas of a service's events, open to everybody: where the name in `dataschema` leads."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from shared.contracts.base import TYPE_PREFIX
from shared.contracts.registry import EVENTS
from shared.errors import Refusal
from shared.web.callers import everybody
from shared.web.lists import query
from shared.web.routing import Routes

FOLDER = Path(__file__).resolve().parents[1] / "contracts/schemas"
MEDIA_TYPE = "application/schema+json"
# The newest version of a type may get a further optional field; no other file changes.
CACHED = {"Cache-Control": "public, max-age=3600"}


class SchemaFile(Response):
    media_type = MEDIA_TYPE


def schemas_router(service: str) -> APIRouter:
    """`GET /schemas/<owner>.<Event>.<version>.json`: every version that ever stood on a topic of the service."""
    router = Routes()

    async def schema(file: str, request: Request) -> Response:
        query(request)
        if file not in _files(service):
            raise Refusal("not_found", status=404)
        return SchemaFile(_read(file), headers=CACHED)

    router.add_api_route(
        "/schemas/{file}",
        schema,
        methods=["GET"],
        response_class=SchemaFile,
        dependencies=[Depends(everybody)],
        summary="The JSON Schema of an event's version, open to everybody",
        description="`urn:sankofa:schema:<owner>.<Event>:<version>`, which a record names in `ce_dataschema`, is "
        "served as `<owner>.<Event>.<version>.json` by the service that owns the event.",
        operation_id="schemas_read",
        openapi_extra={"responses": _answers()},
        tags=["schemas"],
    )
    return router


def _answers() -> dict[str, Any]:
    schema = {"type": "object", "required": ["$schema", "$id"], "properties": {"$schema": {"type": "string"}}}
    content = {MEDIA_TYPE: {"schema": {**schema, "additionalProperties": True}}}
    return {"200": {"description": "JSON Schema 2020-12; its `$id` is the name.", "content": content}}


@cache
def _files(service: str) -> frozenset[str]:
    named = ((name.removeprefix(TYPE_PREFIX), version) for name, version in EVENTS.versions())
    return frozenset(f"{name}.{version}.json" for name, version in named if name.startswith(f"{service}."))


@cache
def _read(file: str) -> bytes:
    return (FOLDER / file).read_bytes()
