"""An indicator's declaration as one parameterised query over facts: never a counter.

As of T counts facts with `known_from < T <= known_to`; a period is half-open in calendar days of the fact's office.
Every value of a declaration or a request is a parameter; names of columns come from the tables' own list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from services.monitoring.database import Connection
from services.monitoring.domain.rows import EPOCH, day_of
from services.monitoring.schema import TYPES
from shared.contracts.catalogue import CATALOGUE
from shared.contracts.facts import Family
from shared.programmes.facts import NOT_STATED
from shared.programmes.indicators import (
    Condition,
    Dimension,
    DimensionClass,
    Distinct,
    Facts,
    Indicator,
    Measure,
    Period,
    Source,
    Sum,
)
from shared.programmes.model import Definition


@dataclass(frozen=True)
class Question:
    """What is asked of one indicator. `as_of_ms`: milliseconds since 1970. `office` None: every office.

    `with_persons`: also count the persons that stand behind the figure, which the gate of disclosure asks for.
    """

    definition: Definition
    indicator: Indicator
    as_of_ms: int
    period: Period | None = None
    by: tuple[Dimension, ...] = ()
    office: str | None = None
    with_persons: bool = False


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


# The facts and the measure of an indicator; of a share, those of numerator and denominator.
_Counting = Sequence[tuple[Facts, Measure]]


class _Parameters:
    """Values by name, in the order in which they were met."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def __call__(self, value: Any) -> str:
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"${name}"


def compile_query(question: Question) -> Query:
    """The query of the question: a row of the total, and where dimensions are named one of each cell beside it.

    Its first column says whether the row is the total, then come the classes, then the values.
    """
    value = _Parameters()
    parts = _parts(question)
    kinds = sorted({kind for facts, _ in parts for kind in facts.kinds})
    conditions = [_facts(facts, kinds, question, value) for facts, _ in parts]
    where = " AND ".join(_scope(question, value) + ([] if "true" in conditions else [f"({' OR '.join(conditions)})"]))
    # One part alone is all that WHERE lets through; only a share has to tell its two apart.
    flags = [f"({condition}) AS in{i}" for i, condition in enumerate(conditions) if len(parts) > 1]
    if not question.by:
        values = ", ".join(_values(question, parts))
        columns = ", ".join([*flags, *(f'"{name}"' for name in _counted(question, parts))]) or "1"
        sql = f"SELECT true, {values} FROM (SELECT {columns} FROM {_table(question)} WHERE {where})"  # noqa: S608
        return Query(sql, value.values)
    classes = [f"{_classes(one, question, value)} AS d{i}" for i, one in enumerate(question.by)]
    return Query(_broken_down(question, parts, [*classes, *flags], where), value.values)


def _broken_down(question: Question, parts: _Counting, columns: Sequence[str], where: str) -> str:
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
        f"WITH grouped AS MATERIALIZED (SELECT {rows} FROM {_table(question)} WHERE {where} GROUP BY ALL) "  # noqa: S608
        f"SELECT false, {names}, {', '.join(cell)} FROM grouped GROUP BY {names} "
        f"UNION ALL SELECT true, {nothing}, {', '.join(total)} FROM grouped"
    )


def cells(connection: Connection, question: Question) -> tuple[Cell, list[Cell]]:
    """The total and the cells, ordered by their classes."""
    query = compile_query(question)
    width, shared = len(question.by), question.indicator.share is not None
    total, found = Cell((), 0, 0 if shared else None, 0, 0), []
    for is_total, *row in connection.execute(query.sql, dict(query.parameters)).fetchall():
        values = [int(value or 0) for value in row[width:]]
        part, whole = (values[0], values[1]) if shared else (values[0], None)
        classes = () if is_total else tuple(map(_class_named, question.by, row))
        persons, others = values[-2:] if question.with_persons else (0, 0)
        cell = Cell(classes, part, whole, persons, others)
        if is_total:
            total = cell
        else:
            found.append(cell)
    return total, sorted(found, key=lambda cell: cell.classes)


def _parts(question: Question) -> _Counting:
    """The facts and the measure; of a share, those of numerator and denominator."""
    share, definition = question.indicator.share, question.definition
    named = [question.indicator] if share is None else [definition.indicator(code) for code in (share.of, share.in_)]
    found = [(one.facts, one.measure) for one in named if one is not None and one.facts is not None]
    if len(found) != len(named):
        raise ValueError("a share names two indicators that count facts")
    return found


def _counted(question: Question, parts: _Counting) -> list[str]:
    """The columns that the measures and the gate of disclosure count or add up."""
    distinct = {measure.distinct for _, measure in parts if isinstance(measure, Distinct)}
    return sorted(distinct | set(_summed(parts)) | ({"person"} if question.with_persons else set()))


def _summed(parts: _Counting) -> list[str]:
    return sorted({measure.sum for _, measure in parts if isinstance(measure, Sum)})


def _values(question: Question, parts: _Counting, *, grouped: bool = False, once: bool = False) -> list[str]:
    """What is counted of each part, then the persons in the numerator and those outside of it where asked for.

    `grouped`: over rows that hold `things` and sums; `once`: each of them names another thing.
    """
    only = [f" FILTER (WHERE in{i})" for i in range(len(parts))] if len(parts) > 1 else [""]
    found = [_measure(measure, grouped, once) + only[i] for i, (_, measure) in enumerate(parts)]
    if question.with_persons:
        found.append("count(DISTINCT person)" + only[0])
        found.append("count(DISTINCT person) FILTER (WHERE in1 AND NOT in0)" if len(parts) > 1 else "0")
    return found


def _measure(measure: Measure, grouped: bool, once: bool) -> str:
    if isinstance(measure, Distinct):
        return f'count({"" if once else "DISTINCT "}"{measure.distinct}")'
    if isinstance(measure, Sum):
        return f'sum("{measure.sum}")'
    return "sum(things)" if grouped else "count(*)"


def _scope(question: Question, value: _Parameters) -> list[str]:
    as_of, programme = value(question.as_of_ms), f"programme = {value(question.definition.code)}"
    if not all(family.of_programme for family in families_of(question)):
        offices = value([office.code for office in question.definition.offices])
        programme = f"({programme} OR (programme IS NULL AND list_contains({offices}, office)))"
    # Kinds stand before all else: the stretches of the table that hold other kinds are not looked at.
    kinds = sorted({kind for facts, _ in _parts(question) for kind in facts.kinds})
    conditions = [_of_kinds(kinds, value), f"known_from < {as_of} AND known_to >= {as_of}", programme]
    if question.period is not None:
        starts, ends = value(day_of(question.period.starts)), value(day_of(question.period.ends))
        conditions.append(f"local_day >= {starts} AND local_day < {ends}")
    if question.office is not None:
        conditions.append(f"office = {value(question.office)}")
    return conditions


def _facts(facts: Facts, kinds: Sequence[str], question: Question, value: _Parameters) -> str:
    """Which of the rows of these kinds are meant."""
    conditions = [_condition(one, question, value) for one in facts.where]
    if set(facts.kinds) != set(kinds):
        conditions.append(_of_kinds(facts.kinds, value))
    return " AND ".join(conditions) or "true"


def _of_kinds(kinds: Sequence[str], value: _Parameters) -> str:
    return f"kind IN ({', '.join(f'{value(kind)}::fact_kind' for kind in kinds)})"


def _condition(condition: Condition, question: Question, value: _Parameters) -> str:
    source = _source(condition, question, value)
    if condition.one_of is not None:
        one_of = " OR ".join(f"{source} = {value(code)}" for code in condition.one_of)
        return f"coalesce({one_of}, false)"
    if condition.at_least is not None:
        return f"coalesce({source} >= {value(condition.at_least)}, false)"
    return f"coalesce({source} <= {value(condition.at_most)}, false)"


def _source(source: Source, question: Question, value: _Parameters) -> str:
    if source.field is not None:
        return _known_column(source.field, question)
    if source.attribute != "age":
        return _known_column(f"{source.attribute}_at_{source.at}", question)
    year = "local_year" if source.at == "event" else _year_as_of(question, value)
    return f"({year} - birth_year_at_{source.at})"


def _known_column(name: str, question: Question) -> str:
    if not any(name in TYPES[family.table] for family in families_of(question)):
        raise ValueError("no column of these facts has this name")
    return f'"{name}"'


def families_of(question: Question) -> list[Family]:
    """The families whose facts the question looks at, each once."""
    kinds = [kind for facts, _ in _parts(question) for kind in facts.kinds]
    return list({(family := CATALOGUE.kinds[kind].family).name: family for kind in kinds}.values())


def _table(question: Question) -> str:
    """What the facts are read from: a family's table, or the rows of several under the columns of all of them."""
    tables = [family.table for family in families_of(question)]
    if len(tables) == 1:
        return tables[0]
    columns = {column: type for table in tables for column, type in TYPES[table].items()}
    return f"({' UNION ALL '.join(_rows_of(table, columns) for table in tables)})"


def _rows_of(table: str, columns: Mapping[str, str]) -> str:
    """The table's rows under these columns; NULL under those that it does not have."""
    found = [f'"{name}"' if name in TYPES[table] else f'NULL::{type} AS "{name}"' for name, type in columns.items()]
    return f"SELECT {', '.join(found)} FROM {table}"  # noqa: S608


def _year_as_of(question: Question, value: _Parameters) -> str:
    """The year of the as-of instant in each office's zone; UTC's for an office that the programme does not list."""
    instant = EPOCH + timedelta(milliseconds=question.as_of_ms)
    years = {office.code: instant.astimezone(office.zone).year for office in question.definition.offices}
    if set(years.values()) == {instant.year}:
        return value(instant.year)
    cases = " ".join(f"WHEN {value(code)} THEN {value(year)}" for code, year in years.items())
    return f"CASE office {cases} ELSE {value(instant.year)} END"


def _classes(dimension: Dimension, question: Question, value: _Parameters) -> str:
    """`Dimension.class_of` as SQL: the class's place in the declaration, -1 for what is not stated; where no
    classes are declared the code itself. Never NULL. Small numbers are grouped in half of the time of codes."""
    source = _source(dimension, question, value)
    if not dimension.classes:
        return f"coalesce(({source})::VARCHAR, {value(NOT_STATED)})"
    cases = [f"WHEN {source} IS NULL THEN -1::SMALLINT"]
    for one in dimension.classes:
        if condition := _class_condition(one, source, dimension.numeric, value):
            cases.append(f"WHEN {condition} THEN {_place(dimension, one.code)}::SMALLINT")
    rest = next((one.code for one in reversed(dimension.classes) if one.rest), NOT_STATED)
    return f"CASE {' '.join(cases)} ELSE {_place(dimension, rest)}::SMALLINT END"


def _place(dimension: Dimension, code: str) -> int:
    """Where a class stands in the declaration; -1 for what is not stated."""
    return -1 if code == NOT_STATED else [one.code for one in dimension.classes].index(code)


def _class_named(dimension: Dimension, found: int | str) -> str:
    """The class's code for what the query says."""
    if isinstance(found, str):
        return found
    return NOT_STATED if found < 0 else dimension.classes[found].code


def _class_condition(one: DimensionClass, source: str, numeric: bool, value: _Parameters) -> str:
    """What `DimensionClass.holds` asks; empty where it never holds."""
    if not numeric:
        return " OR ".join(f"{source} = {value(code)}" for code in one.values)
    bounds: Sequence[str] = [
        *([f"{source} >= {value(one.at_least)}"] if one.at_least is not None else []),
        *([f"{source} < {value(one.below)}"] if one.below is not None else []),
    ]
    return " AND ".join(bounds)
