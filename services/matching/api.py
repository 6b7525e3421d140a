"""HTTP edge of matching: every route with its row of the policy, its body and an example that is accepted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from shared.web.transitions import Call, Resource, Run, id_of, listing, reading, transition
from starlette.responses import Response

from services.matching import views
from services.matching.bodies import (
    DRAFT,
    EXPERT,
    TERMS,
    Application,
    AssignmentDraft,
    EditItems,
    Reason,
    Revision,
    ShortlistRequest,
)
from services.matching.domain import assignment, match
from services.matching.domain.knowledge import OfAnotherOffice, return_of
from services.matching.handlers import Following, own_deliveries
from services.matching.requests import Requests
from services.matching.selection import APPLICATION
from services.matching.store import ASSIGNMENTS, MATCHES
from shared.clock import derived_id, text_of
from shared.errors import Problem, Refusal
from shared.intake.submissions import SUBMISSIONS, Intake
from shared.replica import Replica
from shared.store.aggregates import Aggregate, Saved, settled
from shared.store.port import Document
from shared.web.bodies import Change, documented, read_body
from shared.web.callers import Granted, may
from shared.web.commands import cause_of
from shared.web.lists import PARAMETERS, page, query
from shared.web.receipts import acknowledged

ASSIGNMENT_VIEW = Resource("assignments", ASSIGNMENTS.name, views.assignment)
MATCH_VIEW = Resource("matches", MATCHES.name, views.match)
OPEN_VACANCIES = ("vacant", "all")

CommandOf = Callable[[Any], Any]


class Api:
    """The routes of matching."""

    def __init__(self, replica: Replica, following: Following, requests: Requests, intake: Intake) -> None:
        self._kernel = replica.kernel
        self._store = replica.ports.store
        self._following = following
        self._requests = requests
        self._intake = intake
        self.router = APIRouter()
        self._vacancies()
        self._assignments()
        self._selection()
        self._matches()

    def _vacancies(self) -> None:
        self._route("GET", "/vacancies", "vacancies", "list", self._list_vacancies, {"parameters": PARAMETERS})
        self._route("GET", "/vacancies/{id}", "vacancies", "read", self._read_vacancy)

    def _assignments(self) -> None:
        listing(self.router, path="/assignments", resource=ASSIGNMENT_VIEW)
        reading(self.router, path="/assignments/{id}", resource=ASSIGNMENT_VIEW)
        body = documented(AssignmentDraft, DRAFT)
        self._route("POST", "/assignments", "assignments", "create", self._draft, body, 201)
        self._on_assignment("submit", Change, self._submit, {})
        self._on_assignment("revise", Revision, self._revise, {"terms": TERMS})
        self._on_assignment("approve", Change, self._approve, {})
        for verb, model, command, example in ASSIGNMENT_TRANSITIONS:
            self._on_assignment(verb, model, self._command(ASSIGNMENTS, command), example)

    def _selection(self) -> None:
        body = documented(Application, {"expert": EXPERT})
        path = "/assignments/{id}/applications"
        self._route("POST", path, "applications", "create", self._apply, body, 202)
        self._on_assignment("shortlist", ShortlistRequest, self._shortlist, {"experts": [EXPERT]})
        self._route("GET", "/assignments/{id}/shortlist", "shortlist", "list", self._read_shortlist)

    def _matches(self) -> None:
        listing(self.router, path="/matches", resource=MATCH_VIEW)
        reading(self.router, path="/matches/{id}", resource=MATCH_VIEW)
        self._on_match("allocate", Change, self._allocate, {})
        self._on_match("offer", Change, self._offer, {})
        self._on_match("accept", Change, self._accept, {})
        self._on_match(
            "decline", Reason, self._command(MATCHES, _with_reason(match.DeclineOffer)), {"reason": "family"}
        )
        self._on_match("retract", Reason, self._retract, {"reason": "family"})

    def _on_assignment(self, verb: str, body: type[Change], run: Run[Any], example: Mapping[str, Any]) -> None:
        path = f"/assignments/{{id}}/{verb}"
        transition(self.router, path=path, resource=ASSIGNMENT_VIEW, verb=verb, body=body, run=run, example=example)

    def _on_match(self, verb: str, body: type[Change], run: Run[Any], example: Mapping[str, Any]) -> None:
        path = f"/matches/{{id}}/{verb}"
        transition(self.router, path=path, resource=MATCH_VIEW, verb=verb, body=body, run=run, example=example)

    def _command(self, aggregate: Aggregate[Any], command_of: CommandOf) -> Run[Any]:
        """One command on one document."""

        async def run(call: Call[Any]) -> Saved[Any]:
            command = command_of(call.body)
            return await self._kernel.execute(
                aggregate, call.id, command, call.cause, expected_version=call.expected_version
            )

        return run

    def _route(
        self,
        method: str,
        path: str,
        resource: str,
        verb: str,
        run: Callable[[Request, Granted], Any],
        extra: dict[str, Any] | None = None,
        status: int = 200,
    ) -> None:
        async def endpoint(request: Request, granted: Granted = Depends(may(resource, verb))) -> Response:
            answer: Response = await run(request, granted)
            return answer

        self.router.add_api_route(
            path,
            endpoint,
            methods=[method],
            status_code=status,
            operation_id=f"{resource}_{verb}",
            openapi_extra={**(extra or {}), **_path_parameters(path, extra or {})},
            tags=[resource],
        )

    async def _list_vacancies(self, request: Request, granted: Granted) -> Response:
        return await page(request, ASSIGNMENTS.name, OPEN_VACANCIES, views.vacancy)

    async def _read_vacancy(self, request: Request, granted: Granted) -> Response:
        query(request)
        document = await self._store.load(ASSIGNMENTS.name, id_of(request.path_params["id"]))
        if not _is_open(document):
            raise Refusal("not_found", status=404)
        return JSONResponse(dict(views.vacancy(document or {})))

    async def _draft(self, request: Request, granted: Granted) -> Response:
        query(request)
        sent = await read_body(request, AssignmentDraft)
        body = sent.model
        cause = cause_of(request, granted, sent.digest, body.happened_at)
        allowed = {("office", body.office), ("institution", body.terms.institution)}
        if not allowed & set(await granted.equalities()):
            pointer = "/office" if granted.principal.role == "officer" else "/terms/institution"
            raise Refusal("not_yours", problems=(Problem("not_yours", pointer),), status=403)
        saved = await self._requests.draft(body, cause)
        answer = ASSIGNMENT_VIEW.answer(saved.document, granted.principal, 200 if saved.repeated else 201)
        answer.headers["Location"] = f"/matching/v1/assignments/{cause.command_id}"
        return answer

    async def _submit(self, call: Call[Change]) -> Saved[Any]:
        return await self._requests.submit(call.id, call.cause, call.expected_version)

    async def _revise(self, call: Call[Revision]) -> Saved[Any]:
        return await self._requests.revise(call.id, call.body, call.cause, call.expected_version)

    async def _approve(self, call: Call[Change]) -> Saved[Any]:
        return await self._requests.approve(call.id, call.cause, call.expected_version)

    async def _apply(self, request: Request, granted: Granted) -> Response:
        query(request)
        id = id_of(request.path_params["id"])
        document = await self._store.load(ASSIGNMENTS.name, id)
        sent = await read_body(request, Application)
        cause = cause_of(request, granted, sent.digest, sent.model.happened_at)
        expert = sent.model.expert
        if await self._store.load(SUBMISSIONS.name, cause.command_id) is None:
            await self._may_apply(document, expert, granted)
        body = {"assignment": id, "expert": expert, "received_at": text_of(self._kernel.runtime.now())}
        office = document["state"].get("office") if document else None
        channel = "self" if granted.principal.role == "expert" else "officer"
        match_id = derived_id(id, expert)
        return acknowledged(
            await self._intake.submit(APPLICATION, match_id, body, cause, office=office, channel=channel)
        )

    async def _may_apply(self, document: Document | None, expert: str, granted: Granted) -> None:
        """An expert for himself and an officer of the assignment's office, while it is open; else 404 or 409."""
        state = ASSIGNMENTS.read(document)
        equalities = await granted.equalities()
        if state is None or (not _is_open(document) and ("office", state.office) not in equalities):
            raise Refusal("not_found", status=404)
        if state.status not in assignment.OPEN_TO_EXPERTS:
            raise Refusal("assignment_not_open")
        own = any(name == "own" and derived_id(of, state.programme or "") == expert for name, of in equalities)
        if not own and ("office", state.office) not in equalities:
            raise OfAnotherOffice
        await self._following.selection.check_filing(state, expert, own=own)

    async def _shortlist(self, call: Call[ShortlistRequest]) -> Saved[Any]:
        """The decision is saved in the assignment; the ranks follow at once, or by the event that says it."""
        body = call.body
        saved = await self._following.selection.shortlist(
            call.id, body.experts, body.override_reason, call.cause, call.expected_version
        )
        for delivery in own_deliveries(saved):
            await self._following.matching_started(delivery)
        return saved

    async def _read_shortlist(self, request: Request, granted: Granted) -> Response:
        """The matches of every round by rank, all on one page: a round has five at most."""
        query(request)
        document = await granted.load(ASSIGNMENTS.name, id_of(request.path_params["id"]))
        found = [await self._store.load(MATCHES.name, one) for one in document["state"]["shortlisted"]]
        items = [dict(views.match(one, granted.principal)) for one in found if one]
        return JSONResponse({"items": items, "next": None})

    async def _allocate(self, call: Call[Change]) -> Saved[Any]:
        return await self._following.allocation.allocate(call.id, call.cause, call.expected_version)

    async def _offer(self, call: Call[Change]) -> Saved[Any]:
        return await self._following.allocation.offer(call.id, call.cause, call.expected_version)

    async def _retract(self, call: Call[Reason]) -> Saved[Any]:
        over = return_of(await self._following.promises.placement_of(call.id)) == "over"
        if over and not settled(call.document, call.cause):
            raise Refusal("return_is_over", "what has taken place is not taken back")
        run = self._command(MATCHES, _with_reason(match.RetractMatch))
        return await run(call)

    async def _accept(self, call: Call[Change]) -> Saved[Any]:
        return await self._following.allocation.accept(call.id, call.cause, call.expected_version)


def _is_open(document: Document | None) -> bool:
    state = ASSIGNMENTS.read(document)
    return state is not None and state.status in assignment.OPEN_TO_EXPERTS


def _with_reason(command: CommandOf) -> CommandOf:
    return lambda body: command(body.reason)


def _path_parameters(path: str, extra: Mapping[str, Any]) -> dict[str, Any]:
    """FastAPI documents what a function's signature names; these functions take the request whole."""
    if "{id}" not in path:
        return {}
    own = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    return {"parameters": [own, *extra.get("parameters", ())]}


ASSIGNMENT_TRANSITIONS: tuple[tuple[str, type[Change], CommandOf, Mapping[str, Any]], ...] = (
    ("request-edits", EditItems, lambda b: assignment.RequestEdits(b.items), {"items": ["languages"]}),
    ("reject", Reason, _with_reason(assignment.RejectAssignment), {"reason": "outside_priorities"}),
    ("publish", Change, lambda _: assignment.PublishAssignment(), {}),
    ("cancel", Reason, _with_reason(assignment.CancelAssignment), {"reason": "host_withdrew"}),
)
