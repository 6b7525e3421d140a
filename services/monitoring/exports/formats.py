"""Which forms there are, and an export as a whole: its name, its bytes, how many figures it has and their digest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from services.monitoring.exports import adx, csv, dhis2, hxl, iati, parquet, report, xlsx
from services.monitoring.exports.stated import Export
from services.monitoring.work.kept import Signed
from shared.errors import Refusal
from shared.programmes.model import Definition
from shared.web.papers import MEDIA_TYPE as PDF
from shared.web.spreadsheet import CSV

WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# Programmes may have longer codes.
NAME_AT_MOST = 20


@dataclass(frozen=True)
class Format:
    """`code`: by which it is asked for. `write`: writes the export to an open file; raises Refusal.

    `most`: figures that it holds; `worded`: whether the file differs by the reader's language; `standing`: whether it
    says of each period what stands, and nothing of what was said before.
    """

    code: str
    media_type: str
    extension: str
    write: Callable[[Export, BinaryIO], None]
    most: int
    worded: bool = True
    standing: bool = False


FORMATS: Mapping[str, Format] = {
    one.code: one
    for one in (
        Format("csv", CSV, "csv", csv.write, csv.ROWS_AT_MOST),
        Format("xlsx", WORKBOOK, "xlsx", xlsx.write, xlsx.ROWS_AT_MOST),
        Format("hxl", CSV, "csv", hxl.write, csv.ROWS_AT_MOST),
        Format("parquet", "application/vnd.apache.parquet", "parquet", parquet.write, parquet.ROWS_AT_MOST),
        Format("iati", "application/xml", "xml", iati.write, iati.ROWS_AT_MOST, worded=False, standing=True),
        Format("dhis2", "application/json", "json", dhis2.write, dhis2.ROWS_AT_MOST, worded=False, standing=True),
        Format("adx", "application/adx+xml", "xml", adx.write, dhis2.ROWS_AT_MOST, worded=False, standing=True),
        Format("report", PDF, "pdf", report.write, report.ROWS_AT_MOST),
    )
}


@dataclass(frozen=True)
class Exported:
    """`rows`: figures among which it was chosen what the form holds; `digest`: SHA-256 of the content, in hexadecimal
    digits."""

    name: str
    media_type: str
    content: bytes
    rows: int
    digest: str


def export(
    format: str, statements: Iterable[Signed], versions: Mapping[int, Definition], version: int, language: str
) -> Exported:
    """The statements in that form. Refusal `export_format_unknown` (422) for a form that is none, and whatever the
    form's writer refuses. Raises ValueError as `Export` does."""
    found = FORMATS.get(format)
    if found is None:
        detail = f"one of {', '.join(FORMATS)}"
        raise Refusal("export_format_unknown", detail, at="/format", status=422)
    asked, out = Export(tuple(statements), versions, version, language), BytesIO()
    found.write(asked, out)
    content = out.getvalue()
    return Exported(_name(found, asked), found.media_type, content, asked.size, hashlib.sha256(content).hexdigest())


def _name(found: Format, asked: Export) -> str:
    """Programme, numbers of the statements, form, language where it matters: the same file has the same name."""
    numbers = numbers_of([one.statement.number for one in asked.statements])
    parts = (asked.definition.code[:NAME_AT_MOST], "statement", numbers, found.code)
    return f"{'-'.join((*parts, *((asked.language,) if found.worded else ())))}.{found.extension}"


def numbers_of(numbers: Sequence[int]) -> str:
    """`7`, or `2-7` of several up to the last one."""
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]}-{numbers[-1]}"
