"""A server of MongoDB's protocol as a child process: SecantusDB, for tests and for trying `mongodb`, never for data.

It is GPL and only ever runs as a process of its own; nothing here imports it.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from deploy.local.processes import LOOPBACK, Child, MissingTool, free_port, port_open

PROGRAM = "secantusd-py"
# Its retryable writes scan a growing table; one member alone cannot roll back, so w=1 from the journal is safe.
OPTIONS = "w=1&journal=true&retryWrites=false"


def program() -> str:
    """The path of the server's program, looked for beside this Python first; MissingTool where there is none."""
    beside = Path(sys.executable).with_name(PROGRAM)
    found = str(beside) if beside.exists() else shutil.which(PROGRAM)
    if not found:
        raise MissingTool(f"{PROGRAM} (package secantusdb) is needed to run a MongoDB-protocol server on this machine")
    return found


class SecantusServer:
    """The server over `folder`, on `port` (a free one where none is given); the port stays over restarts."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.port = port or free_port()
        argv = [program(), "--host", LOOPBACK, "--port", str(self.port), "--storage-path", str(folder / "data")]
        # A settings file of the machine must not change what this one does.
        config = folder / "secantusd.toml"
        folder.mkdir(parents=True, exist_ok=True)
        config.touch()
        argv += ["--config", str(config), "--cache-size", "256M", "--sync-on-commit", "--log-level", "WARNING"]
        self._child = Child("SecantusDB", argv, {}, lambda: port_open(self.port), folder / "secantusd.log")

    @property
    def url(self) -> str:
        return f"mongodb://{LOOPBACK}:{self.port}/?{OPTIONS}"

    @property
    def running(self) -> bool:
        return self._child.running

    def start(self, timeout: float = 30.0) -> None:
        """Blocks until it accepts connections (1 to 3 s; up to 9 s after a crash); ChildFailed where it does not."""
        self._child.start()
        self._child.wait_ready(timeout)

    def stop(self) -> None:
        """Ends it in order. Only then may its folder be removed."""
        self._child.stop()

    def kill(self) -> None:
        """SIGKILL: what it acknowledged from its journal is there at the next start."""
        self._child.kill()

    def freeze(self) -> None:
        self._child.freeze()

    def thaw(self) -> None:
        self._child.thaw()
