"""All that has been told of a programme together, as one problem: what is counted now and every earlier statement, how
their figures hang together, and which of them are open to be decided.

Figures hang together as cells of a total, as stretches of time, as a part and the whole that it is a part of, and as
the same figure in a later statement. What none of the tables shows, the remainders and the changes, is a figure too:
the other ones tell it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from services.monitoring.domain.counted import CountedCell, CountedPeriod, CountedTable, Span
from services.monitoring.domain.suppression.problem import Cell, Relation
from shared.contracts.monitoring.statements import Statement
from shared.programmes.model import Definition
from shared.programmes.published_tables import Table, tables_of

# What it costs to withhold a total, in cells of a breakdown.
TOTAL_WEIGHT = 5


class Figure(NamedTuple):
    """A figure by its place: the statement's number in the series, what is counted, when, of which classes."""

    statement: int
    indicator: str
    starts: str
    ends: str
    by: tuple[str, ...]
    classes: tuple[str, ...]


class Derived(NamedTuple):
    """A figure that no table shows: how it follows, and from which ones."""

    kind: str
    of: tuple[Figure, ...]


@dataclass(frozen=True)
class Earlier:
    """A statement that was issued, with what had been counted for it. `shares`: the two indicators of each share, in
    its version of the definition."""

    counted: CountedPeriod
    statement: Statement
    shares: Mapping[str, tuple[str, str]]


# Whether a figure was shown, or (None) is to be decided; what is not in it is withheld.
Decisions = Mapping[Figure, bool | None]


@dataclass
class Told:
    """The problem: cells by their keys, and relations. `published`: each figure, of no statement, as the last statement
    that showed it has it."""

    cells: dict[object, Cell] = field(default_factory=dict)
    relations: list[Relation] = field(default_factory=list)
    published: dict[Figure, Figure] = field(default_factory=dict)

    def derive(self, kind: str, plus: Figure, minus: Sequence[Figure], *, people: bool, signed: bool = False) -> None:
        """The figure by which the first one differs from the sum of the others, which no table shows.

        Who stands behind it is not counted, so it is held to be as few as it can be: that many of the sizes are left.
        """
        value = self.cells[plus].value - sum(self.cells[one].value for one in minus)
        size = self.cells[plus].size - sum(self.cells[one].size for one in minus)
        key = Derived(kind, (plus, *minus))
        self.cells[key] = Cell(
            key,
            value,
            min(abs(value), max(abs(size) if signed else size, 0)),
            sensitive=people,
            decided="withheld",
            lower=0 if value >= 0 and not signed else None,
        )
        self.relations.append(Relation(((plus, 1), *((one, -1) for one in minus), (key, -1))))


def told_with(now: CountedPeriod, definition: Definition, earlier: Sequence[Earlier]) -> Told:
    """The problem of publishing the tables of `now` after these statements; its open cells are keyed by `Figure`."""
    told = Told()
    for number, one in enumerate(earlier, 1):
        add_period(told, number, one.counted, shown_in(one))
    number = len(earlier) + 1
    add_period(told, number, now, dict.fromkeys(wanted(now, definition, number)))
    last: dict[Figure, Figure] = {}
    for figure in [key for key in told.cells if isinstance(key, Figure)]:
        same = figure._replace(statement=0)
        # A reader compares with what was shown last, and knows that it changed since as it did before that.
        for before in dict.fromkeys(one for one in (last.get(same), told.published.get(same)) if one is not None):
            _link(told, before, figure)
        last[same] = figure
        if told.cells[figure].decided == "published":
            told.published[same] = figure
    return told


def add_period(told: Told, number: int, counted: CountedPeriod, decisions: Decisions) -> None:
    """Adds the figures of one statement. `decisions`: of those that a table shows, or may."""
    people: dict[str, bool] = {}
    tables: dict[tuple[str, str, str], dict[tuple[str, ...], CountedTable]] = defaultdict(dict)
    for table in counted.tables:
        people[table.indicator] = table.people
        tables[table.indicator, table.starts.isoformat(), table.ends.isoformat()][table.by] = table
        for cell in table.cells:
            _add(told, _figure(number, table, cell.classes), table, cell, decisions)
    for by_dimensions in tables.values():
        for table in by_dimensions.values():
            _breakdown(told, number, table, by_dimensions)
    _over_time(told, number, counted)
    _narrowed(told, number, counted)
    _parts(told, number, counted, people)


def _add(told: Told, figure: Figure, table: CountedTable, cell: CountedCell, decisions: Decisions) -> None:
    shown = decisions.get(figure, False)
    told.cells.setdefault(
        figure,
        Cell(
            figure,
            cell.value,
            cell.size,
            sensitive=table.people,
            decided=None if shown is None else "published" if shown else "withheld",
            weight=1 if cell.classes else TOTAL_WEIGHT,
        ),
    )


def _figure(number: int, table: CountedTable, classes: tuple[str, ...]) -> Figure:
    by = table.by if classes else ()
    return Figure(number, table.indicator, table.starts.isoformat(), table.ends.isoformat(), by, classes)


def _breakdown(told: Told, number: int, table: CountedTable, others: Mapping[tuple[str, ...], CountedTable]) -> None:
    """A total and its cells, and the same of each table by some of the dimensions."""
    for by, coarser in others.items():
        if len(by) >= len(table.by) or not set(by) <= set(table.by):
            continue
        places = [table.by.index(one) for one in by]
        groups: dict[tuple[str, ...], list[Figure]] = defaultdict(list)
        for cell in table.cells[1:]:
            groups[tuple(cell.classes[place] for place in places)].append(_figure(number, table, cell.classes))
        for classes, members in groups.items():
            if (total := _figure(number, coarser, classes)) in told.cells:
                _sum(told, total, members, adds_up=table.adds_up, people=table.people)


def _sum(told: Told, total: Figure, members: Sequence[Figure], *, adds_up: bool, people: bool) -> None:
    """What adds up is the sum. What does not lies between the largest and the sum: what the others hold of it, and
    how much stands in several, no table shows."""
    if adds_up:
        told.relations.append(Relation(((total, 1), *((one, -1) for one in members))))
        return
    for one in members:
        told.derive("others", total, [one], people=people)
    key = Derived("several", (total, *members))
    value = sum(told.cells[one].value for one in members) - told.cells[total].value
    # How often somebody is counted twice tells of nobody.
    told.cells[key] = Cell(key, value, value, sensitive=False, decided="withheld", lower=None if value < 0 else 0)
    told.relations.append(Relation((*((one, 1) for one in members), (total, -1), (key, -1))))


def _over_time(told: Told, number: int, counted: CountedPeriod) -> None:
    """A stretch of time and those that it is made of, class by class; one without a class has none of it."""
    groups: dict[tuple[str, tuple[str, ...]], list[CountedTable]] = defaultdict(list)
    for table in counted.tables:
        groups[table.indicator, table.by].append(table)
    for whole, *rest in groups.values():
        if not rest:
            continue
        for cell in whole.cells:
            total = _figure(number, whole, cell.classes)
            found = [one for part in rest if (one := _figure(number, part, cell.classes)) in told.cells]
            if whole.over_time:
                _sum(told, total, found, adds_up=True, people=whole.people)
            elif found:
                _nested(told, total, found, _tiles(whole, rest), people=whole.people)


def _tiles(whole: CountedTable, parts: Sequence[CountedTable]) -> bool:
    """Whether the stretches are the whole one, without a gap and none of them twice."""
    spans = sorted(Span(one.starts, one.ends) for one in parts)
    edges = [whole.starts, *(one.ends for one in spans)]
    return [one.starts for one in spans] == edges[:-1] and edges[-1] == whole.ends


def _nested(told: Told, total: Figure, members: Sequence[Figure], tiles: bool, *, people: bool) -> None:
    if tiles:
        _sum(told, total, members, adds_up=False, people=people)
        return
    for one in members:
        told.derive("others", total, [one], people=people)


def _narrowed(told: Told, number: int, counted: CountedPeriod) -> None:
    """A figure of what is narrowed is the sum of its whole's cells in these classes, in the smallest table that has
    them."""
    by_span: dict[tuple[str, Span], list[CountedTable]] = defaultdict(list)
    for table in counted.tables:
        by_span[table.indicator, Span(table.starts, table.ends)].append(table)
    for one in counted.narrowed:
        within = {part.dimension: frozenset(part.classes) for part in one.within}
        for (indicator, span), tables in by_span.items():
            if indicator == one.part:
                for table in tables:
                    _within(told, number, table, by_span.get((one.whole, span), ()), within)


def _within(
    told: Told,
    number: int,
    table: CountedTable,
    wholes: Sequence[CountedTable],
    within: Mapping[str, frozenset[str]],
) -> None:
    needed = {*table.by, *within}
    fitting = [one for one in wholes if needed <= set(one.by) and (one.adds_up or needed == set(one.by))]
    if not fitting:
        return
    whole = min(fitting, key=lambda one: len(one.by))
    for cell in table.cells:
        named = dict(zip(table.by, cell.classes, strict=False))
        members = [
            _figure(number, whole, other.classes)
            for other in (whole.cells[1:] if whole.by else whole.cells)
            if _fits(dict(zip(whole.by, other.classes, strict=False)), named, within)
        ]
        # Distinct things add up within one class of each dimension alone.
        if table.adds_up or len(members) <= 1 or bool(cell.classes):
            total = _figure(number, table, cell.classes)
            told.relations.append(Relation(((total, 1), *((one, -1) for one in members))))


def _fits(classes: Mapping[str, str], named: Mapping[str, str], within: Mapping[str, frozenset[str]]) -> bool:
    return all(classes.get(dimension) == code for dimension, code in named.items()) and all(
        classes[dimension] in allowed for dimension, allowed in within.items()
    )


def _parts(told: Told, number: int, counted: CountedPeriod, people: Mapping[str, bool]) -> None:
    """A part, the whole, and the rest, wherever both are counted by the same."""
    by_indicator: dict[str, list[CountedTable]] = defaultdict(list)
    for table in counted.tables:
        by_indicator[table.indicator].append(table)
    for part, whole in counted.parts:
        for table in by_indicator[part]:
            for cell in table.cells:
                one = _figure(number, table, cell.classes)
                other = one._replace(indicator=whole)
                # Of a stretch in which a later step lies before the earlier one of its case the rest has no sense.
                if other in told.cells and told.cells[other].value >= told.cells[one].value:
                    key = Derived("rest", (other, one))
                    if key not in told.cells:
                        told.derive("rest", other, [one], people=people[whole])


def _link(told: Told, before: Figure, after: Figure) -> None:
    """The same figure, told again later. One that has not changed is the same one; else the change is a figure."""
    earlier, later = told.cells[before], told.cells[after]
    if (earlier.value, earlier.size) == (later.value, later.size):
        told.relations.append(Relation(((after, 1), (before, -1))))
    else:
        told.derive("change", after, [before], people=later.sensitive, signed=True)


def wanted(counted: CountedPeriod, definition: Definition, number: int) -> Iterator[Figure]:
    """The figures of the period itself that a table of the statement would show."""
    shown = {*shown_tables(definition, counted.period)}
    starts, ends = span_of(counted)
    for table in counted.tables:
        if (table.starts.isoformat(), table.ends.isoformat()) == (starts, ends):
            for cell in table.cells:
                if (table.indicator, table.by) in shown or (not cell.classes and (table.indicator, ()) in shown):
                    yield _figure(number, table, cell.classes)


def span_of(counted: CountedPeriod) -> tuple[str, str]:
    """First day of the period, and first day after it."""
    first = counted.tables[0]
    return first.starts.isoformat(), first.ends.isoformat()


def shown_tables(definition: Definition, period: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Indicator and dimensions of each table, and of its total; of a share those of both that it names."""
    for table in tables_of(definition, period):
        for code in parts_of_table(definition, table):
            yield code, table.by
            yield code, ()


def parts_of_table(definition: Definition, table: Table) -> tuple[str, ...]:
    """Of which indicators the table's figures are told: its own, or of a share both that it names."""
    indicator = definition.indicator(table.indicator)
    share = indicator.share if indicator is not None else None
    return (table.indicator,) if share is None else (share.of, share.in_)


def shown_in(earlier: Earlier) -> Decisions:
    """The figures that the statement tells: its cells that were not withheld, of a share both that it names."""
    starts, ends = span_of(earlier.counted)
    found: dict[Figure, bool | None] = {}
    for table in earlier.statement.tables:
        codes = earlier.shares.get(table.indicator, (table.indicator,))
        for cell in table.cells:
            if cell.withheld is None:
                by = table.by if cell.classes else ()
                for code in codes:
                    found[Figure(earlier.statement.number, code, starts, ends, by, cell.classes)] = True
    return found
