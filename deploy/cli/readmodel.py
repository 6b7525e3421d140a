"""`sankofa rebuild monitoring`: the read model built anew beside the live one, compared, and put in its place."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from deploy.cli.client import Call, Client
from deploy.cli.settings import Settings, read_settings
from deploy.cli.token import operators_token

app = typer.Typer(help="Read models built anew from the log.", no_args_is_help=True)


@app.callback()
def rebuild() -> None:
    """Read models built anew from the log."""


@app.command("monitoring", epilog="Example: sankofa rebuild monitoring --verify")
def monitoring(
    verify: Annotated[bool, typer.Option("--verify", help="Exit 1 where a digest differs.")] = False,
    url: Annotated[str | None, typer.Option(help="The running system.")] = None,
) -> None:
    """Replays every topic from its beginning, compares canonical digests table by table, swaps where all agree.

    Live answers go on meanwhile.
    """
    report = asyncio.run(_rebuilt(read_settings(url=url)))
    table = Table("table", "live", "rebuilt", "")
    for name, digests in sorted(report["digests"].items()):
        same = "equal" if digests["live"] == digests["new"] else "[bold red]different[/]"
        table.add_row(name, digests["live"][:16], digests["new"][:16], same)
    console = Console()
    console.print(table)
    console.print(f"{report['events']} events in {report['seconds']:.1f} s")
    raise typer.Exit(0 if report["equal"] or not verify else 1)


async def _rebuilt(settings: Settings) -> dict[str, Any]:
    token = operators_token(settings, "operator")
    client = Client(settings.base_url, timeout_seconds=600.0)
    try:
        call = Call("POST", "/monitoring/v1/read-model/rebuild", token, body={})
        report: dict[str, Any] = await client.send_until_done(call)
        return report
    finally:
        await client.close()
