"""Monitoring's HTTP edge: figures through the gate of disclosure, and the read model's rebuild."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from fastapi import Depends, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from services.monitoring import views
from services.monitoring.answers import Asked, Figures, Newest
from services.monitoring.domain.disclosure import Viewer
from services.monitoring.published import Published
from services.monitoring.rebuild import Report
from shared.cases.bodies import Input
from shared.contracts.base import TIME_FORM
from shared.errors import Refusal
from shared.web.answers import answered, listed_answers
from shared.web.bodies import documented, read_body
from shared.web.callers import Granted, may
from shared.web.lists import query
from shared.web.pages.formatting import text_in
from shared.web.pages.languages import LANGUAGES, preferred
from shared.web.routing import Routes

PARAMETERS: list[dict[str, Any]] = [
    {"name": "period", "in": "query", "schema": {"type": "string"}, "description": "Code of a period."},
    {
        "name": "as_of",
        "in": "query",
        "schema": {"type": "string", "format": TIME_FORM.format, "pattern": TIME_FORM.pattern},
        "description": "As it was known at this instant, which must not lie above the watermark.",
    },
    {
        "name": "definition",
        "in": "query",
        "schema": {"type": "integer", "minimum": 1},
        "description": "Version of the programme's definition; without it the newest.",
    },
    {
        "name": "office",
        "in": "query",
        "schema": {"type": "string"},
        "description": "One office's figures alone: an officer's own, or any for whoever sees all of them.",
    },
    {"name": "by", "in": "query", "schema": {"type": "string"}, "description": "Dimensions, with commas between."},
]


NAMED_IN: dict[str, Any] = {
    "name": "Accept-Language",
    "in": "header",
    "schema": {"type": "string"},
    "description": f"In which of {', '.join(LANGUAGES)} names are told, where the programme has it. Codes are codes.",
}
VARIES = {"Vary": "Accept-Language"}


SUMMARIES: Mapping[str, str] = {
    "programmes_list": "The published programmes",
    "indicators_list": "Every indicator of a programme with its figure",
    "indicators_read": "One indicator, by period, as of an instant, by dimension",
    "periods_list": "The periods that figures are for",
}


class Definitions(Newest, Protocol):
    """Every published programme."""

    def codes(self) -> list[str]: ...


class Api:
    """The routes over one replica's figures."""

    def __init__(
        self,
        figures: Figures,
        published: Published,
        definitions: Definitions,
        rebuild: Callable[[], Awaitable[Report]],
    ) -> None:
        self._figures = figures
        self._published = published
        self._definitions = definitions
        self._rebuild = rebuild
        self.router = Routes()
        every = listed_answers(views.IndicatorFigure)
        one = answered(views.IndicatorFigure, "As it is known at the instant that was asked for.")
        self._get("/programmes", self._programmes_route(), listed_answers(views.ProgrammeFigures))
        self._get("/programmes/{code}/indicators", self._indicators_route(), every, PARAMETERS)
        self._get("/programmes/{code}/indicators/{indicator}", self._indicator_route(), one, PARAMETERS)
        self._get("/programmes/{code}/periods", self._periods_route(), listed_answers(views.PeriodSeen))
        self.router.add_api_route(
            "/read-model/rebuild",
            self._rebuild_route(),
            methods=["POST"],
            summary="Builds the read model anew beside the live one, and goes on with it where the two are equal",
            operation_id="read_model_rebuild",
            openapi_extra={
                **documented(Input, {}),
                "responses": answered(views.RebuildReport, "What was read, and whether every table is equal."),
            },
            tags=["read-model"],
        )

    def _get(
        self,
        path: str,
        endpoint: Callable[..., Any],
        responses: Mapping[str, Any],
        parameters: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        summary, parameters = SUMMARIES[endpoint.__name__], [*parameters, NAMED_IN]
        self.router.add_read(path, endpoint, summary=summary, tag="figures", responses=responses, parameters=parameters)

    def _programmes_route(self) -> Callable[..., Any]:
        async def programmes_list(request: Request, _granted: Granted = Depends(may("indicators", "list"))) -> Response:
            query(request)
            language = preferred(request)
            return _named([self._programme(code, language) for code in self._definitions.codes()])

        return programmes_list

    def _programme(self, code: str, language: str) -> dict[str, Any]:
        definition = self._definitions.newest(code)
        return {
            "code": code,
            "version": self._definitions.newest_version(code),
            "title": text_in(language, definition.title),
            "phase": definition.phase,
            "starts": definition.dates.starts.isoformat(),
            "ends": definition.dates.ends.isoformat(),
        }

    def _indicators_route(self) -> Callable[..., Any]:
        async def indicators_list(
            code: str, request: Request, granted: Granted = Depends(may("indicators", "list"))
        ) -> Response:
            return _named(await self._figures.indicators(code, asked_of(request), viewer_of(granted)))

        return indicators_list

    def _indicator_route(self) -> Callable[..., Any]:
        async def indicators_read(
            code: str, indicator: str, request: Request, granted: Granted = Depends(may("indicators", "read"))
        ) -> Response:
            found = await self._figures.indicator(code, indicator, asked_of(request), viewer_of(granted))
            return JSONResponse(found, headers=VARIES)

        return indicators_read

    def _periods_route(self) -> Callable[..., Any]:
        async def periods_list(
            code: str, request: Request, _granted: Granted = Depends(may("periods", "list"))
        ) -> Response:
            query(request)
            periods, language = self._definitions.newest(code).periods, preferred(request)
            states = await self._published.states(code, [one.code for one in periods])
            return _named(
                [
                    {
                        "code": period.code,
                        "name": text_in(language, period.name),
                        "series": period.series,
                        "starts": period.starts.isoformat(),
                        "ends": period.ends.isoformat(),
                        "state": states[period.code],
                    }
                    for period in periods
                ]
            )

        return periods_list

    def _rebuild_route(self) -> Callable[..., Any]:
        async def rebuild(request: Request, _granted: Granted = Depends(may("read-model", "rebuild"))) -> Response:
            query(request)
            await read_body(request, Input)
            report = await self._rebuild()
            digests = {table: {"live": live, "new": new} for table, (live, new) in report.digests.items()}
            return JSONResponse(
                {"events": report.events, "seconds": report.seconds, "equal": report.equal, "digests": digests}
            )

        return rebuild


def asked_of(request: Request) -> Asked:
    """The question in the query; Refusal 422 for a parameter that there is not."""
    given: Mapping[str, str] = query(request, "period", "as_of", "by", "definition", "office")
    by = tuple(code for code in given.get("by", "").split(",") if code)
    definition, office = given.get("definition"), given.get("office")
    return Asked(given.get("period"), given.get("as_of"), by, definition, office, preferred(request))


def viewer_of(granted: Granted) -> Viewer:
    """Who may break figures down sees them live: of the own office, or of all; everybody else is an evaluator."""
    live = granted.edge.policy.allowed(granted.principal, "indicators", "disaggregate")
    if granted.grants[0].relation == "all":
        return Viewer(live=bool(live))
    if granted.principal.office is None:
        raise Refusal("token_without_office", status=403)
    return Viewer(live=bool(live), office=granted.principal.office)


def _named(items: list[dict[str, Any]]) -> JSONResponse:
    return JSONResponse({"items": items, "next": None}, headers=VARIES)
