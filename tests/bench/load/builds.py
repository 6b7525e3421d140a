"""The two builds: this one, and the one of an earlier commit in a folder and an environment of its own."""

from __future__ import annotations

import io
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from deploy.local.kafka import cache_folder

ROOT = Path(__file__).parents[3]
BEFORE = "892fb44"
SETUP_SECONDS = 900


@dataclass(frozen=True)
class Build:
    """A checkout with its environment in `.venv`."""

    name: str
    folder: Path

    @property
    def python(self) -> str:
        return str(self.folder / ".venv" / "bin" / "python")

    @property
    def sankofa(self) -> str:
        return str(self.folder / ".venv" / "bin" / "sankofa")


def this() -> Build:
    return Build("this build", ROOT)


def before(commit: str = BEFORE) -> Build:
    """The build of that commit, made once. RuntimeError where history or packages cannot be had here."""
    folder = cache_folder() / f"build-{commit}"
    whole = folder / "made"
    if not whole.exists():
        folder.mkdir(parents=True, exist_ok=True)
        archive = subprocess.run(["git", "-C", str(ROOT), "archive", commit], capture_output=True, check=False)
        if archive.returncode:
            raise RuntimeError(f"this checkout does not hold commit {commit}")
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(folder, filter="data")
        made = subprocess.run(
            ["make", "setup"], cwd=folder, capture_output=True, text=True, timeout=SETUP_SECONDS, check=False
        )
        if made.returncode:
            last = (made.stderr.strip().splitlines() or ["nothing on standard error"])[-1]
            raise RuntimeError(f"build {commit} cannot be set up: {last[:200]}")
        whole.touch()
    return Build(f"build {commit}", folder)
