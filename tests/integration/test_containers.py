"""docker-compose.yml for real: every container healthy and closed, a history through the proxy, crashes.

Run by `make containers`, which needs root and Debian's docker.io, docker-compose and debootstrap. The tests follow one
another on one system.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.processes import free_port
from tests.conftest import NO_ENGINE
from tests.integration.compose_rules import COMPOSE, OWN, ROOT, SERVERS
from tests.integration.container_engine import BASE, Engine, EngineAway, Images

pytestmark = [pytest.mark.containers, pytest.mark.long, pytest.mark.timeout(2400)]

HISTORY = Path(__file__).with_name("real_history.yaml")
RUNNING = (*SERVERS, *OWN, "proxy", "issuer")
HEALTHY_SECONDS = 180.0
# The stand-in for the store is another one member set than `rs0`, and slow where writes are retried by the driver.
STAND_IN_OPTIONS = "directConnection=true&retryWrites=false&w=1&journal=true&authSource=admin"


class Composed:
    """The system of the compose file, under a project name and on ports of its own."""

    def __init__(self, engine: Engine, images: Images, folder: Path) -> None:
        self.engine = engine
        self.port, self.secure_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.secrets = folder / "secrets"
        images.base()
        self._environment = {
            "SANKOFA_IMAGE": images.own(),
            "SANKOFA_KAFKA_IMAGE": images.kafka(),
            "SANKOFA_MONGODB_IMAGE": images.mongodb(),
            "SANKOFA_PROXY_IMAGE": images.proxy(),
            "SANKOFA_SECRETS": str(self.secrets),
            "SANKOFA_HTTP": f"127.0.0.1:{self.port}",
            "SANKOFA_HTTPS": f"127.0.0.1:{self.secure_port}",
            "SANKOFA_SITE": "http://",
            "SANKOFA_BASE_URL": self.url,
            "SANKOFA_ISSUER": "",
            "SANKOFA_MONGO_DRIVER": "motor",
            "COMPOSE_PROJECT_NAME": "sankofatest",
            "COMPOSE_PROFILES": "",
        }
        self._make_secrets()

    def _make_secrets(self) -> None:
        subprocess.run(["sh", str(ROOT / "deploy" / "secrets.sh"), str(self.secrets)], timeout=60, check=True)
        for service in OWN:
            url = self.secrets / f"{service}_mongodb_url"
            changed = url.read_text().partition("?")[0] + f"?{STAND_IN_OPTIONS}\n"
            url.chmod(0o644)
            url.write_text(changed)

    def compose(self, *words: str, seconds: float = 300, check: bool = True, **environment: str) -> str:
        settings = {**self._environment, **environment}
        return self.engine.run(
            "docker-compose", "-f", str(COMPOSE), *words, seconds=seconds, check=check, environment=settings
        )

    def command(self, *words: str, mounted: str = "") -> str:
        """What the command line's container prints."""
        mounts = ["-v", mounted] if mounted else []
        return self.compose("run", "--rm", "-T", *mounts, "sankofa", *words)

    def inspected(self, service: str) -> dict[str, Any]:
        return self.engine.inspected(self.compose("ps", "-q", service).strip())

    def crash(self, service: str) -> None:
        """SIGKILL from outside: `docker kill` would tell the engine that somebody wants the container stopped."""
        pid = int(self.inspected(service)["State"]["Pid"])
        assert pid > 0, f"{service} does not run"
        killing = f"import os; os.kill({pid}, 9)"
        self.engine.run("docker", "run", "--rm", "--pid", "host", "--network", "none", BASE, "python3", "-c", killing)

    def wait_healthy(self, *services: str) -> None:
        until = time.monotonic() + HEALTHY_SECONDS
        while unhealthy := {s: state for s in services if (state := self.health(s)) != "healthy"}:
            said = "" if time.monotonic() < until else self.compose("logs", "--no-color", "--tail", "20", *unhealthy)
            assert time.monotonic() < until, f"{unhealthy}: {said}"
            time.sleep(0.5)

    def health(self, service: str) -> str:
        state = self.inspected(service)["State"]
        return str(state["Health"]["Status"] if state["Running"] else state["Status"])


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    engine = Engine()
    try:
        engine.start()
    except EngineAway as away:
        pytest.skip(f"{NO_ENGINE}{away}")
    folder = tmp_path_factory.mktemp("containers")
    try:
        made = Composed(engine, Images(engine, folder), folder)
        try:
            # What a killed run left would be taken up with its old passwords.
            made.compose("down", "--volumes")
            made.compose("up", "-d", "--no-build", seconds=600)
            yield made
        finally:
            made.compose("down", "--volumes")
    finally:
        engine.stop()


@pytest.fixture(scope="module")
def token(system: Composed) -> str:
    system.wait_healthy(*RUNNING)
    return system.command("token", "--role", "administrator").strip()


def test_every_container_becomes_healthy(system: Composed) -> None:
    system.wait_healthy(*RUNNING)
    assert {service: system.inspected(service)["RestartCount"] for service in RUNNING} == dict.fromkeys(RUNNING, 0)


@pytest.mark.parametrize("service", RUNNING)
def test_a_container_is_closed(system: Composed, service: str) -> None:
    found = system.inspected(service)
    host, settings = found["HostConfig"], json.dumps(found["Config"])
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["Memory"] > 0 < host["NanoCpus"]
    assert host["PidsLimit"] > 0
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    for secret in system.secrets.iterdir():
        assert secret.read_text().strip() not in settings
    assert system.compose("exec", "-T", service, "id", "-u").strip() == found["Config"]["User"].partition(":")[0] != "0"
    status = system.compose("exec", "-T", service, "cat", "/proc/self/status")
    assert re.search(r"(?m)^CapEff:\s+0+$", status)
    assert re.search(r"(?m)^NoNewPrivs:\s+1$", status)
    told = system.compose("exec", "-T", service, "sh", "-c", "touch /written 2>/dev/null || echo refused").strip()
    assert told == "refused"


def test_a_history_through_the_proxy_gives_its_figures(system: Composed, token: str) -> None:
    mounted = f"{HISTORY}:/tmp/history.yaml:ro"
    rows = json.loads(system.command("history", "run", "/tmp/history.yaml", "--json", mounted=mounted))
    assert [row for row in rows if not row["right"]] == []
    assert len(rows) == 12
    assert "kafka:9092" in system.command("doctor")
    assert shown(system, token) == 6


def shown(system: Composed, token: str) -> int:
    """The returns of the whole programme, as everybody with a token gets them from the published port."""
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.get(f"{system.url}/monitoring/v1/programmes/trqn-1/indicators", headers=headers, timeout=30)
    answer.raise_for_status()
    return next(int(item["value"]) for item in answer.json()["items"] if item["code"] == "assignments")


def test_a_service_has_its_own_password_and_keys_alone(system: Composed) -> None:
    for service in OWN:
        held = system.compose("exec", "-T", service, "sh", "-c", "ls /run/secrets; ls /var/lib/sankofa/keys/*").split()
        assert "mongodb_url" in held
        assert ("persons.sqlite" in held) == (service == "registration")
    program = "import os, pymongo; pymongo.MongoClient(open('/run/secrets/mongodb_url').read().strip())"
    other = f"{program}['sankofa_registration']['persons'].find_one()"
    refused = system.compose("exec", "-T", "matching", "python3", "-c", other, check=False)
    assert refused == ""
    own = f"{program}['sankofa_matching']['shadows'].find_one(); print('read')"
    assert system.compose("exec", "-T", "matching", "python3", "-c", own).strip() == "read"


def test_the_published_port_has_the_services_without_their_health(system: Composed, token: str) -> None:
    for service in OWN:
        assert httpx.get(f"{system.url}/{service}/openapi.json").status_code == 200
        for path in ("health/ready", "health/live", "health/backlog", "/health/live", "%68ealth/live"):
            answer = httpx.get(f"{system.url}/{service}/{path}")
            assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert httpx.get(f"{system.url}/registration/v1/experts").status_code == 401
    assert httpx.get(f"{system.url}/elsewhere").json()["rule"] == "not_found"
    foreign = httpx.get(f"{system.url}/registration/openapi.json", headers={"Host": "elsewhere.example"})
    assert (foreign.status_code, foreign.json()["rule"]) == (400, "host_not_allowed")


def test_a_killed_service_comes_back_and_answers(system: Composed, token: str) -> None:
    for service in ("registration", "monitoring"):
        system.crash(service)
    assert httpx.get(f"{system.url}/registration/openapi.json", timeout=30).status_code in (200, 503)
    until = time.monotonic() + HEALTHY_SECONDS
    while httpx.get(f"{system.url}/registration/openapi.json", timeout=30).status_code != 200:
        assert time.monotonic() < until
    system.wait_healthy("registration", "monitoring")
    assert [system.inspected(service)["RestartCount"] for service in ("registration", "monitoring")] == [1, 1]
    assert shown(system, token) == 6


def test_a_service_that_starts_without_a_broker_is_started_until_there_is_one(system: Composed, token: str) -> None:
    system.compose("stop", "kafka")
    system.crash("matching")
    until = time.monotonic() + HEALTHY_SECONDS
    while system.inspected("matching")["RestartCount"] < 3:
        assert time.monotonic() < until
        time.sleep(0.5)
    away = httpx.get(f"{system.url}/matching/openapi.json", timeout=30)
    assert (away.status_code, away.headers["retry-after"]) == (503, "2")
    assert "KAFKA_BOOTSTRAP_SERVERS" in system.compose("logs", "--no-color", "matching")
    system.compose("start", "kafka")
    system.wait_healthy(*RUNNING)
    assert shown(system, token) == 6


def test_kafka_and_the_store_come_back_with_what_they_had(system: Composed, token: str) -> None:
    for service in SERVERS:
        system.crash(service)
    until = time.monotonic() + HEALTHY_SECONDS
    while [system.inspected(service)["RestartCount"] for service in SERVERS] != [1, 1]:
        assert time.monotonic() < until
        time.sleep(0.5)
    system.wait_healthy(*RUNNING)
    mounted = f"{HISTORY}:/tmp/history.yaml:ro"
    rows = json.loads(system.command("history", "run", "/tmp/history.yaml", "--json", mounted=mounted))
    assert [row for row in rows if not row["right"]] == []


def test_with_a_name_the_proxy_speaks_tls(system: Composed) -> None:
    system.compose("up", "-d", "--no-build", "--no-deps", "proxy", SANKOFA_SITE="localhost")
    system.wait_healthy("proxy")
    plain = httpx.get(f"http://localhost:{system.port}/registration/openapi.json")
    assert (plain.status_code, plain.headers["location"]) == (308, "https://localhost/registration/openapi.json")
    secure = httpx.get(f"https://localhost:{system.secure_port}/registration/openapi.json", verify=False)
    assert secure.status_code == 200
    assert secure.headers["strict-transport-security"].startswith("max-age=")
