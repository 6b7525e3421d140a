"""`python -m tests.bench.load.generator TASK`: an open loop of registrations, each of another made-up person.

A request is sent when its time has come, whether earlier ones were answered or not, and waits from that time on: a
system that is slow to accept gets no fewer requests and no better latencies. Beside it the generator asks for the
indicator, as a page would. What it saw is written as JSON to the task's `out`.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.load.persons import Persons

POLL_SECONDS = 0.5
AHEAD_SECONDS = 1.0


@dataclass(frozen=True)
class Task:
    """`rate` a second for so many `seconds`; people are numbered from `first` on; after the last request it waits at
    most `wait_seconds` for answers and for the indicator, which stood at `counted` before."""

    port: int
    issuer: str
    key: str
    rate: float
    seconds: float
    first: int
    counted: int
    wait_seconds: float
    connections: int
    out: str


@dataclass
class Sent:
    """One request. Instants in seconds since 1970; `status` 0: no answer came; `after`: Retry-After in seconds."""

    planned: float
    answered: float = 0.0
    status: int = 0
    after: float | None = None
    subject: str | None = None


@dataclass
class Seen:
    """All that the generator saw. `polls`: the indicator, by the instant at which its answer came. `processor`: seconds
    of processor time that the generator took while it sent, which the system did not have."""

    sent: list[Sent] = field(default_factory=list)
    polls: list[tuple[float, int]] = field(default_factory=list)
    late: float = 0.0
    processor: float = 0.0


class Connection(asyncio.Protocol):
    """One request at a time over HTTP/1.1."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[tuple[int, dict[str, str], bytes]] | None = None
        self._read = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def connection_lost(self, _error: Exception | None) -> None:
        self.transport = None
        if self._waiter and not self._waiter.done():
            self._waiter.set_exception(ConnectionResetError())

    def data_received(self, data: bytes) -> None:
        self._read += data
        end = self._read.find(b"\r\n\r\n")
        if end < 0 or self._waiter is None:
            return
        first, *lines = self._read[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        whole = end + 4 + int(headers.get("content-length", "0"))
        if len(self._read) < whole:
            return
        body = bytes(self._read[end + 4 : whole])
        del self._read[:whole]
        if headers.get("connection") == "close" and self.transport:
            self.transport.close()
            self.transport = None
        if not self._waiter.done():
            self._waiter.set_result((int(first.split(" ", 2)[1]), headers, body))

    async def ask(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """Raises OSError where the connection is gone."""
        if self.transport is None:
            raise ConnectionResetError
        self._waiter = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self._waiter


class Client:
    """A bounded number of connections, each used again once it is answered."""

    def __init__(self, port: int, connections: int) -> None:
        self._port = port
        self._free: deque[Connection] = deque()
        self._places = asyncio.Semaphore(connections)

    async def ask(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """Raises OSError where nobody answers."""
        async with self._places:
            connection = await self._connection()
            answer = await connection.ask(request)
            self._free.append(connection)
            return answer

    async def _connection(self) -> Connection:
        while self._free:
            connection = self._free.pop()
            if connection.transport is not None:
                return connection
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(Connection, "127.0.0.1", self._port)
        return made


class Generator:
    def __init__(self, task: Task) -> None:
        self._task = task
        self._persons = Persons(task.issuer, Path(task.key).read_bytes(), task.port)
        self._client = Client(task.port, task.connections)
        self._asking = Client(task.port, 1)
        self.seen = Seen()

    async def run(self) -> Seen:
        task, asked = self._task, list[asyncio.Task[None]]()
        many = round(task.rate * task.seconds)
        # Made before the load begins, so that the generator has its processor time for sending.
        requests = deque(self._persons.registration(task.first + number) for number in range(many))
        print("begins", flush=True)
        spread, at = random.Random(task.first), time.time() + AHEAD_SECONDS
        polling, spent = asyncio.ensure_future(self._poll()), time.process_time()
        while requests:
            if (ahead := at - time.time()) > 0:
                await asyncio.sleep(ahead)
            self.seen.late = max(self.seen.late, -ahead)
            sent = Sent(at)
            self.seen.sent.append(sent)
            asked.append(asyncio.ensure_future(self._send(sent, requests.popleft())))
            at += spread.expovariate(task.rate)
        self.seen.processor = time.process_time() - spent
        print("sent", flush=True)
        await asyncio.wait(asked, timeout=task.wait_seconds)
        await self._counted(polling)
        for one in (*asked, polling):
            one.cancel()
        await asyncio.gather(*asked, polling, return_exceptions=True)
        return self.seen

    async def _send(self, sent: Sent, request: bytes) -> None:
        try:
            status, headers, body = await self._client.ask(request)
        except OSError:
            return
        sent.answered, sent.status = time.time(), status
        if "retry-after" in headers:
            sent.after = float(headers["retry-after"])
        if status == 202:
            sent.subject = json.loads(body)["subject"]

    async def _poll(self) -> None:
        question = self._persons.indicator()
        while True:
            try:
                status, _, body = await self._asking.ask(question)
                if status == 200:
                    self.seen.polls.append((time.time(), int(json.loads(body)["value"] or 0)))
            except OSError:
                pass
            await asyncio.sleep(POLL_SECONDS)

    async def _counted(self, polling: asyncio.Task[None]) -> None:
        """Until the indicator counts all that was acknowledged, at most as long as the task says."""
        wanted = self._task.counted + sum(sent.status == 202 for sent in self.seen.sent)
        until = time.time() + self._task.wait_seconds
        while time.time() < until and not polling.done():
            if self.seen.polls and self.seen.polls[-1][1] >= wanted:
                return
            await asyncio.sleep(POLL_SECONDS / 2)


def main() -> None:
    task = Task(**json.loads(sys.argv[1]))
    seen = asyncio.run(Generator(task).run())
    Path(task.out).write_text(json.dumps(asdict(seen)))


def read(path: Path) -> Seen:
    """What a generator wrote."""
    found: dict[str, Any] = json.loads(path.read_text())
    polls = [(at, count) for at, count in found["polls"]]
    return Seen([Sent(**one) for one in found["sent"]], polls, found["late"], found["processor"])


if __name__ == "__main__":
    main()
