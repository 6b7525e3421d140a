"""Counts all that a statement of a period may tell of, and digests the facts that it was counted from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

from services.monitoring.breakdown import adding_up, with_empty_classes
from services.monitoring.database import Connection
from services.monitoring.domain.counted import CountedCell, CountedPeriod, CountedTable, Span, inner, stretches
from services.monitoring.domain.disclosure import size_of
from services.monitoring.domain.narrowing import Narrowed, joint_of, narrowed_of
from services.monitoring.domain.rows import day_of, milliseconds_of
from services.monitoring.queries import Cell, cells
from services.monitoring.question import Question, counts_people, families_of
from services.monitoring.schema import TABLES
from shared.canonical import canonical_json
from shared.contracts.catalogue import CATALOGUE
from shared.contracts.facts import Family
from shared.programmes.indicators import Dimension, Distinct, Indicator, Period
from shared.programmes.model import Definition
from shared.programmes.published_tables import Table, tables_of
from shared.programmes.shares import is_part

# Facts that are read at once into their digest.
ROWS_AT_ONCE = 10_000


@dataclass(frozen=True)
class ToCount:
    """Which period of which version of a programme, as of when."""

    definition: Definition
    version: int
    period: Period
    as_of: datetime

    @property
    def span(self) -> Span:
        return Span(self.period.starts, self.period.ends)


def counted_period(connection: Connection, asked: ToCount) -> CountedPeriod:
    """Every table that is declared for the period, those of the stretches within it, and which are parts of which."""
    wanted = _wanted(asked.definition, asked.period.code)
    indicators = list({one.code: one for one, _ in wanted}.values())
    narrowed = narrowed_of(asked.definition, indicators)
    wanted += _joint(asked.definition, wanted, narrowed)
    tables = tuple(table for one in wanted for table in _tables(connection, asked, *one))
    return CountedPeriod(
        programme=asked.definition.code,
        period=asked.period.code,
        as_of=asked.as_of,
        definition_version=asked.version,
        tables=tables,
        parts=tuple(_parts(asked, sorted(one.code for one in indicators))),
        narrowed=tuple(narrowed),
    )


Wanted = list[tuple[Indicator, tuple[Dimension, ...]]]


def _joint(definition: Definition, wanted: Wanted, narrowed: Sequence[Narrowed]) -> Wanted:
    """The tables that nobody is shown, by which those of the same facts hang together."""
    by: dict[str, list[tuple[str, ...]]] = {}
    for indicator, dimensions in wanted:
        by.setdefault(indicator.code, []).append(tuple(one.code for one in dimensions))
    parts = {one.part for one in narrowed if one.within}
    found = []
    for indicator in {one.code: one for one, _ in wanted}.values():
        # What is narrowed itself hangs together by its whole's.
        if indicator.code not in parts and (joint := joint_of(definition, indicator, narrowed, by)):
            found.append((indicator, joint))
    return found


def _wanted(definition: Definition, period: str) -> Wanted:
    """What is counted for the tables of the period: of a share both that it names, of every breakdown its total too."""
    found: dict[tuple[str, tuple[str, ...]], tuple[Indicator, tuple[Dimension, ...]]] = {}
    for table in tables_of(definition, period):
        for indicator in counted_for(definition, table):
            for codes in ((), table.by):
                dimensions = tuple(one for code in codes if (one := definition.dimension(code)) is not None)
                found.setdefault((indicator.code, codes), (indicator, dimensions))
    return list(found.values())


def counted_for(definition: Definition, table: Table) -> list[Indicator]:
    """The indicators that are counted for the table: its own, or of a share both that it names."""
    indicator = definition.indicator(table.indicator)
    share = indicator.share if indicator is not None else None
    codes = (table.indicator,) if share is None else (share.of, share.in_)
    return [one for code in codes if (one := definition.indicator(code)) is not None]


def _tables(
    connection: Connection, asked: ToCount, indicator: Indicator, by: tuple[Dimension, ...]
) -> Iterator[CountedTable]:
    over_time = adds_up_over_time(indicator)
    others = [Span(one.starts, one.ends) for one in asked.definition.periods]
    ever = _classes_ever(connection, asked, indicator, by)
    spans = [asked.span, *(stretches(asked.span, others) if over_time else inner(asked.span, others))]
    for span in dict.fromkeys(spans):
        period = asked.period.model_copy(update={"starts": span.starts, "ends": span.ends})
        question = Question(asked.definition, indicator, milliseconds_of(asked.as_of), period, by, with_persons=True)
        total, found = cells(connection, question)
        rows = (total, *(with_empty_classes(question, _with(ever, found)) if by else ()))
        yield CountedTable(
            indicator=indicator.code,
            starts=span.starts,
            ends=span.ends,
            by=tuple(one.code for one in by),
            people=counts_people(question),
            adds_up=not by or bool(adding_up(question)["adds_up"]),
            over_time=over_time,
            cells=tuple(_cell(one) for one in rows),
        )


def _classes_ever(
    connection: Connection, asked: ToCount, indicator: Indicator, by: tuple[Dimension, ...]
) -> list[tuple[str, ...]]:
    """The combinations of classes that are found in the programme at all: where one is missing in a period, a table
    without it would tell that nobody of it is there."""
    if not by:
        return []
    question = Question(asked.definition, indicator, milliseconds_of(asked.as_of), None, by)
    return [one.classes for one in cells(connection, question)[1]]


def _with(classes: Sequence[tuple[str, ...]], found: Sequence[Cell]) -> list[Cell]:
    held = {one.classes for one in found}
    return [*found, *(Cell(one, 0, None, 0, 0) for one in classes if one not in held)]


def _cell(cell: Cell) -> CountedCell:
    return CountedCell(cell.classes, cell.part, size_of(cell.part, cell.persons))


def adds_up_over_time(indicator: Indicator) -> bool:
    """Whether what is counted in two stretches of time is what is counted in both together.

    Each fact lies in one of them; a thing may be in both, unless its case tells it once.
    """
    if not isinstance(indicator.measure, Distinct) or indicator.facts is None:
        return True
    kinds = [CATALOGUE.kinds[kind] for kind in indicator.facts.kinds]
    return len(kinds) == 1 and kinds[0].once and kinds[0].family.subject == indicator.measure.distinct


def _parts(asked: ToCount, codes: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Which indicators count a part of what others count, in this period.

    What a case tells later may fall into a later period than what it told before; not so where the period begins with
    the programme.
    """
    found = [one for code in codes if (one := asked.definition.indicator(code)) is not None]
    from_the_beginning = asked.period.starts <= asked.definition.dates.starts
    for one, other in combinations(found, 2):
        for part, whole in ((one, other), (other, one)):
            same = part.facts is not None and whole.facts is not None and _same_kinds(part, whole)
            if (same or from_the_beginning) and is_part(part, whole):
                yield part.code, whole.code


def _same_kinds(part: Indicator, whole: Indicator) -> bool:
    kinds = (set(one.facts.kinds) if one.facts is not None else set() for one in (part, whole))
    return next(kinds) <= next(kinds)


def facts_digest(connection: Connection, asked: ToCount) -> str:
    """SHA-256 of every fact that was counted, by `digest_of`."""
    return digest_of(fact for facts in facts_of(connection, asked) for fact in facts)


# Its family, then its columns as text; None for what it does not say.
FactText = tuple[str | None, ...]


def digest_of(facts: Iterable[FactText]) -> str:
    """SHA-256 of the facts in the order in which they are told."""
    digest = hashlib.sha256()
    for fact in facts:
        digest.update(canonical_json(list(fact)))
        digest.update(b"\n")
    return digest.hexdigest()


def facts_of(connection: Connection, asked: ToCount) -> Iterator[Sequence[FactText]]:
    """The facts of the period that were counted, some at a time, family by family, each in the order of its texts. When
    a fact came to be known no longer is no part of it: that may be learnt later."""
    for family in families_counted(asked):
        yield from _facts_of(connection, asked, family)


def families_counted(asked: ToCount) -> list[Family]:
    """The families whose facts the period's tables look at, by name."""
    wanted = {one.code: one for one, _ in _wanted(asked.definition, asked.period.code)}
    questions = [Question(asked.definition, one, milliseconds_of(asked.as_of), asked.period) for one in wanted.values()]
    families = {family.name: family for question in questions for family in families_of(question)}
    return [families[name] for name in sorted(families)]


def told_columns(family: Family) -> list[str]:
    return [column for column in TABLES[family.table] if column != "known_to"]


def _facts_of(connection: Connection, asked: ToCount, family: Family) -> Iterator[Sequence[FactText]]:
    columns = told_columns(family)
    texts = ", ".join(f'"{column}"::VARCHAR' for column in columns)
    found = connection.execute(
        f"SELECT '{family.name}', {texts} FROM {family.table} "  # noqa: S608
        "WHERE known_from < $as_of AND known_to >= $as_of AND local_day >= $starts AND local_day < $ends "
        "AND (programme = $programme OR (programme IS NULL AND list_contains($offices, office))) ORDER BY ALL",
        {
            "as_of": milliseconds_of(asked.as_of),
            "starts": day_of(asked.period.starts),
            "ends": day_of(asked.period.ends),
            "programme": asked.definition.code,
            "offices": [office.code for office in asked.definition.offices],
        },
    )
    while rows := found.fetchmany(ROWS_AT_ONCE):
        yield rows
