"""Whether a certificate was issued, for whoever holds one: by its reference and its code, and without a name."""

from __future__ import annotations

import hashlib
import hmac
import re

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from services.registration.domain.papers import PLACEMENT, served
from services.registration.identifiers import SERVICE
from services.registration.papers.knowing import Knowing, Told
from shared.identity.keys import Keys
from shared.texts import latin
from shared.web.callers import everybody
from shared.web.lists import query
from shared.web.pages.languages import PARAMETER, language_of
from shared.web.pages.paper_words import PaperWords
from shared.web.pages.rendering import render
from shared.web.pages.shown import Row
from shared.web.pages.words import translations
from shared.web.routing import Routes

PATH = "/certificates/check"
REFERENCE, CODE = "reference", "code"
# What a certificate cannot be without.
NEEDED = ("started_at", "completed_at", "ends_on")
# 64 bits, which nobody guesses through a page. Letters alone and nothing between them: whatever else stands in it, a
# viewer turns the order of its parts where the page runs from right to left. Without vowels no word comes about.
CODE_BYTES = 8
_LETTERS = str.maketrans("0123456789abcdef", "BCDFGHJKMNPQRSTV")
TYPED_AT_MOST = 100
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)


def code_of(keys: Keys, id: str) -> str:
    """The code of the certificate of that placement: sixteen letters."""
    digest = hmac.new(keys.paper_key(SERVICE), id.encode(), hashlib.sha256).digest()
    return digest[:CODE_BYTES].hex().translate(_LETTERS)


def checking_router(knowing: Knowing, keys: Keys) -> APIRouter:
    """`GET /certificates/check`, open to everybody. An unknown reference and a wrong code are answered alike."""
    router = Routes(include_in_schema=False, dependencies=[Depends(everybody)])

    async def check(request: Request) -> Response:
        asked = query(request, REFERENCE, CODE, PARAMETER)
        typed = {name: latin(asked.get(name, "")[:TYPED_AT_MOST]) for name in (REFERENCE, CODE)}
        told = await _issued(knowing, keys, typed[REFERENCE].lower(), typed[CODE])
        rows = _rows(told, language_of(request)) if told else ()
        return render(request, "check_certificate.html", typed=typed, asked=any(typed.values()), rows=rows)

    router.add_api_route(PATH, check, methods=["GET"])
    return router


async def _issued(knowing: Knowing, keys: Keys, reference: str, code: str) -> Told | None:
    """What the certificate says, where it was issued and still stands."""
    if not _ID.fullmatch(reference):
        return None
    right = hmac.compare_digest(_plain(code_of(keys, reference)), _plain(code))
    return await knowing.told(reference, PLACEMENT, *NEEDED) if right else None


def _plain(code: str) -> bytes:
    """As typed from paper: in capitals or not, and in groups."""
    return re.sub(r"[\s-]", "", code).upper().encode()


def certified(told: Told, words: PaperWords) -> list[tuple[str, str]]:
    """What both the certificate and the page that checks it say of the work, with its words."""
    _ = translations(words.language).gettext
    completed = words.formats.date(told.day("completed_at"))
    period = words.formats.days(*served(told.known, told.zone))
    return [(_("Period"), period), (_("Completion confirmed on"), completed)]


def _rows(told: Told, language: str) -> tuple[Row, ...]:
    words = PaperWords(language, told.definition)
    of_whom = (
        (words.field("programme"), words.programme()),
        (words.field("institution"), words.formats.name(told.host)),
    )
    return tuple(Row(label, value) for label, value in (*of_whom, *certified(told, words)))
