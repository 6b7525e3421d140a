"""JSON answers: the routes of a case from its table of moves, and lists and items of what is no case."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.responses import Response

from shared.cases.case import ILLEGAL, NEW, Case, Move
from shared.cases.named import OWN_WORDS, listed_words
from shared.identity.roles import By
from shared.identity.tokens import Principal
from shared.programmes.reasons import CODE_NOT_LISTED
from shared.store.aggregates import Saved
from shared.store.port import Document
from shared.web.acting import NOTHING_YET, Behind, Call, Served, act, as_read, id_of, seen, shown
from shared.web.answers import ITEM, answers, listed_answers, taken_answers
from shared.web.bodies import read_body
from shared.web.callers import Granted, may
from shared.web.calling import Asking, call_of
from shared.web.codes import described
from shared.web.commands import expected_version, key_of
from shared.web.conditions import VERSIONED
from shared.web.doors import entered
from shared.web.filters import asked_of, filters_of, newest_first, paged_of
from shared.web.lists import OF_EVERY_LIST, PARAMETERS, Paged, page, query
from shared.web.problems import etag
from shared.web.routing import Routes

ID_PARAMETER: Mapping[str, Any] = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}


def case_routes(served: Served, behind: Behind) -> APIRouter:
    """`GET /<name>`, `GET /<name>/{id}`, and for each verb `POST /<name>/{id}/<verb>`; what opens a case is a
    `POST /<name>`."""
    router = Routes()
    _list(router, served, behind)
    _item(router, served, behind)
    for verb in served.case.verbs:
        _verb(router, served, behind, verb)
    return router


def representation(found: Any) -> dict[str, Any]:
    """The JSON of what a reader sees; hidden fields are not set, and so left out."""
    dumped: dict[str, Any] = found.model_dump(mode="json", exclude_unset=True)
    return dumped


async def answer(served: Served, document: Document, granted: Granted, status: int = 200) -> JSONResponse:
    """The case as the caller sees it, with its version as `ETag`."""
    found = await shown(served, document, granted)
    return JSONResponse(representation(found), status, {"ETag": etag(int(document["version"]))})


async def opened(served: Served, saved: Saved[Any], granted: Granted) -> JSONResponse:
    """The answer to an opening: 201 with its place, or 200 for one that had been opened before."""
    answered = await answer(served, saved.document, granted, 200 if saved.repeated else 201)
    answered.headers["Location"] = f"/{granted.edge.service}/v1/{served.name}/{saved.document['_id']}"
    return answered


def _list(router: APIRouter, served: Served, behind: Behind) -> None:
    async def endpoint(request: Request, granted: Granted = Depends(may(served.name, "list"))) -> Response:
        asked = asked_of(request, served, granted.principal.role, behind.definitions)
        equalities = await granted.equalities()

        def represent(document: Document) -> Mapping[str, Any]:
            return representation(as_read(served, document, granted.principal))

        case, of, newest = served.case, (behind.definitions, granted.principal.account), newest_first(request)
        paged = paged_of(case, equalities[0], asked, *of, newest=newest) if equalities else None
        return await page(request, served.aggregate.name, paged, represent)

    router.add_api_route(
        f"/{served.name}",
        endpoint,
        methods=["GET"],
        summary=f"The {served.name} that the caller may see",
        description=f"Roles: {_by(served.case.readers if served.case.lists is None else served.case.lists)}.",
        operation_id=f"{served.name}_list",
        openapi_extra={"parameters": [*PARAMETERS, *filters_of(served)], "responses": listed_answers(served.seen)},
        tags=[served.name],
    )


def _item(router: APIRouter, served: Served, behind: Behind) -> None:
    async def endpoint(id: str, request: Request, granted: Granted = Depends(may(served.name, "read"))) -> Response:
        query(request)
        document, found = await seen(served, behind, id, granted)
        return JSONResponse(representation(found), 200, {"ETag": etag(int(document["version"]))})

    router.add_api_route(
        f"/{served.name}/{{id}}",
        endpoint,
        methods=["GET"],
        summary="One of them, and what is open to the caller now",
        description=f"Roles: {_by(served.case.readers)}.",
        operation_id=f"{served.name}_read",
        openapi_extra={"responses": answers(served.seen, ITEM)},
        tags=[served.name],
    )


def _verb(router: APIRouter, served: Served, behind: Behind, verb: str) -> None:
    rows = served.case.rows[verb]
    opens, taken = any(row.opens for row in rows), verb in served.taken
    endpoint = _opening(served, behind, rows[0]) if opens else _changing(served, behind, rows[0])
    if taken:
        endpoint = _taking(served, rows[0])
    router.add_api_route(
        f"/{served.name}" if opens else f"/{served.name}/{{id}}/{verb}",
        endpoint,
        methods=["POST"],
        status_code=202 if taken else 201 if opens else 200,
        summary=summary_of(rows[0]),
        description=description_of(served.case, verb),
        operation_id=f"{served.name}_{verb}".replace("-", "_"),
        openapi_extra={
            **described(served.case, rows[0], served.section),
            VERSIONED: not always_creates(rows[0]),
            "responses": taken_answers(_refused(served, verb)) if taken else _answers_of(served, verb, opens),
        },
        tags=[served.name],
    )


def _changing(served: Served, behind: Behind, move: Move) -> Callable[..., Any]:
    async def endpoint(id: str, request: Request, granted: Granted = Depends(may(served.name, move.verb))) -> Response:
        query(request)
        document = await granted.load(served.aggregate.name, id_of(id))
        call = await _call(request, granted, served, move, id, document)
        saved = await act(served, behind, call)
        return await answer(served, saved.document, granted)

    return endpoint


def _opening(served: Served, behind: Behind, move: Move) -> Callable[..., Any]:
    async def endpoint(request: Request, granted: Granted = Depends(may(served.name, move.verb))) -> Response:
        query(request)
        call = await _call(request, granted, served, move, None, NOTHING_YET)
        return await opened(served, await act(served, behind, call), granted)

    return endpoint


def _taking(served: Served, move: Move) -> Callable[..., Any]:
    async def endpoint(request: Request, granted: Granted = Depends(may(served.name, move.verb))) -> Response:
        query(request)
        with entered(granted):
            call = await _call(request, granted, served, move, None, NOTHING_YET)
            return acknowledged(await served.taken[move.verb](call))

    return endpoint


def acknowledged(receipt: Mapping[str, Any]) -> Response:
    """202 with the signed receipt as stored."""
    return JSONResponse(dict(receipt), 202, {"Location": str(receipt["status_url"])})


async def _call(
    request: Request, granted: Granted, served: Served, move: Move, id: str | None, document: Document
) -> Call[Any]:
    """What the request asks for."""
    sent = await read_body(request, move.body)
    asking = Asking(key_of(request, granted), id, expected_version(request, exists=id is not None), document)
    return await call_of(request, granted, served, move, sent, asking)


def always_creates(move: Move) -> bool:
    """Whether the verb leads from no state but that of a case that is not there."""
    return move.before == {NEW}


def summary_of(move: Move) -> str:
    """What the verb does, in the first words of what its events say of themselves."""
    said = " ".join(inspect.cleandoc((move.first[0] if move.first else move.rule).__doc__ or "").split())
    return said.split(". ")[0].rstrip(".")


def description_of(case: Case[Any], verb: str) -> str:
    """From where to where the verb leads, by whom, and the rule that decides."""
    lines = []
    for row in case.rows[verb]:
        for status in sorted(row.before - {NEW}):
            lines.append(f"`{status}` > {' or '.join(f'`{to}`' for to in sorted(row.leads_to(status)))}")
    row = case.rows[verb][0]
    rule = " ".join(inspect.cleandoc(row.rule.__doc__ or "").split())
    eyes = "Not by whoever wrote it." if row.checked_by_another else ""
    return "\n\n".join(part for part in (", ".join(lines), rule, f"Roles: {_by(row.by)}.", eyes) if part)


def _answers_of(served: Served, verb: str, opens: bool) -> dict[str, Any]:
    always = (served.case.second,) if opens else (ILLEGAL, "happened_before_last")
    return answers(served.seen, ITEM, refused=(*always, *_refused(served, verb)), opens=opens)


def _refused(served: Served, verb: str) -> tuple[str, ...]:
    """By what its table says that the verb is refused, beside the state."""
    rows = served.case.rows[verb]
    listed = (CODE_NOT_LISTED,) if set(OWN_WORDS) & set(listed_words(rows[0].body).values()) else ()
    return tuple(dict.fromkeys((*(rule for row in rows for rule in (*row.refuses, *row.named.values())), *listed)))


def _by(by: By) -> str:
    return "; ".join(f"{role} ({relation})" for role, relation in by.items())


# What is no case: a list and its items, read alone.
@dataclass(frozen=True)
class Resource:
    """A collection that is only read: its name in the policy, its collection, what each caller sees of it.

    `seen`: what is seen, as a model for the contract.
    """

    name: str
    collection: str
    seen: type[BaseModel]
    represent: Callable[[Document, Principal], Mapping[str, Any]]


Opening = Callable[[Document], Awaitable[Mapping[str, Any]]]


def reading(
    router: APIRouter, *, path: str, resource: Resource, verb: str = "read", unsealed: Opening | None = None
) -> None:
    """Registers `GET path` (with `{id}` in it), which answers with `ETag`. `unsealed`: fields that the store holds
    sealed."""

    async def endpoint(id: str, request: Request, granted: Granted = Depends(may(resource.name, verb))) -> Response:
        query(request)
        document = await granted.load(resource.collection, id_of(id))
        found = {**resource.represent(document, granted.principal), **(await unsealed(document) if unsealed else {})}
        return JSONResponse(found, 200, {"ETag": etag(int(document["version"]))})

    router.add_api_route(
        path,
        endpoint,
        methods=["GET"],
        summary=f"One of the {resource.name}",
        operation_id=f"{resource.name}_{verb}".replace("-", "_"),
        openapi_extra={"responses": answers(resource.seen, "As it stands.")},
        tags=[resource.name],
    )


def listing(router: APIRouter, *, path: str, resource: Resource, verb: str = "list") -> None:
    """Registers `GET path`: the documents under the widest relation that the caller has."""

    async def endpoint(request: Request, granted: Granted = Depends(may(resource.name, verb))) -> Response:
        equalities = await granted.equalities()

        def represent(document: Document) -> Mapping[str, Any]:
            return resource.represent(document, granted.principal)

        query(request, *OF_EVERY_LIST)
        paged = Paged.of(equalities[0]) if equalities else None
        return await page(request, resource.collection, paged, represent)

    router.add_api_route(
        path,
        endpoint,
        methods=["GET"],
        summary=f"The {resource.name} that the caller may see",
        operation_id=f"{resource.name}_{verb}".replace("-", "_"),
        openapi_extra={"parameters": PARAMETERS, "responses": listed_answers(resource.seen)},
        tags=[resource.name],
    )
