"""Other people's software in other languages, fetched once into the cache: Node's packages, and jars by Maven."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.local.kafka import cache_folder
from deploy.local.processes import MissingTool

HERE = Path(__file__).parent
DOWNLOAD_SECONDS = 400.0
RUN_SECONDS = 200.0


def javascript() -> Path:
    """The folder with our scripts and the packages beside them. Raises MissingTool."""
    sources = HERE / "javascript"
    npm = [_tool("npm"), "install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock", "--silent"]
    return _once("javascript", sources, lambda folder: _fetch(npm, folder))


def java(name: str = "java") -> Path:
    """The folder of that name with our sources, and the jars in `libs`. Raises MissingTool."""
    maven = [_tool("mvn"), "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=libs"]
    return _once(name, HERE / name, lambda folder: _fetch([*maven, "-DincludeScope=runtime"], folder))


def said_by(argv: Sequence[str], folder: Path, codes: Sequence[int] = (0,)) -> str:
    """What the program prints. AssertionError with its last words where it ends otherwise."""
    done = subprocess.run([_tool(argv[0]), *argv[1:]], cwd=folder, capture_output=True, text=True, timeout=RUN_SECONDS)
    assert done.returncode in codes, (done.stdout + done.stderr)[-2_000:]
    return done.stdout


def _once(name: str, sources: Path, fetch: Callable[[Path], None]) -> Path:
    """A copy of the sources with what they need, once for each form of them."""
    text = b"".join(path.read_bytes() for path in sorted(sources.iterdir()))
    folder = cache_folder() / f"{name}-{hashlib.sha256(text).hexdigest()[:12]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with TemporaryDirectory(dir=folder.parent) as scratch:
                made = Path(scratch) / "made"
                shutil.copytree(sources, made)
                fetch(made)
                made.rename(folder)
    return folder


def _fetch(argv: Sequence[str], folder: Path) -> None:
    try:
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS)
    except subprocess.TimeoutExpired:
        raise MissingTool(f"{Path(argv[0]).name} did not fetch its packages in {DOWNLOAD_SECONDS} s") from None
    if done.returncode:
        last = " ".join((done.stdout + done.stderr).strip().splitlines()[-3:])
        raise MissingTool(f"{Path(argv[0]).name} could not fetch its packages: {last}")


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise MissingTool(f"{name} is not on this machine")
    return found
