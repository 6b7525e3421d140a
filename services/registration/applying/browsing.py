"""A browser at an application: what its cookie opens, whether a form came from its pages, and how a page is shown."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Any

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from services.registration.applying.opening import Opening
from services.registration.work.drafts import Opened
from shared.errors import Refusal
from shared.web.pages.readers import FORGED, FORGERY_FIELD, check_same_site
from shared.web.pages.rendering import render
from shared.web.pages.sent import sent_form

APPLICATION, DRAFTS = "/registration/application", "/registration/drafts"


class Browsing:
    """What the pages of an application have in common."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening

    async def opened(self, request: Request) -> Opened | Response:
        """The draft of this browser's cookie; else the page that asks for its code."""
        opened = await self._opening.of(request)
        return opened if opened is not None else RedirectResponse(DRAFTS, 303)

    async def checked(self, request: Request) -> Opened | Response:
        """The same for what a form of that draft's pages sends. Raises Refusal 403 `forged`."""
        check_same_site(request)
        opened = await self._opening.of(request)
        form = await sent_form(request)
        if opened is None:
            return self.kept(request, form)
        self.check(opened, dict(form).get(FORGERY_FIELD, ""))
        return opened

    def kept(self, request: Request, sent: Sequence[tuple[str, str]]) -> Response:
        """What was typed, for a browser that has lost its cookie."""
        return self.page(request, "draft_kept.html", 401, sent=sent)

    def check(self, opened: Opened, token: str) -> None:
        """Raises Refusal 403 `forged` for a token of another draft's pages, or of none."""
        if not hmac.compare_digest(token.encode(), self._token(opened).encode()):
            raise Refusal(FORGED, status=403)

    def page(self, request: Request, template: str, status: int = 200, **shown: Any) -> Response:
        opened = shown.get("opened")
        token = self._token(opened) if opened is not None else ""
        base, sends = self._opening.base_url, self._opening.sends
        return render(request, template, status, reader=None, token=token, base=base, sends=sends, **shown)

    def _token(self, opened: Opened) -> str:
        return self._opening.edge.readers.forms_of(opened.id)
