"""What every service answers about submissions: the receipt (202), its status, and the keys that prove it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.responses import Response

from shared.identity.keys import Keys
from shared.identity.tokens import Principal
from shared.intake.submissions import SUBMISSIONS, Intake
from shared.store.port import Document
from shared.web.answers import Receipt, answered
from shared.web.callers import everybody
from shared.web.json import Resource, reading
from shared.web.routing import Routes


class Refused(BaseModel):
    """One broken rule, by JSON pointer; never a value."""

    pointer: str
    rule: str


class ReceiptSeen(Receipt):
    """The receipt as it was given, and what became of it by now."""

    status: Literal["pending", "accepted", "refused"]
    problems: tuple[Refused, ...]


class KeySet(BaseModel):
    """A JSON Web Key Set (RFC 7517)."""

    keys: tuple[dict[str, Any], ...]


def receipts_router(service: str, keys: Keys, intake: Intake) -> APIRouter:
    """`GET /receipts/{id}`: the receipt with `status` (pending, accepted, refused) and `problems`; and the keys."""
    router = keys_router(service, keys)
    resource = Resource("receipts", SUBMISSIONS.name, ReceiptSeen, _represent)
    reading(router, path="/receipts/{id}", resource=resource, unsealed=intake.receipt)
    return router


def keys_router(service: str, keys: Keys) -> APIRouter:
    """`GET /keys`: the JSON Web Key Set that verifies offline what the service signed, open to everybody."""
    router = Routes()

    async def published(_request: Request) -> Response:
        return JSONResponse(keys.receipt_public_keys(service), headers={"Cache-Control": "public, max-age=3600"})

    router.add_api_route(
        "/keys",
        published,
        methods=["GET"],
        dependencies=[Depends(everybody)],
        summary="The keys that verify offline what was signed, open to everybody",
        operation_id="receipt_keys",
        openapi_extra={"responses": answered(KeySet, "The key in use and the retired ones.")},
        tags=["receipts"],
    )
    return router


def _represent(document: Document, _principal: Principal) -> Mapping[str, Any]:
    return {"status": document["status"], "problems": document["problems"]}
