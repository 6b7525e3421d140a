"""The checkers of what a history leaves behind: silent where all is well, and red for whatever is lost or doubled."""

from __future__ import annotations

import copy
import importlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from deploy.cli.runner import Journal
from shared.clock import RealRuntime
from shared.contracts.registration.audit import AuditHeadAnchored
from shared.identity.keys import Keys
from shared.messaging.local import LocalLog
from shared.messaging.port import Record
from shared.messaging.topics import TOPICS
from shared.replica import stored
from tests.e2e.evidence import GROUPS, OWNERS, Answered, journal_violations, violations
from tests.integration.four import EVERY_TOPIC, Four, small_history
from tests.simulation.evidence import Evidence, readable

Documents = dict[str, dict[str, list[dict[str, Any]]]]
Left = tuple[Evidence, Keys, list[Answered]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def left(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Left]:
    runtime, folder = RealRuntime(), tmp_path_factory.mktemp("left")
    log = LocalLog(None, list(TOPICS.values()), runtime)
    histories = {code: small_history(*ends, code=code) for code, ends in EVERY_TOPIC.items()}
    async with Four(log, runtime) as four:
        for code, steps in histories.items():
            await four.put(steps, folder / code)
        await four.publish_figures()
        yield await gathered(four), four.keys, [(steps, answers(folder / code)) for code, steps in histories.items()]
    runtime.close()


def answers(folder: Path) -> Mapping[str, Mapping[str, str]]:
    journal = Journal(folder / "journal.jsonl")
    journal.close()
    return journal.answers


async def gathered(four: Four) -> Evidence:
    """As `tests.e2e.evidence.gathered` does, but of ports that keep nothing once they are stopped."""
    records: dict[str, list[Record]] = {name: [] for name in TOPICS}
    for topic, partition in await four.log.ends(list(TOPICS)):
        while batch := await four.log.read(topic, partition, sum(r.partition == partition for r in records[topic])):
            records[topic] += batch
    documents: Documents = {}
    for name in OWNERS:
        declared, store = importlib.import_module(f"services.{name}.store"), four.services[name].ports.store
        collections = stored(declared.COLLECTIONS, declared.SHADOWS)
        documents[name] = {c.name: [document async for document in store.scan(c.name)] for c in collections}
    return Evidence(documents, records, {group: await four.log.positions(group, list(TOPICS)) for group in GROUPS})


def found(left: Left, documents: Documents | None = None, records: dict[str, list[Record]] | None = None) -> set[str]:
    """The invariants that are broken, with documents or records put in the place of those that were left."""
    evidence, keys, runs = left
    looked_at = Evidence(documents or evidence.documents, records or evidence.records, evidence.positions)
    return {one.invariant for one in (*violations(looked_at), *journal_violations(looked_at, keys, runs))}


def with_(left: Left, service: str, collection: str, change: Callable[[list[dict[str, Any]]], Any]) -> Documents:
    documents = {name: dict(collections) for name, collections in left[0].documents.items()}
    documents[service][collection] = copy.deepcopy(documents[service][collection])
    change(documents[service][collection])
    return documents


def lost(documents: list[dict[str, Any]]) -> None:
    documents.pop()


def doubled(documents: list[dict[str, Any]]) -> None:
    documents.append({**documents[0], "_id": "another"})


@pytest.mark.asyncio(loop_scope="module")
async def test_nothing_is_found_where_all_is_well(left: Left) -> None:
    evidence, keys, runs = left
    assert [str(one) for one in (*violations(evidence), *journal_violations(evidence, keys, runs))] == []


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("service", "collection", "change", "invariants"),
    [
        ("registration", "experts", lost, {"I1", "I7"}),
        ("registration", "experts", doubled, {"I2", "I7"}),
        ("registration", "submissions", lost, {"I1"}),
        ("registration", "submissions", doubled, {"I2"}),
        ("registration", "institutions", doubled, {"I2"}),
        ("matching", "submissions", lost, {"I1", "I7"}),
        ("matching", "assignments", doubled, {"I2", "I7"}),
        ("matching", "matches", lost, {"I10"}),
        ("matching", "matches", doubled, {"I2"}),
        ("matching", "shadows", lost, {"I10"}),
        ("placement", "placements", lost, {"I1", "I7", "I10"}),
        ("placement", "placements", doubled, {"I2", "I7"}),
        ("placement", "shadows", lost, {"I10"}),
        ("placement", "calendars", list.clear, {"I5"}),
    ],
)
async def test_what_is_lost_or_doubled_in_a_store_is_found(
    left: Left, service: str, collection: str, change: Callable[[list[dict[str, Any]]], Any], invariants: set[str]
) -> None:
    assert found(left, with_(left, service, collection, change)) >= invariants


@pytest.mark.asyncio(loop_scope="module")
# No history reads anybody's name, so no head of the trail is told.
@pytest.mark.parametrize("topic", sorted(TOPICS.keys() - {AuditHeadAnchored.topic}))
async def test_what_is_lost_on_a_topic_is_found(left: Left, topic: str) -> None:
    reads = readable(left[0].records[topic])
    gone = reads[-1].envelope.id
    records = {**left[0].records, topic: [read.record for read in reads if read.envelope.id != gone]}
    assert "I8" in found(left, records=records)
