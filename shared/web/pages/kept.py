"""What becomes of a page that is asked for without a pass, or sent in another session: nothing typed is lost.

A form that was sent so comes back as a form, in which whoever typed it goes on until they have signed in again. It
holds what they sent and what everybody may know, for nobody knows yet who they are.
"""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI, Request
from starlette.responses import RedirectResponse, Response

from shared.errors import Refusal
from shared.web.callers import edge_of
from shared.web.pages.filled import Form
from shared.web.pages.forms import Posted
from shared.web.pages.languages import language_of
from shared.web.pages.readers import (
    FORGERY_FIELD,
    NoPass,
    Reader,
    Stale,
    check_same_site,
    for_a_pass,
)
from shared.web.pages.rendering import render
from shared.web.pages.sent import sent_form
from shared.web.problems import ANSWERS

EVENTS = "text/event-stream"
# What a form holds beside its fields: the command's key, and the version of the case that it was made from.
KEY, VERSION = "idempotency-key", "version"
# And where whoever was led to the form goes on once it is done.
BACK = "back"
# On an endpoint that takes a form: makes it anew from the language and what was sent.
KEPT = "kept"
KeptForm = Callable[[str, Posted], Form]


def install(app: FastAPI) -> None:
    """Sends readers without a pass where one is given, and back; what is sent without one is kept on a page."""

    async def without_pass(request: Request, _error: Exception) -> Response:
        if EVENTS in request.headers.get("accept", ""):
            # Sent on, a stream would renew its own pass for as long as the page lies open.
            return Response(status_code=401)
        if request.method == "GET":
            return RedirectResponse(for_a_pass(edge_of(request), request), 303)
        return await _kept(request, None, 401)

    async def stale(request: Request, error: Exception) -> Response:
        return await _kept(request, error.reader if isinstance(error, Stale) else None, 403)

    app.add_exception_handler(NoPass, without_pass)
    app.add_exception_handler(Stale, stale)


async def _kept(request: Request, reader: Reader | None, status: int) -> Response:
    """The page that holds what was typed, to be sent again; what another site sends is refused."""
    try:
        check_same_site(request)
        sent = await sent_form(request)
    except Refusal as refusal:
        return ANSWERS[Refusal](refusal)
    carried = [(name, value) for name, value in sent if name != FORGERY_FIELD or reader is None]
    form = _form_again(request, reader, Posted.of(sent))
    if form is not None:
        held = (FORGERY_FIELD, KEY, VERSION, BACK)
        carried = [(name, value) for name, value in carried if name in held]
    return render(request, "kept.html", status, reader=reader, sent=carried, form=form)


def _form_again(request: Request, reader: Reader | None, posted: Posted) -> Form | None:
    """None for what is sent to no form of fields: there what was typed comes back as it is."""
    make: KeptForm | None = getattr(request.scope.get("endpoint"), KEPT, None)
    if make is None:
        return None
    return make(language_of(request, reader.language if reader else None), posted.edited() or posted)
