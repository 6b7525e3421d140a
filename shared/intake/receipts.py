"""Signed receipts: what a submitter can prove offline (Ed25519 over RFC 8785 canonical JSON)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from shared.canonical import canonical_json
from shared.identity.digests import keyed_digest
from shared.identity.keys import Keys

SIGNED_FIELDS = ("id", "kind", "subject", "received_at", "digest", "key_id")


def signed_receipt(
    keys: Keys, service: str, id: str, kind: str, subject: str, received_at: str, digest: str, salt: str
) -> dict[str, str]:
    """`{id, kind, subject, received_at, digest, key_id, signature, salt, status_url}`; the signature is base64url.

    `digest`: SHA-256 of the body's canonical form, in hexadecimal digits. The receipt's is of salt and body.
    """
    receipt = {
        "id": id,
        "kind": kind,
        "subject": subject,
        "received_at": received_at,
        "digest": salted_digest(salt, digest),
        "key_id": keys.receipt_key_id(service),
    }
    signature = keys.sign_receipt(service, signed_bytes(receipt))
    return {**receipt, "signature": signature, "salt": salt, "status_url": f"/{service}/v1/receipts/{id}"}


def salted_digest(salt: str, digest: str) -> str:
    """HMAC-SHA256 under the receipt's salt, so that nothing but receipt and body together tells of the body."""
    return keyed_digest(salt.encode(), digest)


def is_of(receipt: Mapping[str, Any], digest: str) -> bool:
    """Whether the receipt was given for the body of that digest."""
    return hmac.compare_digest(str(receipt["digest"]), salted_digest(str(receipt["salt"]), digest))


def signed_bytes(receipt: Mapping[str, Any]) -> bytes:
    """The bytes that the signature covers. KeyError where a field is missing."""
    return canonical_json({name: receipt[name] for name in SIGNED_FIELDS})
