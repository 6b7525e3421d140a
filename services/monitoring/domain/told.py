"""All that has been told of a programme together, as one problem: what is counted now and every earlier statement, how
their figures hang together, and which of them are open to be decided.

Figures hang together as cells of a total, as stretches of time, as a part and the whole that it is a part of, and as
the same figure in a later statement. What none of the tables shows, the remainders and the changes, is a figure too:
the other ones tell it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from services.monitoring.domain.counted import CountedCell, CountedPeriod, CountedTable, Span, inner, stretches, tiles
from services.monitoring.domain.narrowing import Narrowed
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
    """A figure that no table shows: what is left of the first one without the other."""

    kind: str
    plus: Figure
    minus: Figure


class Several(NamedTuple):
    """How much of the total stands in several of its members."""

    total: Figure
    members: tuple[Figure, ...]


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
    """The problem: cells by their keys, and relations.

    A figure that is told again and has not changed is the one that was told before: `same` says which one it is.
    `newest`: each figure, of no statement, as it was counted last; `published`: as it was shown last. `tables`: for
    which statement each was counted first.
    """

    cells: dict[object, Cell] = field(default_factory=dict)
    relations: dict[Relation, None] = field(default_factory=dict)
    same: dict[Figure, Figure] = field(default_factory=dict)
    newest: dict[Figure, Figure] = field(default_factory=dict)
    published: dict[Figure, Figure] = field(default_factory=dict)
    tables: dict[tuple[str, Span, tuple[str, ...]], int] = field(default_factory=dict)

    def key(self, figure: Figure) -> Figure:
        """Under which its cell stands."""
        return self.same.get(figure, figure)

    def cell(self, figure: Figure) -> Cell | None:
        return self.cells.get(self.key(figure))

    def relate(self, *terms: tuple[object, int]) -> None:
        """That these come to zero; once."""
        self.relations[Relation(terms)] = None

    def derive(self, kind: str, plus: Figure, minus: Figure, *, people: bool, signed: bool = False) -> None:
        """The figure by which the first one differs from the other, which no table shows.

        Who stands behind it is not counted, so it is held to be as few as it can be: that many of the sizes are left.
        """
        key = Derived(kind, plus, minus)
        if key in self.cells:
            return
        value = self.cells[plus].value - self.cells[minus].value
        size = self.cells[plus].size - self.cells[minus].size
        self.cells[key] = Cell(
            key,
            value,
            min(abs(value), max(abs(size) if signed else size, 0)),
            sensitive=people,
            decided="withheld",
            lower=0 if value >= 0 and not signed else None,
        )
        self.relate((plus, 1), (minus, -1), (key, -1))


def told_with(now: CountedPeriod, definition: Definition, earlier: Sequence[Earlier]) -> Told:
    """The problem of publishing the tables of `now` after these statements; its open cells are keyed by `Figure`."""
    told = Told()
    for number, one in enumerate(earlier, 1):
        add_period(told, number, one.counted, shown_in(one))
    number = len(earlier) + 1
    add_period(told, number, now, dict.fromkeys(wanted(now, definition, number)))
    return told


def add_period(told: Told, number: int, counted: CountedPeriod, decisions: Decisions) -> None:
    """Adds the figures of one statement. `decisions`: of those that a table shows, or may."""
    people: dict[str, bool] = {}
    tables: dict[tuple[str, Span], dict[tuple[str, ...], CountedTable]] = defaultdict(dict)
    for table in counted.tables:
        people[table.indicator] = table.people
        tables[table.indicator, Span(table.starts, table.ends)][table.by] = table
        told.tables.setdefault((table.indicator, Span(table.starts, table.ends), table.by), number)
        for cell in table.cells:
            _add(told, _figure(number, table, cell.classes), table, cell, decisions)
    for figure, shown in decisions.items():
        if shown:
            told.published[figure._replace(statement=0)] = told.key(figure)
    for by_dimensions in tables.values():
        for table in by_dimensions.values():
            _breakdown(told, number, table, by_dimensions)
    _over_time(told, number, counted)
    _narrowed(told, number, counted)
    _parts(told, number, counted, people)


def _add(told: Told, figure: Figure, table: CountedTable, cell: CountedCell, decisions: Decisions) -> None:
    if told.cell(figure) is not None:
        # The total of another table of the same indicator.
        return
    shown = decisions.get(figure, False)
    decided: Literal["published", "withheld"] | None = None if shown is None else "published" if shown else "withheld"
    same = figure._replace(statement=0)
    before = told.newest.get(same)
    if before is not None and (told.cells[before].value, told.cells[before].size) == (cell.value, cell.size):
        told.same[figure] = before
        if told.cells[before].decided == "withheld" and decided != "withheld":
            told.cells[before] = replace(told.cells[before], decided=decided)
        return
    weight = 1 if cell.classes else TOTAL_WEIGHT
    # Of a class that stood in no table then everybody knows that nobody was in it.
    earlier = told.tables[table.indicator, Span(table.starts, table.ends), table.by] < figure.statement
    known = before is None and earlier and cell.value == 0
    told.cells[figure] = Cell(
        figure, cell.value, cell.size, sensitive=table.people and not known, decided=decided, weight=weight
    )
    # A reader compares with what was shown last, and knows that it changed since as it did before that.
    for other in dict.fromkeys(one for one in (before, told.published.get(same)) if one is not None):
        told.derive("change", figure, other, people=table.people, signed=True)
    told.newest[same] = figure


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
            if told.cell(total := _figure(number, coarser, classes)) is not None:
                _sum(told, total, members, adds_up=table.adds_up, people=table.people)


def _sum(told: Told, total: Figure, members: Sequence[Figure], *, adds_up: bool, people: bool) -> None:
    """What adds up is the sum. What does not lies between the largest and the sum: what the others hold of it, and
    how much stands in several, no table shows."""
    total, members = told.key(total), [told.key(one) for one in members]
    if adds_up:
        if [total] != members:
            told.relate((total, 1), *((one, -1) for one in members))
        return
    for one in members:
        told.derive("others", total, one, people=people)
    key = Several(total, tuple(members))
    value = sum(told.cells[one].value for one in members) - told.cells[total].value
    # How often somebody is counted twice tells of nobody.
    told.cells[key] = Cell(key, value, value, sensitive=False, decided="withheld", lower=None if value < 0 else 0)
    told.relate(*((one, 1) for one in members), (total, -1), (key, -1))


def _over_time(told: Told, number: int, counted: CountedPeriod) -> None:
    """A stretch of time and those that it is made of, class by class; one without a class has none of it."""
    groups: dict[tuple[str, tuple[str, ...]], dict[Span, CountedTable]] = defaultdict(dict)
    for table in counted.tables:
        groups[table.indicator, table.by][Span(table.starts, table.ends)] = table
    for tables in groups.values():
        smallest = stretches(tables)
        for span, whole in tables.items():
            within = [one for one in smallest if one.within(span)] if whole.over_time else inner(span, tables)
            parts = [tables[one] for one in within if one in tables and one != span]
            for cell in whole.cells if parts else ():
                found = [one for part in parts if told.cell(one := _figure(number, part, cell.classes)) is not None]
                _stretch(told, _figure(number, whole, cell.classes), found, whole, tiled=tiles(span, within))


def _stretch(told: Told, total: Figure, members: Sequence[Figure], whole: CountedTable, *, tiled: bool) -> None:
    if whole.over_time or tiled:
        _sum(told, total, members, adds_up=whole.over_time, people=whole.people)
        return
    for one in members:
        told.derive("others", told.key(total), told.key(one), people=whole.people)


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
        # Distinct things add up within one class of each dimension alone; a class that nobody is in stands nowhere.
        if members and (table.adds_up or len(members) == 1 or bool(cell.classes)):
            _sum(told, _figure(number, table, cell.classes), members, adds_up=True, people=table.people)


def _fits(classes: Mapping[str, str], named: Mapping[str, str], within: Mapping[str, frozenset[str]]) -> bool:
    return all(classes.get(dimension) == code for dimension, code in named.items()) and all(
        classes[dimension] in allowed for dimension, allowed in within.items()
    )


def _parts(told: Told, number: int, counted: CountedPeriod, people: Mapping[str, bool]) -> None:
    """A part, the whole, and the rest, wherever both are counted by the same and the rest is no figure already."""
    by_indicator: dict[str, list[CountedTable]] = defaultdict(list)
    for table in counted.tables:
        by_indicator[table.indicator].append(table)
    narrowed = {(one.part, one.whole): one for one in counted.narrowed}
    for part, whole in (*counted.parts, *counted.followers):
        if _alike(narrowed.get((part, whole))) or _alike(narrowed.get((whole, part))):
            continue
        for table in by_indicator[part]:
            late = (part, whole) in counted.followers and table.starts > counted.begins
            if late or _is_a_class(narrowed.get((part, whole)), table, by_indicator[whole]):
                continue
            for cell in table.cells:
                one = _figure(number, table, cell.classes)
                other = one._replace(indicator=whole)
                if told.cell(other) is not None:
                    told.derive("rest", told.key(other), told.key(one), people=people[whole])


def _alike(narrowed: Narrowed | None) -> bool:
    """Whether both count the same, so that nothing is left."""
    return narrowed is not None and not narrowed.within


def _is_a_class(narrowed: Narrowed | None, table: CountedTable, wholes: Sequence[CountedTable]) -> bool:
    """Whether what is left of the whole without the part is one class of it, or none that anybody is in: the whole's
    own cells say so already."""
    if narrowed is None:
        return False
    within = {one.dimension: frozenset(one.classes) for one in narrowed.within}
    if within.keys() & set(table.by):
        return True
    span = Span(table.starts, table.ends)
    for whole in wholes:
        if set(whole.by) == {*table.by, *within} and Span(whole.starts, whole.ends) == span:
            named = (dict(zip(whole.by, cell.classes, strict=True)) for cell in whole.cells[1:])
            others = {tuple(one[dimension] for dimension in within) for one in named if not _fits(one, {}, within)}
            return len(others) <= 1
    return False


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
    return counted.starts.isoformat(), counted.ends.isoformat()


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
