"""`sankofa history run`: a programme's history through the public edges of a running system, then its figures."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.cli.client import Client
from deploy.cli.figures import indicators
from deploy.cli.files import histories_folder, read_history
from deploy.cli.runner import Journal, Runner
from deploy.cli.settings import Settings, read_settings
from deploy.cli.token import LIFETIME, issuer_of
from deploy.replay.expansion import expand
from deploy.replay.history import Figure, History
from deploy.replay.returns.schedule import HistoryImpossible
from deploy.replay.steps import Step
from shared.errors import SettingsError
from shared.identity.roles import Role

Issued = Callable[[Role, str | None, str], str]
app = typer.Typer(help="Histories of programmes.", no_args_is_help=True)


@app.callback()
def histories() -> None:
    """Histories of programmes."""


@app.command("run", epilog="Example: sankofa history run trqn-1 --url http://127.0.0.1:8000")
def run(
    code: Annotated[str, typer.Argument(help="A file of deploy/histories, without its ending, or a path.")],
    url: Annotated[str | None, typer.Option(help="The running system; SANKOFA_BASE_URL.")] = None,
    data: Annotated[Path | None, typer.Option(help="The system's data folder, for its keys and the journal.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Prints the figures as JSON, without a bar.")] = False,
) -> None:
    """Puts the history in; run again after any interruption, it goes on and does nothing twice.

    Exit 1 where a figure is off.
    """
    raise typer.Exit(0 if run_history(code, read_settings(url=url, data=data), as_json=as_json) else 1)


def run_history(code: str, settings: Settings, *, as_json: bool) -> bool:
    """Runs the history and prints the figures. True where every figure agrees."""
    history, steps = _expanded(code)
    rows = asyncio.run(_run(history, steps, settings, Console(stderr=True, quiet=as_json)))
    if as_json:
        print(json.dumps(rows, indent=2))
    else:
        _print(rows)
    return all(row["right"] for row in rows)


def _expanded(code: str) -> tuple[History, tuple[Step, ...]]:
    """The history and its steps. Raises SettingsError for a file that cannot be used or whose marginals do not meet."""
    folder = histories_folder()
    path = Path(code) if code.endswith((".yaml", ".yml")) else folder / f"{code}.yaml"
    history, definition = read_history(path)
    try:
        return history, expand(history, definition)
    except HistoryImpossible as impossible:
        raise SettingsError(f"{path}: {impossible}") from None


async def _run(history: History, steps: tuple[Step, ...], settings: Settings, console: Console) -> list[dict[str, Any]]:
    client = Client(settings.base_url)
    journal = Journal(settings.data / "histories" / f"{history.code}.jsonl")
    try:
        await client.wait_ready()
        issued = _issued(settings)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(history.code, total=len(steps))

            def progress(by: int, note: str) -> None:
                bar.update(task, advance=by, description=note or history.code)

            await Runner(history.code, steps, client, journal, lambda step: issued(*_who(step)), progress).run()
            bar.update(task, description="the services come to rest")
            await client.wait_quiet()
        return await _figures(client, issued("administrator", None, "figures"), history)
    finally:
        journal.close()
        await client.close()


def _issued(settings: Settings) -> Issued:
    """Tokens of the system's development issuer. SettingsError where a real one is configured."""
    if settings.issuer:
        raise SettingsError("a history plays many people; no issuer but the development one signs for all of them")
    return cache(partial(issuer_of(settings).issue, lifetime=LIFETIME))


def _who(step: Step) -> tuple[Role, str | None, str]:
    return cast(Role, step.role), step.office, step.subject


async def _figures(client: Client, token: str, history: History) -> list[dict[str, Any]]:
    """Each declared figure beside what the system shows."""
    periods = sorted({figure.period for figure in history.figures})
    shown: dict[tuple[str, str], dict[str, Any]] = {}
    for period in periods:
        for item in await indicators(client, token, history.programme, {"period": period}):
            shown[(item["code"], period)] = item
    return [_row(figure, shown.get((figure.indicator, figure.period))) for figure in history.figures]


def _row(figure: Figure, item: dict[str, Any] | None) -> dict[str, Any]:
    value = None if item is None or item["value"] is None else Decimal(str(item["value"]))
    least = "at least " if figure.comparison == "at_least" else ""
    return {
        "code": figure.indicator,
        "indicator": item["name"] if item else figure.indicator,
        "period": figure.period,
        "published": f"{least}{figure.value}",
        "origin": figure.origin,
        "ours": None if value is None else str(value),
        "unit": item["unit"] if item else "",
        "right": figure.met(value),
        "source": figure.source,
    }


def _print(rows: list[dict[str, Any]]) -> None:
    table = Table("indicator", "published", "ours", title="Published figures, and ours from the same history")
    for row in rows:
        if row["origin"] == "published":
            _add(table, row)
    console = Console()
    console.print(table)
    table = Table("indicator", "expected", "ours", title="Figures that follow from the history file")
    for row in rows:
        if row["origin"] != "published":
            _add(table, row)
    if table.row_count:
        console.print(table)
    wrong = sum(not row["right"] for row in rows)
    console.print(f"{wrong} of {len(rows)} figures are off" if wrong else f"{len(rows)} figures agree")


def _add(table: Table, row: dict[str, Any]) -> None:
    name = f"{row['indicator']} ({row['period']})"
    ours = str(row["ours"]) if row["right"] else f"[bold red]{row['ours']} (off)[/]"
    table.add_row(name, row["published"], ours)
