"""Where key bytes live: private files that are durable before they are used, or a mapping in memory."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from shared.errors import SankofaError, SettingsError, Unavailable

KEY_BYTES = 32
# More than the keys of four services with thirty intake days each.
READ_AT_MOST = 256
# What passes by itself, or by somebody who makes room: no fault of the folder that was named.
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS})

FileState = tuple[int, int, int, int]


class KeyDestroyed(SankofaError):
    """The key was destroyed; what was sealed under it can never be opened again."""


class KeyBytes(Protocol):
    """Named keys of 32 bytes; a name is a path below the keys' folder, such as `registration/cursor.key`."""

    def take(self, name: str) -> bytes:
        """The key; made, and durable, where it did not exist. Unavailable where the disk has no room for it."""
        ...

    def find(self, name: str) -> bytes | None: ...

    def put(self, name: str, key: bytes) -> None:
        """Keeps these bytes under the name, durably, whatever stood there. Raises Unavailable."""
        ...

    def names(self, folder: str) -> list[str]:
        """The names directly below the folder, in order."""
        ...

    def destroy(self, name: str) -> None:
        """Overwrites and removes the key; nothing happens where there is none. Raises Unavailable: destroy again."""
        ...

    def move(self, old: str, new: str) -> None:
        """Gives the key another name in one step."""
        ...


class KeysInMemory:
    """For the simulation and unit tests: bytes from the given randomness, so that a seed gives the same keys."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._keys: dict[str, bytes] = {}

    def take(self, name: str) -> bytes:
        return self._keys.setdefault(name, self._keys.get(name) or self._rng.randbytes(KEY_BYTES))

    def find(self, name: str) -> bytes | None:
        return self._keys.get(name)

    def put(self, name: str, key: bytes) -> None:
        self._keys[name] = key

    def names(self, folder: str) -> list[str]:
        return sorted(name for name in self._keys if name.rpartition("/")[0] == folder)

    def destroy(self, name: str) -> None:
        self._keys.pop(name, None)

    def move(self, old: str, new: str) -> None:
        self._keys[new] = self._keys.pop(old)


class KeyFolder:
    """Files of mode 0600 in folders of mode 0700. Several processes may share the folder.

    A key that was read stays in memory for as long as its file is the same one, which every use asks: what another
    process destroyed or put in its place counts from its next use on. Raises SettingsError for a folder that cannot
    be used or that others can read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Never a seeded generator: whoever knows the seed would know the keys.
        self._rng = random.SystemRandom()
        self._root = str(folder)
        self._read: dict[str, tuple[FileState, bytes]] = {}
        _guarded(lambda: _close_root(folder), str(folder))

    def take(self, name: str) -> bytes:
        return self.find(name) or self._make(name)

    def find(self, name: str) -> bytes | None:
        try:
            state = _state(os.stat(f"{self._root}/{name}"))
            known = self._read.get(name)
            if known and known[0] == state:
                return known[1]
            with open(f"{self._root}/{name}", "rb") as file:
                state, raw = _state(os.fstat(file.fileno())), file.read()
        except FileNotFoundError:
            self._read.pop(name, None)
            return None
        except OSError as error:
            raise SettingsError(f"the key {name} cannot be read ({error.strerror})") from error
        if len(raw) != KEY_BYTES:
            raise SettingsError(f"the key {name} is damaged: {len(raw)} bytes instead of {KEY_BYTES}")
        if len(self._read) >= READ_AT_MOST:
            self._read.clear()
        self._read[name] = state, raw
        return raw

    def put(self, name: str, key: bytes) -> None:
        path = self.folder / name
        private_folder(path.parent)
        draft = self._draft(path)

        def write_and_replace() -> None:
            _write_private(draft, key)
            draft.replace(path)
            _sync_folder(path.parent)

        _guarded(write_and_replace, name)

    def names(self, folder: str) -> list[str]:
        path = self.folder / folder
        return sorted(f"{folder}/{entry.name}" for entry in path.glob("*.key")) if path.is_dir() else []

    def destroy(self, name: str) -> None:
        self._read.pop(name, None)
        path = self.folder / name

        def overwrite_and_remove() -> None:
            with contextlib.suppress(FileNotFoundError):
                with path.open("r+b") as file:
                    file.write(bytes(KEY_BYTES))
                    file.flush()
                    os.fsync(file.fileno())
                path.unlink()
                _sync_folder(path.parent)

        _guarded(overwrite_and_remove, name)

    def move(self, old: str, new: str) -> None:
        self._read.pop(old, None)
        source, target = self.folder / old, self.folder / new
        private_folder(target.parent)
        source.rename(target)
        _sync_folder(target.parent)
        _sync_folder(source.parent)

    def _draft(self, path: Path) -> Path:
        return path.with_name(f".{path.name}.{os.getpid()}.{self._rng.getrandbits(64):016x}")

    def _make(self, name: str) -> bytes:
        path = self.folder / name
        private_folder(path.parent)
        draft = self._draft(path)

        def write_and_link() -> None:
            try:
                _write_private(draft, self._rng.randbytes(KEY_BYTES))
                # A link never replaces: of two processes that make the same key, both go on with the first one's.
                with contextlib.suppress(FileExistsError):
                    os.link(draft, path)
            finally:
                draft.unlink(missing_ok=True)
            _sync_folder(path.parent)

        _guarded(write_and_link, name)
        return self.find(name) or self._make(name)


def _state(found: os.stat_result) -> FileState:
    """What changes when a file is written or another one takes its name."""
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def private_folder(folder: Path) -> None:
    """Creates the folder with mode 0700, or closes it. Raises SettingsError where it cannot."""

    def create() -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if stat.S_IMODE(folder.stat().st_mode) & 0o077:
            folder.chmod(0o700)

    _guarded(create, str(folder))


def _close_root(folder: Path) -> None:
    """As `private_folder`, but a folder in which keys have stood open to other accounts is refused."""
    if folder.is_dir() and stat.S_IMODE(folder.stat().st_mode) & 0o077 and any(folder.iterdir()):
        raise SettingsError(
            f"the keys' folder {folder} is open to other accounts: whoever may have read its keys, nobody knows; "
            "`chmod 700` closes it"
        )
    private_folder(folder)


def _guarded(work: Callable[[], None], what: str) -> None:
    try:
        work()
    except OSError as error:
        kind = Unavailable if error.errno in NO_ROOM else SettingsError
        raise kind(f"keys cannot be kept in {what} ({error.strerror})") from error


def _write_private(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, content)
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
