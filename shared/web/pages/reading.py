"""People's pages of a case that only read: the list (`listing.py`), the case, and what happened in it.

What is shown is what the JSON edge would answer to the same reader.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from shared.identity.roles import Role
from shared.programmes.model import Definition
from shared.store.port import Document
from shared.store.relations import RECEIVING
from shared.web.acting import PAGE, Behind, Seen, Served, id_of, seen, stands_in
from shared.web.lists import query
from shared.web.notes import READ_ALL, Note
from shared.web.pages.asked_for import AskedFor, asked_for, beside_of
from shared.web.pages.cases import DONE, known_to
from shared.web.pages.grounds import ground_of, without_parts
from shared.web.pages.languages import PARAMETER
from shared.web.pages.listing import AFTER, listing_of, lists_for
from shared.web.pages.readers import Admitted, reading_as
from shared.web.pages.rendering import render
from shared.web.pages.shown import PART, Shown, columns_of, parts_of
from shared.web.pages.standing import acts_of, standing_of, zone_of
from shared.web.routing import Routes
from shared.web.timeline import Timeline, page_of_timeline, timeline_of

# So many of the newest facts stand on the case's page, and so many on a page of its timeline.
LATEST, FACTS_A_PAGE = 8, 50


def reading_pages_of(served: Served, behind: Behind) -> APIRouter:
    """`GET /<name>`, `GET /<name>/{id}`, `GET /<name>/{id}/timeline`, `GET /<name>/{id}/part`."""
    router, pages, name = Routes(include_in_schema=False), ReadingPages(served, behind), served.name
    router.add_api_route(f"/{name}", listing_of(served, behind), methods=["GET"])
    router.add_api_route(f"/{name}/{{id}}", pages.showing(), methods=["GET"])
    router.add_api_route(f"/{name}/{{id}}/timeline", pages.telling(), methods=["GET"])
    router.add_api_route(f"/{name}/{{id}}/{PART}", pages.part(), methods=["GET"])
    return router


class ReadingPages:
    """The pages of one kind of case."""

    def __init__(self, served: Served, behind: Behind) -> None:
        self._served = served
        self._behind = behind

    def showing(self) -> Callable[..., Any]:
        served, case = self._served, self._served.case

        async def endpoint(
            id: str, request: Request, admitted: Admitted = Depends(reading_as(served.name, "read"))
        ) -> Response:
            done = query(request, DONE, PARAMETER).get(DONE, "")
            document, found = await seen(served, self._behind, id, admitted)
            timeline = timeline_of(served, document, admitted.principal)
            known = known_to(served, self._behind.definitions, document)
            stands = await standing_of(served, document, admitted, timeline, known)
            cells = self._shown(known, admitted, stands.zone, document)
            weighed = await served.weighs(PAGE, document, admitted)
            parts = _parts(served, found, document, admitted)
            return render(
                request,
                "case.html",
                reader=admitted.reader,
                service=admitted.edge.service,
                case=case,
                listed=bool(admitted.edge.policy.allowed(admitted.principal, served.name, "list")),
                found=found,
                acts=acts_of(served, document, admitted.principal, stands.possible(found.open)),
                stands=stands,
                now=admitted.edge.runtime.now(),
                rows=cells.rows(found, weighed.instead_of if weighed else ()),
                weighed=weighed,
                cells=cells,
                **_newest(timeline),
                **self._written(found, admitted),
                beside=[(one.word, one.address(document)) for one in beside_of(served, document, admitted)],
                asked_for=await self._asked_for(document, found, admitted, cells),
                ground=without_parts(await ground_of(served, document, admitted, cells, PAGE), parts),
                parts=parts,
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
        return Shown.to(admitted, lists_for(self._served, known, admitted), zone, service=service)

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
