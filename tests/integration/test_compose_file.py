"""docker-compose.yml and what it mounts, without a container engine; `make containers` runs them for real."""

from __future__ import annotations

import copy
import http.server
import re
import shutil
import stat
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from deploy.image.healthy import ready
from deploy.local.kafka import POM
from deploy.local.processes import MissingTool
from services.registration.domain.files import FILE_BYTES_AT_MOST
from shared.web.front import ENTRANCE
from shared.web.patience import Patience
from tests.conftest import NO_ENGINE
from tests.integration.compose_rules import COMPOSE, CREDENTIALS, OWN, ROOT, findings, parsed
from tests.tools import skipped_without_tools

Change = Callable[[dict[str, Any]], object]


def test_the_file_keeps_its_rules() -> None:
    file = parsed()
    assert findings(file) == []
    assert set(file["services"]) == {"kafka", "mongodb", "proxy", "issuer", "sankofa", *OWN}
    assert not CREDENTIALS.search(COMPOSE.read_text())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s["matching"].update(read_only=False), "matching: its root can be written"),
        (lambda s: s["kafka"].pop("user"), "kafka: its user may be root"),
        (lambda s: s["kafka"].update(user="0:0"), "kafka: its user may be root"),
        (lambda s: s["mongodb"].pop("mem_limit"), "mongodb: no mem_limit"),
        (lambda s: s["placement"].pop("healthcheck"), "placement: no health check"),
        (lambda s: s["proxy"].update(cap_drop=[]), "proxy: it keeps capabilities"),
        (lambda s: s["proxy"].update(cap_add=["SYS_ADMIN"]), "proxy: it takes capabilities"),
        (lambda s: s["sankofa"].pop("security_opt"), "sankofa: it may gain privileges"),
        (lambda s: s["kafka"].update(image="apache/kafka:latest"), "kafka: its image is not pinned by its digest"),
        (lambda s: s["kafka"].update(image="${A:-apache/kafka:4.1.0}"), "kafka: its image is not pinned by its digest"),
        (lambda s: s["monitoring"]["volumes"].append("keys-issuer:/k"), "monitoring: has the keys of issuer"),
        (lambda s: s["sankofa"]["volumes"].append("keys-issuer:/k"), "sankofa: has the keys of issuer"),
        (lambda s: s["matching"]["volumes"].append("issuer-public:/k"), "matching: writes the public half"),
        (lambda s: s["placement"]["volumes"].pop(), "placement: lacks the public half of the key of passes"),
        (lambda s: s["placement"]["volumes"].pop(-2), "placement: lacks the public half of the issuer's key"),
        (lambda s: s["matching"]["volumes"].append("pass-public:/k"), "matching: writes the public half of the key of"),
        (lambda s: s["matching"].update(secrets=["pages_client_secret"]), "matching: reads other secrets"),
        (lambda s: s["proxy"].update(secrets=["client_secret"]), "proxy: reads the secret of the command line"),
        (lambda s: s["monitoring"].pop("restart"), "monitoring: nobody starts it again"),
        (lambda s: s["mongodb"].update(ports=["27017:27017"]), "mongodb: a port on the machine"),
        (lambda s: s["proxy"].update(ports=["8000:8080"]), "proxy: 8000:8080 is open"),
        (lambda s: s["proxy"]["networks"].append("servers"), "proxy: reaches Kafka and MongoDB"),
        (lambda s: s["registration"]["environment"].update(MONGODB_URL="mongodb://store"), "registration: a secret"),
        (lambda s: s["registration"]["environment"].update(A="http://a:b@store"), "registration: a secret"),
        (lambda s: s["monitoring"]["volumes"].append("keys-registration:/k"), "monitoring: has the keys of reg"),
        (lambda s: s["matching"].update(secrets=["mongodb_key"]), "matching: reads other secrets"),
        (lambda s: s["proxy"]["volumes"].append("/etc:/etc"), "proxy: writes /etc"),
        (lambda s: s["kafka"]["volumes"].pop(), "volumes: ['kafka']"),
    ],
)
def test_a_file_that_breaks_a_rule_is_found(change: Change, said: str) -> None:
    file = copy.deepcopy(parsed())
    change(file["services"])
    assert [line for line in findings(file) if line.startswith(said)], findings(file)


def test_docker_compose_takes_the_file() -> None:
    with skipped_without_tools():
        if shutil.which("docker-compose") is None:
            raise MissingTool(f"{NO_ENGINE}docker-compose is not on this machine")
    words = ["docker-compose", "-f", str(COMPOSE), "config", "--quiet"]
    said = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (said.returncode, said.stderr) == (0, "")


def test_every_variable_of_the_file_is_in_the_example_environment() -> None:
    named = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE.read_text()))
    known = set(re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert named - known == set()


def test_the_same_kafka_is_tested_and_deployed() -> None:
    tested = re.search(r"<artifactId>kafka_2.13</artifactId>\s*<version>([\d.]+)<", POM.read_text())
    assert tested
    assert f":-apache/kafka:{tested[1]}@" in parsed()["services"]["kafka"]["image"]


def test_one_image_is_built_from_locked_requirements_for_a_user_without_rights() -> None:
    lines = (ROOT / "deploy" / "image" / "Dockerfile").read_text()
    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.11\.\d+-slim-bookworm$", lines, re.MULTILINE)
    assert len(re.findall(r"^FROM \$\{PYTHON_IMAGE\}", lines, re.MULTILINE)) == 2
    assert "--require-hashes -r requirements/runtime.txt" in lines
    user = re.findall(r"^USER (\S+)$", lines, re.MULTILINE)
    own = [service for service in parsed()["services"].values() if "build" in service]
    assert [service["user"] for service in own] == user * 6
    assert {service["build"]["dockerfile"] for service in own} == {"deploy/image/Dockerfile"}
    # Whatever is not named stays out: keys, data, secrets, the repository's history.
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert [line for line in ignored if line and not line.startswith(("#", "!"))] == ["*", "**/__pycache__"]


def test_the_proxy_knows_the_four_services() -> None:
    text = (ROOT / "deploy" / "proxy" / "Caddyfile").read_text()
    assert f"^/({'|'.join(OWN)})(?:/|$)" in text
    assert "health(/|$)" in text
    entrance = re.search(r"@entrance path_regexp (\S+)", text)
    assert entrance
    for path in ("/", "/today", "/sign-in", "/sign-in/callback", "/sign-out"):
        assert re.search(entrance[1], path), path
        assert path.split("/")[1] in ENTRANCE
    for path in ("/todays", "/sign-in-elsewhere", "/registration", "/x", "//"):
        assert not re.search(entrance[1], path), path


def test_the_proxy_leaves_a_slow_upload_as_much_time_as_the_services_do() -> None:
    """A body that stands still is closed by the service behind, so the proxy's own bound is for what never ends."""
    text = (ROOT / "deploy" / "proxy" / "Caddyfile").read_text()
    hours = re.search(r"read_body (\d+)h\b", text)
    assert hours
    assert int(hours[1]) * 3_600 > FILE_BYTES_AT_MOST / Patience().least_bytes_a_second


def test_secrets_are_made_once_in_a_closed_folder(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    first = made_secrets(folder)
    assert set(first) == set(parsed()["secrets"])
    assert made_secrets(folder) == first
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    # Each container reads its file as a user of its own.
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o444}
    assert len(set(first.values())) == len(first)
    # MongoDB's bounds of a key file: 6 to 1,024 characters of base64.
    assert re.fullmatch(r"[A-Za-z0-9+/=]{6,1024}", first["mongodb_key"])
    for service in OWN:
        url = urlsplit(first[f"{service}_mongodb_url"])
        assert (url.scheme, url.username, url.hostname) == ("mongodb", service, "mongodb")
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", url.password or "")
        assert parse_qs(url.query) == {"replicaSet": ["rs0"], "authSource": ["admin"]}


def made_secrets(folder: Path) -> dict[str, str]:
    script = ROOT / "deploy" / "secrets.sh"
    subprocess.run(["sh", str(script), str(folder)], timeout=60, check=True)
    return {path.name: path.read_text().strip() for path in folder.iterdir()}


def test_a_container_is_healthy_when_its_service_is_ready() -> None:
    answers = {"/matching/health/ready": 200, "/placement/health/ready": 503}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answers[self.path])
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            """Nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        assert ready("matching", port)
        assert not ready("placement", port)
        server.shutdown()
    assert not ready("matching", port)
