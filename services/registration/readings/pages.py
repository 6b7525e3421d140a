"""Pages: a person's name and contact for a purpose, a person by name, and who looked at what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

from fastapi import Depends, Request
from pydantic import BaseModel
from starlette.responses import Response

from services.registration.domain.readings import IdentityReading, PersonSearch
from services.registration.readings import seen
from services.registration.readings.api import READ_IDENTITY, READ_TRAIL, SEARCH
from services.registration.readings.asked import DAY, as_asked, day_typed
from services.registration.readings.looking import Looking, purposes
from services.registration.readings.seen import PersonsFound, ReadingSeen
from services.registration.store import PERSONS
from services.registration.work.readings import Readings
from shared.errors import Problem, Refusal
from shared.web import bodies
from shared.web.acting import id_of
from shared.web.lists import OF_EVERY_LIST, query
from shared.web.pages.filled import Form
from shared.web.pages.forms import Field, Posted, fields_of, json_of
from shared.web.pages.languages import PARAMETER
from shared.web.pages.readers import Admitted, check_forgery, reading_as
from shared.web.pages.refused import Refused
from shared.web.pages.rendering import render
from shared.web.pages.sent import sent_form
from shared.web.pages.shown import Shown
from shared.web.pages.typed_dates import OF_A_DAY, part_shown
from shared.web.pages.wrong_filters import is_of_a_filter, wrong_filters
from shared.web.problems import ANSWERS
from shared.web.routing import Routes

IDENTITY_PAGE, SEARCH_PAGE, TRAIL_PAGE = "read_identity.html", "search.html", "readings.html"
# As the trail's form calls what it is narrowed by.
CALLED = {"subject": "Person or institution", DAY: "Day (UTC)"}


class ReadingPages:
    """`GET` and `POST /persons/{id}/read-identity` and `/search`; `GET /persons/{id}/readings` and `/readings`."""

    def __init__(self, readings: Readings) -> None:
        self._readings = readings
        self._looking = Looking(readings)
        self.router = Routes(include_in_schema=False)
        add = self.router.add_api_route
        add(f"/persons/{{id}}/{READ_IDENTITY}", self.ask_identity, methods=["GET"])
        add(f"/persons/{{id}}/{READ_IDENTITY}", self.identity, methods=["POST"])
        add(f"/persons/{{id}}/{READ_TRAIL}", self.about, methods=["GET"])
        add("/readings", self.everywhere, methods=["GET"])
        add("/search", self.ask_name, methods=["GET"])
        add("/search", self.search, methods=["POST"])

    async def ask_identity(
        self, id: str, request: Request, admitted: Admitted = Depends(reading_as(PERSONS.name, READ_IDENTITY))
    ) -> Response:
        query(request, PARAMETER)
        document = await admitted.load(PERSONS.name, id_of(id))
        return _page(request, admitted, IDENTITY_PAGE, IdentityReading, id=document["_id"], found=None)

    async def identity(
        self, id: str, request: Request, admitted: Admitted = Depends(reading_as(PERSONS.name, READ_IDENTITY))
    ) -> Response:
        """The names stand on the page that answers, and in no address: asked again they are read again."""
        sent = await sent_form(request)
        check_forgery(request, dict(sent), admitted.reader)
        document = await admitted.load(PERSONS.name, id_of(id))
        posted, shown = Posted.of(sent), {"id": document["_id"]}
        try:
            asked = _body(IdentityReading, posted)
            opened = await self._readings.identity(document, admitted.principal, asked.purpose)
        except tuple(ANSWERS) as error:
            return _refused(request, admitted, IDENTITY_PAGE, IdentityReading, posted, error, found=None, **shown)
        found = seen.identity(document["_id"], opened)
        rows = Shown.to(admitted).rows(found)
        return _page(request, admitted, IDENTITY_PAGE, IdentityReading, posted, found=rows, **shown)

    async def ask_name(
        self, request: Request, admitted: Admitted = Depends(reading_as(PERSONS.name, SEARCH))
    ) -> Response:
        query(request, PARAMETER)
        return _page(request, admitted, SEARCH_PAGE, PersonSearch, found=None)

    async def search(
        self, request: Request, admitted: Admitted = Depends(reading_as(PERSONS.name, SEARCH))
    ) -> Response:
        sent = await sent_form(request)
        check_forgery(request, dict(sent), admitted.reader)
        posted = Posted.of(sent)
        try:
            asked = _body(PersonSearch, posted)
            documents, more = await self._readings.search(admitted.principal, asked.name)
        except tuple(ANSWERS) as error:
            return _refused(request, admitted, SEARCH_PAGE, PersonSearch, posted, error, found=None)
        now = admitted.edge.runtime.now()
        found = PersonsFound(persons=tuple(seen.found(one, now) for one in documents), more=more)
        return _page(request, admitted, SEARCH_PAGE, PersonSearch, posted, found=found)

    async def about(
        self, id: str, request: Request, admitted: Admitted = Depends(reading_as(PERSONS.name, READ_TRAIL))
    ) -> Response:
        query(request, PARAMETER, *OF_EVERY_LIST)
        rows, following = await self._looking.about(id, request, admitted)
        return _trail(request, admitted, rows, following, id=id_of(id), asked={})

    async def everywhere(
        self, request: Request, admitted: Admitted = Depends(reading_as("readings", "list"))
    ) -> Response:
        """The trail across all cases; what it is asked for wrongly stands in its form again (422)."""
        try:
            asking = await as_asked(request, admitted.edge.store)
            asked, (rows, following) = await self._looking.everywhere(asking, admitted, PARAMETER)
        except Refusal as refusal:
            if not is_of_a_filter(refusal):
                raise
            return _trail(request, admitted, [], None, refusal.problems, id="", asked=dict(request.query_params))
        return _trail(request, admitted, rows, following, id="", asked=asked)


def _body(model: type[BaseModel], posted: Posted) -> Any:
    return bodies.body_of(model, json_of(_fields(model), posted)).model


def _fields(model: type[BaseModel]) -> tuple[Field, ...]:
    return fields_of(model.model_json_schema())


def _trail(
    request: Request,
    admitted: Admitted,
    rows: Sequence[ReadingSeen],
    following: str | None,
    problems: Sequence[Problem] = (),
    *,
    id: str,
    asked: Mapping[str, str],
) -> Response:
    """`asked`: the filters, as they were read or else typed; `id`: of the person whose trail it is, empty for all."""
    day = day_typed(asked)
    return render(
        request,
        TRAIL_PAGE,
        422 if problems else 200,
        reader=admitted.reader,
        service=admitted.edge.service,
        rows=rows,
        following=following,
        cells=Shown.to(admitted),
        purposes=purposes(),
        id=id,
        asked=asked,
        day=[(f"{DAY}/{part}", part, part_shown(day, DAY, part, UTC)) for part in OF_A_DAY],
        problems=wrong_filters(problems, admitted.reader.language, CALLED),
        failed=bool(problems),
    )


def _page(
    request: Request,
    admitted: Admitted,
    template: str,
    model: type[BaseModel],
    posted: Posted | None = None,
    problems: tuple[Problem, ...] = (),
    status: int = 200,
    **context: Any,
) -> Response:
    language = admitted.reader.language
    form = Form(language, _fields(model), posted or Posted({}), problems)
    return render(
        request,
        template,
        status,
        reader=admitted.reader,
        service=admitted.edge.service,
        form=form,
        cells=Shown.to(admitted),
        failed=bool(problems),
        **context,
    )


def _refused(
    request: Request,
    admitted: Admitted,
    template: str,
    model: type[BaseModel],
    posted: Posted,
    error: Exception,
    **context: Any,
) -> Response:
    """The form as it was sent, with what the JSON edge answers."""
    refused = Refused.by(error)
    page = _page(request, admitted, template, model, posted, refused.problems, refused.status, **context)
    return refused.over(page)
