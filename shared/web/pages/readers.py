"""Who reads a page: by the pass in a cookie of the service's own path, and by nothing else.

Pages take the cookie only, the JSON edge under `/v1` bearer tokens only: a page of another site can make a browser
send the first, never the second.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from fastapi import FastAPI, Request
from starlette.responses import RedirectResponse, Response

from shared.errors import Refusal
from shared.identity.tokens import Principal, TokenRefused
from shared.web.callers import Edge, Granted, Right, allowed, check_no_body, edge_of
from shared.web.pages.languages import language_of
from shared.web.problems import problem

PASS_COOKIE = "sankofa-pass"  # noqa: S105
PASS_PATH = "/registration/pass"  # noqa: S105
FORGERY_FIELD = "csrf"
FORGED = "forged"
# What is longer is left out of the way back: a page's own address never is.
RETURN_CHARACTERS_AT_MOST = 1_024


@dataclass(frozen=True)
class Reader:
    """Who reads. `session`: a name of it that opens nothing; `csrf`: what stands in the forms that are sent to it."""

    principal: Principal
    session: str
    language: str
    csrf: str


@dataclass(frozen=True, kw_only=True)
class Admitted(Granted):
    """What a page's reader may do, as the JSON edge has it of a caller."""

    reader: Reader


class NoPass(Exception):
    """Nobody's pass, or none that holds now."""


async def reader_of(request: Request) -> Reader:
    """Raises NoPass; Unavailable where the keys' folder cannot be read."""
    edge, text = edge_of(request), request.cookies.get(PASS_COOKIE)
    if not text:
        raise NoPass
    try:
        found = await edge.readers.read(text, edge.runtime.now())
    except TokenRefused:
        raise NoPass from None
    language = language_of(request, found.language)
    return Reader(found.principal, found.session, language, edge.readers.forms_of(found.session))


def reading_as(resource: str, verb: str) -> Callable[[Request], Awaitable[Admitted]]:
    """The dependency of a page that needs a row of the policy table: NoPass without a pass, 403 without a row."""

    async def permission(request: Request) -> Admitted:
        reader = await reader_of(request)
        check_no_body(request)
        edge = edge_of(request)
        return Admitted(edge, reader.principal, allowed(edge, reader.principal, resource, verb), reader=reader)

    vars(permission)["right"] = Right(resource, verb)
    return permission


def check_forgery(request: Request, form: Mapping[str, str], reader: Reader) -> None:
    """Refusal 403 `forged` for a form that was sent by another site, or that no page of this session held."""
    check_same_site(request)
    if not hmac.compare_digest(form.get(FORGERY_FIELD, "").encode(), reader.csrf.encode()):
        raise Refusal(FORGED, status=403)


def check_same_site(request: Request) -> None:
    """Refusal 403 `forged` where the browser says that another site's page sends this."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin", "null")
    if site is not None:
        elsewhere = site != "same-origin"
    else:
        # Our own pages tell no referrer, and then a browser's origin is null: the form's token decides alone.
        elsewhere = origin != "null" and urlsplit(origin).netloc != request.headers.get("host")
    if elsewhere:
        raise Refusal(FORGED, status=403)


def install(app: FastAPI) -> None:
    """Sends whoever reads without a pass where one is given, and back."""

    async def without_pass(request: Request, _error: Exception) -> Response:
        if request.method == "GET":
            return RedirectResponse(for_a_pass(edge_of(request), request), 303)
        return problem(401, "not_signed_in")

    app.add_exception_handler(NoPass, without_pass)


def for_a_pass(edge: Edge, request: Request) -> str:
    """Where a pass is given for this service, with the way back to this page."""
    path, asked = request.url.path, request.url.query
    whole = f"{path}?{asked}" if asked else path
    back = whole if len(whole) <= RETURN_CHARACTERS_AT_MOST else path
    return f"{PASS_PATH}?{urlencode({'service': edge.service, 'to': back})}"
