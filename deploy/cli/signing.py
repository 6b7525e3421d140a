"""Tokens of whichever issuer the installation has: given by the operator, asked for as a client, or the embedded one's.

A client signs in by OAuth 2.0 client credentials (RFC 6749, section 4.4). Where one person after the other acts, as in
a history, it exchanges its own token for theirs (RFC 8693), which the issuer has to allow it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx

from deploy.cli.settings import Settings
from shared.errors import SettingsError
from shared.identity.issuers import checked_address
from shared.identity.roles import Role
from shared.identity.tokens import AUDIENCE

LIFETIME = timedelta(hours=12)
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
SUBJECT_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105
TIMEOUT_SECONDS = 10.0
# Less than this and a token may be over before it has been used.
LEFT_SECONDS_AT_LEAST = 30.0
LIFETIME_SECONDS_IF_UNSAID = 60.0

Issued = Callable[[Role, str | None, str], str]
# Whose token, as role, office and subject; None: the client's own.
Who = tuple[Role, str | None, str] | None


class SigningIn:
    """A client of the issuer. Tokens are kept until shortly before they end."""

    def __init__(self, settings: Settings, http: httpx.Client | None = None) -> None:
        """SettingsError without a client's name and secret."""
        if not settings.client_id or not settings.client_secret:
            raise SettingsError("SANKOFA_CLIENT_ID and SANKOFA_CLIENT_SECRET go together")
        # RFC 6749, section 2.3.1: each is form-encoded before it is put into HTTP Basic.
        self._auth = httpx.BasicAuth(quote(settings.client_id, safe=""), quote(settings.client_secret, safe=""))
        self._settings = settings
        self._http = http or httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False)
        self._endpoint = settings.sign_in_url or ""
        self._kept: dict[Who, tuple[str, float]] = {}

    def own(self) -> str:
        """The client's own token. Raises SettingsError where the issuer gives none."""
        return self._token(None, {"grant_type": "client_credentials", "audience": AUDIENCE})

    def of(self, role: Role, office: str | None, subject: str) -> str:
        """The token of that person. An issuer that knows its accounts says role and office by itself.

        Raises SettingsError where the issuer gives none.
        """
        known = self._known((role, office, subject))
        if known is not None:
            return known
        asked = {
            "grant_type": EXCHANGE,
            "subject_token": self.own(),
            "subject_token_type": SUBJECT_TOKEN_TYPE,
            "requested_token_type": SUBJECT_TOKEN_TYPE,
            "requested_subject": subject or f"{role}@{office or 'all'}",
            "audience": AUDIENCE,
            "role": role,
            **({"office": office} if office else {}),
        }
        return self._token((role, office, subject), asked)

    def _known(self, who: Who) -> str | None:
        token, until = self._kept.get(who, ("", 0.0))
        return token if time.monotonic() < until else None

    def _token(self, who: Who, asked: dict[str, str]) -> str:
        if (known := self._known(who)) is not None:
            return known
        granted = self._asked("POST", self._address(), asked)
        token = granted.get("access_token")
        if not isinstance(token, str) or not token:
            raise SettingsError("the issuer's answer holds no access_token")
        seconds = granted.get("expires_in")
        lifetime = float(seconds) if isinstance(seconds, int | float) else LIFETIME_SECONDS_IF_UNSAID
        self._kept[who] = (token, time.monotonic() + lifetime - LEFT_SECONDS_AT_LEAST)
        return token

    def _address(self) -> str:
        """The token endpoint: as it was set, or as the issuer's discovery document names it."""
        if not self._endpoint:
            issuer = self._settings.issuer or ""
            found = self._asked(
                "GET", f"{checked_address(issuer, issuer).rstrip('/')}/.well-known/openid-configuration"
            )
            if found.get("issuer") != issuer:
                raise SettingsError("the issuer's discovery document names another issuer")
            self._endpoint = checked_address(str(found.get("token_endpoint", "")), issuer)
        return self._endpoint

    def _asked(self, method: str, url: str, form: dict[str, str] | None = None) -> dict[str, Any]:
        auth = self._auth if method == "POST" else None
        try:
            answer = self._http.request(method, url, data=form, auth=auth)
            found = answer.json()
        except httpx.HTTPError as error:
            raise SettingsError(f"the issuer cannot be reached ({type(error).__name__})") from None
        except ValueError:
            raise SettingsError(f"the issuer answered {answer.status_code}, and no JSON") from None
        if not answer.is_success or not isinstance(found, dict):
            told = found.get("error") if isinstance(found, dict) else None
            reason = told if isinstance(told, str) and told.replace("_", "").isalpha() else "no reason"
            raise SettingsError(f"the issuer gives no token: {answer.status_code} {reason}")
        return found
