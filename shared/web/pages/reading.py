"""People's pages of a case that only read: the list, the case, and what happened in it.

What is shown is what the JSON edge would answer to the same reader.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import tzinfo
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from shared.identity.roles import Role
from shared.programmes.model import Definition
from shared.store.narrowing import TO_US, TRANSFER
from shared.store.port import Document
from shared.store.relations import RECEIVING, STATUS
from shared.web.acting import Behind, Seen, Served, as_read, id_of, seen, stands_in
from shared.web.filters import NEWEST, OLDEST, filters_for, flags_for, is_in_time
from shared.web.lists import page_of, query, total_of
from shared.web.notes import READ_ALL, Note
from shared.web.pages.asked_for import AskedFor, asked_for, beside_of
from shared.web.pages.asked_list import REFERENCE, AskedList, called, without
from shared.web.pages.bulk import fields_for_many
from shared.web.pages.cases import DONE, known_to, newest_of
from shared.web.pages.choices import Choices, Lists
from shared.web.pages.exporting import FILE, ROWS_AT_MOST
from shared.web.pages.languages import PARAMETER
from shared.web.pages.readers import Admitted, reading_as
from shared.web.pages.rendering import render
from shared.web.pages.shown import PART, Shown, columns_of, labelled, parts_of
from shared.web.pages.standing import acts_of, possible_now, standing_of, zone_of, zones_of
from shared.web.pages.table import Columns, Table
from shared.web.routing import Routes
from shared.web.timeline import Timeline, is_veiled, page_of_timeline, timeline_of
from shared.web.together import CASES_AT_MOST, verbs_for_many

AFTER = "after"
# So many of the newest facts stand on the case's page, and so many on a page of its timeline.
LATEST, FACTS_A_PAGE = 8, 50


def reading_pages_of(served: Served, behind: Behind) -> APIRouter:
    """`GET /<name>`, `GET /<name>/{id}`, `GET /<name>/{id}/timeline`, `GET /<name>/{id}/part`."""
    router, pages, name = Routes(include_in_schema=False), ReadingPages(served, behind), served.name
    router.add_api_route(f"/{name}", pages.listing(), methods=["GET"])
    router.add_api_route(f"/{name}/{{id}}", pages.showing(), methods=["GET"])
    router.add_api_route(f"/{name}/{{id}}/timeline", pages.telling(), methods=["GET"])
    router.add_api_route(f"/{name}/{{id}}/{PART}", pages.part(), methods=["GET"])
    return router


class ReadingPages:
    """The pages of one kind of case."""

    def __init__(self, served: Served, behind: Behind) -> None:
        self._served = served
        self._behind = behind

    def listing(self) -> Callable[..., Any]:
        served, case = self._served, self._served.case

        async def endpoint(request: Request, admitted: Admitted = Depends(reading_as(served.name, "list"))) -> Response:
            role, definitions = admitted.principal.role, self._behind.definitions
            reference = request.query_params.get(REFERENCE, "").strip()
            of = await AskedList.of(without(request, REFERENCE), served, admitted, definitions)
            narrowed, asked, paged = of.narrowed, of.asked, of.paged
            documents, following = await self._found(of, admitted, reference)
            if reference and len(documents) == 1:
                return RedirectResponse(f"/{admitted.edge.service}/{served.name}/{documents[0]['_id']}", 303)
            shown = [as_read(served, document, admitted.principal) for document in documents]
            known = newest_of(definitions)
            lists = self._lists(known, admitted)
            cells = Shown.to(admitted, lists, zones=zones_of(known), service=_led_to(admitted, asked))
            beside = self._for_many(narrowed, admitted, asked if documents and not reference else None)
            beside |= {**self._narrowing(role, of), **self._columns(of, shown, admitted.reader.language)}
            return render(
                request,
                "list.html",
                reader=admitted.reader,
                service=admitted.edge.service,
                case=case,
                rows=self._table(cells, admitted, beside).rows(shown),
                cells=cells,
                asked=asked,
                reference=reference,
                pills=[(name, value, _address(narrowed, **{name: ""})) for name, value in asked.items()],
                programmes=lists.get("programme", ()),
                **beside,
                opening=self._opening(known, admitted),
                total=await total_of(narrowed, served.aggregate.name, paged, documents, following),
                following=_address(narrowed, after=following) if following else "",
                further="after" in narrowed.query_params,
                saved=_address(narrowed),
                file=f"{served.name}/{FILE}{_address(narrowed, limit='')}",
                rows_at_most=ROWS_AT_MOST,
            )

        return endpoint

    async def _found(self, of: AskedList, admitted: Admitted, reference: str) -> tuple[list[Document], str | None]:
        """The page that is asked for, and the cursor of the next one; where people call a case by its reference, it."""
        name = self._served.aggregate.name
        if reference:
            return await called(admitted, name, reference), None
        return await page_of(of.narrowed, name, of.paged)

    def _opening(self, known: list[Definition], admitted: Admitted) -> list[str]:
        """The verbs with which the reader may open a case; none while no programme does what it would be about."""
        served, case = self._served, self._served.case
        if not Choices(known, admitted.reader.language, served.section).are_somewhere:
            return []
        return [verb for verb in case.verbs if case.rows[verb][0].opens and _may(admitted, served.name, verb)]

    def _table(self, cells: Shown, admitted: Admitted, beside: Mapping[str, Any]) -> Table:
        name, account = self._served.name, admitted.principal.account if beside["taken"] else None
        address = f"/{admitted.edge.service}/{name}"
        return Table(cells, name, address, beside["columns"], bool(beside["together"]), beside["flags"], account)

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
        return {"together": together, "at_most": CASES_AT_MOST, "among": _address(narrowed, limit="", columns="")}

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

    def showing(self) -> Callable[..., Any]:
        served, case = self._served, self._served.case

        async def endpoint(
            id: str, request: Request, admitted: Admitted = Depends(reading_as(served.name, "read"))
        ) -> Response:
            done = query(request, DONE, PARAMETER).get(DONE, "")
            document, found = await seen(served, self._behind, id, admitted)
            timeline = timeline_of(served, document, admitted.principal)
            known = known_to(served, self._behind.definitions, document)
            stands = standing_of(served, document, admitted, timeline, known)
            cells = self._shown(known, admitted, stands.zone, document)
            weighed = await served.weighs("", document, admitted)
            open_now = possible_now(served, document, admitted, found.open)
            return render(
                request,
                "case.html",
                reader=admitted.reader,
                service=admitted.edge.service,
                case=case,
                listed=_may(admitted, served.name, "list"),
                found=found,
                acts=acts_of(served, document, admitted.principal, open_now),
                stands=stands,
                now=admitted.edge.runtime.now(),
                rows=cells.rows(found, weighed.instead_of if weighed else ()),
                weighed=weighed,
                cells=cells,
                **_newest(timeline),
                **self._written(found, admitted),
                beside=[(one.word, one.address(document)) for one in beside_of(served, document, admitted)],
                asked_for=await self._asked_for(document, found, admitted, cells),
                parts=_parts(served, found, document, admitted),
                papers=_papers(served, found, admitted),
                done=done if done in case.verbs else "",
            )

        return endpoint

    def telling(self) -> Callable[..., Any]:
        served = self._served

        async def endpoint(
            id: str, request: Request, admitted: Admitted = Depends(reading_as(served.name, "read"))
        ) -> Response:
            after = query(request, AFTER, PARAMETER).get(AFTER)
            document = await admitted.load(served.aggregate.name, id_of(id))
            found = page_of_timeline(admitted.edge, served, document, admitted.principal, after, FACTS_A_PAGE)
            return render(
                request,
                "timeline.html",
                reader=admitted.reader,
                service=admitted.edge.service,
                case=served.case,
                id=document["_id"],
                cells=self._cells(document, admitted),
                facts=found.facts,
                missing=0 if found.following else found.missing,
                following=found.following,
            )

        return endpoint

    def part(self) -> Callable[..., Any]:
        """What a page of another service shows of the case; no more than the JSON edge tells its reader."""
        served = self._served

        async def endpoint(
            id: str, request: Request, admitted: Admitted = Depends(reading_as(served.name, "read"))
        ) -> Response:
            query(request, PARAMETER)
            document, found = await seen(served, self._behind, id, admitted)
            cells, today = self._cells(document, admitted), admitted.edge.runtime.now().date()
            return render(
                request,
                "part_case.html",
                reader=admitted.reader,
                service=admitted.edge.service,
                case=served.case,
                found=found,
                columns=columns_of(served.columns, [found]),
                rows=cells.rows(served.in_part(found, today)) if served.in_part else None,
                cells=cells,
            )

        return endpoint

    def _cells(self, document: Document, admitted: Admitted) -> Shown:
        known = known_to(self._served, self._behind.definitions, document)
        zone = zone_of(self._served.case, self._served.aggregate.read(document), known)
        return self._shown(known, admitted, zone, document)

    def _shown(self, known: list[Definition], admitted: Admitted, zone: tzinfo, document: Document) -> Shown:
        """Whoever is asked to take the case over reads it alone, and nothing that it names."""
        service = "" if stands_in(document, admitted.principal, RECEIVING) else admitted.edge.service
        return Shown.to(admitted, self._lists(known, admitted), zone, service=service)

    def _lists(self, known: list[Definition], admitted: Admitted) -> Lists:
        return Choices(known, admitted.reader.language, self._served.section).to_show()

    async def _asked_for(self, document: Document, found: Seen, admitted: Admitted, cells: Shown) -> AskedFor | None:
        """What was asked for that one of the open verbs answers."""
        for verb in found.open:
            one = await asked_for(self._served, document, found, found.notes, admitted, cells, verb)
            if one is not None:
                return one
        return None

    def _written(self, found: Seen, admitted: Admitted) -> dict[str, Any]:
        notes, messages = self._notes(found, admitted)
        return {"notes": notes, "messages": messages}

    def _notes(self, found: Seen, admitted: Admitted) -> tuple[list[Note], list[tuple[Note, tuple[Role, ...]]]]:
        """Those for the office alone, or that the reader wrote to it, and those that somebody else is meant to read,
        with the roles of whoever reads them."""
        rows, role = self._served.case.rows, admitted.principal.role
        told = [(note, rows[note.verb][0].note_to if note.verb in rows else ()) for note in found.notes]
        inside = [note for note, to in told if not to or (role != READ_ALL and (note.by == role or role not in to))]
        return inside, [(note, _readers(note, to)) for note, to in told if note not in inside]


def _readers(note: Note, to: tuple[Role, ...]) -> tuple[Role, ...]:
    """Whoever reads the note beside whoever wrote it; the office reads what others wrote."""
    return (*(role for role in to if role != note.by), *((READ_ALL,) if note.by not in (None, READ_ALL) else ()))


def _led_to(admitted: Admitted, asked: Mapping[str, str]) -> str:
    """Whose cases the list's ids lead to: whoever is asked to take its cases over reads nothing that they name."""
    return "" if asked.get(TRANSFER) == TO_US else admitted.edge.service


def _address(request: Request, **otherwise: str) -> str:
    """The list with this in the query otherwise; of another list it is the first page."""
    kept = {name: value for name, value in request.query_params.items() if name != AFTER}
    return f"?{urlencode({name: value for name, value in {**kept, **otherwise}.items() if value})}"


def _may(admitted: Admitted, resource: str, verb: str) -> bool:
    return bool(admitted.edge.policy.allowed(admitted.principal, resource, verb))


def _newest(timeline: Timeline) -> dict[str, Any]:
    """Of what happened the newest, whether there is more of it, and how much is kept nowhere."""
    more = len(timeline.facts) > LATEST
    return {"facts": timeline.facts[:LATEST], "older": more, "missing": timeline.missing}


def _parts(served: Served, found: Seen, document: Document, admitted: Admitted) -> list[tuple[str, str]]:
    """What other services show of the cases that this one names; nothing for whoever is asked to take it over."""
    if stands_in(document, admitted.principal, RECEIVING):
        return []
    return [*parts_of(found, served.parts, admitted.principal.role)]


def _papers(served: Served, found: Seen, admitted: Admitted) -> list[tuple[str, str]]:
    """What there is of the case as a PDF for this reader: its name and its address."""
    role = admitted.principal.role
    there_are = (one for one in served.papers if found.state in one.states and role in one.by)
    return [(one.name, one.address(found.id)) for one in there_are]
