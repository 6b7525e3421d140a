"""What a topic on a cluster must be: each unsafe setting is refused by its name and the topic's."""

from __future__ import annotations

import re

import pytest

from shared.errors import SettingsError
from shared.messaging.kafka_topics import COMPACTION_LAG_MS, TopicState, check, wanted
from shared.messaging.port import Topic

KEPT = Topic("registration.persons", 6)
COMPACTED = Topic("registration.profiles", 6, compacted=True)


def state(topic: Topic, brokers: int = 3, *, partitions: int = 6, replicas: int = 3, **changed: str) -> TopicState:
    settings = wanted(topic, brokers) | {"max.message.bytes": "1048588"}
    return TopicState(partitions, replicas, settings | {name.replace("_", "."): text for name, text in changed.items()})


@pytest.mark.parametrize("topic", [KEPT, COMPACTED])
@pytest.mark.parametrize(("brokers", "replicas"), [(1, 1), (3, 3), (5, 3)])
def test_a_topic_as_it_is_created_passes(topic: Topic, brokers: int, replicas: int) -> None:
    check(topic, state(topic, brokers, replicas=replicas), brokers)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"partitions": 12}, "partitions is 12, must be 6"),
        ({"replicas": 1}, "replication.factor is 1, must be at least 3"),
        ({"retention_ms": "604800000"}, "retention.ms is 604800000, must be -1"),
        ({"retention_bytes": "5"}, "retention.bytes is 5, must be -1"),
        ({"cleanup_policy": "compact,delete"}, "cleanup.policy is compact,delete, must be delete"),
        ({"message_timestamp_type": "CreateTime"}, "message.timestamp.type is CreateTime, must be LogAppendTime"),
        ({"min_insync_replicas": "1"}, "min.insync.replicas is 1, must be 2"),
        ({"min_insync_replicas": "4"}, "min.insync.replicas is 4, must be at most 3: so many copies there are"),
        ({"unclean_leader_election_enable": "true"}, "unclean.leader.election.enable is true, must be false"),
        ({"max_message_bytes": "1000"}, "max.message.bytes is 1000, must be at least 1000000"),
        ({"retention_ms": ""}, "retention.ms is not set, must be -1"),
    ],
)
def test_an_unsafe_topic_is_refused_by_name(changed: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(f"topic registration.persons: {said}")):
        check(KEPT, state(KEPT, **changed), 3)  # type: ignore[arg-type]


def test_a_compacted_topic_forgets_in_time() -> None:
    check(COMPACTED, state(COMPACTED, max_compaction_lag_ms="1000"), 3)
    late = str(COMPACTION_LAG_MS + 1)
    with pytest.raises(SettingsError, match=r"max\.compaction\.lag\.ms"):
        check(COMPACTED, state(COMPACTED, max_compaction_lag_ms=late), 3)


def test_more_replicas_than_asked_for_are_welcome() -> None:
    check(KEPT, state(KEPT, min_insync_replicas="3", replicas=5), 3)


@pytest.mark.parametrize(("asked", "replicas", "copies"), [("1", 1, 1), ("2", 3, 2), ("2", 1, 1), ("", 3, 1)])
def test_an_acknowledgement_stands_for_the_lesser_of_what_is_asked_and_what_is_there(
    asked: str, replicas: int, copies: int
) -> None:
    """A broker acknowledges with the replicas that there are, also where `min.insync.replicas` asks for more."""
    assert state(KEPT, min_insync_replicas=asked, replicas=replicas).copies == copies
