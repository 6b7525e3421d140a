"""Counts a statement's figures once more, from the facts that it was counted from and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from services.monitoring.counting import (
    FactText,
    ToCount,
    counted_for,
    families_counted,
    told_columns,
)
from services.monitoring.database import Connection
from services.monitoring.domain.derivation import NEVER_MS
from services.monitoring.domain.rows import milliseconds_of
from services.monitoring.queries import cells
from services.monitoring.question import Question
from services.monitoring.store import ReadModel
from shared.contracts.facts import Family
from shared.contracts.monitoring.statements import StatedTable, Statement
from shared.errors import SettingsError
from shared.programmes.indicators import share_value
from shared.programmes.model import Definition
from shared.programmes.published_tables import Table

ROWS_AT_ONCE = 1_000


@dataclass(frozen=True)
class Differs:
    """A figure that the statement tells otherwise than the facts."""

    indicator: str
    by: tuple[str, ...]
    classes: tuple[str, ...]
    stated: object
    recounted: object


def recounted(statement: Statement, definition: Definition, facts: Iterable[FactText]) -> list[Differs]:
    """Every figure that is shown and comes out otherwise. SettingsError for facts or a definition that are none of the
    statement's."""
    period = definition.period(statement.period)
    if definition.code != statement.programme or period is None:
        raise SettingsError("the definition is not of the statement's programme, or has no such period")
    asked, model = ToCount(definition, statement.definition_version, period, statement.as_of), ReadModel(None)
    try:
        _load(model.database.writer, asked, facts)
        with model.database.reader() as connection:
            return [one for table in statement.tables for one in _differing(connection, asked, table)]
    finally:
        model.close()


def _load(connection: Connection, asked: ToCount, facts: Iterable[FactText]) -> None:
    families = {family.name: family for family in families_counted(asked)}
    waiting = iter(facts)
    while some := list(islice(waiting, ROWS_AT_ONCE)):
        for name, family in families.items():
            _insert(connection, family, [fact[1:] for fact in some if fact[0] == name])
        if any(fact[0] not in families for fact in some):
            raise SettingsError("among the facts are some that the statement's tables do not look at")


def _insert(connection: Connection, family: Family, rows: list[FactText]) -> None:
    if not rows:
        return
    columns = told_columns(family)
    if any(len(row) != len(columns) for row in rows):
        raise SettingsError("a fact has other columns than its family")
    names = ", ".join(f'"{column}"' for column in (*columns, "known_to"))
    places = ", ".join("?" for _ in (*columns, "known_to"))
    statement = f"INSERT INTO {family.table} ({names}) VALUES ({places})"  # noqa: S608
    connection.executemany(statement, [(*row, NEVER_MS) for row in rows])


def _differing(connection: Connection, asked: ToCount, table: StatedTable) -> Iterator[Differs]:
    definition = asked.definition
    indicator = definition.indicator(table.indicator)
    by = tuple(one for code in table.by if (one := definition.dimension(code)) is not None)
    if indicator is None or len(by) < len(table.by):
        raise SettingsError(f"the definition has no {table.indicator} by {', '.join(table.by)}")
    parts = counted_for(definition, Table(table.indicator, asked.period.code, table.by))
    found = []
    for part in parts:
        total, broken_down = cells(
            connection, Question(definition, part, milliseconds_of(asked.as_of), asked.period, by)
        )
        found.append({one.classes: one.part for one in (total, *broken_down)})
    for cell in table.cells:
        if cell.withheld is None:
            values = [one.get(cell.classes, 0) for one in found]
            share = None if len(values) == 1 else share_value(values[0], values[1], indicator.decimals)
            value = values[0] if len(values) == 1 else None if share is None else str(share)
            if value != cell.value:
                yield Differs(table.indicator, table.by, cell.classes, cell.value, value)
