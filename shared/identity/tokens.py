"""Bearer tokens: who asks, in which role, for which office (RFC 7519, checked as RFC 8725 asks).

The algorithm, the issuer and the audience are settings, never the token's to say; a key is chosen by its id
among the issuer's own keys, and no address named in a token is ever fetched.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from shared.errors import SankofaError
from shared.identity.accounts import Accounts
from shared.identity.roles import ROLES, Role

PublicKey = OKPKey | RSAKey | ECKey

AUDIENCE = "sankofa"
LEEWAY_SECONDS = 30
LIFETIME_AT_MOST_SECONDS = 86_400
# 2**53: a double holds every whole number below it, so instants of both kinds can be compared.
INSTANT_AT_MOST = 9_007_199_254_740_992
TOKEN_CHARACTERS_AT_MOST = 8_192
MODULUS_BITS_AT_LEAST = 2_048
REQUIRED = ("iss", "aud", "sub", "exp", "iat", "jti", "role")
TEXTS = frozenset({"sub", "jti", "sid", "nonce"})

_KEY_ID = re.compile(r"[A-Za-z0-9_.=-]{1,128}")
_OFFICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_HEADER = {"alg", "kid", "typ", "x5t", "x5t#S256"}
_KIND = {"Ed25519": ("OKP", "Ed25519"), "ES256": ("EC", "P-256"), "RS256": ("RSA", None)}


class TokenRefused(SankofaError):
    """The token is not one of ours now. `rule` says why; it never carries any of the token."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


@dataclass(frozen=True)
class Principal:
    """Who asks. `account` stands for the person or institution; the subject itself, often an address, is not kept.

    `until`: when the token ends by which they are known; it makes nobody another one."""

    account: str
    role: Role
    office: str | None = None
    until: datetime | None = field(default=None, compare=False)


class IssuerKeys(Protocol):
    """The public keys of one issuer."""

    async def find(self, key_id: str) -> PublicKey | None:
        """The key of that id; Unavailable where the issuer cannot be asked and no key set is known yet."""
        ...


class Tokens(Protocol):
    """What the edge asks for."""

    async def verify(self, token: str, now: datetime) -> Principal: ...


@dataclass(frozen=True)
class IssuedKey:
    """A key set of one key, which needs no fetching: the embedded issuer's."""

    key: OKPKey

    async def find(self, key_id: str) -> PublicKey | None:
        return self.key if key_id == self.key.thumbprint() else None


@dataclass(frozen=True)
class Signed:
    """What one issuer signs for one audience. `algorithms`: `Ed25519` alone, or `RS256` and `ES256`.

    `required`: the claims that must be there; `kinds`: what its header may say that it is.
    """

    issuer: str
    algorithms: tuple[str, ...]
    keys: IssuerKeys
    audience: str = AUDIENCE
    required: tuple[str, ...] = REQUIRED
    kinds: tuple[str, ...] = ("jwt", "at+jwt")

    async def claims(self, token: str, now: datetime) -> Mapping[str, Any]:
        """The claims, each of a kind that can be relied on.

        Raises TokenRefused; Unavailable where the issuer's keys cannot be had.
        """
        algorithm, key_id = self._header(token)
        key = await self.keys.find(key_id)
        if key is None or not _fits(key, algorithm):
            raise TokenRefused("unknown_key")
        try:
            claims = jwt.decode(token, key, algorithms=[algorithm]).claims
        except (JoseError, ValueError, RecursionError):
            raise TokenRefused("bad_signature") from None
        self._check_claims(claims)
        _check_times(claims, int(now.timestamp()))
        return claims

    def _header(self, token: str) -> tuple[str, str]:
        """Algorithm and key id, before any key is touched."""
        if len(token) > TOKEN_CHARACTERS_AT_MOST or token.count(".") != 2:
            raise TokenRefused("malformed")
        header = _decoded(token.split(".", 1)[0])
        # jku, x5u, jwk, x5c and crit all let the token say how it is to be trusted.
        if not header.keys() <= _HEADER:
            raise TokenRefused("header_not_allowed")
        algorithm, key_id, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
        if not isinstance(algorithm, str) or algorithm not in self.algorithms:
            raise TokenRefused("algorithm_not_allowed")
        if not isinstance(kind, str) or kind.lower() not in self.kinds:
            raise TokenRefused("type_not_allowed")
        if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
            raise TokenRefused("unknown_key")
        return algorithm, key_id

    def _check_claims(self, claims: Mapping[str, Any]) -> None:
        missing = [name for name in self.required if name not in claims]
        if missing:
            raise TokenRefused(f"{missing[0]}_missing")
        audience = claims["aud"]
        if claims["iss"] != self.issuer:
            raise TokenRefused("iss_wrong")
        if audience != self.audience and not (isinstance(audience, list) and self.audience in audience):
            raise TokenRefused("aud_wrong")
        for name in TEXTS.intersection(self.required):
            if not isinstance(claims[name], str) or not 0 < len(claims[name]) <= 255 or not _is_text(claims[name]):
                raise TokenRefused(f"{name}_malformed")
        if not isinstance(claims["role"], str) or claims["role"] not in ROLES:
            raise TokenRefused("role_unknown")
        office = claims.get("office")
        if office is not None and not (isinstance(office, str) and _OFFICE.fullmatch(office)):
            raise TokenRefused("office_malformed")


@dataclass(frozen=True)
class Verifier:
    """Tells whom a token stands for."""

    accounts: Accounts
    signed: Signed

    async def verify(self, token: str, now: datetime) -> Principal:
        """Raises TokenRefused; Unavailable where the issuer's keys cannot be had."""
        return self.principal(await self.signed.claims(token, now))

    def principal(self, claims: Mapping[str, Any]) -> Principal:
        """Whom verified claims stand for."""
        until = datetime.fromtimestamp(claims["exp"], UTC)
        return Principal(self.accounts.of(claims["sub"]), claims["role"], claims.get("office"), until)


def _is_text(value: str) -> bool:
    """Whether it has a form in bytes: JSON can say half of a surrogate pair, which has none."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_times(claims: Mapping[str, Any], now: int) -> None:
    for name in ("exp", "iat", "nbf"):
        value = claims.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > INSTANT_AT_MOST:
            raise TokenRefused(f"{name}_malformed")
    if not claims["exp"] + LEEWAY_SECONDS > now:
        raise TokenRefused("expired")
    if not claims["iat"] - LEEWAY_SECONDS <= now or not claims.get("nbf", 0) - LEEWAY_SECONDS <= now:
        raise TokenRefused("not_yet_valid")
    if not claims["exp"] - claims["iat"] <= LIFETIME_AT_MOST_SECONDS:
        raise TokenRefused("lifetime_too_long")


def _fits(key: PublicKey, algorithm: str) -> bool:
    """Whether the key is of the algorithm's one kind: an RSA key never checks another algorithm's signature."""
    kind, curve = _KIND[algorithm]
    if key.key_type != kind or (curve is not None and getattr(key, "curve_name", None) != curve):
        return False
    declared = key.as_dict(private=False).get("alg")
    if declared is not None and declared != algorithm:
        return False
    return not isinstance(key, RSAKey) or key.public_key.key_size >= MODULUS_BITS_AT_LEAST


def _decoded(part: str) -> dict[str, Any]:
    try:
        header = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        raise TokenRefused("malformed") from None
    if not isinstance(header, dict):
        raise TokenRefused("malformed")
    return header
