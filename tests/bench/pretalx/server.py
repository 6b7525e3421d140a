"""A pretalx with its Redis as child processes, in the environment that `requirements/pretalx.txt` locks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.processes import Child, MissingTool, free_port, port_open
from tests.bench.peers import environment

LOCK = environment.LOCK.with_name("pretalx.txt")
VERSION, REDIS = "3.13", "redis-server"
SLUG = "conference"
WORKERS = 2
SECONDS = 480
SEED = Path(__file__).with_name("seed.py")


@dataclass(frozen=True)
class Pretalx:
    """A running one. `cookie`: of an organiser who is signed in; `version`: as it is installed."""

    url: str
    cookie: Mapping[str, str]
    version: str

    @property
    def form(self) -> str:
        """Leads to the first step of a new submission."""
        return f"{self.url}/{SLUG}/submit/"

    def listed(self, many: int) -> str:
        return f"{self.url}/orga/event/{SLUG}/submissions/?page_size={many}"


@contextmanager
def pretalx(folder: Path) -> Iterator[Pretalx]:
    """Migrated, filled and ready; its data stay with its environment, since migrating takes minutes.

    Raises MissingTool, ChildFailed; RuntimeError where it cannot be set up.
    """
    if shutil.which(REDIS) is None:
        raise MissingTool(f"pretalx needs {REDIS}, which is not on this machine (`make redis`)")
    python = environment.python(LOCK, _interpreter())
    redis_port, port = free_port(), free_port()
    data = python.parents[1] / "data"
    said = _settings(data, redis_port, port)
    argv = [REDIS, "--port", str(redis_port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    redis = Child("Redis", argv, {}, lambda: port_open(redis_port), folder / "redis.log")
    served = [
        str(python.with_name("gunicorn")),
        "pretalx.wsgi",
        "-w",
        str(WORKERS),
        "-b",
        f"127.0.0.1:{port}",
        "--no-control-socket",
    ]
    web = Child("pretalx", served, said, lambda: port_open(port), folder / "pretalx.log")
    try:
        redis.start()
        redis.wait_ready()
        if not (filled := data / "filled").exists():
            shutil.rmtree(data, ignore_errors=True)
            for words in (("migrate", "--noinput"), ("rebuild", "--silent")):
                _ran([str(python), "-m", "pretalx", *words], said)
        cookie = json.loads(_ran([str(python), str(SEED), SLUG], said).splitlines()[-1])
        filled.touch()
        web.start()
        web.wait_ready(SECONDS)
        installed = _ran([str(python), "-c", "from importlib.metadata import version; print(version('pretalx'))"], {})
        yield Pretalx(f"http://127.0.0.1:{port}", cookie, installed.strip())
    finally:
        web.stop()
        redis.stop()


def _interpreter() -> str:
    """Where Python 3.13 is; one that pyenv keeps runs only where its version is asked for."""
    asked, missing = {**os.environ, "PYENV_VERSION": VERSION}, MissingTool(f"pretalx needs Python {VERSION}")
    try:
        argv = [f"python{VERSION}", "-c", "import sys; print(sys.executable)"]
        found = subprocess.run(argv, env=asked, capture_output=True, text=True, check=True, timeout=SECONDS)
    except (OSError, subprocess.CalledProcessError):
        raise missing from None
    return found.stdout.strip()


def _settings(data: Path, redis_port: int, port: int) -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "pretalx.settings",
        "PRETALX_DATA_DIR": str(data),
        "PRETALX_FILESYSTEM_STATIC": str(data / "static"),
        "PRETALX_REDIS": f"redis://127.0.0.1:{redis_port}/1",
        "PRETALX_SITE_URL": f"http://127.0.0.1:{port}",
        "PRETALX_DEBUG": "False",
    }


def _ran(argv: list[str], said: Mapping[str, str]) -> str:
    """What it wrote; RuntimeError with its last line where it failed."""
    whole = {**environment.environment(), **said}
    done = subprocess.run(argv, env=whole, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing on standard error"])[-1]
        raise RuntimeError(f"{' '.join(argv[1:4])}: {last[:200]}")
    return done.stdout
