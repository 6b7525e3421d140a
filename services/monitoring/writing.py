"""Rows into the read model's tables, and the numbers of the persons whom facts name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pyarrow as pa

from services.monitoring.database import Connection
from services.monitoring.schema import PERSONS_TABLES, TABLES, arrow, quoted

# Up to so many ids stand in the statement itself: a join with a list of them takes twice as long to plan.
LISTED = 64


def among(column: str, ids: Collection[str], type: str = "VARCHAR") -> tuple[str, list[Any]]:
    """The condition that the column holds one of these ids, of which there are some, and its parameters."""
    if len(ids) <= LISTED:
        return f'"{column}" IN ({", ".join([f"?::{type}"] * len(ids))})', sorted(ids)
    return f'"{column}" IN (SELECT unnest(?::{type}[]))', [sorted(ids)]


def insert(connection: Connection, table: str, rows: Sequence[Any]) -> None:
    """Adds the rows, which are in the order of the table's columns."""
    if rows:
        insert_arrow(connection, table, arrow(table, rows))


def insert_arrow(connection: Connection, table: str, incoming: Any) -> None:
    """Adds the rows of an Arrow table, of which there are some; columns that it lacks stay empty."""
    names = quoted(incoming.column_names)
    # DuckDB finds the parameter by its name; to register it as a view would plan the statement twice.
    connection.execute(f"INSERT INTO {table} ({names}) SELECT * FROM incoming")  # noqa: S608


def insert_facts(connection: Connection, found: Mapping[str, Sequence[Any]]) -> None:
    """Adds the rows of families' tables, with the numbers of their persons."""
    places = {table: TABLES[table].index("person") for table in PERSONS_TABLES & found.keys()}
    persons = {table: [row[place] for row in found[table]] for table, place in places.items()}
    numbers = _numbers_of(connection, {person for named in persons.values() for person in named if person is not None})
    for table, rows in found.items():
        if not rows:
            continue
        incoming = arrow(table, rows)
        if table in persons:
            column = pa.array([numbers.get(person) for person in persons[table]], pa.int32())
            incoming = incoming.append_column("person_number", column)
        insert_arrow(connection, table, incoming)


def _numbers_of(connection: Connection, persons: set[str]) -> dict[str, int]:
    """The persons' numbers; who has none gets the next one."""
    if not persons:
        return {}
    where, asked = among("person", persons, "UUID")
    found = connection.execute(f"SELECT person::VARCHAR, number FROM numbers WHERE {where}", asked).fetchall()  # noqa: S608
    numbers: dict[str, int] = dict(found)
    if new := sorted(persons - numbers.keys()):
        first = int(connection.execute("SELECT count(*) FROM numbers").fetchall()[0][0])
        given = range(first, first + len(new))
        insert_arrow(connection, "numbers", pa.table({"person": new, "number": pa.array(given, pa.int32())}))
        numbers |= zip(new, given, strict=True)
    return numbers


def numbering(persons: str) -> str:
    """The statement that gives each person whom the query gives, and who has none, the next number."""
    new = f"(SELECT DISTINCT * FROM ({persons}) named(person)) ANTI JOIN numbers USING (person)"  # noqa: S608
    return f"INSERT INTO numbers SELECT person, (SELECT count(*) FROM numbers) + row_number() OVER () - 1 FROM {new}"  # noqa: S608
