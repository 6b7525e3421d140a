"""The way back to an application by mail, and the end of its reminders, under `/registration/drafts`.

Neither page has anything of any draft in it, so neither asks for a cookie.
"""

from __future__ import annotations

from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from services.registration.applying.browsing import DRAFTS, Browsing
from services.registration.applying.opening import Opening
from services.registration.domain.drafts import EMAIL, mail_address
from services.registration.work.reminding import Reminding
from services.registration.work.ways_back import LINKS_A_DAY, WaysBack
from shared.errors import Refusal, rule_of
from shared.web.callers import everybody
from shared.web.pages.readers import check_same_site
from shared.web.pages.sent import sent_form
from shared.web.routing import Routes

LOST = f"{DRAFTS}/lost"
TYPED = EMAIL.rpartition("/")[2]


class WaysBackPages:
    """The routes."""

    def __init__(self, opening: Opening, ways_back: WaysBack, reminding: Reminding) -> None:
        self._opening = opening
        self._browsing = Browsing(opening)
        self._ways_back = ways_back
        self._reminding = reminding
        self.router = Routes(include_in_schema=False, dependencies=[Depends(everybody)])
        for path, method, endpoint in (
            ("/drafts/lost", "GET", self.ask),
            ("/drafts/lost", "POST", self.asked),
            ("/drafts/lost/asked", "GET", self.answered),
            ("/drafts/reminders/{token}", "GET", self.confirm),
            ("/drafts/reminders/{token}", "POST", self.stop),
        ):
            self.router.add_api_route(path, endpoint, methods=[method])

    async def ask(self, request: Request) -> Response:
        self._offered()
        return self._browsing.page(request, "draft_lost.html", name=TYPED, typed="", problem="", failed=False)

    async def asked(self, request: Request) -> Response:
        """The same for every address: what comes of it is looked at afterwards."""
        self._offered()
        check_same_site(request)
        typed = dict(await sent_form(request)).get(TYPED, "")
        address = mail_address(typed)
        if address is None:
            problem = rule_of("missing" if not typed.strip() else "string_pattern_mismatch")
            return self._browsing.page(
                request, "draft_lost.html", 422, name=TYPED, typed=typed, problem=problem, failed=True
            )
        self._opening.count_link(request)
        await self._ways_back.ask(address)
        return RedirectResponse(f"{LOST}/asked", 303)

    async def answered(self, request: Request) -> Response:
        self._offered()
        return self._browsing.page(request, "draft_lost_asked.html", links=LINKS_A_DAY)

    async def confirm(self, token: str, request: Request) -> Response:
        """Fetching the address ends nothing: link checkers of mail do that too."""
        self._reminding.stops.address_of(token)
        return self._browsing.page(request, "draft_reminders.html", stopped=False)

    async def stop(self, token: str, request: Request) -> Response:
        await self._reminding.stop(token)
        return self._browsing.page(request, "draft_reminders.html", stopped=True)

    def _offered(self) -> None:
        if not self._opening.sends:
            raise Refusal("not_found", status=404)
