"""Standard Webhooks: how a message to an address is signed, so that it is known to be ours and of now."""

from __future__ import annotations

import base64
import hmac
import random
from collections.abc import Mapping, Sequence
from datetime import datetime

PREFIX, SECRET_BYTES = "whsec_", 32


def new_secret(rng: random.Random) -> str:
    """`whsec_` and standard base64 with its padding: without it one library refuses it, and `-` or `_` would be dropped
    by another in silence."""
    return PREFIX + base64.b64encode(rng.randbytes(SECRET_BYTES)).decode()


def headers_of(id: str, at: datetime, body: bytes, secrets: Sequence[str]) -> Mapping[str, str]:
    """`webhook-id`, `webhook-timestamp` (whole seconds) and `webhook-signature`: one of each secret, blanks between.

    ValueError for an instant without a zone, which a machine east of Greenwich would sign as one hours ago.
    """
    if at.tzinfo is None:
        raise ValueError("a time needs its zone")
    second = str(int(at.timestamp()))
    signed = f"{id}.{second}.".encode() + body
    return {
        "webhook-id": id,
        "webhook-timestamp": second,
        "webhook-signature": " ".join(f"v1,{_signature(secret, signed)}" for secret in secrets),
    }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    return base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
