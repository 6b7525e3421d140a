"""Every key of the project, a subfolder a service (docs/kernel.md, section 10). A backup of data holds none of them.

| file below the keys' folder | what |
|---|---|
| `<service>/receipts/current.key` | Ed25519 seed that signs receipts |
| `<service>/receipts/retired/<key id>.key` | seeds that signed before; their public halves stay published |
| `<service>/blind-index.key`, `<service>/commands.key`, `<service>/cursor.key`, `<service>/audit.key` | HMAC-SHA256 |
| `<service>/papers.key` | HMAC-SHA256 of the codes by which papers are checked |
| `<service>/webhooks.key` | AES-256 of the secrets with which messages to other systems are signed |
| `<service>/intake/<day>.key` | AES-256 of one day's submissions |
| `<service>/drafts/<day>.key` | AES-256 of the drafts that were last edited on that day |
| `<service>/jobs/<day>.key` | AES-256 of what the jobs hold that were asked for on that day |
| `<service>/persons.sqlite` | AES-256, one a person |
| `registration/passes/current.key` | Ed25519 seed that signs the passes of people who signed in |
| `pass-public/current.key` | its public half, with which every service verifies |
| `identity/account.key` | HMAC-SHA256 of accounts, one for all services; never another one |
| `issuer/current.key` | Ed25519 seed of the embedded development issuer |
| `issuer-public/current.key` | its public half, all that services need of it |
"""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from joserfc.jwk import OKPKey

from shared.identity.accounts import Accounts
from shared.identity.keyfiles import KeyBytes, KeyFolder, KeysInMemory
from shared.identity.personkeys import PersonKeyFile, PersonKeys, PersonKeysInMemory

_SERVICE = re.compile(r"[a-z]{1,32}")
_ISSUER_PUBLIC = "issuer-public/current.key"
_PASS_PUBLIC = "pass-public/current.key"  # noqa: S105
_IDENTITY = "identity/account.key"


class Keys:
    """The keys of all services below one folder. Making the first of a kind writes and syncs a file."""

    def __init__(self, folder: Path) -> None:
        """Raises SettingsError where the folder cannot be used."""
        self._bytes: KeyBytes = KeyFolder(folder)
        self._folder: Path | None = folder
        self._rng: random.Random = random.SystemRandom()
        self._persons: dict[str, PersonKeys] = {}
        self._signing: dict[str, tuple[Ed25519PrivateKey, str]] = {}
        self._identity: bytes | None = None
        self._pass_public: tuple[bytes, OKPKey] | None = None

    @classmethod
    def in_memory(cls, rng: random.Random) -> Keys:
        """Keys of one seeded run: no file, the same bytes for the same randomness."""
        keys = cls.__new__(cls)
        keys._bytes, keys._folder, keys._rng = KeysInMemory(rng), None, rng
        keys._persons, keys._signing, keys._identity, keys._pass_public = {}, {}, None, None
        return keys

    def receipt_key_id(self, service: str) -> str:
        """The RFC 7638 thumbprint of the key that signs now."""
        return self._receipt_key(service)[1]

    def sign_receipt(self, service: str, data: bytes) -> str:
        """The Ed25519 signature as base64url without padding."""
        return base64.urlsafe_b64encode(self._receipt_key(service)[0].sign(data)).decode().rstrip("=")

    def retire_receipt_key(self, service: str) -> str:
        """Puts the current key among the retired ones and gives the id of its successor."""
        current = f"{_named(service)}/receipts/current.key"
        self._bytes.move(current, f"{service}/receipts/retired/{self.receipt_key_id(service)}.key")
        self._signing.pop(service)
        return self.receipt_key_id(service)

    def receipt_public_keys(self, service: str) -> dict[str, list[dict[str, Any]]]:
        """A JSON Web Key Set with the current and every retired key: all that `verify_receipt` needs."""
        seeds = [self._bytes.take(f"{_named(service)}/receipts/current.key")]
        seeds += [self._bytes.take(name) for name in self._bytes.names(f"{service}/receipts/retired")]
        return {"keys": [public_jwk(Ed25519PrivateKey.from_private_bytes(seed).public_key()) for seed in seeds]}

    def blind_index_key(self, service: str) -> bytes:
        return self._bytes.take(f"{_named(service)}/blind-index.key")

    def command_key(self, service: str) -> bytes:
        """Of the digests by which commands about nobody are known again."""
        return self._bytes.take(f"{_named(service)}/commands.key")

    def cursor_key(self, service: str) -> bytes:
        return self._bytes.take(f"{_named(service)}/cursor.key")

    def audit_key(self, service: str) -> bytes:
        """Of the links of the service's audit trail."""
        return self._bytes.take(f"{_named(service)}/audit.key")

    def paper_key(self, service: str) -> bytes:
        """Of the codes by which the service's papers are checked."""
        return self._bytes.take(f"{_named(service)}/papers.key")

    def webhook_key(self, service: str) -> bytes:
        """Under which the secrets of subscriptions are sealed."""
        return self._bytes.take(f"{_named(service)}/webhooks.key")

    def intake_day_key(self, service: str, day: str) -> bytes:
        """The key of the day, `YYYY-MM-DD` in UTC; made where there is none. ValueError for no date."""
        return self._bytes.take(_day_name(service, "intake", day))

    def intake_days(self, service: str) -> list[str]:
        """The days whose keys still stand, in order."""
        return self._days(service, "intake")

    def destroy_intake_day(self, service: str, day: str) -> None:
        """What is still sealed under the day's key can never be opened again."""
        self._bytes.destroy(_day_name(service, "intake", day))

    def draft_day_key(self, service: str, day: str) -> bytes:
        """As `intake_day_key`, of the drafts that were last edited on the day."""
        return self._bytes.take(_day_name(service, "drafts", day))

    def draft_days(self, service: str) -> list[str]:
        return self._days(service, "drafts")

    def destroy_draft_day(self, service: str, day: str) -> None:
        """No draft that was last edited on the day can be opened again."""
        self._bytes.destroy(_day_name(service, "drafts", day))

    def job_day_key(self, service: str, day: str) -> bytes:
        """As `intake_day_key`, of the jobs that were asked for on the day."""
        return self._bytes.take(_day_name(service, "jobs", day))

    def job_days(self, service: str) -> list[str]:
        return self._days(service, "jobs")

    def destroy_job_day(self, service: str, day: str) -> None:
        """Nothing that the day's jobs held can be opened again."""
        self._bytes.destroy(_day_name(service, "jobs", day))

    def persons(self, service: str) -> PersonKeys:
        """The person keys of the service, one object however often it is asked for."""
        if _named(service) not in self._persons:
            self._persons[service] = (
                PersonKeysInMemory(self._rng)
                if self._folder is None
                else PersonKeyFile(self._folder / service / "persons.sqlite")
            )
        return self._persons[service]

    def accounts(self, issuer: str) -> Accounts:
        """The accounts of the issuer's subjects."""
        return Accounts(self.identity_key, issuer)

    def identity_key(self) -> bytes:
        """The key of all accounts; made where there is none.

        Once read it stays: a file that vanishes while the process runs must not begin a second set of accounts.
        """
        if self._identity is None:
            self._identity = self._bytes.take(_IDENTITY)
        return self._identity

    def has_identity_key(self) -> bool:
        return self._identity is not None or self._bytes.find(_IDENTITY) is not None

    def issuer_key(self) -> OKPKey:
        """The private key of the development issuer, for it alone; its public half is put where services find it."""
        return self._signing_pair("issuer/current.key", _ISSUER_PUBLIC)

    def pass_key(self) -> OKPKey:
        """The private key of passes, for registration alone; its public half is put where services find it."""
        return self._signing_pair("registration/passes/current.key", _PASS_PUBLIC)

    def pass_public_key(self) -> OKPKey | None:
        """The public half, with which services verify; None where no pass was ever signed."""
        raw = self._bytes.find(_PASS_PUBLIC)
        if raw is None:
            return None
        if self._pass_public is None or self._pass_public[0] != raw:
            self._pass_public = raw, OKPKey.import_key(_public(Ed25519PublicKey.from_public_bytes(raw)))
        return self._pass_public[1]

    def _signing_pair(self, private: str, public: str) -> OKPKey:
        key = Ed25519PrivateKey.from_private_bytes(self._bytes.take(private))
        half = key.public_key().public_bytes_raw()
        if self._bytes.find(public) != half:
            self._bytes.put(public, half)
        return _jwk(key)

    def issuer_public_key(self) -> OKPKey:
        """The public half, with which services verify. Where there is none yet, the embedded issuer makes its key."""
        return OKPKey.import_key(_public(self._issuer_public()))

    def issuer_public_jwk(self) -> dict[str, Any]:
        """The public half as the issuer publishes it."""
        return public_jwk(self._issuer_public())

    def _issuer_public(self) -> Ed25519PublicKey:
        raw = self._bytes.find(_ISSUER_PUBLIC)
        if raw is None:
            return Ed25519PublicKey.from_public_bytes(self.issuer_key().public_key.public_bytes_raw())
        return Ed25519PublicKey.from_public_bytes(raw)

    def _days(self, service: str, kind: str) -> list[str]:
        return [Path(name).stem for name in self._bytes.names(f"{_named(service)}/{kind}")]

    async def close(self) -> None:
        for persons in self._persons.values():
            await persons.close()

    def _receipt_key(self, service: str) -> tuple[Ed25519PrivateKey, str]:
        if service not in self._signing:
            key = Ed25519PrivateKey.from_private_bytes(self._bytes.take(f"{_named(service)}/receipts/current.key"))
            self._signing[service] = (key, public_jwk(key.public_key())["kid"])
        return self._signing[service]


def public_jwk(key: Ed25519PublicKey) -> dict[str, Any]:
    """`{kty, crv, x, kid, use, alg}`; `kid` is the RFC 7638 thumbprint."""
    return {**_public(key), "use": "sig", "alg": "Ed25519"}


def verify_receipt(key_set: Mapping[str, Any], key_id: str, data: bytes, signature: str) -> bool:
    """Whether one of the published keys made the signature. False also for an unknown key or no base64url."""
    for jwk in key_set["keys"]:
        if jwk["kid"] == key_id and jwk["kty"] == "OKP" and jwk["crv"] == "Ed25519":
            try:
                raw = base64.urlsafe_b64decode(jwk["x"] + "=" * (-len(jwk["x"]) % 4))
                signed = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
                Ed25519PublicKey.from_public_bytes(raw).verify(signed, data)
            except (InvalidSignature, ValueError):
                return False
            return True
    return False


def _public(key: Ed25519PublicKey) -> dict[str, Any]:
    x = base64.urlsafe_b64encode(key.public_bytes_raw()).decode().rstrip("=")
    jwk = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": x})
    return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": jwk.thumbprint()}


def _jwk(key: Ed25519PrivateKey) -> OKPKey:
    d = base64.urlsafe_b64encode(key.private_bytes_raw()).decode().rstrip("=")
    return OKPKey.import_key({**_public(key.public_key()), "d": d})


def _named(service: str) -> str:
    if not _SERVICE.fullmatch(service):
        raise ValueError("a service's name is lower-case letters")
    return service


def _day_name(service: str, kind: str, day: str) -> str:
    return f"{_named(service)}/{kind}/{date.fromisoformat(day).isoformat()}.key"
