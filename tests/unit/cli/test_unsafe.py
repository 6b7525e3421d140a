"""`sankofa doctor` says no to each unsafe setting, by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy.cli.doctor import unsafe_in
from deploy.cli.unsafe import CLIENTS, unsafe_log, unsafe_store
from shared.clock import RealRuntime
from shared.messaging.kafka_topics import COMPACTION_LAG_MS, wanted
from shared.messaging.local import LocalLog
from shared.messaging.partitions import BATCH_BYTES
from shared.messaging.topics import TOPICS
from shared.replica import META
from shared.store.local import LocalStore

MONGODB = {"adapter": "mongodb", "members": "3", "w": "majority", "journal": "true"} | {
    "readPreference": "primary",
    "readConcernLevel": "majority",
}


def on_kafka(**changes: str) -> dict[str, str]:
    found = {"log.adapter": "kafka", "log.brokers": "3", "log.compaction.lag.ms": str(COMPACTION_LAG_MS), **CLIENTS}
    for topic in TOPICS.values():
        settings = {**wanted(topic, 3), "partitions": str(topic.partitions), "replication.factor": "3"}
        settings["max.message.bytes"] = str(BATCH_BYTES)
        found |= {f"topic.{topic.name}.{name}": value for name, value in settings.items()}
    return {**found, **changes}


async def local(folder: Path) -> dict[str, Any]:
    runtime = RealRuntime()
    log = LocalLog(folder / "log.sqlite", list(TOPICS.values()), runtime)
    store = LocalStore(folder / "store.sqlite", [META], runtime)
    await log.start()
    await store.start()
    report = {"log": await log.settings(), "store": await store.settings()}
    await store.stop()
    await log.stop()
    runtime.close()
    return report


async def test_a_system_as_it_starts_is_safe(tmp_path: Path) -> None:
    assert unsafe_in({"registration": await local(tmp_path)}) == []
    assert list(unsafe_log(on_kafka())) == []
    assert list(unsafe_store(MONGODB)) == []


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("log", "log.sqlite.synchronous", "1"),
        ("log", "log.sqlite.journal_mode", "off"),
        ("log", "topic.matching.matches.partitions", "3"),
        ("log", "topic.registration.profiles.cleanup.policy", "keep"),
        ("store", "synchronous", "0"),
        ("store", "secure_delete", "0"),
    ],
)
async def test_an_unsafe_file_is_named(tmp_path: Path, part: str, name: str, value: str) -> None:
    report = await local(tmp_path)
    report[part] = {**report[part], name: value}
    [line] = unsafe_in({"registration": report})
    assert f"{name} is {value}, must be" in line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("log.producer.acks", "1"),
        ("log.consumer.auto_offset_reset", "latest"),
        ("topic.matching.matches.partitions", "1"),
        ("topic.matching.matches.retention.ms", "604800000"),
        ("topic.matching.matches.min.insync.replicas", "1"),
        ("topic.matching.matches.unclean.leader.election.enable", "true"),
        ("topic.registration.profiles.cleanup.policy", "delete"),
    ],
)
def test_an_unsafe_broker_is_named(name: str, value: str) -> None:
    [line] = unsafe_log(on_kafka(**{name: value}))
    assert name.split(".")[-1] in line
    assert value in line


@pytest.mark.parametrize(("name", "value"), [("w", "1"), ("journal", "false"), ("readPreference", "nearest")])
def test_an_unsafe_replica_set_is_named(name: str, value: str) -> None:
    [line] = unsafe_store({**MONGODB, name: value})
    assert line.startswith("MONGODB_URL")
