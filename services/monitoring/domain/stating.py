"""The tables of a statement: what was counted, without what is withheld."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.monitoring.domain.counted import CountedPeriod, CountedTable
from services.monitoring.domain.told import Figure, Told, parts_of_table, span_of
from shared.contracts.monitoring.statements import StatedCell, StatedTable, Statement
from shared.programmes.indicators import Indicator, share_value
from shared.programmes.model import Definition
from shared.programmes.published_tables import Table, tables_of


@dataclass(frozen=True)
class Shown:
    """What may be shown of what was counted, as the statement of that number. `standing`: the period's last one."""

    number: int
    told: Told
    withheld: Collection[object]
    threshold: int
    standing: Statement | None = None

    def value(self, figure: Figure) -> int | None:
        """The figure's value where it may be told as it is now; None where not."""
        if figure not in self.told.cells:
            # A class that the one of a share's two has and the other has not.
            return 0
        return None if figure in self.withheld or self._as_it_was(figure) else self.told.cells[figure].value

    def _as_it_was(self, figure: Figure) -> bool:
        """Whether it is told as it was told before: it has not changed, or by few. The two are treated alike."""
        before = self.told.published.get(figure._replace(statement=0))
        if before is None or not self.told.cells[before].sensitive:
            return False
        was, now = self.told.cells[before], self.told.cells[figure]
        return min(abs(now.value - was.value), abs(now.size - was.size)) < self.threshold


def stated_tables(definition: Definition, counted: CountedPeriod, shown: Shown) -> tuple[StatedTable, ...]:
    """The tables that the definition declares for the period, as they are told."""
    starts, ends = span_of(counted)
    by_key = {
        (one.indicator, one.by): one
        for one in counted.tables
        if (one.starts.isoformat(), one.ends.isoformat()) == (starts, ends)
    }
    before = _told_before(shown.standing)
    tables = []
    for table in tables_of(definition, counted.period):
        indicator = definition.indicator(table.indicator)
        if indicator is not None:
            found = [by_key[code, table.by] for code in parts_of_table(definition, table)]
            cells = tuple(_cells(table, indicator, found, shown, before))
            tables.append(StatedTable(indicator=table.indicator, unit=indicator.unit, by=table.by, cells=cells))
    return tuple(tables)


Before = Mapping[tuple[str, tuple[str, ...], tuple[str, ...]], StatedCell]


def _told_before(standing: Statement | None) -> Before:
    """The cells that the period's last statement told, by indicator, dimensions and classes."""
    return {
        (table.indicator, table.by if cell.classes else (), cell.classes): cell
        for table in (standing.tables if standing else ())
        for cell in table.cells
        if cell.withheld != "withheld"
    }


def _cells(
    table: Table, indicator: Indicator, found: Sequence[CountedTable], shown: Shown, before: Before
) -> Iterator[StatedCell]:
    classes = dict.fromkeys(cell.classes for one in found for cell in one.cells)
    for named in sorted(classes):
        by = table.by if named else ()
        figures = [
            Figure(shown.number, one.indicator, one.starts.isoformat(), one.ends.isoformat(), by, named)
            for one in found
        ]
        yield _cell(indicator, named, figures, shown, before.get((table.indicator, by, named)))


def _cell(
    indicator: Indicator, classes: tuple[str, ...], figures: Sequence[Figure], shown: Shown, was: StatedCell | None
) -> StatedCell:
    values = [shown.value(one) for one in figures]
    if any(one is None for one in values):
        if was is not None:
            return was.model_copy(update={"withheld": "change_withheld"})
        return StatedCell(classes=classes, withheld="withheld")
    part, whole = values[0], values[-1]
    assert part is not None and whole is not None  # noqa: S101, PT018
    if indicator.share is None:
        return StatedCell(classes=classes, value=part)
    share = share_value(part, whole, indicator.decimals)
    return StatedCell(classes=classes, value=None if share is None else str(share), numerator=part, denominator=whole)
