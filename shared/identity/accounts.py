"""Accounts: what stands for whoever signs in, so that its subject is not kept (docs/kernel.md, section 10).

An account is a keyed hash: ids that follow from it (a person's, an expert's) are shown to others, and whoever sees one
could else test guessed addresses on it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass

from shared.clock import hashed_id


@dataclass(frozen=True)
class Accounts:
    """The accounts of one issuer's subjects. `key` gives the identity key, which is made at its first use."""

    key: Callable[[], bytes]
    issuer: str

    def of(self, subject: str) -> str:
        """HMAC-SHA256 of issuer and subject under the identity key, in uuid form."""
        # A JSON array: no issuer and subject run together into those of another.
        return hashed_id(hmac.digest(self.key(), json.dumps([self.issuer, subject]).encode(), hashlib.sha256))


def fingerprint_of(key: bytes) -> str:
    """16 hexadecimal digits by which a store names the key; they tell nothing of it."""
    return hmac.digest(key, b"fingerprint", hashlib.sha256).hex()[:16]
