"""The command line in processes whose libraries stand imported: each is a fork of one that has done nothing else.

A test of the command line starts dozens of processes, and each would read the same thousand modules again. What runs is
`deploy.cli.main.main` all the same, with words, environment, folder, exit code and signals of its own. That the console
script itself starts is tested with `sankofa` as it is installed.
"""

from __future__ import annotations

import array
import atexit
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any, NoReturn

ROOT = Path(__file__).parents[1]
START_SECONDS = 120.0
REQUEST_BYTES = 1 << 20
STREAMS = 3
DESCRIPTOR = array.array("i").itemsize


class Child:
    """A running command: what `subprocess.Popen` answers to, as far as tests ask it."""

    def __init__(self, pid: int, told: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._told = told

    def poll(self) -> int | None:
        """The exit code, negative for the signal that ended it; None while it runs."""
        return self._asked(0)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code. subprocess.TimeoutExpired where it still runs after that many seconds."""
        code = self._asked(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _asked(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            # Zero would make reading fail at once where nothing is there, with an error of another kind.
            self._told.settimeout(timeout if timeout is None else max(timeout, 0.001))
            try:
                self.returncode = int(json.loads(self._told.recv(64) or b"-9"))
            except TimeoutError:
                return None
            self._told.close()
        return self.returncode


def started(
    words: Sequence[str],
    environment: Mapping[str, str],
    *,
    folder: Path = ROOT,
    given: IO[Any] | None = None,
    output: IO[Any] | None = None,
    errors: IO[Any] | None = None,
) -> Child:
    """`sankofa` with these words, and with this environment alone. Streams that are not named are this process's."""
    told = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    told.connect(_parent())
    streams = [(ours or theirs).fileno() for ours, theirs in zip((given, output, errors), _own(), strict=True)]
    request = json.dumps({"words": list(words), "environment": dict(environment), "folder": str(folder)}).encode()
    assert len(request) <= REQUEST_BYTES
    told.sendmsg([len(request).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", streams))])
    told.sendall(request)
    return Child(int.from_bytes(_exactly(told, 4), "big"), told)


def ran(
    words: Sequence[str],
    environment: Mapping[str, str],
    *,
    folder: Path = ROOT,
    given: str = "",
    timeout: float = 300,
) -> subprocess.CompletedProcess[str]:
    """What the command said, once it has ended. After `timeout` seconds it is killed: subprocess.TimeoutExpired."""
    with tempfile.TemporaryFile("w+") as sent, tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as errors:
        sent.write(given)
        sent.seek(0)
        child = started(words, environment, folder=folder, given=sent, output=said, errors=errors)
        try:
            code = child.wait(timeout)
        except subprocess.TimeoutExpired:
            child.kill()
            raise
        texts = []
        for file in (said, errors):
            file.seek(0)
            texts.append(file.read().decode())
        return subprocess.CompletedProcess(list(words), code, *texts)


def _own() -> Sequence[IO[Any]]:
    return (_nothing(), sys.__stdout__ or _nothing(), sys.__stderr__ or _nothing())


@cache
def _nothing() -> IO[Any]:
    return Path(os.devnull).open("r+b", buffering=0)


@cache
def _parent() -> str:
    """The address of this process's own parent of commands, which ends with it."""
    address = str(Path(tempfile.mkdtemp(prefix="console-")) / "asked")
    errors = Path(address).with_name("errors")
    with errors.open("wb") as file:
        argv = [sys.executable, "-m", "tests.console", address]
        parent = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=file, stderr=file)
    deadline = time.monotonic() + START_SECONDS
    while not Path(address).exists():
        assert parent.poll() is None, errors.read_text()
        assert time.monotonic() < deadline, "the commands' parent did not start"
        time.sleep(0.02)
    _held.append(parent)
    return address


# Its standard input stays open as long as this process lives.
_held: list[subprocess.Popen[bytes]] = []


def _exactly(of: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = of.recv(size - len(found))
        assert part, "the other end of a command is gone"
        found += part
    return found


def _serve(address: str) -> tuple[Sequence[str], Mapping[str, str], str] | None:
    """Answers requests until the standard input ends. In a fork that is to run a command: that command, else None."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(f"{address}.bound")
    listener.listen(64)
    os.rename(f"{address}.bound", address)
    os.set_blocking(sys.stdin.fileno(), False)
    # Whoever waits for a command waits for its end; nobody waits for those who wait.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener.settimeout(0.2)
    while not _ended():
        try:
            asked, _ = listener.accept()
        except TimeoutError:
            continue
        asked.setblocking(True)
        if os.fork() == 0:
            listener.close()
            return _attended(asked)
        asked.close()
    return None


def _ended() -> bool:
    try:
        return os.read(sys.stdin.fileno(), 1) == b""
    except BlockingIOError:
        return False


def _attended(asked: socket.socket) -> tuple[Sequence[str], Mapping[str, str], str]:
    """In the fork that waits: forks the command, tells its id and its end. Returns in the command alone."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, ancillary, _, _ = asked.recvmsg(4, socket.CMSG_SPACE(STREAMS * DESCRIPTOR))
    streams = array.array("i", ancillary[0][2])
    request = json.loads(_exactly(asked, int.from_bytes(size, "big")))
    pid = os.fork()
    if pid:
        for stream in streams:
            os.close(stream)
        asked.sendall(pid.to_bytes(4, "big"))
        _, status = os.waitpid(pid, 0)
        asked.sendall(json.dumps(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    asked.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    return request["words"], request["environment"], request["folder"]


def _run(words: Sequence[str], environment: Mapping[str, str], folder: str) -> NoReturn:
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    sys.argv = ["sankofa", *words]
    code: Any = None
    try:
        importlib.import_module("deploy.cli.main").main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    # Some libraries that stand imported would tell of themselves as the interpreter is taken down.
    os._exit(code or 0)


def _prepare() -> None:
    importlib.import_module("deploy.cli.main").app_of(())
    for name in importlib.import_module("shared.services").SERVICES:
        importlib.import_module(f"services.{name}.app")
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    _prepare()
    command = _serve(sys.argv[1])
    if command is not None:
        _run(*command)
