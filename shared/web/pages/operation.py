"""The page of whoever runs a service: what is not finished, which records wait to be mended, the settings in force.

Each act is that of the JSON edge. A record is given up by its place in the log: a second press gives up no other one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from fastapi import Depends, Request
from markupsafe import Markup, escape
from starlette.responses import RedirectResponse, Response

from shared.clock import instant_of
from shared.errors import Problem
from shared.messaging.shadow import FAILED, PARKED_FOR, REFUSED
from shared.replica import Replica
from shared.web import bodies
from shared.web.acting import id_of
from shared.web.backlog import PARTS, Sparing
from shared.web.bodies import documented
from shared.web.lists import OF_EVERY_LIST, Paged, page_of, query
from shared.web.operation import DROP, Drop, DropReason, parked_seen, settings_of
from shared.web.pages.cases import narrowing
from shared.web.pages.formatting import reference
from shared.web.pages.forms import Posted, fields_of, json_of
from shared.web.pages.languages import PARAMETER
from shared.web.pages.readers import Admitted, check_forgery, reading_as
from shared.web.pages.refused import Refused
from shared.web.pages.rendering import render
from shared.web.pages.sent import sent_form
from shared.web.pages.shown import Shown
from shared.web.pages.standard_names import Names
from shared.web.pages.words import translations
from shared.web.problems import ANSWERS
from shared.web.routing import Routes

PATH = "/operation"
# By which words the catalogues name what a report counts, and why a record is parked.
UNFINISHED, PARKED = "unfinished", "parked"
WATERMARK = "watermark"
DONE = "done"
_FIELDS = fields_of(documented(Drop, DROP)["requestBody"]["content"]["application/json"]["schema"])


def link(language: str) -> str:
    """What leads here from the page of today."""
    return translations(language).gettext("How this service runs")


class OperationPages:
    """`GET /operation`, `POST /operation/{id}/replay` and `/drop`; the id is the subject's."""

    def __init__(self, replica: Replica, report: Sparing) -> None:
        self._replica = replica
        self._report = report
        self.router = Routes(include_in_schema=False)
        self.router.add_api_route(PATH, self._shown(), methods=["GET"])
        self.router.add_api_route(PATH + "/{id}/replay", self._replayed(), methods=["POST"])
        self.router.add_api_route(PATH + "/{id}/drop", self._dropped(), methods=["POST"])

    def _shown(self) -> Any:
        async def endpoint(request: Request, admitted: Admitted = Depends(reading_as("parked", "list"))) -> Response:
            done = query(request, DONE, PARAMETER, *OF_EVERY_LIST).get(DONE, "")
            return await self._page(request, admitted, done=done if done in ("replay", "drop") else "")

        return endpoint

    def _replayed(self) -> Any:
        async def endpoint(
            id: str, request: Request, admitted: Admitted = Depends(reading_as("parked", "replay"))
        ) -> Response:
            check_forgery(request, dict(await sent_form(request)), admitted.reader)
            await admitted.load(self._replica.shadows.name, id_of(id))
            await self._replica.replay(id)
            return self._to(request, "replay")

        return endpoint

    def _dropped(self) -> Any:
        async def endpoint(
            id: str, request: Request, admitted: Admitted = Depends(reading_as("parked", "drop"))
        ) -> Response:
            sent = dict(await sent_form(request))
            check_forgery(request, sent, admitted.reader)
            await admitted.load(self._replica.shadows.name, id_of(id))
            try:
                asked: Drop = bodies.body_of(Drop, json_of(_FIELDS, Posted.of([*sent.items()]))).model
                said = {"reason": asked.reason, "by": admitted.principal.account}
                await self._replica.drop(id, (asked.topic, asked.partition, asked.offset), said)
            except tuple(ANSWERS) as error:
                refused = Refused.by(error)
                page = await self._page(request, admitted, problems=refused.problems, status=refused.status)
                return refused.over(page)
            return self._to(request, "drop")

        return endpoint

    def _to(self, request: Request, verb: str) -> Response:
        return RedirectResponse(f"{request.scope.get('root_path', '')}{PATH}?{DONE}={verb}", 303)

    async def _page(
        self,
        request: Request,
        admitted: Admitted,
        *,
        done: str = "",
        problems: tuple[Problem, ...] = (),
        status: int = 200,
    ) -> Response:
        replica = self._replica
        listed = Paged.of((await admitted.equalities())[0])
        found, following = await page_of(narrowing(request), replica.shadows.name, listed)
        report, language = await self._report(), admitted.reader.language
        return render(
            request,
            "operation.html",
            status,
            reader=admitted.reader,
            service=replica.service,
            subjects=[parked_seen(one) for one in found],
            following=following,
            why=lambda reason: why_parked(reason, language),
            unfinished=_told(report, Shown.to(admitted)),
            lag={name: number for name, number in report["lag"].items() if number},
            settings=await settings_of(replica.ports),
            reasons=get_args(DropReason),
            rules=[one.rule for one in problems],
            done=done,
        )


def _told(report: Mapping[str, Any], cells: Shown) -> list[tuple[str, Markup | str]]:
    """What is not finished, each with its words. Ages are in whole seconds."""
    said = {name: value for name, value in report.items() if name not in PARTS and value is not None}
    if WATERMARK in said:
        said[WATERMARK] = instant_of(said[WATERMARK])
    names = Names(cells.language)
    return [
        (names.code(UNFINISHED, name), cells.value(name, round(value) if isinstance(value, float) else value))
        for name, value in said.items()
    ]


def why_parked(reason: str, language: str) -> Markup:
    """Why a record waits, with what the log's reader noted beside; of a refusal the words of its rule."""
    kind, _, more = reason.partition(":")
    said = Names(language).code(PARKED, kind if kind in PARKED_FOR else FAILED)
    rule = translations(language).gettext(f"rule:{more}")
    noted = escape(rule) if kind == REFUSED and rule != f"rule:{more}" else reference(more or kind)
    return Markup("{}: {}").format(said, noted) if more or kind not in PARKED_FOR else escape(said)
