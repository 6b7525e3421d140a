"""Figures as CSV (RFC 4180): the columns of `columns.py`, and no cell that a spreadsheet would reckon with."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, BinaryIO

from services.monitoring.exports.columns import Value, lines_of
from services.monitoring.exports.stated import Export
from shared.clock import text_of
from shared.web.spreadsheet import inert, write_csv

ROWS_AT_MOST = 250_000


def write(export: Export, out: BinaryIO) -> None:
    """UTF-8 with the mark by which spreadsheets know it. Refusal `export_too_large` (422)."""
    export.refuse_above(ROWS_AT_MOST)
    # What a column is called is a code, which no spreadsheet reckons with.
    write_csv(([shown(value) for value in line] for line in lines_of(export)), out)


def shown(value: Value) -> Any:
    """A cell: numbers as they are, times in UTC as RFC 3339 says, nothing as an empty text."""
    if isinstance(value, datetime):
        return text_of(value)
    if isinstance(value, date):
        return value.isoformat()
    if value is None:
        return ""
    return inert(value) if isinstance(value, str) else value
