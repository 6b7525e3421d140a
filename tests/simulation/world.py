"""A world of replicas on shared faulty ports: boots, crashes, freezes, heals, waits until all is quiet."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from shared.clock import instant_of, text_of
from shared.errors import PortError, Unavailable
from shared.identity.keys import Keys
from shared.messaging.local import LocalLog
from shared.messaging.topics import TOPICS
from shared.replica import Ports
from shared.store.guards import HOLD_SECONDS
from shared.store.local import LocalStore
from shared.store.port import OUTBOX_INDEX, TIMER_INDEX, Document, Store
from shared.testing.faults import STORMY, FaultPlan, Rates
from shared.testing.faulty_log import FaultyLog
from shared.testing.faulty_store import FaultyStore
from shared.testing.groups import SESSION_SECONDS
from shared.testing.loop import SeededLoop
from shared.testing.runtime import SeededRuntime
from tests.simulation.evidence import Evidence, Violation
from tests.simulation.nodes import Node, Service
from tests.simulation.witness import Witness, WitnessedStore

T = TypeVar("T")

REPLICAS = 2
ANSWER_SECONDS = 5.0
RESTART_SECONDS = 4.0
CONVERGE_SECONDS = 240.0
OUTAGE_CHANCE = 0.05
# Longer than any hold, submission or parked record waits: whatever the kernel does by itself is done by then.
HORIZON_SECONDS = 400.0
TIMERS = "timers"
STRIKES_AT_MOST = 12
# Of a replica's clock; so two of them differ by up to a second.
SKEW_SECONDS = 0.5


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
        self.witness = Witness(self.loop.now, self._perhaps_outage)
        self.stores = {
            name: FaultyStore(wrap_store(WitnessedStore(name, store, self.witness)), self.plan)
            for name, store in self.bare_stores.items()
        }
        self.keys = Keys.in_memory(SeededRuntime(self.loop, "keys").rng)
        self.nodes = [
            Node(service, f"{service.name}-{n}", self.runtime.rng.uniform(-SKEW_SECONDS, SKEW_SECONDS))
            for service in services
            for n in range(REPLICAS)
        ]
        self._built: list[tuple[Service, Any]] = []

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
        node.runtime = SeededRuntime(
            self.loop, node.incarnation, incarnation=node.incarnation, skew_seconds=node.skew_seconds
        )
        ports = Ports(self.stores[node.service.name], self.log, node.runtime, self.keys)
        node.runtime.spawn(self._bring_up(node, node.incarnation, ports), f"start {node.incarnation}")

    async def _bring_up(self, node: Node, incarnation: str, ports: Ports) -> None:
        try:
            replica = node.service.build(ports)
            self._built.append((node.service, replica))
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

    def _perhaps_outage(self, service: str) -> None:
        """Both replicas die between guard and target, and it takes longer than a hold lasts until one is back."""
        nodes = [node for node in self.nodes if node.service.name == service]
        if self.plan.healed or self.runtime.rng.random() >= OUTAGE_CHANCE:
            return
        if all([self.crash(node.incarnation) for node in nodes]):
            self.plan.counts["crashes"] += len(nodes)
            self.plan.counts["outages"] += 1
            self.leap(self.runtime.rng.uniform(HOLD_SECONDS, 2 * HOLD_SECONDS))

    def leap(self, seconds: float) -> None:
        """Moves every clock on at once, in the middle of whatever is under way."""
        self.plan.counts["leaps"] += 1
        self.loop.leap(seconds)

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
        answered = self.loop.create_future()
        task.add_done_callback(partial(_looked_at, answered))
        over = self.loop.call_later(ANSWER_SECONDS, _told, answered)
        await answered
        over.cancel()
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
            left = await self.unfinished()
            quiet = quiet + 1 if not left else 0
            if quiet == 2:
                return []
            if set(left) == {TIMERS}:
                await self._leap_to_next_timer()
        return [Violation("I12", "world", f"still unfinished: {await self.unfinished()}")]

    async def _leap_to_next_timer(self) -> None:
        """Nothing happens before then, so there is nothing to wait for."""
        due = [document["next_at"] for document in await self._timed(HORIZON_SECONDS)]
        ahead = (instant_of(min(due)) - self.loop.now()).total_seconds() if due else 0.0
        if ahead > 0:
            self.loop.leap(ahead)

    async def _timed(self, horizon_seconds: float) -> list[Document]:
        until = text_of(self.loop.now() + timedelta(seconds=horizon_seconds))
        found: list[Document] = []
        for name, service in self.services.items():
            for collection in service.collections:
                found += await self.bare_stores[name].find(collection.name, TIMER_INDEX, "timed", until=until)
        return found

    async def unfinished(self) -> dict[str, int]:
        """Counts of what still moves by itself: replicas down, outboxes, unread records, timers due soon."""
        found: Counter[str] = Counter()
        found["replicas down"] = sum(node.replica is None for node in self.nodes)
        found[TIMERS] = len(await self._timed(HORIZON_SECONDS))
        ends = await self.bare_log.ends(list(TOPICS))
        for name, service in self.services.items():
            store = self.bare_stores[name]
            for collection in service.collections:
                found[f"{name} outboxes"] += await store.count(collection.name, OUTBOX_INDEX, "pending")
            positions = self.log.groups.of(name).committed
            read = {at: end for at, end in ends.items() if at[0] in service.topics}
            found[f"{name} unread"] = sum(end - positions.get(at, 0) for at, end in read.items())
        for node in self.nodes:
            if node.replica is not None:
                found[f"{node.name} unread"] = node.service.unread(node.replica, ends)
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
        for service, replica in self._built:
            service.close(replica)
        self.bare_log.close()


def _looked_at(answered: asyncio.Future[None], task: asyncio.Task[Any]) -> None:
    # The client may be gone; a failed request without a taker is not a mistake of the loop.
    if not task.cancelled():
        task.exception()
    _told(answered)


def _told(answered: asyncio.Future[None]) -> None:
    if not answered.done():
        answered.set_result(None)
