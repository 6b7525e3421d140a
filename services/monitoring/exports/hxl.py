"""Figures as HXL 1.1: a CSV file whose second row says by hashtags what each column holds.

Dates are days alone: what comes with a time other software reads as another day.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from services.monitoring.exports.columns import BY, values_of
from services.monitoring.exports.csv import ROWS_AT_MOST, shown
from services.monitoring.exports.stated import Export
from shared.programmes.indicators import Dimension
from shared.web.spreadsheet import write_csv

FIXED: tuple[tuple[str, str], ...] = (
    ("programme", "#activity+code"),
    ("period", "#meta+period+code"),
    ("starts", "#date+start"),
    ("last_day", "#date+end"),
    ("indicator", "#indicator+code"),
    ("indicator_name", "#indicator+name+i_{language}"),
    ("unit", "#meta+unit"),
    ("breakdown", "#meta+breakdown"),
    ("value", "#indicator+value+num"),
    ("numerator", "#indicator+numerator+num"),
    ("denominator", "#indicator+denominator+num"),
    ("withheld", "#status+withheld"),
    ("statement", "#meta+statement+num"),
    ("as_of_day", "#date+asof"),
)
# Of what a dimension comes from, where HXL has a hashtag for it.
_TAGS = {
    "country": "#country",
    "country_of_origin": "#country",
    "country_of_residence": "#country",
    "nationality": "#country",
    "area": "#loc",
    "sector": "#sector",
    "office": "#org",
    "modality": "#modality",
}
_NO_ATTRIBUTE = re.compile(r"[^a-z0-9_]")


def write(export: Export, out: BinaryIO) -> None:
    """UTF-8 without a mark. Refusal `export_too_large` (422)."""
    export.refuse_above(ROWS_AT_MOST)
    write_csv(_rows(export), out, marked=False)


def tag_of(dimension: Dimension | None, code: str) -> str:
    """The hashtag of a breakdown's column, with an attribute of its own."""
    source = dimension and (dimension.field or dimension.attribute)
    # An attribute begins with a letter.
    return f"{_TAGS.get(str(source), '#group')}+by_{_NO_ATTRIBUTE.sub('_', code.lower())}+code"


def _rows(export: Export) -> Iterator[Sequence[Any]]:
    dimensions = export.dimensions
    names = [*(name for name, _ in FIXED), *(BY + code for code in dimensions)]
    yield names
    tags = [tag_of(export.definition.dimension(code), code) for code in dimensions]
    yield [*(tag.format(language=export.language) for _, tag in FIXED), *tags]
    for values in values_of(export):
        yield [shown(values.get(name)) for name in names]
