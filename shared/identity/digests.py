"""What tells a repeated command from another one under its id, and tells nothing to whoever guesses a body.

A plain hash of a body with names in it gives them away to guesses, also after the names themselves were destroyed. So
what is stored is a keyed one, and of a body about a person one under a key that dies with the person's.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from shared.identity.keys import Keys


@dataclass(frozen=True)
class Digests:
    """The digests of one service's commands."""

    service: str
    keys: Keys

    async def of(self, digest: str, person: str | None = None) -> str:
        """64 hexadecimal digits: HMAC-SHA256 of the body's digest, under the person's key if it is about one.

        Raises KeyDestroyed for an erased person, Unavailable.
        """
        whose = self.keys.persons(self.service)
        key = self.keys.command_key(self.service) if person is None else await whose.key(person)
        return keyed_digest(derived_key(key, "digests"), digest)


def derived_key(key: bytes, purpose: str) -> bytes:
    """32 bytes for one purpose: no key does two things."""
    return hmac.digest(key, purpose.encode(), hashlib.sha256)


def keyed_digest(key: bytes, digest: str) -> str:
    return hmac.digest(key, digest.encode(), hashlib.sha256).hex()
