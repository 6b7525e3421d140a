"""One replica of matching on ports in memory, in which nothing moves but by the test's own hand."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from services.matching.app import build
from services.matching.domain.assignments import ASSIGNMENT, Assignment, Drafted
from services.matching.domain.matches import MATCH, Match
from services.matching.store import ASSIGNMENTS, COLLECTIONS, MATCHES, POOLS, SHADOWS
from services.matching.work.selection import APPLICATION
from shared.cases.case import Asked, Case
from shared.clock import derived_id, text_of
from shared.contracts.base import Event
from shared.errors import Refusal, TooEarly
from shared.identity.keys import Keys
from shared.intake.submissions import PENDING, SUBMISSIONS
from shared.messaging.local import LocalLog
from shared.messaging.port import Record
from shared.messaging.reading import parse
from shared.messaging.topics import TOPICS
from shared.programmes.model import Definition
from shared.replica import Ports, stored
from shared.store.aggregates import Cause
from shared.store.local import LocalStore
from shared.store.port import Document
from shared.web.acting import NOTHING_YET, Call
from tests.unit.matching.facts import CODE, DEFINITION, OFFICE, Others, expert_id, terms
from tests.unit.registration.serving import Clock, NoIssuer, schemas_once

ROUNDS = 200
# What follows a draft until it is published, and by which account.
PUBLISHED = (("submit", "one"), ("approve", "two"), ("publish", "one"))


class World:
    """`deliver` hands records to the consumer; `run` goes on until nothing is left to do, in a seeded order.

    `hosted`: an active institution is known from the beginning, since no assignment is without one."""

    def __init__(self, seed: int = 1, definition: Definition = DEFINITION, *, hosted: bool = True) -> None:
        self._hosted = hosted
        self.definition = definition
        self.rng = random.Random(seed)
        self.clock = Clock()
        self.keys = Keys.in_memory(random.Random(7))
        self.log = LocalLog(None, list(TOPICS.values()), self.clock)
        self.store = LocalStore(None, stored(COLLECTIONS, SHADOWS), self.clock)
        with schemas_once():
            self.service = build(Ports(self.store, self.log, self.clock, self.keys), NoIssuer())
        self.replica = self.service.replica
        self.kernel = self.replica.kernel
        self.works = self.service.works
        self.others = Others(self.log)
        self.delivered: dict[tuple[str, int], int] = {}
        self._commands = 0

    async def __aenter__(self) -> World:
        await self.log.start()
        await self.store.start()
        await self.others.programme(self.definition)
        self.replica.definitions.start()
        while CODE not in self.replica.definitions.codes():
            await self.clock.sleep(0.001)
        if self._hosted:
            await self.others.host()
            await self.hear()
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.replica.definitions.stop()
        await self.store.stop()
        await self.log.stop()
        self.clock.close()

    def cause(self, name: str = "", account: str | None = None) -> Cause:
        self._commands += 1
        return Cause(derived_id("command", name or str(self._commands)), digest=name, account=account)

    def call(self, case: Case[Any], verb: str, id: str, cause: Cause | None = None, **said: Any) -> Call[Any]:
        """What an edge would hand to a work; who asks was granted it before."""
        nobody: Any = None
        return Call(id, verb, case.ask(verb, **said).body, cause or self.cause(), None, NOTHING_YET, nobody)

    # What moves.

    async def send(self) -> None:
        for name in self.replica.collections:
            for document in await self.store.find(name, "outbox", "pending"):
                await self.replica.relay.send(name, document)

    async def run(self, *, twice: bool = False) -> None:
        """Sends, delivers, retries, decides until all of it changes nothing; `twice` repeats records at random."""
        for _ in range(ROUNDS):
            await self.send()
            moved = await self._deliver_all(twice)
            for shadow in await self.store.find(SHADOWS.name, "timer", "timed"):
                await self._consumer.retry(shadow["_id"])
            if not moved and not await self._undecided() and not await self.store.count(SHADOWS.name, "all", "all"):
                return
        raise AssertionError("it never comes to rest")

    async def hear(self) -> None:
        """What is on the log by now, once; nobody decides or retries."""
        await self._deliver_all(twice=False)

    async def _undecided(self) -> bool:
        for submission in [
            one for text in PENDING for one in await self.store.find(SUBMISSIONS.name, "undecided", text)
        ]:
            try:
                await self.decide(submission["_id"])
            except TooEarly:
                continue
        return any([await self.store.count(SUBMISSIONS.name, "undecided", text) for text in PENDING])

    @property
    def _consumer(self) -> Any:
        assert self.replica.consumer
        return self.replica.consumer

    async def decide(self, id: str) -> None:
        assert self.replica.intake
        await self.replica.intake.decide(id)

    async def _deliver_all(self, twice: bool) -> bool:
        """Partition by partition in random turns, each in its own order; old records come again in between."""
        moved = False
        while waiting := await self._waiting():
            moved = True
            topic, partition = self.rng.choice(waiting)
            at = self.delivered.get((topic, partition), 0)
            first = self.rng.randint(0, at) if twice else at
            for record in (await self.log.read(topic, partition, first))[: at - first + 1]:
                await self._consumer.deliver(record)
            self.delivered[(topic, partition)] = at + 1
        return moved

    async def _waiting(self) -> list[tuple[str, int]]:
        ends = await self.log.ends(self._consumer.topics)
        return sorted(position for position, end in ends.items() if self.delivered.get(position, 0) < end)

    async def deliver(self, record: Record) -> None:
        await self._consumer.deliver(record)

    async def fire(self) -> None:
        """One round of the timers that are due."""
        for name, fire in self.replica._fires.items():
            until = text_of(self.clock.now())
            for document in await self.store.find(name, "timer", "timed", until=until):
                await fire(document)

    def later(self, **how: float) -> None:
        self.clock.ahead += timedelta(**how)

    # What people do.

    async def draft(self, *, seats: int = 1) -> str:
        """Terms of reference as they were written."""
        id = derived_id("assignment", str(self._commands))
        texts: Any = {"office": OFFICE, "programme": CODE, "title": "Terms"}
        drafted = ASSIGNMENT.ask("create", Drafted(1, "Asia/Kabul"), terms=terms(seats=seats), **texts)
        await self.kernel.execute(ASSIGNMENTS, id, drafted, self.cause(account="one"))
        return id

    async def assignment(self, *, seats: int = 1) -> str:
        """Published terms of reference."""
        id = await self.draft(seats=seats)
        for verb, account in PUBLISHED:
            await self.kernel.execute(ASSIGNMENTS, id, Asked(verb), self.cause(account=account))
        return id

    async def apply(self, assignment: str, name: str, key: str = "") -> str:
        """Stores an application without deciding it; its submission's id."""
        assert self.replica.intake
        body = {"assignment": assignment, "expert": expert_id(name), "received_at": text_of(self.clock.now())}
        cause = self.cause(key or f"apply {assignment} {name}")
        writer = self.clock.spawn(self.replica.intake._write(), "writer")
        subject = match_id(assignment, name)
        await self.replica.intake.submit(APPLICATION, subject, body, cause, office=OFFICE, channel="officer")
        writer.cancel()
        return cause.command_id

    async def status_of(self, submission: str) -> tuple[str, list[str]]:
        document = await self.store.load(SUBMISSIONS.name, submission)
        assert document
        return document["status"], [problem["rule"] for problem in document["problems"]]

    async def shortlist(self, assignment: str, *names: str, reason: str | None = None) -> None:
        experts = tuple(expert_id(name) for name in names)
        call = self.call(ASSIGNMENT, "shortlist", assignment, experts=experts, override_reason=reason)
        await self.works.allocation.shortlist(call)

    async def shortlisted(self, names: list[str], *, seats: int = 1, reason: str | None = None) -> str:
        """An assignment with these experts on its shortlist, in their order."""
        await self.others.host()
        for place, name in enumerate(names):
            await self.others.expert(name, experience_years=12 - place)
        await self.run()
        assignment = await self.assignment(seats=seats)
        await self.shortlist(assignment, *names, reason=reason)
        await self.run()
        return assignment

    async def allocate(self, assignment: str, name: str) -> None:
        await self.works.allocation.allocate(self.call(MATCH, "allocate", match_id(assignment, name)))

    async def offer(self, assignment: str, name: str) -> None:
        await self.works.allocation.offer(self.call(MATCH, "offer", match_id(assignment, name)))

    async def accept(self, assignment: str, name: str) -> None:
        await self.works.allocation.accept(self.call(MATCH, "accept", match_id(assignment, name)))

    async def do(self, assignment: str, name: str, verb: str, **said: Any) -> None:
        """One command on the match alone."""
        await self.kernel.execute(MATCHES, match_id(assignment, name), MATCH.ask(verb, **said), self.cause())

    async def cancel(self, assignment: str, name: str = "") -> None:
        command = ASSIGNMENT.ask("cancel", reason="host_closed")
        await self.kernel.execute(ASSIGNMENTS, assignment, command, self.cause(name))

    # What stands.

    async def match(self, assignment: str, name: str) -> Match | None:
        return (await self.kernel.load(MATCHES, match_id(assignment, name)))[1]

    async def states(self, assignment: str, *names: str) -> list[str]:
        found = [await self.match(assignment, name) for name in names]
        return [one.status if one else "missing" for one in found]

    async def of(self, assignment: str) -> Assignment:
        state = (await self.kernel.load(ASSIGNMENTS, assignment))[1]
        assert state
        return state

    async def holds(self, assignment: str) -> dict[str, str]:
        document = await self.store.load(ASSIGNMENTS.name, assignment)
        assert document
        return {id: hold["status"] for id, hold in document["holds"].items()}

    async def pool(self, person: str) -> dict[str, str]:
        document = await self.store.load(POOLS.name, person)
        return {id: hold["status"] for id, hold in document["holds"].items()} if document else {}

    async def records(self, topic: str) -> list[Record]:
        await self.send()
        return [
            record for position in sorted(await self.log.ends([topic])) for record in await self.log.read(*position, 0)
        ]

    async def folded(self, aggregate: Any, topic: str) -> dict[str, Any]:
        """The states that the topic's events alone give, by subject."""
        states: dict[str, Any] = {}
        for record in await self.records(topic):
            read = parse(record)
            assert isinstance(read, tuple)
            states[read[0].subject] = aggregate.evolve(states.get(read[0].subject), read[1])
        return {id: state.model_dump(mode="json", exclude_none=True) for id, state in states.items()}

    async def kept(self, collection: str) -> dict[str, Document]:
        return {document["_id"]: document async for document in self.store.scan(collection)}

    async def raising(self, work: Callable[[], Awaitable[Any]]) -> str:
        """The rule with which the work is refused."""
        try:
            await work()
        except Refusal as refusal:
            return refusal.rule
        return "not refused"


def match_id(assignment: str, name: str) -> str:
    return derived_id(assignment, expert_id(name))


def types_of(records: list[Record]) -> list[str]:
    events: list[Event] = [read[1] for record in records if isinstance(read := parse(record), tuple)]
    return [type(event).__name__ for event in events]
