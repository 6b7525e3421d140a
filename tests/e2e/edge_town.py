"""Three services on ports in memory over one log, in which every delivery is the test's own, in an order it chooses."""

from __future__ import annotations

import asyncio
import importlib
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any

import httpx

from deploy.generate import InMemory
from shared.clock import RealRuntime, derived_id, text_of
from shared.errors import TooEarly
from shared.identity.issuers import DevelopmentIssuer
from shared.identity.keys import Keys
from shared.identity.roles import Role
from shared.intake.submissions import PENDING, SUBMISSIONS
from shared.messaging.handlers import Handler
from shared.messaging.local import LocalLog
from shared.messaging.port import Message, Record
from shared.messaging.reading import parse
from shared.messaging.topics import TOPICS
from shared.replica import META, Ports, stored
from shared.store.local import LocalStore
from tests.e2e.edge_world import OFFICE

CONSUMING = ("registration", "matching", "placement")
BEGAN = datetime(2026, 3, 2, 9, tzinfo=UTC)
ROUNDS = 400

# Which waiting record is next, how often records come again, and from how far back.
Order = str


class StillClock(RealRuntime):
    """A clock that stands until it is moved, so that what a history leaves does not depend on how long it took."""

    def __init__(self) -> None:
        super().__init__()
        self.instant = BEGAN

    def now(self) -> datetime:
        return self.instant


class Town:
    """`order`: `once` (partition by partition), `twice` (each record twice in a row), `mixed` (partitions in random
    turns, each in its own order, old records again in between)."""

    def __init__(self, order: Order, seed: int = 1) -> None:
        self.order = order
        self.rng = random.Random(seed)
        self.clock = StillClock()
        self.keys = Keys.in_memory(random.Random(7))
        self.log = LocalLog(None, list(TOPICS.values()), self.clock)
        self.issuer = DevelopmentIssuer(self.keys, self.clock)
        self.stores: dict[str, LocalStore] = {}
        self.services: dict[str, Any] = {}
        self.clients: dict[str, httpx.AsyncClient] = {}
        self.at: dict[tuple[str, str, int], int] = {}
        # By service and type of event: how often it was handed over, and how often its handler really ran.
        self.delivered: Counter[tuple[str, str]] = Counter()
        self.ran: Counter[tuple[str, str]] = Counter()
        self._writers: list[asyncio.Task[Any]] = []
        for name in CONSUMING:
            self._build(name)

    def _build(self, name: str) -> None:
        declared = importlib.import_module(f"services.{name}.store")
        self.stores[name] = LocalStore(None, stored(declared.COLLECTIONS, declared.SHADOWS), self.clock)
        ports = Ports(self.stores[name], self.log, self.clock, self.keys)
        service = importlib.import_module(f"services.{name}.app").build(ports, InMemory())
        self.services[name] = service
        table = service.replica.consumer._handlers
        service.replica.consumer._handlers = {
            event: self._counted(name, event.__name__, handler) for event, handler in table.items()
        }
        transport = httpx.ASGITransport(app=service.app)
        self.clients[name] = httpx.AsyncClient(transport=transport, base_url="http://test")

    def _counted(self, service: str, event: str, handler: Handler) -> Handler:
        def counting(work: Callable[..., Any] | None) -> Any:
            if work is None:
                return None

            # What is known stands under the knower's name.
            @wraps(work)
            def run(*arguments: Any) -> Any:
                self.ran[(service, event)] += 1
                return work(*arguments)

            return run

        # Where there is an effect it follows what is known, so that one of the two is counted.
        first = handler.know if handler.effect is None else None
        return replace(
            handler,
            know=counting(first) if first else handler.know,
            effect=counting(handler.effect),
        )

    def table(self) -> set[tuple[str, str]]:
        """Every (service, event type) in the handler tables."""
        return {(name, event.__name__) for name in CONSUMING for event in self._consumer(name)._handlers}

    async def __aenter__(self) -> Town:
        await self.log.start()
        for name in CONSUMING:
            await self.stores[name].start()
            replica = self.services[name].replica
            replica.definitions.start()
            if replica.intake:
                self._writers.append(self.clock.spawn(replica.intake._write(), "writer"))
        return self

    async def __aexit__(self, *_: Any) -> None:
        for writer in self._writers:
            writer.cancel()
        for name in CONSUMING:
            await self.clients[name].aclose()
            await self.services[name].replica.definitions.stop()
            await self.stores[name].stop()
        self.clock.close()

    async def deliver_topic(self, service: str, topic: str) -> None:
        """All that waits on one topic, before anything else moves."""
        await self.send()
        for place, end in (await self.log.ends([topic])).items():
            while self.at.get((service, *place), 0) < end:
                await self._deliver_next(service, *place)

    def _consumer(self, name: str) -> Any:
        return self.services[name].replica.consumer

    # What people do.

    async def call(
        self, method: str, path: str, body: Any, role: Role, office: str | None, subject: str, key: str
    ) -> httpx.Response:
        service, _, rest = path.removeprefix("/").partition("/")
        headers = {
            "Authorization": f"Bearer {self.issuer.issue(role, office, subject)}",
            "X-Correlation-Id": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
            "Idempotency-Key": key,
        }
        return await self.clients[service].request(method, f"/{rest}", json=body, headers=headers)

    async def do(
        self, path: str, body: Any = None, role: Role = "officer", office: str | None = OFFICE, subject: str = ""
    ) -> dict[str, Any]:
        """Posts until it is accepted; between two tries one more record is delivered, as late as that."""
        key = derived_id("key", path, subject)
        for _ in range(ROUNDS):
            answer = await self.call("POST", path, {} if body is None else body, role, office, subject, key)
            if answer.is_success:
                return dict(answer.json())
            assert answer.status_code in (404, 409, 422, 503), answer.text
            if not await self.deliver_some():
                break
        raise AssertionError(f"{path} is refused with nothing left to deliver: {answer.text}")

    async def get(self, path: str) -> dict[str, Any]:
        answer = await self.call("GET", path, None, "officer", OFFICE, "", "none")
        assert answer.is_success, answer.text
        return dict(answer.json())

    async def later(self, **how: float) -> None:
        """Moves the clock and fires the timers that are due then."""
        self.clock.instant += timedelta(**how)
        for name in CONSUMING:
            for collection, fire in self.services[name].replica._fires.items():
                for document in await self.stores[name].find(
                    collection, "timer", "timed", until=text_of(self.clock.now())
                ):
                    await fire(document)

    # What moves.

    async def send(self) -> None:
        for name in CONSUMING:
            replica = self.services[name].replica
            for collection in replica.collections:
                for document in await self.stores[name].find(collection, "outbox", "pending"):
                    await replica.relay.send(collection, document)

    async def deliver_some(self) -> bool:
        """One more record, or where there is none whatever waits for its turn; False when nothing moved."""
        await self.send()
        if await self._know_programmes():
            return True
        waiting = await self._waiting()
        if waiting:
            service, topic, partition = self.rng.choice(waiting) if self.order == "mixed" else waiting[0]
            await self._deliver_next(service, topic, partition)
            return True
        return await self._retry()

    async def _know_programmes(self) -> bool:
        """Definitions have a follower of their own, which is given the time to read. Whether it needed that."""
        waited = False
        [(_, end)] = (await self.log.ends(["registration.programmes"])).items()
        for name in CONSUMING:
            while self.services[name].replica.definitions._offset < end:
                await asyncio.sleep(0.001)
                waited = True
        return waited

    async def _waiting(self) -> list[tuple[str, str, int]]:
        found = []
        for name in CONSUMING:
            ends = await self.log.ends(self._consumer(name).topics)
            found += [(name, *place) for place, end in ends.items() if self.at.get((name, *place), 0) < end]
        return sorted(found)

    async def _deliver_next(self, service: str, topic: str, partition: int) -> None:
        at = self.at.get((service, topic, partition), 0)
        first = self.rng.randint(max(at - 5, 0), at) if self.order == "mixed" else at
        records = (await self.log.read(topic, partition, first))[: at - first + 1]
        for record in records:
            await self.deliver(service, record)
            if self.order != "once":
                await self.deliver(service, record)
        self.at[(service, topic, partition)] = at + 1

    async def deliver(self, service: str, record: Record) -> None:
        read = parse(record)
        assert isinstance(read, tuple), read
        self.delivered[(service, type(read[1]).__name__)] += 1
        await self._consumer(service).deliver(record)

    async def _retry(self) -> bool:
        """What came too early is tried again, and what was sent in is decided; whether that left less to do."""
        before = await self.unfinished()
        for name in CONSUMING:
            replica, store = self.services[name].replica, self.stores[name]
            for shadow in await store.find(replica.shadows.name, "timer", "timed"):
                await replica.consumer.retry(shadow["_id"])
            for submission in [
                one for text in PENDING for one in await store.find(SUBMISSIONS.name, "undecided", text)
            ]:
                try:
                    await replica.intake.decide(submission["_id"])
                except TooEarly:
                    continue
        await self.send()
        return bool(await self._waiting()) or await self.unfinished() < before

    async def unfinished(self) -> int:
        """Submissions without a decision and subjects with something parked."""
        counted = 0
        for name in CONSUMING:
            store = self.stores[name]
            counted += sum([await store.count(SUBMISSIONS.name, "undecided", text) for text in PENDING])
            counted += await store.count(self.services[name].replica.shadows.name, "all", "all")
        return counted

    async def settle(self) -> None:
        """Goes on until nothing moves; nothing may be left parked or undecided then."""
        while await self.deliver_some():
            pass
        assert await self.unfinished() == 0, await self.parked()

    async def parked(self) -> list[tuple[str, str, str]]:
        """What waits for good: service, subject, reason."""
        found = []
        for name in CONSUMING:
            for shadow in await self.stores[name].find(self.services[name].replica.shadows.name, "all", "all"):
                found += [(name, shadow["_id"], f"{one['topic']} {one['reason']}") for one in shadow["parked"]]
        return found

    # What stands.

    async def records(self) -> list[Record]:
        """Everything on every topic, partition by partition."""
        places = sorted(await self.log.ends(list(TOPICS)))
        return [record for place in places for record in await self.log.read(*place, 0, 100_000)]

    async def documents(self, service: str) -> dict[str, dict[str, Any]]:
        """Every document of a service's own by `collection/id`; its shadows apart."""
        replica, found = self.services[service].replica, {}
        for collection in replica.collections:
            if collection != replica.shadows.name:
                async for document in self.stores[service].scan(collection):
                    found[f"{collection}/{document['_id']}"] = document
        return found

    async def shadows(self, service: str) -> dict[str, dict[str, Any]]:
        replica = self.services[service].replica
        return {one["_id"]: one async for one in self.stores[service].scan(replica.shadows.name)}

    async def take_over(self, other: Town) -> None:
        """Another town's topics and documents, without what it remembers of foreign subjects."""
        self.clock.instant = other.clock.instant
        for record in await other.records():
            message = Message((record.key or b"").decode(), record.value or b"", record.headers)
            await self.log.append(record.topic, record.partition, [message])
        for name in CONSUMING:
            by_collection: dict[str, list[Any]] = {}
            for key, document in (await other.documents(name)).items():
                by_collection.setdefault(key.split("/", 1)[0], []).append(document)
            for collection, documents in by_collection.items():
                if collection != META.name:
                    outcomes = await self.stores[name].append(collection, documents)
                    assert set(outcomes) == {"written"}
