"""`sankofa figures`: a programme's indicators; and how a figure is compared with a published one."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.table import Table

from deploy.cli.client import Call, Client, reason_of
from deploy.cli.settings import Settings, read_settings
from deploy.cli.token import operators_token
from shared.contracts.base import TIME_FORM, Instant
from shared.errors import SettingsError

_INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)


def figures(
    code: Annotated[str, typer.Argument(help="The programme's code.")],
    period: Annotated[str | None, typer.Option(help="Code of a period; else the whole programme.")] = None,
    as_of: Annotated[
        str | None, typer.Option(help="As it was known then: 2008-01-05T09:30:00Z, or with an offset such as +04:30.")
    ] = None,
    by: Annotated[str | None, typer.Option(help="Dimensions, with commas between.")] = None,
    definition: Annotated[
        int | None, typer.Option(help="Version of the definition to count by; else the newest.", min=1)
    ] = None,
    url: Annotated[str | None, typer.Option(help="The running system.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Prints the programme's indicators."""
    if as_of is not None:
        _check_instant(as_of)
    settings, version = read_settings(url=url), None if definition is None else str(definition)
    query = {"period": period, "as_of": as_of, "by": by, "definition": version}
    rows = asyncio.run(_asked(settings, code, query))
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    table = Table("indicator", "period", "value", "target", "state")
    for row in rows:
        table.add_row(row["name"], str(row["period"] or ""), _value(row), str(row["target"] or ""), row["state"])
        if row["by"] and not row["adds_up"]:
            table.add_row(f"  [dim]the cells may not add up to the total: {row['adds_up_rule']}[/]", "", "", "", "")
        for cell in row["by"]:
            labels = ", ".join(f"{k}={v}" for k, v in cell.items() if k not in ("value", "suppressed", "withheld"))
            table.add_row(f"  {labels}", "", _value(cell), "", "")
    Console().print(table)


def _check_instant(text: str) -> None:
    """In the words of a command: the system says how an address has it. SettingsError for what is no instant."""
    try:
        _INSTANT.validate_python(text)
    except ValidationError:
        raise SettingsError(f"--as-of: {TIME_FORM.sentence}") from None


def _value(figure: dict[str, Any]) -> str:
    if figure.get("suppressed"):
        return f"withheld: {figure['withheld']}"
    return "no value" if figure["value"] is None else str(figure["value"])


async def _asked(settings: Settings, code: str, query: dict[str, str | None]) -> list[dict[str, Any]]:
    token = operators_token(settings, "figures")
    client = Client(settings.base_url)
    try:
        return await indicators(client, token, code, query)
    finally:
        await client.close()


async def indicators(client: Client, token: str, code: str, query: dict[str, str | None]) -> list[dict[str, Any]]:
    """The answer's items, to whoever holds the token. SettingsError where the system refuses the question."""
    given = urlencode({name: value for name, value in query.items() if value})
    answer = await client.send(Call("GET", f"/monitoring/v1/programmes/{quote(code)}/indicators?{given}", token))
    if not answer.is_success:
        raise SettingsError(reason_of(answer))
    items: list[dict[str, Any]] = answer.json()["items"]
    return items
