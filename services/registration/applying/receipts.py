"""The receipt of an application that was sent: whatever is left of its form leads there."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from services.registration.applying.browsing import APPLICATION, RECEIPT, Browsing
from services.registration.applying.forming import Forming
from services.registration.applying.opening import Opening
from services.registration.applying.parts import Part
from services.registration.work.drafts import Opened
from shared.clock import instant_of
from shared.errors import Problem
from shared.intake.submissions import SUBMISSIONS
from shared.store.port import Document
from shared.web.pages.filled import Option
from shared.web.pages.formatting import REFERENCE_CHARACTERS
from shared.web.pages.forms import Posted
from shared.web.pages.receipt import receipt_file, text_of_receipt

CONFLICT = 409


class Receipts:
    """What became of what was sent, by the cookie of the application."""

    def __init__(self, opening: Opening, browsing: Browsing, forming: Forming) -> None:
        self._opening = opening
        self._browsing = browsing
        self._forming = forming

    async def receipt(self, request: Request) -> Response:
        opened = await self._browsing.opened(request)
        return opened if isinstance(opened, Response) else await self._page(request, opened)

    async def since(self, request: Request, opened: Opened, part: Part, posted: Posted) -> Response:
        """The receipt for whoever goes on with a form of what was sent: 409 with what was typed in it since."""
        stands = self._forming.form(request, opened, part.fields, Posted.of(opened.typed)).answers
        typed = self._forming.form(request, opened, part.fields, posted).answers
        since = [one for one in typed if one not in stands]
        if typed == stands:
            return RedirectResponse(RECEIPT, 303)
        return await self.too_late(request, opened, since)

    async def too_late(self, request: Request, opened: Opened, since: Sequence[Option] = ()) -> Response:
        """The receipt, with what came after it was sent and is no part of it (409)."""
        return await self._page(request, opened, since, CONFLICT)

    async def signed(self, request: Request) -> Response:
        """The signed receipt as a file."""
        opened = await self._browsing.opened(request)
        if isinstance(opened, Response):
            return opened
        document = await self._submission(opened)
        if document is None:
            return RedirectResponse(APPLICATION, 303)
        return receipt_file(await self._opening.intake.receipt(document))

    async def reopen(self, request: Request) -> Response:
        """What was refused can be put right and submitted again."""
        opened = await self._browsing.checked(request)
        if isinstance(opened, Response):
            return opened
        document = await self._submission(opened)
        if document is not None and document["status"] == "refused":
            await self._opening.drafting.reopened(opened.code)
        return RedirectResponse(APPLICATION, 303)

    async def _page(
        self, request: Request, opened: Opened, since: Sequence[Option] | None = None, status: int = 200
    ) -> Response:
        """`since`: what was typed after it was sent, and is no part of it; None where nobody went on."""
        document = await self._submission(opened)
        if document is None:
            return RedirectResponse(APPLICATION, 303)
        receipt = await self._opening.intake.receipt(document)
        problems = tuple(Problem(one["rule"], one["pointer"]) for one in document["problems"])
        form = self._forming.form(request, opened, self._forming.fields, Posted({}), problems)
        return self._browsing.page(
            request,
            "application_receipt.html",
            status,
            opened=opened,
            found={"id": document["_id"], "status": document["status"]},
            reference=str(receipt["subject"])[:REFERENCE_CHARACTERS],
            received=instant_of(str(receipt["received_at"])),
            problems=[words for _, words in form.summary],
            state=await self._stands(opened, str(receipt["subject"])),
            signed=text_of_receipt(receipt),
            since=since,
            at=RECEIPT,
        )

    async def _submission(self, opened: Opened) -> Document | None:
        return await self._opening.edge.store.load(SUBMISSIONS.name, opened.draft.receipt or "")

    async def _stands(self, opened: Opened, id: str) -> str:
        """Where the case stands that the application became, as its page says it to the person; empty where there is
        none, or the account is another person's by now."""
        served = self._forming.served
        case = await self._opening.edge.store.load(served.aggregate.name, id)
        principal = self._opening.principal_of(opened)
        person = await self._opening.handing_over.person_of(principal.account)
        if case is None or case["state"]["person"] != person:
            return ""
        return served.represent(case, principal).state
