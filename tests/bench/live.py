"""The live path with its writes: placement follows persons and matches, beside a loop with the same store calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from aiokafka import ConsumerRecord

from services.placement.app import build
from services.placement.app import handlers as handlers_of
from services.placement.store import COLLECTIONS, PLACEMENTS, SHADOWS
from shared.clock import RealRuntime, derived_id
from shared.contracts.base import Event
from shared.contracts.matching.matches import ApplicationReceived, AssignmentMatched, OfferMade
from shared.contracts.placement.placements import PlacementOpened
from shared.contracts.registration.persons import ConsentGiven, PersonRecorded
from shared.identity.keys import Keys
from shared.messaging.port import Record
from shared.messaging.shadow import Position
from shared.messaging.shadows import LANES, Consumer
from shared.replica import Ports, stored
from tests.bench.consumers import GROUPS, batches, plain_consumer
from tests.bench.recording import SETTINGS, Adapters, Call, Calls, Finish, OnServers
from tests.bench.replaying import Replaying, Sends, saves_of, sends_of
from tests.bench.rows import Measure, Result, Row, Spent, Used, side_by_side, stopwatch
from tests.unit.placement.arriving import DEFINITION, WHEN, Arriving, accepted, definition, parties

OWN = PlacementOpened.topic
MATCHES, QUICK_MATCHES = 120, 40
EVENTS_A_MATCH = 6
RECORDINGS = 5
LOOK_SECONDS = 0.002
NAME = "The live path with its writes, on real servers"
HOW = (
    "ours: a replica of placement, a member of a new group, follows {events} events on one node of Apache Kafka: of "
    "{matches} persons (recorded, consent given) and of {matches} matches of other persons up to the accepted offer; "
    "each is validated and marked in its shadow; a consent opens the calendar, an accepted offer takes its days, opens "
    "the placement, confirms the days, and the relay publishes what was opened: {saves} saves, {reads} loads; "
    "SecantusDB by motor, all on the same cores. From the first batch to the last commit and the last emptied outbox. "
    "What comes back on placement's own topic is not read. The bare loop is aiokafka's own consumer: `getmany`, "
    f"{LANES} subjects at once, the same saves with the documents of a recorded run, the same appends by as many relay "
    "workers, a commit after each batch: nothing is parsed, validated or decided."
)
SERVERS = (
    " Most of the processor time is SecantusDB's (2 ms a write), which both sides pay, so the ratio says less of our "
    "own part than the processor time of this process."
)
ALSO = "as above; the bare loop also makes the loads of the recorded run."
SHORT = (
    "our process takes 1.1 to 1.3 times the bare loop's processor time an event, for reading and validating it, the "
    "decisions and their events, and the loads that are left: a subject's shadow once a batch, the calendar at a "
    "consent and at an offer."
)
WRITES, CALLS = "writes", "writes and reads"


def told(matches: int) -> Iterator[list[tuple[str, Event]]]:
    """The events of each subject, in order."""
    for number in range(matches):
        person, placed = derived_id("bench", "person", str(number)), derived_id("bench", "placed", str(number))
        yield [
            (person, PersonRecorded(happened_at=WHEN, account=derived_id("account", person), office="kabul")),
            (person, ConsentGiven(happened_at=WHEN, purpose="placement")),
        ]
        # Other persons, so that no two deliveries write one calendar: the bare loop could not repeat their order.
        match, ours = derived_id("match", placed), parties(placed, number)
        agreed = accepted("2026-03-01", "2026-06-01")
        yield [
            (match, ApplicationReceived(happened_at=WHEN, parties=ours, terms=agreed.terms)),
            (match, AssignmentMatched(happened_at=WHEN, parties=ours)),
            (match, OfferMade(happened_at=WHEN, expires_at=WHEN)),
            (match, agreed.model_copy(update={"parties": ours})),
        ]


async def fill(adapters: Adapters, matches: int) -> None:
    """Appends the programme, then all events, subjects side by side."""
    runtime = RealRuntime()
    log = adapters.log(0, runtime, Calls())
    await log.start()
    arriving, subjects = Arriving(log), told(matches)
    await arriving.append(definition(DEFINITION))
    while some := list(islice(subjects, 100)):
        await asyncio.gather(*(arriving.append(*events) for events in some))
    await log.stop()
    runtime.close()


@dataclass(frozen=True)
class Plan:
    """What a run wrote and read, by the first record of each subject's in a batch, and what its relay sent."""

    delivered: Mapping[Position, tuple[Call, ...]]
    sends: Sends

    def without_reads(self) -> Plan:
        return Plan({position: saves_of(calls) for position, calls in self.delivered.items()}, self.sends)

    def counted(self, *kinds: str) -> int:
        return sum(call.kind in kinds for calls in self.delivered.values() for call in calls)


class Handled:
    """A batch handler that notes when the first batch came, and when so many records were handled."""

    def __init__(self, consumer: Consumer, records: int) -> None:
        self._consumer = consumer
        self._left = records
        self.ended: Callable[[], Spent] | None = None
        self.done = asyncio.Event()

    async def __call__(self, records: list[Record]) -> None:
        self.ended = self.ended or stopwatch()
        await self._consumer.batch(records)
        self._left -= len(records)
        if self._left <= 0:
            self.done.set()


class Ours:
    """One placement replica with keys below `folder`; it does not read its own topic, which all runs share."""

    def __init__(self, folder: Path, adapters: Adapters, number: int, kind: type[Consumer] = Consumer) -> None:
        self.calls = Calls()
        self.runtime = RealRuntime()
        self.keys = Keys(folder / str(number) / "keys")
        self.store = adapters.store(number, stored(COLLECTIONS, SHADOWS), self.runtime, self.calls)
        self.log = adapters.log(number, self.runtime, self.calls)
        self.service = build(Ports(self.store, self.log, self.runtime, self.keys), SETTINGS)
        replica = self.service.replica
        table = {event: handler for event, handler in handlers_of(self.service.work).items() if event.topic != OWN}
        self.consumer = kind(replica.kernel, self.log, table, SHADOWS)
        # The replica's own group has one position for all runs, so each run subscribes a group of its own.
        replica.consumer = None

    async def run(self, matches: int) -> Spent:
        """From the first batch to the last commit and the last emptied outbox."""
        await self.log.start()
        await self.service.start()
        while self.service.replica.not_ready() or not self.service.replica.definitions.codes():
            await asyncio.sleep(0.005)
        self.store.finish = Finish(PLACEMENTS.name, matches, matches)
        handled, group = Handled(self.consumer, EVENTS_A_MATCH * matches), f"bench-{next(GROUPS)}"
        subscription = self.log.subscribe(group, self.consumer.topics, handled)
        await subscription.start()
        await handled.done.wait()
        ends = {place: end for place, end in (await self.log.ends(self.consumer.topics)).items() if end}
        while not ends.items() <= (await self.log.positions(group, self.consumer.topics)).items():
            await asyncio.sleep(LOOK_SECONDS)
        await self.store.finish.reached.wait()
        assert handled.ended is not None
        spent = handled.ended()
        await self._stop()
        return spent

    async def _stop(self) -> None:
        # The log's members first: they deliver into the store.
        await self.log.stop()
        await self.service.stop()
        await self.keys.close()
        self.runtime.close()


class Recording(Consumer):
    """Names the task that delivers after the run of records, so that its calls are noted under their positions."""

    async def deliver(self, *records: Record) -> None:
        task = asyncio.current_task()
        if task is not None:
            task.set_name(" ".join(["run", *(f"{one.topic}/{one.partition}/{one.offset}" for one in records)]))
        await super().deliver(*records)


async def recorded(another: Callable[[type[Consumer]], Ours], matches: int) -> Plan:
    """The plan of one run of ours, which also warms everything up; made again where a record came twice."""
    for _ in range(RECORDINGS):
        ours = another(Recording)
        ours.calls.on = True
        await ours.run(matches)
        plan = plan_of(ours.calls)
        if len(plan.delivered) == EVENTS_A_MATCH * matches and len(plan.sends) == matches:
            return plan
    raise RuntimeError("the machine is too slow: no record may be delivered twice")


def plan_of(calls: Calls) -> Plan:
    delivered: dict[Position, tuple[Call, ...]] = {}
    for task, made in calls.by_task.items():
        if task.startswith("run "):
            # The whole run's calls stand with its first record.
            for number, place in enumerate(task.split(" ")[1:]):
                topic, partition, offset = place.split("/")
                delivered[(topic, int(partition), int(offset))] = () if number else tuple(made)
    return Plan(delivered, sends_of(calls))


class Bare:
    """aiokafka's own consumer and the calls of the plan; subjects side by side as ours, a commit after each batch."""

    def __init__(self, servers: OnServers, number: int, plan: Plan) -> None:
        self.servers = servers
        self.replaying = Replaying(servers, number, stored(COLLECTIONS, SHADOWS), plan.sends)
        self.plan = plan
        self.lanes = asyncio.Semaphore(LANES)

    async def run(self) -> Spent:
        """From the first batch to the last commit and the last emptied outbox."""
        await self.replaying.start()
        finish = Finish(PLACEMENTS.name, len(self.plan.sends), len(self.plan.sends))
        self.replaying.store.finish = finish
        left, ended = len(self.plan.delivered), stopwatch()
        topics = sorted({topic for topic, _, _ in self.plan.delivered})
        async with plain_consumer(self.servers.kafka, topics, f"bare-{next(GROUPS)}") as consumer:
            async for found in batches(consumer):
                if left == len(self.plan.delivered):
                    ended = stopwatch()
                await self._take([record for records in found.values() for record in records])
                await consumer.commit()
                left -= sum(map(len, found.values()))
                if left <= 0:
                    break
            await finish.reached.wait()
            spent = ended()
        await self.replaying.stop()
        return spent

    async def _take(self, records: Sequence[ConsumerRecord]) -> None:
        subjects: dict[bytes, list[ConsumerRecord]] = {}
        for record in records:
            subjects.setdefault(record.key, []).append(record)
        await asyncio.gather(*(self._lane(some) for some in subjects.values()))

    async def _lane(self, records: Sequence[ConsumerRecord]) -> None:
        async with self.lanes:
            for record in records:
                await self.replaying.repeat(self.plan.delivered[(record.topic, record.partition, record.offset)])


async def rows(folder: Path, servers: OnServers, quick: bool) -> list[Result]:
    """Events a second, ours beside the same writes, and beside the same writes and reads."""
    matches = QUICK_MATCHES if quick else MATCHES
    events, numbers, used = EVENTS_A_MATCH * matches, iter(range(1, 1000)), Used("an event")
    await fill(servers, matches)

    def another(kind: type[Consumer] = Consumer) -> Ours:
        return Ours(folder, servers, next(numbers), kind)

    full = await recorded(another, matches)

    async def ours() -> float:
        return used.rate("ours", events, await another().run(matches))

    def bare(side: str, plan: Plan) -> Measure:
        async def measure() -> float:
            return used.rate(side, events, await Bare(servers, next(numbers), plan).run())

        return measure

    writes = await side_by_side(ours, bare(WRITES, full.without_reads()), quick)
    calls = await side_by_side(ours, bare(CALLS, full), quick)
    how = HOW.format(events=events, matches=matches, saves=full.counted("save"), reads=full.counted("load", "find"))
    how, also, unit = how + SERVERS + used.beside(WRITES), ALSO + used.beside(CALLS), "events/s"
    return [
        Row(NAME, unit, writes.ours, how, writes.bare, writes.ratios, 0.8, short=SHORT),
        Row(f"{NAME}, beside the same writes and reads", unit, calls.ours, also, calls.bare, calls.ratios),
    ]
