"""People's page of a list of cases: what the reader sees of it, the form that narrows it, the one that acts on many.

Whatever is asked for wrongly comes back as the page itself, with what was typed and what is wrong at its field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from shared.errors import Problem, Refusal
from shared.identity.roles import Role
from shared.programmes.model import Definition
from shared.store.narrowing import TO_US, TRANSFER
from shared.store.port import Document
from shared.store.relations import RECEIVING, STATUS
from shared.web.acting import Behind, Seen, Served, as_read
from shared.web.filters import NEWEST, OLDEST, filters_for, flags_for, is_in_time
from shared.web.lists import page_of, total_of
from shared.web.pages.asked_list import REFERENCE, AskedList, called, without
from shared.web.pages.cases import newest_of
from shared.web.pages.choices import Choices, Lists
from shared.web.pages.exporting import FILE, ROWS_AT_MOST
from shared.web.pages.for_many import fields_for_many
from shared.web.pages.opening import opens_to
from shared.web.pages.readers import Admitted, reading_as
from shared.web.pages.rendering import render
from shared.web.pages.shown import Shown, columns_of, labelled
from shared.web.pages.standing import zones_of
from shared.web.pages.table import Columns, Table
from shared.web.pages.wrong_filters import is_of_a_filter, wrong_filters
from shared.web.timeline import is_veiled
from shared.web.together import CASES_AT_MOST, verbs_for_many

AFTER, VERB = "after", "verb"
# As the form calls what it is narrowed by.
CALLED = {"status": "Status", "order": "Order", "flag": "To look at"}


@dataclass(frozen=True)
class Again:
    """With what the form that acts on many is shown again: what was chosen in it, and what is wrong (422). `all`: what
    matches was asked for, on every page; `verb`: what was chosen to be done."""

    problem: Problem
    chosen: frozenset[str] = frozenset()
    all: bool = False
    verb: str = ""


def listing_of(served: Served, behind: Behind) -> Callable[..., Any]:
    """`GET /<name>`."""
    listing = Listing(served, behind)

    async def endpoint(request: Request, admitted: Admitted = Depends(reading_as(served.name, "list"))) -> Response:
        return await listing.page(request, admitted)

    return endpoint


class Listing:
    """The list of one kind of case."""

    def __init__(self, served: Served, behind: Behind) -> None:
        self._served = served
        self._behind = behind

    async def page(self, request: Request, admitted: Admitted, again: Again | None = None) -> Response:
        """The page of the list that the request's query asks for."""
        reference = request.query_params.get(REFERENCE, "").strip()
        problems: Sequence[Problem] = ()
        asking = without(request, REFERENCE)
        try:
            of = await AskedList.of(asking, self._served, admitted, self._behind.definitions)
            documents, following = await self._found(of, admitted, reference)
        except Refusal as refusal:
            if not is_of_a_filter(refusal):
                raise
            of, problems = AskedList.unread(asking), refusal.problems
            documents, following = [], None
        if reference and len(documents) == 1:
            return RedirectResponse(f"/{admitted.edge.service}/{self._served.name}/{documents[0]['_id']}", 303)
        said = await self._said(admitted, of, documents, following, reference, again)
        said |= {"problems": wrong_filters(problems, admitted.reader.language, CALLED), "again": again}
        failed = bool(problems or again)
        return render(request, "list.html", 422 if failed else 200, failed=failed, **said)

    async def _said(
        self,
        admitted: Admitted,
        of: AskedList,
        documents: list[Document],
        following: str | None,
        reference: str,
        again: Again | None,
    ) -> dict[str, Any]:
        served, narrowed, asked = self._served, of.narrowed, of.asked
        shown = [as_read(served, document, admitted.principal) for document in documents]
        known = newest_of(self._behind.definitions)
        lists = lists_for(served, known, admitted)
        cells = Shown.to(admitted, lists, zones=zones_of(known), service=_led_to(admitted, asked))
        beside = self._for_many(narrowed, admitted, asked if documents and not reference else None)
        beside |= {**self._narrowing(admitted.principal.role, of), **self._columns(of, shown, admitted.reader.language)}
        return {
            "reader": admitted.reader,
            "service": admitted.edge.service,
            "case": served.case,
            "rows": self._table(cells, admitted, beside, again).rows(shown),
            "cells": cells,
            "asked": asked,
            "reference": reference,
            "pills": [(name, value, _address(narrowed, **{name: ""})) for name, value in asked.items()],
            "programmes": lists.get("programme", ()),
            **beside,
            "unseen": sorted(again.chosen - {one.id for one in shown}) if again else (),
            "opening": opens_to(served, known, admitted),
            "total": await total_of(narrowed, served.aggregate.name, of.paged, documents, following),
            "following": _address(narrowed, after=following) if following else "",
            "further": AFTER in narrowed.query_params,
            "saved": _address(narrowed),
            "file": f"{served.name}/{FILE}{_address(narrowed, limit='')}",
            "rows_at_most": ROWS_AT_MOST,
        }

    async def _found(self, of: AskedList, admitted: Admitted, reference: str) -> tuple[list[Document], str | None]:
        """The page that is asked for, and the cursor of the next one; where people call a case by its reference, it."""
        name = self._served.aggregate.name
        if reference:
            return await called(admitted, name, reference), None
        return await page_of(of.narrowed, name, of.paged)

    def _table(self, cells: Shown, admitted: Admitted, beside: Mapping[str, Any], again: Again | None) -> Table:
        name, account = self._served.name, admitted.principal.account if beside["taken"] else None
        chosen, boxes = again.chosen if again else frozenset(), bool(beside["together"])
        address = f"/{admitted.edge.service}/{name}"
        return Table(cells, name, address, beside["columns"], boxes, beside["flags"], account, chosen)

    def _columns(self, of: AskedList, shown: list[Seen], language: str) -> dict[str, Columns]:
        """Those of which the reader is told something, and of these the ones that were chosen."""
        told = labelled(columns_of(self._served.columns, shown), language)
        return {"told": told, "columns": [one for one in told if one[0] in of.columns_of(self._served.columns)]}

    def _narrowing(self, role: Role, of: AskedList) -> dict[str, Any]:
        """What the role narrows the list by, in which order it is, and whether it tells who works on a case."""
        case = self._served.case
        return {
            "statuses": [one for one in case.statuses if not is_veiled(case, role, one)],
            "filters": filters_for(case, role),
            "order": (NEWEST if of.newest else OLDEST) if is_in_time(self._served) else "",
            "taken": case.is_taken_by(role) and of.asked.get(TRANSFER) != TO_US,
            "received": case.is_received_by(role),
            "flags": flags_for(case, role),
        }

    def _for_many(self, narrowed: Request, admitted: Admitted, asked: Mapping[str, str] | None) -> dict[str, Any]:
        """What the page says of many cases at once; `asked`: the list's filters, None for a page without a case."""
        together = [] if asked is None else self._together(admitted, asked)
        return {"together": together, "at_most": CASES_AT_MOST, "among": _address(narrowed)}

    def _together(self, admitted: Admitted, asked: Mapping[str, str]) -> list[str]:
        """What the reader may do to many cases of the list at once, in some state that the list has."""
        case, verbs = self._served.case, verbs_for_many(self._served, admitted.principal.role)
        in_state = [asked[STATUS]] if STATUS in asked else case.statuses
        return [
            verb
            for verb in self._common
            if verb in verbs
            and any(one in row.before for row in case.rows[verb] for one in in_state)
            and (RECEIVING in case.rows[verb][0].by.values()) == (asked.get(TRANSFER) == TO_US)
        ]

    @cached_property
    def _common(self) -> list[str]:
        return [verb for verb, _ in fields_for_many(self._served)]


def lists_for(served: Served, known: Sequence[Definition], admitted: Admitted) -> Lists:
    """The lists of those programmes, in the reader's language."""
    return Choices(known, admitted.reader.language, served.section).to_show()


def _led_to(admitted: Admitted, asked: Mapping[str, str]) -> str:
    """Whose cases the list's ids lead to: whoever is asked to take its cases over reads nothing that they name."""
    return "" if asked.get(TRANSFER) == TO_US else admitted.edge.service


def _address(request: Request, **otherwise: str) -> str:
    """The list with this in the query otherwise; of another list it is the first page."""
    kept = {name: value for name, value in request.query_params.items() if name != AFTER}
    return f"?{urlencode({name: value for name, value in {**kept, **otherwise}.items() if value})}"
