"""`sankofa figures`: a programme's indicators; and how a figure is compared with a published one."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from deploy.cli.client import Call, Client
from deploy.cli.settings import Settings, read_settings
from deploy.cli.token import operators_token
from shared.errors import SettingsError


def figures(
    code: Annotated[str, typer.Argument(help="The programme's code.")],
    period: Annotated[str | None, typer.Option(help="Code of a period; else the whole programme.")] = None,
    as_of: Annotated[str | None, typer.Option(help="RFC 3339 instant: as it was known then.")] = None,
    by: Annotated[str | None, typer.Option(help="Dimensions, with commas between.")] = None,
    url: Annotated[str | None, typer.Option(help="The running system.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Prints the programme's indicators."""
    settings = read_settings(url=url)
    rows = asyncio.run(_asked(settings, code, {"period": period, "as_of": as_of, "by": by}))
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    table = Table("indicator", "period", "value", "target", "state")
    for row in rows:
        value = "suppressed" if row.get("suppressed") else str(row["value"])
        table.add_row(row["name"], str(row["period"] or ""), value, str(row["target"] or ""), row["state"])
        for cell in row["by"]:
            labels = ", ".join(f"{k}={v}" for k, v in cell.items() if k not in ("value", "suppressed", "withheld"))
            table.add_row(f"  {labels}", "", "suppressed" if cell.get("suppressed") else str(cell["value"]), "", "")
    Console().print(table)


async def _asked(settings: Settings, code: str, query: dict[str, str | None]) -> list[dict[str, Any]]:
    token = operators_token(settings, "figures")
    client = Client(settings.base_url)
    try:
        return await indicators(client, token, code, query)
    finally:
        await client.close()


async def indicators(client: Client, token: str, code: str, query: dict[str, str | None]) -> list[dict[str, Any]]:
    """The answer's items, to whoever holds the token. SettingsError where the system refuses the question."""
    given = "&".join(f"{name}={value}" for name, value in query.items() if value)
    answer = await client.send(Call("GET", f"/monitoring/v1/programmes/{code}/indicators?{given}", token))
    if not answer.is_success:
        problem = answer.json()
        raise SettingsError(f"{answer.status_code} {problem.get('title', '')}: {problem.get('detail', '')}")
    items: list[dict[str, Any]] = answer.json()["items"]
    return items
