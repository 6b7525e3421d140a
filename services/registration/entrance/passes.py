"""Where a pass is given: at `/registration/pass`, to whoever has a live session."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from services.registration.entrance.entering import Entrance, reader_from, to_sign_in
from shared.errors import Refusal
from shared.services import SERVICES
from shared.web.callers import everybody
from shared.web.lists import query
from shared.web.pages.own_paths import is_own
from shared.web.pages.readers import PASS_PATH
from shared.web.pages.rendering import render
from shared.web.routing import Routes

# Of four minutes each: an open page keeps its session for an hour after it was last asked for.
ROUNDS = 15


def passes_router(entrance: Entrance) -> APIRouter:
    """`GET /pass?service=&to=`: sets the pass in the service's path and sends back to its page.

    Without `to` it answers that the pass was renewed. Without a session: to the sign-in and back, or, where a script
    or a frame asks, that there is none (401).
    """
    router = Routes(include_in_schema=False)

    async def give(request: Request) -> Response:
        asked = query(request, "service", "to", "round", "lang")
        service, to = asked.get("service", ""), asked.get("to")
        if service not in SERVICES or (to is not None and not is_own(to, service)):
            raise Refusal("not_found", status=404)
        found = await entrance.signed_in(request)
        if found is None:
            return _without_session(request)
        if to is not None:
            answer: Response = RedirectResponse(to, 303)
        elif _dest(request) == "empty":
            answer = Response(status_code=204)
        else:
            answer = render(
                request, "renewed.html", reader=reader_from(request, found), again=_again(service, asked.get("round"))
            )
        entrance.cookies.put_pass(answer, service, found.given, entrance.edge.runtime.now())
        return answer

    router.add_api_route("/pass", give, methods=["GET"], dependencies=[Depends(everybody)])
    return router


def _again(service: str, number: str | None) -> str:
    """Where a frame that runs no script asks next; after an hour nowhere. Empty for a page that is none."""
    asked = next((one for one in range(1, ROUNDS) if number == str(one)), None)
    return f"{PASS_PATH}?service={service}&round={asked + 1}" if asked else ""


def _without_session(request: Request) -> Response:
    dest = _dest(request)
    if dest == "empty":
        return Response(status_code=401)
    if dest in ("iframe", "frame"):
        return render(request, "ended.html", 401)
    return to_sign_in(request)


def _dest(request: Request) -> str:
    """For what the browser asks: `document`, `iframe`, or `empty` for a script; it is not said everywhere."""
    return request.headers.get("sec-fetch-dest", "")
