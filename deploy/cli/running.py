"""`sankofa up` and `sankofa serve`: services in this process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from deploy.cli.beside import Lines, forked, told
from deploy.cli.hosting import Host, bound_socket, serve
from deploy.cli.looping import run
from deploy.cli.settings import DEFAULT_PORT, Settings, read_settings
from deploy.local.processes import LOOPBACK, ChildFailed, MissingTool
from deploy.local.servers import Servers
from shared.errors import SettingsError
from shared.services import SERVICES
from shared.telemetry.observability import configure_logging, configure_telemetry

DataOption = Annotated[Path | None, typer.Option(help="Folder of logs and stores; SANKOFA_DATA, else ./data.")]
PortOption = Annotated[int, typer.Option(help="Port on the loopback address.", min=0, max=65_535)]
AddressOption = Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 in a container, behind its proxy.")]
LevelOption = Annotated[str, typer.Option(help="Least level of the log lines on standard error.")]


LogOption = Annotated[Literal["local", "kafka"], typer.Option(help="The log: embedded, or Apache Kafka as a child.")]
StoreOption = Annotated[
    Literal["local", "mongodb"],
    typer.Option(help="The stores: embedded, or a server of MongoDB's protocol as a child."),
]


def up(
    data: DataOption = None,
    port: PortOption = DEFAULT_PORT,
    log: LogOption = "local",
    store: StoreOption = "local",
    log_level: LevelOption = "warning",
) -> None:
    """Runs all four services until Ctrl-C, on the embedded log and store unless told otherwise.

    Real servers are started in the data folder, started again when they die, and stopped with the system. Kafka needs
    Java 17 and Maven; the MongoDB-protocol server (SecantusDB, from requirements/dev.txt) is for trying it, not for
    data.
    """
    settings = read_settings(data=data, port=port)
    try:
        servers = Servers(settings.data, kafka=log == "kafka", mongodb=store == "mongodb")
        addresses = {"kafka": servers.bootstrap_servers, "mongodb": servers.mongodb_url}
        _run("sankofa", log_level, settings.model_copy(update=addresses), SERVICES, (LOOPBACK, port), servers)
    except (MissingTool, ChildFailed) as error:
        # What follows the first line is the end of the child's own log, which stays in its folder.
        raise SettingsError(f"{str(error).splitlines()[0].rstrip(':')} (logs are in {settings.data})") from error


def serve_services(
    names: Annotated[list[str], typer.Argument(help="Services to run.")],
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65_535)] = DEFAULT_PORT,
    address: AddressOption = LOOPBACK,
    log_level: LevelOption = "info",
) -> None:
    """Runs the named services on Kafka and MongoDB from the environment, until Ctrl-C."""
    unknown = [name for name in names if name not in SERVICES]
    if unknown:
        raise SettingsError(f"no such service: {', '.join(unknown)}; there are {', '.join(SERVICES)}")
    settings = read_settings(port=port)
    if not settings.kafka or not settings.mongodb:
        raise SettingsError("serve needs KAFKA_BOOTSTRAP_SERVERS and MONGODB_URL; `sankofa up` needs neither")
    _run("-".join(names), log_level, settings, names, (address, port))


def _run(
    name: str,
    log_level: str,
    settings: Settings,
    names: Sequence[str],
    at: tuple[str, int],
    servers: Servers | None = None,
) -> None:
    address, port = at
    configure_logging(name, log_level)
    # Before anything is made: a busy port must leave no folders behind.
    listening = bound_socket(port, address)
    with contextlib.closing(listening):
        host = _hosted(settings, names, log_level, listening)
        _served(name, serve(host, listening, servers))


def _hosted(settings: Settings, names: Sequence[str], log_level: str, listening: socket.socket) -> Host:
    """All services in this process; of all four on the embedded log and store, those behind the first in a second one.

    What people send in the last hour of a call comes to the first.
    """
    embedded = not (settings.kafka or settings.mongodb) and tuple(names) == SERVICES
    if not embedded or not sys.platform.startswith("linux"):
        return Host(settings, names)
    first, rest = names[:1], names[1:]
    host = Host(settings, first)

    def beside(lines: Lines) -> None:
        listening.close()
        name = "-".join(rest)
        configure_logging(name, log_level)
        _served(name, told(lines.said, lambda serving: serve(Host(settings, rest, lines), None, None, serving)))

    host.beside(forked(rest, beside))
    return host


def _served(name: str, serving: Coroutine[Any, Any, None]) -> None:
    telemetry = configure_telemetry(name, os.environ)
    try:
        run(serving)
    except asyncio.CancelledError:
        # SIGTERM before it served; what had started has been stopped.
        raise SystemExit(128 + signal.SIGTERM) from None
    finally:
        if telemetry:
            telemetry.shutdown()
