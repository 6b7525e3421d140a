"""All four services in this process, on one given log and stores in memory, and a small history through their edges."""

from __future__ import annotations

import asyncio
import importlib
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import httpx

from deploy.cli.client import Call, Client
from deploy.cli.files import histories_folder, read_history
from deploy.cli.runner import Journal, Runner
from deploy.cli.statements import publish_each
from deploy.generate import InMemory
from deploy.replay.expansion import expand
from deploy.replay.steps import Step
from shared.clock import RealRuntime
from shared.identity.issuers import DevelopmentIssuer
from shared.identity.keys import Keys
from shared.identity.roles import Role
from shared.messaging.port import Log
from shared.replica import Ports, stored
from shared.store.local import LocalStore
from shared.web.front import Front
from tests.declared import Declared
from tests.e2e.edge_periods import PERIOD, STATED, TOLD
from tests.e2e.edge_world import running_programme, yaml_as_json

SERVICES = ("registration", "matching", "placement", "monitoring")
CANARY = "zqanary"
# A period is frozen once the clocks of all partitions are past the instant as of which it counts.
STATED_SECONDS = 30


class Inside(Client):
    """The command line's client, straight into the app."""

    def __init__(self, app: Any) -> None:
        super().__init__("http://test")
        self.declared = held(app)
        self._http = httpx.AsyncClient(transport=self.declared, base_url="http://test", timeout=30)


def held(app: Any) -> Declared:
    """Every answer is held to what the services' documents declare."""
    return Declared({f"/{name}": name for name in SERVICES}, httpx.ASGITransport(app=app))


class Four:
    """Started and stopped as a context; `http` asks as anybody, `client` as the history's runner does."""

    def __init__(self, log: Log, runtime: RealRuntime) -> None:
        self.log = log
        self.runtime = runtime
        self.keys = Keys.in_memory(random.Random(7))
        self.issuer = DevelopmentIssuer(self.keys, runtime)
        self.services = {name: self._built(name) for name in SERVICES}
        self.app = Front({name: service.app for name, service in self.services.items()})
        self.client = Inside(self.app)
        self.http = httpx.AsyncClient(transport=held(self.app), base_url="http://test", timeout=30)

    def _built(self, name: str) -> Any:
        declared = importlib.import_module(f"services.{name}.store")
        store = LocalStore(None, stored(declared.COLLECTIONS, declared.SHADOWS), self.runtime)
        ports = Ports(store, self.log, self.runtime, self.keys)
        return importlib.import_module(f"services.{name}.app").build(ports, InMemory())

    async def __aenter__(self) -> Four:
        await self.log.start()
        for service in self.services.values():
            await service.start()
        await self.client.wait_ready()
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.http.aclose()
        await self.client.close()
        for service in reversed(self.services.values()):
            await service.stop()
        await self.log.stop()

    def bearer(self, role: Role, office: str | None = None, subject: str = "") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.issuer.issue(role, office, subject)}"}

    async def put(self, steps: Iterable[Step], folder: Path) -> None:
        """The steps through the edges, then rest."""
        folder.mkdir(exist_ok=True)
        journal = Journal(folder / "journal.jsonl")
        try:
            await Runner("small", steps, self.client, journal, self._token_of, lambda *_: None).run()
        finally:
            journal.close()
        await self.client.wait_quiet()

    async def read_of_somebody(self) -> None:
        """A name is opened once, so that the trail has a head to tell at the latest when the services stop."""
        role = self.bearer("protection")
        listed = (await self.http.get("/registration/v1/persons", headers=role)).raise_for_status().json()
        path = f"/registration/v1/persons/{listed['items'][0]['id']}/read-identity"
        asked = {**role, "Idempotency-Key": "read-of-somebody"}
        (await self.http.post(path, json={"purpose": "contact"}, headers=asked)).raise_for_status()

    async def publish_figures(self) -> None:
        """A period of a programme of its own is stated, of figures that are about nobody."""
        definition = {**yaml_as_json(running_programme()), "code": STATED, "disclosure": TOLD}
        maker, checker = (self.issuer.issue("administrator", None, one) for one in ("maker", "checker"))
        publish = Call("POST", "/registration/v1/programmes", maker, f"publish-{STATED}", {"definition": definition})
        await self.client.send_until_done(publish)
        await self.client.wait_quiet()
        async with asyncio.timeout(STATED_SECONDS):
            assert await publish_each(self.client, STATED, [PERIOD], maker, checker) == {}
        await self.client.wait_quiet()

    def _token_of(self, step: Step) -> str:
        return self.issuer.issue(cast(Role, step.role), step.office, step.subject)


# What puts at least one record on every topic: of each history, the verbs that it is followed to.
EVERY_TOPIC: Mapping[str, tuple[str, ...]] = {
    "trqn-1": ("complete", "report-no-show", "decline", "extend", "end-early"),
    "institution-capacity": ("hold",),
    "coswa-nar": ("complete-works",),
}


def small_history(*ends: str, code: str = "trqn-1") -> list[Step]:
    """Of the history the first step of each of these verbs, with all that it needs; names are canaries."""
    steps = _steps_of(code)
    by_id = {step.id: step for step in steps}
    wanted, open_ids = set[str](), [next(s.id for s in steps if s.path.endswith(f"/{verb}")) for verb in ends]
    while open_ids:
        id = open_ids.pop()
        if id not in wanted:
            wanted.add(id)
            open_ids += by_id[id].needs
    return [_canaried(number, step) for number, step in enumerate(steps) if step.id in wanted]


@cache
def _steps_of(code: str) -> Sequence[Step]:
    return expand(*read_history(histories_folder() / f"{code}.yaml"))


def _canaried(number: int, step: Step) -> Step:
    body: dict[str, Any] = dict(step.body)
    if "person" in body:
        document = {**body["person"]["document"], "number": f"{CANARY.upper()}{number:06d}"}
        named = {"given_name": f"{CANARY.title()}a", "family_name": f"{CANARY.title()}-{number}"}
        body["person"] = {**body["person"], **named, "document": document}
    elif step.path.endswith("/institutions"):
        body["name"] = f"{CANARY.title()} clinic {number}"
    return replace(step, body=body)
