"""`sankofa backup`: the embedded form's log and stores, as they stood at one instant, while the system runs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli.running import DataOption
from deploy.cli.settings import Settings, read_settings
from shared.clock import text_of
from shared.errors import SettingsError

FORMAT = 1
MANIFEST = "manifest.json"
FILES = "*.sqlite"
# For as long as a group commit of the running system may take.
BUSY_SECONDS = 30.0


def backup(
    target: Annotated[Path, typer.Argument(help="A new folder for the backup.")],
    data: DataOption = None,
) -> None:
    """Copies log and stores as they stood at one instant into a new folder; the system may run and be written to.

    It holds no key: the folder SANKOFA_KEYS is backed up apart, and kept apart. The read model is not in it either; it
    is built again from the log.
    """
    settings = read_settings(data=data)
    refuse_servers(settings)
    for name, folder in (("data", settings.data), ("keys'", settings.keys)):
        if target.resolve().is_relative_to(folder.resolve()):
            raise SettingsError(f"{target} is inside the {name} folder")
    files = sorted(settings.data.glob(FILES))
    if not files:
        raise SettingsError(f"there is no system in the folder {settings.data}")
    manifest = written(files, target)
    print(f"{len(manifest['files'])} files, {sum(f['bytes'] for f in manifest['files'].values())} bytes, {target}")
    print(f"as of {manifest['made_at']}; the keys in {settings.keys} are not in it")


def refuse_servers(settings: Settings) -> None:
    """SettingsError on Kafka or MongoDB, which have backups of their own."""
    if settings.kafka or settings.mongodb:
        raise SettingsError("this is for the embedded form; Kafka and MongoDB are backed up by their own tools")


def written(files: Sequence[Path], target: Path) -> dict[str, Any]:
    """Writes the backup; the manifest comes last, so that a folder without one is no backup. SettingsError."""
    new_folder(target)
    try:
        with _cut(files) as readers:
            made_at = text_of(datetime.now(UTC))
            copied = {
                path.name: _copied(reader, target / path.name) for path, reader in zip(files, readers, strict=True)
            }
        manifest = {"format": FORMAT, "made_at": made_at, "files": copied}
        write_durably(target / MANIFEST, json.dumps(manifest, indent=2).encode())
    except (OSError, sqlite3.Error) as error:
        shutil.rmtree(target, ignore_errors=True)
        name = getattr(error, "sqlite_errorname", None) or getattr(error, "strerror", None) or type(error).__name__
        raise SettingsError(f"the backup cannot be written ({name})") from error
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    return manifest


@contextmanager
def _cut(files: Sequence[Path]) -> Iterator[list[sqlite3.Connection]]:
    """A read transaction on each file, all of one instant: while they begin, nobody commits to any of the files.

    So what stands in one file because of what stood in another is in no copy without its cause.
    """
    with ExitStack() as opened:
        readers = [opened.enter_context(closing(_opened(path))) for path in files]
        with ExitStack() as held:
            for path in files:
                writer = held.enter_context(closing(_opened(path)))
                writer.execute("BEGIN IMMEDIATE")
            for reader in readers:
                reader.execute("BEGIN")
                # A transaction that has read nothing sees what is committed later.
                reader.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        yield readers


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=rw", uri=True, isolation_level=None, timeout=BUSY_SECONDS)


def _copied(reader: sqlite3.Connection, target: Path) -> dict[str, Any]:
    """The file as the reader's transaction sees it; its size and digest."""
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with closing(sqlite3.connect(target, isolation_level=None)) as copy:
        reader.backup(copy)
        damage = copy.execute("PRAGMA quick_check").fetchone()[0]
        if damage != "ok":
            raise SettingsError(f"{target.name} is damaged, and so would be its backup")
    sync(target)
    return described(target)


def described(path: Path) -> dict[str, Any]:
    """Bytes and SHA-256 of a file."""
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def new_folder(folder: Path) -> None:
    """Makes the folder for its owner alone; an empty one may be there. SettingsError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        taken = any(folder.iterdir())
    except OSError as error:
        raise SettingsError(f"the folder {folder} cannot be made: {error.strerror}") from None
    if taken:
        raise SettingsError(f"the folder {folder} is not empty")


def write_durably(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, content)
    finally:
        os.close(handle)
    sync(path)


def sync(path: Path) -> None:
    """The file and its name in its folder outlive a power cut."""
    for one in (path, path.parent):
        handle = os.open(one, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
