"""Several services behind one address: the first part of the path says whose request it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.web.envelope import SECURITY_HEADERS, bodiless
from shared.web.problems import problem

# The first part of the paths that are no service's own; registration answers there.
ENTRANCE = frozenset({"", "today", "sign-in", "sign-out"})
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::[0-9]{1,5})?", re.ASCII)


class Front:
    """Hands `/<service>/...` to that service's app, and what is no service's own to the entrance, if it is here.

    `/` lists the services as JSON for whoever asks for that, or where there is no entrance; all else is a 404, in the
    entrance's words for whoever asks for a page.

    A router's mount would do the same but answers what it does not know in plain text. `hosts`: the names under which
    it may be asked, at whatever port; without one, any. A page of another name that resolves to this address could
    otherwise ask in a visitor's browser. `elsewhere`: the services that another process answers; a request for one of
    them comes here only where it did not begin its connection's turn (421, RFC 9110, section 15.5.20).
    """

    def __init__(
        self,
        apps: Mapping[str, ASGIApp],
        hosts: Iterable[str] = (),
        entrance: ASGIApp | None = None,
        elsewhere: Sequence[str] = (),
    ) -> None:
        self._apps = dict(apps)
        self._elsewhere = tuple(elsewhere)
        self._entrance = entrance
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            # Nobody offers web sockets; the close before an accept is a refusal.
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1000})
            return
        if self._hosts and _host_of(scope) not in self._hosts:
            await problem(400, "host_not_allowed", headers=SECURITY_HEADERS)(scope, receive, send)
            return
        name = scope["path"].removeprefix("/").partition("/")[0]
        if name in self._apps:
            root = f"{scope.get('root_path', '')}/{name}"
            # A service's own address may be written without the line at its end.
            path = f"/{name}/" if scope["path"] == f"/{name}" else scope["path"]
            await self._apps[name]({**scope, "path": path, "root_path": root}, receive, send)
        elif name in self._elsewhere:
            await problem(421, "misdirected", headers={**SECURITY_HEADERS, "Connection": "close"})(scope, receive, send)
        elif self._entrance and _of_people(scope, name):
            await self._entrance(scope, receive, send)
        elif scope["path"] == "/" and scope["method"] in ("GET", "HEAD"):
            services = {service: f"/{service}/openapi.json" for service in (*self._apps, *self._elsewhere)}
            answer = bodiless(send) if scope["method"] == "HEAD" else send
            await JSONResponse({"services": services}, headers=SECURITY_HEADERS)(scope, receive, answer)
        else:
            await problem(404, "not_found", headers=SECURITY_HEADERS)(scope, receive, send)


def _of_people(scope: Scope, name: str) -> bool:
    if name in ENTRANCE:
        return scope["path"] != "/" or not _asks_for_json(scope)
    return "text/html" in Headers(scope=scope).get("accept", "")


def _asks_for_json(scope: Scope) -> bool:
    accepted = Headers(scope=scope).get("accept", "")
    return "application/json" in accepted and "text/html" not in accepted


def _host_of(scope: Scope) -> str | None:
    """The name in the Host header, in lower case; None where there is no one such header."""
    given = Headers(scope=scope).getlist("host")
    found = _HOST.fullmatch(given[0].lower()) if len(given) == 1 else None
    return None if found is None else found[1] or found[2]
