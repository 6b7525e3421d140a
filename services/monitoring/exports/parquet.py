"""Figures as Parquet: the columns of `columns.py`, each of a type that readers in every language take rightly.

`value` is a whole number of 64 bits; a share stands in `share` (DECIMAL with six decimals) and, with the digits that
are stated of it, in `share_text`. Times have their zone, codes and digests are texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import islice
from typing import Any, BinaryIO

from services.monitoring.exports.columns import BY, Value, columns_of, values_of
from services.monitoring.exports.stated import TOO_LARGE, Export
from shared.errors import Refusal

ROWS_AT_MOST = 250_000
GROUP = 50_000
SHARE, SHARE_TEXT = "share", "share_text"
# As many digits as a share may have (shared.contracts.patterns.DECIMAL).
SHARE_DIGITS, SHARE_DECIMALS = 36, 6
MOST = 2**63
_WHOLE = frozenset(
    {"value", "numerator", "denominator", "statement", "replaces", "definition_version", "threshold", "protection"}
)


def write(export: Export, out: BinaryIO) -> None:
    """The same export gives the same bytes. Refusal `export_too_large` (422), also for a figure beyond 64 bits."""
    export.refuse_above(ROWS_AT_MOST)
    # Read when the first such file is written.
    import pyarrow
    import pyarrow.parquet

    schema = pyarrow.schema([(name, _type(pyarrow, name)) for name in names(export)])
    rows = map(_typed, values_of(export))
    with pyarrow.parquet.ParquetWriter(out, schema, compression="snappy") as writer:
        while group := list(islice(rows, GROUP)):
            writer.write_table(pyarrow.Table.from_pylist(group, schema=schema), row_group_size=GROUP)


def names(export: Export) -> Iterator[str]:
    """The columns, with those of shares behind that of whole numbers."""
    for name in columns_of(export):
        yield name
        if name == "value":
            yield from (SHARE, SHARE_TEXT)


def _type(pyarrow: Any, name: str) -> Any:
    if name.startswith(BY):
        return pyarrow.string()
    if name in _WHOLE:
        return pyarrow.int64()
    if name == SHARE:
        return pyarrow.decimal128(SHARE_DIGITS, SHARE_DECIMALS)
    return {
        "starts": pyarrow.date32(),
        "ends": pyarrow.date32(),
        "as_of": pyarrow.timestamp("us", tz="UTC"),
        "issued_at": pyarrow.timestamp("us", tz="UTC"),
    }.get(name, pyarrow.string())


def _typed(values: Mapping[str, Value]) -> dict[str, Value]:
    for one in values.values():
        if isinstance(one, int) and not -MOST <= one < MOST:
            raise Refusal(TOO_LARGE, "a figure has more than 64 bits, which this form does not hold", status=422)
    value = values["value"]
    if not isinstance(value, Decimal):
        return dict(values)
    return {**values, "value": None, SHARE: value, SHARE_TEXT: str(value)}
