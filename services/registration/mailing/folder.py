"""A folder of `.eml` files, where no mail server is set: each can be opened in a mail program."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import Mapping
from pathlib import Path

from services.registration.mailing.channel import Mail, composed
from shared.clock import Runtime
from shared.errors import Unavailable


class Folder:
    """One file a message, named by it: sent once more, it takes the place of the first. The files hold addresses.

    What is sent while others are written goes with the next ones: a hand-over to a thread costs as much as a file.
    """

    def __init__(self, folder: Path, sender: str, runtime: Runtime) -> None:
        self._folder = folder
        self._sender = sender
        self._runtime = runtime
        self._waiting: dict[str, bytes] = {}
        self._round: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()

    async def send(self, mail: Mail) -> None:
        self._waiting[mail.id] = composed(mail, self._sender)
        if self._round is None:
            self._round = self._runtime.spawn(self._write_waiting(), "mail-folder")
        # Several wait for the round; one that is cancelled must not end it for the others.
        await asyncio.shield(self._round)

    async def _write_waiting(self) -> None:
        """Raises Unavailable where one of them cannot be written: who sent them sends again."""
        async with self._writing:
            waiting, self._waiting, self._round = self._waiting, {}, None
            await self._runtime.in_pool(lambda: self._write_all(waiting))

    async def forget(self, id: str) -> None:
        await self._runtime.in_pool(lambda: self._remove(id))

    def _path(self, id: str) -> Path:
        return self._folder / f"{id}.eml"

    def _write_all(self, waiting: Mapping[str, bytes]) -> None:
        for id, whole in waiting.items():
            self._write(id, whole)

    def _remove(self, id: str) -> None:
        """The mail, and what a crash in the middle of writing it left. Raises Unavailable."""
        try:
            for path in (self._path(id), *self._folder.glob(f".{id}.*")):
                path.unlink(missing_ok=True)
        except OSError as error:
            raise Unavailable(f"mail: {error.strerror}") from None

    def _write(self, id: str, whole: bytes) -> None:
        beside = self._folder / f".{id}.{os.getpid()}"
        try:
            try:
                _write_durably(beside, whole)
            except FileNotFoundError:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                _write_durably(beside, whole)
            beside.rename(self._path(id))
        except OSError as error:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            raise Unavailable(f"mail: {error.strerror}") from None


def _write_durably(path: Path, whole: bytes) -> None:
    with path.open("wb", buffering=0) as file:
        # A file takes all of it at once, or says how much there was room for.
        if file.write(whole) != len(whole):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file.fileno())
