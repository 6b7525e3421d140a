"""Pages: somebody enters the code that they were given, sees whose account it is, and accepts or declines."""

from __future__ import annotations

from typing import Any

from fastapi import Depends, Request
from pydantic import BaseModel
from starlette.responses import RedirectResponse, Response

from services.registration.domain.handover import PROPOSE
from services.registration.handovers.answering import (
    HANDOVERS,
    AcceptedWith,
    Answering,
    DeclinedWith,
    HandoverCode,
    HandoverFound,
)
from shared.errors import Problem
from shared.web import bodies
from shared.web.lists import query
from shared.web.pages import cases
from shared.web.pages.filled import Form
from shared.web.pages.forms import Field, Posted, fields_of, json_of
from shared.web.pages.kept import KEY
from shared.web.pages.languages import PARAMETER
from shared.web.pages.readers import Admitted, check_forgery, reading_as
from shared.web.pages.refused import Refused
from shared.web.pages.rendering import render
from shared.web.pages.sent import sent_form
from shared.web.pages.shown import Shown
from shared.web.problems import ANSWERS
from shared.web.routing import Routes

PATH = f"/{HANDOVERS}"
CODE = "/code"


class HandoverPages:
    """`GET` and `POST /handovers`, `POST /handovers/accept` and `/handovers/decline`."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self.router = Routes(include_in_schema=False)
        add = self.router.add_api_route
        add(PATH, self.ask, methods=["GET"])
        add(PATH, self.find, methods=["POST"])
        add(f"{PATH}/accept", self.accept, methods=["POST"])
        add(f"{PATH}/decline", self.decline, methods=["POST"])

    async def ask(self, request: Request, admitted: Admitted = Depends(reading_as(HANDOVERS, "find"))) -> Response:
        query(request, PARAMETER)
        return _asking(request, admitted, Posted({}))

    async def find(self, request: Request, admitted: Admitted = Depends(reading_as(HANDOVERS, "find"))) -> Response:
        posted = await _posted(request, admitted)
        try:
            found = await self._answering.find(_body(HandoverCode, posted).model, admitted)
        except tuple(ANSWERS) as error:
            refused = Refused.by(error)
            return refused.over(_asking(request, admitted, posted, refused.problems, refused.status))
        return _found(request, admitted, posted, found)

    async def accept(self, request: Request, admitted: Admitted = Depends(reading_as(HANDOVERS, "accept"))) -> Response:
        posted = await _posted(request, admitted)
        try:
            body = _body(AcceptedWith, posted)
            answered = await self._answering.accept(request, body, cases.key_of(posted), admitted)
        except tuple(ANSWERS) as error:
            return await self._again(request, admitted, posted, error)
        return RedirectResponse(f"/{admitted.edge.service}/{answered.case}/{answered.id}", 303)

    async def decline(
        self, request: Request, admitted: Admitted = Depends(reading_as(HANDOVERS, "decline"))
    ) -> Response:
        posted = await _posted(request, admitted)
        try:
            body = _body(DeclinedWith, posted)
            await self._answering.decline(request, body, cases.key_of(posted), admitted)
        except tuple(ANSWERS) as error:
            return await self._again(request, admitted, posted, error)
        return render(request, "handover_declined.html", reader=admitted.reader)

    async def _again(self, request: Request, admitted: Admitted, posted: Posted, error: Exception) -> Response:
        """What is offered, with what was sent and what the JSON edge answers; the code alone where nothing is."""
        refused = Refused.by(error)
        try:
            found = await self._answering.find(_body(HandoverCode, posted).model, admitted)
        except tuple(ANSWERS):
            return refused.over(_asking(request, admitted, posted, refused.problems, refused.status))
        return refused.over(_found(request, admitted, posted, found, refused.problems, refused.status))


async def _posted(request: Request, admitted: Admitted) -> Posted:
    sent = await sent_form(request)
    check_forgery(request, dict(sent), admitted.reader)
    return Posted.of(sent)


def _body(model: type[BaseModel], posted: Posted) -> Any:
    return bodies.body_of(model, json_of(_fields(model), posted))


def _fields(model: type[BaseModel]) -> tuple[Field, ...]:
    return fields_of(model.model_json_schema())


def _asking(
    request: Request, admitted: Admitted, posted: Posted, problems: tuple[Problem, ...] = (), status: int = 200
) -> Response:
    form = Form(admitted.reader.language, _fields(HandoverCode), posted, problems)
    return render(request, "handovers.html", status, reader=admitted.reader, form=form, failed=bool(problems))


def _found(
    request: Request,
    admitted: Admitted,
    posted: Posted,
    found: HandoverFound,
    problems: tuple[Problem, ...] = (),
    status: int = 200,
) -> Response:
    language = admitted.reader.language

    def form(model: type[BaseModel]) -> Form:
        return Form(
            language, tuple(one for one in _fields(model) if one.pointer != CODE), posted, problems, about=(PROPOSE,)
        )

    return render(
        request,
        "handover.html",
        status,
        reader=admitted.reader,
        found=found,
        cells=Shown.to(admitted),
        form=form(AcceptedWith),
        declining=form(DeclinedWith),
        failed=bool(problems),
        code=posted.text(CODE),
        keys=[admitted.edge.runtime.new_id() for _ in range(2)],
        key_name=KEY,
        base=request.url.path.partition(PATH)[0] + PATH,
    )
