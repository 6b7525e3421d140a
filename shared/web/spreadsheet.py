"""CSV files (RFC 4180) as people open them: in a spreadsheet, which takes some texts for formulas."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from io import BytesIO, TextIOWrapper
from typing import Any, BinaryIO

CSV = "text/csv; charset=utf-8"
# Where a spreadsheet may take a cell to begin, and what it takes for the beginning of a formula, in full width too.
# Where a semicolon parts lists, one whose file parts its cells by commas splits at it within quotes as well.
_FORMULA = re.compile(r'(?:^|(?<=[;\t\r\n]))(?="*[=+\-@＝＋－＠])|^(?=[\t\r])')
# By which Excel knows that the file is UTF-8.
_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


def csv_of(rows: Iterable[Sequence[Any]], *, marked: bool = True) -> bytes:
    """The rows, the first of which names the columns. Texts that somebody wrote go through `inert()` before."""
    written = BytesIO()
    write_csv(rows, written, marked=marked)
    return written.getvalue()


def write_csv(rows: Iterable[Sequence[Any]], out: BinaryIO, *, marked: bool = True) -> None:
    """As `csv_of`, row by row. `marked`: False for programs that take the mark for a part of the first cell."""
    text = TextIOWrapper(out, encoding="utf-8", newline="")
    text.write(_MARK if marked else "")
    csv.writer(text, lineterminator="\r\n", quoting=csv.QUOTE_NONNUMERIC).writerows(rows)
    # Without it `out` would be closed with the wrapper.
    text.detach()


def inert(text: str) -> str:
    """A text that no spreadsheet reckons with."""
    return _FORMULA.sub("'", text)
