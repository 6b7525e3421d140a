"""A world of replicas on shared faulty ports: boots, crashes, freezes, heals, waits until all is quiet."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from shared.clock import text_of
from shared.errors import PortError, Unavailable
from shared.identity.keys import Keys
from shared.messaging.local import LocalLog
from shared.messaging.topics import TOPICS
from shared.replica import Ports
from shared.store.collection import Collection
from shared.store.local import LocalStore
from shared.store.port import OUTBOX_INDEX, TIMER_INDEX, Store
from shared.testing.faults import STORMY, FaultPlan, Rates
from shared.testing.faulty_log import FaultyLog
from shared.testing.faulty_store import FaultyStore
from shared.testing.groups import SESSION_SECONDS
from shared.testing.loop import SeededLoop
from shared.testing.runtime import SeededRuntime
from tests.simulation.evidence import Evidence, Violation

T = TypeVar("T")

REPLICAS = 2
ANSWER_SECONDS = 5.0
RESTART_SECONDS = 4.0
CONVERGE_SECONDS = 900.0
HORIZON_SECONDS = 30.0
STRIKES_AT_MOST = 12


class Bootable(Protocol):
    """What a factory makes of ports: one replica of a service."""

    async def start(self) -> None: ...


@dataclass(frozen=True)
class Service:
    """How a service is built, what its store declares, and the group and topics that it follows."""

    name: str
    collections: Sequence[Collection]
    build: Callable[[Ports], Bootable]
    topics: Sequence[str] = ()


@dataclass
class Node:
    """A place for a replica; each start there is an incarnation of its own."""

    service: Service
    name: str
    starts: int = 0
    replica: Any = None
    incarnation: str = ""
    runtime: SeededRuntime | None = field(default=None, repr=False)


StoreWrapper = Callable[[Store], Store]


class World:
    """Two replicas of each service over one log and one store a service, all from one seed."""

    def __init__(
        self,
        seed: int,
        services: Sequence[Service],
        rates: Rates = STORMY,
        *,
        trace: bool = False,
        wrap_store: StoreWrapper = lambda store: store,
    ) -> None:
        self.loop = SeededLoop(seed, trace=trace)
        self.runtime = SeededRuntime(self.loop, "world")
        self.plan = FaultPlan(SeededRuntime(self.loop, "faults"), rates)
        self.plan.crash, self.plan.freeze = self.crash, self.freeze
        self.services = {service.name: service for service in services}
        self.bare_log = LocalLog(None, list(TOPICS.values()), self.runtime)
        self.log = FaultyLog(self.bare_log, self.plan)
        self.bare_stores = {service.name: LocalStore(None, service.collections, self.runtime) for service in services}
        self.stores = {name: FaultyStore(wrap_store(store), self.plan) for name, store in self.bare_stores.items()}
        self.keys = Keys.in_memory(SeededRuntime(self.loop, "keys").rng)
        self.nodes = [Node(service, f"{service.name}-{n}") for service in services for n in range(REPLICAS)]

    # Life and death of replicas.

    async def start(self) -> None:
        await self.bare_log.start()
        for store in self.bare_stores.values():
            await store.start()
        for node in self.nodes:
            self._boot(node)

    def _boot(self, node: Node) -> None:
        node.starts += 1
        node.incarnation = f"{node.name}#{node.starts}"
        node.runtime = SeededRuntime(self.loop, node.incarnation, incarnation=node.incarnation)
        ports = Ports(self.stores[node.service.name], self.log, node.runtime, self.keys)
        node.runtime.spawn(self._bring_up(node, node.incarnation, ports), f"start {node.incarnation}")

    async def _bring_up(self, node: Node, incarnation: str, ports: Ports) -> None:
        try:
            replica = node.service.build(ports)
            await replica.start()
        except PortError:
            # A process that cannot reach its ports at start ends, and whatever runs it starts it again.
            self._end(node, incarnation)
            return
        node.replica = replica

    def _end(self, node: Node, incarnation: str) -> None:
        self.loop.kill(incarnation)
        node.replica = None
        self.runtime.spawn(self._boot_later(node), f"restart {node.name}")

    async def _boot_later(self, node: Node) -> None:
        await asyncio.sleep(self.runtime.rng.uniform(0.05, RESTART_SECONDS))
        self._boot(node)

    def _struck_too_often(self) -> bool:
        return self.plan.counts["crashes"] + self.plan.counts["freezes"] >= STRIKES_AT_MOST

    def crash(self, incarnation: str) -> bool:
        """Kills the incarnation and starts another in its place a little later."""
        node = self._node_of(incarnation)
        if node is None or self._struck_too_often():
            return False
        self._end(node, incarnation)
        return True

    def freeze(self, incarnation: str) -> bool:
        """Stops the incarnation for up to three times the session, so that it often comes back as a zombie."""
        if self._node_of(incarnation) is None or self._struck_too_often():
            return False
        if self.loop.standing(incarnation) != "running":
            return False
        self.loop.freeze(incarnation)
        self.runtime.spawn(self._thaw_later(incarnation), f"thaw {incarnation}")
        return True

    async def _thaw_later(self, incarnation: str) -> None:
        await asyncio.sleep(self.runtime.rng.uniform(0.1, 3 * SESSION_SECONDS))
        self.loop.thaw(incarnation)

    def _node_of(self, incarnation: str) -> Node | None:
        standing = self.loop.standing(incarnation) != "dead"
        return next((node for node in self.nodes if node.incarnation == incarnation and standing), None)

    # Requests from outside.

    async def call(self, service: str, work: Callable[[Any], Awaitable[T]]) -> T:
        """Runs `work` on some replica of the service. Raises Unavailable where no answer comes in time.

        The request goes on in its replica after the time is over, and dies with it.
        """
        up = [node for node in self.nodes if node.service.name == service and node.replica is not None]
        if not up:
            await asyncio.sleep(0.2)
            raise Unavailable(service)
        node = self.runtime.rng.choice(up)
        replica = node.replica

        async def serve() -> T:
            return await work(replica)

        task = self.loop.task_of(node.incarnation, serve(), f"request to {node.name}")
        task.add_done_callback(_looked_at)
        await asyncio.wait({task}, timeout=ANSWER_SECONDS)
        if not task.done():
            raise Unavailable(f"{service}: no answer")
        return task.result()

    # Healing.

    async def heal(self) -> None:
        """Ends all faults and lets every frozen replica go on."""
        self.plan.heal()
        for node in self.nodes:
            self.loop.thaw(node.incarnation)

    async def converge(self) -> list[Violation]:
        """Waits until nothing is left to do, twice running. I12: it comes to that without a person."""
        deadline = self.loop.time() + CONVERGE_SECONDS
        quiet = 0
        while self.loop.time() < deadline:
            await asyncio.sleep(2.0)
            quiet = 0 if await self.unfinished() else quiet + 1
            if quiet == 2:
                return []
        return [Violation("I12", "world", f"still unfinished: {await self.unfinished()}")]

    async def unfinished(self) -> dict[str, int]:
        """Counts of what still moves by itself: replicas down, outboxes, unread records, timers due soon."""
        found = {"replicas down": sum(node.replica is None for node in self.nodes)}
        until = text_of(self.loop.now() + timedelta(seconds=HORIZON_SECONDS))
        for name, service in self.services.items():
            store = self.bare_stores[name]
            for collection in service.collections:
                found[f"{name} outboxes"] = found.get(f"{name} outboxes", 0) + await store.count(
                    collection.name, OUTBOX_INDEX, "pending"
                )
                due = await store.find(collection.name, TIMER_INDEX, "timed", until=until)
                found[f"{name} timers"] = found.get(f"{name} timers", 0) + len(due)
            ends = await self.bare_log.ends(service.topics)
            positions = self.log.groups.of(name).committed
            found[f"{name} unread"] = sum(end - positions.get(at, 0) for at, end in ends.items())
        return {what: count for what, count in found.items() if count}

    async def evidence(self) -> Evidence:
        """Everything in stores and topics, read past the wrapper."""
        documents: dict[str, Mapping[str, list[Any]]] = {}
        for name, service in self.services.items():
            store = self.bare_stores[name]
            documents[name] = {
                collection.name: [document async for document in store.scan(collection.name)]
                for collection in service.collections
            }
        records: dict[str, list[Any]] = {}
        for topic in TOPICS.values():
            lanes = [await self.bare_log.read(topic.name, n, 0, 100_000) for n in range(topic.partitions)]
            records[topic.name] = [record for lane in lanes for record in lane]
        positions = {name: dict(self.log.groups.of(name).committed) for name in self.services}
        return Evidence(documents, records, positions)

    def close(self) -> None:
        self.loop.close()
        self.bare_log.close()


def _looked_at(task: asyncio.Task[Any]) -> None:
    # The client may be gone; a failed request without a taker is not a mistake of the loop.
    if not task.cancelled():
        task.exception()
