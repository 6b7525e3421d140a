"""Where somebody may be sent on to: a path of this system, as a browser writes one."""

from __future__ import annotations

from shared.web.pages.own_paths import is_own

TODAY = "/today"
SIGN_IN = "/sign-in"
SIGN_OUT = "/sign-out"
SESSIONS = f"{SIGN_IN}/sessions"


def own_or(to: str | None, otherwise: str = TODAY) -> str:
    return to if to is not None and is_own(to) else otherwise
