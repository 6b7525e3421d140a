"""`sankofa parked list|show|replay|drop`: dead letters, by the subject whose later events wait behind them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, get_args

import typer
from rich.console import Console
from rich.table import Table

from deploy.cli.client import Call, Client, StepFailed, reason_of
from deploy.cli.settings import read_settings
from deploy.cli.token import operators_token
from shared.errors import SettingsError
from shared.web.operation import DropReason

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
    waiting = [(name, item) for name, item in rows if item["parked"]]
    for name, item in waiting:
        first = item["parked"][0]
        table.add_row(name, item["id"], str(len(item["parked"])), first["reason"], first["topic"])
    Console().print(table if waiting else "nothing is parked")
    _print_dropped(rows)


@app.command("show", epilog="Example: sankofa parked show SUBJECT --group matching")
def show(subject: SubjectArgument, group: GroupOption = None, url: UrlOption = None) -> None:
    """Shows each parked record of a subject: position, reason, tries."""
    table = Table("group", "topic", "partition", "offset", "reason", "tries")
    rows = _with_client(url, lambda ask: _one(ask, _groups(group), "GET", subject))
    for name, item in rows:
        for entry in item["parked"]:
            place = (str(entry["partition"]), str(entry["offset"]))
            table.add_row(name, entry["topic"], *place, entry["reason"], str(entry["tries"]))
    Console().print(table)
    _print_dropped(rows)


@app.command("replay", epilog="Example: sankofa parked replay SUBJECT --group matching")
def replay(subject: SubjectArgument, group: GroupOption = None, url: UrlOption = None) -> None:
    """Applies what is parked for a subject, in order; exit 1 where something still waits."""
    left = 0
    for name, item in _with_client(url, lambda ask: _one(ask, _groups(group), "POST", subject, "/replay", {})):
        left += len(item["parked"])
        print(f"{name}: {len(item['parked'])} left")
    raise typer.Exit(1 if left else 0)


@app.command("drop", epilog="Example: sankofa parked drop SUBJECT --group matching --reason refused_for_good")
def drop(
    subject: SubjectArgument,
    group: Annotated[str, typer.Option("--group", help=f"One of {', '.join(GROUPS)}.")],
    reason: Annotated[str, typer.Option("--reason", help=f"One of {', '.join(get_args(DropReason))}.")],
    url: UrlOption = None,
) -> None:
    """Gives up the first record that is parked for a subject, for good, and applies what waited behind it.

    It stays listed, with the reason and the account. Exit 1 where something still waits.
    """
    if reason not in get_args(DropReason):
        raise SettingsError(f"no such reason; there are {', '.join(get_args(DropReason))}")
    [(_, item)] = _with_client(url, lambda ask: _drop(ask, _groups(group), subject, reason))
    print(f"{group}: dropped, {len(item['parked'])} left")
    raise typer.Exit(1 if item["parked"] else 0)


Ask = Callable[[str, str, Any], Awaitable[tuple[int, dict[str, Any]]]]
Rows = list[tuple[str, dict[str, Any]]]


def _print_dropped(rows: Rows) -> None:
    table = Table("group", "subject", "topic", "partition", "offset", "parked for", "dropped for", "by", "at")
    for name, item in rows:
        for one in item["dropped"]:
            place = (one["topic"], str(one["partition"]), str(one["offset"]))
            table.add_row(name, item["id"], *place, one["parked"], one["reason"], one["by"], one["at"])
    if table.rows:
        Console().print("dropped", table)


def _groups(group: str | None) -> tuple[str, ...]:
    if group and group not in GROUPS:
        raise SettingsError(f"no such group; there are {', '.join(GROUPS)}")
    return (group,) if group else GROUPS


def _with_client(url: str | None, work: Callable[[Ask], Awaitable[Rows]]) -> Rows:
    settings = read_settings(url=url)
    token = operators_token(settings, "operator")

    async def run() -> Rows:
        client = Client(settings.base_url)

        async def ask(method: str, path: str, body: Any) -> tuple[int, dict[str, Any]]:
            answer = await client.send(Call(method, path, token, body=body))
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
            _, listed = await ask("GET", f"/{group}/v1/parked?limit=200{after}", None)
            rows += [(group, item) for item in listed["items"]]
            if not listed["next"]:
                break
            after = f"&after={listed['next']}"
    return rows


async def _drop(ask: Ask, groups: tuple[str, ...], subject: str, reason: str) -> Rows:
    """The first record by its place: what another operator has dropped meanwhile is not dropped a second time."""
    [(_, item)] = await _one(ask, groups, "GET", subject)
    if not item["parked"]:
        raise StepFailed("nothing is parked for this subject")
    place = {name: item["parked"][0][name] for name in ("topic", "partition", "offset")}
    return await _one(ask, groups, "POST", subject, "/drop", {**place, "reason": reason})


async def _one(ask: Ask, groups: tuple[str, ...], method: str, subject: str, verb: str = "", body: Any = None) -> Rows:
    rows: Rows = []
    for group in groups:
        status, item = await ask(method, f"/{group}/v1/parked/{subject}{verb}", body)
        if status == 200:
            rows.append((group, item))
    if not rows:
        raise StepFailed("nothing is parked for this subject")
    return rows
