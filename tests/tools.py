"""What a test needs of the machine besides the project's own packages: a server's program, a small disk."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from deploy.local.processes import MissingTool
from tests.conftest import NO_MOUNT


@contextmanager
def skipped_without_tools() -> Iterator[None]:
    """Where the block misses a tool the test is skipped with the reason; with CI=true it fails."""
    try:
        yield
    except MissingTool as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


class SmallDisk:
    """A disk of a fixed size that a test can fill to the last byte, and empty again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Takes all the room there is; whoever frees some has it for as long as nobody fills it again."""
        handle = os.open(self._filler, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            for size in (1 << 16, 1 << 12, 1):
                with suppress(OSError):
                    while os.write(handle, bytes(size)) == size:
                        pass
        finally:
            os.close(handle)

    def free_some(self, room: int) -> None:
        """Gives back about so many bytes."""
        os.truncate(self._filler, max(self._filler.stat().st_size - room, 0))

    def free(self) -> None:
        self._filler.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[SmallDisk]:
    """A tmpfs of that size at the folder; where nobody may mount one the test is skipped with the reason."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    try:
        ran = subprocess.run(words, capture_output=True, text=True)
    except FileNotFoundError as error:
        pytest.skip(f"{NO_MOUNT}{error}")
    if ran.returncode:
        pytest.skip(f"{NO_MOUNT}{ran.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
