"""Attacks of RFC 8725 and faults.md, section 5 on bearer tokens: each is refused, and nothing is fetched for it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import random
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from shared.clock import RealRuntime
from shared.errors import SettingsError, Unavailable
from shared.identity.issuers import ALGORITHMS, DEVELOPMENT_ISSUER, DevelopmentIssuer, OpenIdKeys, token_verifier
from shared.identity.keys import Keys
from shared.identity.tokens import Signed, TokenRefused, Verifier

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ISSUER = "https://issuer.example.org/realm"
RSA = RSAKey.generate_key(2048, parameters={"kid": "rsa-1"})
EC = ECKey.generate_key("P-256", parameters={"kid": "ec-1"})


class Clock(RealRuntime):
    """A runtime whose clocks stand where the test puts them."""

    def __init__(self) -> None:
        super().__init__()
        self.instant, self.seconds = NOW, 0.0

    def now(self) -> datetime:
        return self.instant

    def monotonic(self) -> float:
        return self.seconds


KEYS = Keys.in_memory(random.Random(1))
CLOCK = Clock()
DEVELOPMENT = DevelopmentIssuer(KEYS, CLOCK)
EMBEDDED = token_verifier(KEYS, CLOCK)


def claims(**changes: Any) -> dict[str, Any]:
    at = int(NOW.timestamp())
    found = {
        "iss": DEVELOPMENT_ISSUER,
        "aud": "sankofa",
        "sub": "somebody",
        "iat": at,
        "exp": at + 600,
        "jti": "1",
        "role": "officer",
        "office": "kabul",
    }
    return {name: value for name, value in {**found, **changes}.items() if value is not ...}


def signed(payload: dict[str, Any], header: dict[str, Any] | None = None, key: OKPKey | None = None) -> str:
    used = key or KEYS.issuer_key()
    head = {"alg": "Ed25519", "kid": KEYS.issuer_key().thumbprint(), **(header or {})}
    return raw(head, payload, used.private_key.sign)


def raw(header: Any, payload: Any, sign: Callable[[bytes], bytes]) -> str:
    text = f"{part(header)}.{part(payload)}"
    return f"{text}.{encoded(sign(text.encode()))}"


def part(value: Any) -> str:
    return encoded(value if isinstance(value, bytes) else json.dumps(value).encode())


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


async def refused(token: str, verifier: Any = EMBEDDED, now: datetime = NOW) -> str:
    with pytest.raises(TokenRefused) as error:
        await verifier.verify(token, now)
    return error.value.rule


async def test_an_issued_token_tells_account_role_and_office() -> None:
    principal = await EMBEDDED.verify(DEVELOPMENT.issue("officer", "kabul", "somebody"), NOW)
    assert principal.account == KEYS.accounts(DEVELOPMENT_ISSUER).of("somebody")
    assert (principal.role, principal.office) == ("officer", "kabul")
    assert "somebody" not in repr(principal)
    assert (await EMBEDDED.verify(DEVELOPMENT.issue("evaluator"), NOW)).office is None


async def test_a_token_dies_by_our_clock_with_30_s_leeway() -> None:
    token = DEVELOPMENT.issue("officer", "kabul", "x", timedelta(minutes=10))
    end = NOW + timedelta(minutes=10)
    await EMBEDDED.verify(token, end + timedelta(seconds=29))
    assert await refused(token, now=end + timedelta(seconds=30)) == "expired"
    await EMBEDDED.verify(token, NOW - timedelta(seconds=30))
    assert await refused(token, now=NOW - timedelta(seconds=31)) == "not_yet_valid"


def test_no_development_tokens_beside_a_real_issuer() -> None:
    with pytest.raises(SettingsError):
        DevelopmentIssuer(KEYS, CLOCK, ISSUER)


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "exp", "iat", "jti", "role"])
async def test_every_claim_is_required(name: str) -> None:
    assert await refused(signed(claims(**{name: ...}))) == f"{name}_missing"


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"iss": "https://elsewhere.example.org"}, "iss_wrong"),
        ({"iss": [DEVELOPMENT_ISSUER]}, "iss_wrong"),
        ({"aud": "another"}, "aud_wrong"),
        ({"aud": ["another"]}, "aud_wrong"),
        ({"aud": {"sankofa": 1}}, "aud_wrong"),
        ({"aud": None}, "aud_wrong"),
        ({"sub": ""}, "sub_malformed"),
        ({"sub": 7}, "sub_malformed"),
        ({"sub": {"$ne": None}}, "sub_malformed"),
        ({"sub": "x" * 256}, "sub_malformed"),
        ({"jti": 1}, "jti_malformed"),
        ({"role": "root"}, "role_unknown"),
        ({"role": ["officer", "administrator"]}, "role_unknown"),
        ({"role": {"$ne": ""}}, "role_unknown"),
        ({"office": ["kabul", "tbilisi"]}, "office_malformed"),
        ({"office": {"$regex": ".*"}}, "office_malformed"),
        ({"office": "a b"}, "office_malformed"),
        ({"exp": "9999999999"}, "exp_malformed"),
        ({"exp": None}, "exp_malformed"),
        ({"exp": True}, "exp_malformed"),
        ({"exp": float("nan")}, "expired"),
        ({"exp": float("inf")}, "exp_malformed"),
        ({"exp": 1e300, "iat": -(10**400)}, "exp_malformed"),
        ({"iat": -(10**400)}, "iat_malformed"),
        ({"nbf": -(10**400)}, "nbf_malformed"),
        ({"exp": int(NOW.timestamp()) + 86_401, "iat": int(NOW.timestamp())}, "lifetime_too_long"),
        ({"exp": int(NOW.timestamp()) + 365 * 86_400}, "lifetime_too_long"),
        ({"sub": "\ud800"}, "sub_malformed"),
        ({"sub": "somebody\udfff"}, "sub_malformed"),
        ({"jti": "\udc00"}, "jti_malformed"),
        ({"exp": 10**12}, "lifetime_too_long"),
        ({"iat": int(NOW.timestamp()) + 3600}, "not_yet_valid"),
        ({"nbf": int(NOW.timestamp()) + 3600}, "not_yet_valid"),
        ({"nbf": "soon"}, "nbf_malformed"),
    ],
)
async def test_wrong_claims(changes: dict[str, Any], rule: str) -> None:
    assert await refused(signed(claims(**changes))) == rule


async def test_an_audience_may_be_a_list_with_ours_in_it() -> None:
    assert (await EMBEDDED.verify(signed(claims(aud=["another", "sankofa"])), NOW)).role == "officer"


@pytest.mark.parametrize(
    ("header", "rule"),
    [
        ({"alg": "none"}, "algorithm_not_allowed"),
        ({"alg": "nOnE"}, "algorithm_not_allowed"),
        ({"alg": "EdDSA"}, "algorithm_not_allowed"),
        ({"alg": "HS256"}, "algorithm_not_allowed"),
        ({"alg": ["Ed25519"]}, "algorithm_not_allowed"),
        ({"alg": {"$ne": 1}}, "algorithm_not_allowed"),
        ({"kid": "../../etc/passwd"}, "unknown_key"),
        ({"kid": {"$ne": ""}}, "unknown_key"),
        ({"kid": "x' OR '1'='1"}, "unknown_key"),
        ({"kid": "another"}, "unknown_key"),
        ({"kid": None}, "unknown_key"),
        ({"jku": "https://evil.example.org/keys"}, "header_not_allowed"),
        ({"x5u": "https://evil.example.org/keys"}, "header_not_allowed"),
        ({"jwk": KEYS.issuer_key().as_dict(private=False)}, "header_not_allowed"),
        ({"x5c": ["AAAA"]}, "header_not_allowed"),
        ({"crit": ["exp"]}, "header_not_allowed"),
        ({"b64": False}, "header_not_allowed"),
        ({"typ": "logout+jwt"}, "type_not_allowed"),
        ({"typ": 1}, "type_not_allowed"),
    ],
)
async def test_headers_that_try_to_say_how_they_are_trusted(header: dict[str, Any], rule: str) -> None:
    assert await refused(signed(claims(), header)) == rule


async def test_no_signature_or_anothers() -> None:
    good = signed(claims())
    text, _, signature = good.rpartition(".")
    assert await refused(f"{text}.") == "bad_signature"
    assert await refused(signed(claims(), key=OKPKey.generate_key("Ed25519"))) == "bad_signature"
    forged = part(claims(role="administrator"))
    assert await refused(f"{text.split('.')[0]}.{forged}.{signature}") == "bad_signature"
    public = KEYS.issuer_key().public_key.public_bytes_raw()
    header = {"alg": "HS256", "kid": KEYS.issuer_key().thumbprint()}
    confused = raw(header, claims(), lambda data: hmac.new(public, data, hashlib.sha256).digest())
    assert await refused(confused) == "algorithm_not_allowed"


@given(st.text(max_size=60) | st.tuples(*[st.text("AZaz09-_=", max_size=20)] * 3).map(".".join))
async def test_noise_is_refused(token: str) -> None:
    await refused(token)


async def test_headers_and_payloads_that_are_no_objects() -> None:
    kid = KEYS.issuer_key().thumbprint()
    for header in (b"[]", b"1", b"\xff", b"[" * 4000, b'{"alg":"Ed25519"'):
        assert await refused(raw(header, claims(), lambda _: b"x")) == "malformed"
    for payload in (b"[]", b"1", b"\xff", b"{"):
        token = raw({"alg": "Ed25519", "kid": kid}, payload, KEYS.issuer_key().private_key.sign)
        assert await refused(token) == "bad_signature"
    assert await refused("a." + "b" * 9000 + ".c") == "malformed"


class Issuer:
    """An OpenID issuer behind a transport; it counts what is asked of it."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = [key.as_dict(private=False) for key in (RSA, EC)]
        self.discovery: dict[str, Any] = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"}
        self.asked: list[str] = []
        self.status = 200
        self.answers = asyncio.Event()
        self.answers.set()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        await self.answers.wait()
        if self.status != 200:
            return httpx.Response(self.status, headers={"Location": "https://evil.example.org"})
        if request.url.path.endswith("/openid-configuration"):
            return httpx.Response(200, json=self.discovery)
        return httpx.Response(200, json={"keys": self.keys})


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def real(issuer: Issuer, clock: Clock) -> AsyncIterator[Verifier]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(issuer)) as client:
        yield Verifier(KEYS.accounts(ISSUER), Signed(ISSUER, ALGORITHMS, OpenIdKeys(ISSUER, client, clock)))


def by(key: RSAKey | ECKey | OKPKey | OctKey, alg: str, kid: str, **changes: Any) -> str:
    return jwt.encode({"alg": alg, "kid": kid}, claims(iss=ISSUER, **changes), key, algorithms=[alg])


async def test_a_real_issuers_tokens_by_its_key_set_fetched_once(real: Verifier, issuer: Issuer, clock: Clock) -> None:
    for token in (by(RSA, "RS256", "rsa-1"), by(EC, "ES256", "ec-1")):
        principal = await real.verify(token, NOW)
        assert principal.account == KEYS.accounts(ISSUER).of("somebody")
    assert issuer.asked == [f"{ISSUER}/.well-known/openid-configuration", f"{ISSUER}/keys"]
    clock.seconds = 601
    await real.verify(by(EC, "ES256", "ec-1"), NOW)
    await asyncio.sleep(0.01)
    assert len(issuer.asked) == 4


async def test_rs_hs_confusion_and_keys_of_another_kind(real: Verifier) -> None:
    pem = RSA.public_key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    payload = claims(iss=ISSUER)
    confused = raw({"alg": "HS256", "kid": "rsa-1"}, payload, lambda d: hmac.new(pem, d, hashlib.sha256).digest())
    assert await refused(confused, real) == "algorithm_not_allowed"
    assert await refused(by(EC, "ES256", "rsa-1"), real) == "unknown_key"
    assert await refused(by(RSA, "RS256", "ec-1"), real) == "unknown_key"
    assert await refused(DEVELOPMENT.issue("officer"), real) == "algorithm_not_allowed"


@pytest.mark.filterwarnings("ignore:Key size")
async def test_weak_foreign_and_unreadable_keys_of_a_set_are_not_used(real: Verifier, issuer: Issuer) -> None:
    weak = RSAKey.generate_key(1024, parameters={"kid": "weak"})
    secret = OctKey.generate_key(256, parameters={"kid": "secret"})
    issuer.keys += [weak.as_dict(private=False), secret.as_dict(private=True), {"kty": "RSA", "kid": "x"}, {}]
    issuer.keys += [{**RSA.as_dict(private=False), "kid": "for-encryption", "use": "enc"}]
    assert await refused(by(weak, "RS256", "weak"), real) == "unknown_key"
    assert await refused(by(RSA, "RS256", "for-encryption"), real) == "unknown_key"
    assert await refused(by(RSA, "RS256", "secret"), real) == "unknown_key"


async def test_invented_key_ids_have_the_issuer_asked_once_a_minute(
    real: Verifier, issuer: Issuer, clock: Clock
) -> None:
    for number in range(20):
        assert await refused(by(RSA, "RS256", f"invented-{number}"), real) == "unknown_key"
    assert len(issuer.asked) == 2
    issuer.keys.append({**RSA.as_dict(private=False), "kid": "new"})
    clock.seconds = 59
    assert await refused(by(RSA, "RS256", "new"), real) == "unknown_key"
    assert len(issuer.asked) == 2
    clock.seconds = 61
    with pytest.raises(Unavailable):
        await real.verify(by(RSA, "RS256", "new"), NOW)
    while len(issuer.asked) < 4:
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    assert (await real.verify(by(RSA, "RS256", "new"), NOW)).role == "officer"
    assert len(issuer.asked) == 4
    for second in range(61, 119):
        clock.seconds = second
        assert await refused(by(RSA, "RS256", f"invented-{second}"), real) == "unknown_key"
    assert len(issuer.asked) == 4


async def test_an_unsigned_token_with_an_invented_key_id_asks_no_more_often(
    real: Verifier, issuer: Issuer, clock: Clock
) -> None:
    await real.verify(by(EC, "ES256", "ec-1"), NOW)
    for second in range(30):
        clock.seconds = second
        unsigned = raw({"alg": "RS256", "kid": f"no-{second}"}, claims(iss=ISSUER), lambda _: b"")
        assert await refused(unsigned, real) == "unknown_key"
    assert len(issuer.asked) == 2


async def test_known_keys_answer_while_the_issuer_takes_its_time(real: Verifier, issuer: Issuer, clock: Clock) -> None:
    """The issuer does not answer at all; nobody with a known key waits, an unknown one is told to come again."""
    await real.verify(by(EC, "ES256", "ec-1"), NOW)
    issuer.answers.clear()
    for seconds in (601, 900):
        clock.seconds = seconds
        with pytest.raises(Unavailable):
            await real.verify(by(RSA, "RS256", "invented"), NOW)
        assert (await real.verify(by(EC, "ES256", "ec-1"), NOW)).role == "officer"
        await asyncio.sleep(0)
    assert len(issuer.asked) == 3
    issuer.answers.set()
    assert (await real.verify(by(EC, "ES256", "ec-1"), NOW)).role == "officer"


async def test_an_issuer_that_is_away(real: Verifier, issuer: Issuer, clock: Clock) -> None:
    issuer.status = 302
    for _ in range(5):
        with pytest.raises(Unavailable):
            await real.verify(by(RSA, "RS256", "rsa-1"), NOW)
    assert len(issuer.asked) == 1
    issuer.status, clock.seconds = 200, 11
    await real.verify(by(RSA, "RS256", "rsa-1"), NOW)
    issuer.status, clock.seconds = 503, 700
    await real.verify(by(RSA, "RS256", "rsa-1"), NOW)
    assert not [url for url in issuer.asked if "evil" in url]


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://elsewhere.example.org", "jwks_uri": f"{ISSUER}/keys"},
        {"issuer": ISSUER, "jwks_uri": "http://issuer.example.org/keys"},
        {"issuer": ISSUER, "jwks_uri": "file:///etc/passwd"},
        {"issuer": ISSUER},
    ],
)
async def test_a_discovery_document_that_leads_elsewhere(
    real: Verifier, issuer: Issuer, discovery: dict[str, Any]
) -> None:
    issuer.discovery = discovery
    with pytest.raises(Unavailable):
        await real.verify(by(RSA, "RS256", "rsa-1"), NOW)
    assert len(issuer.asked) == 1


@pytest.mark.parametrize(
    "address", ["http://issuer.example.org", "ftp://x", "issuer", "https://user@issuer.example.org"]
)
def test_an_issuer_needs_an_https_address(address: str) -> None:
    with pytest.raises(SettingsError):
        token_verifier(KEYS, CLOCK, address)
