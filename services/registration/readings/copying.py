"""A copy of what is held of a person: for the person, and for the data protection role that answers for it.

What other services hold of somebody is coded and stands under the person's id; the copy says where it is read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from services.registration import messages, views
from services.registration.domain.files import StoredFile
from services.registration.domain.readings import Purpose
from services.registration.files.api import FileSeen
from services.registration.files.api import seen as file_seen
from services.registration.messages import MessageSeen
from services.registration.readings import seen
from services.registration.readings.seen import IdentifiersSeen, ReadingSeen
from services.registration.store import EXPERTS, FILES, MESSAGES, PERSONS
from services.registration.views import ExpertSeen, PersonSeen
from services.registration.work.readings import Readings
from shared.audit.segments import READINGS
from shared.cases.bodies import Input
from shared.contracts.base import Instant
from shared.identity.rights import Rights
from shared.programmes.definitions import Definitions
from shared.programmes.sections.selection import SelectionSection
from shared.store.narrowing import Listed, read
from shared.store.port import Document, Store
from shared.web.acting import id_of
from shared.web.answers import answered
from shared.web.bodies import documented, read_body
from shared.web.callers import Granted, may
from shared.web.json import representation
from shared.web.lists import query
from shared.web.pages.cases import newest_of
from shared.web.pages.choices import Choices
from shared.web.pages.languages import PARAMETER
from shared.web.pages.linked import page_for
from shared.web.pages.readers import Admitted, check_forgery, reading_as
from shared.web.pages.rendering import render
from shared.web.pages.sent import sent_form
from shared.web.pages.shown import Row, Shown
from shared.web.pages.words import translations
from shared.web.routing import Routes

COPY, AS_FILE = "copy", "file"
RIGHTS: tuple[Rights, ...] = ((PERSONS.name, COPY, {"expert": "own", "protection": "all"}),)
PURPOSE: Purpose = "rights_request"
# Of each kind; the copy says where there are more.
ROWS_AT_MOST = 500
# Fields by which other services' cases name a person's.
ELSEWHERE = ("match", "placement")
_LISTS = ("experts", "files", "messages")
# What says nothing of a person; the state is told in the words of its kind.
_OF_PAGES = frozenset({"version", "open", "notes", "state"})


class PersonCopy(BaseModel):
    """`identifiers`: opened for this copy, which the trail says; numbers of documents for the protection role alone.
    Each part is as its own address answers it. `more`: kinds of which it holds the first ones alone. `elsewhere`: lists
    of the person's cases in other services."""

    model_config = ConfigDict(frozen=True)

    id: str
    made_at: Instant
    identifiers: Mapping[str, Any]
    person: Mapping[str, Any]
    experts: tuple[Mapping[str, Any], ...]
    files: tuple[Mapping[str, Any], ...]
    messages: tuple[Mapping[str, Any], ...]
    readings: tuple[Mapping[str, Any], ...]
    more: tuple[str, ...]
    elsewhere: tuple[str, ...]


@dataclass(frozen=True)
class Copied:
    """What the copy is made of, as models: `PersonCopy` says what each is."""

    id: str
    made_at: Instant
    identifiers: IdentifiersSeen
    person: PersonSeen
    experts: tuple[ExpertSeen, ...]
    files: tuple[FileSeen, ...]
    messages: tuple[MessageSeen, ...]
    readings: tuple[ReadingSeen, ...]
    more: tuple[str, ...]
    elsewhere: tuple[str, ...]

    def told(self) -> PersonCopy:
        parts = {name: tuple(representation(one) for one in getattr(self, name)) for name in (*_LISTS, "readings")}
        return PersonCopy(
            id=self.id,
            made_at=self.made_at,
            identifiers=representation(self.identifiers),
            person=representation(self.person),
            more=self.more,
            elsewhere=self.elsewhere,
            **parts,
        )


class Copying:
    """Puts the copy together. `store`: registration's own."""

    def __init__(self, readings: Readings, store: Store) -> None:
        self._readings = readings
        self._store = store

    async def of(self, person: Document, granted: Granted) -> Copied:
        """Counted and written into the trail before anything is opened; the own copy is written alone.

        Refusal `readings_used_up` (429). Raises KeyDestroyed for an erased person, Unavailable.
        """
        id, principal = str(person["_id"]), granted.principal
        own = any(grant.relation == "own" for grant in granted.grants)
        opened = await self._readings.identity(person, principal, PURPOSE, own=own)
        experts, more_experts = await self._read(EXPERTS.name, "own", id)
        files, more_files = await self._read(FILES.name, "person", id)
        sent, more_sent = await self._read(MESSAGES.name, "person", id)
        looks, more_looks = await self._read(READINGS.name, "subject", id)
        cut = {EXPERTS.name: more_experts, FILES.name: more_files, MESSAGES.name: more_sent, "readings": more_looks}
        return Copied(
            id=id,
            made_at=granted.edge.runtime.now(),
            identifiers=seen.identity(id, opened),
            person=views.person(person, principal),
            experts=tuple(views.expert(one, principal) for one in experts),
            files=tuple(file_seen(one["_id"], StoredFile.model_validate(one["state"])) for one in files),
            messages=tuple(messages.message(one, principal) for one in sent),
            readings=tuple(seen.reading(one, principal.role, (id,)) for one in looks),
            more=tuple(name for name, is_cut in cut.items() if is_cut),
            elsewhere=tuple(page for name in ELSEWHERE if (page := page_for(name, principal.role))),
        )

    async def _read(self, collection: str, index: str, equals: str) -> tuple[list[Document], bool]:
        found, last = await read(self._store, collection, Listed(index, (equals,)), None, ROWS_AT_MOST)
        return found, last is not None


def copying_router(copying: Copying) -> APIRouter:
    """`POST /persons/{id}/copy`: reading it is an act, which the trail has."""
    router = Routes()

    async def copy(id: str, request: Request, granted: Granted = Depends(may(PERSONS.name, COPY))) -> Response:
        query(request)
        person = await granted.load(PERSONS.name, id_of(id))
        await read_body(request, Input)
        return JSONResponse(representation((await copying.of(person, granted)).told()))

    router.add_api_route(
        f"/{PERSONS.name}/{{id}}/{COPY}",
        copy,
        methods=["POST"],
        operation_id="persons_copy",
        summary="A copy of what is held of the person; the trail has it first",
        openapi_extra={**documented(Input, {}), "responses": answered(PersonCopy, "What registration holds.")},
        tags=[PERSONS.name],
    )
    return router


class CopyPages:
    """`GET` and `POST /persons/{id}/copy`: as a page to print, or as a file of the same."""

    def __init__(self, copying: Copying, definitions: Definitions) -> None:
        self._copying = copying
        self._definitions = definitions
        self.router = Routes(include_in_schema=False)
        self.router.add_api_route(f"/{PERSONS.name}/{{id}}/{COPY}", self.ask, methods=["GET"])
        self.router.add_api_route(f"/{PERSONS.name}/{{id}}/{COPY}", self.give, methods=["POST"])

    async def ask(
        self, id: str, request: Request, admitted: Admitted = Depends(reading_as(PERSONS.name, COPY))
    ) -> Response:
        query(request, PARAMETER)
        person = await admitted.load(PERSONS.name, id_of(id))
        return self._page(request, admitted, person["_id"], None)

    async def give(
        self, id: str, request: Request, admitted: Admitted = Depends(reading_as(PERSONS.name, COPY))
    ) -> Response:
        sent = dict(await sent_form(request))
        check_forgery(request, sent, admitted.reader)
        person = await admitted.load(PERSONS.name, id_of(id))
        found = await self._copying.of(person, admitted)
        if AS_FILE not in sent:
            return self._page(request, admitted, found.id, found)
        text = json.dumps(representation(found.told()), ensure_ascii=False, indent=1)
        headers = {"Content-Disposition": f'attachment; filename="{found.id}.json"', "Cache-Control": "no-store"}
        return Response(text, media_type="application/json", headers=headers)

    def _page(self, request: Request, admitted: Admitted, id: str, found: Copied | None) -> Response:
        lists = Choices(newest_of(self._definitions), admitted.reader.language, SelectionSection).to_show()
        cells = Shown.to(admitted, lists, service=admitted.edge.service)
        return render(
            request,
            "copy.html",
            reader=admitted.reader,
            service=admitted.edge.service,
            id=id,
            found=found,
            parts={} if found is None else _parts(found, cells),
            cells=cells,
        )


def _parts(found: Copied, cells: Shown) -> Mapping[str, Any]:
    """By what each part is called, its rows: one part's, or each one's of several."""
    return {
        "persons": [(*cells.rows(found.identifiers), *_whole(PERSONS.name, found.person, cells))],
        **{name: [_whole(name, one, cells) for one in getattr(found, name)] for name in _LISTS},
    }


def _whole(kind: str, one: BaseModel, cells: Shown) -> tuple[Row, ...]:
    """All of it, with what a page of the case alone would say above."""
    words = translations(cells.language)
    status = f"state:{kind}:{getattr(one, 'state', '')}"
    said = words.gettext(status)
    rows = cells.rows(one, names=[name for name in type(one).model_fields if name not in _OF_PAGES])
    return (*([Row(words.gettext("Status"), said)] if said != status else []), *rows)
