"""Rows into the read model's tables, and the numbers of the persons whom facts name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pyarrow as pa

from services.monitoring.database import Connection
from services.monitoring.schema import PERSONS_TABLES, TABLES, arrow, quoted

# Up to so many ids stand in the statement itself, each of them planned; a join with a list takes longer for few.
LISTED = 10


def among(column: str, ids: Collection[str], type: str = "VARCHAR") -> tuple[str, list[Any]]:
    """The condition that the column holds one of these ids, of which there are some, and its parameters."""
    if len(ids) <= LISTED:
        return f'"{column}" IN ({", ".join([f"?::{type}"] * len(ids))})', sorted(ids)
    return f'"{column}" IN (SELECT unnest(?::{type}[]))', [sorted(ids)]


def remove(connection: Connection, table: str, column: str, ids: Collection[str], type: str = "VARCHAR") -> None:
    """Removes the rows whose column is one of the ids; says nothing where there are none."""
    if ids:
        where, values = among(column, ids, type)
        connection.execute(f"DELETE FROM {table} WHERE {where}", values)  # noqa: S608


def insert(connection: Connection, table: str, rows: Sequence[Any]) -> None:
    """Adds the rows, which are in the order of the table's columns."""
    insert_all(connection, {table: rows})


def insert_all(connection: Connection, found: Mapping[str, Sequence[Any]]) -> None:
    """Adds the rows of each table, which are in the order of its columns; facts with the numbers of their persons."""
    tables = {table: arrow(table, rows) for table, rows in found.items() if rows}
    places = {table: TABLES[table].index("person") for table in PERSONS_TABLES & tables.keys()}
    persons = {table: [row[place] for row in found[table]] for table, place in places.items()}
    named = {person for names in persons.values() for person in names if person is not None}
    numbers, new = _numbers_of(connection, named)
    for table, names in persons.items():
        column = pa.array([numbers.get(person) for person in names], pa.int32())
        tables[table] = tables[table].append_column("person_number", column)
    if new:
        given = pa.array([numbers[person] for person in new], pa.int32())
        tables["numbers"] = pa.table({"person": new, "number": given})
    insert_arrow(connection, tables)


def insert_arrow(connection: Connection, tables: Mapping[str, pa.Table]) -> None:
    """Adds the rows of Arrow tables by the names of the read model's; columns that they lack stay empty."""
    if not tables:
        return
    # One statement for all of them: each one of its own costs as much again as its rows.
    *others, last = [
        f"INSERT INTO {name} ({quoted(table.column_names)}) SELECT * FROM {_incoming(name)}"  # noqa: S608
        for name, table in tables.items()
    ]
    parts = ", ".join(f"part{number} AS ({insert} RETURNING 1)" for number, insert in enumerate(others))
    statement = f"WITH {parts} {last}" if parts else last
    # DuckDB finds them by name among the caller's variables; to register each as a view would plan it twice.
    variables = {_incoming(name): table for name, table in tables.items()}
    eval(_EXECUTE, {**variables, "connection": connection, "statement": statement})  # noqa: S307


_EXECUTE = compile("connection.execute(statement)", __name__, "eval")


def _incoming(name: str) -> str:
    return f"incoming_{name}"


def _numbers_of(connection: Connection, persons: set[str]) -> tuple[dict[str, int], list[str]]:
    """The persons' numbers, and who had none and now has the next one."""
    if not persons:
        return {}, []
    where, asked = among("person", persons, "UUID")
    found = connection.execute(f"SELECT person::VARCHAR, number FROM numbers WHERE {where}", asked).fetchall()  # noqa: S608
    numbers: dict[str, int] = dict(found)
    new = sorted(persons - numbers.keys())
    if new:
        first = int(connection.execute("SELECT count(*) FROM numbers").fetchall()[0][0])
        numbers |= {person: first + place for place, person in enumerate(new)}
    return numbers, new


def numbering(persons: str) -> str:
    """The statement that gives each person whom the query gives, and who has none, the next number."""
    new = f"(SELECT DISTINCT * FROM ({persons}) named(person)) ANTI JOIN numbers USING (person)"  # noqa: S608
    return f"INSERT INTO numbers SELECT person, (SELECT count(*) FROM numbers) + row_number() OVER () - 1 FROM {new}"  # noqa: S608
