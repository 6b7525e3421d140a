"""Topics on Kafka: how they are created and what their effective settings must be."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from shared.clock import Runtime
from shared.errors import SettingsError, Unavailable
from shared.messaging.partitions import BATCH_BYTES
from shared.messaging.port import Topic

COMPACTION_LAG_MS = 3_600_000
REPLICAS = 3
READY_SECONDS = 30.0


@dataclass(frozen=True)
class TopicState:
    """What the cluster says of a topic: partition count, replicas of its least replicated partition, settings."""

    partitions: int
    replicas: int
    settings: Mapping[str, str]

    @property
    def copies(self) -> int:
        """How many copies an acknowledgement stands for: a broker asks for no more than there are replicas."""
        asked = self.settings.get("min.insync.replicas", "")
        return min(int(asked) if asked.isdigit() else 1, self.replicas)


def wanted(topic: Topic, brokers: int, compaction_lag_ms: int = COMPACTION_LAG_MS) -> dict[str, str]:
    """The settings a topic is created with: kept for ever, append times by the broker, no unclean election."""
    settings = {
        "cleanup.policy": "compact" if topic.compacted else "delete",
        "retention.ms": "-1",
        "retention.bytes": "-1",
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": "2" if brokers >= REPLICAS else "1",
        "unclean.leader.election.enable": "false",
    }
    if topic.compacted:
        settings["max.compaction.lag.ms"] = str(compaction_lag_ms)
    return settings


def check(topic: Topic, state: TopicState, brokers: int, compaction_lag_ms: int = COMPACTION_LAG_MS) -> None:
    """SettingsError with the topic and the setting that is not as declared, what it is and what it must be."""

    def refuse(name: str, found: object, expected: object) -> None:
        raise SettingsError(f"topic {topic.name}: {name} is {found}, must be {expected}")

    if state.partitions != topic.partitions:
        refuse("partitions", state.partitions, topic.partitions)
    if state.replicas < min(REPLICAS, brokers):
        refuse("replication.factor", state.replicas, f"at least {min(REPLICAS, brokers)}")
    for name, expected in wanted(topic, brokers, compaction_lag_ms).items():
        found = state.settings.get(name, "")
        if name == "min.insync.replicas":
            fits = found.isdigit() and int(found) >= int(expected)
        elif name == "max.compaction.lag.ms":
            fits = found.isdigit() and int(found) <= int(expected)
        else:
            fits = found == expected
        if not fits:
            refuse(name, found or "not set", expected)
    asked = int(state.settings["min.insync.replicas"])
    if asked > state.replicas:
        # Kafka 4.x acknowledges all the same, with as many copies as there are: somebody counts on copies in vain.
        refuse("min.insync.replicas", asked, f"at most {state.replicas}: so many copies there are")
    largest = state.settings.get("max.message.bytes", "0")
    if int(largest) < BATCH_BYTES:
        refuse("max.message.bytes", largest, f"at least {BATCH_BYTES}")


class Topics:
    """The declared topics on a cluster, through its admin client."""

    def __init__(
        self, admin: AIOKafkaAdminClient, topics: Sequence[Topic], runtime: Runtime, compaction_lag_ms: int
    ) -> None:
        self._admin = admin
        self._runtime = runtime
        self._topics = {topic.name: topic for topic in topics}
        self._lag_ms = compaction_lag_ms

    async def ensure(self) -> None:
        """Creates what is missing and refuses what is not as declared (SettingsError)."""
        brokers = await self.brokers()
        existing = set(await self._admin.list_topics())
        missing = [topic for topic in self._topics.values() if topic.name not in existing]
        if missing:
            await self._create(missing, brokers)
        await self._await_leaders()
        for name, state in (await self.states()).items():
            check(self._topics[name], state, brokers, self._lag_ms)

    async def states(self) -> dict[str, TopicState]:
        settings = await self._settings(self._topics)
        return {
            found["topic"]: TopicState(
                len(found["partitions"]),
                min((len(partition["replicas"]) for partition in found["partitions"]), default=0),
                settings[found["topic"]],
            )
            for found in await self._described()
        }

    async def brokers(self) -> int:
        """How many brokers the cluster has."""
        cluster = await self._admin.describe_cluster()
        return len(cluster["brokers"])

    async def _create(self, missing: Iterable[Topic], brokers: int) -> None:
        created = [
            NewTopic(
                topic.name,
                topic.partitions,
                min(REPLICAS, brokers),
                topic_configs=wanted(topic, brokers, self._lag_ms),
            )
            for topic in missing
        ]
        response = await self._admin.create_topics(created)
        for name, code, *_ in response.topic_errors:
            # Another replica may have created it in the meantime; `check` looks at what it made.
            if code not in (0, errors.TopicAlreadyExistsError.errno):
                raise SettingsError(f"topic {name}: not created ({errors.for_code(code).__name__})")

    async def _await_leaders(self) -> None:
        """A new topic has no leaders for a moment, and a send or read would fail."""
        try:
            async with asyncio.timeout(READY_SECONDS):
                while not all(_led(topic) for topic in await self._described()):
                    await self._runtime.sleep(0.05)
        except TimeoutError:
            raise Unavailable("log: topics without a leader") from None

    async def _described(self) -> list[dict[str, Any]]:
        if not self._topics:
            return []
        found: list[dict[str, Any]] = await self._admin.describe_topics(list(self._topics))
        return found

    async def _settings(self, names: Iterable[str]) -> dict[str, dict[str, str]]:
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        if not resources:
            return {}
        found: dict[str, dict[str, str]] = {}
        for response in await self._admin.describe_configs(resources):
            for code, _, _, name, entries in response.resources:
                if code:
                    raise Unavailable(f"log: settings of topic {name}: {errors.for_code(code).__name__}")
                found[name] = {entry[0]: entry[1] or "" for entry in entries}
        return found


def _led(topic: Mapping[str, Any]) -> bool:
    partitions = topic["partitions"]
    return not topic["error_code"] and bool(partitions) and all(partition["leader"] >= 0 for partition in partitions)
