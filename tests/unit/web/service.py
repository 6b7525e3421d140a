"""A small service of one case, on the real kernel and the local store: what the edge's tests ask."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

import httpx
from fastapi import APIRouter, Depends, FastAPI, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from shared.cases.bodies import Change
from shared.cases.case import NEW, Asked, Case, Move, Told, Turn
from shared.clock import RealRuntime, derived_id
from shared.contracts.base import Code, Event, Id
from shared.contracts.matching.assignments import Terms
from shared.identity.accounts import Accounts
from shared.identity.digests import Digests
from shared.identity.issuers import DEVELOPMENT_ISSUER, DevelopmentIssuer, token_verifier
from shared.identity.keys import Keys
from shared.identity.passes import Readers
from shared.identity.policy import Policy, Row, Subjects
from shared.identity.roles import Role
from shared.identity.tokens import Principal
from shared.messaging.local import LocalLog
from shared.messaging.topics import PROGRAMMES
from shared.programmes.definitions import Definitions
from shared.store.aggregates import Aggregate, Cause, Kernel, Saved
from shared.store.collection import Collection, Index
from shared.store.local import LocalStore
from shared.store.port import Document
from shared.web.acting import Behind, Call, Seen, Served, rows_of
from shared.web.callers import Edge, Granted, may
from shared.web.edge import create_app
from shared.web.front import Front
from shared.web.json import case_routes
from shared.web.notes import Notes


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
    """A case was opened."""

    topic: ClassVar[str] = "matching.cases"
    leads_to: ClassVar[str | None] = "opened"
    office: Code
    person: Id


class CaseApproved(Event):
    """The case was approved."""

    topic: ClassVar[str] = "matching.cases"
    leads_to: ClassVar[str | None] = "approved"
    seats: int


class Opened(BaseModel):
    """The case's state."""

    office: str
    person: str
    status: Literal["opened", "approved"] = "opened"
    seats: int = 0


class OpenBody(Change):
    person: Id


class ApproveBody(Change):
    seats: int
    note: str = ""
    terms: Terms | None = None
    labels: dict[str, str] = {}


def in_the_callers_office(turn: Turn[Opened, OpenBody]) -> Told:
    """A case is opened in the office of whoever opens it."""
    return {"office": turn.given}


OFFICER: Mapping[Role, Any] = {"officer": "office"}
OFFICE = frozenset({"office"})
FAILURE = frozenset({"failure"})
CASE = Case(
    "cases",
    Opened,
    (
        Move(
            "create",
            frozenset({NEW}),
            CaseOpened,
            body=OpenBody,
            by=OFFICER,
            rule=in_the_callers_office,
            needs=OFFICE,
            example={"person": TERMS["institution"]},
        ),
        Move(
            "approve",
            frozenset({"opened"}),
            CaseApproved,
            body=ApproveBody,
            by={"officer": "office", "expert": "own"},
            named={"approved": "already_approved"},
            example={"seats": 2, "terms": TERMS},
        ),
        Move("explode", frozenset({"opened"}), CaseApproved, by=OFFICER, needs=FAILURE),
    ),
    readers={"officer": "office", "expert": "own", "protection": "all"},
)
AGGREGATE = Aggregate.of(CASE, CASES)
ROWS = (*rows_of(CASE), Row("officer", "facts", "record-late", "office"))


class OpenedSeen(Seen):
    """The office is not shown to the expert."""

    person: str
    seats: int
    office: str = ""


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
    persons: dict[str, str]
    accounts: Accounts

    def client(self, hosts: Sequence[str] = ()) -> httpx.AsyncClient:
        front = Front({"matching": self.app}, hosts)
        return httpx.AsyncClient(transport=httpx.ASGITransport(front), base_url="http://sankofa.test")

    def bearer(self, role: Role, office: str | None = None, subject: str = "") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.issuer.issue(role, office, subject, timedelta(hours=1))}"}

    async def case(self, office: str, person: str = "a", id: str | None = None) -> str:
        """Opens a case in the store, past the edge."""
        id = id or self.clock.new_id()
        command = CASE.ask("create", office, person=derived_id(person))
        await self.kernel.execute(AGGREGATE, id, command, Cause(self.clock.new_id()))
        return id


async def small_service() -> Small:
    clock, keys = Clock(), Keys.in_memory(random.Random(1))
    store = LocalStore(None, [CASES], clock)
    await store.start()
    persons: dict[str, str] = {}

    async def subjects_of(account: str) -> Subjects:
        return Subjects(person=persons.get(account))

    accounts = keys.accounts(DEVELOPMENT_ISSUER)
    tokens, cursor_key = token_verifier(keys, clock), keys.cursor_key("matching")
    digests, readers = Digests("matching", keys), Readers.of("matching", keys)
    definitions = Definitions(LocalLog(None, [PROGRAMMES], clock), clock)
    edge = Edge("matching", clock, store, tokens, cursor_key, subjects_of, Policy(ROWS), digests, readers, definitions)
    kernel = Kernel("matching", store, _NoOutboxes(), clock)
    reasons: list[str] = []
    failure: list[Exception] = []
    behind = Behind(kernel, Notes(keys, kernel), definitions)
    routers = [case_routes(_served(kernel, failure), behind), _echoing()]
    app = create_app(edge, title="Small", routers=routers, ready=lambda: reasons, backlog=_quiet)
    return Small(clock, store, kernel, DevelopmentIssuer(keys, clock), app, reasons, failure, persons, accounts)


async def _quiet() -> Mapping[str, Any]:
    return {"quiet": True}


def _shown(document: Document, principal: Principal) -> OpenedSeen:
    state = Opened.model_validate(document["state"])
    own = {"id": document["_id"], "version": document["version"], "state": state.status}
    hidden = {"status"} | ({"office"} if principal.role == "expert" else set())
    return OpenedSeen(**own, **state.model_dump(exclude=hidden))


def _served(kernel: Kernel, failure: list[Exception]) -> Served:
    async def create(call: Call[OpenBody]) -> Saved[Opened]:
        command = Asked(call.verb, call.body, call.principal.office or "")
        return await kernel.execute(AGGREGATE, call.id, command, call.cause)

    async def explode(_call: Call[Change]) -> Saved[Opened]:
        raise failure[0]

    return Served(CASE, AGGREGATE, OpenedSeen, _shown, {"create": create, "explode": explode})


def _echoing() -> APIRouter:
    router = APIRouter()

    async def echo(request: Request, _granted: Granted = Depends(may("cases", "create"))) -> Response:
        return JSONResponse({"correlation": request.state.correlation_id, "traceparent": request.state.traceparent})

    router.add_api_route("/echo", echo, methods=["GET"])
    return router
