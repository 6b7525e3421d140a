"""`sankofa up` and `sankofa serve`: services in this process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.hosting import SERVICES, Host, serve
from deploy.cli.settings import DEFAULT_PORT, Settings, read_settings
from shared.errors import SettingsError
from shared.observability import configure_logging, configure_tracing

DataOption = Annotated[Path | None, typer.Option(help="Folder of logs and stores; SANKOFA_DATA, else ./data.")]
PortOption = Annotated[int, typer.Option(help="Port on the loopback address.")]
LevelOption = Annotated[str, typer.Option(help="Least level of the log lines on standard error.")]


def up(data: DataOption = None, port: PortOption = DEFAULT_PORT, log_level: LevelOption = "warning") -> None:
    """Runs all four services in one process on the embedded log and store, until Ctrl-C."""
    settings = read_settings(data=data, port=port).model_copy(update={"kafka": None, "mongodb": None})
    _run("sankofa", log_level, settings, SERVICES, port)


def serve_services(
    names: Annotated[list[str], typer.Argument(help="Services to run.")],
    port: PortOption = DEFAULT_PORT,
    log_level: LevelOption = "info",
) -> None:
    """Runs the named services on Kafka and MongoDB from the environment, until Ctrl-C."""
    unknown = [name for name in names if name not in SERVICES]
    if unknown:
        raise SettingsError(f"no such service: {', '.join(unknown)}; there are {', '.join(SERVICES)}")
    settings = read_settings(port=port)
    if not settings.kafka or not settings.mongodb:
        raise SettingsError("serve needs KAFKA_BOOTSTRAP_SERVERS and MONGODB_URL; `sankofa up` needs neither")
    _run("-".join(names), log_level, settings, names, port)


def _run(name: str, log_level: str, settings: Settings, names: Sequence[str], port: int) -> None:
    configure_logging(name, log_level)
    tracing = configure_tracing(name, os.environ)
    try:
        asyncio.run(serve(Host(settings, names), port))
    finally:
        if tracing:
            tracing.shutdown()
