"""What a system left in topics and stores, read through the ports, and the invariants that it has to keep."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from deploy.cli.files import histories_folder
from deploy.cli.replaying import prepared
from deploy.cli.runner import Journal as RunnersJournal
from deploy.replay.steps import Step
from shared.clock import RealRuntime
from shared.identity.keys import Keys
from shared.messaging.local import LocalLog
from shared.messaging.port import Log, Record
from shared.messaging.topics import PROFILES, TOPICS
from shared.replica import stored
from shared.store.aggregates import Aggregate
from shared.store.collection import Collection
from shared.store.local import LocalStore
from shared.store.port import Store
from tests.simulation.case_checks import check_calendar, check_histories, check_invented, check_seats, stays
from tests.simulation.evidence import Evidence, Violation
from tests.simulation.journal import Journal
from tests.simulation.promise_checks import check_submissions
from tests.simulation.recount import DEFINITION, check_recounts, counted_from_documents, figures_of, replayed
from tests.simulation.scenario import PROMISES, READERS, check_twice
from tests.simulation.stream_checks import check_causes, check_fold, check_outboxes, check_reader, check_streams

GROUPS = ("registration", "matching", "placement")
# Monitoring follows every topic without a group, and owns what it states.
OWNERS = (*GROUPS, "monitoring")
# As-of this instant, in milliseconds, everything that was ever known counts.
AT_LAST_MS = 2**53
# What nobody but a caller of the edge creates.
ASKED_FOR = (
    ("registration", "institutions"),
    ("registration", "experts"),
    ("registration", "submissions"),
    ("matching", "assignments"),
    ("matching", "submissions"),
)


async def evidence_of(data: Path) -> Evidence:
    """Of the local adapters' files: every document, every record, every position."""
    runtime = RealRuntime()
    log = LocalLog(data / "log.sqlite", list(TOPICS.values()), runtime)

    def store_of(service: str, collections: Sequence[Collection]) -> Store:
        return LocalStore(data / f"{service}.sqlite", collections, runtime)

    evidence = await gathered(log, store_of)
    runtime.close()
    return evidence


async def gathered(log: Log, store_of: Callable[[str, Sequence[Collection]], Store]) -> Evidence:
    """The same through any adapter's ports, which it starts and stops."""
    await log.start()
    records: dict[str, list[Record]] = {name: [] for name in TOPICS}
    for (topic, partition), end in (await log.ends(list(TOPICS))).items():
        offset = 0
        while offset < end:
            batch = await log.read(topic, partition, offset)
            records[topic] += batch
            offset = batch[-1].offset + 1 if batch else end
    positions = {group: await log.positions(group, list(TOPICS)) for group in GROUPS}
    await log.stop()
    documents = {}
    for name in OWNERS:
        declared = importlib.import_module(f"services.{name}.store")
        collections = stored(declared.COLLECTIONS, declared.SHADOWS)
        store = store_of(name, collections)
        await store.start()
        documents[name] = {c.name: [document async for document in store.scan(c.name)] for c in collections}
        await store.stop()
    return Evidence(documents, records, positions)


def violations(evidence: Evidence) -> Iterator[Violation]:
    """All that holds once a system is at rest, I1 and I2 by the client's journal apart: `journal_violations`."""
    yield from check_twice(evidence)
    yield from check_calendar(stays(evidence))
    yield from check_seats(evidence)
    yield from check_histories(evidence)
    yield from check_causes(evidence)
    for service in OWNERS:
        yield from check_outboxes(evidence, service)
        yield from check_streams(evidence, service, compacted=(PROFILES.name,))
        declared = importlib.import_module(f"services.{service}.store")
        for aggregate in (one for one in vars(declared).values() if isinstance(one, Aggregate)):
            topics = [name for name in TOPICS if name.startswith(f"{service}.")]
            if f"{service}.{aggregate.name}" not in TOPICS:
                # What happens to a message is told on no topic.
                continue
            yield from check_fold(evidence, service, aggregate.name, topics, aggregate.evolve)
    for reader in READERS:
        yield from check_reader(evidence, reader)
    for promise in PROMISES:
        yield from promise(evidence)
    yield from figure_violations(evidence)


def figure_violations(evidence: Evidence) -> Iterator[Violation]:
    """I7: a replay of every topic from offset 0 counts what the owners' documents hold, all programmes together.

    Persons are counted once each, so nobody may be in two of the programmes. Institutions are left out: one of no
    programme counts in each of its office's.
    """
    model = replayed(evidence)
    try:
        codes = [document["_id"] for document in evidence.documents["registration"]["programmes"]]
        each = [figures_of(model, AT_LAST_MS, definition=DEFINITION.model_copy(update={"code": one})) for one in codes]
        held = {code: value for code, value in counted_from_documents(evidence, codes).items() if code != "hosts"}
        summed = {code: _together([figures[code] for figures in each]) for code in held}
        yield from check_recounts({"replay": summed, "documents": held})
    finally:
        model.close()


def _together(values: Sequence[Any]) -> Any:
    """A share's two numbers are added each for itself."""
    return tuple(map(sum, zip(*values, strict=True))) if isinstance(values[0], tuple) else sum(values)


Answered = tuple[Iterable[Step], Mapping[str, Mapping[str, str]]]


def answered(code: str, folder: Path, scale: Decimal | None = None) -> Answered:
    """The steps of a history of deploy/histories, and what the journal in the command line's folder says of them."""
    replay = prepared(histories_folder() / f"{code}.yaml", scale=scale)
    journal = RunnersJournal(folder / "histories" / f"{replay.known_as}.jsonl")
    journal.close()
    return replay.steps, journal.answers


def journal_violations(
    evidence: Evidence, keys: Keys, runs: Iterable[Answered], also: Iterable[str] = ()
) -> Iterator[Violation]:
    """I1 and I2 by what those who asked wrote down: steps with their answers, and `also` the ids of other requests.

    `keys`: the system's own, by which its receipts verify.
    """
    yield from check_submissions(evidence, Journal(), keys)
    stored_ids = {service: {one["_id"] for _, one in evidence.all_of(service)} for service in GROUPS}
    asked = set(also)
    for steps, answers in runs:
        for step in steps:
            owner, answer = step.path.split("/")[1], answers.get(step.id, {})
            asked |= set(answer.values())
            for name, id in answer.items():
                if id not in stored_ids[owner]:
                    yield Violation("I1", f"{step.id}/{name}", "was acknowledged and is lost")
    for service, collection in ASKED_FOR:
        yield from check_invented(evidence, service, collection, Journal(asked=asked))
