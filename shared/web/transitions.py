"""Routes from tables: a collection's list and items, and its transitions as commands.

What every transition does, in this order: the policy's row (401, 403), the document under the policy (404), the
body (413, 415, 422), the cause with the right to record late (403), the command, and the new representation with
its version as `ETag`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from shared.errors import Refusal
from shared.identity.tokens import Principal
from shared.store.aggregates import Cause, Saved
from shared.store.port import Document
from shared.web.bodies import Change, documented, read_body
from shared.web.callers import Granted, may
from shared.web.commands import cause_of, etag, expected_version
from shared.web.lists import PARAMETERS, page, query

B = TypeVar("B", bound=Change)
Represent = Callable[[Document, Principal], Mapping[str, Any]]

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class Resource:
    """A collection as the edge shows it: its name in the policy, its collection, what each caller sees of it."""

    name: str
    collection: str
    represent: Represent

    def answer(self, document: Document, principal: Principal, status: int = 200) -> JSONResponse:
        """The representation with `ETag`."""
        return JSONResponse(dict(self.represent(document, principal)), status, {"ETag": etag(int(document["version"]))})


@dataclass(frozen=True)
class Call(Generic[B]):
    """What a transition's function gets. `document` is what the caller was allowed to see before."""

    id: str
    body: B
    cause: Cause
    expected_version: int | None
    document: Document
    granted: Granted

    @property
    def principal(self) -> Principal:
        return self.granted.principal


Run = Callable[[Call[B]], Awaitable[Saved[Any]]]


def transition(
    router: APIRouter,
    *,
    path: str,
    resource: Resource,
    verb: str,
    body: type[B],
    run: Run[B],
    example: Mapping[str, Any],
) -> None:
    """Registers `POST path` (with `{id}` in it), which executes one command. ValueError for a refused example."""

    async def endpoint(id: str, request: Request, granted: Granted = Depends(may(resource.name, verb))) -> Response:
        query(request)
        document = await granted.load(resource.collection, id_of(id))
        sent = await read_body(request, body)
        cause = cause_of(request, granted, sent.digest, sent.model.happened_at)
        call = Call(id, sent.model, cause, expected_version(request), document, granted)
        saved = await run(call)
        return resource.answer(saved.document, granted.principal)

    router.add_api_route(
        path,
        endpoint,
        methods=["POST"],
        name=f"{verb} {resource.name}",
        operation_id=f"{resource.name}_{verb}".replace("-", "_"),
        openapi_extra=documented(body, example),
        tags=[resource.name],
    )


def reading(router: APIRouter, *, path: str, resource: Resource, verb: str = "read") -> None:
    """Registers `GET path` (with `{id}` in it)."""

    async def endpoint(id: str, request: Request, granted: Granted = Depends(may(resource.name, verb))) -> Response:
        query(request)
        document = await granted.load(resource.collection, id_of(id))
        return resource.answer(document, granted.principal)

    operation = f"{resource.name}_{verb}".replace("-", "_")
    router.add_api_route(path, endpoint, methods=["GET"], operation_id=operation, tags=[resource.name])


def listing(router: APIRouter, *, path: str, resource: Resource, verb: str = "list") -> None:
    """Registers `GET path`: the documents under the widest relation that the caller has."""

    async def endpoint(request: Request, granted: Granted = Depends(may(resource.name, verb))) -> Response:
        equalities = await granted.equalities()

        def represent(document: Document) -> Mapping[str, Any]:
            return resource.represent(document, granted.principal)

        return await page(request, resource.collection, equalities[0] if equalities else None, represent)

    router.add_api_route(
        path,
        endpoint,
        methods=["GET"],
        operation_id=f"{resource.name}_{verb}".replace("-", "_"),
        openapi_extra={"parameters": PARAMETERS},
        tags=[resource.name],
    )


def id_of(text: str) -> str:
    """The id in a path; what cannot be one is not found (404), whatever it is."""
    if not _ID.fullmatch(text):
        raise Refusal("not_found", status=404)
    return text
