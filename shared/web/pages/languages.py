"""The languages that pages are in, and which of them a request is answered in."""

from __future__ import annotations

import re
from collections.abc import Mapping

from fastapi import Request
from starlette.responses import Response

# Each by its own name, with the direction in which its texts run: never guessed from a text.
LANGUAGES: Mapping[str, tuple[str, str]] = {
    "en": ("English", "ltr"),
    "fr": ("Français", "ltr"),
    "ar": ("العربية", "rtl"),
}
DEFAULT = "en"
PARAMETER = COOKIE = "lang"
_YEAR_SECONDS = 31_536_000
_RANGE = re.compile(r"\s*([a-zA-Z]{1,8})(?:-[a-zA-Z0-9-]{1,60})?\s*(?:;\s*q=([01](?:\.[0-9]{0,3})?)\s*)?")


def direction(language: str) -> str:
    """`ltr` or `rtl`."""
    return LANGUAGES[language][1]


def language_of(request: Request, chosen: str | None = None) -> str:
    """By `?lang=`, then what was chosen on this device, then for the account (`chosen`), then what the browser
    prefers."""
    for one in (request.query_params.get(PARAMETER), request.cookies.get(COOKIE), chosen):
        if one in LANGUAGES:
            return str(one)
    return preferred(request)


def remember(request: Request, response: Response) -> None:
    """Keeps a language that the address asks for: the next page is in it too."""
    asked = request.query_params.get(PARAMETER)
    if asked is not None and asked in LANGUAGES:
        secure = request.url.scheme == "https"
        response.set_cookie(COOKIE, asked, _YEAR_SECONDS, path="/", secure=secure, httponly=True, samesite="lax")


def preferred(request: Request) -> str:
    """The best of ours by the weights of `Accept-Language` (RFC 9110, 12.5.4); the first of two alike."""
    header, best, weight = request.headers.get("accept-language", ""), DEFAULT, 0.0
    for part in header[:1_000].split(","):
        found = _RANGE.fullmatch(part)
        if found is None or found[1].lower() not in LANGUAGES:
            continue
        asked = float(found[2] or 1)
        if asked > weight:
            best, weight = found[1].lower(), asked
    return best
