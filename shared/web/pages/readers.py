"""Who reads a page: by the pass in a cookie of the service's own path, and by nothing else.

Pages take the cookie only, the JSON edge under `/v1` bearer tokens only: a page of another site can make a browser
send the first, never the second.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode, urlsplit

from fastapi import Request

from shared.errors import Refusal
from shared.identity.passes import Pass
from shared.identity.tokens import Principal, TokenRefused
from shared.web.callers import Edge, Granted, Right, allowed, check_no_body, edge_of
from shared.web.pages.languages import language_of

PASS_COOKIE = "sankofa-pass"  # noqa: S105
PASS_PATH = "/registration/pass"  # noqa: S105
FORGERY_FIELD = "csrf"
FORGED = "forged"
FETCH_SITE, SAME_ORIGIN = "sec-fetch-site", "same-origin"
# What is longer is left out of the way back: a page's own address never is.
RETURN_CHARACTERS_AT_MOST = 1_024


@dataclass(frozen=True)
class Reader:
    """Who reads. `session`: a name of it that opens nothing; `csrf`: what stands in the forms that are sent to it.

    `news`: the account was signed in to elsewhere, and this session has not been told. `until`: when the pass ends.
    """

    principal: Principal
    session: str
    language: str
    csrf: str
    news: bool = False
    until: datetime | None = None


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
    return reader_with(request, found)


def reader_with(request: Request, found: Pass) -> Reader:
    """The reader of a page, by what a pass says."""
    language = language_of(request, found.language)
    csrf = edge_of(request).readers.forms_of(found.session)
    return Reader(found.principal, found.session, language, csrf, found.news, found.until)


def reading_as(resource: str, verb: str) -> Callable[[Request], Awaitable[Admitted]]:
    """The dependency of a page that needs a row of the policy table: NoPass without a pass, 403 without a row."""

    async def permission(request: Request) -> Admitted:
        reader = await reader_of(request)
        check_no_body(request)
        edge = edge_of(request)
        return Admitted(edge, reader.principal, allowed(edge, reader.principal, resource, verb), reader=reader)

    vars(permission).update(right=Right(resource, verb), page=True)
    return permission


class Stale(Refusal):
    """A form of this site, by the browser's word, that no page of this session held: whoever sent it signed in anew."""

    def __init__(self, reader: Reader) -> None:
        super().__init__(FORGED, status=403)
        self.reader = reader


def check_forgery(request: Request, form: Mapping[str, str], reader: Reader) -> None:
    """Refusal 403 `forged` for a form that was sent by another site, or that no page of this session held."""
    check_same_site(request)
    if not hmac.compare_digest(form.get(FORGERY_FIELD, "").encode(), reader.csrf.encode()):
        raise Stale(reader) if request.headers.get(FETCH_SITE) == SAME_ORIGIN else Refusal(FORGED, status=403)


def check_same_site(request: Request) -> None:
    """Refusal 403 `forged` where the browser says that another site's page sends this."""
    site, origin = request.headers.get(FETCH_SITE), request.headers.get("origin", "null")
    if site is not None:
        elsewhere = site != SAME_ORIGIN
    else:
        # Our own pages tell no referrer, and then a browser's origin is null: the form's token decides alone.
        elsewhere = origin != "null" and urlsplit(origin).netloc != request.headers.get("host")
    if elsewhere:
        raise Refusal(FORGED, status=403)


def for_a_pass(edge: Edge, request: Request) -> str:
    """Where a pass is given for this service, with the way back to this page."""
    path, asked = request.url.path, request.url.query
    whole = f"{path}?{asked}" if asked else path
    back = whole if len(whole) <= RETURN_CHARACTERS_AT_MOST else path
    return f"{PASS_PATH}?{urlencode({'service': edge.service, 'to': back})}"
