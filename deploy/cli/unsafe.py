"""What is unsafe in the effective settings that a running system reports: one line each, none where all is well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shared.errors import SettingsError
from shared.messaging.kafka_topics import TopicState, check
from shared.messaging.topics import TOPICS
from shared.store import sqlite
from shared.store.mongodb_client import refuse_unsafe

Settings = Mapping[str, str]
# What each must be so that nothing acknowledged is lost and nothing is passed over (faults.md, section 4).
CLIENTS = {
    "log.producer.acks": "all",
    "log.producer.enable_idempotence": "True",
    "log.consumer.auto_offset_reset": "earliest",
    "log.consumer.ack_policy": "NACK_ON_ERROR",
}


def unsafe_log(settings: Settings) -> Iterator[str]:
    """`settings` as the log port gives them."""
    if settings.get("log.adapter") == "kafka":
        yield from _kafka(settings)
        return
    if settings.get("log.file") != "memory":
        yield from _pragmas(settings, "log.sqlite.")
    for topic in TOPICS.values():
        wanted = {"partitions": str(topic.partitions), "cleanup.policy": "compact" if topic.compacted else "keep"}
        yield from _others(settings, {f"topic.{topic.name}.{name}": value for name, value in wanted.items()})


def unsafe_store(settings: Settings) -> Iterator[str]:
    """`settings` as the store port gives them."""
    if settings.get("adapter") != "mongodb":
        if settings.get("file") != "in memory":
            yield from _pragmas(settings, "")
        return
    try:
        refuse_unsafe(settings, int(settings["members"]))
    except SettingsError as error:
        yield str(error)


def _kafka(settings: Settings) -> Iterator[str]:
    yield from _others(settings, CLIENTS)
    for topic in TOPICS.values():
        prefix = f"topic.{topic.name}."
        found = {name.removeprefix(prefix): value for name, value in settings.items() if name.startswith(prefix)}
        state = TopicState(int(found.get("partitions", 0)), int(found.get("replication.factor", 0)), found)
        try:
            check(topic, state, int(settings["log.brokers"]), int(settings["log.compaction.lag.ms"]))
        except SettingsError as error:
            yield str(error)


def _pragmas(settings: Settings, prefix: str) -> Iterator[str]:
    return _others(settings, {f"{prefix}{name}": sqlite.PRAGMAS[name] for name in sqlite.ASSERTED})


def _others(settings: Settings, wanted: Settings) -> Iterator[str]:
    for name, value in wanted.items():
        if settings.get(name) != value:
            yield f"{name} is {settings.get(name, 'not set')}, must be {value}"
