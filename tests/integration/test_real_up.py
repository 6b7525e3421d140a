"""`sankofa up` with real servers as its children, on PyMongo's own client, and what is said when it cannot be."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.cli.client import Client
from deploy.local.kafka import libraries, tool
from deploy.local.processes import Child, free_port
from deploy.local.secantus import program
from tests import console
from tests.integration.real_histories import run_through, small, wrong_figures
from tests.integration.real_system import SANKOFA, START_SECONDS, Running, answers
from tests.tools import skipped_without_tools

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

HISTORY = small("small-1", 6)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Child]:
    with skipped_without_tools():
        tool("java")
        libraries()
        program()
    port = free_port()
    argv = [SANKOFA, "up", "--log", "kafka", "--store", "mongodb", "--port", str(port)]
    environment = {
        "SANKOFA_DATA": str(tmp_path / "data"),
        "SANKOFA_KEYS": str(tmp_path / "keys"),
        "SANKOFA_BASE_URL": f"http://127.0.0.1:{port}",
        "SANKOFA_MONGO_DRIVER": "pymongo",
        "SANKOFA_ISSUER": "",
    }
    child = Child("sankofa up", argv, environment, lambda: answers(f"http://127.0.0.1:{port}"), tmp_path / "up.log")
    child.start()
    child.wait_ready(START_SECONDS)
    yield child
    child.stop(30)


def owned(folder: Path) -> int:
    """The process id of the real server in that folder."""
    (kept,) = folder.glob("*.pid")
    return int(kept.read_text().split()[0])


async def test_up_starts_its_servers_again_and_ends_them_with_itself(up: Child, tmp_path: Path) -> None:
    running = Running(up.env["SANKOFA_BASE_URL"], tmp_path, tmp_path / "keys")
    folders = [tmp_path / "data" / "kafka", tmp_path / "data" / "mongodb"]
    client = Client(running.url)
    await client.wait_ready()
    history = asyncio.create_task(run_through(running, HISTORY))
    await asyncio.sleep(2)
    killed = [owned(folder) for folder in folders]
    for server in killed:
        os.kill(server, signal.SIGKILL)
    await history
    assert await wrong_figures(running, HISTORY.history) == []
    report = await client.backlog("registration")
    await client.close()
    assert report is not None
    assert report["quiet"]
    again = [owned(folder) for folder in folders]
    assert not set(killed) & set(again)
    assert await asyncio.to_thread(up.stop, 30) == 0
    assert not any(Path(f"/proc/{server}").exists() for server in again)


def said(*words: str, **environment: str) -> tuple[int, list[str]]:
    ran = console.ran(words, {**os.environ, **environment}, timeout=60)
    return ran.returncode, [line for line in ran.stderr.splitlines() if not line.startswith("{")]


def test_up_without_java_is_one_line(tmp_path: Path) -> None:
    code, lines = said("up", "--log", "kafka", "--port", "0", "--data", str(tmp_path / "data"), PATH=str(tmp_path))
    assert code == 2
    assert len(lines) == 1
    assert "java" in lines[0]


def test_serve_without_a_broker_is_one_line(tmp_path: Path) -> None:
    addresses = {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}", "MONGODB_URL": "mongodb://127.0.0.1:1"}
    folders = {"SANKOFA_DATA": str(tmp_path / "data"), "SANKOFA_KEYS": str(tmp_path / "keys")}
    code, lines = said("serve", "registration", "--port", str(free_port()), **addresses, **folders)
    assert code == 2
    assert len(lines) == 1
    assert "KAFKA_BOOTSTRAP_SERVERS" in lines[0]
