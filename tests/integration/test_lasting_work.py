"""A process whose part has ended by an unexpected error ends itself, so that its supervisor starts it again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from deploy.cli.hosting import Host, bound_socket, serve
from deploy.cli.settings import read_settings
from shared.errors import TaskEnded
from tests.e2e.system import free_port


async def _ends(host: Host) -> None:
    while host.services["registration"].replica.not_ready():  # type: ignore[attr-defined]
        await asyncio.sleep(0.05)
    raise KeyError("somebody's name")


async def test_the_process_ends_when_lasting_work_has_ended(tmp_path: Path) -> None:
    host = Host(read_settings({}, data=tmp_path / "data"))
    host.runtime.spawn(_ends(host), "intake-writer", lasting=True)
    with pytest.raises(TaskEnded, match="intake-writer") as ended:
        await asyncio.wait_for(serve(host, bound_socket(free_port())), 30)
    assert "name" not in str(ended.value)
