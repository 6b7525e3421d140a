"""From which address a request comes, behind proxies that the operator has declared.

`X-Forwarded-For` is anybody's word, so it counts from a declared proxy alone. From anybody else it is refused, not
passed over: behind a proxy that nobody declared all people would have one address, and the first of them who tries too
often would shut out the rest.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from shared.errors import SettingsError
from shared.web.envelope import SECURITY_HEADERS
from shared.web.problems import problem

FORWARDED = b"x-forwarded-for"
PROXIES_AT_MOST = 64
# A line of IPv6 has a network of that size at least, and may ask from any address in it.
LINE_BITS = 64


def declared_proxies(text: str) -> tuple[str, ...]:
    """The networks of SANKOFA_PROXY: addresses or networks (CIDR), commas between them. Raises SettingsError."""
    named = [one.strip() for one in text.split(",") if one.strip()]
    if len(named) > PROXIES_AT_MOST:
        raise SettingsError(f"SANKOFA_PROXY names more than {PROXIES_AT_MOST} proxies")
    try:
        return tuple(str(ipaddress.ip_network(one)) for one in named)
    except ValueError:
        raise SettingsError(
            "SANKOFA_PROXY is a list of addresses or networks of proxies, such as 10.0.0.7,172.30.0.0/24"
        ) from None


class Behind:
    """ASGI middleware: `client` of a request becomes the address that the declared proxies saw.

    A request with X-Forwarded-For from elsewhere is answered 400 `proxy_undeclared`.
    """

    def __init__(self, app: ASGIApp, proxies: Sequence[str]) -> None:
        self._app = app
        self._networks = [ipaddress.ip_network(one) for one in proxies]
        self._believed = ProxyHeadersMiddleware(app, list(proxies))  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or all(name != FORWARDED for name, _ in scope["headers"]):
            await self._app(scope, receive, send)
        elif self._is_declared(scope):
            await self._believed(scope, receive, send)  # type: ignore[arg-type]
        else:
            await problem(400, "proxy_undeclared", headers=SECURITY_HEADERS)(scope, receive, send)

    def _is_declared(self, scope: Scope) -> bool:
        try:
            address = ipaddress.ip_address((scope.get("client") or ("", 0))[0])
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def origin(connection: HTTPConnection) -> str:
    """Whom a request without an account is counted for: an address, of IPv6 the network of one line."""
    text = connection.client.host if connection.client is not None else ""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text[:LINE_BITS]
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, LINE_BITS), strict=False))
