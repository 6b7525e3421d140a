"""A folder is one system's; what a killed one leaves behind goes a moment later."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.cli import hosting
from shared.errors import SettingsError


@pytest.fixture
def held(tmp_path: Path) -> Iterator[int]:
    """The folder's lock, as another process has it."""
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    yield lock
    os.close(lock)


def dead() -> int:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def test_what_a_living_process_holds_is_refused_at_once(tmp_path: Path, held: int) -> None:
    os.write(held, f"{os.getppid()}\n".encode())
    began = time.monotonic()
    with pytest.raises(SettingsError, match=rf"in use by another process \(pid {os.getppid()}\)"):
        hosting._own(tmp_path)
    assert time.monotonic() - began < 1


def test_the_rest_of_a_killed_system_is_waited_for(tmp_path: Path, held: int) -> None:
    os.write(held, f"{dead()}\n".encode())
    threading.Timer(0.3, fcntl.flock, (held, fcntl.LOCK_UN)).start()
    lock = hosting._own(tmp_path)
    assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    os.close(lock)


def test_it_is_waited_for_no_longer_than_it_takes(tmp_path: Path, held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosting, "LEAVING_SECONDS", 0.2)
    os.write(held, f"{dead()}\n".encode())
    with pytest.raises(SettingsError, match="in use by another process"):
        hosting._own(tmp_path)
