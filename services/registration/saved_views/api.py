"""JSON: the lists that the caller saved, and those that colleagues share."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.responses import Response

from services.registration.domain.saved_views import SAVED_VIEWS, TOO_MANY, ListPath, Narrowing, SavedView, ViewName
from services.registration.work.saving_views import Offered, SavingViews
from shared.cases.bodies import Input
from shared.contracts.base import Id, Instant
from shared.identity.rights import Rights
from shared.web.answers import answered, listed_answers, refused_by
from shared.web.bodies import documented, read_body
from shared.web.callers import Granted, may
from shared.web.conditions import key_in
from shared.web.json import representation
from shared.web.lists import query
from shared.web.routing import Routes

RIGHTS: tuple[Rights, ...] = ((SAVED_VIEWS, "list save stop-sharing remove", {"officer": "office"}),)
NAMED = "0f5e2d0a-3f0c-5a51-8f0c-3d1b5b8f8c41"
EXAMPLE = {"list": "registration/experts", "name": "To be screened", "query": "status=screening&order=oldest"}


class ViewSaved(Input):
    """`list`: the service and the name of its cases; `query`: of the list's address, as a browser writes it; `shared`:
    with everybody of the office, and without it as the view of that name is."""

    list: ListPath
    name: ViewName
    query: Narrowing = ""
    shared: bool | None = None


class ViewNamed(Input):
    """One of the caller's own."""

    id: Id


class SavedViewSeen(BaseModel):
    """`address`: of the list as it was saved; `own`: the caller's, to whom nobody else's name is told."""

    id: str
    list: str
    name: str
    query: str
    address: str
    shared: bool
    own: bool
    saved_at: Instant


class ViewGone(BaseModel):
    id: str


def seen(offered: Offered) -> SavedViewSeen:
    view = offered.view
    return SavedViewSeen(
        id=offered.id, address=address_of(view), own=offered.own, **view.model_dump(exclude={"office"})
    )


def address_of(view: SavedView) -> str:
    return f"/{view.list}?{view.query}" if view.query else f"/{view.list}"


def saved_views_router(views: SavingViews) -> APIRouter:
    """`GET /saved-views`, `POST /saved-views/save`, `/saved-views/stop-sharing` and `/saved-views/remove`."""
    router = Routes(tags=[SAVED_VIEWS])
    _listing(router, views)
    _saving(router, views)
    _keeping_back(router, views)
    _removing(router, views)
    return router


def _listing(router: APIRouter, views: SavingViews) -> None:
    async def offered(request: Request, granted: Granted = Depends(may(SAVED_VIEWS, "list"))) -> Response:
        query(request)
        items = [representation(seen(one)) for one in await views.offered(granted.principal)]
        return JSONResponse({"items": items, "next": None, "total": {"number": len(items), "more": False}})

    router.add_api_route(
        f"/{SAVED_VIEWS}",
        offered,
        methods=["GET"],
        summary="The lists that the caller saved, and those that colleagues share with the office",
        description="All that is kept of the account here. Roles: officer (office).",
        operation_id="saved_views_list",
        openapi_extra={"responses": listed_answers(SavedViewSeen)},
    )


def _saving(router: APIRouter, views: SavingViews) -> None:
    async def save(request: Request, granted: Granted = Depends(may(SAVED_VIEWS, "save"))) -> Response:
        query(request)
        sent = (await read_body(request, ViewSaved)).model
        view = await views.save(granted.principal, sent.list, sent.name, sent.query, shared=sent.shared)
        return JSONResponse(representation(seen(view)))

    router.add_api_route(
        f"/{SAVED_VIEWS}/save",
        save,
        methods=["POST"],
        summary="A list is saved under a name",
        description="One of the same name in the same list takes the other's place. Roles: officer (office).",
        operation_id="saved_views_save",
        openapi_extra={
            **documented(ViewSaved, EXAMPLE),
            "responses": {**answered(SavedViewSeen, "As it is kept."), "409": refused_by(TOO_MANY)},
        },
    )


def _keeping_back(router: APIRouter, views: SavingViews) -> None:
    async def stop_sharing(request: Request, granted: Granted = Depends(may(SAVED_VIEWS, "stop-sharing"))) -> Response:
        query(request)
        sent = (await read_body(request, ViewNamed)).model
        return JSONResponse(representation(seen(await views.stop_sharing(granted.principal, sent.id))))

    router.add_api_route(
        f"/{SAVED_VIEWS}/stop-sharing",
        stop_sharing,
        methods=["POST"],
        summary="One of the caller's own is offered to nobody else any more",
        description="The same answer where it is not shared; 404 where there is none. Roles: officer (office).",
        operation_id="saved_views_stop_sharing",
        openapi_extra={
            **documented(ViewNamed, {"id": NAMED}),
            "responses": answered(SavedViewSeen, "As it is kept."),
        },
    )


def _removing(router: APIRouter, views: SavingViews) -> None:
    async def remove(request: Request, granted: Granted = Depends(may(SAVED_VIEWS, "remove"))) -> Response:
        query(request)
        sent = (await read_body(request, ViewNamed)).model
        await views.remove(granted.principal, sent.id, key_in(request))
        return JSONResponse(representation(ViewGone(id=sent.id)))

    router.add_api_route(
        f"/{SAVED_VIEWS}/remove",
        remove,
        methods=["POST"],
        summary="One of the caller's own is kept no more",
        description="The same answer again under the same key; 404 where there is none. Roles: officer (office).",
        operation_id="saved_views_remove",
        openapi_extra={
            **documented(ViewNamed, {"id": NAMED}),
            "responses": answered(ViewGone, "It is gone."),
        },
    )
