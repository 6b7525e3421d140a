"""Environments of peers: a virtual environment each, hash-locked, made once a version of its lock file."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from deploy.local.kafka import cache_folder

LOCK = Path(__file__).parents[3] / "requirements" / "peers.txt"
INSTALL_SECONDS = 900


def python(lock: Path = LOCK, by: str = sys.executable) -> Path:
    """The Python that has what the file locks, made `by` that one; RuntimeError where it cannot be installed."""
    folder = cache_folder() / f"{lock.stem}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    found, whole = folder / "bin" / "python", folder / "installed"
    if not whole.exists():
        _run([by, "-m", "venv", "--clear", str(folder)])
        _run([str(found), "-m", "pip", "install", "-q", "--require-hashes", "-r", str(lock)])
        whole.touch()
    return found


def environment() -> dict[str, str]:
    """Nothing of the project's own environment reaches a peer."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return {**kept, "PYTHONWARNINGS": "ignore"}


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing on standard error"])[-1]
        raise RuntimeError(f"an environment of peers: {last[:200]}")
