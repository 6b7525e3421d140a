"""Pages from templates: one layout, one content policy, the reader's language and direction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import Response

from shared.web.callers import edge_of
from shared.web.pages.code_lists import fills_in, forget
from shared.web.pages.fixed_words import FixedWords
from shared.web.pages.formatting import Formats
from shared.web.pages.languages import LANGUAGES, PARAMETER, direction, language_of, remember
from shared.web.pages.offices import office_of, times_for
from shared.web.pages.readers import PASS_PATH
from shared.web.pages.standard_names import Names
from shared.web.pages.static import address, lists_address, packed
from shared.web.pages.words import translations

TEMPLATES = Path(__file__).parent / "templates"
# A service's own templates stand in its folder.
SERVICES = Path(__file__).resolve().parents[3] / "services"
PRODUCT = "Sankofa"
HTML = "text/html; charset=utf-8"
# Nothing inline, nothing from elsewhere; a frame is another service's part of the page.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self' data:",
        "form-action 'self'",
        "frame-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "frame-ancestors 'self'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Vary": "Accept-Encoding, Accept-Language, Cookie",
}


def render(
    request: Request,
    template: str,
    status: int = 200,
    *,
    reader: Any = None,
    case_zone: tzinfo | None = None,
    **context: Any,
) -> Response:
    """The page. `reader`: who is signed in, None for a page that anybody sees; `case_zone`: of the case's office, on a
    page about one; `title` is the context's to give.

    Templates extend `layout.html`; they know besides: `language`, `dir`, `here` (the path), `switches` (language ->
    address of this page in it), `static(name)`, `renewal` (the address that gives another pass), `formats` (dates,
    numbers, lists in the language), `names` (of codes), `kept_lists` (where the browser has lists of standards from,
    empty where the page has them), `zone` (in which instants are said, shared.web.pages.offices), `office` (what the
    reader's is called). A name that is missing raises, it is never empty.
    """
    language, service = language_of(request, reader.language if reader is not None else None), edge_of(request).service
    text = _environment(service, language).get_template(template)
    page = text.render(
        language=language,
        dir=direction(language),
        languages={code: named for code, (named, _) in LANGUAGES.items()},
        switches={code: _in_language(request, code) for code in LANGUAGES},
        here=request.url.path,
        product=PRODUCT,
        reader=reader,
        formats=Formats(language),
        names=Names(language),
        **_of_office(request, reader, case_zone, language),
        static=lambda name: address(service, name),
        kept_lists=lists_address(service, language) if fills_in(request) else "",
        renewal=f"{PASS_PATH}?service={service}",
        **context,
    )
    answer = packed(request, page.encode(), None, HTML, HEADERS, status)
    remember(request, answer)
    forget(request, answer)
    return answer


def _of_office(request: Request, reader: Any, case_zone: tzinfo | None, language: str) -> Mapping[str, Any]:
    known, principal = edge_of(request).definitions, None if reader is None else reader.principal
    return {
        "zone": times_for(known, principal, case_zone).zone(),
        "office": office_of(known, principal, language),
    }


def _in_language(request: Request, language: str) -> str:
    """The address of this page in that language: what it is narrowed by stays."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != PARAMETER]
    return f"?{urlencode([*kept, (PARAMETER, language)])}"


@cache
def _environment(service: str, language: str) -> Environment:
    found = Environment(
        loader=FileSystemLoader([TEMPLATES, SERVICES / service / "templates"]),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n", FixedWords],
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    vars(found)["language"] = language
    # Newstyle formats every text, so that one with a percent sign would raise.
    vars(found)["install_gettext_translations"](translations(language), newstyle=False)
    return found
