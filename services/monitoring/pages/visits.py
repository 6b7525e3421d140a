"""When somebody looked last: a cookie of this service's path, which says nothing but two instants.

What it asks for is an earlier state of the reader's own figures, which the reader may ask for anyway.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fastapi import Request
from starlette.responses import Response

from shared.clock import short_hash

COOKIE = "sankofa-figures"
# Whoever comes back within this time is still at the same visit.
VISIT = timedelta(minutes=30)
_KEPT_SECONDS = 31_536_000
_FORM = re.compile(r"([0-9a-f]{16})\.([0-9]{1,11})\.([0-9]{1,11})", re.ASCII)


@dataclass(frozen=True)
class Visits:
    """`last`: when the reader looked last; `before`: when the visit before this one ended, None at the first."""

    account: str
    last: datetime
    before: datetime | None

    def keep(self, request: Request, response: Response, service: str) -> None:
        """Keeps it on this device."""
        before = 0 if self.before is None else int(self.before.timestamp())
        text = f"{short_hash(self.account)}.{int(self.last.timestamp())}.{before}"
        secure = request.url.scheme == "https"
        response.set_cookie(
            COOKIE, text, _KEPT_SECONDS, path=f"/{service}", secure=secure, httponly=True, samesite="lax"
        )


def visits_of(request: Request, account: str, now: datetime) -> Visits:
    """This visit, which goes on, or begins where the last look is long ago; another account's cookie says nothing."""
    found = _FORM.fullmatch(request.cookies.get(COOKIE, ""))
    if found is None or found[1] != short_hash(account):
        return Visits(account, now, None)
    last, before = _instant(found[2]), _instant(found[3])
    if last is None or last > now:
        return Visits(account, now, None)
    return Visits(account, now, last if now - last > VISIT else before)


def _instant(seconds: str) -> datetime | None:
    return datetime.fromtimestamp(int(seconds), UTC) if 0 < int(seconds) < 32_503_680_000 else None
