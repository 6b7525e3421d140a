"""What every page of the entrance stands on, and who is in front of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo
from urllib.parse import urlencode

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from services.registration.entrance import cookies
from services.registration.entrance.addresses import SIGN_IN
from services.registration.entrance.cookies import Cookies
from services.registration.work.handing_over import HandingOver
from services.registration.work.sessions import Sessions, SignedIn
from shared.identity.accounts import Accounts
from shared.identity.openid import OpenIdClient
from shared.programmes.definitions import Definitions
from shared.web.callers import Edge
from shared.web.pages.languages import COOKIE, LANGUAGES, PARAMETER, language_of
from shared.web.pages.own_paths import is_own
from shared.web.pages.readers import Reader, reader_with


@dataclass(frozen=True)
class Entrance:
    """`openid`: the client of the issuer, where there is one; `development`: where anybody may enter as anybody."""

    edge: Edge
    sessions: Sessions
    cookies: Cookies
    definitions: Definitions
    accounts: Accounts
    handing_over: HandingOver
    openid: OpenIdClient | None
    development: bool

    async def signed_in(self, request: Request) -> SignedIn | None:
        """Whose live session the browser holds; it is kept alive by it. Raises Unavailable, UnknownOutcome."""
        found = await self.sessions.find(request.cookies.get(cookies.SESSION))
        if found is None:
            return None
        asked = (request.query_params.get(PARAMETER), request.cookies.get(COOKIE))
        chosen = next((one for one in asked if one in LANGUAGES), None)
        return await self.sessions.seen(found, chosen, language_of(request, chosen or found.account.language))

    async def zone_of(self, found: SignedIn) -> tzinfo | None:
        """The zone of the office that has the case of whoever is signed in; None where no case is known. Raises
        Unavailable."""
        office = self.definitions.every_office().get(await self.handing_over.office_of(found.id) or "")
        return None if office is None else office.zone


def reader_from(request: Request, found: SignedIn | None) -> Reader | None:
    return None if found is None else reader_with(request, found.given)


def to_sign_in(request: Request) -> Response:
    """Sends whoever has no session to sign in, and back here."""
    path, asked = request.url.path, request.url.query
    whole = f"{path}?{asked}" if asked else path
    return RedirectResponse(f"{SIGN_IN}?{urlencode({'to': whole if is_own(whole) else path})}", 303)
