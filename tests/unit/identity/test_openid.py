"""Signing in at an issuer: each wrong answer of RFC 9700 and OpenID Connect Core signs nobody in."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from shared.clock import RealRuntime
from shared.errors import Unavailable
from shared.identity.issuers import OpenIdKeys
from shared.identity.keys import Keys
from shared.identity.openid import Attempt, OpenIdClient, SignInRefused

ISSUER = "https://login.example.org"
CLIENT, SECRET = "pages", "a secret: 100 %"
BACK = "https://sankofa.example.org/sign-in/callback"
KEY = ECKey.generate_key("P-256", parameters={"kid": "1"})
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Clock(RealRuntime):
    def now(self) -> datetime:
        return NOW


@dataclass
class Issuer:
    """What it answers, and what was asked of its token endpoint."""

    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    document: dict[str, Any] = field(default_factory=dict)
    granted: httpx.Response | None = None
    nonce: str = ""
    forms: list[dict[str, str]] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/keys":
            return httpx.Response(200, json={"keys": [KEY.as_dict(private=False)]})
        if request.url.path.startswith("/.well-known"):
            addresses = {"jwks_uri": "keys", "token_endpoint": "token", "authorization_endpoint": "authorize"}
            found = {name: f"{ISSUER}/{path}" for name, path in addresses.items()}
            return httpx.Response(200, json={"issuer": ISSUER, **found, **self.document})
        self.forms.append(dict(parse_qsl(request.content.decode())))
        self.authorizations.append(request.headers.get("authorization", ""))
        return self.granted or httpx.Response(200, json={"id_token": self.token()})

    def token(self) -> str:
        at = int(NOW.timestamp())
        told = {"iss": ISSUER, "aud": CLIENT, "sub": "somebody", "iat": at, "exp": at + 600, "nonce": self.nonce}
        claims = {**told, "role": "officer", "office": "kabul", **self.claims}
        kept = {name: value for name, value in claims.items() if value is not ...}
        return jwt.encode({"alg": "ES256", "kid": "1", **self.header}, kept, KEY, algorithms=["ES256"])


@dataclass
class Signing:
    issuer: Issuer
    client: OpenIdClient
    keys: Keys

    async def begin(self) -> tuple[dict[str, str], Attempt]:
        address, attempt = await self.client.begin("/today")
        self.issuer.nonce = attempt.nonce
        return dict(parse_qsl(urlsplit(address).query)), attempt

    async def refused(self, **answer: str) -> str:
        asked, attempt = await self.begin()
        with pytest.raises(SignInRefused) as error:
            await self.client.finish(attempt, {"code": "c", "state": asked["state"], **answer})
        return error.value.rule


@pytest.fixture
async def signing() -> AsyncIterator[Signing]:
    issuer, clock, keys = Issuer(), Clock(), Keys.in_memory(random.Random(1))
    async with httpx.AsyncClient(transport=httpx.MockTransport(issuer.answer)) as http:
        known = OpenIdKeys(ISSUER, http, clock)
        client = OpenIdClient(ISSUER, CLIENT, SECRET, BACK, keys.accounts(ISSUER), known, http, clock)
        yield Signing(issuer, client, keys)
    clock.close()


async def test_a_code_is_exchanged_for_whom_the_issuer_says(signing: Signing) -> None:
    asked, attempt = await signing.begin()
    challenge = base64.urlsafe_b64encode(hashlib.sha256(attempt.verifier.encode()).digest()).decode().rstrip("=")
    assert (asked["code_challenge"], asked["code_challenge_method"]) == (challenge, "S256")
    assert (asked["redirect_uri"], asked["response_type"], asked["scope"]) == (BACK, "code", "openid")
    assert len({asked["state"], asked["nonce"], attempt.verifier}) == 3
    principal = await signing.client.finish(attempt, {"code": "c", "state": asked["state"]})
    assert principal.account == signing.keys.accounts(ISSUER).of("somebody")
    assert (principal.role, principal.office) == ("officer", "kabul")
    (form,) = signing.issuer.forms
    assert (form["code"], form["code_verifier"], form["redirect_uri"]) == ("c", attempt.verifier, BACK)
    # RFC 6749, section 2.3.1: form-encoded before it is put into HTTP Basic.
    pair = base64.b64decode(signing.issuer.authorizations[0].removeprefix("Basic ")).decode()
    assert pair == "pages:a%20secret%3A%20100%20%25"
    assert "client_secret" not in form


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        ({"state": "another"}, "state_of_another"),
        ({"state": ""}, "state_of_another"),
        ({"state": "é"}, "state_of_another"),
        ({"code": ""}, "code_missing"),
        ({"code": "c" * 5_000}, "code_missing"),
        ({"error": "access_denied"}, "refused_by_the_issuer"),
        ({"iss": "https://elsewhere.example.org"}, "answer_of_another_issuer"),
    ],
)
async def test_an_answer_that_is_not_to_this_sign_in(signing: Signing, answer: dict[str, str], rule: str) -> None:
    assert await signing.refused(**answer) == rule
    assert signing.issuer.forms == []


@pytest.mark.parametrize(
    ("claims", "rule"),
    [
        ({"nonce": "another"}, "nonce_of_another"),
        ({"nonce": ...}, "nonce_missing"),
        ({"nonce": 1}, "nonce_malformed"),
        ({"iss": "https://elsewhere.example.org"}, "iss_wrong"),
        ({"aud": "sankofa"}, "aud_wrong"),
        ({"aud": [CLIENT, "another"]}, "azp_wrong"),
        ({"azp": "another"}, "azp_wrong"),
        ({"role": ...}, "role_missing"),
        ({"role": "king"}, "role_unknown"),
        ({"exp": 1}, "expired"),
        ({"sub": ""}, "sub_malformed"),
    ],
)
async def test_an_id_token_that_is_not_for_this_sign_in(signing: Signing, claims: dict[str, Any], rule: str) -> None:
    signing.issuer.claims = claims
    assert await signing.refused() == rule


async def test_an_access_token_is_no_id_token(signing: Signing) -> None:
    signing.issuer.header = {"typ": "at+jwt"}
    assert await signing.refused() == "type_not_allowed"


async def test_an_issuer_that_names_itself_has_to(signing: Signing) -> None:
    signing.issuer.document = {"authorization_response_iss_parameter_supported": True}
    assert await signing.refused() == "answer_of_another_issuer"


@pytest.mark.parametrize("granted", [{"error": "invalid_grant"}, {"id_token": 1}, {}])
async def test_a_code_that_is_worth_nothing(signing: Signing, granted: dict[str, Any]) -> None:
    signing.issuer.granted = httpx.Response(400 if "error" in granted else 200, json=granted)
    assert await signing.refused() == "code_refused"


@pytest.mark.parametrize(
    "granted",
    [httpx.Response(200, text="<html>"), httpx.Response(500), httpx.Response(200, content=b" " * 600_000)],
)
async def test_an_issuer_that_does_not_answer(signing: Signing, granted: httpx.Response) -> None:
    asked, attempt = await signing.begin()
    signing.issuer.granted = granted
    with pytest.raises(Unavailable):
        await signing.client.finish(attempt, {"code": "c", "state": asked["state"]})


async def test_an_endpoint_elsewhere_in_the_clear_is_not_asked(signing: Signing) -> None:
    signing.issuer.document = {"authorization_endpoint": "http://login.example.org/authorize"}
    with pytest.raises(Unavailable):
        await signing.client.begin("/today")


async def test_a_public_client_names_itself(signing: Signing) -> None:
    fields = {name: getattr(signing.client, name) for name in ("issuer", "redirect_uri", "accounts", "keys", "http")}
    public = OpenIdClient(client_id=CLIENT, client_secret=None, runtime=signing.client.runtime, **fields)
    _, attempt = await public.begin("/today")
    signing.issuer.nonce = attempt.nonce
    await public.finish(attempt, {"code": "c", "state": attempt.state})
    assert signing.issuer.forms[0]["client_id"] == CLIENT
    assert signing.issuer.authorizations == [""]
    assert json.loads(attempt.model_dump_json())["to"] == "/today"
