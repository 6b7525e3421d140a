"""JSON: the code of an account that is offered, answered by whoever was given it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.responses import Response

from services.registration.domain.handover import HELD, UNCHANGED
from services.registration.handovers.answering import (
    HANDOVERS,
    AcceptedWith,
    Answering,
    DeclinedWith,
    HandoverAnswered,
    HandoverCode,
    HandoverFound,
)
from shared.web.answers import answered, refused_by, turned_away
from shared.web.bodies import Body, documented, read_body
from shared.web.callers import Granted, may
from shared.web.commands import key_of
from shared.web.json import representation
from shared.web.lists import query
from shared.web.routing import Routes

TOO_OFTEN = {"429": turned_away("The account has named too many codes under which nothing is offered.")}
CODE = "7K2M-QX9D-4WTN"
Done = Callable[[Request, Body[Any], str, Granted], Awaitable[HandoverAnswered]]


def handovers_router(answering: Answering) -> APIRouter:
    """`POST /handovers/find`, `/handovers/accept` and `/handovers/decline`: no code stands in an address."""
    router = Routes()
    _finding(router, answering)
    refused = {"409": refused_by(HELD, UNCHANGED)}
    _answering(router, "accept", AcceptedWith, {"code": CODE}, answering.accept, refused)
    _answering(router, "decline", DeclinedWith, {"code": CODE, "reason": "not_wanted"}, answering.decline, {})
    return router


def _finding(router: APIRouter, answering: Answering) -> None:
    async def find(request: Request, granted: Granted = Depends(may(HANDOVERS, "find"))) -> Response:
        query(request)
        sent = await read_body(request, HandoverCode)
        return JSONResponse(representation(await answering.find(sent.model, granted)))

    router.add_api_route(
        f"/{HANDOVERS}/find",
        find,
        methods=["POST"],
        summary="Whose account is offered under the code",
        description="To an account of the same role. 404 `handover_unknown` for every code under which none is.",
        operation_id="handovers_find",
        openapi_extra={
            **documented(HandoverCode, {"code": CODE}),
            "responses": {**answered(HandoverFound, "What is offered, and until when."), **TOO_OFTEN},
        },
        tags=[HANDOVERS],
    )


def _answering(
    router: APIRouter,
    verb: str,
    model: type[BaseModel],
    example: Mapping[str, Any],
    done: Done,
    refused: Mapping[str, Any],
) -> None:
    async def endpoint(request: Request, granted: Granted = Depends(may(HANDOVERS, verb))) -> Response:
        query(request)
        sent = await read_body(request, model)
        return JSONResponse(representation(await done(request, sent, key_of(request, granted), granted)))

    summaries = {
        "accept": "The account is the caller's from now on",
        "decline": "The caller does not take the account over",
    }
    router.add_api_route(
        f"/{HANDOVERS}/{verb}",
        endpoint,
        methods=["POST"],
        summary=summaries[verb],
        description="The same request is answered the same. 404 `handover_unknown` where none is offered any more.",
        operation_id=f"handovers_{verb}",
        openapi_extra={
            **documented(model, dict(example)),
            "responses": {**answered(HandoverAnswered, "What became of it."), **refused, **TOO_OFTEN},
        },
        tags=[HANDOVERS],
    )
