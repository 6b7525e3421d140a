"""`sankofa history`: histories of programmes through public edges, then their figures."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from deploy.cli.client import Client
from deploy.cli.files import histories_folder, history_findings, history_path, said
from deploy.cli.hosting import Host
from deploy.cli.replaying import Replay, Row, prepared
from deploy.cli.settings import Settings, read_settings
from shared.errors import SettingsError

app = typer.Typer(help="Histories of programmes.", no_args_is_help=True)

ScaleOption = Annotated[str | None, typer.Option(help="Every number in small, such as 0.05; figures are counted anew.")]
DefinitionOption = Annotated[Path | None, typer.Option(help="The programme's file, if it is not found by itself.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Prints the figures as JSON, without a bar.")]


@app.callback()
def histories() -> None:
    """Histories of programmes."""


@app.command("run", epilog="Example: sankofa history run trqn-1 --url http://127.0.0.1:8000")
def run(
    code: Annotated[str, typer.Argument(help="A file of deploy/histories, without its ending, or a path.")],
    url: Annotated[str | None, typer.Option(help="The running system; SANKOFA_BASE_URL.")] = None,
    data: Annotated[Path | None, typer.Option(help="The system's data folder, for its keys and the journal.")] = None,
    definition: DefinitionOption = None,
    scale: ScaleOption = None,
    as_json: JsonOption = False,
) -> None:
    """Puts the history in; run again after any interruption, it goes on and does nothing twice.

    Exit 1 where a figure is off.
    """
    replay = prepared(history_path(code), definition, _scale(scale))
    raise typer.Exit(0 if run_history(replay, read_settings(url=url, data=data), as_json=as_json) else 1)


@app.command("all", epilog="Example: sankofa history all --scale 0.05")
def run_all(
    scale: ScaleOption = None,
    only: Annotated[list[str] | None, typer.Option(help="This history alone; may be given again.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Where the histories are, if not in deploy/histories.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Runs every history in this process, each on an embedded system of its own that is removed afterwards.

    Exit 1 where a figure is off.
    """
    paths = sorted((folder or histories_folder()).glob("*.yaml"))
    if unknown := sorted(set(only or ()) - {path.stem for path in paths}):
        raise SettingsError(f"there is no history {unknown[0]}; there are {', '.join(path.stem for path in paths)}")
    # All of them are read before any of them runs: a file that is refused is said at once.
    replays = [prepared(path, None, _scale(scale)) for path in paths if not only or path.stem in only]
    rows = [row for replay in replays for row in _on_its_own(replay, Console(stderr=True, quiet=as_json))]
    if as_json:
        print(json.dumps(rows, indent=2))
    else:
        _print_all(rows)
    raise typer.Exit(0 if all(row["right"] for row in rows) else 1)


@app.command("lint", epilog="Example: sankofa history lint deploy/histories/trqn-1.yaml")
def lint(
    code: Annotated[str, typer.Argument(help="A file of deploy/histories, without its ending, or a path.")],
    definition: DefinitionOption = None,
) -> None:
    """Says what is wrong in a history, by line and field. Exit 1 where something is.

    Dates that leave no room are found when it is run.
    """
    path = history_path(code)
    findings = history_findings(path, definition)
    for finding in findings:
        print(said(path, finding))
    if findings:
        raise typer.Exit(1)
    print(f"{path}: nothing to mend")


def run_history(replay: Replay, settings: Settings, *, as_json: bool) -> bool:
    """Runs the history and prints the figures. True where every figure agrees."""
    rows = asyncio.run(replay.run(Client(settings.base_url), settings, Console(stderr=True, quiet=as_json)))
    if as_json:
        print(json.dumps(rows, indent=2))
    else:
        _print(rows)
    return all(row["right"] for row in rows)


def _scale(text: str | None) -> Decimal | None:
    try:
        scale = Decimal(text) if text else None
    except InvalidOperation:
        scale = Decimal(0)
    if scale is not None and not 0 < scale <= 1:
        raise SettingsError("a scale is a number above 0 and up to 1, such as 0.05")
    return scale


def _on_its_own(replay: Replay, console: Console) -> list[Row]:
    folder = Path(tempfile.mkdtemp(prefix=f"sankofa-{replay.history.code}-"))
    try:
        return asyncio.run(_embedded(replay, folder, console))
    finally:
        shutil.rmtree(folder)


async def _embedded(replay: Replay, folder: Path, console: Console) -> list[Row]:
    settings = read_settings({}, data=folder / "data")
    host = Host(settings)
    try:
        await host.start()
        return await replay.run(Client(settings.base_url, app=host.app), settings, console)
    finally:
        await host.stop()


def _print_all(rows: list[Row]) -> None:
    table = Table("programme", "indicator", "period", "published", "ours", title="Every history and its figures")
    for row in rows:
        published = row["published"] if row["origin"] == "published" else f"{row['published']} ({row['origin']})"
        table.add_row(row["programme"], _named(row), row["period"], published, _ours(row))
    console = Console()
    console.print(table)
    _print_sum(console, rows)


def _print(rows: list[Row]) -> None:
    published = [row for row in rows if row["origin"] == "published"]
    others = [row for row in rows if row["origin"] != "published"]
    titles = (
        (published, "published", "Published figures, and ours from the same history"),
        (others, "expected", "Figures that follow from the history file"),
    )
    console = Console()
    for some, heading, title in titles:
        table = Table("indicator", heading, "ours", title=title)
        for row in some:
            table.add_row(f"{_named(row)} ({row['period']})", row["published"], _ours(row))
        if some:
            console.print(table)
    _print_sum(console, rows)


def _print_sum(console: Console, rows: list[Row]) -> None:
    wrong = sum(not row["right"] for row in rows)
    console.print(f"{wrong} of {len(rows)} figures are off" if wrong else f"{len(rows)} figures agree")


def _named(row: Row) -> str:
    classes = ", ".join(f"{dimension} {code}" for dimension, code in row["by"].items())
    return f"{row['indicator']}, {classes}" if classes else str(row["indicator"])


def _ours(row: Row) -> str:
    return str(row["ours"]) if row["right"] else f"[bold red]{row['ours']} (off)[/]"
