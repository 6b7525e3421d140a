"""A little room on the disk that is kept for a start, so that a system on a full disk can be read again.

Opening a SQLite file takes some room beside it (an index of its WAL), and a clean stop gives that back to whoever
fills the disk.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

RESERVE_BYTES = 1024 * 1024
_NAME = "reserve"


def give_room(folder: Path) -> None:
    """Before the files are opened: the reserve goes where there is less room than it takes."""
    with contextlib.suppress(OSError):
        if shutil.disk_usage(folder).free < RESERVE_BYTES:
            (folder / _NAME).unlink(missing_ok=True)


def keep_room(folder: Path) -> None:
    """Makes the reserve where it is missing and there is room; without any, the next start has to do without."""
    reserve = folder / _NAME
    if reserve.exists():
        return
    try:
        handle = os.open(reserve, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(handle, 0, RESERVE_BYTES)
        finally:
            os.close(handle)
    except OSError:
        # Half of it would be taken for the whole.
        with contextlib.suppress(OSError):
            reserve.unlink(missing_ok=True)
