"""Who calls and what they may: the dependencies that put a policy row in front of every route."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from shared.clock import Runtime
from shared.errors import Refusal
from shared.identity.digests import Digests
from shared.identity.passes import Readers
from shared.identity.policy import Equality, Grant, Policy, Subjects, SubjectsOf, equalities, visible
from shared.identity.tokens import Principal, Tokens
from shared.intake.admission import Admission
from shared.programmes.definitions import Definitions
from shared.store.port import Document, Store
from shared.web.conditions import check_conditions
from shared.web.problems import NotSignedIn


@dataclass
class Reading:
    """Bytes of bodies that are just being read: uploads that go on slowly must not fill the memory together."""

    at_most: int = 64 * 1_048_576
    held: int = 0


@dataclass(frozen=True)
class Edge:
    """What every route of a service stands on. `subjects_of` resolves an account in that service.

    `admission`: of a service that takes submissions.
    """

    service: str
    runtime: Runtime
    store: Store
    tokens: Tokens
    cursor_key: bytes
    subjects_of: SubjectsOf
    policy: Policy
    digests: Digests
    readers: Readers
    definitions: Definitions
    admission: Admission | None = None
    reading: Reading = field(default_factory=Reading)


@dataclass(frozen=True)
class Right:
    """What a route needs; None where it is open to everybody."""

    resource: str
    verb: str


@dataclass(frozen=True)
class Granted:
    """The caller, and under which relations it may do what the route does (the widest first)."""

    edge: Edge
    principal: Principal
    grants: tuple[Grant, ...]
    known: dict[str, Subjects] = field(default_factory=dict)

    async def equalities(self) -> tuple[Equality, ...]:
        """The grants as index equalities; empty where the caller has no relation to anything."""
        return await self.equalities_of(self.grants)

    async def equalities_of(self, grants: Iterable[Grant]) -> tuple[Equality, ...]:
        """The same of other grants of this caller, whose account is resolved once a request."""
        return await equalities(grants, self.principal, self._subjects_of)

    async def _subjects_of(self, account: str) -> Subjects:
        if account not in self.known:
            self.known[account] = await self.edge.subjects_of(account)
        return self.known[account]

    async def visible(self, document: Document | None) -> Document:
        """The document, or Refusal 404 for one that is missing or another's."""
        return visible(document, await self.equalities())

    async def load(self, collection: str, id: str) -> Document:
        """Loads under the policy. Raises Refusal 404, Unavailable."""
        return await self.visible(await self.edge.store.load(collection, id))


Permission = Callable[[Request], Awaitable[Granted]]


def edge_of(request: Request) -> Edge:
    """The service's edge, put there by `create_app`."""
    edge: Edge = request.app.state.edge
    return edge


async def caller(request: Request) -> Principal:
    """The bearer token's principal. Raises NotSignedIn or TokenRefused (401), Unavailable (503)."""
    headers = request.headers.getlist("authorization")
    if len(headers) != 1:
        raise NotSignedIn("not_signed_in")
    scheme, _, token = headers[0].partition(" ")
    if scheme.lower() != "bearer" or not token or not token.isascii():
        raise NotSignedIn("not_signed_in")
    edge = edge_of(request)
    return await edge.tokens.verify(token, edge.runtime.now())


def may(resource: str, verb: str) -> Permission:
    """The dependency of a route that needs a row of the policy table: 401 without a token, 403 without a row.

    What the request's headers depend on is asked of the route next (`check_conditions`).
    """

    async def permission(request: Request) -> Granted:
        principal = await caller(request)
        check_no_body(request)
        edge = edge_of(request)
        grants = allowed(edge, principal, resource, verb)
        check_conditions(request)
        return Granted(edge, principal, grants)

    vars(permission)["right"] = Right(resource, verb)
    return permission


def allowed(edge: Edge, principal: Principal, resource: str, verb: str) -> tuple[Grant, ...]:
    """What the table grants. Raises Refusal 403 where that is nothing."""
    grants = edge.policy.allowed(principal, resource, verb)
    if not grants:
        raise Refusal("role_may_not", status=403)
    return grants


async def everybody(request: Request) -> None:
    """The dependency that says of a route that it is open on purpose: health, contracts, public keys."""
    check_no_body(request)


def check_no_body(request: Request) -> None:
    """What only reads takes no body (RFC 9110 gives one no meaning there). Raises Refusal 422 for one."""
    headers = request.headers
    if request.method == "GET" and (headers.get("content-length", "0") != "0" or "transfer-encoding" in headers):
        raise Refusal("body_not_taken", "a question has no body", status=422)


@dataclass(frozen=True)
class Guarded:
    """A route as the tests see it: `right` is None where it is open on purpose or, if not `declared`, forgotten.

    `page`: it is read by a pass, and takes no bearer token.
    """

    method: str
    path: str
    right: Right | None
    declared: bool
    page: bool = False


def guarded_routes(app: FastAPI) -> list[Guarded]:
    """Every route of the service with the right that it needs; a mount or a plain route is one that was forgotten."""
    found = []
    for route in iter_route_contexts(app.routes):
        dependant: Dependant | None = getattr(route, "dependant", None)
        calls: list[Any] = [dependency.call for dependency in dependant.dependencies] if dependant else []
        rights = [right for call in calls if isinstance(right := getattr(call, "right", None), Right)]
        declared = bool(rights) or everybody in calls
        page = any(getattr(call, "page", False) for call in calls)
        for method in sorted(getattr(route, "methods", None) or ("*",)):
            found.append(Guarded(method, str(route.path), rights[0] if rights else None, declared, page))
    return found
