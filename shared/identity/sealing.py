"""Sealed texts and the blind index: how a direct identifier is stored, and how it is found again.

Texts are sealed with AES-256-GCM under the person's key, bound to the person and the field, so that a sealed
text moved to another document or field does not open. Document numbers are found by a keyed hash.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import random
from collections.abc import Mapping
from json.encoder import encode_basestring_ascii as quoted

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.errors import SankofaError

VERSION = "s1."
NONCE_BYTES = 12


class SealBroken(SankofaError):
    """The sealed text was changed, belongs to another person or field, or its key is another."""


def seal(key: bytes, plaintext: str, *, person: str, field: str, rng: random.Random) -> str:
    """`s1.` and base64url of nonce and ciphertext. `key`: 32 bytes; `rng` gives the nonce.

    On a real runtime `rng` is the operating system's; a nonce that comes twice under one key breaks the seal.
    """
    return seal_all(key, {field: plaintext}, person=person, rng=rng)[field]


def seal_all(key: bytes, plaintexts: Mapping[str, str], *, person: str, rng: random.Random) -> dict[str, str]:
    """`seal` for several fields of one person: one set-up of the cipher, one draw for the nonces."""
    cipher = AESGCM(key)
    nonces = rng.randbytes(NONCE_BYTES * len(plaintexts))
    sealed = {}
    for number, (field, plaintext) in enumerate(plaintexts.items()):
        nonce = nonces[number * NONCE_BYTES : (number + 1) * NONCE_BYTES]
        sealed[field] = _sealed(cipher, nonce, plaintext.encode(), _bound(person, field))
    return sealed


def seal_bytes(key: bytes, content: bytes, *, person: str, field: str, rng: random.Random) -> str:
    """`seal` for what is no text. `person`: the id of what it is of, where that is no person."""
    return _sealed(AESGCM(key), rng.randbytes(NONCE_BYTES), content, _bound(person, field))


def open_sealed(key: bytes, sealed: str, *, person: str, field: str) -> str:
    """The text. Raises SealBroken; the error names neither the text nor the key."""
    try:
        return open_bytes(key, sealed, person=person, field=field).decode()
    except ValueError:
        raise SealBroken from None


def open_bytes(key: bytes, sealed: str, *, person: str, field: str) -> bytes:
    """What `seal_bytes` sealed. Raises SealBroken."""
    if not sealed.startswith(VERSION):
        raise SealBroken
    try:
        raw = base64.b64decode(sealed.removeprefix(VERSION), altchars=b"-_", validate=True)
        return AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _bound(person, field))
    except (InvalidTag, binascii.Error, ValueError):
        # The cause's message may quote the input.
        raise SealBroken from None


def _sealed(cipher: AESGCM, nonce: bytes, content: bytes, bound: bytes) -> str:
    return VERSION + base64.urlsafe_b64encode(nonce + cipher.encrypt(nonce, content, bound)).decode()


def _bound(person: str, field: str) -> bytes:
    # A JSON array, not a joined text: ("a", "b/c") and ("a/b", "c") must differ.
    return f'["sankofa", "{VERSION}", {quoted(person)}, {quoted(field)}]'.encode()


def blind(key: bytes, type: str, country: str, number_folded: str) -> str:
    """64 hexadecimal digits: HMAC-SHA256 of the document's type, country and folded number."""
    said = f"[{quoted(type)}, {quoted(country)}, {quoted(number_folded)}]"
    return hmac.digest(key, said.encode(), "sha256").hex()
