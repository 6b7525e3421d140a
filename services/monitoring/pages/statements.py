"""Pages of what was published: a programme's statements, one of them beside the one that it restates, and what was
counted of a period for whoever verifies it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Depends, Request
from markupsafe import Markup
from starlette.responses import Response

from services.monitoring.domain.counted import CountedPeriod, CountedTable
from services.monitoring.domain.statements import STATEMENT
from services.monitoring.domain.told import shown_tables, span_of
from services.monitoring.pages.lines import words_of
from services.monitoring.pages.meaning import Meaning
from services.monitoring.published import Published
from services.monitoring.store import STATEMENTS
from services.monitoring.work.kept import Kept, Signed
from shared.contracts.monitoring.statements import StatedCell, StatedTable
from shared.errors import Refusal
from shared.programmes.definitions import Definitions
from shared.programmes.indicators import Indicator
from shared.programmes.model import Definition
from shared.store.port import Store
from shared.web.acting import id_of
from shared.web.lists import query
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
class Row:
    """A cell of a table: its classes in words, its value in words, and what the statement before said of it, where that
    was another one."""

    classes: Sequence[Markup | str]
    said: Markup | str
    missing: bool
    before: Markup | str = ""


@dataclass(frozen=True)
class Shown:
    """A table on the page: of which indicator, what its columns are called."""

    indicator: Indicator
    columns: Sequence[Markup | str]
    rows: Sequence[Row]


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
            query(request)
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
            query(request)
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
                tables=stated(definition, signed, restated, admitted.reader.language),
            )

        return statement

    def _figures(self) -> Callable[..., Any]:
        async def figures(id: str, request: Request, admitted: Admitted = Depends(_COUNTED)) -> Response:
            query(request)
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
                tables=counted(definition, await self._kept.counted(state.counted), admitted.reader.language),
            )

        return figures


def stated(definition: Definition, signed: Signed, restated: Signed | None, language: str) -> list[Shown]:
    """The statement's tables in words, each figure with what the one before said where that differs."""
    before = {
        (table.indicator, table.by, cell.classes): cell
        for table in (restated.statement.tables if restated else ())
        for cell in table.cells
    }
    found = []
    for table in signed.statement.tables:
        indicator = definition.indicator(table.indicator)
        if indicator is not None:
            rows = [_stated_row(definition, indicator, table, cell, before, language) for cell in table.cells]
            found.append(Shown(indicator, _columns(definition, table.by, language), rows))
    return found


Before = dict[tuple[str, tuple[str, ...], tuple[str, ...]], StatedCell]


def _stated_row(
    definition: Definition, indicator: Indicator, table: StatedTable, cell: StatedCell, before: Before, language: str
) -> Row:
    said = words_of(language, indicator, cell.value, cell.withheld)
    was = before.get((table.indicator, table.by, cell.classes))
    earlier = "" if was is None or was.value == cell.value else words_of(language, indicator, was.value, was.withheld)
    classes = _classes(definition, table.by, cell.classes, language)
    return Row(classes, said, cell.value is None, earlier)


def counted(definition: Definition, found: CountedPeriod, language: str) -> list[Shown]:
    """What was counted of the period itself, table by table."""
    shown, told = [], {*shown_tables(definition, found.period)}
    for table in found.tables:
        indicator, of_it = definition.indicator(table.indicator), (table.starts.isoformat(), table.ends.isoformat())
        if indicator is not None and of_it == span_of(found) and (table.indicator, table.by) in told:
            columns = _columns(definition, table.by, language)
            shown.append(Shown(indicator, columns, _counted(definition, indicator, table, language)))
    return shown


def _counted(definition: Definition, indicator: Indicator, table: CountedTable, language: str) -> list[Row]:
    return [
        Row(
            _classes(definition, table.by, cell.classes, language),
            words_of(language, indicator, cell.value, None),
            missing=False,
        )
        for cell in table.cells
    ]


def _columns(definition: Definition, by: Sequence[str], language: str) -> list[Markup | str]:
    formats = Meaning(definition, language).formats
    dimensions = (definition.dimension(code) for code in by)
    return [formats.text(one.name) for one in dimensions if one is not None]


def _classes(definition: Definition, by: Sequence[str], classes: Sequence[str], language: str) -> list[Markup | str]:
    meaning = Meaning(definition, language)
    dimensions = [definition.dimension(code) for code in by]
    return [meaning.class_of(one, code) for one, code in zip(dimensions, classes, strict=False) if one is not None]
