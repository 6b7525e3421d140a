"""Connections that pass between the two processes of one system, which listen at one port.

One process accepts; the first part of a request's path says whose it is, and a connection whose next request is the
other process's goes there as it stands, with what has been read of it. So no answer of a service passes through another
service's process.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
from collections.abc import Callable

# More of a request than a message between the processes takes goes beside it.
MESSAGE_BYTES = 64 * 1024
_LINE = re.compile(rb"[A-Z]{1,20} /([a-z-]{0,24})(?=[/? ])")
_BEGUN = re.compile(rb"[A-Z]{0,20}|[A-Z]{1,20} (?:/[a-z-]{0,24})?")

# So that no message is empty.
_END = b"."

Adopt = Callable[[socket.socket, bytes], None]


class Passing:
    """This process's end. `theirs`: whether the other process answers paths with that first part."""

    def __init__(self, line: socket.socket, theirs: Callable[[str], bool]) -> None:
        self._line = line
        self._line.setblocking(False)
        self._theirs = theirs

    def leads(self, begun: bytes) -> bool | None:
        """Whether a request that begins so is the other process's; None where that cannot be told yet."""
        line = _LINE.match(begun)
        if line is not None:
            return self._theirs(line[1].decode())
        return None if _BEGUN.fullmatch(begun) else False

    def hand_over(self, connection: int, begun: bytes) -> bool:
        """Gives a copy of the connection's file and what was read to the other process; False where it takes none."""
        try:
            with contextlib.closing(_Beside(begun)) as beside:
                socket.send_fds(self._line, [beside.message, _END], [connection, *beside.files])
        except OSError:
            return False
        return True

    def start(self, adopt: Adopt) -> None:
        """`adopt` is called with each connection that comes."""
        asyncio.get_running_loop().add_reader(self._line, self._read, adopt)

    def stop(self) -> None:
        asyncio.get_running_loop().remove_reader(self._line)
        self._line.close()

    def _read(self, adopt: Adopt) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                said, files, _, _ = socket.recv_fds(self._line, MESSAGE_BYTES + 1, 2)
                if not said:
                    # The other process has gone, which others hear of.
                    asyncio.get_running_loop().remove_reader(self._line)
                    return
                begun = said[:-1] if len(files) == 1 else _read_back(files[1])
                adopt(socket.socket(fileno=files[0]), begun)


class _Beside:
    """What is too long for a message, as a file in memory."""

    def __init__(self, begun: bytes) -> None:
        self.message, self.files = begun, list[int]()
        if len(begun) > MESSAGE_BYTES:
            self.message, self.files = b"", [os.memfd_create("begun")]
            os.pwrite(self.files[0], begun, 0)

    def close(self) -> None:
        for file in self.files:
            os.close(file)


def _read_back(file: int) -> bytes:
    with open(file, "rb") as beside:
        beside.seek(0)
        return beside.read()
