"""Fixtures of the log's contract suite: each adapter with topics of its own, and a real Kafka node for the session."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local.kafka import KafkaServer
from shared.clock import RealRuntime
from tests.contract.log_cases import Place
from tests.tools import skipped_without_tools

LOG_ADAPTERS = ["memory", "file", "lent", pytest.param("kafka", marks=pytest.mark.real)]


def launched(folder: Path) -> KafkaServer:
    """A started node; where Java or Maven is missing the test is skipped, or fails with CI=true."""
    server = KafkaServer(folder)
    with skipped_without_tools():
        server.start()
    return server


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    server = launched(tmp_path_factory.mktemp("kafka"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def kafka_victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """A node that tests kill and freeze; each leaves it running."""
    server = launched(tmp_path_factory.mktemp("kafka-victim"))
    yield server
    server.stop()


@pytest.fixture
def log_runtime() -> Iterator[RealRuntime]:
    runtime = RealRuntime()
    yield runtime
    runtime.close()


@pytest_asyncio.fixture(params=LOG_ADAPTERS)
async def place(request: pytest.FixtureRequest, tmp_path: Path, log_runtime: RealRuntime) -> AsyncIterator[Place]:
    adapter = str(request.param)
    servers = request.getfixturevalue("kafka_server").bootstrap_servers if adapter == "kafka" else ""
    path = tmp_path / "log.sqlite" if adapter in ("file", "lent") else None
    made = Place(adapter, log_runtime, path, servers)
    yield made
    await made.close()
