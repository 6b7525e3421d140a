"""`sankofa doctor`: the effective settings of a running system's log and stores, and what is unsafe in them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from deploy.cli.client import Call, Client, StepFailed, reason_of
from deploy.cli.settings import Settings, read_settings
from deploy.cli.token import operators_token
from deploy.cli.unsafe import unsafe_log, unsafe_store
from shared.messaging.topics import DECIDED, TOPICS
from shared.services import SERVICES


def doctor(
    url: Annotated[str | None, typer.Option(help="The running system.")] = None,
) -> None:
    """Prints the effective settings beside the declared topics; exit 1 where one of them is unsafe, with its name."""
    reports = asyncio.run(_reports(read_settings(url=url)))
    console = Console()
    declared = Table("topic", "partitions", "kept", "in use", title="Declared topics")
    for name, topic in DECIDED.items():
        kept, used = "the last of each key" if topic.compacted else "for ever", "yes" if name in TOPICS else "later"
        declared.add_row(name, str(topic.partitions), kept, used)
    console.print(declared)
    effective = Table("of", "setting", "value", title="Effective settings")
    logs = next(iter(reports.values()))["log"]
    for name, value in sorted(logs.items()):
        effective.add_row("log", name, value)
    for service, report in reports.items():
        for name, value in sorted(report["store"].items()):
            effective.add_row(f"store of {service}", name, value)
    console.print(effective)
    unsafe = unsafe_in(reports)
    for line in unsafe:
        print(f"sankofa: unsafe: {line}", file=sys.stderr)
    raise typer.Exit(1 if unsafe else 0)


def unsafe_in(reports: Mapping[str, Mapping[str, Mapping[str, str]]]) -> list[str]:
    """One line for each unsafe setting, by the services' reports; the log is told of once."""
    logs = dict.fromkeys(line for report in reports.values() for line in unsafe_log(report["log"]))
    stores = [
        f"store of {service}: {line}" for service, report in reports.items() for line in unsafe_store(report["store"])
    ]
    return [*logs, *stores]


async def _reports(settings: Settings) -> dict[str, dict[str, Any]]:
    token = operators_token(settings, "doctor")
    client = Client(settings.base_url)
    reports = {}
    try:
        for service in SERVICES:
            answer = await client.send(Call("GET", f"/{service}/v1/settings", token))
            if not answer.is_success:
                raise StepFailed(f"{service}: {reason_of(answer)}")
            reports[service] = answer.json()
    finally:
        await client.close()
    return reports
