"""The four services as processes of their own, several replicas each, on real servers behind one address."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx

from deploy.cli.settings import Settings, read_settings
from deploy.local.kafka import KafkaServer
from deploy.local.processes import Child, ChildFailed, free_port
from deploy.local.secantus import SecantusServer
from tests.e2e.system import got

SANKOFA = str(Path(sys.executable).with_name("sankofa"))
ROOT = Path(__file__).parents[2]
SERVICES = ("registration", "matching", "placement", "monitoring")
START_SECONDS = 90.0


def answers(url: str) -> bool:
    """Whether somebody answers well there."""
    try:
        return got(url, timeout=1.0).is_success
    except httpx.TransportError:
        return False


@dataclass
class Running:
    """Where a running system is, and the folders of whoever talks to it."""

    url: str
    folder: Path
    keys: Path

    @property
    def settings(self) -> Settings:
        """What the command line would read to talk to this system."""
        environment = {**os.environ, "SANKOFA_KEYS": str(self.keys), "SANKOFA_ISSUER": ""}
        return read_settings(environment, data=self.folder / "client", url=self.url)


class Replica:
    """`sankofa serve NAME` with a data folder of its own and the shared keys."""

    def __init__(self, name: str, service: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.service = service
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        own = {**environment, "SANKOFA_DATA": str(folder / name)}
        argv = [SANKOFA, "serve", service, "--port", str(self.port), "--log-level", "warning"]
        self.child = Child(name, argv, own, self.ready, folder / f"{name}.log")

    def ready(self) -> bool:
        return answers(f"{self.url}/{self.service}/health/ready")


class RealSystem(Running):
    """Kafka, a MongoDB-protocol server, `replicas` processes a service, and a proxy before them.

    Replica n of each service has driver n modulo their number.
    `start` raises MissingTool where this machine cannot run one of the servers.
    """

    def __init__(self, folder: Path, replicas: int = 2, drivers: Sequence[str] = ("motor",)) -> None:
        self.kafka = KafkaServer(folder / "kafka")
        self.store = SecantusServer(folder / "mongodb")
        self.port = free_port()
        super().__init__(f"http://127.0.0.1:{self.port}", folder, folder / "keys")
        environment = {
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers,
            "MONGODB_URL": self.store.url,
            "SANKOFA_KEYS": str(self.keys),
            "SANKOFA_ISSUER": "",
        }
        self.replicas: dict[str, Replica] = {}
        for number in range(1, replicas + 1):
            own = {**environment, "SANKOFA_MONGO_DRIVER": drivers[number % len(drivers)]}
            made = [Replica(f"{service}-{number}", service, folder, own) for service in SERVICES]
            self.replicas |= {replica.name: replica for replica in made}
        path = {"PYTHONPATH": str(ROOT)}
        self.front = Child("front", self._front_argv(), path, lambda: answers(self.url), folder / "front.log")

    def _front_argv(self) -> list[str]:
        urls = {s: ",".join(r.url for r in self.replicas.values() if r.service == s) for s in SERVICES}
        behind = [f"{service}={of}" for service, of in urls.items()]
        return [sys.executable, "-m", "tests.integration.real_front", str(self.port), *behind]

    def start(self) -> None:
        with ThreadPoolExecutor(2) as pool:
            for started in [pool.submit(self.kafka.start), pool.submit(self.store.start)]:
                started.result()
        for child in self.children:
            child.start()
        for child in self.children:
            child.wait_ready(START_SECONDS)

    @property
    def children(self) -> list[Child]:
        return [self.front, *(replica.child for replica in self.replicas.values())]

    def restart(self, name: str) -> None:
        """Starts a killed replica until it is ready, as a supervisor would: without a broker it ends with one line."""
        child, until = self.replicas[name].child, time.monotonic() + START_SECONDS
        while True:
            child.start()
            try:
                child.wait_ready(until - time.monotonic())
                return
            except ChildFailed:
                if child.running or time.monotonic() > until:
                    raise
                time.sleep(0.5)

    def stop_services(self) -> None:
        """The proxy and every replica, side by side; log and store go on, for the checkers."""
        with ThreadPoolExecutor(len(self.children)) as pool:
            list(pool.map(lambda child: child.stop(), self.children))

    def stop(self) -> None:
        self.stop_services()
        self.kafka.stop()
        self.store.stop()

    def complaints(self) -> dict[str, str]:
        """The last log lines of each replica, for a failure's report."""
        return {name: replica.child.last_lines() for name, replica in self.replicas.items()}
