"""Every route of the four services has a row of the policy table, and every role gets what its rows say."""

from __future__ import annotations

import importlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.cli.settings import read_settings
from shared.clock import RealRuntime, derived_id
from shared.identity.issuers import DevelopmentIssuer
from shared.identity.keys import Keys
from shared.identity.roles import ROLES, Role
from shared.identity.tokens import Principal
from shared.messaging.local import LocalLog
from shared.messaging.topics import TOPICS
from shared.replica import Ports, stored
from shared.store.local import LocalStore
from shared.web.callers import guarded_routes
from shared.web.front import Front
from tests.e2e.edge_policy import STREAMS

SERVICES = ("registration", "matching", "placement", "monitoring")
# Open on purpose: health, the contracts, style and script, keys that verify receipts, what asks for a session itself.
OPEN = {
    "/health/live",
    "/health/ready",
    "/health/backlog",
    "/openapi.json",
    "/asyncapi.json",
    "/schemas/{file}",
    "/static/{file}",
    "/v1/keys",
    "/pass",
    # Whoever applies has no account: the code of the draft is the right.
    "/apply/{programme}",
    "/drafts",
    "/drafts/{code}",
    # Whoever lost it has nothing but an address, to which alone a link goes; and a mail's own address ends reminders.
    "/drafts/lost",
    "/drafts/lost/asked",
    "/drafts/reminders/{token}",
    "/application",
    "/application/check",
    "/application/download",
    "/application/enter",
    "/application/files",
    "/application/files/whole/{document}",
    "/application/files/{file}",
    "/application/files/{file}/read",
    "/application/files/{file}/remove",
    "/application/part/{part}",
    "/application/receipt",
    "/application/receipt/signed",
    # Whoever is shown a certificate has its reference and its code, and no account.
    "/certificates/check",
}
NOBODY = derived_id("nobody")


@dataclass
class Running:
    """One service in memory, started, and what asks it as any role."""

    name: str
    service: Any
    http: httpx.AsyncClient
    issuer: DevelopmentIssuer

    def bearer(self, role: Role) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.issuer.issue(role, 'kabul')}"}


@pytest.fixture(params=SERVICES)
async def running(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Running]:
    for name in ("SANKOFA_ISSUER", "KAFKA_BOOTSTRAP_SERVERS", "MONGODB_URL", "SANKOFA_KEYS"):
        monkeypatch.delenv(name, raising=False)
    name, runtime = request.param, RealRuntime()
    declared = importlib.import_module(f"services.{name}.store")
    store = LocalStore(None, stored(declared.COLLECTIONS, declared.SHADOWS), runtime)
    log, keys = LocalLog(None, list(TOPICS.values()), runtime), Keys.in_memory(random.Random(1))
    settings = read_settings(data=tmp_path / "data")
    service = importlib.import_module(f"services.{name}.app").build(Ports(store, log, runtime, keys), settings)
    await log.start()
    await service.start()
    transport = httpx.ASGITransport(Front({name: service.app}))
    async with httpx.AsyncClient(transport=transport, base_url="http://sankofa.test") as http:
        yield Running(name, service, http, DevelopmentIssuer(keys, runtime))
    await service.stop()
    await log.stop()
    runtime.close()


async def test_every_route_has_a_row(running: Running) -> None:
    routes = guarded_routes(running.service.app)
    assert [route for route in routes if not route.declared] == []
    assert {route.path for route in routes if not route.right} <= OPEN
    rows = {(row.resource, row.verb) for row in running.service.app.state.edge.policy.rows}
    needed = {(route.right.resource, route.right.verb) for route in routes if route.right}
    assert needed <= rows
    # What a request asks for beside its route: a past instant, and figures broken down.
    assert rows - needed <= {("facts", "record-late"), ("indicators", "disaggregate"), ("feed", "follow-cases")}


async def test_every_role_gets_what_its_rows_say(running: Running) -> None:
    """401 without a token, 403 without a row; with one the route answers, and nothing breaks (500)."""
    contract = (await running.http.get(f"/{running.name}/openapi.json")).json()
    bearers, policy = {role: running.bearer(role) for role in ROLES}, running.service.app.state.edge.policy
    asked = 0
    for route in guarded_routes(running.service.app):
        if route.right is None or route.path not in contract["paths"]:
            continue
        operation = contract["paths"][route.path][route.method.lower()]
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        example = body.get("examples", {}).get("example", {}).get("value")
        url = f"/{running.name}{route.path}".replace("{id}", NOBODY).replace("{code}", "trqn-1")
        answer = await running.http.request(route.method, url, json=example)
        assert (answer.status_code, answer.json()["rule"]) == (401, "not_signed_in"), url
        for role, bearer in bearers.items():
            asked += 1
            granted = policy.allowed(Principal("a", role, "kabul"), route.right.resource, route.right.verb)
            # An answer that goes on for as long as somebody reads is asked for without its body.
            method = "HEAD" if route.path in STREAMS and granted else route.method
            answer = await running.http.request(method, url, json=example, headers=bearer)
            refused = answer.status_code == 403 and answer.json()["rule"] == "role_may_not"
            assert refused is not bool(granted), (role, route, answer.text)
            assert answer.status_code != 500, (role, route)
    assert asked > 8 * 4
