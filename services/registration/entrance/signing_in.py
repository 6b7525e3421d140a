"""Signing in, at the issuer or as somebody of the development system, signing out, and the list of one's sessions."""

from __future__ import annotations

import hmac

from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from services.registration.domain.sessions import browser_of
from services.registration.entrance import cookies
from services.registration.entrance.addresses import SESSIONS, SIGN_IN, SIGN_OUT, own_or
from services.registration.entrance.entering import Entrance, reader_from, to_sign_in
from services.registration.entrance.front import page_to_enter
from services.registration.entrance.people import everybody as everybody_there_is
from services.registration.entrance.people import offices_of
from shared.errors import Refusal
from shared.identity.openid import SignInRefused, origin_of
from shared.identity.tokens import Principal
from shared.telemetry.observability import count, logger
from shared.web.callers import everybody
from shared.web.pages.readers import FORGED, FORGERY_FIELD, check_forgery, check_same_site
from shared.web.pages.rendering import render
from shared.web.pages.sent import sent_form
from shared.web.routing import Routes

BEGIN, CALLBACK = f"{SIGN_IN}/begin", f"{SIGN_IN}/callback"


class SigningIn:
    """The routes below `/sign-in`, and `POST /sign-out`."""

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance
        self.router = Routes(include_in_schema=False, dependencies=[Depends(everybody)])
        add = self.router.add_api_route
        add(SIGN_IN, self.ask, methods=["GET"])
        add(SIGN_IN, self.enter, methods=["POST"])
        add(BEGIN, self.begin, methods=["GET"])
        add(CALLBACK, self.finish, methods=["GET"])
        add(SIGN_OUT, self.leave, methods=["POST"])
        add(SESSIONS, self.sessions, methods=["GET"])
        add(SESSIONS, self.end_session, methods=["POST"])

    async def ask(self, request: Request) -> Response:
        return self._page(request, own_or(request.query_params.get("to")))

    async def enter(self, request: Request) -> Response:
        """As somebody of the development system; with a real issuer there is no such way (404)."""
        entrance = self._entrance
        if not entrance.development:
            raise Refusal("not_found", status=404)
        form = dict(await sent_form(request))
        check_same_site(request)
        expected = entrance.edge.readers.forms_of(entrance.cookies.entry(request))
        if not hmac.compare_digest(form.get(FORGERY_FIELD, "").encode(), expected.encode()):
            raise Refusal(FORGED, status=403)
        known = {one.name: one for one in everybody_there_is(offices_of(entrance.definitions))}
        somebody = known.get(form.get("as", ""))
        if somebody is None:
            raise Refusal("not_found", status=404)
        principal = Principal(entrance.accounts.of(somebody.subject), somebody.role, somebody.office)
        return await self._entered(request, principal, own_or(form.get("to")))

    async def begin(self, request: Request) -> Response:
        """Sends the browser to the issuer."""
        openid = self._entrance.openid
        if openid is None:
            raise Refusal("not_found", status=404)
        address, attempt = await openid.begin(own_or(request.query_params.get("to")))
        answer = RedirectResponse(address, 303)
        self._entrance.cookies.put_attempt(answer, attempt)
        return answer

    async def finish(self, request: Request) -> Response:
        """Takes the issuer's answer, once: the browser that began holds what it is finished with no longer."""
        openid, attempt = self._entrance.openid, self._entrance.cookies.attempt(request)
        if openid is None:
            raise Refusal("not_found", status=404)
        try:
            if attempt is None:
                raise SignInRefused("not_begun_here")
            parameters = request.query_params.multi_items()
            if len(dict(parameters)) != len(parameters):
                raise SignInRefused("answer_malformed")
            principal = await openid.finish(attempt, dict(parameters))
        except SignInRefused as refused:
            count("sign_in_refused")
            logger.warning("sign_in_refused", rule=refused.rule)
            answer = self._page(request, attempt.to if attempt else own_or(None), 400, refused=True)
            self._entrance.cookies.end_attempt(answer)
            return answer
        answer = await self._entered(request, principal, attempt.to)
        self._entrance.cookies.end_attempt(answer)
        return answer

    async def leave(self, request: Request) -> Response:
        """Ends this session, or with `everywhere` all of the account; who has none is signed out already."""
        form = dict(await sent_form(request))
        found = await self._entrance.signed_in(request)
        reader = reader_from(request, found)
        if found is not None and reader is not None:
            check_forgery(request, form, reader)
            await self._entrance.sessions.end(found.id, None if form.get("everywhere") else found.session.id)
        answer = RedirectResponse("/", 303)
        self._entrance.cookies.end_session(answer)
        return answer

    async def sessions(self, request: Request) -> Response:
        found = await self._entrance.signed_in(request)
        if found is None:
            return to_sign_in(request)
        told = {one.id for one in found.news}
        found = await self._entrance.sessions.looked(found)
        now, epoch = self._entrance.edge.runtime.now(), found.session.epoch
        live = [(one, one.id in told) for one in found.account.live(now, epoch)]
        reader, own = reader_from(request, found), found.session.id
        zone = await self._entrance.zone_of(found)
        return render(request, "sessions.html", reader=reader, case_zone=zone, live=live, own=own)

    async def end_session(self, request: Request) -> Response:
        """Ends one session of the account, which the form names."""
        form = dict(await sent_form(request))
        found = await self._entrance.signed_in(request)
        reader = reader_from(request, found)
        if found is None or reader is None:
            return to_sign_in(request)
        check_forgery(request, form, reader)
        await self._entrance.sessions.end(found.id, form.get("session", ""))
        return RedirectResponse(SESSIONS, 303)

    def _page(self, request: Request, to: str, status: int = 200, *, refused: bool = False) -> Response:
        openid = self._entrance.openid
        where = origin_of(openid.issuer) if openid else ""
        return page_to_enter(
            self._entrance, request, "sign_in.html", status, reader=None, to=to, where=where, refused=refused
        )

    async def _entered(self, request: Request, principal: Principal, to: str) -> Response:
        """A new session, whatever the browser held before: a session that somebody else put there stays nobody's."""
        entrance = self._entrance
        before = await entrance.sessions.find(request.cookies.get(cookies.SESSION))
        if before is not None:
            await entrance.sessions.end(before.id, before.session.id)
        secret = await entrance.sessions.begin(principal, browser_of(request.headers.get("user-agent", "")))
        answer = RedirectResponse(to, 303)
        entrance.cookies.end_passes(answer)
        entrance.cookies.put_session(answer, secret)
        return answer
