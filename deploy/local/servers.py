"""The real servers of `sankofa up`: started in the data folder, watched, started again when they die, stopped."""

from __future__ import annotations

import threading
import time
from collections import deque
from functools import partial
from pathlib import Path
from typing import Protocol

from deploy.local.kafka import KafkaServer
from deploy.local.processes import ChildEnded, ChildFailed
from deploy.local.secantus import SecantusServer
from shared.clock import Runtime
from shared.telemetry.observability import logger

LOOK_SECONDS = 0.5
# One that dies more often than this has a reason that starting it again does not mend.
DEATHS = 3
DEATHS_WITHIN_SECONDS = 60.0


class Server(Protocol):
    """A launcher of deploy/local."""

    @property
    def running(self) -> bool: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Servers:
    """Kafka and a server of MongoDB's protocol as children of this process, each where it is asked for.

    The addresses are known before `start`. Data stays in `folder`/kafka and `folder`/mongodb over restarts; a child
    that outlived a killed owner is ended by its launcher before the next one starts. The constructor and `start`
    raise MissingTool where the machine lacks a program, `start` and `watch` ChildFailed.
    """

    def __init__(self, folder: Path, *, kafka: bool, mongodb: bool) -> None:
        self._kafka = KafkaServer(folder / "kafka") if kafka else None
        self._mongodb = SecantusServer(folder / "mongodb") if mongodb else None
        found: dict[str, Server | None] = {"Kafka": self._kafka, "SecantusDB": self._mongodb}
        self._servers: dict[str, Server] = {name: server for name, server in found.items() if server is not None}
        self._deaths: dict[str, deque[float]] = {name: deque(maxlen=DEATHS) for name in self._servers}
        # A start that is under way in a pool goes on after its waiter was cancelled; `stop` has to come after it.
        self._turn = threading.Lock()
        self._ending = False

    @property
    def bootstrap_servers(self) -> str | None:
        return self._kafka.bootstrap_servers if self._kafka else None

    @property
    def mongodb_url(self) -> str | None:
        return self._mongodb.url if self._mongodb else None

    def start(self) -> None:
        """Blocks until each answers (three to ten seconds); for a pool."""
        for server in self._servers.values():
            self._start(server)

    def stop(self) -> None:
        """SIGTERM, the store last; blocks until they have ended (Kafka takes one to five seconds)."""
        self._ending = True
        with self._turn:
            for server in self._servers.values():
                server.stop()

    async def watch(self, runtime: Runtime) -> None:
        """Starts again what died. Raises ChildFailed where one died three times within a minute, or is never ready."""
        while True:
            await runtime.sleep(LOOK_SECONDS)
            for name, server in self._servers.items():
                if not server.running:
                    self._note_death(name)
                    try:
                        await runtime.in_pool(partial(self._start, server))
                    except ChildEnded:
                        # Its next death: counted at the next look.
                        continue
                    logger.warning("server_started_again", kind=name)

    def _start(self, server: Server) -> None:
        with self._turn:
            if not self._ending:
                # One that died by itself still owns its folder, and its next life could not.
                server.stop()
                server.start()

    def _note_death(self, name: str) -> None:
        logger.warning("server_died", kind=name)
        deaths, now = self._deaths[name], time.monotonic()
        deaths.append(now)
        if len(deaths) == DEATHS and now - deaths[0] < DEATHS_WITHIN_SECONDS:
            raise ChildFailed(f"{name} died {DEATHS} times within {DEATHS_WITHIN_SECONDS:g} s")
