"""A container engine for tests: the one that runs, or one of our own; and the images that the compose file names.

No image is fetched. A base is made by debootstrap, and what the compose file takes from public registries is stood
in for by images of the same users, folders and programs: `stand_ins/`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from importlib.metadata import requires
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from deploy.local.kafka import cache_folder, libraries
from deploy.local.processes import Child, ChildFailed

ROOT = Path(__file__).parents[2]
STAND_INS = Path(__file__).with_name("stand_ins")
PROGRAMS = ("docker", "docker-compose", "debootstrap")
BASE = "sankofa-test/base:bookworm"
BASE_PACKAGES = "python3,python3-venv,ca-certificates"
# With these a machine behind a registry of its own reaches it from inside, too.
MACHINE_FILES = ("etc/pip.conf", "etc/ssl/certs/ca-certificates.crt")
BUILD_SECONDS = 900
START_SECONDS = 40.0


class EngineAway(Exception):
    """No container engine can be had on this machine; the message says what is missing."""


class Engine:
    """Runs `docker` and `docker-compose` against one engine. `start` raises EngineAway."""

    def __init__(self) -> None:
        # The classic builder: it needs no further program, and lets a build use the machine's network.
        self.environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
        self._child: Child | None = None
        self._folder: Path | None = None

    def start(self) -> None:
        missing = [program for program in PROGRAMS if shutil.which(program) is None]
        if missing:
            raise EngineAway(f"{', '.join(missing)} not on this machine")
        if not self._answers():
            self._start_own()

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop(60)
        if self._folder is not None:
            for line in Path("/proc/self/mounts").read_text().splitlines():
                # The engine leaves the network's namespace mounted.
                if (mounted := line.split()[1]).startswith(f"{self._folder}/"):
                    subprocess.run(["umount", mounted], timeout=30, check=True)
            shutil.rmtree(self._folder)

    def run(
        self,
        *words: str,
        seconds: float = 120,
        check: bool = True,
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """What the command said on standard output; AssertionError with both outputs where it fails and may not."""
        done = subprocess.run(
            words,
            cwd=ROOT,
            env={**self.environment, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert not check or done.returncode == 0, f"{' '.join(words)}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def inspected(self, container: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("docker", "inspect", container))[0]
        return found

    def _answers(self) -> bool:
        said = subprocess.run(["docker", "info"], env=self.environment, capture_output=True, timeout=30, check=False)
        return said.returncode == 0

    def _start_own(self) -> None:
        if shutil.which("dockerd") is None or os.geteuid() != 0:
            raise EngineAway("none answers, and one is started by root with dockerd alone")
        self._folder = Path(tempfile.mkdtemp(prefix="engine-"))
        socket = f"unix://{self._folder / 'engine.sock'}"
        self.environment["DOCKER_HOST"] = socket
        images = cache_folder() / "containers"
        argv = ["dockerd", "-H", socket, "--data-root", str(images), "--exec-root", str(self._folder / "run")]
        argv += ["--pidfile", str(self._folder / "engine.pid")]
        self._child = Child("dockerd", argv, {}, self._answers, self._folder / "dockerd.log")
        self._child.start()
        try:
            self._child.wait_ready(START_SECONDS)
        except ChildFailed as error:
            last = str(error).splitlines()[-1]
            self.stop()
            raise EngineAway(f"dockerd does not start: {last}") from None


class Images:
    """Makes the images; each call names what it made. What is unchanged comes from the engine's own cache."""

    def __init__(self, engine: Engine, scratch: Path) -> None:
        self._engine = engine
        self._scratch = scratch

    def base(self) -> str:
        """Debian with Python, once a machine: it takes one to five minutes."""
        if not self._engine.run("docker", "images", "-q", BASE).strip():
            root = self._scratch / "base"
            options = ["--variant=minbase", f"--include={BASE_PACKAGES}"]
            self._engine.run("debootstrap", *options, "bookworm", str(root), seconds=BUILD_SECONDS)
            for name in MACHINE_FILES:
                if Path("/", name).exists():
                    shutil.copyfile(Path("/", name), root / name)
            packed = self._scratch / "base.tar"
            self._engine.run("tar", "-C", str(root), "-cf", str(packed), ".")
            shutil.rmtree(root)
            self._engine.run("docker", "import", str(packed), BASE)
            packed.unlink()
        return BASE

    def own(self) -> str:
        """The project's image from its own Dockerfile on the base."""
        return self._built("sankofa", ROOT, f"PYTHON_IMAGE={BASE}", "-f", str(ROOT / "deploy" / "image" / "Dockerfile"))

    def kafka(self) -> str:
        context = self._context("kafka")
        shutil.copytree(libraries(), context / "libs")
        return self._built("kafka", context, f"BASE={BASE}")

    def mongodb(self) -> str:
        context = self._context("mongodb")
        (context / "requirements.txt").write_text(locked("secantusdb"))
        return self._built("mongodb", context, f"BASE={BASE}")

    def proxy(self) -> str:
        return self._built("proxy", self._context("proxy"), f"BASE={BASE}")

    def _context(self, name: str) -> Path:
        return Path(shutil.copytree(STAND_INS / name, self._scratch / name))

    def _built(self, name: str, context: Path, argument: str, *options: str) -> str:
        tag = f"sankofa-test/{name}:1"
        words = ["docker", "build", "-q", "--network", "host", "--build-arg", argument, "-t", tag, *options]
        self._engine.run(*words, str(context), seconds=BUILD_SECONDS)
        return tag


def locked(package: str) -> str:
    """The lines of requirements/dev.txt, with hashes, of a package and all it needs."""
    names = _needed(package, set())
    lines = re.findall(r"(?m)^[a-z0-9].*(?:\n +.*)*", (ROOT / "requirements" / "dev.txt").read_text())
    return "\n".join(block for block in lines if re.split(r"[=\[ ]", block)[0] in names) + "\n"


def _needed(package: str, known: set[str]) -> set[str]:
    if package not in known:
        known.add(package)
        for line in requires(package) or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                _needed(requirement.name.lower(), known)
    return known
