"""Signed receipts: what a submitter can prove offline (Ed25519 over RFC 8785 canonical JSON)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import rfc8785

from shared.identity.keys import Keys

SIGNED_FIELDS = ("id", "kind", "subject", "received_at", "digest", "key_id")


def signed_receipt(
    keys: Keys, service: str, id: str, kind: str, subject: str, received_at: str, digest: str
) -> dict[str, str]:
    """`{id, kind, subject, received_at, digest, key_id, signature, status_url}`; the signature is base64url."""
    receipt = {
        "id": id,
        "kind": kind,
        "subject": subject,
        "received_at": received_at,
        "digest": digest,
        "key_id": keys.receipt_key_id(service),
    }
    signature = keys.sign_receipt(service, signed_bytes(receipt))
    return {**receipt, "signature": signature, "status_url": f"/{service}/v1/receipts/{id}"}


def signed_bytes(receipt: Mapping[str, Any]) -> bytes:
    """The bytes that the signature covers. KeyError where a field is missing."""
    return rfc8785.dumps({name: receipt[name] for name in SIGNED_FIELDS})
