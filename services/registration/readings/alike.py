"""JSON and pages of possible duplicates: the cases that wait, and two persons side by side."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from services.registration.domain.duplicates import COMPARED, Compared, Sure
from services.registration.domain.experts import EXPERT
from services.registration.store import EXPERTS
from services.registration.work.duplicates import Duplicates, Resemblance
from shared.contracts.base import Instant
from shared.contracts.registration.persons import Attributes
from shared.identity.rights import Rights
from shared.store.port import Document
from shared.web.acting import Served, id_of, open_to
from shared.web.answers import answered, listed_answers
from shared.web.callers import Granted, may
from shared.web.json import representation
from shared.web.lists import OF_EVERY_LIST, PARAMETERS, Paged, page_of, query
from shared.web.pages.languages import PARAMETER
from shared.web.pages.readers import Admitted, reading_as
from shared.web.pages.rendering import render
from shared.web.pages.shown import Shown
from shared.web.routing import Routes

COMPARE, DUPLICATES = "alike", "duplicates"
RIGHTS: tuple[Rights, ...] = ((EXPERT.name, COMPARE, {"officer": "office", "protection": "all"}),)


class FlaggedSeen(BaseModel):
    """A case whose person has the name, the year of birth and the origin of somebody else."""

    model_config = ConfigDict(frozen=True)

    id: str
    person: str
    office: str
    programme: str
    state: str
    registered_at: Instant


class AlikePerson(BaseModel):
    """The other person, what agrees of both, and how sure that makes it that they are one."""

    model_config = ConfigDict(frozen=True)

    person: str
    experts: tuple[str, ...]
    attributes: Attributes
    sure: Sure
    compared: tuple[Compared, ...]


class AlikeSeen(BaseModel):
    """A case beside those whom its person resembles. `elsewhere`: so many are another office's."""

    model_config = ConfigDict(frozen=True)

    id: str
    person: str
    attributes: Attributes
    others: tuple[AlikePerson, ...]
    elsewhere: int


def flagged(document: Document) -> FlaggedSeen:
    state = document["state"]
    names = ("person", "office", "programme", "registered_at")
    return FlaggedSeen(id=document["_id"], state=state["status"], **{name: state[name] for name in names})


def seen(found: Resemblance) -> AlikeSeen:
    others = tuple(
        AlikePerson(person=one.person, experts=one.experts, attributes=one.attributes, sure=one.sure, compared=one.rows)
        for one in found.others
    )
    return AlikeSeen(
        id=found.expert["_id"],
        person=found.person,
        attributes=found.attributes,
        others=others,
        elsewhere=found.elsewhere,
    )


async def waiting(request: Request, granted: Granted) -> tuple[list[FlaggedSeen], str | None]:
    """The flagged cases that the caller may compare, and the cursor of the next page."""
    equalities = await granted.equalities()
    paged = Paged(Duplicates.listed(equalities[0][1]), (DUPLICATES, *equalities[0])) if equalities else None
    documents, following = await page_of(request, EXPERTS.name, paged)
    return [flagged(one) for one in documents], following


def alike_router(duplicates: Duplicates) -> APIRouter:
    """`GET /duplicates`, `GET /experts/{id}/alike`."""
    router = Routes()

    async def listing(request: Request, granted: Granted = Depends(may(EXPERT.name, COMPARE))) -> Response:
        query(request, *OF_EVERY_LIST)
        rows, following = await waiting(request, granted)
        return JSONResponse({"items": [representation(one) for one in rows], "next": following})

    async def compare(id: str, request: Request, granted: Granted = Depends(may(EXPERT.name, COMPARE))) -> Response:
        query(request)
        expert = await granted.load(EXPERTS.name, id_of(id))
        return JSONResponse(representation(seen(await duplicates.of(expert, granted))))

    router.add_api_route(
        f"/{DUPLICATES}",
        listing,
        methods=["GET"],
        operation_id="duplicates_list",
        summary="Cases whose person may be recorded twice",
        openapi_extra={"parameters": PARAMETERS, "responses": listed_answers(FlaggedSeen)},
        tags=[EXPERT.name],
    )
    router.add_api_route(
        f"/experts/{{id}}/{COMPARE}",
        compare,
        methods=["GET"],
        operation_id="experts_alike",
        summary="The person of the case beside those who resemble it; the trail has the look first",
        openapi_extra={"responses": answered(AlikeSeen, "What agrees, and how sure that makes it.")},
        tags=[EXPERT.name],
    )
    return router


class AlikePages:
    """`GET /duplicates`, `GET /experts/{id}/alike`, as pages. `experts`: for the verbs that are open on the case."""

    def __init__(self, duplicates: Duplicates, experts: Served) -> None:
        self._duplicates = duplicates
        self._experts = experts
        self.router = Routes(include_in_schema=False)
        self.router.add_api_route(f"/{DUPLICATES}", self.listing, methods=["GET"])
        self.router.add_api_route(f"/experts/{{id}}/{COMPARE}", self.compare, methods=["GET"])

    async def listing(
        self, request: Request, admitted: Admitted = Depends(reading_as(EXPERT.name, COMPARE))
    ) -> Response:
        query(request, PARAMETER, *OF_EVERY_LIST)
        rows, following = await waiting(request, admitted)
        return render(
            request,
            "duplicates.html",
            reader=admitted.reader,
            service=admitted.edge.service,
            rows=rows,
            following=following,
            cells=Shown.to(admitted),
        )

    async def compare(
        self, id: str, request: Request, admitted: Admitted = Depends(reading_as(EXPERT.name, COMPARE))
    ) -> Response:
        query(request, PARAMETER)
        expert = await admitted.load(EXPERTS.name, id_of(id))
        return render(
            request,
            "alike.html",
            reader=admitted.reader,
            service=admitted.edge.service,
            found=seen(await self._duplicates.of(expert, admitted)),
            fields=COMPARED,
            verbs=await open_to(self._experts, expert, admitted),
            cells=Shown.to(admitted),
        )
