"""Monitoring on local ports in memory behind its edge, and what a story tells it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from services.monitoring.app import MonitoringService
from services.monitoring.follower import Pace
from services.monitoring.settings import Settings
from services.monitoring.store import COLLECTIONS, SHADOWS
from shared.messaging.port import Message, Record
from shared.replica import Ports, stored
from tests.unit.monitoring.story import PROGRAMME, Story
from tests.unit.registration.serving import Serving


def monitoring(folder: Path, idle_seconds: float = 0.05) -> Serving:
    """To be entered; its read model lies in the folder."""

    def build(ports: Ports, _settings: Any) -> MonitoringService:
        return MonitoringService(ports, Settings(data=folder), Pace(linger_seconds=0.0, idle_seconds=idle_seconds))

    return Serving("monitoring", stored(COLLECTIONS, SHADOWS), build)


async def append(serving: Serving, records: Iterable[Record]) -> None:
    for record in records:
        message = Message((record.key or b"").decode(), record.value or b"", record.headers)
        await serving.log.append(record.topic, record.partition, [message])


async def tell(serving: Serving, story: Story, first: int = 0) -> None:
    """Appends what the story tells from there on, and waits until it is read."""
    await append(serving, story.records[first:])

    async def read() -> bool:
        known = PROGRAMME in serving.service.replica.definitions.codes()
        return known and bool((await serving.service.unfinished())["quiet"])

    await serving.eventually(read)
