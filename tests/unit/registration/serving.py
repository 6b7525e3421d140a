"""A service on local ports in memory behind its HTTP edge, with tokens of the development issuer."""

from __future__ import annotations

import json
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from unittest import mock

import httpx
from pydantic import BaseModel

from shared.clock import RealRuntime
from shared.identity.issuers import DEVELOPMENT_ISSUER, DevelopmentIssuer
from shared.identity.keys import Keys
from shared.identity.roles import Role
from shared.messaging.local import LocalLog
from shared.messaging.topics import TOPICS
from shared.replica import Ports
from shared.store.collection import Collection
from shared.store.local import LocalStore
from tests.declared import Declared

PATIENCE_SECONDS = 5.0


class Clock(RealRuntime):
    """The real runtime with a clock that a test can move."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


class NoIssuer:
    issuer: str | None = None
    mail: str | None = None
    mail_from = "office@example.org"
    mail_user: str | None = None
    mail_password: str | None = None
    base_url = "http://test"
    readings_an_hour = 60
    readings_a_day = 300


_schema = BaseModel.model_json_schema.__func__  # type: ignore[attr-defined]


@cache
def _schema_text(model: type[BaseModel], asked: tuple[tuple[str, Any], ...]) -> str:
    return json.dumps(_schema(model, **dict(asked)))


@contextmanager
def schemas_once() -> Iterator[None]:
    """Each model's schema is made once in a process; every build of a service asks for the same seventy again."""

    def schema(model: type[BaseModel], /, **asked: Any) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(_schema_text(model, tuple(sorted(asked.items()))))
        return found

    with mock.patch.object(BaseModel, "model_json_schema", classmethod(schema)):
        yield


class Serving:
    """Starts and stops the service and calls it as somebody."""

    def __init__(self, name: str, collections: tuple[Collection, ...], build: Callable[[Ports, Any], Any]) -> None:
        self.name = name
        self.clock = Clock()
        self.keys = Keys.in_memory(random.Random(7))
        self.log = LocalLog(None, list(TOPICS.values()), self.clock)
        self.store = LocalStore(None, collections, self.clock)
        with schemas_once():
            self.service = build(Ports(self.store, self.log, self.clock, self.keys), NoIssuer())
        self.issuer = DevelopmentIssuer(self.keys, self.clock)
        transport = Declared({"": name}, httpx.ASGITransport(app=self.service.app))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://test")

    async def __aenter__(self) -> Serving:
        await self.log.start()
        await self.service.start()
        await self.eventually(lambda: self._ready())
        return self

    async def _ready(self) -> bool:
        return not self.service.replica.not_ready()

    async def __aexit__(self, *_: Any) -> None:
        await self.client.aclose()
        await self.service.stop()
        await self.log.stop()
        self.clock.close()

    def account(self, subject: str) -> str:
        """The account of whoever signs in under that subject."""
        return self.keys.accounts(DEVELOPMENT_ISSUER).of(subject)

    async def call(
        self,
        method: str,
        path: str,
        role: Role,
        body: Any = None,
        *,
        office: str | None = None,
        subject: str = "",
        key: str | None = None,
        if_match: str | None = None,
    ) -> httpx.Response:
        if office is None and role == "officer":
            office = "kabul"
        headers = {"authorization": f"Bearer {self.issuer.issue(role, office, subject)}"}
        if key:
            headers["idempotency-key"] = key
        if if_match:
            headers["if-match"] = if_match
        sent = None if method == "GET" else ({} if body is None else body)
        return await self.client.request(method, f"/v1{path}", headers=headers, json=sent)

    async def get(self, path: str, role: Role = "officer", **how: Any) -> httpx.Response:
        return await self.call("GET", path, role, **how)

    async def post(self, path: str, role: Role, body: Any = None, **how: Any) -> httpx.Response:
        return await self.call("POST", path, role, body, **how)

    async def publish(self, definition: Mapping[str, Any]) -> None:
        """Publishes a programme's first version, and waits until the service goes by it."""
        answer = await self.post("/programmes", "administrator", {"definition": definition})
        assert answer.status_code == 201, answer.text
        await self.follows(definition["code"])

    async def follows(self, code: str, version: int = 1) -> None:
        """Waits until the service goes by that version of the programme, or a later one."""
        definitions = self.service.replica.definitions

        async def known() -> bool:
            return code in definitions.codes() and definitions.newest_version(code) >= version

        await self.eventually(known)

    async def eventually(self, holds: Callable[[], Awaitable[bool]]) -> None:
        """Waits until it holds, at most five seconds."""
        until = self.clock.monotonic() + PATIENCE_SECONDS
        while not await holds():
            assert self.clock.monotonic() < until, "it never came"
            await self.clock.sleep(0.005)

    async def quiet(self) -> None:
        async def nothing_moves() -> bool:
            backlog = await self.service.replica.backlog()
            return bool(backlog.quiet)

        await self.eventually(nothing_moves)

    async def topic(self, name: str) -> list[Any]:
        """Every record of the topic, partition by partition."""
        records = []
        for topic, partition in await self.log.ends([name]):
            records += await self.log.read(topic, partition, 0)
        return records
