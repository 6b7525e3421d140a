"""The columns of the table that CSV, workbooks and Parquet hold: a row a figure, names for ever.

The fixed ones come first, so that a column keeps its place when the programme adds a breakdown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

from services.monitoring.exports.stated import Export, Row
from services.monitoring.work.kept import Signed
from shared.contracts.monitoring.statements import StatedTable

FIXED = (
    "programme",
    "period",
    "starts",
    "ends",
    "indicator",
    "unit",
    "breakdown",
    "value",
    "numerator",
    "denominator",
    "withheld",
    "statement",
    "replaces",
    "reason",
    "as_of",
    "issued_at",
    "definition_version",
    "zone_data",
    "threshold",
    "protection",
    "digest",
    "period_name",
    "indicator_name",
)
# Before a dimension's code: one may be called as a fixed column is.
BY = "by_"
Value = str | int | Decimal | date | datetime | None


def columns_of(export: Export) -> tuple[str, ...]:
    return (*FIXED, *(BY + code for code in export.dimensions))


def lines_of(export: Export) -> Iterator[Sequence[Value]]:
    """The names of the columns, then each figure's values in their order."""
    columns = columns_of(export)
    yield columns
    for values in values_of(export):
        yield [values.get(column) for column in columns]


def values_of(export: Export) -> Iterator[Mapping[str, Value]]:
    """Of each figure by column; what has nothing to say has None or is not there. `ends`: the first day after the
    period. `last_day`, `as_of_day` are for forms that have days alone."""
    for one in export.statements:
        for table in one.statement.tables:
            said = _of_table(export, one, table)
            for cell in table.cells:
                yield {**said, **_of_cell(Row(one, table, cell))}


def _of_table(export: Export, one: Signed, table: StatedTable) -> Mapping[str, Value]:
    statement = one.statement
    words = export.words(one)
    starts, ends = words.days(statement.period) or (None, None)
    return {
        "programme": statement.programme,
        "period": statement.period,
        "starts": starts,
        "ends": ends,
        "last_day": words.last_day(statement.period),
        "indicator": table.indicator,
        "unit": table.unit,
        "breakdown": " ".join(table.by),
        "statement": statement.number,
        "replaces": statement.restates,
        "reason": statement.reason,
        "as_of": statement.as_of,
        "as_of_day": statement.as_of.astimezone(UTC).date(),
        "issued_at": statement.issued_at,
        "definition_version": statement.definition_version,
        "zone_data": statement.zone_data,
        "threshold": statement.threshold,
        "protection": statement.protection,
        "digest": one.digest,
        "period_name": words.period_name(statement.period),
        "indicator_name": words.indicator_name(table.indicator),
    }


def _of_cell(row: Row) -> Mapping[str, Value]:
    cell = row.cell
    return {
        "value": cell.value if isinstance(cell.value, int) else row.number,
        "numerator": cell.numerator,
        "denominator": cell.denominator,
        "withheld": cell.withheld,
        **{BY + dimension: code for dimension, code in row.classes.items()},
    }
