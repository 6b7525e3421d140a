"""A history against a system: its steps put in, then each of its figures beside what the system shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.cli.client import Client
from deploy.cli.figures import indicators
from deploy.cli.files import read_history
from deploy.cli.runner import Journal, Runner
from deploy.cli.settings import Settings
from deploy.cli.token import issued_of
from deploy.replay.expansion import planned
from deploy.replay.history import Figure, History
from deploy.replay.returns.hosts import HistoryImpossible
from deploy.replay.scaling import scaled
from deploy.replay.steps import Step
from shared.errors import SettingsError
from shared.identity.roles import Role

Row = dict[str, Any]
Shown = Mapping[str, Any]


@dataclass(frozen=True)
class Replay:
    """A history, whole or in small, and its steps. `known_as`: its journal's name and what its keys follow from."""

    history: History
    steps: tuple[Step, ...]
    known_as: str

    async def run(self, client: Client, settings: Settings, console: Console) -> list[Row]:
        """Every step acknowledged and the services at rest; one row a figure. Closes the client."""
        journal = Journal(settings.data / "histories" / f"{self.known_as}.jsonl")
        try:
            await client.wait_ready()
            issued = issued_of(settings)
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            with Progress(*columns, console=console) as bar:
                task = bar.add_task(self.known_as, total=len(self.steps))

                def progress(by: int, note: str) -> None:
                    bar.update(task, advance=by, description=note or self.known_as)

                await Runner(self.known_as, self.steps, client, journal, lambda s: issued(*_who(s)), progress).run()
                bar.update(task, description="the services come to rest")
                await client.wait_quiet()
            return await figures_of(client, issued("administrator", None, "figures"), self.history)
        finally:
            journal.close()
            await client.close()


def prepared(path: Path, definition_file: Path | None = None, scale: Decimal | None = None) -> Replay:
    """Raises SettingsError for a file that cannot be used or whose marginals cannot be met."""
    history, definition = read_history(path, definition_file)
    try:
        if scale is None:
            return Replay(history, planned(history, definition).steps, history.code)
        small, plan = scaled(history, definition, scale)
        return Replay(small, plan.steps, f"{history.code}-at-{scale}")
    except HistoryImpossible as impossible:
        raise SettingsError(f"{path}: {impossible}") from None


async def figures_of(client: Client, token: str, history: History) -> list[Row]:
    """Each declared figure beside what the system shows."""
    shown: dict[tuple[str, str], dict[str, Shown]] = {}
    rows = []
    for figure in history.figures:
        by = ",".join(figure.by)
        if (figure.period, by) not in shown:
            items = await indicators(client, token, history.programme, {"period": figure.period, "by": by or None})
            shown[(figure.period, by)] = {item["code"]: item for item in items}
        rows.append(_row(history, figure, shown[(figure.period, by)].get(figure.indicator)))
    return rows


def _row(history: History, figure: Figure, item: Shown | None) -> Row:
    value = None if item is None else _value(figure, item)
    least = "at least " if figure.comparison == "at_least" else ""
    return {
        "programme": history.programme,
        "code": figure.indicator,
        "indicator": item["name"] if item else figure.indicator,
        "period": figure.period,
        "by": figure.by,
        "published": f"{least}{figure.value}",
        "origin": figure.origin,
        "ours": None if value is None else str(value),
        "unit": item["unit"] if item else "",
        "right": figure.met(value),
        "source": figure.source,
    }


def _value(figure: Figure, item: Shown) -> Decimal | None:
    """The total, or the cell of the classes that the figure names; a class that holds nothing is 0, a share None."""
    found: Shown | None = item
    if figure.by:
        found = next(
            (one for one in item["by"] if all(one.get(name) == code for name, code in figure.by.items())), None
        )
        if found is None:
            return None if item["unit"] == "percent" else Decimal(0)
    return None if found is None or found["value"] is None else Decimal(str(found["value"]))


def _who(step: Step) -> tuple[Role, str | None, str]:
    return cast(Role, step.role), step.office, step.subject
