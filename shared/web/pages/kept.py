"""What becomes of a page that is asked for without a pass, or sent in another session: nothing typed is lost."""

from __future__ import annotations

from fastapi import FastAPI, Request
from starlette.responses import RedirectResponse, Response

from shared.errors import Refusal
from shared.web.callers import edge_of
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
    return render(
        request,
        "kept.html",
        status,
        reader=reader,
        sent=[(name, value) for name, value in sent if name != FORGERY_FIELD or reader is None],
    )
