"""Fixtures of the store's contract suite: one opened store for each adapter, empty at the start of a test."""

from __future__ import annotations

import threading
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import pytest_asyncio
from pymongo import monitoring

from deploy.local.secantus import SecantusServer
from shared.clock import RealRuntime
from shared.store.collection import Collection
from shared.store.local import LocalStore
from shared.store.mongodb import MongoStore
from shared.store.port import Store
from tests.contract.store_cases import COLLECTIONS, DRIVERS, Open
from tests.tools import skipped_without_tools

ADAPTERS = [
    "memory",
    "file",
    pytest.param("motor", marks=pytest.mark.real),
    pytest.param("pymongo", marks=pytest.mark.real),
]


def launched(folder: Path) -> SecantusServer:
    """A started server; where its program is missing the test is skipped, or fails with CI=true."""
    with skipped_without_tools():
        server = SecantusServer(folder)
    server.start()
    return server


@pytest.fixture(scope="session")
def secantus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecantusServer]:
    server = launched(tmp_path_factory.mktemp("secantus"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecantusServer]:
    """A server that tests kill and freeze; each leaves it running."""
    server = launched(tmp_path_factory.mktemp("victim"))
    yield server
    server.stop()


@pytest.fixture
def runtime() -> Iterator[RealRuntime]:
    real = RealRuntime()
    yield real
    real.close()


class InFlight(monitoring.CommandListener):
    """How many commands were under way at once, at most."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = 0
        self.peak = 0

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        with self._lock:
            self.now += 1
            self.peak = max(self.peak, self.now)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        with self._lock:
            self.now -= 1

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        with self._lock:
            self.now -= 1


@pytest.fixture(scope="session")
def in_flight() -> InFlight:
    """The driver has no way to take a listener back, so one serves every client of the run."""
    listener = InFlight()
    monitoring.register(listener)
    return listener


@pytest.fixture
def motor_workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Room for 200 operations at once: motor runs each on a thread of a pool of five a core."""
    import motor.frameworks.asyncio as framework

    with ThreadPoolExecutor(max_workers=220) as pool:
        monkeypatch.setattr(framework, "_EXECUTOR", pool)
        yield


@pytest.fixture(params=ADAPTERS)
def adapter(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest_asyncio.fixture
async def open_store(
    adapter: str, request: pytest.FixtureRequest, tmp_path: Path, runtime: RealRuntime
) -> AsyncIterator[Open]:
    """Opens a store of this adapter over the test's one database; options go into the URL, if it has one."""
    opened: list[Store] = []
    database = f"t{uuid.uuid4().hex[:12]}"

    async def start(collections: Sequence[Collection] = COLLECTIONS, options: str = "") -> Store:
        store: Store
        if adapter in DRIVERS:
            url = request.getfixturevalue("secantus").url + options
            store = MongoStore(url, database, collections, runtime, driver=adapter)  # type: ignore[arg-type]
        else:
            path = None if adapter == "memory" else tmp_path / "store.sqlite"
            store = LocalStore(path, collections, runtime)
        await store.start()
        opened.append(store)
        return store

    yield start
    for store in opened:
        await store.stop()


@pytest_asyncio.fixture
async def store(open_store: Open) -> Store:
    return await open_store()
