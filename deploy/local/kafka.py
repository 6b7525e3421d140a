"""Apache Kafka as a child process: one node from its published artifacts, for `up --log kafka` and for tests."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

from deploy.local.processes import LOOPBACK, Child, ChildFailed, MissingTool, free_port, port_open
from shared.clock import derived_id

POM = Path(__file__).parent / "kafka" / "pom.xml"
JAVA_MEMORY = ("-Xmx384m", "-Xms256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
DOWNLOAD_SECONDS = 300
READY_SECONDS = 60.0
STOP_SECONDS = 15.0

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers={host}:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
offsets.retention.minutes=2147483647
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
log.cleaner.backoff.ms=1000
log.cleaner.dedupe.buffer.size=8388608
log.segment.delete.delay.ms=1000
"""


def cache_folder() -> Path:
    """Where fetched programs are kept: `SANKOFA_CACHE`, else `.cache` beside the project's pyproject.toml."""
    return Path(os.environ.get("SANKOFA_CACHE") or Path(__file__).resolve().parents[2] / ".cache")


def tool(name: str) -> str:
    """The path of a program; MissingTool where this machine has none."""
    found = shutil.which(name)
    if found is None:
        raise MissingTool(f"Apache Kafka needs {name} (Java 17 and Maven), which is not on this machine")
    return found


def libraries() -> Path:
    """The folder of Kafka's jars, fetched by Maven once a version of pom.xml."""
    name = hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    folder = cache_folder() / f"kafka-{name}"
    if folder.exists():
        return folder
    maven = tool("mvn")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "kafka.lock").open("w") as lock:
        # Two test runs may come here at once; a half-copied folder would look whole to the second.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
                _copy_dependencies(maven, Path(scratch) / "libs")
                (Path(scratch) / "libs").rename(folder)
    return folder


def _copy_dependencies(maven: str, target: Path) -> None:
    command = [maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"]
    options = [f"-DoutputDirectory={target}", "-DincludeScope=runtime"]
    try:
        done = subprocess.run(
            [*command, *options], capture_output=True, text=True, timeout=DOWNLOAD_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise MissingTool(f"Maven did not fetch Apache Kafka within {DOWNLOAD_SECONDS} s") from None
    if done.returncode:
        last = (done.stdout + done.stderr).strip().splitlines()[-3:]
        raise MissingTool(f"Maven could not fetch Apache Kafka: {' '.join(last)}")


class KafkaServer:
    """One node, broker and controller, on a loopback port; its data stays in `folder` over restarts.

    `start` blocks until it answers (two to five seconds); call it in a pool where an event loop runs.
    Raises MissingTool without Java or Maven, ChildFailed with the log's last lines where it does not come up.
    """

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder
        self.port = port or free_port()
        self._child: Child | None = None

    @property
    def bootstrap_servers(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.running

    def start(self) -> None:
        if self.running:
            return
        java = tool("java")
        classpath = f"{libraries()}/*"
        self.folder.mkdir(parents=True, exist_ok=True)
        properties = self.folder / "server.properties"
        data = self.folder / "data"
        ports = {"port": self.port, "controller_port": self._controller_port()}
        properties.write_text(PROPERTIES.format(host=LOOPBACK, data=data, **ports))
        if not (data / "meta.properties").exists():
            self._format(java, classpath, properties)
        argv = [java, *JAVA_MEMORY, "-cp", classpath, "kafka.Kafka", str(properties)]
        self._child = Child("Apache Kafka", argv, {}, self._ready, self.folder / "server.log")
        self._child.start()
        try:
            self._child.wait_ready(READY_SECONDS)
        except ChildFailed:
            self._child.kill()
            raise

    def stop(self) -> None:
        """SIGTERM: the broker hands over and closes its files; SIGKILL after 15 s."""
        if self._child is not None:
            self._child.stop(STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL, as a crash; `start` takes the folder up again."""
        if self._child is not None:
            self._child.kill()

    def freeze(self) -> None:
        if self._child is not None:
            self._child.freeze()

    def thaw(self) -> None:
        if self._child is not None:
            self._child.thaw()

    def _controller_port(self) -> int:
        """The same over restarts: the quorum's own log names it as its one voter's address."""
        kept = self.folder / "controller.port"
        if not kept.exists():
            kept.write_text(str(free_port()))
        return int(kept.read_text())

    def _ready(self) -> bool:
        return port_open(self.port)

    def _format(self, java: str, classpath: str, properties: Path) -> None:
        # The tool reads an id that begins with a dash as an option.
        cluster = base64.urlsafe_b64encode(uuid.UUID(derived_id("kafka", str(self.folder))).bytes)[:22].decode()
        command = [java, *JAVA_MEMORY, "-cp", classpath, "kafka.tools.StorageTool", "format", "--standalone"]
        done = subprocess.run(
            [*command, "-t", cluster.replace("-", "A"), "-c", str(properties)],
            capture_output=True,
            text=True,
            timeout=READY_SECONDS,
            check=False,
        )
        if done.returncode:
            last = (done.stdout + done.stderr).strip().splitlines()[-3:]
            raise ChildFailed(f"Apache Kafka could not format {self.folder}: {' '.join(last)}")
