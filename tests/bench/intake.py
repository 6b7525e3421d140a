"""Intake to stored and published: registrations through the kernel, beside a loop that only makes the same writes."""

from __future__ import annotations

import asyncio
import copy
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.registration.app import build
from services.registration.domain.examples import DEFINITION, EXPERT
from services.registration.domain.programmes import PROGRAMME
from services.registration.store import COLLECTIONS, PROGRAMMES, SHADOWS
from services.registration.work.registering import EXPERT_REGISTRATION, person_of
from shared.clock import RealRuntime, derived_id, short_hash, stop_tasks
from shared.identity.keys import Keys
from shared.intake.submissions import DECIDERS, GROUP_AT_MOST, SUBMISSIONS
from shared.programmes.loader import definition_of
from shared.replica import Ports, stored
from shared.store.aggregates import Cause
from shared.store.port import Document
from tests.bench.recording import SETTINGS, Adapters, Call, Calls, Finish, OnFile
from tests.bench.replaying import Replaying, Sends, saves_of, sends_of
from tests.bench.rows import Measure, Pair, Result, Row, Spent, Used, side_by_side, stopwatch

SUBMISSIONS_A_RUN = 600
QUICK_SUBMISSIONS = 100
CLIENTS = 64
RECORDINGS = 5
SENDS_A_SUBMISSION = 2
LETTERS = "abcdefghijklmnopqrst"

HOW = (
    f"ours: {CLIENTS} clients call `Intake.submit` for {{many}} expert registrations (sealed body, signed "
    "receipt); registration decides each (document guard taken, person recorded with sealed identifiers, guard "
    "settled, expert registered, submission closed) and the relay publishes both outboxes; {adapters}, "
    "until the last outbox is empty; HTTP and the service's own consumer do not run. The bare loop has the "
    "same clients, group commit, deciders and relay workers as plain queues and makes {what} on the same adapters "
    "with the documents and messages of a recorded run: no kernel, no rules, no sealing, no signing, no person keys."
)
SHORT = (
    "ours takes a little less than twice the CPU for a registration (2.5 to 2.8 ms against 1.4 to 1.5, all threads, "
    "five runs on a busy machine). Most of what is over goes into the event loop (1.6 to 1.8 ms against 0.6). In its "
    "profile the bare loop's own share, checking and encoding five saves, comes first; of the rest the two "
    "decisions with five events (validation, envelopes, hash chain) take most, then the body's validation, the relay's "
    "records, the sealed texts and keyed hashes, and the signed receipt, none of them more than a sixth. One search a "
    "registration is left: whether a likeness is known already."
)


ALSO = "as above; the bare loop also makes the loads and searches of the recorded run."
WRITES, CALLS = "writes", "writes and reads"


@dataclass(frozen=True)
class Plan:
    """What a run wrote: the submissions as appended, then by submission what its decider did, then the sends."""

    documents: tuple[Document, ...]
    decided: dict[str, tuple[Call, ...]]
    sends: Sends

    def without_reads(self) -> Plan:
        writes = {id: saves_of(calls) for id, calls in self.decided.items()}
        return Plan(self.documents, writes, self.sends)


class Ours:
    """One registration replica with keys below `folder` and a published programme."""

    def __init__(self, folder: Path, adapters: Adapters, number: int) -> None:
        self.calls = Calls()
        self.runtime = RealRuntime()
        self.keys = Keys(folder / str(number) / "keys")
        self.store = adapters.store(number, stored(COLLECTIONS, SHADOWS), self.runtime, self.calls)
        self.log = adapters.log(number, self.runtime, self.calls)
        self.service = build(Ports(self.store, self.log, self.runtime, self.keys), SETTINGS)
        # The benchmark ends where a registration is published; following one's own topic comes after it.
        self.service.replica.consumer = None

    async def start(self) -> None:
        await self.log.start()
        await self.service.start()
        definition = definition_of(DEFINITION, "/definition")
        cause = Cause(derived_id("bench", "programme"), "programme")
        command = PROGRAMME.ask("publish", definition.as_json(), definition=DEFINITION)
        await self.service.replica.kernel.execute(PROGRAMMES, definition.code, command, cause)
        while definition.code not in self.service.replica.definitions.codes():
            await asyncio.sleep(0.005)
        while (await self.service.replica.backlog()).unsent:
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        await self.service.stop()
        await self.log.stop()
        await self.keys.close()
        self.runtime.close()

    async def take(self, bodies: Sequence[dict[str, Any]]) -> Spent:
        """From the first submission to the last emptied outbox."""
        waiting = deque(enumerate(bodies))
        self.store.finish = Finish(SUBMISSIONS.name, len(bodies), SENDS_A_SUBMISSION * len(bodies))
        ended = stopwatch()
        await asyncio.gather(*(self._client(waiting) for _ in range(CLIENTS)))
        await self.store.finish.reached.wait()
        return ended()

    async def _client(self, waiting: deque[tuple[int, dict[str, Any]]]) -> None:
        intake = self.service.replica.intake
        assert intake is not None
        while waiting:
            number, body = waiting.popleft()
            cause = Cause(derived_id("bench", str(number)), short_hash(str(number)), account=derived_id("officer"))
            person = person_of("officer", cause)
            subject = derived_id(person, body["programme"])
            await intake.submit(
                EXPERT_REGISTRATION, subject, body, cause, office=body["office"], channel="officer", person=person
            )


def registrations(many: int) -> list[dict[str, Any]]:
    """Bodies of the example's size, each with a name and a document number of its own."""
    bodies = []
    for number in range(many):
        body = copy.deepcopy(EXPERT)
        spelled = "".join(LETTERS[int(digit)] for digit in f"{number:06d}")
        body["person"] |= {"given_name": f"Given {spelled}", "family_name": f"Family {spelled}"}
        body["person"]["document"] = {"type": "passport", "country": "NL", "number": f"X{number:07d}"}
        bodies.append(body)
    return bodies


async def recorded(another: Callable[[], Ours], many: int) -> Plan:
    """The plan of one run of ours, which also warms everything up.

    On a very slow machine the sweeper decides what waited for 10 s, and such a plan lacks calls: it is made again.
    """
    for _ in range(RECORDINGS):
        ours = another()
        await ours.start()
        ours.calls.on = True
        await ours.take(registrations(many))
        ours.calls.on = False
        await ours.stop()
        plan = plan_of(ours.calls)
        if len(plan.decided) == many and len(plan.sends) == SENDS_A_SUBMISSION * many:
            return plan
    raise RuntimeError("the machine is too slow: no submission may wait for 10 s")


def plan_of(calls: Calls) -> Plan:
    """Parts the calls of each decider at the save of its submission, those of a relay worker at `sent`."""
    documents: list[Document] = []
    decided: dict[str, tuple[Call, ...]] = {}
    for task, made in calls.by_task.items():
        chunk: list[Call] = []
        for call in made if task.startswith("intake-") else ():
            chunk.append(call)
            if call.kind == "append":
                documents.append(call.document or {})
                chunk = []
            elif call.kind == "save" and call.collection == SUBMISSIONS.name:
                decided[call.id] = tuple(chunk)
                chunk = []
    return Plan(tuple(documents), decided, sends_of(calls))


class Bare:
    """The same queues without anything between them and the adapters."""

    def __init__(self, adapters: Adapters, number: int, plan: Plan) -> None:
        self.replaying = Replaying(adapters, number, stored(COLLECTIONS, SHADOWS), plan.sends)
        self.store = self.replaying.store
        self.plan = plan
        self.to_decide: asyncio.Queue[str] = asyncio.Queue()
        self.arriving: list[tuple[Document, asyncio.Future[None]]] = []
        self.arrived = asyncio.Event()

    async def run(self) -> Spent:
        """From the first document to the last emptied outbox."""
        await self.replaying.start()
        self.store.finish = Finish(SUBMISSIONS.name, len(self.plan.documents), len(self.plan.sends))
        waiting = deque(self.plan.documents)
        tasks = [asyncio.ensure_future(one) for one in (self._write(), *(self._decide() for _ in range(DECIDERS)))]
        ended = stopwatch()
        await asyncio.gather(*(self._client(waiting) for _ in range(CLIENTS)))
        await self.store.finish.reached.wait()
        spent = ended()
        await stop_tasks(tasks)
        await self.replaying.stop()
        return spent

    async def _client(self, waiting: deque[Document]) -> None:
        while waiting:
            document = waiting.popleft()
            stands: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.arriving.append((document, stands))
            self.arrived.set()
            await stands
            self.to_decide.put_nowait(document["_id"])

    async def _write(self) -> None:
        while True:
            await self.arrived.wait()
            group, self.arriving = self.arriving[:GROUP_AT_MOST], self.arriving[GROUP_AT_MOST:]
            if not self.arriving:
                self.arrived.clear()
            await self.store.append(SUBMISSIONS.name, [document for document, _ in group])
            for _, stands in group:
                stands.set_result(None)

    async def _decide(self) -> None:
        while True:
            await self.replaying.repeat(self.plan.decided[await self.to_decide.get()])


async def compared(folder: Path, adapters: Adapters, many: int, quick: bool) -> tuple[Pair, Pair, Used]:
    """Submissions a second, ours beside the same writes, and beside the same writes and reads."""
    bodies, numbers, used = registrations(many), iter(range(1000)), Used("a submission")

    def another() -> Ours:
        return Ours(folder, adapters, next(numbers))

    full = await recorded(another, many)

    async def ours() -> float:
        running = another()
        await running.start()
        spent = await running.take(bodies)
        await running.stop()
        return used.rate("ours", many, spent)

    def bare(side: str, plan: Plan) -> Measure:
        async def measure() -> float:
            return used.rate(side, many, await Bare(adapters, next(numbers), plan).run())

        return measure

    writes = await side_by_side(ours, bare(WRITES, full.without_reads()), quick)
    return writes, await side_by_side(ours, bare(CALLS, full), quick), used


async def rows(quick: bool) -> list[Result]:
    many = QUICK_SUBMISSIONS if quick else SUBMISSIONS_A_RUN
    with tempfile.TemporaryDirectory() as scratch:
        measured = await compared(Path(scratch), OnFile(Path(scratch)), many, quick)
    how = HOW.format(many=many, adapters="local store and local log on file", what="the same writes")
    return rows_of("Intake to stored and published", measured, how, SHORT)


def rows_of(named: str, measured: tuple[Pair, Pair, Used], how: str, short: str) -> list[Result]:
    writes, calls, used = measured
    how, also = how + used.beside(WRITES), ALSO + used.beside(CALLS)
    unit = "submissions/s"
    return [
        Row(named, unit, writes.ours, how, writes.bare, writes.ratios, 0.8, short=short),
        Row(f"{named}, beside the same writes and reads", unit, calls.ours, also, calls.bare, calls.ratios),
    ]
