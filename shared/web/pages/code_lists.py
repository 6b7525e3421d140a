"""Lists of standards (countries, languages, occupations) apart from the pages that have choices of them.

A browser that runs the script says so by a cookie. Its pages then have of such a list what was chosen alone, and the
script fills in the rest from one file a language, which the browser keeps for ever. Without the cookie a page has the
lists itself; with it, a button beside each choice asks for that, should the script not have done its work after all.
"""

from __future__ import annotations

import json

from fastapi import Request
from starlette.responses import Response

from shared.web.pages.forms import WHOLE
from shared.web.pages.standard_names import LISTED

# Set by `static/script.js` for as long as the browser runs.
COOKIE = "script"


def code_lists(language: str) -> bytes:
    """As JSON: by list, `[code, words]` in the order of the words."""
    lists = {name: of(language) for name, of in LISTED.items()}
    return json.dumps(lists, ensure_ascii=False, separators=(",", ":")).encode()


def fills_in(request: Request) -> bool:
    """Whether the browser fills in lists that the page leaves out."""
    return COOKIE in request.cookies and WHOLE not in request.query_params


def forget(request: Request, response: Response) -> None:
    """Takes a browser at its word that its lists were not filled in."""
    if WHOLE in request.query_params:
        response.delete_cookie(COOKIE, path="/", samesite="lax")
