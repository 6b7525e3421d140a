"""`sankofa issuer`: the development issuer as a part of its own, which alone holds its key.

It speaks what the command line asks of any issuer: OAuth 2.0 client credentials (RFC 6749, section 4.4) and token
exchange (RFC 8693). It knows no accounts: whoever has the client's secret is given a token for any role, which is what
an issuer for development is for. Services verify with the public half, and hold no more.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hmac
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qsl, unquote_plus

import typer
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.cli.hosting import bound_socket
from deploy.cli.looping import run
from deploy.cli.settings import DEFAULT_PORT, read_settings
from deploy.cli.signing import EXCHANGE, LIFETIME, SUBJECT_TOKEN_TYPE
from deploy.local.processes import LOOPBACK
from shared.clock import RealRuntime
from shared.errors import SettingsError
from shared.identity.issuers import DEVELOPMENT_ISSUER, DevelopmentIssuer
from shared.identity.keys import Keys
from shared.identity.roles import ROLES, Role

BASE = "/issuer"
FORM_BYTES_AT_MOST = 16_384


@dataclass(frozen=True)
class OAuthRefused(Exception):
    """An error of RFC 6749, section 5.2."""

    error: str
    status: int = 400


class Endpoint:
    """The token endpoint of the one client whose secret this is."""

    def __init__(self, issuer: DevelopmentIssuer, client: str, secret: str) -> None:
        self._issuer = issuer
        self._client = client
        self._secret = secret

    async def token(self, request: Request) -> Response:
        try:
            form = await _form(request)
            self._authenticate(request, form)
            role, office, subject = self._asked(form)
        except OAuthRefused as refused:
            headers = {"WWW-Authenticate": "Basic"} if refused.status == 401 else None
            return JSONResponse({"error": refused.error}, refused.status, headers)
        granted = {
            "access_token": self._issuer.issue(role, office, subject, LIFETIME),
            "issued_token_type": SUBJECT_TOKEN_TYPE,
            "token_type": "Bearer",
            "expires_in": int(LIFETIME.total_seconds()),
        }
        return JSONResponse(granted, headers={"Cache-Control": "no-store"})

    def _authenticate(self, request: Request, form: Mapping[str, str]) -> None:
        given = _basic(request) or (form.get("client_id", ""), form.get("client_secret", ""))
        known = hmac.compare_digest(given[0].encode(), self._client.encode())
        if not (hmac.compare_digest(given[1].encode(), self._secret.encode()) and known):
            raise OAuthRefused("invalid_client", 401)

    def _asked(self, form: Mapping[str, str]) -> tuple[Role, str | None, str]:
        """The client itself is an administrator; in exchange for that it is given anybody's token."""
        grant = form.get("grant_type")
        if grant == "client_credentials":
            return "administrator", None, self._client
        if grant != EXCHANGE:
            raise OAuthRefused("unsupported_grant_type")
        role = next((one for one in ROLES if one == form.get("role")), None)
        if role is None or not form.get("requested_subject"):
            raise OAuthRefused("invalid_request")
        return role, form.get("office") or None, form["requested_subject"]


async def _form(request: Request) -> dict[str, str]:
    raw = bytearray()
    async for part in request.stream():
        raw += part
        if len(raw) > FORM_BYTES_AT_MOST:
            raise OAuthRefused("invalid_request", 413)
    try:
        return dict(parse_qsl(raw.decode(), max_num_fields=20))
    except ValueError:
        raise OAuthRefused("invalid_request") from None


def _basic(request: Request) -> tuple[str, str] | None:
    """Name and secret of HTTP Basic, each percent-encoded as RFC 6749 asks."""
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(rest, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise OAuthRefused("invalid_client", 401) from None
    return unquote_plus(name), unquote_plus(secret)


def issuer_app(endpoint: Endpoint | None, public: Mapping[str, Any] | None, address: str) -> Starlette:
    """The issuer's documents, its token endpoint; its health alone where there is a real issuer."""

    async def ready(_request: Request) -> Response:
        return JSONResponse({"ready": True})

    routes = [Route(f"{BASE}/health/ready", ready)]
    if endpoint is not None:
        discovered = {
            "issuer": DEVELOPMENT_ISSUER,
            "token_endpoint": f"{address}{BASE}/token",
            "jwks_uri": f"{address}{BASE}/keys",
            "grant_types_supported": ["client_credentials", EXCHANGE],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        }

        async def discovery(_request: Request) -> Response:
            return JSONResponse(discovered)

        async def keys(_request: Request) -> Response:
            return JSONResponse({"keys": [public]})

        routes += [
            Route(f"{BASE}/.well-known/openid-configuration", discovery),
            Route(f"{BASE}/keys", keys),
            Route(f"{BASE}/token", endpoint.token, methods=["POST"]),
        ]
    return Starlette(routes=routes)


def issuer(
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65_535)] = DEFAULT_PORT,
    address: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 in a container.")] = LOOPBACK,
) -> None:
    """Runs the development issuer, which alone holds its key; it signs nothing where SANKOFA_ISSUER is set."""
    settings = read_settings(port=port)
    listening = bound_socket(port, address)
    with contextlib.closing(listening):
        endpoint, public = None, None
        if not settings.issuer:
            if not settings.client_id or not settings.client_secret:
                raise SettingsError(
                    "the issuer needs SANKOFA_CLIENT_ID and SANKOFA_CLIENT_SECRET: to whom it gives tokens"
                )
            keys = Keys(settings.keys)
            endpoint = Endpoint(DevelopmentIssuer(keys, RealRuntime()), settings.client_id, settings.client_secret)
            public = keys.issuer_public_jwk()
        app = issuer_app(endpoint, public, f"http://{address}:{listening.getsockname()[1]}")
        # By itself the library takes the parser that bounds no head; `Speaking` does that for the services alone.
        config = uvicorn.Config(
            app, http="h11", log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
        )
        try:
            run(uvicorn.Server(config).serve(sockets=[listening]))
        except KeyboardInterrupt:
            raise SystemExit(128 + signal.SIGINT) from None
