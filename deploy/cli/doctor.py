"""`sankofa doctor`: the effective settings of a running system's log and stores, and what is unsafe in them."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from deploy.cli.client import SERVICES, Call, Client, StepFailed
from deploy.cli.settings import Settings, read_settings
from deploy.cli.token import LIFETIME, issuer_of
from shared.messaging.topics import TOPICS


def doctor(
    url: Annotated[str | None, typer.Option(help="The running system.")] = None,
) -> None:
    """Prints the effective settings beside the declared topics; a system refuses to start with unsafe ones."""
    reports = asyncio.run(_reports(read_settings(url=url)))
    console = Console()
    declared = Table("topic", "partitions", "kept", title="Declared topics")
    for topic in TOPICS.values():
        declared.add_row(topic.name, str(topic.partitions), "the last of each key" if topic.compacted else "for ever")
    console.print(declared)
    effective = Table("of", "setting", "value", title="Effective settings")
    logs = next(iter(reports.values()))["log"]
    for name, value in sorted(logs.items()):
        effective.add_row("log", name, value)
    for service, report in reports.items():
        for name, value in sorted(report["store"].items()):
            effective.add_row(f"store of {service}", name, value)
    console.print(effective)


async def _reports(settings: Settings) -> dict[str, dict[str, Any]]:
    token = issuer_of(settings).issue("administrator", None, "doctor", LIFETIME)
    client = Client(settings.base_url)
    reports = {}
    try:
        for service in SERVICES:
            answer = await client.send(Call("GET", f"/{service}/v1/settings", token))
            if not answer.is_success:
                raise StepFailed(f"{service}: {answer.status_code}")
            reports[service] = answer.json()
    finally:
        await client.close()
    return reports
