"""Pages of what was published: a programme's statements, one of them beside the one that it restates, and what was
counted of a period for whoever verifies it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Depends, Request
from markupsafe import Markup
from starlette.responses import Response

from services.monitoring.domain.counted import CountedPeriod
from services.monitoring.domain.statements import STATEMENT
from services.monitoring.domain.told import shown_tables, span_of
from services.monitoring.pages.lines import words_of
from services.monitoring.pages.meaning import Meaning
from services.monitoring.published import Published
from services.monitoring.store import STATEMENTS
from services.monitoring.work.kept import Kept, Signed
from shared.contracts.monitoring.statements import StatedCell
from shared.errors import Refusal
from shared.programmes.definitions import Definitions
from shared.programmes.indicators import Indicator
from shared.programmes.model import Definition
from shared.store.port import Store
from shared.web.acting import id_of
from shared.web.lists import query
from shared.web.pages.cases import narrowing
from shared.web.pages.readers import Admitted, reading_as
from shared.web.pages.rendering import render
from shared.web.routing import Routes

PUBLISHED = "/published/{programme}"
FIGURES = "figures"
COUNTED = f"/{STATEMENT.name}/{{id}}/{FIGURES}"
# So many of a programme on its page, the newest of them.
STATEMENTS_AT_MOST = 200
_LIST, _READ, _COUNTED = reading_as("series", "list"), reading_as("series", "read"), reading_as("counted", "read")


@dataclass(frozen=True)
class Said:
    """A figure in words, and what the statement before said of it, where that was another one."""

    value: Markup | str
    missing: bool
    before: Markup | str = ""


@dataclass(frozen=True)
class Grid:
    """The tables of one breakdown on the page: a column for the total and each combination of classes, a line for each
    indicator; None where an indicator has no such class."""

    dimensions: Sequence[Markup | str]
    columns: Sequence[Sequence[Markup | str]]
    lines: Sequence[tuple[Indicator, Sequence[Said | None]]]


class StatementPages:
    """The pages over one replica's statements."""

    def __init__(self, store: Store, kept: Kept, published: Published, definitions: Definitions) -> None:
        self._store = store
        self._kept = kept
        self._published = published
        self._definitions = definitions
        self.router = Routes(include_in_schema=False)
        for path, endpoint in (
            (PUBLISHED, self._series()),
            (f"{PUBLISHED}/{{number}}", self._statement()),
            (COUNTED, self._figures()),
        ):
            self.router.add_api_route(path, endpoint, methods=["GET"])

    def _series(self) -> Callable[..., Any]:
        async def series(programme: str, request: Request, admitted: Admitted = Depends(_LIST)) -> Response:
            query(narrowing(request))
            issued = (await self._published.series(programme)).issued[-STATEMENTS_AT_MOST:]
            return render(
                request,
                "statements.html",
                reader=admitted.reader,
                service=admitted.edge.service,
                definition=self._definitions.newest(programme),
                statements=[(await self._published.signed(one.digest)).statement for one in reversed(issued)],
            )

        return series

    def _statement(self) -> Callable[..., Any]:
        async def statement(
            programme: str, number: str, request: Request, admitted: Admitted = Depends(_READ)
        ) -> Response:
            query(narrowing(request))
            signed = await self._published.numbered(programme, number)
            said = signed.statement
            restated = None if said.restates is None else await self._published.numbered(programme, str(said.restates))
            definition = self._definitions.version(programme, said.definition_version)
            return render(
                request,
                "statement.html",
                reader=admitted.reader,
                service=admitted.edge.service,
                definition=definition,
                period=definition.period(said.period),
                signed=signed,
                restated=restated,
                meaning=Meaning(definition, admitted.reader.language),
                grids=stated(definition, signed, restated, admitted.reader.language),
            )

        return statement

    def _figures(self) -> Callable[..., Any]:
        async def figures(id: str, request: Request, admitted: Admitted = Depends(_COUNTED)) -> Response:
            query(narrowing(request))
            state = STATEMENTS.read(await self._store.load(STATEMENTS.name, id_of(id)))
            if state is None or state.counted is None:
                raise Refusal("not_found", status=404)
            definition = self._definitions.version(state.programme, state.definition_version)
            return render(
                request,
                "counted.html",
                reader=admitted.reader,
                service=admitted.edge.service,
                definition=definition,
                period=definition.period(state.period),
                state=state,
                back=f"/{admitted.edge.service}/{STATEMENT.name}/{id_of(id)}",
                grids=counted(definition, await self._kept.counted(state.counted), admitted.reader.language),
            )

        return figures


Cells = Mapping[tuple[str, ...], Said]
# By the dimensions, of each indicator in its order the figures by their classes.
Told = dict[tuple[str, ...], list[tuple[Indicator, Cells]]]


def stated(definition: Definition, signed: Signed, restated: Signed | None, language: str) -> list[Grid]:
    """The statement's figures in words, each with what the one before said where that differs."""
    before = {
        (table.indicator, table.by, cell.classes): cell
        for table in (restated.statement.tables if restated else ())
        for cell in table.cells
    }

    def said(indicator: Indicator, cell: StatedCell, was: StatedCell | None) -> Said:
        earlier = "" if was is None or was.value == cell.value else words(indicator, was)
        return Said(words(indicator, cell), cell.value is None, earlier)

    def words(indicator: Indicator, cell: StatedCell) -> Markup | str:
        return words_of(language, indicator, cell.value, cell.withheld)

    told: Told = {}
    for table in signed.statement.tables:
        if (indicator := definition.indicator(table.indicator)) is not None:
            place = table.indicator, table.by
            cells = {one.classes: said(indicator, one, before.get((*place, one.classes))) for one in table.cells}
            told.setdefault(table.by, []).append((indicator, cells))
    return _grids(definition, told, language)


def counted(definition: Definition, found: CountedPeriod, language: str) -> list[Grid]:
    """What was counted of the period itself in words, of the tables that are declared for it."""
    told, shown = Told(), {*shown_tables(definition, found.period)}
    for table in found.tables:
        indicator, of_it = definition.indicator(table.indicator), (table.starts.isoformat(), table.ends.isoformat())
        if indicator is not None and of_it == span_of(found) and (table.indicator, table.by) in shown:
            cells = {one.classes: Said(words_of(language, indicator, one.value, None), False) for one in table.cells}
            told.setdefault(table.by, []).append((indicator, cells))
    return _grids(definition, told, language)


def _grids(definition: Definition, told: Told, language: str) -> list[Grid]:
    """The totals first, then the breakdowns."""
    meaning, grids = Meaning(definition, language), []
    for by, lines in sorted(told.items(), key=lambda one: len(one[0]) > 0):
        dimensions = [one for code in by if (one := definition.dimension(code)) is not None]
        classes = sorted({named for _, cells in lines for named in cells})
        grids.append(
            Grid(
                [meaning.formats.text(one.name) for one in dimensions],
                [[meaning.class_of(*pair) for pair in zip(dimensions, one, strict=False)] for one in classes],
                [(indicator, [cells.get(one) for one in classes]) for indicator, cells in lines],
            )
        )
    return grids
