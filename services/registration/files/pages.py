"""Pages: the files of a case, listed, added and opened for a purpose, as the JSON edge does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from services.registration.domain.experts import EXPERT
from services.registration.domain.files import FILE_PURPOSES, FileReading, StoredFile
from services.registration.files.api import ADD, FILES, PATH, READ
from services.registration.files.chosen import Limits, Listed, begun_in, chosen, key_sent, rows_of
from services.registration.files.resumed import file_of, headers_of, piece_of, received
from services.registration.identifiers import SERVICE
from services.registration.store import EXPERTS
from services.registration.work.case_files import CaseFiles
from services.registration.work.whole_files import Whole
from shared.errors import CommandReused, Refusal
from shared.store.aggregates import Cause
from shared.store.port import Document
from shared.web import bodies
from shared.web.acting import id_of
from shared.web.commands import cause
from shared.web.lists import query
from shared.web.pages.cases import newest_of
from shared.web.pages.forms import Posted, fields_of, json_of
from shared.web.pages.kept import KEY
from shared.web.pages.languages import PARAMETER
from shared.web.pages.multipart import pass_over
from shared.web.pages.readers import FORGED, Admitted, check_forgery, check_same_site, reading_as
from shared.web.pages.refused import Refused
from shared.web.pages.rendering import render
from shared.web.pages.sent import sent_form
from shared.web.pages.shown import Shown
from shared.web.pages.standing import zone_of
from shared.web.routing import Routes


class CaseFilePages:
    """`GET`, `POST /experts/{id}/files`, and below it `POST /whole/{document}`, `GET`, `PATCH /{file}`, `POST
    /{file}/remove` and `/{file}/read`."""

    def __init__(self, files: CaseFiles) -> None:
        self._files = files
        self.router = Routes(include_in_schema=False)
        for path, method, endpoint in (
            (PATH, "GET", self._show()),
            (PATH, "POST", self._begin()),
            (f"{PATH}/whole/{{document}}", "POST", self._whole()),
            (f"{PATH}/{{file}}", "GET", self._progress()),
            (f"{PATH}/{{file}}", "PATCH", self._receive()),
            (f"{PATH}/{{file}}/remove", "POST", self._remove()),
            (f"{PATH}/{{file}}/read", "POST", self._read()),
        ):
            self.router.add_api_route(path, endpoint, methods=[method])

    def _show(self) -> Callable[..., Any]:
        async def show(
            id: str, request: Request, admitted: Admitted = Depends(reading_as(EXPERT.name, FILES))
        ) -> Response:
            query(request, PARAMETER)
            return await self._page(request, admitted, await admitted.load(EXPERTS.name, id_of(id)), {})

        return show

    def _begin(self) -> Callable[..., Any]:
        async def begin(
            id: str, request: Request, admitted: Admitted = Depends(reading_as(EXPERT.name, ADD))
        ) -> Response:
            sent = await sent_form(request)
            check_forgery(request, dict(sent), admitted.reader)
            expert = await admitted.load(EXPERTS.name, id_of(id))
            posted = Posted.of(sent)
            said, by = begun_in(posted), _cause(request, admitted, expert, posted.text(KEY))
            file, state = await self._files.begin(expert, said, admitted, by)
            return Response(None, 201, {"Location": f"{_at(expert)}/{file}", **headers_of(state)})

        return begin

    def _whole(self) -> Callable[..., Any]:
        async def whole(
            id: str, document: str, request: Request, admitted: Admitted = Depends(reading_as(EXPERT.name, ADD))
        ) -> Response:
            check_same_site(request)
            expert = await admitted.load(EXPERTS.name, id_of(id))
            try:
                sent = await chosen(request)
                check_forgery(request, sent.fields, admitted.reader)
                by = _cause(request, admitted, expert, sent.fields.get(KEY, ""))
                found = Whole(document, sent.name, sent.media_type, sent.parts)
                await self._files.add(expert, found, admitted, by)
            except (Refusal, CommandReused) as error:
                if isinstance(error, Refusal) and error.rule == FORGED:
                    raise
                await pass_over(request)
                refused = Refused.by(error)
                return await self._page(request, admitted, expert, {document: refused.rule}, refused.status)
            return RedirectResponse(_at(expert), 303)

        return whole

    def _progress(self) -> Callable[..., Any]:
        async def progress(
            id: str, file: str, request: Request, admitted: Admitted = Depends(reading_as(EXPERT.name, ADD))
        ) -> Response:
            query(request)
            expert = await admitted.load(EXPERTS.name, id_of(id))
            return Response(None, 204, headers_of(await self._files.one(expert, id_of(file))))

        return progress

    def _receive(self) -> Callable[..., Any]:
        async def receive(
            id: str, file: str, request: Request, admitted: Admitted = Depends(reading_as(EXPERT.name, ADD))
        ) -> Response:
            check_same_site(request)
            expert, piece = await admitted.load(EXPERTS.name, id_of(id)), piece_of(request)

            async def state() -> StoredFile:
                return await self._files.one(expert, id_of(file))

            taken = self._files.receive(expert, id_of(file), piece.offset, request.stream(), complete=piece.complete)
            found = await received(taken, state)
            return found if isinstance(found, Response) else Response(None, 204, headers_of(found))

        return receive

    def _remove(self) -> Callable[..., Any]:
        async def remove(
            id: str, file: str, request: Request, admitted: Admitted = Depends(reading_as(EXPERT.name, ADD))
        ) -> Response:
            check_forgery(request, dict(await sent_form(request)), admitted.reader)
            expert = await admitted.load(EXPERTS.name, id_of(id))
            await self._files.remove(expert, id_of(file), admitted)
            return RedirectResponse(_at(expert), 303)

        return remove

    def _read(self) -> Callable[..., Any]:
        async def read(
            id: str, file: str, request: Request, admitted: Admitted = Depends(reading_as(EXPERT.name, READ))
        ) -> Response:
            sent = await sent_form(request)
            check_forgery(request, dict(sent), admitted.reader)
            expert = await admitted.load(EXPERTS.name, id_of(id))
            fields = fields_of(FileReading.model_json_schema())
            asked: FileReading = bodies.body_of(FileReading, json_of(fields, Posted.of(sent))).model
            return await file_of(*await self._files.read(expert, id_of(file), admitted, asked.purpose))

        return read

    async def _page(
        self, request: Request, admitted: Admitted, expert: Document, wrong: dict[str, str], status: int = 200
    ) -> Response:
        files = [Listed(id, state) for id, state in await self._files.of(expert)]
        asked = self._files.shown(expert, (one.state for one in files))
        role = admitted.principal.role
        return render(
            request,
            "case_files.html",
            status,
            reader=admitted.reader,
            service=SERVICE,
            id=expert["_id"],
            rows=rows_of(asked, files, _at(expert), admitted.edge.runtime),
            at=_at(expert),
            takes=self._files.takes(expert, admitted)
            and bool(admitted.edge.policy.allowed(admitted.principal, EXPERT.name, ADD)),
            purposes=() if role == "expert" else FILE_PURPOSES,
            cells=Shown.to(admitted, case=zone_of(EXPERT, EXPERTS.read(expert), newest_of(admitted.edge.definitions))),
            wrong=wrong,
            failed=bool(wrong),
            limits=Limits(),
            key_name=KEY,
            token=admitted.reader.csrf,
        )


def _at(expert: Document) -> str:
    return f"/{SERVICE}{PATH.replace('{id}', expert['_id'])}"


def _cause(request: Request, admitted: Admitted, expert: Document, key: str) -> Cause:
    """The same command as at the JSON edge under that key."""
    route = f"POST /{SERVICE}/v1{PATH.replace('{id}', expert['_id'])}"
    return cause(request, admitted, route, key_sent(key), "")
