"""What every service answers about submissions: the receipt (202), its status, and the keys that prove it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from shared.identity.keys import Keys
from shared.identity.tokens import Principal
from shared.store.port import Document
from shared.web.callers import everybody
from shared.web.json import Resource, reading

SUBMISSIONS_COLLECTION = "submissions"


def receipts_router(service: str, keys: Keys) -> APIRouter:
    """`GET /receipts/{id}`: the receipt with `status` (pending, accepted, refused) and `problems`;
    `GET /keys`: the JSON Web Key Set that verifies receipts offline, open to everybody."""
    router = APIRouter()

    async def published(_request: Request) -> Response:
        return JSONResponse(keys.receipt_public_keys(service), headers={"Cache-Control": "public, max-age=3600"})

    router.add_api_route(
        "/keys",
        published,
        methods=["GET"],
        dependencies=[Depends(everybody)],
        operation_id="receipt_keys",
        tags=["receipts"],
    )
    reading(router, path="/receipts/{id}", resource=Resource("receipts", SUBMISSIONS_COLLECTION, _represent))
    return router


def _represent(document: Document, _principal: Principal) -> Mapping[str, Any]:
    return {**document["receipt"], "status": document["status"], "problems": document["problems"]}
