"""The front page, and what waits for whoever is signed in."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from services.registration.domain.experts import EXPERT
from services.registration.entrance.addresses import TODAY
from services.registration.entrance.entering import Entrance, reader_from, to_sign_in
from services.registration.entrance.people import everybody as everybody_there_is
from services.registration.entrance.people import offices_of
from services.registration.identifiers import SERVICE
from services.registration.readings.alike import COMPARE, DUPLICATES
from services.registration.readings.api import SEARCH
from services.registration.store import PERSONS
from shared.programmes.definitions import Definitions
from shared.programmes.model import Definition
from shared.services import SERVICES
from shared.web.callers import everybody
from shared.web.pages.rendering import render
from shared.web.routing import Routes

# What stands on the page of today for those who may: resource, verb, address.
LEADS = (
    (EXPERT.name, COMPARE, f"/{SERVICE}/{DUPLICATES}"),
    (PERSONS.name, SEARCH, f"/{SERVICE}/search"),
    ("readings", "list", f"/{SERVICE}/readings"),
)


def front_router(entrance: Entrance) -> APIRouter:
    """`GET /` and `GET /today`."""
    router = Routes(include_in_schema=False, dependencies=[Depends(everybody)])

    async def front(request: Request) -> Response:
        reader = reader_from(request, await entrance.signed_in(request))
        known = programmes(entrance.definitions)
        over = {one.code for one in known if one.is_over(None, entrance.edge.runtime.now())}
        shown: dict[str, Any] = {"reader": reader, "programmes": known, "over": over, "services": SERVICES}
        return page_to_enter(entrance, request, "front.html", **shown)

    async def today(request: Request) -> Response:
        found = await entrance.signed_in(request)
        if found is None:
            return to_sign_in(request)
        allowed = entrance.edge.policy.allowed
        leads = [(verb, address) for resource, verb, address in LEADS if allowed(found.principal, resource, verb)]
        answer = render(request, "today.html", reader=reader_from(request, found), services=SERVICES, leads=leads)
        for service in SERVICES:
            entrance.cookies.put_pass(answer, service, found.given, entrance.edge.runtime.now())
        return answer

    router.add_api_route("/", front, methods=["GET"])
    router.add_api_route(TODAY, today, methods=["GET"])
    return router


def page_to_enter(entrance: Entrance, request: Request, template: str, status: int = 200, **shown: Any) -> Response:
    """A page on which one can enter as somebody where that is open, else sign in at the issuer."""
    entry = entrance.cookies.entry(request)
    offices = offices_of(entrance.definitions) if entrance.development else {}
    answer = render(
        request,
        template,
        status,
        development=entrance.development,
        issuer=entrance.openid is not None,
        people=tuple(everybody_there_is(offices)) if entrance.development else (),
        offices={code: office.name for code, office in offices.items()},
        entry=entrance.edge.readers.forms_of(entry),
        **shown,
    )
    if entrance.development:
        entrance.cookies.put_entry(answer, entry)
    return answer


def programmes(definitions: Definitions) -> list[Definition]:
    """The newest version of each programme; none while they are still being read."""
    return [definitions.newest(code) for code in definitions.codes()] if definitions.ready else []
