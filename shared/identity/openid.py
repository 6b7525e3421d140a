"""Signing in at an OpenID issuer: the code flow with state and nonce (OpenID Connect Core) and PKCE (RFC 7636)."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
from authlib.oauth2.client import OAuth2Client
from authlib.oauth2.rfc6749.parameters import prepare_token_request
from pydantic import BaseModel, ConfigDict

from shared.clock import Runtime
from shared.errors import SankofaError, SettingsError, Unavailable
from shared.identity.accounts import Accounts
from shared.identity.issuers import ALGORITHMS, TIMEOUT_SECONDS, OpenIdKeys, checked_address, fetched
from shared.identity.tokens import Principal, Signed, TokenRefused, Verifier

# OpenID Connect Core, section 2: an ID token needs no `jti`. Nobody's name is asked for.
REQUIRED = ("iss", "aud", "sub", "exp", "iat", "nonce", "role")
SCOPE = "openid"
SECRET_BYTES = 32
ANSWER_CHARACTERS_AT_MOST = 4_096


class SignInRefused(SankofaError):
    """The issuer's answer signs nobody in. `rule` says why; it carries nothing of the answer."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


class Attempt(BaseModel):
    """What the browser that began a sign-in keeps, sealed, until it comes back: only there it can be finished.

    `to`: the path to go on to; `began_at`: seconds since 1970.
    """

    model_config = ConfigDict(frozen=True)

    state: str
    nonce: str
    verifier: str
    to: str
    began_at: int


@dataclass(frozen=True)
class OpenIdClient:
    """This system as a client of the issuer. Without a secret it is a public one, which PKCE alone protects."""

    issuer: str
    client_id: str
    client_secret: str | None
    redirect_uri: str
    accounts: Accounts
    keys: OpenIdKeys
    http: httpx.AsyncClient
    runtime: Runtime

    async def begin(self, to: str) -> tuple[str, Attempt]:
        """Where the browser is sent, and what it keeps. Raises Unavailable."""
        attempt = Attempt(
            state=self._secret(),
            nonce=self._secret(),
            verifier=self._secret(),
            to=to,
            began_at=int(self.runtime.now().timestamp()),
        )
        client = OAuth2Client(
            None,
            client_id=self.client_id,
            scope=SCOPE,
            redirect_uri=self.redirect_uri,
            code_challenge_method="S256",
        )
        endpoint = self._address(await self.keys.discovered(), "authorization_endpoint")
        address, _ = client.create_authorization_url(
            endpoint, state=attempt.state, code_verifier=attempt.verifier, nonce=attempt.nonce
        )
        return str(address), attempt

    async def finish(self, attempt: Attempt, answer: Mapping[str, str]) -> Principal:
        """Whom the issuer's answer, the query of the address to which it sent the browser, stands for.

        Raises SignInRefused, Unavailable.
        """
        discovered = await self.keys.discovered()
        self._check_answer(attempt, answer, discovered)
        token = await self._exchanged(answer["code"], attempt, discovered)
        return await self._principal(token, attempt)

    def _check_answer(self, attempt: Attempt, answer: Mapping[str, str], discovered: Mapping[str, Any]) -> None:
        if not hmac.compare_digest(answer.get("state", "").encode(), attempt.state.encode()):
            raise SignInRefused("state_of_another")
        # RFC 9207: the answer of another issuer is not taken for this one's.
        named = answer.get("iss")
        if named != self.issuer and (named or discovered.get("authorization_response_iss_parameter_supported")):
            raise SignInRefused("answer_of_another_issuer")
        if "error" in answer:
            raise SignInRefused("refused_by_the_issuer")
        if not 0 < len(answer.get("code", "")) <= ANSWER_CHARACTERS_AT_MOST:
            raise SignInRefused("code_missing")

    async def _exchanged(self, code: str, attempt: Attempt, discovered: Mapping[str, Any]) -> str:
        """The ID token that the code is worth."""
        methods = discovered.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        basic = self.client_secret is not None and "client_secret_basic" in methods
        own = {} if basic else {"client_id": self.client_id, "client_secret": self.client_secret}
        body = prepare_token_request(
            "authorization_code",
            code=code,
            redirect_uri=self.redirect_uri,
            code_verifier=attempt.verifier,
            **{name: value for name, value in own.items() if value},
        )
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if basic:
            headers["Authorization"] = _basic(self.client_id, self.client_secret or "")
        request = self.http.build_request(
            "POST",
            self._address(discovered, "token_endpoint"),
            content=body,
            headers=headers,
            timeout=TIMEOUT_SECONDS,
        )
        try:
            status, granted = await fetched(self.http, request)
        except (httpx.HTTPError, ValueError):
            # The cause may quote the code.
            raise Unavailable("the issuer does not answer") from None
        token = granted.get("id_token")
        if status != 200 or not isinstance(token, str):
            raise SignInRefused("code_refused")
        return token

    async def _principal(self, token: str, attempt: Attempt) -> Principal:
        signed = Signed(self.issuer, ALGORITHMS, self.keys, self.client_id, REQUIRED, kinds=("jwt",))
        verifier = Verifier(self.accounts, signed)
        try:
            claims = await signed.claims(token, self.runtime.now())
        except TokenRefused as refused:
            raise SignInRefused(refused.rule) from None
        if not hmac.compare_digest(claims["nonce"].encode(), attempt.nonce.encode()):
            raise SignInRefused("nonce_of_another")
        # Section 3.1.3.7: a token for several audiences says which of them asked for it.
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else self.client_id) != self.client_id:
            raise SignInRefused("azp_wrong")
        return verifier.principal(claims)

    def _address(self, discovered: Mapping[str, Any], name: str) -> str:
        try:
            return checked_address(str(discovered.get(name, "")), self.issuer)
        except SettingsError as error:
            raise Unavailable(f"the issuer names no {name} that can be used") from error

    def _secret(self) -> str:
        return base64.urlsafe_b64encode(self.runtime.rng.randbytes(SECRET_BYTES)).decode().rstrip("=")


def origin_of(address: str) -> str:
    """Scheme and host, as a person may be told them."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _basic(name: str, secret: str) -> str:
    """RFC 6749, section 2.3.1: each is form-encoded before it is put into HTTP Basic."""
    pair = f"{quote(name, safe='')}:{quote(secret, safe='')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"
