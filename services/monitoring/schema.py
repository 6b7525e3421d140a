"""The tables of the read model: their columns, in the order of the domain's tuples.

No table has a key: an index would cost more at each batch than all the rest, and whoever writes has loaded what
stands there of the same subjects anyway.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, get_args

import pyarrow as pa

from services.monitoring.domain.facts import RULES_VERSION, Fact
from services.monitoring.domain.profiles import Attributes, ProfileRow
from services.monitoring.domain.rows import EventRow
from shared.programmes.facts import FactKind

# What holds a number; every other column holds a code or an id.
_NUMBERS = frozenset(
    {"epoch", "sequence", "happened_us", "known_ms", "known_from", "known_to", "programme_version", "seats"}
    | {"starts_day", "ends_day", "days", "contract_number", "local_day", "local_year", "valid_from_day"}
    | {"recorded_us", "birth_year", "education", "experience_years", "number", "position", "appended_ms"}
)

FACT_COLUMNS: tuple[str, ...] = (
    *Fact._fields,
    "local_day",
    "local_year",
    *(f"{name}_at_event" for name in Attributes._fields),
    *(f"{name}_at_now" for name in Attributes._fields),
)

TABLES: dict[str, tuple[str, ...]] = {
    "events": EventRow._fields,
    "profiles": ProfileRow._fields,
    "offices": ("programme", "epoch", "sequence", "office", "time_zone"),
    "facts": FACT_COLUMNS,
    "unreadable": ("topic", "number", "position", "appended_ms", "reason"),
    "progress": ("marks",),
}


# Ids as 128 bits and kinds as one byte: comparing and counting them is most of a recount's time.
IDS = frozenset({"person", "expert", "assignment", "institution", "match", "placement"})
_SMALL = frozenset({"local_day", "local_year", "birth_year", "education", "experience_years", "seats", "days"})


def is_number(column: str) -> bool:
    return _base(column) in _NUMBERS


def _base(column: str) -> str:
    return column.removesuffix("_at_event").removesuffix("_at_now")


def _type(table: str, column: str) -> str:
    if table == "facts" and column == "kind":
        return "fact_kind"
    if table == "facts" and column in IDS:
        return "UUID"
    if table == "facts" and _base(column) in _SMALL:
        return "INTEGER"
    return "BIGINT" if is_number(column) else "VARCHAR"


def ddl() -> str:
    """Creates what is missing."""
    kinds = ", ".join(f"'{kind}'" for kind in get_args(FactKind))
    statements = [f"CREATE TYPE IF NOT EXISTS fact_kind AS ENUM ({kinds})"]
    for table, columns in TABLES.items():
        parts = [f'"{column}" {_type(table, column)}' for column in columns]
        statements.append(f"CREATE TABLE IF NOT EXISTS {table} ({', '.join(parts)})")
    return "; ".join(statements)


def fingerprint() -> str:
    """Changes with the tables and the rules that fill them: a file with another one is built anew."""
    return hashlib.sha256(f"{RULES_VERSION}:{ddl()}".encode()).hexdigest()[:12]


_SCHEMAS = {
    table: pa.schema([(column, pa.int64() if is_number(column) else pa.string()) for column in columns])
    for table, columns in TABLES.items()
}


def arrow(table: str, rows: Sequence[Sequence[Any]]) -> pa.Table:
    """The rows as an Arrow table, which DuckDB reads without copying row by row."""
    schema, size = _SCHEMAS[table], len(rows)
    columns = zip(*rows, strict=True) if rows else ([] for _ in schema)
    arrays = [_array(column, field.type, size) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(column: Sequence[Any], type_: pa.DataType, size: int) -> pa.Array:
    # Most columns of a topic's events are empty, which is quicker to count than to convert.
    if size > 1000 and column.count(None) == size:
        return pa.nulls(size, type_)
    return pa.array(column, type=type_)


def quoted(columns: Iterable[str], prefix: str = "") -> str:
    """Column names for a statement; some are words of SQL."""
    return ", ".join(f'{prefix}"{column}"' for column in columns)
