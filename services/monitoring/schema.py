"""The tables of the read model: their columns, in the order of the domain's tuples.

No table has a key: an index would cost more at each batch than all the rest, and whoever writes has loaded what
stands there of the same subjects anyway.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from services.monitoring.database import BLOCK_BYTES, ROW_GROUP
from services.monitoring.domain.derivation import columns_of, fields_of
from services.monitoring.domain.facts import RULES_VERSION
from services.monitoring.domain.profiles import PROFILE_COLUMNS
from services.monitoring.domain.rows import EventRow
from services.monitoring.domain.zones import OfficeRow
from shared.contracts.catalogue import CATALOGUE
from shared.contracts.facts import Family, FieldType
from shared.contracts.registration.persons import ATTRIBUTES
from shared.zones import ZONE_DATA

FAMILIES: tuple[Family, ...] = tuple(CATALOGUE.families.values())
FACT_TABLES: tuple[str, ...] = tuple(family.table for family in FAMILIES)
PERSONS_TABLES = frozenset(family.table for family in FAMILIES if family.person)
_BIG = frozenset(
    {"epoch", "sequence", "happened_us", "known_ms", "known_from", "known_to", "programme_version", "recorded_us"}
    | {"number", "position", "appended_ms"}
)
_SMALL = frozenset({"item", "local_day", "local_year"})
# Ids as 128 bits and kinds as one byte: comparing and counting them is most of a recount's time.
_OF_FIELDS: dict[FieldType, str] = {
    "id": "UUID",
    "code": "VARCHAR",
    "number": "BIGINT",
    "date": "INTEGER",
    "money": "BIGINT",
}
# By itself DuckDB looks for texts that come again: of this column that takes twice the time and space.
_COMPRESSED = {"told": " USING COMPRESSION zstd"}
_ARROW = {"BIGINT": pa.int64(), "INTEGER": pa.int32(), "BOOLEAN": pa.bool_()}


def _type(column: str) -> str:
    """Of a column that is no field of a family."""
    attribute = ATTRIBUTES.get(column.removesuffix("_at_event").removesuffix("_at_now"))
    if attribute is not None:
        return "INTEGER" if attribute.type == "number" else "VARCHAR"
    if column == "framed":
        return "BOOLEAN"
    return "INTEGER" if column in _SMALL else "BIGINT" if column in _BIG or column.endswith("_day") else "VARCHAR"


def fact_types(family: Family) -> dict[str, str]:
    """The columns of the family's table with their types."""
    fields = {name: _OF_FIELDS[type] for name, type in fields_of(family).items()}
    return {name: fields.get(name) or _type(name) for name in columns_of(family)} | {"kind": "fact_kind"}


def _types(columns: Iterable[str]) -> dict[str, str]:
    return {column: _type(column) for column in columns}


TYPES: dict[str, dict[str, str]] = {
    "events": _types(EventRow._fields),
    "profiles": _types(PROFILE_COLUMNS),
    "offices": _types(OfficeRow._fields),
    **{family.table: fact_types(family) for family in FAMILIES},
    "unreadable": _types(("topic", "number", "position", "appended_ms", "reason")),
    "progress": _types(("marks",)),
}
TABLES: dict[str, tuple[str, ...]] = {table: tuple(columns) for table, columns in TYPES.items()}


def ddl() -> str:
    """Creates what is missing.

    Beside its columns a family that names persons has their numbers in this file (`numbers`), small and without gaps,
    so that persons are counted as bits. They say nothing, and differ from file to file.
    """
    kinds = ", ".join(f"'{kind}'" for kind in CATALOGUE.kinds)
    statements = [f"CREATE TYPE IF NOT EXISTS fact_kind AS ENUM ({kinds})"]
    for table, columns in TYPES.items():
        parts = [f'"{column}" {type}{_COMPRESSED.get(column, "")}' for column, type in columns.items()]
        statements.append(f"CREATE TABLE IF NOT EXISTS {table} ({', '.join([*parts, *_numbered(table)])})")
    statements.append("CREATE TABLE IF NOT EXISTS numbers (person UUID, number INTEGER)")
    return "; ".join(statements)


def _numbered(table: str) -> list[str]:
    return ["person_number INTEGER"] if table in PERSONS_TABLES else []


def fingerprint() -> str:
    """Changes with the declarations, the tables and how they are laid out, the rules that fill them and the time zones'
    data: a file with another one is built anew."""
    # An order of its own: that of a set differs from process to process.
    tells = [
        (*place, one.kind, one.once, sorted(one.ended_by), one.each, one.follows)
        for place, told in sorted(CATALOGUE.tells.items())
        for one in told
    ]
    said = f"{RULES_VERSION}:{ddl()}:{BLOCK_BYTES}:{ROW_GROUP}:{FAMILIES}:{tells}:{ZONE_DATA}"
    return hashlib.sha256(said.encode()).hexdigest()[:12]


SCHEMAS = {
    table: pa.schema([(column, _ARROW.get(type, pa.string())) for column, type in columns.items()])
    for table, columns in TYPES.items()
}


def arrow(table: str, rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Some rows as an Arrow table, which DuckDB reads without copying row by row.

    Without the columns that are empty in all of them, as most are: each costs as much to plan as one that is not.
    """
    size = len(rows)
    columns = zip(zip(*rows, strict=True), SCHEMAS[table], strict=True)
    said = [(column, field) for column, field in columns if column.count(None) < size]
    arrays = [pa.array(column, type=field.type) for column, field in said]
    return pa.Table.from_arrays(arrays, schema=pa.schema([field for _, field in said]))


def quoted(columns: Iterable[str], prefix: str = "") -> str:
    """Column names for a statement; some are words of SQL."""
    return ", ".join(f'{prefix}"{column}"' for column in columns)
