"""Page: published figures of a programme as a file, asked for here and fetched from the page of its job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from services.monitoring.exports_api import asked_in, exported
from services.monitoring.published import Published
from services.monitoring.work.exporting import CREATE, EXPORTS, KIND, Exporting, FormatCode
from shared.clock import text_of
from shared.errors import CommandReused, Overloaded, Problem, Refusal
from shared.jobs.documents import JOBS
from shared.jobs.running import Jobs
from shared.programmes.definitions import Definitions
from shared.programmes.model import Definition
from shared.store.port import Document
from shared.web.conditions import is_key
from shared.web.jobs import JobBase, job_seen, newest_first
from shared.web.lists import page_of, query
from shared.web.pages.cases import narrowing
from shared.web.pages.kept import KEY
from shared.web.pages.languages import PARAMETER
from shared.web.pages.readers import Admitted, check_forgery, reading_as
from shared.web.pages.refused import Refused
from shared.web.pages.rendering import render
from shared.web.pages.sent import sent_form
from shared.web.pages.words import rule_words
from shared.web.routing import Routes

PATH = f"/{EXPORTS}/{{programme}}"
# Instants that are offered, the newest of those at which something was published.
INSTANTS_AT_MOST = 100
_ASKING = reading_as(EXPORTS, CREATE)


class ExportPages:
    """`GET`, `POST /exports/{programme}`."""

    def __init__(self, exporting: Exporting, jobs: Jobs, published: Published, definitions: Definitions) -> None:
        self._exporting = exporting
        self._jobs = jobs
        self._published = published
        self._definitions = definitions
        self.router = Routes(include_in_schema=False)
        self.router.add_api_route(PATH, self.form, methods=["GET"])
        self.router.add_api_route(PATH, self.send, methods=["POST"])

    async def form(self, programme: str, request: Request, admitted: Admitted = Depends(_ASKING)) -> Response:
        query(request, PARAMETER)
        return await self._page(request, admitted, programme, {"language": admitted.reader.language})

    async def send(self, programme: str, request: Request, admitted: Admitted = Depends(_ASKING)) -> Response:
        fields = dict(await sent_form(request))
        check_forgery(request, fields, admitted.reader)
        try:
            document = await self._asked(request, admitted, programme, fields)
        except (Refusal, CommandReused, Overloaded) as error:
            if isinstance(error, Refusal) and error.status == 404:
                raise
            refused = Refused.by(error)
            page = await self._page(request, admitted, programme, fields, refused.problems, refused.status)
            return refused.over(page)
        return RedirectResponse(f"/{admitted.edge.service}/{JOBS.name}/{document['_id']}", 303)

    async def _asked(self, request: Request, admitted: Admitted, programme: str, fields: dict[str, str]) -> Document:
        key = fields.get(KEY, "")
        if not is_key(key):
            raise Refusal("idempotency_key_malformed", "the key that the form has", status=422)
        return await exported(request, admitted, self._exporting, self._jobs, programme, asked_in(fields), key)

    async def _page(
        self,
        request: Request,
        admitted: Admitted,
        programme: str,
        sent: dict[str, str],
        problems: Sequence[Problem] = (),
        status: int = 200,
    ) -> Response:
        definition, issued = self._definitions.newest(programme), (await self._published.series(programme)).issued
        instants = sorted({one.at for one in issued}, reverse=True)[:INSTANTS_AT_MOST]
        return render(
            request,
            "exports.html",
            status,
            reader=admitted.reader,
            service=admitted.edge.service,
            definition=definition,
            forms=get_args(FormatCode),
            periods=_periods(definition, [one.period for one in issued]),
            instants=[(text_of(one), one) for one in instants],
            sent=sent,
            asked=await self._own(request, admitted),
            key=admitted.edge.runtime.new_id(),
            key_name=KEY,
            wrong=[(one.pointer.rpartition("/")[2], _said(admitted, one)) for one in problems],
            failed=bool(problems),
        )

    async def _own(self, request: Request, admitted: Admitted) -> list[JobBase]:
        """What the reader asked for, the newest first."""
        own = newest_first([("own", admitted.principal.account)])
        found, _ = await page_of(narrowing(request), JOBS.name, own)
        return [await job_seen(self._jobs, one, admitted) for one in found if one["kind"] == KIND]


def _said(admitted: Admitted, problem: Problem) -> str:
    return rule_words(admitted.reader.language, problem.rule, problem.pointer)


def _periods(definition: Definition, published: Sequence[str]) -> list[tuple[str, Any]]:
    """Each of which something was published, by its code and its name: None where the definition has it no more."""
    known = {one.code: one.name for one in definition.periods}
    ordered = [*(code for code in known if code in published), *(code for code in published if code not in known)]
    return [(code, known.get(code)) for code in dict.fromkeys(ordered)]
