"""Puts services together: ports from settings, one base path a service, one start and stop order."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import importlib
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable
from urllib.parse import urlsplit

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deploy.cli.beside import Lines, Second
from deploy.cli.collecting import seldom
from deploy.cli.reserve import give_room, keep_room
from deploy.cli.settings import Settings
from deploy.local.servers import Servers
from shared.clock import RealRuntime, Runtime
from shared.errors import SettingsError, TaskEnded, Unavailable
from shared.identity.keys import Keys
from shared.messaging.local import LocalLog
from shared.messaging.local_lent import Lender, LentLog
from shared.messaging.port import Log
from shared.messaging.topics import TOPICS
from shared.replica import Ports, stored
from shared.services import SERVICES
from shared.store.collection import Collection
from shared.store.local import LocalStore
from shared.store.port import Store
from shared.telemetry.observability import count, logger
from shared.web.connections import Connections
from shared.web.doors import Door
from shared.web.envelope import SECURITY_HEADERS
from shared.web.front import Front
from shared.web.origin import Behind
from shared.web.passing import Passing
from shared.web.patience import Patience
from shared.web.problems import problem
from shared.web.turns import Turns
from shared.zones import check_zones

LOOPBACK = ("localhost", "127.0.0.1", "::1")
LOG_FILE = "log.sqlite"
GRACEFUL_SECONDS = 1
STOP_SECONDS = 3.0
# The library looks ten times a second at whether it is to stop, which took a hundredth of a registration's time.
LOOK_EVERY_SECONDS = 0.25
# How long the folder of a system that was killed may still be held by the rest of it.
LEAVING_SECONDS = 10.0
LIBRARYS_TICKS_A_SECOND = 10


class Part(Protocol):
    """What is started before what needs it, and stopped after that."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class Service(Part, Protocol):
    """What services/<name>/app.py builds."""

    app: ASGIApp


@runtime_checkable
class Entered(Protocol):
    """A service that also answers outside its base path."""

    entrance: ASGIApp


@runtime_checkable
class Ending(Protocol):
    """A service with answers that go on until they are ended."""

    def ending(self) -> None: ...


class Host:
    """Services of one process with the log they share.

    `lines`: of the second process of a system, whose log and connections come from the first.
    """

    def __init__(self, settings: Settings, names: Sequence[str] = SERVICES, lines: Lines | None = None) -> None:
        self.settings = settings
        # Before anything is made: an address that cannot be used is said at once.
        self.hosts = allowed_hosts(settings)
        check_zones()
        self.runtime = RealRuntime()
        self._lock = _own(settings.data) if lines is None and _writes_files(settings, names) else None
        # Where room is kept for the next start: one folder may be on another disk.
        self._rooms = [settings.keys, *([settings.data] if self._lock is not None else [])]
        for folder in self._rooms:
            give_room(folder)
        self._started: list[Part] = []
        self.second: Second | None = None
        self.passing = None if lines is None else Passing(lines.connections, lambda name: name not in names)
        try:
            self.keys = Keys(settings.keys)
            self.log = log_of(settings, self.runtime) if lines is None else self._lent(lines)
            self.services = {name: self._service(name) for name in names}
        except Unavailable as error:
            raise SettingsError(str(error)) from error

    def _lent(self, lines: Lines) -> Log:
        # Whoever writes it is the first process, with which this one ends.
        return LentLog(self.settings.data / LOG_FILE, list(TOPICS.values()), self.runtime, lines.log)

    def beside(self, second: Second) -> None:
        """The rest of the services are in that process, which has this one's log; before `start`."""
        self.second = second
        self.passing = Passing(second.lines.connections, lambda name: name in second.names)

    def _service(self, name: str) -> Service:
        declared = importlib.import_module(f"services.{name}.store")
        collections = stored(declared.COLLECTIONS, declared.SHADOWS)
        ports = Ports(store_of(self.settings, name, collections, self.runtime), self.log, self.runtime, self.keys)
        build = importlib.import_module(f"services.{name}.app").build
        service: Service = build(ports, self.settings)
        return service

    @property
    def app(self) -> ASGIApp:
        """All services behind one address, each under its own base path."""

        services = self.services.values()
        entrance = next((one.entrance for one in services if isinstance(one, Entered)), None)
        apps = {name: service.app for name, service in self.services.items()}
        elsewhere = [name for name in SERVICES if name not in apps] if self.passing else []
        return Front(apps, self.hosts, entrance, elsewhere)

    @property
    def doors(self) -> list[Door]:
        """Where the services take submissions."""
        states = [cast(Any, service.app).state for service in self.services.values()]
        return [state.door for state in states if hasattr(state, "door")]

    async def start(self) -> None:
        """The log, then each service; what has started when one cannot is for `stop` to end.

        Raises SettingsError where log or store does not answer: whoever runs the process starts it again.
        """
        for name, part in {"the log": self.log, **self._of_second(), **self.services}.items():
            self._started.append(part)
            try:
                await part.start()
            except Unavailable as error:
                raise SettingsError(f"{name} cannot start: {self._away(error)}") from error
        if self.second:
            await self.second.ready(self.runtime)
        for folder in self._rooms:
            keep_room(folder)

    def _of_second(self) -> dict[str, Part]:
        """What stands between the log and the services where others run in a second process."""
        if self.second is None:
            return {}
        return {"the lent log": Lender(cast(LocalLog, self.log), self.second.lines.log, self.runtime), "": self.second}

    def _away(self, error: Unavailable) -> str:
        """What does not answer; the store's address may hold a password and is not named."""
        if not (self.settings.kafka or self.settings.mongodb):
            return str(error)
        if str(error).startswith("log:"):
            return f"no broker answers at KAFKA_BOOTSTRAP_SERVERS={self.settings.kafka} ({error})"
        return f"nobody answers at MONGODB_URL ({error})"

    def ending(self) -> None:
        """Ends what would hold up the stop."""
        for service in self.services.values():
            if isinstance(service, Ending):
                service.ending()
        if self.second:
            self.second.terminate()

    async def stop(self) -> None:
        """The other way round, each for itself: one that cannot stop keeps no other from it."""
        while self._started:
            part = self._started.pop()
            try:
                await part.stop()
            except Exception as error:
                logger.error("stop_failed", error=type(error).__name__)
        await self.keys.close()
        self.runtime.close()
        for folder in self._rooms:
            keep_room(folder)
        if self._lock is not None:
            os.close(self._lock)


def log_of(settings: Settings, runtime: Runtime) -> Log:
    """The log that the settings name, not started yet."""
    topics = list(TOPICS.values())
    if settings.kafka:
        from shared.messaging.kafka import KafkaLog

        return KafkaLog(settings.kafka, topics, runtime, client_id="sankofa")
    return LocalLog(settings.data / LOG_FILE, topics, runtime)


def store_of(settings: Settings, name: str, collections: Sequence[Collection], runtime: Runtime) -> Store:
    """The service's store that the settings name, not started yet."""
    if settings.mongodb:
        from shared.store.mongodb import MongoStore

        return MongoStore(settings.mongodb, f"sankofa_{name}", collections, runtime, driver=settings.mongo_driver)
    return LocalStore(settings.data / f"{name}.sqlite", collections, runtime)


def allowed_hosts(settings: Settings) -> frozenset[str]:
    """The names under which the system may be asked: that of its address, and this machine's own.

    Raises SettingsError where the address has no name.
    """
    try:
        name = urlsplit(settings.base_url).hostname
    except ValueError:
        name = None
    if not name:
        raise SettingsError("SANKOFA_BASE_URL is no address such as https://sankofa.example.org")
    return frozenset({name, *LOOPBACK})


def _writes_files(settings: Settings, names: Sequence[str]) -> bool:
    """Whether these services write the data folder; on Kafka and MongoDB only monitoring's read model is there."""
    return not (settings.kafka and settings.mongodb) or "monitoring" in names


def _own(folder: Path) -> int:
    """Makes the folder and locks it for this process's life, so that two never write the same files.

    The folder is closed to others; one that was made by somebody else keeps its mode, and its files are closed.
    """
    # Child processes and libraries make files too, and none of them asks for a mode.
    os.umask(0o077)
    try:
        made_here = not folder.exists() or (folder / "lock").exists()
        folder.mkdir(parents=True, exist_ok=True)
        if made_here:
            folder.chmod(0o700)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SettingsError(f"the folder {folder} cannot be written: {error.strerror}") from None
    until = time.monotonic() + LEAVING_SECONDS
    while not _locked(lock):
        holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip()
        # Of a system that was killed the second process goes a moment after the first.
        if _lives(holder) or time.monotonic() >= until:
            os.close(lock)
            named = f" (pid {holder})" if holder.isdecimal() else ""
            raise SettingsError(f"the folder {folder} is in use by another process{named}")
        time.sleep(LOOK_EVERY_SECONDS)
    os.ftruncate(lock, 0)
    # For whoever finds it in use; on a full disk it stays unnamed, and the services start as ever.
    with contextlib.suppress(OSError):
        os.write(lock, f"{os.getpid()}\n".encode())
    return lock


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _lives(pid: str) -> bool:
    """Whether there is such a process; True for what names none."""
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OSError):
        return True
    return True


def bound_socket(port: int, address: str = "127.0.0.1") -> socket.socket:
    """A listening socket. SettingsError where the port is in use."""
    # Without the protocol's name asyncio leaves Nagle's algorithm on, and every answer waits 40 ms for an ACK.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((address, port))
    except OSError as error:
        listening.close()
        raise SettingsError(f"port {port} cannot be used: {error.strerror}") from None
    return listening


class Server(uvicorn.Server):
    """uvicorn without its own signal handling, which raises the signal again when all has ended well.

    It stops by itself when a lasting task of the runtime has ended. `ending` is called when it is asked to stop.
    """

    def __init__(
        self,
        app: ASGIApp,
        runtime: RealRuntime,
        patience: Patience,
        doors: Sequence[Door] = (),
        ending: Callable[[], None] = lambda: None,
        passing: Passing | None = None,
    ) -> None:
        self._connections = Connections(patience, doors, passing)
        super().__init__(_configured(app, self._connections))
        self._runtime = runtime
        self._ending = ending
        self._passing = passing

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._passing:
            self._passing.start(self._adopt)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._passing:
            self._passing.stop()
        await super().shutdown(sockets)

    def _adopt(self, connection: socket.socket, begun: bytes) -> None:
        """Goes on with a connection that the other process began to read."""

        def protocol() -> asyncio.Protocol:
            state = {"server_state": self.server_state, "app_state": self.lifespan.state}
            return self._connections.accept(config=self.config, begun=begun, **state)

        self._runtime.spawn(asyncio.get_running_loop().connect_accepted_socket(protocol, connection), "adopted")

    async def main_loop(self) -> None:
        looks = 0
        # It sets the date of its answers at each of its own seconds.
        while not await self.on_tick(int(looks * LOOK_EVERY_SECONDS * LIBRARYS_TICKS_A_SECOND)):
            looks += 1
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def on_tick(self, counter: int) -> bool:
        self._connections.look(asyncio.get_running_loop().time())
        return await super().on_tick(counter) or bool(self._runtime.ended)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._asked_to_stop)
        yield

    def _asked_to_stop(self) -> None:
        # Asked twice, it does not wait for requests that are still answered.
        self.force_exit = self.should_exit
        self.should_exit = True
        self._ending()


async def serve(
    host: Host,
    listening: socket.socket | None,
    servers: Servers | None = None,
    serving: Callable[[], None] = lambda: None,
) -> None:
    """Serves at the socket, which it closes, until SIGINT or SIGTERM; without one, connections that pass to it alone.

    `serving` is called once all has started. Then it stops in order, within 5 s; then the real servers where there are
    some.

    Raises SettingsError where something cannot start, ChildFailed where a real server cannot be kept running,
    TaskEnded where a part of the process has ended by an unexpected error.
    """
    # Until the server takes the signals over, a SIGTERM would leave the real servers running without their owner.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, cast(Any, asyncio.current_task()).cancel)
    try:
        if servers:
            await host.runtime.in_pool(servers.start)
        await host.start()
        server = _server_of(host)
        serving()
        with seldom():
            async with _watched(host, server, servers):
                await server.serve(sockets=[listening] if listening else [])
        if host.runtime.ended:
            raise TaskEnded(f"{host.runtime.ended[0]} ended by an unexpected error; start the process again")
    finally:
        if listening:
            listening.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(host.stop(), STOP_SECONDS)
        if servers:
            await asyncio.to_thread(servers.stop)


def _server_of(host: Host) -> Server:
    app = _cut_off_quietly(Behind(host.app, host.settings.proxies))
    patience = Patience(connections=host.settings.connections)
    return Server(app, host.runtime, patience, host.doors, host.ending, host.passing)


def _cut_off_quietly(app: ASGIApp) -> ASGIApp:
    """The app, which begins a few requests in each turn of the loop.

    A request that the server's stop cuts off before its answer began is a 503, without an error line: half an upload
    may wait for its other half for ever, and that is nobody's mistake here.
    """
    turns = Turns()

    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await turns.begin()
            await app(scope, receive, noted)
        except asyncio.CancelledError:
            if started:
                raise
            count("requests_cut_off")
            await problem(503, "stopping", headers=SECURITY_HEADERS)(scope, receive, send)

    return answered


def _configured(app: ASGIApp, connections: Connections) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        # A protocol is whatever makes one for a connection; the library names only its own classes.
        http=cast(Any, connections.accept),
        ws="none",
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
        server_header=False,
        # `Behind` says whose word counts.
        proxy_headers=False,
    )


@contextlib.asynccontextmanager
async def _watched(host: Host, server: Server, servers: Servers | None) -> AsyncIterator[None]:
    """Keeps the real servers running beside the block; one that cannot be ends the block, and its error comes out."""
    if servers is None:
        yield
        return
    watching = host.runtime.spawn(_watch(host, server, servers), "servers")
    try:
        yield
    finally:
        watching.cancel()
        (outcome,) = await asyncio.gather(watching, return_exceptions=True)
    if isinstance(outcome, Exception):
        raise outcome


async def _watch(host: Host, server: Server, servers: Servers) -> None:
    try:
        await servers.watch(host.runtime)
    finally:
        server.should_exit = True
