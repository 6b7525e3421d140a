"""Matching's HTTP edge: its cases with the works of their verbs, and what is no case: vacancies, applications,
shortlists."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from services.matching import views
from services.matching.domain.assignments import ASSIGNMENT, EXPERT, OPEN_TO_EXPERTS, READERS
from services.matching.domain.knowledge import OfAnotherOffice
from services.matching.domain.matches import MATCH
from services.matching.papers.terms import TERMS
from services.matching.store import ASSIGNMENTS, MATCHES, last_day_over_everywhere
from services.matching.work.selection import APPLICATION
from services.matching.work.works import Works
from shared.cases.bodies import Change
from shared.clock import derived_id, text_of
from shared.contracts.base import Id
from shared.errors import Refusal
from shared.identity.policy import Grant
from shared.identity.rights import Rights
from shared.identity.roles import BY_EXPERT
from shared.intake.submissions import SUBMISSIONS
from shared.papers.named import OFFER
from shared.programmes.sections.selection import SelectionSection
from shared.replica import Replica
from shared.store.port import Document
from shared.web.acting import Served, Unsealed, Work, id_of
from shared.web.answers import answered, listed_answers, taken_answers
from shared.web.bodies import documented, read_body
from shared.web.callers import Granted, may
from shared.web.commands import CREATES, cause, key_of, refuse_if_match
from shared.web.doors import entered
from shared.web.json import ID_PARAMETER, acknowledged, representation
from shared.web.lists import OF_EVERY_LIST, PARAMETERS, Paged, page, query

OPEN_VACANCIES = ("vacant", "all")
# What is published is for everybody who may apply; drafts and reasons stay in `assignments`.
RIGHTS: tuple[Rights, ...] = (
    ("vacancies", "list read", {"expert": "all", "host": "all", "officer": "all"}),
    ("applications", "create", BY_EXPERT),
    ("shortlist", "list", READERS),
)


def served_cases(works: Works) -> tuple[Served, ...]:
    of_assignments: Mapping[str, Work] = {
        "create": works.requests.create,
        "revise": works.requests.revise,
        "shortlist": works.allocation.shortlist,
        **works.putting_right.of_assignments,
    }
    of_matches: Mapping[str, Work] = {
        "allocate": works.allocation.allocate,
        "offer": works.allocation.offer,
        "accept": works.allocation.accept,
        "retract": works.retraction.retract,
        **works.putting_right.of_matches,
    }
    return (
        Served(
            ASSIGNMENT,
            ASSIGNMENTS,
            views.AssignmentSeen,
            views.assignment,
            of_assignments,
            section=SelectionSection,
            papers=(TERMS,),
            columns=("title", "programme", "office", "terms.starts_on", "terms.ends_on"),
            parts=("terms.institution",),
        ),
        Served(
            MATCH,
            MATCHES,
            views.MatchSeen,
            views.match,
            of_matches,
            unsealed=_with_its_placement(works),
            section=SelectionSection,
            papers=(OFFER,),
            columns=("assignment", "expert", "programme", "score", "rank", "expires_at"),
            parts=("expert", "person", "institution"),
        ),
    )


def _with_its_placement(works: Works) -> Unsealed:
    """What placement has told by now of the placement that followed from the match."""

    async def told(document: Document, _granted: Granted) -> Mapping[str, Any]:
        known = await works.promises.placement_of(document["_id"])
        status, id = known.get("status"), derived_id(document["_id"], "placement")
        return {"placement": views.PlacementTold(id=id, state=status) if status else None}

    return told


class Application(Change):
    """Who applies: an expert for himself, or an officer for an expert of the own office."""

    expert: Id


class Api:
    """The routes that are no case's."""

    def __init__(self, replica: Replica, works: Works) -> None:
        self._kernel = replica.kernel
        self._store = replica.ports.store
        self._intake = replica.submissions
        self._selection = works.selection
        self.router = APIRouter()
        vacancies, vacancy = listed_answers(views.VacancySeen), answered(views.VacancySeen, "As experts see it.")
        matches = listed_answers(views.MatchSeen)
        self._route("/vacancies", "vacancies", "list", self._vacancies, "What is open to applications", vacancies)
        self._route("/vacancies/{id}", "vacancies", "read", self._vacancy, "One vacancy", vacancy)
        path = "/assignments/{id}/shortlist"
        self._route(path, "shortlist", "list", self._shortlist, "The matches of every round by rank", matches)
        self._applications()

    def _route(self, path: str, resource: str, verb: str, run: Any, summary: str, responses: Mapping[str, Any]) -> None:
        async def endpoint(request: Request, granted: Granted = Depends(may(resource, verb))) -> Response:
            answer: Response = await run(request, granted)
            return answer

        self.router.add_api_route(
            path,
            endpoint,
            methods=["GET"],
            summary=summary,
            operation_id=f"{resource}_{verb}",
            openapi_extra={"responses": responses, "parameters": [ID_PARAMETER] if "{id}" in path else PARAMETERS},
            tags=[resource],
        )

    async def _vacancies(self, request: Request, granted: Granted) -> Response:
        """Without those whose work is over: the index has them by their last day."""
        now = self._kernel.runtime.now()

        async def seen(document: Document) -> Mapping[str, Any]:
            return representation(views.vacancy(document, await self._standing(document, granted)))

        def offered(document: Document) -> bool:
            state = ASSIGNMENTS.read(document)
            return state is not None and not state.is_over(now)

        over_everywhere = last_day_over_everywhere(now)
        query(request, *OF_EVERY_LIST)
        return await page(request, ASSIGNMENTS.name, Paged.of(OPEN_VACANCIES, offered), seen, first=over_everywhere)

    async def _standing(self, document: Document, granted: Granted) -> str | None:
        """Where the calling expert's own match on the assignment stands."""
        own = await granted.equalities_of([Grant(MATCH.name, "own")]) if granted.principal.role == "expert" else ()
        programme = document["state"].get("programme") or ""
        for _, person in own:
            return await self._selection.standing(document["_id"], derived_id(person, programme))
        return None

    async def _vacancy(self, request: Request, granted: Granted) -> Response:
        query(request)
        document = await self._store.load(ASSIGNMENTS.name, id_of(request.path_params["id"]))
        if document is None or not _is_open(document):
            raise Refusal("not_found", status=404)
        return JSONResponse(representation(views.vacancy(document, await self._standing(document, granted))))

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
                CREATES: True,
                "responses": taken_answers(),
            },
            tags=["applications"],
        )

    async def _apply(self, id: str, request: Request, granted: Granted) -> Response:
        document = await self._store.load(ASSIGNMENTS.name, id)
        refuse_if_match(request)
        sent = await read_body(request, Application)
        what, key = f"POST /matching/v1/assignments/{id}/applications", key_of(request, granted)
        said = cause(request, granted, what, key, sent.digest, sent.model.happened_at)
        expert = sent.model.expert
        if await self._store.load(SUBMISSIONS.name, said.command_id) is None:
            await self._may_apply(document, expert, granted, said.happened_at or self._kernel.runtime.now())
        body = {"assignment": id, "expert": expert, "received_at": text_of(self._kernel.runtime.now())}
        office = document["state"].get("office") if document else None
        channel = "self" if granted.principal.role == "expert" else "officer"
        match_id = derived_id(id, expert)
        return acknowledged(
            await self._intake.submit(APPLICATION, match_id, body, said, office=office, channel=channel)
        )

    async def _may_apply(self, document: Document | None, expert: str, granted: Granted, at: datetime) -> None:
        """An expert for himself and an officer of the assignment's office, while it is open and its work is not over;
        else 404 or 409."""
        state = ASSIGNMENTS.read(document)
        equalities = await granted.equalities()
        if state is None or (not _is_open(document) and ("office", state.office) not in equalities):
            raise Refusal("not_found", status=404)
        if state.status not in OPEN_TO_EXPERTS:
            raise Refusal("assignment_not_open")
        state.refuse_over(at)
        own = any(name == "own" and derived_id(of, state.programme or "") == expert for name, of in equalities)
        if not own and ("office", state.office) not in equalities:
            raise OfAnotherOffice
        await self._selection.check_filing(state, expert, own=own)


def _is_open(document: Document | None) -> bool:
    state = ASSIGNMENTS.read(document)
    return state is not None and state.status in OPEN_TO_EXPERTS
