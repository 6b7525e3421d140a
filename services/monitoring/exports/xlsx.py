"""Figures as a workbook: a sheet of figures, one of definitions in words, one that says which statements they are.

No formulas. Codes, dates and times are texts: a spreadsheet changes what it takes for a number or a date.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO

from services.monitoring.exports.columns import Value, lines_of
from services.monitoring.exports.stated import Export, plain
from services.monitoring.exports.wording import definitions, statements
from shared.clock import text_of
from shared.web.pages.languages import direction
from shared.web.pages.words import translations

if TYPE_CHECKING:
    from xlsxwriter.workbook import Workbook
    from xlsxwriter.worksheet import Worksheet

ROWS_AT_MOST = 50_000
# Digits that a spreadsheet keeps of a number.
EXACT_DIGITS = 15
CELL_AT_MOST = 32_767
WIDTH = 18


def write(export: Export, out: BinaryIO) -> None:
    """The same export gives the same bytes. Refusal `export_too_large` (422)."""
    export.refuse_above(ROWS_AT_MOST)
    # Read when the first workbook is written.
    from xlsxwriter.workbook import Workbook

    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_numbers": False,
        "strings_to_urls": False,
    }
    _ = translations(export.language).gettext
    with Workbook(out, options) as book:
        # Without it the book would bear the time at which it was written.
        book.set_properties({"created": export.newest.statement.issued_at.astimezone(UTC).replace(tzinfo=None)})
        sheets = _Sheets(book, direction(export.language) == "rtl")
        sheets.add(_("Figures"), lines_of(export))
        sheets.add(_("Definitions"), definitions(export))
        sheets.add(_("Statements"), statements(export))


class _Sheets:
    def __init__(self, book: Workbook, from_right: bool) -> None:
        self._book = book
        self._from_right = from_right
        self._bold = book.add_format({"bold": True})
        # A share has as many digits as are stated of it, zeros among them.
        self._shown = cache(lambda digits: book.add_format({"num_format": f"0.{'0' * digits}" if digits else "0"}))

    def add(self, name: str, rows: Iterable[Sequence[Value]]) -> None:
        """A sheet whose first row names the columns."""
        sheet = self._book.add_worksheet(name)
        if self._from_right:
            sheet.right_to_left()
        sheet.freeze_panes(1, 0)
        for number, row in enumerate(rows):
            if not number:
                sheet.set_column(0, len(row) - 1, WIDTH)
            for column, value in enumerate(row):
                self._write(sheet, number, column, value)

    def _write(self, sheet: Worksheet, row: int, column: int, value: Value) -> None:
        if value is None or value == "":
            return
        if isinstance(value, int | Decimal):
            exact = Decimal(value)
            _sign, digits, exponent = exact.as_tuple()
            if len(digits) <= EXACT_DIGITS:
                after = -exponent if isinstance(exponent, int) and exponent < 0 else 0
                sheet.write_number(row, column, float(exact), self._shown(after))
                return
        written: Any = plain(_text(value))[:CELL_AT_MOST]
        sheet.write_string(row, column, written, None if row else self._bold)


def _text(value: str | int | Decimal | date | datetime) -> str:
    if isinstance(value, datetime):
        return text_of(value)
    return value.isoformat() if isinstance(value, date) else str(value)
