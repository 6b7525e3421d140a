"""A browser at an application: what its cookie opens, whether a form came from its pages, and how a page is shown."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from services.registration.applying.opening import Opening
from services.registration.work.drafts import Opened
from shared.errors import Refusal
from shared.programmes.model import Office
from shared.web.pages.readers import FORGED, FORGERY_FIELD, check_same_site
from shared.web.pages.rendering import render
from shared.web.pages.sent import sent_form

APPLICATION, DRAFTS = "/registration/application", "/registration/drafts"
RECEIPT = f"{APPLICATION}/receipt"


@dataclass(frozen=True)
class Overtaken:
    """When another code took the place of the one that a browser held; `office`: which gave it, None for a link by
    mail."""

    at: datetime | None
    office: Office | None = None


class Browsing:
    """What the pages of an application have in common."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening

    async def opened(self, request: Request) -> Opened | Response:
        """The draft of this browser's cookie; else the page that asks for its code."""
        opened = await self._opening.of(request)
        return opened if opened is not None else RedirectResponse(DRAFTS, 303)

    async def editable(self, request: Request) -> Opened | Response:
        """As `opened`, for what shows it to be filled in: what was sent leads to its receipt."""
        opened = await self.opened(request)
        if isinstance(opened, Opened) and opened.draft.status == "submitted":
            return RedirectResponse(RECEIPT, 303)
        return opened

    async def overtaken(self, held: str | None) -> dict[str, Any]:
        """What a page says of why that code opens nothing any more; None of it where no other took its place."""
        draft = None if held is None else await self._opening.drafting.overtaken(held)
        if draft is None:
            return {"overtaken": None}
        definition, given = self._opening.definitions.newest(draft.programme), draft.office_knows
        if given is None:
            return {"overtaken": Overtaken(draft.renewed_at), "case_zone": definition.zone_of(None)}
        office = definition.office(given.office)
        return {"overtaken": Overtaken(given.at, office), "case_zone": definition.zone_of(given.office)}

    async def checked(self, request: Request) -> Opened | Response:
        """The same for what a form of that draft's pages sends. Raises Refusal 403 `forged`."""
        check_same_site(request)
        opened = await self._opening.of(request)
        form = await sent_form(request)
        if opened is None:
            return await self.kept(request, form)
        self.check(opened, dict(form).get(FORGERY_FIELD, ""))
        return opened

    async def kept(self, request: Request, sent: Sequence[tuple[str, str]]) -> Response:
        """What was typed, for a browser that has lost its cookie, or whose code opens nothing any more."""
        why = await self.overtaken(self._opening.held(request))
        return self.page(request, "draft_kept.html", 401, sent=sent, **why)

    def check(self, opened: Opened, token: str) -> None:
        """Raises Refusal 403 `forged` for a token of another draft's pages, or of none."""
        if not hmac.compare_digest(token.encode(), self._token(opened).encode()):
            raise Refusal(FORGED, status=403)

    def page(self, request: Request, template: str, status: int = 200, **shown: Any) -> Response:
        """Instants are said in the zone of the office that was chosen, or in that of the programme."""
        opened = shown.get("opened")
        if opened is not None:
            shown["case_zone"] = self._opening.definition_of(opened).zone_of(opened.office)
        token = self._token(opened) if opened is not None else ""
        base, sends = self._opening.base_url, self._opening.sends
        shown |= {"token": token, "base": base, "sends": sends}
        return render(request, template, status, reader=None, **shown)

    def _token(self, opened: Opened) -> str:
        return self._opening.edge.readers.forms_of(opened.id)
