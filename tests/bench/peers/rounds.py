"""Rounds in which each consumer reads all events once, in a process and a group of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from deploy.local.kafka import KafkaServer
from deploy.local.processes import MissingTool
from services.monitoring.settings import cores
from shared.clock import RealRuntime
from shared.messaging.kafka import KafkaLog
from shared.messaging.topics import TOPICS
from tests.bench.peers import environment
from tests.bench.peers.events import TOPIC, fill
from tests.bench.rows import QUICK_RUNS, RUNS, NotMeasured, Result, Row

EVENTS, EVENTS_QUICK = 200_000, 40_000
RUN_SECONDS = 300.0
HERE = Path(__file__).parent
ROOT = HERE.parents[2]
OURS = ("member", "rebuild", "whole")
PEERS = {
    "bare_loop": "bare aiokafka loop",
    "faststream_batch": "FastStream in batches",
    "faststream_single": "FastStream, one message at a time",
    "quix": "Quix Streams without state",
    "quix_state": "Quix Streams with state",
}
SAME = (
    "{events} events of matches ({size:.0f} bytes with headers) in 6 partitions of one Kafka node; events and distinct "
    "persons by programme, office, type and month; timed from the first event to the last; five rounds of all"
)
HOW_PEER = (
    "{peer}: {same}; in one process; beside aiokafka's `getmany` of 500 with `json.loads` and a commit after each."
)
HOW_MEMBER = (
    "ours: `Log.subscribe` with a handler that validates each body with pydantic and keeps the same projection; beside "
    "the same bare loop, which parses JSON and validates nothing."
)
HOW_REBUILD = (
    "ours: the same projection by the passes of monitoring's rebuild, in a process for each of {cores} cores: no "
    "group, every header and body checked as monitoring checks them, then counts, persons and positions in one "
    "transaction of a DuckDB file; beside Quix Streams {quix} with state (RocksDB and a changelog topic) in one "
    "process of several threads, which keeps the projection under each record's key, its cheapest form. What starts "
    "before the first event counts for neither."
)
HOW_WHOLE = (
    "ours: monitoring's rebuild of its whole read model (every event as a row, facts with joined attributes, "
    "positions, in a DuckDB file) from all topics, {total} records with the assignments that the matches name, then "
    "the projection as one query; beside the same Quix Streams, which keeps the projection alone."
)
SHORT = {
    "member": "the handler's validation, and the port's records, commits and watch.",
    "rebuild": "none of processor time, of which it takes less than half of the other's: it needs both cores, which "
    "other work took a part of.",
    "whole": "of 17 us of processor time 6.5 go into reading and "
    "checking (half of it the client's answers with their checksums, then headers, bodies and Arrow's tables), 4 into "
    "deriving facts, 2.5 each into the compressed writing of events and of facts. On the clock the last quarter is "
    "one core's: the facts of the last pass, and their table.",
}


@dataclass(frozen=True)
class Said:
    """What one consumer said: events a second, and microseconds of its process's processor time an event."""

    rate: float
    processor: float
    cells: dict[str, int]


class Rounds:
    """The servers' address, the peers' Python, and what was said by consumer, one entry a round."""

    def __init__(self, servers: str, python: Path, events: int, total: int, folder: Path) -> None:
        self.servers = servers
        self.python = python
        self.events = events
        self.total = total
        self.folder = folder
        self.said: dict[str, list[Said]] = {name: [] for name in (*PEERS, *OURS)}

    async def once(self, number: int) -> None:
        """Every consumer once; RuntimeError where one fails or counts otherwise than the bare loop."""
        for name in self.said:
            said = await self._run(name, number)
            if name != "bare_loop" and said.cells != self.said["bare_loop"][0].cells:
                raise RuntimeError(f"{name} has other counts than the bare loop")
            self.said[name].append(said)

    async def _run(self, name: str, number: int) -> Said:
        folder = self.folder / f"{name}-{number}"
        folder.mkdir()
        events = self.total if name == "whole" else self.events
        arguments = [self.servers, TOPIC, f"bench-{name}-{number}", str(events), str(folder)]
        if name in OURS:
            command, around = [sys.executable, "-m", "tests.bench.peers.ours", name], dict(os.environ)
        else:
            command, around = [str(self.python), str(HERE / f"{name}.py")], environment.environment()
        said = await _output([*command, *arguments], around, name)
        return Said(said["events"] / said["seconds"], said["processor"] / said["events"] * 1e6, said["cells"])

    def rate(self, name: str) -> float:
        return median(said.rate for said in self.said[name])

    def processor(self, name: str) -> float:
        return median(said.processor for said in self.said[name])

    def ratios(self, name: str, beside: str) -> tuple[float, ...]:
        return tuple(a.rate / b.rate for a, b in zip(self.said[name], self.said[beside], strict=True))


async def _output(command: list[str], around: dict[str, str], name: str) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env=around, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), RUN_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise RuntimeError(f"{name} did not end within {RUN_SECONDS:g} s") from None
    lines = [line for line in out.decode(errors="replace").splitlines() if line.startswith("{")]
    if process.returncode or not lines:
        last = (err.decode(errors="replace").strip().splitlines() or ["nothing on standard error"])[-1]
        raise RuntimeError(f"{name} ended with {process.returncode}: {last[:200]}")
    said: dict[str, Any] = json.loads(lines[-1])
    return said


async def rows(quick: bool) -> list[Result]:
    """A line for each peer beside the bare loop, one for our member, one for our rebuild beside Quix with state."""
    events = EVENTS_QUICK if quick else EVENTS
    with tempfile.TemporaryDirectory() as scratch:
        server = KafkaServer(Path(scratch) / "kafka")
        try:
            python = await asyncio.to_thread(environment.python)
            await asyncio.to_thread(server.start)
        except (MissingTool, RuntimeError) as error:
            return [NotMeasured("Consumers of other making", str(error))]
        try:
            total, size = await _filled(server.bootstrap_servers, events)
            rounds = Rounds(server.bootstrap_servers, python, events, total, Path(scratch))
            for number in range(QUICK_RUNS if quick else RUNS):
                await rounds.once(number)
        finally:
            await asyncio.to_thread(server.stop)
        return _rows(rounds, size, await asyncio.to_thread(_versions, python))


async def _filled(servers: str, events: int) -> tuple[int, float]:
    runtime = RealRuntime()
    log = KafkaLog(servers, list(TOPICS.values()), runtime, client_id="bench")
    await log.start()
    try:
        return await fill(log, events)
    finally:
        await log.stop()
        runtime.close()


def _versions(python: Path) -> dict[str, str]:
    metadata = next((python.parents[1] / "lib").glob("python*")) / "site-packages"
    names = ("aiokafka", "faststream", "quixstreams", "pydantic")
    return {name: next(metadata.glob(f"{name}-*.dist-info")).name.split("-")[1].removesuffix(".dist") for name in names}


def _rows(rounds: Rounds, size: float, versions: dict[str, str]) -> list[Result]:
    same = SAME.format(events=rounds.events, size=size)
    labels = {
        "faststream_batch": f"FastStream {versions['faststream']} in batches of raw bytes, validated by pydantic "
        f"{versions['pydantic']}, positions after the handler",
        "faststream_single": f"FastStream {versions['faststream']} with a pydantic argument, headers by a decoder",
        "quix": f"Quix Streams {versions['quixstreams']}, one `update` an event",
        "quix_state": f"Quix Streams {versions['quixstreams']} with state in RocksDB and a changelog topic",
    }
    found: list[Result] = [
        _line(rounds, f"Peer: {PEERS[name]}", name, "bare_loop", HOW_PEER.format(peer=label, same=same), None)
        for name, label in labels.items()
    ]
    clients = f" aiokafka {versions['aiokafka']} there, {version('aiokafka')} here."
    found.append(_line(rounds, "Live path: a member of a group", "member", "bare_loop", HOW_MEMBER + clients, 0.8))
    how = HOW_REBUILD.format(cores=cores(), quix=versions["quixstreams"])
    found.append(
        _line(rounds, "Rebuild of the projection beside Quix Streams with state", "rebuild", "quix_state", how, 2.0)
    )
    how = HOW_WHOLE.format(total=rounds.total)
    found.append(_line(rounds, "Rebuild of the whole read model beside the same", "whole", "quix_state", how, 2.0))
    return found


def _line(rounds: Rounds, named: str, name: str, beside: str, how: str, goal: float | None) -> Row:
    return Row(
        named,
        "events/s",
        rounds.rate(name),
        how + _used(rounds, name, beside),
        rounds.rate(beside),
        rounds.ratios(name, beside),
        goal,
        short=SHORT.get(name, ""),
    )


def _used(rounds: Rounds, name: str, beside: str) -> str:
    return (
        f" Processor time of all its processes: {rounds.processor(name):.0f} us an event, beside "
        f"{rounds.processor(beside):.0f}."
    )
