"""One replica of a service: its kernel and everything that runs beside it, in the order of start and stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from shared.clock import Runtime, derived_id, stop_tasks, text_of
from shared.contracts.base import Event
from shared.contracts.registration.programmes import ProgrammePublished
from shared.errors import Refusal, Unavailable, UnknownOutcome
from shared.identity.keys import Keys
from shared.intake.submissions import SUBMISSIONS, Decider, Intake
from shared.jobs.documents import JOB_PIECES, JOBS
from shared.jobs.kinds import JobKind
from shared.jobs.running import Jobs
from shared.messaging.handlers import Handlers
from shared.messaging.port import Log, Subscription
from shared.messaging.relay import Relay
from shared.messaging.shadow import USUAL, Position
from shared.messaging.shadows import Consumer
from shared.programmes.definitions import Definitions
from shared.store.aggregates import Aggregate, Cause, Kernel
from shared.store.collection import Collection, Index
from shared.store.guards import Guard, Guards
from shared.store.identity import check_identity
from shared.store.port import OUTBOX_INDEX, TIMER_INDEX, Document, Store
from shared.store.sweeper import Fire, Sweeper
from shared.store.timers import programme_timer
from shared.store.unfinished import due_timers, oldest_outbox_seconds, unconfirmed_holds
from shared.telemetry.metrics import Measured, exposed, publish, withdraw
from shared.telemetry.observability import counts, logger
from shared.telemetry.tracing import step

META = Collection("meta")
EPOCH_ID = "epoch"
# The index of the shadows with parked records.
PARKED = "parked"
# What every store has beside the service's own; none of it emits.
OF_EVERY_SERVICE = (SUBMISSIONS, JOBS, JOB_PIECES)
# The collection of what a service knows of the cases of others.
SHADOWS = "shadows"
MEASURE_EVERY_SECONDS = 10.0


def shadows_collection(indexes: Mapping[str, Index]) -> Collection:
    """A service's shadows, by its own indexes; `all`, for the policy's rows, has what was parked or dropped."""
    return Collection(
        SHADOWS,
        {
            "all": Index(lambda d: ["all"] if d["parked"] or d.get("dropped") else [], version=2),
            PARKED: Index(lambda d: ["all"] if d["parked"] else []),
            **indexes,
        },
        usual=USUAL,
    )


@dataclass(frozen=True)
class Ports:
    """What a replica takes from outside."""

    store: Store
    log: Log
    runtime: Runtime
    keys: Keys


@dataclass(frozen=True)
class Backlog:
    """What is not finished: outboxes, records below the ends (`lag` by topic), submissions, holds, jobs,
    parked records.

    `undecided`: submissions that nobody has decided yet; `awaiting`: those that wait for what is not known here yet."""

    unsent: int
    unread: int
    undecided: int
    awaiting: int
    unconfirmed: int
    waiting: int
    parked: int
    lag: Mapping[str, int]
    jobs: int = 0

    @property
    def caught_up(self) -> bool:
        """Whatever was acknowledged is done; what a request that was cut off left held may still wait for its timer."""
        unfinished = self.unsent, self.unread, self.undecided, self.awaiting, self.waiting, self.jobs
        return not any(unfinished)

    @property
    def quiet(self) -> bool:
        """Nothing moves any more by itself; what is parked for a person does not count."""
        return self.caught_up and not self.unconfirmed


class Replica:
    """Wires one service's rules to the kernel. Services add handlers, deciders and guards before `start`."""

    def __init__(self, service: str, ports: Ports, collections: Sequence[Collection], shadows: Collection) -> None:
        self.service = service
        self.ports = ports
        self.shadows = shadows
        self.collections = {c.name: c for c in (*collections, shadows, *OF_EVERY_SERVICE)}
        # Shadows, submissions and jobs emit nothing: what follows from them is other documents' work.
        self._emitting = [c.name for c in collections]
        self.relay = Relay(ports.store, ports.log, ports.runtime)
        self.kernel = Kernel(service, ports.store, self.relay, ports.runtime)
        self.guards = Guards(self.kernel)
        self.definitions = Definitions(ports.log, ports.runtime)
        self.consumer: Consumer | None = None
        self.intake: Intake | None = None
        self.jobs: Jobs | None = None
        self._subscription: Subscription | None = None
        self._fires: dict[str, Fire] = {}
        self._always_due: set[str] = set()
        self._guarding: list[str] = []
        self._sweeper: Sweeper | None = None
        self._follows: Callable[[], Awaitable[Mapping[str, int]]] | None = None
        self._measuring: list[asyncio.Task[Any]] = []

    def listens(self, handlers: Handlers) -> None:
        """The one table of what the service consumes."""
        self.consumer = Consumer(self.kernel, self.ports.log, handlers, self.shadows)
        self._fires[self.shadows.name] = self._fire_shadow

    def also_reads(self, lag: Callable[[], Awaitable[Mapping[str, int]]]) -> None:
        """A reader by position beside the group; `lag` says by topic what it has not read."""
        self._follows = lag

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

    def works(self, kinds: Sequence[JobKind[Any]]) -> Jobs:
        """The kinds of job that the service does: the one table of them."""
        self.jobs = Jobs(self.service, self.ports.store, self.ports.runtime, self.ports.keys, kinds)
        self._fires[JOBS.name] = self.jobs.take_up
        return self.jobs

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
        if guard:
            self._guarding.append(collection.name)

    def sweeps(self, collection: Collection, fire: Fire, *, always_due: bool = False) -> None:
        """Documents that are no case, and what their due timers do. `always_due`: being due is how they wait for what
        is new, so they count as no timer that nobody has fired."""
        self._fires[collection.name] = fire
        if always_due:
            self._always_due.add(collection.name)

    async def _fire_programme_timer(self, aggregate: Aggregate[Any], document: Document) -> None:
        timer = programme_timer(aggregate, document)
        if timer is None or timer.at > self.ports.runtime.now():
            return

        def stands(found: Document) -> bool:
            return programme_timer(aggregate, found) == timer

        id = derived_id(document["_id"], "timer", text_of(timer.at))
        # A timer begins a trace of its own: what set it may be months ago.
        with step("timer", None, service=self.service, collection=aggregate.name) as trace:
            late = timer.happened_at is not None
            cause = Cause(id, traceparent=trace, happened_at=timer.happened_at, recorded_late=late)
            await self.kernel.fire(aggregate, document["_id"], timer.command, cause, stands)

    async def _fire_shadow(self, document: Document) -> None:
        if self.consumer:
            await self.consumer.fire(document["_id"])

    async def _decide(self, document: Document) -> None:
        if self.intake:
            await self.intake.take_up(document)

    async def start(self) -> None:
        """Store, identity key, epoch, definitions, relay, intake, consumer, sweeper.

        SettingsError where the store cannot open, or was made under another identity key.
        """
        await self.ports.store.start()
        await check_identity(self.ports.store, META.name, self.collections, self.ports.keys, self.service)
        meta = await self.ports.store.load(META.name, EPOCH_ID)
        self.kernel.epoch = int(meta["epoch"]) if meta else 1
        self.definitions.start()
        self.relay.start()
        if self.intake:
            self.intake.start()
        if self.jobs:
            self.jobs.start()
        if self.consumer:
            self._subscription = self.ports.log.subscribe(self.service, self.consumer.topics, self.consumer.batch)
            await self._subscription.start()
        self._sweeper = Sweeper(self.ports.store, self.relay, self.ports.runtime, self._emitting, self._fires)
        self._sweeper.start()
        if exposed():
            self._measuring = [self.ports.runtime.spawn(self._measure(), "measure", lasting=True)]

    async def stop(self) -> None:
        """The other way round; what was not finished is finished after the next start."""
        await stop_tasks(self._measuring)
        withdraw(self.service)
        if self._subscription:
            await self._subscription.stop()
        if self._sweeper:
            await self._sweeper.stop()
        if self.jobs:
            await self.jobs.stop()
        if self.intake:
            await self.intake.stop()
        await self.relay.stop()
        await self.definitions.stop()
        await self.ports.store.stop()

    async def replay(self, subject: str, expected: int | None = None) -> bool:
        """The operator's replay of what is parked for a subject, gaps included; True when nothing is left.

        `expected`: the version of what is parked that the operator has seen. Raises PreconditionFailed.
        """
        return self.consumer is None or await self.consumer.retry(subject, forced=True, expected=expected)

    async def drop(
        self, subject: str, position: Position, said: Mapping[str, str], expected: int | None = None
    ) -> None:
        """The operator gives up the first record that is parked for a subject. Raises Refusal, PreconditionFailed."""
        if self.consumer is None:
            raise Refusal("not_found", status=404)
        await self.consumer.drop(subject, position, said, expected)

    async def backlog(self) -> Backlog:
        """Counts what is unfinished. Raises Unavailable where store or log does not answer."""
        store, lag = self.ports.store, await self.lag()
        unsent = 0
        for name in self._emitting:
            unsent += await store.count(name, OUTBOX_INDEX, "pending")
        return Backlog(
            unsent=unsent,
            unread=sum(lag.values()),
            undecided=await self.intake.undecided() if self.intake else 0,
            awaiting=await self.intake.awaiting() if self.intake else 0,
            unconfirmed=await unconfirmed_holds(store, self._guarding, self.ports.runtime.now()),
            waiting=await store.count(self.shadows.name, TIMER_INDEX, "timed"),
            parked=await store.count(self.shadows.name, PARKED, "all"),
            lag=lag,
            jobs=await self.jobs.moving() if self.jobs else 0,
        )

    async def lag(self) -> dict[str, int]:
        """By topic, the records below the end that the service has not read. Raises Unavailable."""
        unread = dict(await self._follows()) if self._follows else {}
        if self.consumer is None or not self.consumer.topics:
            return unread
        ends = await self.ports.log.ends(self.consumer.topics)
        positions = await self.ports.log.positions(self.service, self.consumer.topics)
        for position, end in ends.items():
            behind = max(end - positions.get(position, 0), 0)
            unread[position[0]] = unread.get(position[0], 0) + behind
        return unread

    async def measured(self, backlog: Backlog) -> Measured:
        """What the instruments show beside the backlog. Raises Unavailable."""
        now, store = self.ports.runtime.now(), self.ports.store
        return Measured(
            lag=backlog.lag,
            unsent=backlog.unsent,
            outbox_age_seconds=await oldest_outbox_seconds(store, self._emitting, now) if backlog.unsent else 0.0,
            due_timers=await due_timers(store, self._fires.keys() - self._always_due, now),
            undecided=backlog.undecided,
            awaiting=backlog.awaiting,
            parked=backlog.parked,
        )

    async def _measure(self) -> None:
        while True:
            try:
                publish(self.service, await self.measured(await self.backlog()))
            except (Unavailable, UnknownOutcome) as error:
                logger.warning("measure_failed", service=self.service, error=type(error).__name__)
            await self.ports.runtime.sleep(MEASURE_EVERY_SECONDS)

    async def unfinished(self) -> dict[str, Any]:
        """The backlog as `/health/backlog` answers it, with its age, its lag by topic, and this process's counters."""
        backlog = await self.backlog()
        measured = await self.measured(backlog)
        return {
            **asdict(backlog),
            "caught_up": backlog.caught_up,
            "quiet": backlog.quiet,
            "outbox_age_seconds": measured.outbox_age_seconds,
            "due_timers": measured.due_timers,
            "counts": counts(),
        }

    def not_ready(self) -> list[str]:
        """Why the replica cannot serve yet; empty when it can."""
        return [] if self.definitions.ready else ["programmes"]


def stored(collections: Sequence[Collection], shadows: Collection) -> tuple[Collection, ...]:
    """Everything that a service's store has to declare."""
    return (*collections, shadows, *OF_EVERY_SERVICE, META)
