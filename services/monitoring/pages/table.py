"""The table of an indicator as a CSV file (RFC 4180): what the JSON edge answers, a row a figure."""

from __future__ import annotations

from typing import Any

from services.monitoring.pages.lines import Breakdown, Line, Lines
from shared.web.spreadsheet import csv_of, inert

COLUMNS = (
    "programme",
    "definition_version",
    "indicator",
    "unit",
    "period",
    "starts",
    "ends",
    "dimension",
    "class",
    "name",
    "value",
    "suppressed",
    "withheld",
    "numerator",
    "denominator",
    "target",
    "state",
    "as_of",
)


def table_of(lines: Lines) -> bytes:
    """Rows of periods, then of the breakdowns' classes; values as the JSON edge writes them, empty where there is
    none."""
    rows = [_row(lines, line) for line in lines.by_period()]
    rows += [_row(lines, line, breakdown) for breakdown in lines.broken_down() for line in breakdown.lines]
    return csv_of([COLUMNS, *rows])


def _row(lines: Lines, line: Line, breakdown: Breakdown | None = None) -> list[Any]:
    answer = line.answer
    whole = lines.sheet.answers[0]
    period, value = line.period, answer["value"]
    return [
        lines.sheet.definition.code,
        whole["definition_version"],
        line.indicator.code,
        line.indicator.unit,
        "" if period is None else period.code,
        "" if period is None else period.starts.isoformat(),
        "" if period is None else period.ends.isoformat(),
        "" if breakdown is None else breakdown.dimension.code,
        "" if breakdown is None else inert(line.code),
        inert(line.name.striptags() if hasattr(line.name, "striptags") else line.name),
        "" if value is None else value,
        "true" if answer.get("suppressed") else "false",
        answer.get("withheld") or "",
        *("" if answer.get(name) is None else answer[name] for name in ("numerator", "denominator", "target")),
        whole["state"],
        whole["as_of"] or "",
    ]
