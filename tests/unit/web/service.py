"""A small service of one collection, on the real kernel and the local store: what the edge's tests ask."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

import httpx
from fastapi import APIRouter, Depends, FastAPI, Request
from pydantic import BaseModel
from shared.web.transitions import Call, Resource, listing, reading, transition
from starlette.responses import JSONResponse, Response

from shared.clock import RealRuntime, derived_id
from shared.contracts.base import Code, Event, Id, Instant
from shared.contracts.matching import Terms
from shared.errors import Refusal
from shared.identity.issuers import DevelopmentIssuer, token_verifier
from shared.identity.keys import Keys
from shared.identity.policy import Policy, Row, Subjects
from shared.identity.roles import Role
from shared.identity.tokens import Principal
from shared.store.aggregates import Aggregate, Cause, Kernel, Saved
from shared.store.collection import Collection, Index
from shared.store.local import LocalStore
from shared.store.port import Document
from shared.web.bodies import Change, Input, documented, read_body
from shared.web.callers import Edge, Granted, may
from shared.web.commands import cause_of
from shared.web.edge import create_app
from shared.web.front import Front


def _state(document: Document, name: str) -> list[str]:
    return [document["state"][name]] if document["state"] else []


CASES = Collection(
    "cases",
    {
        "all": Index(lambda d: ["all"]),
        "office": Index(lambda d: _state(d, "office")),
        "own": Index(lambda d: _state(d, "person")),
    },
)
ROWS = (
    Row("officer", "cases", "create", "office"),
    Row("officer", "cases", "list", "office"),
    Row("officer", "cases", "read", "office"),
    Row("officer", "cases", "approve", "office"),
    Row("officer", "cases", "explode", "office"),
    Row("expert", "cases", "list", "own"),
    Row("expert", "cases", "read", "own"),
    Row("expert", "cases", "approve", "own"),
    Row("protection", "cases", "list", "all"),
    Row("protection", "cases", "read", "all"),
    Row("officer", "facts", "record-late", "office"),
)
TERMS = {
    "institution": "5f1cf7e6-3d0c-5b43-8d6b-5a4b0f7a5a4e",
    "country": "AF",
    "sector": "health",
    "host_type": "public",
    "occupation": "2211",
    "starts_on": "2026-05-01",
    "ends_on": "2026-06-01",
}


class CaseOpened(Event):
    topic: ClassVar[str] = "matching.cases"
    office: Code
    person: Id


class CaseApproved(Event):
    topic: ClassVar[str] = "matching.cases"
    seats: int


class Case(BaseModel):
    office: str
    person: str
    seats: int = 0


@dataclass(frozen=True)
class OpenCase:
    office: str
    person: str


@dataclass(frozen=True)
class ApproveCase:
    seats: int


def decide(state: Case | None, command: Any, now: datetime) -> Sequence[Event]:
    if isinstance(command, OpenCase):
        return [CaseOpened(happened_at=now, office=command.office, person=command.person)]
    if state is None or state.seats:
        raise Refusal("already_approved", "the case was approved before")
    return [CaseApproved(happened_at=now, seats=command.seats)]


def evolve(state: Case | None, event: Any) -> Case:
    if isinstance(event, CaseOpened):
        return Case(office=event.office, person=event.person)
    assert state is not None
    return state.model_copy(update={"seats": event.seats})


AGGREGATE = Aggregate(CASES, Case, decide, evolve)


class OpenBody(Input):
    person: Id
    happened_at: Instant | None = None


class ApproveBody(Change):
    seats: int
    note: str = ""
    terms: Terms | None = None
    labels: dict[str, str] = {}


class Clock(RealRuntime):
    """Real in all but its clock, which stands still unless a test moves it."""

    def __init__(self) -> None:
        super().__init__()
        self.instant = datetime.fromisoformat("2026-03-01T12:00:00+00:00")

    def now(self) -> datetime:
        return self.instant


class _NoOutboxes:
    def offer(self, collection: str, document: Document) -> None:
        return None


@dataclass
class Small:
    """The service, its clock, and what makes tokens for it."""

    clock: Clock
    store: LocalStore
    kernel: Kernel
    issuer: DevelopmentIssuer
    app: FastAPI
    reasons: list[str]
    failure: list[Exception]
    accounts: dict[str, str]

    def client(self, hosts: Sequence[str] = ()) -> httpx.AsyncClient:
        front = Front({"matching": self.app}, hosts)
        return httpx.AsyncClient(transport=httpx.ASGITransport(front), base_url="http://sankofa.test")

    def bearer(self, role: Role, office: str | None = None, subject: str = "") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.issuer.issue(role, office, subject, timedelta(hours=1))}"}

    async def case(self, office: str, person: str = "a", id: str | None = None) -> str:
        """Opens a case in the store, past the edge."""
        id = id or self.clock.new_id()
        command = OpenCase(office, derived_id(person))
        await self.kernel.execute(AGGREGATE, id, command, Cause(self.clock.new_id()))
        return id


async def small_service() -> Small:
    clock, keys = Clock(), Keys.in_memory(random.Random(1))
    store = LocalStore(None, [CASES], clock)
    await store.start()
    accounts: dict[str, str] = {}

    async def subjects_of(account: str) -> Subjects:
        return Subjects(person=accounts.get(account))

    tokens, cursor_key = token_verifier(keys, clock), keys.cursor_key("matching")
    edge = Edge("matching", clock, store, tokens, cursor_key, subjects_of, Policy(ROWS))
    kernel = Kernel("matching", store, _NoOutboxes(), clock)
    reasons: list[str] = []
    failure: list[Exception] = []
    app = create_app(edge, title="Small", routers=[_router(kernel, failure)], ready=lambda: reasons, backlog=_quiet)
    return Small(clock, store, kernel, DevelopmentIssuer(keys, clock), app, reasons, failure, accounts)


async def _quiet() -> Mapping[str, Any]:
    return {"quiet": True}


def _shown(document: Document, principal: Principal) -> Mapping[str, Any]:
    shown = {"id": document["_id"], **document["state"]}
    return shown if principal.role != "expert" else {k: v for k, v in shown.items() if k != "office"}


def _router(kernel: Kernel, failure: list[Exception]) -> APIRouter:
    router = APIRouter()
    cases = Resource("cases", CASES.name, _shown)

    async def approve(call: Call[ApproveBody]) -> Saved[Case]:
        command = ApproveCase(call.body.seats)
        return await kernel.execute(AGGREGATE, call.id, command, call.cause, expected_version=call.expected_version)

    async def explode(_call: Call[Change]) -> Saved[Case]:
        raise failure[0]

    async def create(request: Request, granted: Granted = Depends(may("cases", "create"))) -> Response:
        body = await read_body(request, OpenBody)
        cause = cause_of(request, granted, body.digest, body.model.happened_at)
        command = OpenCase(granted.principal.office or "", body.model.person)
        saved = await kernel.execute(AGGREGATE, cause.command_id, command, cause)
        return cases.answer(saved.document, granted.principal, 201)

    async def echo(request: Request, _granted: Granted = Depends(may("cases", "create"))) -> Response:
        return JSONResponse({"correlation": request.state.correlation_id, "traceparent": request.state.traceparent})

    example = {"person": TERMS["institution"]}
    router.add_api_route("/cases", create, methods=["POST"], openapi_extra=documented(OpenBody, example))
    router.add_api_route("/echo", echo, methods=["GET"])
    listing(router, path="/cases", resource=cases)
    reading(router, path="/cases/{id}", resource=cases)
    seats = {"seats": 2, "terms": TERMS}
    transition(
        router,
        path="/cases/{id}/approve",
        resource=cases,
        verb="approve",
        body=ApproveBody,
        run=approve,
        example=seats,
    )
    transition(router, path="/cases/{id}/explode", resource=cases, verb="explode", body=Change, run=explode, example={})
    return router
