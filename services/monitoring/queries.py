"""An indicator's declaration as one parameterised query over facts: never a counter.

As of T counts facts with `known_from < T <= known_to`; a period is half-open in calendar days of the fact's office.
Every value of a declaration or a request is a parameter; names of columns come from the tables' own list.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from services.monitoring.database import Connection
from services.monitoring.domain.rows import day_of
from services.monitoring.expressions import Parameters, class_named, classes_of, condition_of, table_of
from services.monitoring.question import Counting, Question, families_of, frames_used, parts_of
from shared.programmes.indicators import Distinct, Facts, Measure, Sum

# The memory that the bits of an answer's cells may take.
BITS_BYTES = 64 * 2**20
SEEN_AT_MOST = 1_000
# Among what was seen, how many persons there was room for.
_ROOM = "room for persons"


@dataclass(frozen=True)
class Cell:
    """One figure: of the whole (`classes` empty) or of one combination of classes.

    `part` and `whole`: numerator and denominator of a share; `whole` is None for all else. `persons`, and
    `others` for a share: how many different persons stand in the part, and in the whole without the part
    (both 0 where they were not asked for).
    """

    classes: tuple[str, ...]
    part: int
    whole: int | None
    persons: int
    others: int


@dataclass(frozen=True)
class Query:
    """One statement with its parameters; its rows are what `cells` reads."""

    sql: str
    parameters: Mapping[str, Any]


def compile_query(question: Question) -> Query:
    """The query of the question: a row of the total, and where dimensions are named one of each cell beside it.

    Its first column says whether the row is the total, then come the classes, then the values.
    """
    value = Parameters()
    parts = parts_of(question)
    kinds = sorted({kind for facts, _ in parts for kind in facts.kinds})
    conditions = [_facts(facts, kinds, question, value) for facts, _ in parts]
    where = " AND ".join(_scope(question, value) + ([] if "true" in conditions else [f"({' OR '.join(conditions)})"]))
    # One part alone is all that WHERE lets through; only a share has to tell its two apart.
    flags = [f"({condition}) AS in{i}" for i, condition in enumerate(conditions) if len(parts) > 1]
    if not question.by:
        values = ", ".join(_values(question, parts))
        columns = ", ".join([*flags, *(f'"{name}"' for name in _counted(question, parts))]) or "1"
        sql = f"SELECT true, {values} FROM (SELECT {columns} FROM {table_of(question)} WHERE {where})"  # noqa: S608
        return Query(sql, value.values)
    classes = [f"{classes_of(one, question, value)} AS d{i}" for i, one in enumerate(question.by)]
    return Query(_broken_down(question, parts, [*classes, *flags], where), value.values)


def _as_bits(question: Question, persons: int) -> Query:
    """As `_broken_down`, of one count of persons: those of a cell are the bits of their numbers, and those of the total
    all bits that any cell has. One row, of the total and a list of the cells."""
    value = Parameters()
    ((facts, _),) = parts_of(question)
    conditions = [*_scope(question, value), _facts(facts, facts.kinds, question, value)]
    classes = ", ".join(f"{classes_of(one, question, value)} AS d{i}" for i, one in enumerate(question.by))
    names = ", ".join(f"d{i}" for i in range(len(question.by)))
    bits = f"bitstring_agg(person_number, 0, {max(persons - 1, 0)}) AS bits"
    where, table = " AND ".join(conditions), table_of(question)
    return Query(
        f"SELECT bit_count(bit_or(bits)), list(({names}, bit_count(bits))) "  # noqa: S608
        f"FROM (SELECT {classes}, {bits} FROM {table} WHERE {where} GROUP BY ALL)",
        value.values,
    )


def _fits_bits(connection: Connection, question: Question, seen: MutableMapping[Any, int]) -> int:
    """Room for the numbers of all persons, where the question can be answered by their bits; 0 where it cannot, or
    where the cells that it had before would take too much memory."""
    measures = [measure for _, measure in parts_of(question)]
    cells_before = seen.get(_asked(question))
    if cells_before is None or measures != [Distinct(distinct="person")] or len(families_of(question)) > 1:
        return 0
    if (persons := seen.get(_ROOM, 0)) == 0:
        counted = int(connection.execute("SELECT count(*) FROM numbers").fetchall()[0][0])
        # With some to spare for those who come, so that few questions have to count again.
        seen[_ROOM] = persons = counted + counted // 16 + 64
    return persons if persons * (cells_before + 1) <= 8 * BITS_BYTES else 0


def _asked(question: Question) -> Any:
    period = None if question.period is None else question.period.code
    by = tuple((dimension.code, len(dimension.classes)) for dimension in question.by)
    return (question.definition.code, question.indicator.code, by, period, question.office)


def _broken_down(question: Question, parts: Counting, columns: Sequence[str], where: str) -> str:
    """Cells and total from rows that are grouped once by all that either tells apart.

    Distinct things then stand in few rows each, and are counted among these instead of among all facts.
    """
    distinct = [f'"{name}"' for name in _counted(question, parts) if name not in _summed(parts)]
    sums = [f'sum("{name}") AS "{name}"' for name in _summed(parts)]
    rows = ", ".join([*columns, *distinct, *sums, "count(*) AS things"])
    names = ", ".join(f"d{i}" for i in range(len(question.by)))
    nothing = ", ".join(f"NULL AS d{i}" for i in range(len(question.by)))
    # Without another column to tell them apart, no two rows of a cell name the same thing.
    cell = _values(question, parts, grouped=True, once=len(parts) == 1 and len(distinct) == 1)
    total = _values(question, parts, grouped=True)
    return (
        f"WITH grouped AS MATERIALIZED (SELECT {rows} FROM {table_of(question)} WHERE {where} GROUP BY ALL) "  # noqa: S608
        f"SELECT false, {names}, {', '.join(cell)} FROM grouped GROUP BY {names} "
        f"UNION ALL SELECT true, {nothing}, {', '.join(total)} FROM grouped"
    )


def cells(
    connection: Connection, question: Question, seen: MutableMapping[Any, int] | None = None
) -> tuple[Cell, list[Cell]]:
    """The total and the cells, ordered by their classes.

    `seen`: how many cells earlier answers of the same read model had, by what was asked.
    """
    width, shared = len(question.by), question.indicator.share is not None
    total, found = Cell((), 0, 0 if shared else None, 0, 0), []
    for is_total, *row in _counted_rows(connection, question, seen):
        values = [int(value or 0) for value in row[width:]]
        part, whole = (values[0], values[1]) if shared else (values[0], None)
        classes = () if is_total else tuple(map(class_named, question.by, row))
        persons, others = values[-2:] if question.with_persons else (0, 0)
        cell = Cell(classes, part, whole, persons, others)
        if is_total:
            total = cell
        else:
            found.append(cell)
    if question.by and seen is not None:
        if len(seen) >= SEEN_AT_MOST:
            seen.clear()
        seen[_asked(question)] = len(found)
    return total, sorted(found, key=lambda cell: cell.classes)


def _counted_rows(
    connection: Connection, question: Question, seen: MutableMapping[Any, int] | None
) -> list[tuple[Any, ...]]:
    """What the query of the question gives."""
    while question.by and seen and (persons := _fits_bits(connection, question, seen)):
        query = _as_bits(question, persons)
        try:
            ((total, broken_down),) = connection.execute(query.sql, dict(query.parameters)).fetchall()
        except duckdb.OutOfRangeException:
            # More persons came than there was room for: DuckDB refuses a bit beyond it.
            seen.pop(_ROOM, None)
        else:
            return [(True, *(None for _ in question.by), total), *((False, *one) for one in broken_down or ())]
    query = compile_query(question)
    return connection.execute(query.sql, dict(query.parameters)).fetchall()


def frames_unknown(connection: Connection, question: Question) -> bool:
    """Whether something is asked that the openings of some of these cases did not say: they stand under what is not
    stated, and meet no condition on it."""
    for family in frames_used(question):
        value = Parameters()
        where = " AND ".join([*_scope(question, value), "NOT framed"])
        query = f"SELECT 1 FROM {family.table} WHERE {where} LIMIT 1"  # noqa: S608
        if connection.execute(query, value.values).fetchall():
            return True
    return False


def _counted(question: Question, parts: Counting) -> list[str]:
    """The columns that the measures and the gate of disclosure count or add up."""
    distinct = {measure.distinct for _, measure in parts if isinstance(measure, Distinct)}
    return sorted(
        distinct | set(_summed(parts)) | ({"person"} if question.with_persons and _names_persons(question) else set())
    )


def _names_persons(question: Question) -> bool:
    return any(family.person for family in families_of(question))


def _summed(parts: Counting) -> list[str]:
    return sorted({measure.sum for _, measure in parts if isinstance(measure, Sum)})


def _values(question: Question, parts: Counting, *, grouped: bool = False, once: bool = False) -> list[str]:
    """What is counted of each part, then the persons in the numerator and those outside of it where asked for.

    `grouped`: over rows that hold `things` and sums; `once`: each of them names another thing.
    """
    only = [f" FILTER (WHERE in{i})" for i in range(len(parts))] if len(parts) > 1 else [""]
    found = [_measure(measure, grouped, once) + only[i] for i, (_, measure) in enumerate(parts)]
    if question.with_persons:
        persons = "count(DISTINCT person)" if _names_persons(question) else "count(NULL)"
        found.append(persons + only[0])
        found.append(f"{persons} FILTER (WHERE in1 AND NOT in0)" if len(parts) > 1 else "0")
    return found


def _measure(measure: Measure, grouped: bool, once: bool) -> str:
    if isinstance(measure, Distinct):
        return f'count({"" if once else "DISTINCT "}"{measure.distinct}")'
    if isinstance(measure, Sum):
        return f'sum("{measure.sum}")'
    return "sum(things)" if grouped else "count(*)"


def _scope(question: Question, value: Parameters) -> list[str]:
    as_of, programme = value(question.as_of_ms), f"programme = {value(question.definition.code)}"
    if not all(family.of_programme for family in families_of(question)):
        offices = value([office.code for office in question.definition.offices])
        programme = f"({programme} OR (programme IS NULL AND list_contains({offices}, office)))"
    # Kinds stand before all else: the stretches of the table that hold other kinds are not looked at.
    kinds = sorted({kind for facts, _ in parts_of(question) for kind in facts.kinds})
    known = f"known_from < {as_of}" + ("" if question.ever else f" AND known_to >= {as_of}")
    conditions = [_of_kinds(kinds, value), known, programme]
    if question.period is not None:
        starts, ends = value(day_of(question.period.starts)), value(day_of(question.period.ends))
        conditions.append(f"local_day >= {starts} AND local_day < {ends}")
    if question.office is not None:
        conditions.append(f"office = {value(question.office)}")
    return conditions


def _facts(facts: Facts, kinds: Sequence[str], question: Question, value: Parameters) -> str:
    """Which of the rows of these kinds are meant."""
    conditions = [condition_of(one, question, value) for one in facts.where]
    if set(facts.kinds) != set(kinds):
        conditions.append(_of_kinds(facts.kinds, value))
    return " AND ".join(conditions) or "true"


def _of_kinds(kinds: Sequence[str], value: Parameters) -> str:
    return f"kind IN ({', '.join(f'{value(kind)}::fact_kind' for kind in kinds)})"
