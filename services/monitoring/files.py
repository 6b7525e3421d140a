"""Where the read model's file stands: one current file, named by a pointer that is replaced in one step.

The file's name holds the fingerprint of tables and rules. One with another fingerprint is left behind, and the
follower fills a new one from the topics.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from services.monitoring.database import WAL
from services.monitoring.schema import fingerprint
from services.monitoring.store import ReadModel
from shared.errors import SettingsError

POINTER = "current"
# Before the name of a folder in which the passes of a rebuild leave what they found.
PASSED_FOLDER = "read-model-passed-"


class ModelFiles:
    """The folder of one replica; None keeps every model in memory."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def open_current(self) -> ReadModel:
        """The model that the pointer names, or an empty one. SettingsError where it cannot be opened."""
        if self._folder is None:
            return ReadModel(None)
        name = self._pointed()
        if name is None or f"-{fingerprint()}-" not in name or not (self._folder / name).exists():
            model = self.open_new()
            self.keep(model)
            return model
        model = ReadModel(self._folder / name)
        self._sweep(name)
        return model

    def open_new(self) -> ReadModel:
        """An empty model beside the current one."""
        if self._folder is None:
            return ReadModel(None)
        taken = [int(path.stem.rsplit("-", 1)[1]) for path in self._folder.glob("read-model-*.duckdb")]
        return ReadModel(self._folder / f"read-model-{fingerprint()}-{max(taken, default=0) + 1:04d}.duckdb")

    def keep(self, model: ReadModel) -> None:
        """Makes this model the current one and removes every other file; nothing may have them open."""
        if self._folder is None or model.path is None:
            return
        try:
            pointer = self._folder / POINTER
            fresh = pointer.with_suffix(".new")
            with fresh.open("w") as file:
                file.write(model.path.name)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(pointer)
        except OSError as error:
            raise SettingsError(f"the folder {self._folder} cannot be written: {error.strerror}") from None
        self._sweep(model.path.name)

    def drop(self, model: ReadModel) -> None:
        """Closes the model and removes its file."""
        model.close()
        if model.path is not None:
            for suffix in ("", WAL):
                model.path.with_name(model.path.name + suffix).unlink(missing_ok=True)

    def _pointed(self) -> str | None:
        try:
            return (self._folder / POINTER).read_text().strip() if self._folder else None
        except FileNotFoundError:
            return None

    def _sweep(self, kept: str) -> None:
        """Removes what a rebuild that was cut off, or an older form of the tables, left behind."""
        if self._folder is None:
            return
        for path in self._folder.glob("read-model-*"):
            if path.name in (kept, f"{kept}{WAL}"):
                continue
            # A process that is killed while it sorts leaves a folder of what it had spilled.
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
