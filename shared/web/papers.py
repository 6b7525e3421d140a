"""Papers over HTTP: the same PDF to a program with a token under `/v1` and to a reader with a pass."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from shared.papers.named import PaperOf
from shared.papers.typesetting import WITHOUT_FONT, Paper, typeset
from shared.web.acting import id_of
from shared.web.answers import refused_by
from shared.web.callers import Granted, may
from shared.web.lists import query
from shared.web.pages.languages import LANGUAGES, PARAMETER, language_of
from shared.web.pages.readers import Admitted, reading_as
from shared.web.routing import Routes
from shared.web.strict_json import refuse

MEDIA_TYPE = "application/pdf"
# The case's id, the language, who asks: Refusal 404 where there is no such paper for the caller.
Made = Callable[[str, str, Granted], Awaitable[Paper]]


def paper_routes(named: PaperOf, made: Made) -> tuple[APIRouter, APIRouter]:
    """`GET` of the paper's path for the JSON edge, and the same for pages."""
    edge, pages = Routes(), Routes(include_in_schema=False)

    async def told(id: str, request: Request, granted: Granted = Depends(may(named.resource, "read"))) -> Response:
        return await _answer(named, made, id, request, granted)

    async def shown(
        id: str, request: Request, admitted: Admitted = Depends(reading_as(named.resource, "read"))
    ) -> Response:
        return await _answer(named, made, id, request, admitted, admitted.reader.language)

    pages.add_api_route(named.path, shown, methods=["GET"])
    edge.add_api_route(
        named.path,
        told,
        methods=["GET"],
        response_class=Response,
        operation_id=f"{named.name}_paper",
        summary=f"A PDF (PDF/UA-1) for people: {named.name.replace('_', ' ')}",
        description="The same case in the same language gives the same bytes until something of it changes.",
        openapi_extra={"parameters": [_LANGUAGE], "responses": _RESPONSES},
        tags=["papers"],
    )
    return edge, pages


async def _answer(
    named: PaperOf, made: Made, id: str, request: Request, granted: Granted, chosen: str | None = None
) -> Response:
    asked = query(request, PARAMETER).get(PARAMETER)
    if asked is not None and asked not in LANGUAGES:
        refuse("code_not_listed", f"query/{PARAMETER}", f"one of {', '.join(LANGUAGES)}")
    language = language_of(request, chosen)
    paper = await made(id_of(id), language, granted)
    body = await typeset(paper, granted.edge.runtime)
    # To be kept as a file: a browser's own viewer is held off by the policy that allows nothing.
    name = f"{named.name}-{paper.reference}-{language}.pdf"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Language": language}
    return Response(body, 200, headers, MEDIA_TYPE)


_LANGUAGE = {
    "name": PARAMETER,
    "in": "query",
    "description": "In which language it is set; without it by `Accept-Language`.",
    "schema": {"type": "string", "enum": list(LANGUAGES)},
}
_RESPONSES = {
    "200": {
        "description": "The paper.",
        "headers": {
            "Content-Disposition": {"description": "Under which name it is kept.", "schema": {"type": "string"}},
            "Content-Language": {"description": "In which language it is.", "schema": {"type": "string"}},
        },
        "content": {MEDIA_TYPE: {"schema": {"type": "string", "contentMediaType": MEDIA_TYPE}}},
    },
    "409": refused_by(WITHOUT_FONT),
}
