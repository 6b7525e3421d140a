"""Matching's HTTP edge: its cases with the works of their verbs, and what is no case: vacancies, applications,
shortlists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Depends, Request
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter
from starlette.responses import Response

from services.matching import views
from services.matching.domain.assignments import ASSIGNMENT, EXPERT, OPEN_TO_EXPERTS, READERS
from services.matching.domain.matches import MATCH
from services.matching.papers.terms import TERMS
from services.matching.store import ASSIGNMENTS, MATCHES
from services.matching.work.vacancies import FILTERS, Application, path_of
from services.matching.work.works import Works
from shared.clock import derived_id
from shared.contracts.base import Code
from shared.identity.rights import Rights
from shared.identity.roles import BY_EXPERT
from shared.papers.named import OFFER
from shared.programmes.sections.selection import SelectionSection
from shared.replica import Replica
from shared.store.port import Document
from shared.web.acting import PAGE, Beside, Served, Unsealed, Work, id_of
from shared.web.answers import answered, listed_answers, taken_answers
from shared.web.bodies import documented, read_body
from shared.web.callers import Granted, may
from shared.web.commands import cause, key_of
from shared.web.doors import entered
from shared.web.json import ID_PARAMETER, acknowledged, representation
from shared.web.lists import OF_EVERY_LIST, PARAMETERS, page, query
from shared.web.routing import Routes
from shared.web.transferring import transferring

_CODE = TypeAdapter(Code).json_schema()
NARROWING: Sequence[Mapping[str, Any]] = [
    {"name": name, "in": "query", "description": f"Those of this {name}, by its code.", "schema": _CODE}
    for name in FILTERS
]
MATCHES_OF = "matches"
# What is published is for everybody who may apply; drafts and reasons stay in `assignments`.
RIGHTS: tuple[Rights, ...] = (
    ("vacancies", "list read", {"expert": "all", "host": "all", "officer": "all"}),
    ("applications", "create", BY_EXPERT),
    ("shortlist", "list", READERS),
)


def served_cases(works: Works, replica: Replica) -> tuple[Served, ...]:
    return (
        Served(
            ASSIGNMENT,
            ASSIGNMENTS,
            views.AssignmentSeen,
            views.assignment,
            _of_assignments(works, replica),
            section=SelectionSection,
            papers=(TERMS,),
            columns=("title", "programme", "office", "terms.starts_on", "terms.ends_on", "opened_at"),
            parts=("terms.institution",),
            beside=(Beside(MATCH.name, "list", _matches_of, _has_matches, named=MATCHES_OF),),
            suggests={
                ("shortlist", "experts"): works.candidates.best,
                ("create", "institution"): works.hosts.usable,
                ("revise", "institution"): works.hosts.usable,
            },
            hinders={"create": works.hosts.hindrance},
            shuts=works.hosts.shuts(ASSIGNMENT, lambda one: one["state"]["terms"]["institution"]),
        ),
        Served(
            MATCH,
            MATCHES,
            views.MatchSeen,
            views.match,
            _of_matches(works),
            unsealed=_with_its_placement(works),
            section=SelectionSection,
            papers=(OFFER,),
            columns=("assignment", "expert", "programme", "score", "rank", "opened_at", "expires_at"),
            parts=("expert", "person", "institution"),
            shuts=works.hosts.shuts(MATCH, lambda one: one["state"]["parties"].get("institution")),
            grounds=dict.fromkeys((PAGE, "accept", "decline"), works.offers.ground),
        ),
    )


def _of_matches(works: Works) -> Mapping[str, Work]:
    return {
        "allocate": works.allocation.allocate,
        "offer": works.allocation.offer,
        "accept": works.allocation.accept,
        "retract": works.retraction.retract,
        **works.putting_right.of_matches,
    }


def _of_assignments(works: Works, replica: Replica) -> Mapping[str, Work]:
    return {
        "create": works.requests.create,
        "revise": works.requests.revise,
        **dict.fromkeys(("submit", "approve", "publish"), works.requests.go_on),
        "shortlist": works.allocation.shortlist,
        **works.putting_right.of_assignments,
        **transferring(ASSIGNMENTS, replica),
    }


def _matches_of(assignment: Document) -> str:
    return f"/matching/{MATCH.name}?assignment={assignment['_id']}"


def _has_matches(assignment: Document) -> bool:
    """Whether experts may stand on it, or stood on it."""
    state = assignment["state"]
    return state["status"] in OPEN_TO_EXPERTS or bool(state["shortlisted"])


def _with_its_placement(works: Works) -> Unsealed:
    """What placement has told by now of the placement that followed from the match."""

    async def told(document: Document, _granted: Granted) -> Mapping[str, Any]:
        known = await works.promises.placement_of(document["_id"])
        status, id = known.get("status"), derived_id(document["_id"], "placement")
        return {"placement": views.PlacementTold(id=id, state=status) if status else None}

    return told


class Api:
    """The routes that are no case's."""

    def __init__(self, replica: Replica, works: Works) -> None:
        self._store = replica.ports.store
        self._vacancies = works.vacancies
        self.router = Routes()
        vacancies, vacancy = listed_answers(views.VacancySeen), answered(views.VacancySeen, "As experts see it.")
        matches = listed_answers(views.MatchSeen)
        self._route("/vacancies", "vacancies", "list", self._list, "What is open to applications", vacancies, NARROWING)
        self._route("/vacancies/{id}", "vacancies", "read", self._vacancy, "One vacancy", vacancy)
        path = "/assignments/{id}/shortlist"
        self._route(path, "shortlist", "list", self._shortlist, "The matches of every round by rank", matches)
        self._applications()

    def _route(
        self,
        path: str,
        resource: str,
        verb: str,
        run: Any,
        summary: str,
        responses: Mapping[str, Any],
        narrowing: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        parameters = [ID_PARAMETER] if "{id}" in path else [*PARAMETERS, *narrowing]

        async def endpoint(request: Request, granted: Granted = Depends(may(resource, verb))) -> Response:
            answer: Response = await run(request, granted)
            return answer

        self.router.add_api_route(
            path,
            endpoint,
            methods=["GET"],
            summary=summary,
            operation_id=f"{resource}_{verb}",
            openapi_extra={"responses": responses, "parameters": parameters},
            tags=[resource],
        )

    async def _list(self, request: Request, granted: Granted) -> Response:
        """Without those whose work is over."""

        async def seen(document: Document) -> Mapping[str, Any]:
            return representation(await self._vacancies.seen(document, granted))

        asked = {name: value for name, value in query(request, *OF_EVERY_LIST, *FILTERS).items() if name in FILTERS}
        paged, first = self._vacancies.narrowed(asked)
        return await page(request, ASSIGNMENTS.name, paged, seen, first=first)

    async def _vacancy(self, request: Request, granted: Granted) -> Response:
        query(request)
        document = await self._vacancies.load(request.path_params["id"])
        own = await self._vacancies.own(document, granted)
        return JSONResponse(representation(await self._vacancies.read(document, own)))

    async def _shortlist(self, request: Request, granted: Granted) -> Response:
        """The matches of every round by rank, all on one page: a round has five at most."""
        query(request)
        document = await granted.load(ASSIGNMENTS.name, id_of(request.path_params["id"]))
        found = [await self._store.load(MATCHES.name, one) for one in document["state"]["shortlisted"]]
        items = [representation(views.match(one, granted.principal)) for one in found if one]
        return JSONResponse({"items": items, "next": None})

    def _applications(self) -> None:
        async def endpoint(
            id: str, request: Request, granted: Granted = Depends(may("applications", "create"))
        ) -> Response:
            query(request)
            with entered(granted):
                return await self._apply(id_of(id), request, granted)

        self.router.add_api_route(
            "/assignments/{id}/applications",
            endpoint,
            methods=["POST"],
            status_code=202,
            summary="An expert applies to the assignment",
            operation_id="applications_create",
            openapi_extra={
                **documented(Application, {"expert": EXPERT}),
                "responses": taken_answers(),
            },
            tags=["applications"],
        )

    async def _apply(self, id: str, request: Request, granted: Granted) -> Response:
        sent = await read_body(request, Application)
        said = cause(request, granted, path_of(id), key_of(request, granted), sent.digest, sent.model.happened_at)
        return acknowledged(await self._vacancies.apply(id, sent.model.expert, said, granted))
