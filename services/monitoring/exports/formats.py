"""Which forms there are, and an export as a whole: its name, its bytes, how many figures it has and their digest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
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


@dataclass(frozen=True)
class Format:
    """`code`: by which it is asked for. `write`: writes the export to an open file; raises Refusal.

    `worded`: whether the file differs by the reader's language.
    """

    code: str
    media_type: str
    extension: str
    write: Callable[[Export, BinaryIO], None]
    worded: bool = True


FORMATS: Mapping[str, Format] = {
    one.code: one
    for one in (
        Format("csv", CSV, "csv", csv.write),
        Format("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx", xlsx.write),
        Format("hxl", CSV, "hxl.csv", hxl.write),
        Format("parquet", "application/vnd.apache.parquet", "parquet", parquet.write),
        Format("iati", "application/xml", "iati.xml", iati.write, worded=False),
        Format("dhis2", "application/json", "dhis2.json", dhis2.write, worded=False),
        Format("adx", "application/adx+xml", "adx.xml", adx.write, worded=False),
        Format("report", PDF, "pdf", report.write),
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
    """Programme, numbers of the statements, language where it matters: the same file has the same name."""
    first, last = (asked.statements[place].statement.number for place in (0, -1))
    numbers = str(first) if first == last else f"{first}-{last}"
    parts = (asked.definition.code, "statement", numbers, *((asked.language,) if found.worded else ()))
    return f"{'-'.join(parts)}.{found.extension}"
