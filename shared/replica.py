"""One replica of a service: its kernel and everything that runs beside it, in the order of start and stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from shared.clock import Runtime, derived_id, text_of
from shared.contracts.base import Event
from shared.contracts.registration import ProgrammePublished
from shared.identity.keys import Keys
from shared.intake.submissions import SUBMISSIONS, Decider, Intake
from shared.messaging.port import Log, Subscription
from shared.messaging.relay import Relay
from shared.messaging.shadows import Consumer, Handlers
from shared.programmes.definitions import Definitions
from shared.store.aggregates import Aggregate, Cause, Kernel
from shared.store.collection import Collection, Index
from shared.store.guards import Guard, Guards
from shared.store.port import OUTBOX_INDEX, TIMER_INDEX, Document, Store
from shared.store.sweeper import Fire, Sweeper

META = Collection("meta")
EPOCH_ID = "epoch"


def shadows_collection(indexes: Mapping[str, Index]) -> Collection:
    """A service's shadows, by its own indexes; `all`, for the policy's rows, has those with parked records."""
    return Collection("shadows", {"all": Index(lambda d: ["all"] if d["parked"] else []), **indexes})


@dataclass(frozen=True)
class Ports:
    """What a replica takes from outside."""

    store: Store
    log: Log
    runtime: Runtime
    keys: Keys


@dataclass(frozen=True)
class Backlog:
    """What is not finished: outboxes, records below the group's ends, submissions, parked records."""

    unsent: int
    unread: int
    undecided: int
    waiting: int
    parked: int

    @property
    def quiet(self) -> bool:
        """Nothing moves any more by itself; what is parked for a person does not count."""
        return not (self.unsent or self.unread or self.undecided or self.waiting)


class Replica:
    """Wires one service's rules to the kernel. Services add handlers, deciders and guards before `start`."""

    def __init__(self, service: str, ports: Ports, collections: Sequence[Collection], shadows: Collection) -> None:
        self.service = service
        self.ports = ports
        self.shadows = shadows
        self.collections = {c.name: c for c in (*collections, shadows, SUBMISSIONS)}
        self.relay = Relay(ports.store, ports.log, ports.runtime)
        self.kernel = Kernel(service, ports.store, self.relay, ports.runtime)
        self.guards = Guards(self.kernel)
        self.definitions = Definitions(ports.log, ports.runtime)
        self.consumer: Consumer | None = None
        self.intake: Intake | None = None
        self._subscription: Subscription | None = None
        self._fires: dict[str, Fire] = {}
        self._sweeper: Sweeper | None = None

    def listens(self, handlers: Handlers) -> None:
        """The one table of what the service consumes."""
        self.consumer = Consumer(self.kernel, self.ports.log, handlers, self.shadows)
        self._fires[self.shadows.name] = self._retry

    @property
    def submissions(self) -> Intake:
        """The intake of a service that takes submissions."""
        if self.intake is None:
            raise RuntimeError("the replica takes no submissions")
        return self.intake

    @property
    def handled(self) -> tuple[type[Event], ...]:
        """The types in the service's handler table, and the definitions that every replica follows."""
        return (ProgrammePublished, *(self.consumer.handled if self.consumer else ()))

    def takes(self, deciders: Mapping[str, Decider]) -> None:
        """The kinds of submission that the service decides."""
        self.intake = Intake(self.service, self.ports.store, self.ports.runtime, self.ports.keys, deciders)
        self._fires[SUBMISSIONS.name] = self._decide

    def times(self, aggregate: Aggregate[Any] | None = None, guard: Guard | None = None) -> None:
        """Documents whose due timers fire: the aggregate's own, and the guard's unconfirmed holds."""
        collection = aggregate.collection if aggregate else guard.collection if guard else None
        if collection is None:
            raise ValueError("an aggregate or a guard")

        async def fire(document: Document) -> None:
            if guard:
                await self.guards.settle_due(guard, document)
            if aggregate:
                await self._fire_programme_timer(aggregate, document)

        self._fires[collection.name] = fire

    async def _fire_programme_timer(self, aggregate: Aggregate[Any], document: Document) -> None:
        state = aggregate.read(document)
        timer = aggregate.timer(state) if state is not None and not document["late"] else None
        if timer and timer.at <= self.ports.runtime.now():
            cause = Cause(derived_id(document["_id"], "timer", text_of(timer.at)))
            await self.kernel.execute(aggregate, document["_id"], timer.command, cause)

    async def _retry(self, document: Document) -> None:
        if self.consumer:
            await self.consumer.retry(document["_id"])

    async def _decide(self, document: Document) -> None:
        if self.intake:
            await self.intake.decide(document["_id"])

    async def start(self) -> None:
        """Store, epoch, definitions, relay, intake, consumer, sweeper. SettingsError where the store cannot open."""
        await self.ports.store.start()
        meta = await self.ports.store.load(META.name, EPOCH_ID)
        self.kernel.epoch = int(meta["epoch"]) if meta else 1
        self.definitions.start()
        self.relay.start()
        if self.intake:
            self.intake.start()
        if self.consumer:
            self._subscription = self.ports.log.subscribe(self.service, self.consumer.topics, self.consumer.batch)
            await self._subscription.start()
        self._sweeper = Sweeper(self.ports.store, self.relay, self.ports.runtime, list(self.collections), self._fires)
        self._sweeper.start()

    async def stop(self) -> None:
        """The other way round; what was not finished is finished after the next start."""
        if self._subscription:
            await self._subscription.stop()
        if self._sweeper:
            await self._sweeper.stop()
        if self.intake:
            await self.intake.stop()
        await self.relay.stop()
        await self.definitions.stop()
        await self.ports.store.stop()

    async def replay(self, subject: str) -> bool:
        """The operator's replay of what is parked for a subject, gaps included; True when nothing is left."""
        return self.consumer is None or await self.consumer.retry(subject, forced=True)

    async def backlog(self) -> Backlog:
        """Counts what is unfinished. Raises Unavailable where store or log does not answer."""
        store = self.ports.store
        unsent = 0
        for name in self.collections:
            unsent += await store.count(name, OUTBOX_INDEX, "pending")
        return Backlog(
            unsent=unsent,
            unread=await self._unread(),
            undecided=await self.intake.undecided() if self.intake else 0,
            waiting=await store.count(self.shadows.name, TIMER_INDEX, "timed"),
            parked=await store.count(self.shadows.name, "all", "all"),
        )

    async def _unread(self) -> int:
        if self.consumer is None or not self.consumer.topics:
            return 0
        ends = await self.ports.log.ends(self.consumer.topics)
        positions = await self.ports.log.positions(self.service, self.consumer.topics)
        return sum(max(end - positions.get(position, 0), 0) for position, end in ends.items())

    async def unfinished(self) -> dict[str, Any]:
        """The backlog as `/health/backlog` answers it."""
        backlog = await self.backlog()
        return {**asdict(backlog), "quiet": backlog.quiet}

    def not_ready(self) -> list[str]:
        """Why the replica cannot serve yet; empty when it can."""
        return [] if self.definitions.ready else ["programmes"]


def stored(collections: Sequence[Collection], shadows: Collection) -> tuple[Collection, ...]:
    """Everything that a service's store has to declare."""
    return (*collections, shadows, SUBMISSIONS, META)
