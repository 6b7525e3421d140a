"""Pages: jobs that the reader may see, and how far one is, with its preview, its problems and its files.

Without script a page is loaded again by its link; with it, it is fetched again while it is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from shared.errors import Problem
from shared.jobs.documents import JOBS, MOVING, Status
from shared.jobs.kinds import CANCEL, CONFIRM, DOWNLOAD, LIST, READ
from shared.jobs.running import Jobs
from shared.store.port import Document
from shared.web.acting import id_of
from shared.web.jobs import STATE, RowProblemSeen, job_file, job_seen, newest_first
from shared.web.lists import OF_EVERY_LIST, page_of, query
from shared.web.pages.cases import narrowing
from shared.web.pages.languages import PARAMETER
from shared.web.pages.readers import Admitted, check_forgery, reading_as
from shared.web.pages.refused import Refused
from shared.web.pages.rendering import render
from shared.web.pages.sent import sent_form
from shared.web.pages.words import called, rule_words
from shared.web.problems import ANSWERS
from shared.web.routing import Routes

NAME = JOBS.name


class JobPages:
    """`GET /jobs`, `GET /jobs/{id}`, `POST /jobs/{id}/cancel`; where a kind has them `GET /jobs/{id}/files/{name}` and
    `POST /jobs/{id}/confirm`."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self.router = Routes(include_in_schema=False)
        add, kinds = self.router.add_api_route, jobs.kinds.values()
        add(f"/{NAME}", self.listed, methods=["GET"])
        add(f"/{NAME}/{{id}}", self.one, methods=["GET"])
        add(f"/{NAME}/{{id}}/{CANCEL}", self.cancel, methods=["POST"])
        if any(kind.waits for kind in kinds):
            add(f"/{NAME}/{{id}}/{CONFIRM}", self.confirm, methods=["POST"])
        if any(kind.media_types for kind in kinds):
            add(f"/{NAME}/{{id}}/files/{{name}}", self.file, methods=["GET"])

    async def listed(self, request: Request, admitted: Admitted = Depends(reading_as(NAME, LIST))) -> Response:
        state = query(request, STATE, PARAMETER, *OF_EVERY_LIST).get(STATE) or None
        paged = newest_first(await admitted.equalities(), state)
        found, following = await page_of(narrowing(request), NAME, paged)
        return render(
            request,
            "jobs.html",
            reader=admitted.reader,
            service=admitted.edge.service,
            jobs=[await job_seen(self._jobs, one, admitted) for one in found],
            following=following,
            states=get_args(Status),
            state=state or "",
        )

    async def one(self, id: str, request: Request, admitted: Admitted = Depends(reading_as(NAME, READ))) -> Response:
        query(request, PARAMETER)
        return await self._shown(request, admitted, await admitted.load(NAME, id_of(id)))

    async def cancel(
        self, id: str, request: Request, admitted: Admitted = Depends(reading_as(NAME, CANCEL))
    ) -> Response:
        return await self._done(id, request, admitted, CANCEL)

    async def confirm(
        self, id: str, request: Request, admitted: Admitted = Depends(reading_as(NAME, CONFIRM))
    ) -> Response:
        return await self._done(id, request, admitted, CONFIRM)

    async def file(
        self, id: str, name: str, request: Request, admitted: Admitted = Depends(reading_as(NAME, DOWNLOAD))
    ) -> Response:
        query(request, PARAMETER)
        document, account = await admitted.load(NAME, id_of(id)), admitted.principal.account
        return await job_file(self._jobs, document, id_of(name), account)

    async def _done(self, id: str, request: Request, admitted: Admitted, verb: str) -> Response:
        check_forgery(request, dict(await sent_form(request)), admitted.reader)
        document = await admitted.load(NAME, id_of(id))
        try:
            if verb == CANCEL:
                await self._jobs.cancel(id)
            else:
                await self._jobs.confirm(id, admitted.principal.account)
        except tuple(ANSWERS) as error:
            refused = Refused.by(error)
            stands = await admitted.load(NAME, document["_id"])
            return refused.over(await self._shown(request, admitted, stands, refused.problems, refused.status))
        return RedirectResponse(f"/{admitted.edge.service}/{NAME}/{id}", 303)

    async def _shown(
        self,
        request: Request,
        admitted: Admitted,
        document: Document,
        problems: Sequence[Problem] = (),
        status: int = 200,
    ) -> Response:
        found, language = await job_seen(self._jobs, document, admitted), admitted.reader.language
        downloads = bool(admitted.edge.policy.allowed(admitted.principal, NAME, DOWNLOAD))
        return render(
            request,
            "job.html",
            status,
            reader=admitted.reader,
            service=admitted.edge.service,
            job=found,
            moves=found.state in MOVING,
            rows=[_row(language, one) for one in found.problems],
            rule=rule_words(language, found.rule) if found.rule else "",
            files=found.result.files if found.result and downloads else (),
            address=f"/{admitted.edge.service}/{NAME}/{found.id}",
            wrong=[rule_words(language, one.rule) for one in problems],
            failed=bool(problems),
        )


def _row(language: str, problem: RowProblemSeen) -> dict[str, Any]:
    """A problem in words. `column`: as the form of the same field calls it."""
    column = called(language, problem.column.rpartition(".")[2]) if problem.column else ""
    said = rule_words(language, problem.rule, f"/{problem.column.replace('.', '/')}")
    return {"row": problem.row, "cell": problem.cell, "column": column, "said": said}
