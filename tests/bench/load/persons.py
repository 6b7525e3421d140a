"""Made-up people: each has an account, a name, a passport and a request of its own. No two alike, nobody real."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

KEY_ID = "load"
TOKEN_SECONDS = 6 * 3600
PROGRAMME = "trqn-1"
OFFICE = "kabul"
INDICATOR = "registrations"
LETTERS = "abcdefghijklmnopqrst"
SECTORS = ("education", "health", "infrastructure", "ict", "agriculture", "governance")


class Persons:
    """Their requests as bytes of HTTP/1.1. `key`: the issuer's private key in PEM."""

    def __init__(self, issuer: str, key: bytes, port: int) -> None:
        self._issuer = issuer
        self._key = ECKey.import_key(key, {"kid": KEY_ID})
        self._host = f"127.0.0.1:{port}"

    def token(self, role: str, subject: str) -> str:
        now = int(time.time())
        claims = {"iss": self._issuer, "aud": "sankofa", "sub": subject, "iat": now, "exp": now + TOKEN_SECONDS}
        claims |= {"jti": subject, "role": role}
        return jwt.encode({"alg": "ES256", "kid": KEY_ID}, claims, self._key, algorithms=["ES256"])

    def registration(self, number: int) -> bytes:
        """Somebody registers for the programme, signed in as nobody else."""
        token = self.token("expert", f"person-{number}@example.org")
        key = f"Idempotency-Key: {uuid.uuid5(uuid.NAMESPACE_OID, f'{self._issuer} {number}')}\r\n"
        return self._request("POST /registration/v1/experts", token, json.dumps(registration(number)).encode(), key)

    def indicator(self) -> bytes:
        """How many are registered now, as an administrator sees it."""
        path = f"GET /monitoring/v1/programmes/{PROGRAMME}/indicators/{INDICATOR}"
        return self._request(path, self.token("administrator", "watching"))

    def _request(self, line: str, token: str, body: bytes = b"", more: str = "") -> bytes:
        if body:
            more += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        head = f"{line} HTTP/1.1\r\nHost: {self._host}\r\nAuthorization: Bearer {token}\r\n{more}\r\n"
        return head.encode() + body


def registration(number: int) -> dict[str, Any]:
    """A body of the usual size: names, telephone, passport, two languages."""
    spelled = "".join(LETTERS[int(digit)] for digit in f"{number:07d}")
    return {
        "programme": PROGRAMME,
        "office": OFFICE,
        "person": {
            "given_name": f"Given {spelled}",
            "family_name": f"Family {spelled}",
            "email": f"person-{number}@example.org",
            "telephone": f"+31 20 {number % 9_000_000 + 1_000_000:07d}",
            "document": {"type": "passport", "country": "NL", "number": f"X{number:08d}"},
            "attributes": {
                "sex": ("female", "male")[number % 2],
                "birth_year": 1950 + number % 50,
                "nationality": "NL",
                "country_of_origin": ("AF", "BA", "ET", "GE", "SL", "SD")[number % 6],
                "country_of_residence": "NL",
                "residence_status": "citizen",
                "education": 4 + number % 5,
                "occupation": "2310",
                "experience_years": number % 3,
                "sector": SECTORS[number % len(SECTORS)],
                "languages": [{"language": "fa", "level": "C2"}, {"language": "en", "level": "B2"}],
            },
            "valid_from": "2026-01-05",
        },
        "consents": ["placement"],
    }
