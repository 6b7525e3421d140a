"""Passes: for five minutes one service knows who reads its pages, from a signed token in a cookie of its own path.

Registration alone signs them, for whoever has a live session there. A service can verify one and make none, and one
for another service's audience says nothing here: what reaches one service's process opens no page of another.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from joserfc import jwt

from shared.identity.digests import derived_key, keyed_digest
from shared.identity.keys import Keys
from shared.identity.tokens import Principal, PublicKey, Signed

PASS_ISSUER = "urn:sankofa:sign-in"  # noqa: S105
LIFETIME_SECONDS = 300
REQUIRED = ("iss", "aud", "sub", "exp", "iat", "sid", "role")


@dataclass(frozen=True)
class Pass:
    """Who reads, in which session, in which language where the person chose one.

    `news`: the account was signed in to elsewhere, and whoever is in this session has not been told. `until`: when it
    ends, of one that was read.
    """

    principal: Principal
    session: str
    language: str | None = None
    news: bool = False
    until: datetime | None = None


def audience_of(service: str) -> str:
    return f"sankofa:{service}"


def sign_pass(keys: Keys, service: str, given: Pass, now: datetime) -> str:
    """A JSON Web Token of five minutes for that service. For registration alone."""
    key, at, principal = keys.pass_key(), int(now.timestamp()), given.principal
    claims: dict[str, Any] = {
        "iss": PASS_ISSUER,
        "aud": audience_of(service),
        "sub": principal.account,
        "sid": given.session,
        "role": principal.role,
        "iat": at,
        "exp": at + LIFETIME_SECONDS,
    }
    said = {"office": principal.office, "locale": given.language, "news": given.news or None}
    claims |= {name: value for name, value in said.items() if value is not None}
    return jwt.encode({"alg": "Ed25519", "kid": key.thumbprint()}, claims, key, algorithms=["Ed25519"])


@dataclass(frozen=True)
class PassKeys:
    """The public half of the key that signs passes, as the keys' folder has it now."""

    keys: Keys

    async def find(self, key_id: str) -> PublicKey | None:
        key = self.keys.pass_public_key()
        return key if key is not None and key.thumbprint() == key_id else None


@dataclass(frozen=True)
class Readers:
    """How one service knows its readers, and that a form which they send is one of its own."""

    signed: Signed
    keys: Keys

    @staticmethod
    def of(service: str, keys: Keys) -> Readers:
        return Readers(Signed(PASS_ISSUER, ("Ed25519",), PassKeys(keys), audience_of(service), REQUIRED), keys)

    async def read(self, text: str, now: datetime) -> Pass:
        """Raises TokenRefused for what is no pass of this service now."""
        claims = await self.signed.claims(text, now)
        principal = Principal(claims["sub"], claims["role"], claims.get("office"))
        until = datetime.fromtimestamp(claims["exp"], UTC)
        return Pass(principal, claims["sid"], claims.get("locale"), "news" in claims, until)

    def forms_of(self, session: str) -> str:
        """64 hexadecimal digits that stand in the forms of one session, and that no other site can know.

        The same in every service: each page has the form that signs out, which is registration's.
        """
        # Asked for at each use: a store that was made under another key has to be found before this one is made.
        return keyed_digest(derived_key(self.keys.identity_key(), "forms"), session)
