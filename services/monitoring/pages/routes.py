"""Pages of figures: the dashboard, an indicator with its chart, its table to keep, streams that tell of changes.

Every figure is the JSON edge's answer to the same reader; nothing here asks the read model itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from services.monitoring.answers import Figures, Sheet, Wanted, narrowed_to
from services.monitoring.api import Definitions, viewer_of
from services.monitoring.domain.disclosure import Viewer
from services.monitoring.drawing import Drawing
from services.monitoring.pages.asking import FIGURES_AT_MOST, Filters, filters_of, of_dashboard, of_indicator
from services.monitoring.pages.chart import WIDTHS, spec_of
from services.monitoring.pages.lines import Lines
from services.monitoring.pages.live import Live, Look, digest_of
from services.monitoring.pages.table import table_of
from services.monitoring.pages.visits import Visits, visits_of
from shared.clock import Runtime, instant_of, text_of
from shared.errors import Refusal
from shared.programmes.model import Definition
from shared.web.pages.choices import Choices
from shared.web.pages.formatting import text_in
from shared.web.pages.languages import language_of
from shared.web.pages.readers import Admitted, reading_as
from shared.web.pages.rendering import render
from shared.web.routing import Routes
from shared.web.spreadsheet import CSV

DASHBOARD = "/indicators"
INDICATOR = "/indicators/{programme}/{indicator}"
SEEN = "seen"
STEPS_AT_MOST = 100
SVG = "image/svg+xml"
_LIST, _READ = reading_as("indicators", "list"), reading_as("indicators", "read")


@dataclass(frozen=True)
class Section:
    """A programme on the dashboard. `lines` is None for one that has no room on the page: it is chosen by itself."""

    definition: Definition
    lines: Lines | None


class Pages:
    """The pages over one replica's figures."""

    def __init__(self, figures: Figures, definitions: Definitions, drawing: Drawing, runtime: Runtime) -> None:
        self._figures = figures
        self._definitions = definitions
        self._drawing = drawing
        self._runtime = runtime
        self.live = Live(runtime)
        self.router = Routes(include_in_schema=False)
        for path, endpoint in (
            ("/", self._entrance()),
            (DASHBOARD, self._dashboard()),
            (f"{DASHBOARD}/live", self._dashboard_live()),
            (INDICATOR, self._indicator()),
            (f"{INDICATOR}/live", self._indicator_live()),
            (f"{INDICATOR}/table.csv", self._table()),
            (f"{INDICATOR}/chart/{{breadth}}.svg", self._chart()),
        ):
            self.router.add_api_route(path, endpoint, methods=["GET"])

    def _entrance(self) -> Callable[..., Any]:
        async def entrance(request: Request, admitted: Admitted = Depends(_LIST)) -> Response:
            asked = f"?{request.url.query}" if request.url.query else ""
            return RedirectResponse(f"/{admitted.edge.service}{DASHBOARD}{asked}", 303)

        return entrance

    def _dashboard(self) -> Callable[..., Any]:
        async def dashboard(request: Request, admitted: Admitted = Depends(_LIST)) -> Response:
            filters, _ = filters_of(request)
            viewer, language = viewer_of(admitted), admitted.reader.language
            visits = visits_of(request, admitted.principal.account, self._runtime.now())
            sheets, known = await self._sheets(filters, viewer), self._known(viewer)
            earlier = await self._earlier(filters, viewer, visits)
            page = render(
                request,
                "dashboard.html",
                reader=admitted.reader,
                service=admitted.edge.service,
                filters=filters,
                as_of_answer=as_of_answer,
                sections=[
                    Section(one, None if sheet is None else Lines(sheet, language, earlier.get(one.code)))
                    for one, sheet in sheets
                ],
                since=visits.before,
                choices=self._choices(known, filters, viewer, language),
                live=self._live_address(admitted, DASHBOARD, filters, [sheet for _, sheet in sheets if sheet]),
            )
            visits.keep(request, page, admitted.edge.service)
            return page

        return dashboard

    def _dashboard_live(self) -> Callable[..., Any]:
        async def dashboard_live(request: Request, admitted: Admitted = Depends(_LIST)) -> Response:
            filters, given = filters_of(request, SEEN)
            viewer = viewer_of(admitted)

            def stamp() -> Any:
                codes = [one.code for one in self._chosen(filters, viewer)]
                return [self._figures.stamp(code, filters.asked, viewer) for code in codes]

            async def digest() -> str:
                return digest_of_sheets([sheet for _, sheet in await self._sheets(filters, viewer) if sheet])

            return await self._stream(request, admitted, given, Look((DASHBOARD, filters, viewer), stamp, digest))

        return dashboard_live

    def _indicator(self) -> Callable[..., Any]:
        async def indicator(
            programme: str, indicator: str, request: Request, admitted: Admitted = Depends(_READ)
        ) -> Response:
            filters, _ = filters_of(request)
            return await self._page(request, admitted, programme, indicator, filters)

        return indicator

    async def _page(
        self, request: Request, admitted: Admitted, programme: str, indicator: str, filters: Filters
    ) -> Response:
        viewer, language, status, problem = viewer_of(admitted), admitted.reader.language, 200, ""
        try:
            sheet = await self._sheet(programme, indicator, filters, viewer)
        except Refusal as refusal:
            if refusal.status != 422:
                raise
            # The page stands with what was asked, and without a figure that was not asked for.
            status, problem, sheet = 422, refusal.rule, None
        definition = self._definitions.newest(programme)
        path = f"{DASHBOARD}/{programme}/{indicator}"
        steps = (await self._figures.published_at(programme, viewer))[:STEPS_AT_MOST]
        return render(
            request,
            "indicator.html",
            status,
            reader=admitted.reader,
            service=admitted.edge.service,
            filters=filters,
            definition=definition,
            indicator=definition.indicator(indicator),
            lines=Lines(sheet or Sheet(definition, (), ()), language),
            as_of=as_of_answer(sheet),
            problem=problem,
            failed=bool(problem),
            steps={text_of(one): one for one in steps},
            broken_down=viewer.live,
            choices=self._choices([definition], Filters(programme, filters.office), viewer, language),
            path=f"/{admitted.edge.service}{path}",
            live=self._live_address(admitted, path, filters, [sheet]) if sheet else "",
            widths=WIDTHS,
            digest=digest_of_sheets([sheet] if sheet else []),
        )

    def _indicator_live(self) -> Callable[..., Any]:
        async def indicator_live(
            programme: str, indicator: str, request: Request, admitted: Admitted = Depends(_READ)
        ) -> Response:
            filters, given = filters_of(request, SEEN)
            viewer = viewer_of(admitted)

            def stamp() -> Any:
                return self._figures.stamp(programme, filters.asked, viewer)

            async def digest() -> str:
                return digest_of_sheets([await self._sheet(programme, indicator, filters, viewer)])

            key = (INDICATOR, programme, indicator, filters, viewer)
            return await self._stream(request, admitted, given, Look(key, stamp, digest))

        return indicator_live

    def _table(self) -> Callable[..., Any]:
        async def table(
            programme: str, indicator: str, request: Request, admitted: Admitted = Depends(_READ)
        ) -> Response:
            filters, _ = filters_of(request)
            sheet = await self._sheet(programme, indicator, filters, viewer_of(admitted))
            name = f'attachment; filename="{programme}-{indicator}.csv"'
            content = table_of(Lines(sheet, language_of(request, admitted.reader.language)))
            return Response(content, headers={"Content-Disposition": name}, media_type=CSV)

        return table

    def _chart(self) -> Callable[..., Any]:
        async def chart(
            programme: str, indicator: str, breadth: str, request: Request, admitted: Admitted = Depends(_READ)
        ) -> Response:
            filters, _ = filters_of(request, SEEN)
            if breadth not in WIDTHS:
                raise Refusal("not_found", status=404)
            sheet = await self._sheet(programme, indicator, filters, viewer_of(admitted))
            language = admitted.reader.language
            drawn = await self._drawing.svg(spec_of(Lines(sheet, language).by_period(), language, breadth))
            return Response(drawn, media_type=SVG)

        return chart

    async def _stream(self, request: Request, admitted: Admitted, given: Mapping[str, str], look: Look) -> Response:
        until, now = admitted.reader.until, self._runtime.now()
        seconds = 0.0 if until is None else (until - now).total_seconds()
        seen = request.headers.get("last-event-id") or given.get(SEEN, "")
        return await self.live.stream(admitted.principal.account, look, seen, seconds)

    async def _sheet(self, programme: str, indicator: str, filters: Filters, viewer: Viewer) -> Sheet:
        """Raises Refusal: 404 for what there is not, and as the JSON edge does."""

        def choose(definition: Definition) -> Sequence[Wanted]:
            return of_indicator(definition, indicator, filters, viewer)

        return await self._figures.sheet(programme, filters.asked, viewer, choose)

    async def _sheets(self, filters: Filters, viewer: Viewer) -> list[tuple[Definition, Sheet | None]]:
        """Of each programme of the reader; None from where on there are too many figures for one page."""
        found: list[tuple[Definition, Sheet | None]] = []
        left = FIGURES_AT_MOST

        def choose(definition: Definition) -> Sequence[Wanted]:
            return of_dashboard(definition, filters, viewer)[:FIGURES_AT_MOST]

        for definition in self._chosen(filters, viewer):
            left -= len(of_dashboard(definition, filters, viewer))
            sheet = None
            # One that is too large for any page has the whole page, cut off.
            if left >= 0 or not found:
                sheet = await self._figures.sheet(definition.code, filters.asked, viewer, choose)
            found.append((definition, sheet))
        return found

    async def _earlier(self, filters: Filters, viewer: Viewer, visits: Visits) -> Mapping[str, Sheet]:
        """By programme, the figures as they were when the visit before this one ended; none for a past that was asked
        for, and where that is too short ago to be told."""
        if visits.before is None or filters.as_of is not None:
            return {}
        try:
            sheets = await self._sheets(replace(filters, as_of=text_of(visits.before)), viewer)
        except Refusal as refusal:
            if refusal.status != 422:
                raise
            return {}
        return {one.code: sheet for one, sheet in sheets if sheet is not None}

    def _chosen(self, filters: Filters, viewer: Viewer) -> list[Definition]:
        """The programmes on the dashboard. Raises Refusal: 404 for one that there is not, 403 for another's office."""
        office = narrowed_to(viewer, filters.office).office
        if filters.programme is not None:
            return [self._definitions.newest(filters.programme)]
        return [one for one in self._known(viewer) if office is None or _has(one, office)]

    def _known(self, viewer: Viewer) -> list[Definition]:
        """The reader's programmes: an officer's are those that have the office."""
        every = [self._definitions.newest(code) for code in self._definitions.codes()]
        return [one for one in every if viewer.office is None or _has(one, viewer.office)]

    def _choices(
        self, known: Sequence[Definition], filters: Filters, viewer: Viewer, language: str
    ) -> Mapping[str, Sequence[tuple[str, str]]]:
        """By filter, what may be chosen; a filter that is not open to the reader is not there."""
        chosen = [one for one in known if one.code == filters.programme]
        found: dict[str, Sequence[tuple[str, str]]] = {}
        if len(known) > 1:
            found["programme"] = Choices(known, language).to_show()["programme"]
        if viewer.live and viewer.office is None and known:
            found["office"] = Choices(chosen or known, language).to_show()["office"]
        for one in chosen[:1]:
            found["period"] = [(period.code, text_in(language, period.name)) for period in one.periods]
        return found

    def _live_address(self, admitted: Admitted, path: str, filters: Filters, sheets: Sequence[Sheet]) -> str:
        return filters.address(f"/{admitted.edge.service}{path}/live", **{SEEN: digest_of_sheets(sheets)})


def digest_of_sheets(sheets: Sequence[Sheet]) -> str:
    """As `digest_of`, of several programmes' figures."""
    return digest_of({**answer, "programme": one.definition.code} for one in sheets for answer in one.answers)


def as_of_answer(sheet: Sheet | None) -> datetime | None:
    """As of when the figures are; None where nothing was published yet."""
    said = sheet.answers[0]["as_of"] if sheet and sheet.answers else None
    return None if said is None else instant_of(said)


def _has(definition: Definition, office: str) -> bool:
    return any(office in (one.code, *one.predecessors) for one in definition.offices)
