"""`sankofa serve` with two variables and nothing else: without a broker, without a store, and what it refuses.

The short form of `make real`: one process, one broker, one store. The tests follow one another on one system.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from deploy.cli.client import Client
from deploy.cli.token import LIFETIME, issuer_of
from deploy.local.kafka import KafkaServer
from deploy.local.processes import free_port
from deploy.local.secantus import SecantusServer
from services.registration.domain.examples import DEFINITION, EXPERT
from shared.identity.roles import Role
from shared.messaging.kafka_topics import wanted
from shared.messaging.topics import TOPICS
from tests import console
from tests.integration.real_system import SERVICES, Running
from tests.tools import skipped_without_tools

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

EXPERTS = "/registration/v1/experts"
REGISTRATIONS = {
    "code": "registrations",
    "name": {"en": "Experts registered"},
    "unit": "experts",
    "measure": {"distinct": "expert"},
    "facts": {"kinds": ["expert_registered"]},
}


class Served(Running):
    """All four services in one `sankofa serve`, in a folder of its own; `environment` has what it is told."""

    def __init__(self, folder: Path) -> None:
        self.kafka, self.store = KafkaServer(folder / "kafka"), SecantusServer(folder / "mongodb")
        self.port = free_port()
        super().__init__(f"http://127.0.0.1:{self.port}", folder, folder / "data-keys")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SANKOFA_", "KAFKA_", "MONGODB_", "OTEL_"))}
        addresses = {"KAFKA_BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers, "MONGODB_URL": self.store.url}
        self.environment = {**kept, **addresses}
        self.errors = folder / "serve.log"
        self.child: console.Child | None = None

    def start(self) -> None:
        self.kafka.start()
        self.store.start()
        words = ("serve", *SERVICES, "--port", str(self.port), "--log-level", "warning")
        with self.errors.open("wb") as errors:
            self.child = console.started(words, self.environment, folder=self.folder, errors=errors)
        asyncio.run(self._ready())

    async def _ready(self) -> None:
        client = Client(self.url)
        await client.wait_ready()
        await client.close()

    def ended(self) -> int:
        """The exit code after SIGTERM."""
        assert self.child
        self.child.send_signal(signal.SIGTERM)
        return self.child.wait(15)

    def stop(self) -> None:
        if self.child and self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        self.kafka.stop()
        self.store.stop()

    def refused(self, *words: str, **environment: str) -> str:
        """The one line with which the command ends."""
        given = {**self.environment, **environment}
        ran = console.ran(words, given, folder=self.folder, timeout=60)
        lines = [line for line in ran.stderr.splitlines() if not line.startswith("{")]
        assert (ran.returncode, len(lines)) == (2, 1), ran.stderr
        return lines[0]

    def as_(self, role: Role, office: str | None = None, subject: str = "") -> dict[str, str]:
        return {"Authorization": f"Bearer {issuer_of(self.settings).issue(role, office, subject, LIFETIME)}"}

    def registration(self, number: int) -> dict[str, Any]:
        """Somebody's own registration, under a key of its own."""
        document = {**EXPERT["person"]["document"], "number": f"R{number:07d}"}
        person = {**EXPERT["person"], "family_name": f"Generated{number}", "document": document}
        headers = {**self.as_("expert", None, f"person-{number}"), "Idempotency-Key": str(uuid.uuid4())}
        return {"json": {**EXPERT, "person": person}, "headers": headers}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with skipped_without_tools():
        made = Served(tmp_path_factory.mktemp("served"))
        made.start()
    yield made
    made.stop()


@pytest.fixture
def http(system: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=system.url, timeout=20) as client:
        yield client


async def quiet(system: Served) -> None:
    client = Client(system.url)
    await client.wait_quiet()
    await client.close()


def counted(http: httpx.Client, system: Served) -> tuple[int, int]:
    """Registrations as monitoring counts them, and as registration lists them."""
    path = f"/monitoring/v1/programmes/{DEFINITION['code']}/indicators/registrations"
    shown = http.get(path, headers=system.as_("administrator"))
    listed = http.get(EXPERTS, headers=system.as_("officer", EXPERT["office"]))
    assert (shown.status_code, listed.status_code) == (200, 200), (shown.text, listed.text)
    return shown.json()["value"], len(listed.json()["items"])


async def test_two_variables_are_all_that_it_needs(system: Served, http: httpx.Client) -> None:
    body = {"definition": {**DEFINITION, "indicators": [REGISTRATIONS]}}
    answer = http.post("/registration/v1/programmes", json=body, headers=system.as_("administrator"))
    assert answer.status_code == 201, answer.text
    await quiet(system)
    assert http.post(EXPERTS, **system.registration(1)).status_code == 202
    await quiet(system)
    assert counted(http, system) == (1, 1)
    for service in SERVICES:
        described = http.get(f"/{service}/asyncapi.json").json()
        assert (described["asyncapi"], described["id"]) == ("3.0.0", f"urn:sankofa:{service}")


async def test_without_a_broker_intake_and_reads_go_on_and_all_drains(system: Served, http: httpx.Client) -> None:
    system.kafka.kill()
    try:
        answer = http.post(EXPERTS, **system.registration(2))
        assert answer.status_code == 202, answer.text
        receipt, headers = answer.json()["status_url"], system.as_("expert", None, "person-2")
        until = time.monotonic() + 20
        while (status := http.get(receipt, headers=headers).json()["status"]) == "pending":
            assert time.monotonic() < until
            time.sleep(0.1)
        assert status == "accepted"
        assert counted(http, system) == (1, 2)
        behind = http.get("/registration/health/backlog")
        assert behind.status_code == 503
        assert int(behind.headers["retry-after"]) > 0
        assert {http.get(f"/registration/health/{asked}").status_code for asked in ("live", "ready")} == {200}
    finally:
        await asyncio.to_thread(system.kafka.start)
    await quiet(system)
    assert counted(http, system) == (2, 2)


async def test_without_a_store_nothing_is_promised(system: Served, http: httpx.Client) -> None:
    sent, programme = system.registration(3), f"/registration/v1/programmes/{DEFINITION['code']}"
    administrator = system.as_("administrator")
    system.store.kill()
    try:
        body = {"definition": {**DEFINITION, "code": "another-1"}}
        officer = system.as_("officer", EXPERT["office"])
        asked = [
            asyncio.to_thread(http.post, EXPERTS, **sent),
            asyncio.to_thread(http.post, EXPERTS, **sent),
            asyncio.to_thread(http.post, "/registration/v1/programmes", json=body, headers=administrator),
            asyncio.to_thread(http.get, programme, headers=administrator),
            asyncio.to_thread(http.get, "/matching/v1/assignments", headers=officer),
            asyncio.to_thread(http.get, "/placement/v1/placements", headers=officer),
            asyncio.to_thread(http.get, "/registration/health/backlog"),
        ]
        answers = await asyncio.gather(*asked)
        assert [answer.status_code for answer in answers] == [503] * len(answers), [a.text for a in answers]
        assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
        assert http.get("/registration/health/live").status_code == 200
    finally:
        await asyncio.to_thread(system.store.start)
    await quiet(system)
    receipts = [http.post(EXPERTS, **sent) for _ in range(2)]
    assert [answer.status_code for answer in receipts] == [202, 202], [answer.text for answer in receipts]
    assert receipts[0].json() == receipts[1].json()
    await quiet(system)
    assert counted(http, system) == (3, 3)


async def changed(system: Served, topic: str, **settings: str) -> None:
    """The topic's settings as somebody else set them; those that are not named are as they were created."""
    admin = AIOKafkaAdminClient(bootstrap_servers=system.kafka.bootstrap_servers)
    await admin.start()
    try:
        configs = {**wanted(TOPICS[topic], 1), **{name.replace("_", "."): value for name, value in settings.items()}}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs)])
    finally:
        await admin.close()


@pytest.mark.parametrize(
    ("topic", "setting", "value"),
    [
        ("matching.matches", "retention_ms", "604800000"),
        ("matching.matches", "cleanup_policy", "compact"),
        ("registration.profiles", "cleanup_policy", "delete"),
        ("matching.matches", "min_insync_replicas", "2"),
    ],
)
async def test_a_wrong_setting_of_a_topic_is_refused_at_start_and_found_by_doctor(
    system: Served, topic: str, setting: str, value: str
) -> None:
    said = f"topic {topic}: {setting.replace('_', '.')} is {value}, must be"
    await changed(system, topic, **{setting: value})
    try:
        assert said in system.refused("serve", "placement", "--port", "0")
        wide = {**system.environment, "COLUMNS": "200"}
        ran = console.ran(("doctor", "--url", system.url), wide, folder=system.folder)
        assert ran.returncode == 1
        assert said in ran.stderr
        if setting == "min_insync_replicas":
            # One broker keeps one copy and acknowledges with it, whatever the setting asks for.
            line = next(line for line in ran.stdout.splitlines() if f"topic.{topic}.acknowledged.copies" in line)
            assert line.strip(" │┃|").endswith("1")
            assert "so many copies there are" in ran.stderr
    finally:
        await changed(system, topic)


@pytest.mark.parametrize(
    ("options", "driver"),
    [("w=0&journal=false", "motor"), ("w=1&journal=false", "pymongo"), ("readPreference=nearest", "motor")],
)
def test_a_store_that_would_not_keep_what_it_acknowledges_is_refused_at_start(
    system: Served, options: str, driver: str
) -> None:
    url = f"mongodb://127.0.0.1:{system.store.port}/?{options}"
    line = system.refused("serve", "placement", "--port", "0", MONGODB_URL=url, SANKOFA_MONGO_DRIVER=driver)
    assert "MONGODB_URL: " in line


def test_a_start_without_a_store_or_with_half_an_environment_is_one_line(system: Served) -> None:
    nobody = f"mongodb://person:password@127.0.0.1:{free_port()}/"
    line = system.refused("serve", "placement", "--port", "0", MONGODB_URL=nobody)
    assert "MONGODB_URL" in line
    assert "password" not in line
    assert "KAFKA_BOOTSTRAP_SERVERS" in system.refused("serve", "placement", "--port", "0", KAFKA_BOOTSTRAP_SERVERS="")
    assert "KAFKA_BOOTSTRAP_SERVERS" in system.refused(
        "serve", "placement", "--port", "0", KAFKA_BOOTSTRAP_SERVERS="localhost:abc"
    )
    assert "SANKOFA_MONGO_DRIVER" in system.refused("serve", "placement", SANKOFA_MONGO_DRIVER="other")
    assert "no such service" in system.refused("serve", "placements")


async def test_a_changed_partition_count_is_refused_at_start(system: Served) -> None:
    # The last of the topic tests: partitions cannot be taken away again.
    admin = AIOKafkaAdminClient(bootstrap_servers=system.kafka.bootstrap_servers)
    await admin.start()
    try:
        await admin.create_partitions({"placement.placements": NewPartitions(12)})
    finally:
        await admin.close()
    line = await asyncio.to_thread(system.refused, "serve", "placement", "--port", "0")
    assert "topic placement.placements: partitions is 12, must be" in line


def test_sigterm_ends_it_in_order(system: Served) -> None:
    began = time.monotonic()
    assert system.ended() == 0
    assert time.monotonic() - began < 8
    assert "Traceback" not in system.errors.read_text()
