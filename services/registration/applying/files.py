"""The files of an application, under `/registration/application/files`: one whole from a form, or in pieces that resume
from the script of the page; by the cookie of the application, as its other pages."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from services.registration.applying.browsing import APPLICATION, RECEIPT, Browsing
from services.registration.applying.opening import Opening
from services.registration.applying.receipts import Receipts
from services.registration.domain.files import StoredFile
from services.registration.files.chosen import Limits, Listed, Row, begun_in, chosen, key_sent, rows_of
from services.registration.files.resumed import file_of, headers_of, piece_of, received
from services.registration.work.draft_files import DraftFiles
from services.registration.work.drafting import SUBMITTED
from services.registration.work.drafts import Opened
from services.registration.work.whole_files import Whole
from shared.errors import CommandReused, Refusal
from shared.web.acting import id_of
from shared.web.callers import everybody
from shared.web.pages.forms import Posted
from shared.web.pages.kept import KEY
from shared.web.pages.multipart import pass_over
from shared.web.pages.readers import FORGED, FORGERY_FIELD, check_same_site
from shared.web.pages.refused import Refused
from shared.web.pages.sent import sent_form
from shared.web.routing import Routes

FILES = f"{APPLICATION}/files"


def status_of(rows: Sequence[Row]) -> str:
    """As `parts.status_of`: finished once nothing that is needed is missing."""
    if not any(one.state.counts for row in rows for one in row.files):
        return "not_begun"
    return "begun" if any(row.is_missing for row in rows) else "finished"


class ApplicationFiles:
    """The routes."""

    def __init__(self, opening: Opening, browsing: Browsing, files: DraftFiles, receipts: Receipts) -> None:
        self._opening = opening
        self._browsing = browsing
        self._files = files
        self._receipts = receipts
        self.router = Routes(include_in_schema=False, dependencies=[Depends(everybody)])
        path = "/application/files"
        for at, method, endpoint in (
            (path, "GET", self.show),
            (path, "POST", self.begin),
            (f"{path}/whole/{{document}}", "POST", self.whole),
            (f"{path}/{{file}}", "GET", self.progress),
            (f"{path}/{{file}}", "PATCH", self.receive),
            (f"{path}/{{file}}/remove", "POST", self.remove),
            (f"{path}/{{file}}/read", "POST", self.read),
        ):
            self.router.add_api_route(at, endpoint, methods=[method])

    async def rows(self, opened: Opened) -> list[Row]:
        """By document that is asked for; none where the programme asks for none."""
        asked = self._files.asked(opened)
        files = [Listed(one.id, one.state, one.name) for one in await self._files.of(opened)] if asked else []
        return rows_of(asked, files, FILES, self._opening.edge.runtime)

    async def show(self, request: Request) -> Response:
        opened = await self._browsing.editable(request)
        return opened if isinstance(opened, Response) else await self._page(request, opened, {})

    async def begin(self, request: Request) -> Response:
        """A file that the script of the page sends in pieces; where it goes is in `Location`."""
        opened = await self._browsing.checked(request)
        if isinstance(opened, Response):
            return opened
        posted = Posted.of(await sent_form(request))
        said = begun_in(posted)
        self._opening.count_file(request)
        id, state = await self._files.begin(opened, said, key_sent(posted.text(KEY)))
        return Response(None, 201, {"Location": f"{FILES}/{id}", **headers_of(state)})

    async def whole(self, document: str, request: Request) -> Response:
        """A file as a form sends it. What is wrong with it is said at its document; nothing else is lost."""
        check_same_site(request)
        opened = await self._opening.of(request)
        if opened is None:
            await pass_over(request)
            return await self._browsing.kept(request, [])
        try:
            sent = await chosen(request)
            self._browsing.check(opened, sent.fields.get(FORGERY_FIELD, ""))
            self._opening.count_file(request)
            whole = Whole(document, sent.name, sent.media_type, sent.parts)
            await self._files.add(opened, whole, key_sent(sent.fields.get(KEY, "")))
        except (Refusal, CommandReused) as error:
            if isinstance(error, Refusal) and error.rule == FORGED:
                raise
            await pass_over(request)
            refused = Refused.by(error)
            if refused.rule == SUBMITTED:
                return await self._receipts.too_late(request, opened)
            return await self._page(request, opened, {document: refused.rule}, refused.status)
        return RedirectResponse(FILES, 303)

    async def progress(self, file: str, request: Request) -> Response:
        opened = await self._browsing.opened(request)
        if isinstance(opened, Response):
            return opened
        return Response(None, 204, headers_of(await self._files.state(opened, id_of(file))))

    async def receive(self, file: str, request: Request) -> Response:
        check_same_site(request)
        opened = await self._browsing.opened(request)
        if isinstance(opened, Response):
            return opened

        async def state() -> StoredFile:
            return await self._files.state(opened, id_of(file))

        piece = piece_of(request)
        taken = self._files.receive(opened, id_of(file), piece.offset, request.stream(), complete=piece.complete)
        found = await received(taken, state)
        return found if isinstance(found, Response) else Response(None, 204, headers_of(found))

    async def remove(self, file: str, request: Request) -> Response:
        opened = await self._browsing.checked(request)
        if isinstance(opened, Response):
            return opened
        if opened.draft.status == "submitted":
            return RedirectResponse(RECEIPT, 303)
        await self._files.remove(opened, id_of(file))
        return RedirectResponse(FILES, 303)

    async def read(self, file: str, request: Request) -> Response:
        opened = await self._browsing.checked(request)
        if isinstance(opened, Response):
            return opened
        return await file_of(*await self._files.read(opened, id_of(file)))

    async def _page(self, request: Request, opened: Opened, wrong: dict[str, str], status: int = 200) -> Response:
        return self._browsing.page(
            request,
            "application_files.html",
            status,
            opened=opened,
            rows=await self.rows(opened),
            wrong=wrong,
            failed=bool(wrong),
            limits=Limits(),
            key_name=KEY,
        )
