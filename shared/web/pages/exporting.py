"""A list as a file for a spreadsheet: what its filters leave, in its order, as the reader's role sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from shared.store.narrowing import read
from shared.web.acting import Behind, Seen, Served, as_read
from shared.web.pages.asked_list import AskedList
from shared.web.pages.cases import newest_of
from shared.web.pages.choices import Choices
from shared.web.pages.formatting import Formats
from shared.web.pages.readers import Admitted, reading_as
from shared.web.pages.rendering import HEADERS
from shared.web.pages.shown import Shown, columns_of, labelled
from shared.web.pages.standing import zones_of
from shared.web.pages.static import packed
from shared.web.pages.words import translations
from shared.web.routing import Routes
from shared.web.spreadsheet import CSV, csv_of, inert

FILE = "list.csv"
# A file has no more rows than somebody works through in a spreadsheet, and a request ends in some seconds.
ROWS_AT_MOST = 5_000
# So many are read before others get their turn; of a filter that leaves little, so many shares are read in all.
SHARE, SHARES_AT_MOST = 100, 200


def export_of(served: Served, behind: Behind) -> APIRouter:
    """`GET /<name>/list.csv`, with the filters and the order of the list."""
    router = Routes(include_in_schema=False)
    router.add_api_route(f"/{served.name}/{FILE}", _exporting(served, behind), methods=["GET"])
    return router


def _exporting(served: Served, behind: Behind) -> Callable[..., Any]:
    async def endpoint(request: Request, admitted: Admitted = Depends(reading_as(served.name, "list"))) -> Response:
        asked = await AskedList.of(request, served, admitted, behind.definitions)
        found, cut = await _all_of(asked, served, admitted)
        known = newest_of(behind.definitions)
        lists = Choices(known, admitted.reader.language, served.section).to_show()
        cells = Shown.to(admitted, lists, zones=zones_of(known))
        name = f"{served.name}-first-{len(found)}" if cut else served.name
        headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{name}.csv"'}
        paths = asked.columns_of(columns_of(served.columns, found))
        return packed(request, csv_of(_rows(served, cells, found, paths, cut=cut)), None, CSV, headers)

    return endpoint


async def _all_of(asked: AskedList, served: Served, admitted: Admitted) -> tuple[list[Seen], bool]:
    """The cases of the list, and whether there are more than a file holds."""
    found: list[Seen] = []
    if asked.paged is None:
        return found, False
    store, name, place = admitted.edge.store, served.aggregate.name, None
    for _ in range(SHARES_AT_MOST):
        limit = min(SHARE, ROWS_AT_MOST - len(found))
        documents, place = await read(store, name, asked.paged.listed, place, limit, descending=asked.newest)
        found += [as_read(served, document, admitted.principal) for document in documents]
        if place is None or len(found) >= ROWS_AT_MOST:
            break
    return found, place is not None


def _rows(served: Served, cells: Shown, found: Sequence[Seen], paths: Sequence[str], *, cut: bool) -> list[list[str]]:
    words, columns = translations(cells.language), labelled(paths, cells.language)
    rows = [[words.gettext("Reference"), words.gettext("Status"), *(label for _, label in columns)]]
    for seen in found:
        status = words.gettext(f"state:{served.name}:{seen.state}")
        rows.append([inert(seen.id), status, *(inert(cells.plain(seen, path)) for path, _ in columns)])
    if cut:
        said = words.gettext("Cut here: these are the first %(number)s. Narrow the list to have the others.")
        rows.append([said % {"number": Formats(cells.language).number(len(found))}])
    return rows
