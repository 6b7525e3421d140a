"""What a stopped system left on disk, read through the ports, for the invariants' checkers."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from shared.clock import RealRuntime
from shared.messaging.local import LocalLog
from shared.messaging.port import Log, Record
from shared.messaging.topics import PROFILES, TOPICS
from shared.replica import stored
from shared.store.aggregates import Aggregate
from shared.store.collection import Collection
from shared.store.local import LocalStore
from shared.store.port import Store
from tests.simulation.case_checks import check_calendar, check_histories, check_seats, stays
from tests.simulation.evidence import Evidence, Violation
from tests.simulation.stream_checks import check_causes, check_fold, check_outboxes, check_streams

GROUPS = ("registration", "matching", "placement")


async def evidence_of(data: Path) -> Evidence:
    """Of the local adapters' files: every document of the services that have groups, every record, every position."""
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
    for name in GROUPS:
        declared = importlib.import_module(f"services.{name}.store")
        collections = stored(declared.COLLECTIONS, declared.SHADOWS)
        store = store_of(name, collections)
        await store.start()
        documents[name] = {c.name: [document async for document in store.scan(c.name)] for c in collections}
        await store.stop()
    return Evidence(documents, records, positions)


def violations(evidence: Evidence) -> Iterator[Violation]:
    """Calendars and seats, legal histories, outboxes and streams, and state as the fold of events."""
    yield from check_calendar(stays(evidence))
    yield from check_seats(evidence)
    yield from check_histories(evidence)
    yield from check_causes(evidence)
    for service in GROUPS:
        yield from check_outboxes(evidence, service)
        yield from check_streams(evidence, service, compacted=(PROFILES.name,))
        declared = importlib.import_module(f"services.{service}.store")
        for aggregate in (one for one in vars(declared).values() if isinstance(one, Aggregate)):
            topics = [name for name in TOPICS if name.startswith(f"{service}.")]
            yield from check_fold(evidence, service, aggregate.name, topics, aggregate.evolve)
