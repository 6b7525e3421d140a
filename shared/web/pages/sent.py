"""What a form sends: names and values as they were typed, read no further than they may be long."""

from __future__ import annotations

from email.message import Message
from urllib.parse import parse_qsl

from fastapi import Request

from shared.errors import Refusal
from shared.web.bodies import bounded_body

FORM = "application/x-www-form-urlencoded"
FORM_BYTES_AT_MOST = 262_144
# A training of 200 groups of participants has 800.
FIELDS_AT_MOST = 2_000

Fields = tuple[tuple[str, str], ...]


async def sent_form(request: Request) -> Fields:
    """The fields in their order; the same ones however often it is asked. Raises Refusal 413, 415 or 422."""
    known: Fields | None = getattr(request.state, "form", None)
    if known is None:
        known = await _read(request)
        request.state.form = known
    return known


async def _read(request: Request) -> Fields:
    raw = await bounded_body(request, FORM_BYTES_AT_MOST)
    message = Message()
    message["content-type"] = request.headers.get("content-type", FORM)
    if message.get_content_type() != FORM:
        raise Refusal("unsupported_media_type", "a form is application/x-www-form-urlencoded", status=415)
    try:
        found = parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=FIELDS_AT_MOST, errors="strict")
    except ValueError:
        raise Refusal("form_malformed", status=422) from None
    return tuple(found)
