"""`sankofa audit verify`: whether the trail of who read personal data is as it was written."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.backup import written
from deploy.cli.hosting import LOG_FILE, log_of, store_of
from deploy.cli.keyring import keys_of
from deploy.cli.running import DataOption
from deploy.cli.settings import Settings, read_settings
from services.registration.identifiers import SERVICE
from services.registration.store import COLLECTIONS, SHADOWS
from shared.audit.verifying import Report, verify
from shared.clock import RealRuntime
from shared.errors import SettingsError
from shared.messaging.port import Log
from shared.replica import stored
from shared.store.port import Store

app = typer.Typer(help="The trail of who read personal data.", no_args_is_help=True)
SHOWN_AT_MOST = 100
KEY = f"{SERVICE}/audit.key"


@app.callback()
def audit() -> None:
    """The trail of who read personal data."""


@app.command("verify", epilog="Example: sankofa audit verify --data data")
def verify_trail(
    data: DataOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON.")] = False,
) -> None:
    """Checks every entry of the trail against its links and the heads on the log; the system may run meanwhile.

    Exit 1 where an entry was edited, deleted, cut off or put elsewhere. An unfinished last write of a process that was
    killed is told and is no finding: whoever waited for it was shown nothing.
    """
    report = asyncio.run(_report(read_settings(data=data)))
    if as_json:
        print(json.dumps(asdict(report), indent=2))
    else:
        _print(report)
    raise typer.Exit(1 if report.findings else 0)


def _print(report: Report) -> None:
    print(f"{report.entries} entries in {report.segments} segments; {report.unanchored} not anchored yet")
    if report.torn:
        print(f"{report.torn} of last writes that were cut off before they were answered")
    for finding in report.findings[:SHOWN_AT_MOST]:
        print(finding)
    if len(report.findings) > SHOWN_AT_MOST:
        print(f"and {len(report.findings) - SHOWN_AT_MOST} more")
    print("the trail is not as it was written" if report.findings else "the trail is as it was written")


async def _report(settings: Settings) -> Report:
    runtime = RealRuntime()
    try:
        async with _ports(settings, runtime) as (store, log):
            return await verify(store, log, keys_of(settings, KEY).audit_key(SERVICE))
    finally:
        runtime.close()


@asynccontextmanager
async def _ports(settings: Settings, runtime: RealRuntime) -> AsyncIterator[tuple[Store, Log]]:
    """Store and log, started; of the embedded form copies of one instant, since a running system has the files."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        if not (settings.kafka and settings.mongodb):
            files = [settings.data / f"{SERVICE}.sqlite", settings.data / LOG_FILE]
            if not all(path.is_file() for path in files):
                raise SettingsError(f"there is no system in the folder {settings.data}")
            await asyncio.to_thread(written, files, copy)
        there = settings.model_copy(update={"data": copy})
        log, store = log_of(there, runtime), store_of(there, SERVICE, stored(COLLECTIONS, SHADOWS), runtime)
        await log.start()
        try:
            await store.start()
            try:
                yield store, log
            finally:
                await store.stop()
        finally:
            await log.stop()
