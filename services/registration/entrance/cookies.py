"""What a browser keeps: its session, a pass a service, and what a sign-in that it began is finished with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fastapi import Request
from pydantic import ValidationError
from starlette.responses import Response

from services.registration.entrance.addresses import SIGN_IN
from services.registration.identifiers import SERVICE
from shared.clock import Runtime
from shared.identity.digests import derived_key
from shared.identity.keys import Keys
from shared.identity.openid import Attempt
from shared.identity.passes import LIFETIME_SECONDS, Pass, sign_pass
from shared.identity.sealing import SealBroken, open_sealed, seal
from shared.services import SERVICES
from shared.web.pages.readers import PASS_COOKIE

SESSION = "sankofa"
ATTEMPT = "sankofa-sign-in"
ENTRY = "sankofa-entry"
# An issuer may ask for a second factor first.
ATTEMPT_SECONDS = 600
ENTRY_BYTES = 16
ENTRY_CHARACTERS = 2 * ENTRY_BYTES


@dataclass(frozen=True)
class Cookies:
    """All for this host alone, out of reach of scripts, and sent by no other site's forms. `secure`: over TLS alone."""

    keys: Keys
    runtime: Runtime
    secure: bool

    def put_session(self, response: Response, secret: str) -> None:
        self._set(response, SESSION, secret, "/")

    def put_pass(self, response: Response, service: str, given: Pass, now: datetime) -> None:
        text = sign_pass(self.keys, service, given, now)
        self._set(response, PASS_COOKIE, text, f"/{service}", LIFETIME_SECONDS)

    def put_attempt(self, response: Response, attempt: Attempt) -> None:
        sealed = seal(self._key(), attempt.model_dump_json(), person="", field=ATTEMPT, rng=self.runtime.rng)
        self._set(response, ATTEMPT, sealed, SIGN_IN, ATTEMPT_SECONDS)

    def attempt(self, request: Request) -> Attempt | None:
        """The sign-in that this browser began within the last ten minutes."""
        try:
            text = open_sealed(self._key(), request.cookies.get(ATTEMPT, ""), person="", field=ATTEMPT)
            found = Attempt.model_validate_json(text)
        except (SealBroken, ValidationError):
            return None
        return found if self.runtime.now().timestamp() - found.began_at < ATTEMPT_SECONDS else None

    def entry(self, request: Request) -> str:
        """What the forms of the development sign-in are bound to: this browser's, or a new one."""
        known = request.cookies.get(ENTRY, "")
        return known if len(known) == ENTRY_CHARACTERS else self.runtime.rng.randbytes(ENTRY_BYTES).hex()

    def put_entry(self, response: Response, entry: str) -> None:
        self._set(response, ENTRY, entry, "/")

    def end_attempt(self, response: Response) -> None:
        self._end(response, ATTEMPT, SIGN_IN)

    def end_session(self, response: Response) -> None:
        """Nothing of the session stays in this browser, passes included."""
        self._end(response, SESSION, "/")
        self.end_passes(response)

    def end_passes(self, response: Response) -> None:
        for service in SERVICES:
            self._end(response, PASS_COOKIE, f"/{service}")

    def _set(self, response: Response, name: str, value: str, path: str, seconds: int | None = None) -> None:
        response.set_cookie(name, value, seconds, path=path, secure=self.secure, httponly=True, samesite="lax")

    def _end(self, response: Response, name: str, path: str) -> None:
        response.delete_cookie(name, path=path, secure=self.secure, httponly=True, samesite="lax")

    def _key(self) -> bytes:
        return derived_key(self.keys.command_key(SERVICE), "sign-in")
