"""The table of topics: counts are decided before the first event, and a topic without events troubles nobody."""

from __future__ import annotations

from pathlib import Path

from deploy.event_map import event_map
from shared.clock import RealRuntime
from shared.contracts.registry import EVENTS, events_of
from shared.messaging.local import LocalLog
from shared.messaging.topics import DECIDED, TABLE, TOPICS

# Written by hand: the owner's aggregates that tell others something, and those that tell nobody.
AGGREGATES = {
    "registration": "persons experts institutions programmes profiles sessions campaigns surveys waves responses calls "
    "questions proposals",
    "matching": "assignments matches panels reviews rankings rounds",
    "placement": "placements plans instalments funds ledger reintegration projects milestones trainings sites works",
    "monitoring": "statements evaluations publications stories",
}
SIX = {
    *("registration.persons", "registration.profiles", "registration.experts", "registration.institutions"),
    *("registration.responses", "registration.proposals"),
    *("matching.assignments", "matching.matches", "matching.reviews"),
    *("placement.placements", "placement.plans", "placement.instalments"),
}


def test_every_aggregate_has_its_topic_with_its_owner() -> None:
    told = {(one.topic.name.split(".")[0], name) for one in TABLE for name in one.aggregates}
    wanted = {(owner, name) for owner, names in AGGREGATES.items() for name in names.split()}
    assert told - wanted == {("registration", "audit heads")}
    assert wanted - told == set()
    assert sum(len(one.aggregates) for one in TABLE) == len(told), "an aggregate stands on two topics"


def test_partition_counts_are_the_decided_ones() -> None:
    assert len(DECIDED) == len(TABLE)
    assert {name: topic.partitions for name, topic in DECIDED.items()} == {
        name: 6 if name in SIX else 1 for name in DECIDED
    }
    assert DECIDED.keys() >= SIX
    assert [name for name, topic in DECIDED.items() if topic.compacted] == ["registration.profiles"]


def test_every_event_stands_on_a_decided_topic_and_every_topic_in_use_has_events() -> None:
    assert {event.topic for event in EVENTS.newest.values()} == TOPICS.keys()
    assert TOPICS.keys() <= DECIDED.keys()
    assert all(events_of(name) for name in TOPICS)
    assert not any(events_of(name) for name in DECIDED.keys() - TOPICS.keys())


def test_the_event_map_names_what_is_decided() -> None:
    page = event_map({})
    assert all(f"`{name}`" in page for name in DECIDED)


async def test_a_log_takes_topics_that_come_later(tmp_path: Path) -> None:
    """A data folder of today opens when a further topic of the table has got its first event."""
    for topics in (TOPICS, DECIDED):
        runtime = RealRuntime()
        log = LocalLog(tmp_path / "log.sqlite", list(topics.values()), runtime)
        await log.start()
        assert len(await log.ends(list(topics))) == sum(topic.partitions for topic in topics.values())
        await log.stop()
        runtime.close()
