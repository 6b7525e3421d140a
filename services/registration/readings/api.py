"""JSON: a person's identifiers for a purpose, persons by name, and who read what of whom."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from services.registration.domain.readings import IdentityReading, PersonSearch
from services.registration.readings import seen
from services.registration.readings.looking import Found, Looking, parameters
from services.registration.readings.seen import IdentifiersSeen, PersonsFound, ReadingSeen
from services.registration.store import PERSONS
from services.registration.work.readings import Readings
from shared.identity.rights import Rights
from shared.web.acting import id_of
from shared.web.answers import answered, listed_answers
from shared.web.bodies import documented, read_body
from shared.web.callers import Granted, may
from shared.web.json import representation
from shared.web.lists import OF_EVERY_LIST, PARAMETERS, query
from shared.web.routing import Routes

READ_IDENTITY, SEARCH, READ_TRAIL = "read-identity", "search", "readings"
RIGHTS: tuple[Rights, ...] = (
    (PERSONS.name, READ_IDENTITY, {"officer": "office", "protection": "all"}),
    (PERSONS.name, SEARCH, {"officer": "office"}),
    (PERSONS.name, READ_TRAIL, {"expert": "own", "officer": "office", "protection": "all"}),
    ("readings", "list", {"protection": "all"}),
)


def readings_router(readings: Readings) -> APIRouter:
    """`POST /persons/{id}/read-identity`, `POST /persons/search`, `GET /persons/{id}/readings`, `GET /readings`."""
    router = Routes()
    _identity(router, readings)
    _search(router, readings)
    _trail(router, Looking(readings))
    return router


def _identity(router: APIRouter, readings: Readings) -> None:
    async def read(id: str, request: Request, granted: Granted = Depends(may(PERSONS.name, READ_IDENTITY))) -> Response:
        query(request)
        document = await granted.load(PERSONS.name, id_of(id))
        asked = (await read_body(request, IdentityReading)).model
        opened = await readings.identity(document, granted.principal, asked.purpose)
        return _told(seen.identity(document["_id"], opened))

    router.add_api_route(
        f"/persons/{{id}}/{READ_IDENTITY}",
        read,
        methods=["POST"],
        operation_id="persons_read_identity",
        summary="Opens what a purpose needs of a person's identifiers; the trail has it first",
        openapi_extra={
            **documented(IdentityReading, {"purpose": "contact"}),
            "responses": answered(IdentifiersSeen, "What the purpose opens."),
        },
        tags=[PERSONS.name],
    )


def _search(router: APIRouter, readings: Readings) -> None:
    async def search(request: Request, granted: Granted = Depends(may(PERSONS.name, SEARCH))) -> Response:
        query(request)
        asked = (await read_body(request, PersonSearch)).model
        documents, more = await readings.search(granted.principal, asked.name)
        now = granted.edge.runtime.now()
        return _told(PersonsFound(persons=tuple(seen.found(one, now) for one in documents), more=more))

    router.add_api_route(
        "/persons/search",
        search,
        methods=["POST"],
        operation_id="persons_search",
        summary="Persons of the office who have a name; the trail says who was found",
        openapi_extra={
            **documented(PersonSearch, {"name": "Example Person"}),
            "responses": answered(PersonsFound, "Those who have all the words of the name."),
        },
        tags=[PERSONS.name],
    )


def _trail(router: APIRouter, looking: Looking) -> None:
    async def about(id: str, request: Request, granted: Granted = Depends(may(PERSONS.name, READ_TRAIL))) -> Response:
        query(request, *OF_EVERY_LIST)
        return _listed(await looking.about(id, request, granted))

    async def everywhere(request: Request, granted: Granted = Depends(may("readings", "list"))) -> Response:
        _, found = await looking.everywhere(request, granted)
        return _listed(found)

    router.add_api_route(
        f"/persons/{{id}}/{READ_TRAIL}",
        about,
        methods=["GET"],
        operation_id="persons_readings",
        summary="Who read what of the person, when and why, the newest first",
        openapi_extra={"parameters": PARAMETERS, "responses": listed_answers(ReadingSeen)},
        tags=["readings"],
    )
    router.add_api_route(
        "/readings",
        everywhere,
        methods=["GET"],
        operation_id="readings_list",
        summary="Who read what of whom, across all cases, the newest first",
        openapi_extra={"parameters": [*PARAMETERS, *parameters()], "responses": listed_answers(ReadingSeen)},
        tags=["readings"],
    )


def _told(found: Any) -> Response:
    return JSONResponse(representation(found))


def _listed(found: Found) -> Response:
    rows, following = found
    return JSONResponse({"items": [representation(one) for one in rows], "next": following})
