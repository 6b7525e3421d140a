"""Several services behind one address: the first part of the path says whose request it is."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.web.envelope import SECURITY_HEADERS
from shared.web.problems import problem


class Front:
    """Hands `/<service>/...` to that service's app; `/` lists the services, all else is a 404 problem.

    A router's mount would do the same but answers what it does not know in plain text.
    """

    def __init__(self, apps: Mapping[str, ASGIApp]) -> None:
        self._apps = dict(apps)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            # Nobody offers web sockets; the close before an accept is a refusal.
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1000})
            return
        name = scope["path"].removeprefix("/").partition("/")[0]
        if name in self._apps:
            root = f"{scope.get('root_path', '')}/{name}"
            await self._apps[name]({**scope, "root_path": root}, receive, send)
        elif scope["path"] == "/" and scope["method"] in ("GET", "HEAD"):
            services = {service: f"/{service}/openapi.json" for service in self._apps}
            await JSONResponse({"services": services}, headers=SECURITY_HEADERS)(scope, receive, send)
        else:
            await problem(404, "not_found", headers=SECURITY_HEADERS)(scope, receive, send)
