"""Where tokens come from: the embedded development issuer, or a real OpenID issuer known by its address."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from shared.clock import Runtime
from shared.errors import SettingsError, Unavailable
from shared.identity.keys import Keys
from shared.identity.roles import Role
from shared.identity.tokens import AUDIENCE, IssuedKey, PublicKey, Signed, Tokens, Verifier
from shared.telemetry.observability import logger

DEVELOPMENT_ISSUER = "urn:sankofa:development-issuer"
# Of a real issuer's signatures.
ALGORITHMS = ("RS256", "ES256")
KEPT_SECONDS = 600.0
# How soon an unknown key id, or a first set that could not be had, has the issuer asked again.
UNKNOWN_SECONDS, AWAY_SECONDS = 60.0, 10.0
# For both of its documents together; a single read of one may take TIMEOUT_SECONDS.
ASKING_SECONDS_AT_MOST = 15.0
ANSWER_BYTES_AT_MOST = 512 * 1024
TIMEOUT_SECONDS = 5.0


class DevelopmentIssuer:
    """Issues tokens for machines on which nobody runs an issuer. Its key lives in the keys' folder."""

    def __init__(self, keys: Keys, runtime: Runtime, configured_issuer: str | None = None) -> None:
        """`configured_issuer`: the setting SANKOFA_ISSUER; where it is set this issuer is refused (SettingsError)."""
        if configured_issuer:
            raise SettingsError("an issuer is configured (SANKOFA_ISSUER); the development issuer gives no tokens then")
        self._key: OKPKey = keys.issuer_key()
        self._runtime = runtime

    def issue(
        self, role: Role, office: str | None = None, subject: str = "", lifetime: timedelta = timedelta(hours=8)
    ) -> str:
        """A signed token. Without a subject the role and office make one, so that it is one account each."""
        now = int(self._runtime.now().timestamp())
        claims: dict[str, Any] = {
            "iss": DEVELOPMENT_ISSUER,
            "aud": AUDIENCE,
            "sub": subject or f"{role}@{office or 'all'}",
            "iat": now,
            "exp": now + int(lifetime.total_seconds()),
            "jti": self._runtime.new_id(),
            "role": role,
        }
        if office:
            claims["office"] = office
        header = {"alg": "Ed25519", "kid": self._key.thumbprint()}
        return jwt.encode(header, claims, self._key, algorithms=["Ed25519"])


class OpenIdKeys:
    """The key set of an OpenID issuer, found by its discovery document and kept for ten minutes.

    Asking goes on apart from requests, one at a time: a known key answers at once, however long the issuer takes. An
    unknown key id has the set asked for again at most once a minute, so that tokens with invented ids cause no
    traffic; only where no set is known yet does a request wait.
    """

    def __init__(self, issuer: str, client: httpx.AsyncClient, runtime: Runtime) -> None:
        self._issuer = issuer
        self._client = client
        self._runtime = runtime
        self._keys: dict[str, PublicKey] = {}
        self._document: Mapping[str, Any] = {}
        self._asked: float | None = None
        self._asking: asyncio.Task[None] | None = None

    async def find(self, key_id: str) -> PublicKey | None:
        """The key; None for an id that the set does not hold.

        Raises Unavailable where no set is known, or where one that may hold the id is just being asked for.
        """
        known = key_id in self._keys
        asking = self._asked_again_after(KEPT_SECONDS if known else UNKNOWN_SECONDS if self._keys else AWAY_SECONDS)
        if not self._keys and asking:
            await asyncio.shield(asking)
        if not self._keys:
            raise Unavailable("the issuer's keys are not known yet")
        if not known and asking and not asking.done():
            raise Unavailable("the issuer is asked for newer keys")
        return self._keys.get(key_id)

    async def discovered(self) -> Mapping[str, Any]:
        """The discovery document. Raises Unavailable where it was never had."""
        asking = self._asked_again_after(KEPT_SECONDS if self._keys else AWAY_SECONDS)
        if not self._keys and asking:
            await asyncio.shield(asking)
        if not self._keys:
            raise Unavailable("the issuer's addresses are not known yet")
        return self._document

    def _asked_again_after(self, seconds: float) -> asyncio.Task[None] | None:
        """What asks now, begun where the last asking began so long ago; None where nobody asks."""
        now = self._runtime.monotonic()
        if self._asking and not self._asking.done():
            return self._asking
        if self._asked is not None and now - self._asked < seconds:
            return None
        self._asked = now
        self._asking = self._runtime.spawn(self._refresh(), "issuer-keys")
        return self._asking

    async def _refresh(self) -> None:
        try:
            async with asyncio.timeout(ASKING_SECONDS_AT_MOST):
                await self._ask()
        except (httpx.HTTPError, ValueError, Unavailable, SettingsError, TimeoutError) as error:
            # Known keys stay in use while the issuer is away.
            logger.warning("issuer_unavailable", error=type(error).__name__)

    async def _ask(self) -> None:
        discovered = await self._get(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        if discovered.get("issuer") != self._issuer:
            raise Unavailable("the issuer's discovery document names another issuer")
        self._keys = _read_keys(await self._get(checked_address(str(discovered.get("jwks_uri", "")), self._issuer)))
        self._document = discovered

    async def _get(self, url: str) -> dict[str, Any]:
        status, found = await fetched(self._client, self._client.build_request("GET", url, timeout=TIMEOUT_SECONDS))
        if status != 200:
            raise Unavailable(f"the issuer answered {status}")
        return found


async def fetched(client: httpx.AsyncClient, request: httpx.Request) -> tuple[int, dict[str, Any]]:
    """Status and object of an issuer's answer, of a bounded size.

    Raises httpx.HTTPError, ValueError for what is no JSON object, Unavailable for what is too large.
    """
    answer = await client.send(request, stream=True, follow_redirects=False)
    try:
        body = b""
        async for part in answer.aiter_bytes():
            body += part
            if len(body) > ANSWER_BYTES_AT_MOST:
                raise Unavailable("the issuer's answer is too large")
    finally:
        await answer.aclose()
    if answer.status_code >= 500:
        raise Unavailable(f"the issuer answered {answer.status_code}")
    found = json.loads(body)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return answer.status_code, found


def token_verifier(
    keys: Keys, runtime: Runtime, configured_issuer: str | None = None, client: httpx.AsyncClient | None = None
) -> Tokens:
    """The verifier that the settings ask for: a real issuer where one is configured, else the embedded one."""
    if not configured_issuer:
        accounts = keys.accounts(DEVELOPMENT_ISSUER)
        return Verifier(accounts, Signed(DEVELOPMENT_ISSUER, ("Ed25519",), IssuedKey(keys.issuer_public_key())))
    issuer = checked_address(configured_issuer, configured_issuer)
    source = OpenIdKeys(issuer, client or httpx.AsyncClient(), runtime)
    return Verifier(keys.accounts(issuer), Signed(issuer, ALGORITHMS, source))


def checked_address(url: str, issuer: str) -> str:
    """The address if it is HTTPS, or as plain as the issuer's own on this machine."""
    parts, home = urlsplit(url), urlsplit(issuer)
    local = parts.scheme == home.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
    if not parts.hostname or parts.username or not (parts.scheme == "https" or local):
        raise SettingsError("the issuer and its keys need an https address")
    return url


def _read_keys(found: dict[str, Any]) -> dict[str, PublicKey]:
    """Signing keys by id; keys of other kinds, and any that cannot be read, are left out."""
    kinds: dict[str, type[OKPKey] | type[RSAKey] | type[ECKey]] = {"RSA": RSAKey, "EC": ECKey}
    keys: dict[str, PublicKey] = {}
    for jwk in found.get("keys", []):
        if not isinstance(jwk, dict) or jwk.get("kty") not in kinds or jwk.get("use", "sig") != "sig":
            continue
        public = {k: v for k, v in jwk.items() if k in ("kty", "kid", "alg", "use", "n", "e", "crv", "x", "y")}
        try:
            key = kinds[jwk["kty"]].import_key(public)
        except (JoseError, ValueError, TypeError):
            continue
        if isinstance(jwk.get("kid"), str):
            keys[jwk["kid"]] = key
    return keys
