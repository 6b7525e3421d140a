"""`sankofa parked list|show|replay`: dead letters, by the subject whose later events wait behind them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from deploy.cli.client import Call, Client, StepFailed, reason_of
from deploy.cli.settings import read_settings
from deploy.cli.token import operators_token
from shared.errors import SettingsError

GROUPS = ("registration", "matching", "placement")
app = typer.Typer(help="Records that wait for a person.", no_args_is_help=True)
GroupOption = Annotated[str | None, typer.Option("--group", help=f"One of {', '.join(GROUPS)}; else all.")]
UrlOption = Annotated[str | None, typer.Option(help="The running system.")]
SubjectArgument = Annotated[str, typer.Argument(help="The subject, as `list` shows it.")]


@app.callback()
def parked() -> None:
    """Records that wait for a person."""


@app.command("list", epilog="Example: sankofa parked list --group matching")
def listed(group: GroupOption = None, url: UrlOption = None) -> None:
    """Lists subjects with parked records and why the first one waits."""
    rows = _with_client(url, lambda ask: _all(ask, _groups(group)))
    table = Table("group", "subject", "records", "first: reason", "topic")
    for name, item in rows:
        first = item["parked"][0]
        table.add_row(name, item["id"], str(len(item["parked"])), first["reason"], first["topic"])
    Console().print(table if rows else "nothing is parked")


@app.command("show", epilog="Example: sankofa parked show SUBJECT --group matching")
def show(subject: SubjectArgument, group: GroupOption = None, url: UrlOption = None) -> None:
    """Shows each parked record of a subject: position, reason, tries."""
    table = Table("group", "topic", "partition", "offset", "reason", "tries")
    for name, item in _with_client(url, lambda ask: _one(ask, _groups(group), "GET", subject, "")):
        for entry in item["parked"]:
            place = (str(entry["partition"]), str(entry["offset"]))
            table.add_row(name, entry["topic"], *place, entry["reason"], str(entry["tries"]))
    Console().print(table)


@app.command("replay", epilog="Example: sankofa parked replay SUBJECT --group matching")
def replay(subject: SubjectArgument, group: GroupOption = None, url: UrlOption = None) -> None:
    """Applies what is parked for a subject, in order; exit 1 where something still waits."""
    left = 0
    for name, item in _with_client(url, lambda ask: _one(ask, _groups(group), "POST", subject, "/replay")):
        left += len(item["parked"])
        print(f"{name}: {len(item['parked'])} left")
    raise typer.Exit(1 if left else 0)


Ask = Callable[[str, str], Awaitable[tuple[int, dict[str, Any]]]]
Rows = list[tuple[str, dict[str, Any]]]


def _groups(group: str | None) -> tuple[str, ...]:
    if group and group not in GROUPS:
        raise SettingsError(f"no such group; there are {', '.join(GROUPS)}")
    return (group,) if group else GROUPS


def _with_client(url: str | None, work: Callable[[Ask], Awaitable[Rows]]) -> Rows:
    settings = read_settings(url=url)
    token = operators_token(settings, "operator")

    async def run() -> Rows:
        client = Client(settings.base_url)

        async def ask(method: str, path: str) -> tuple[int, dict[str, Any]]:
            answer = await client.send(Call(method, path, token, body={} if method == "POST" else None))
            if answer.status_code not in (200, 404):
                raise StepFailed(f"{method} {path}: {reason_of(answer)}")
            return answer.status_code, answer.json()

        try:
            return await work(ask)
        finally:
            await client.close()

    return asyncio.run(run())


async def _all(ask: Ask, groups: tuple[str, ...]) -> Rows:
    rows: Rows = []
    for group in groups:
        after = ""
        while True:
            _, listed = await ask("GET", f"/{group}/v1/parked?limit=200{after}")
            rows += [(group, item) for item in listed["items"]]
            if not listed["next"]:
                break
            after = f"&after={listed['next']}"
    return rows


async def _one(ask: Ask, groups: tuple[str, ...], method: str, subject: str, verb: str) -> Rows:
    rows: Rows = []
    for group in groups:
        status, item = await ask(method, f"/{group}/v1/parked/{subject}{verb}")
        if status == 200:
            rows.append((group, item))
    if not rows:
        raise StepFailed("nothing is parked for this subject")
    return rows
