"""Figures as an accessible report (PDF/UA-1): for each indicator its meaning, a plot and tables; what was restated.

The bytes follow from the statements: the document's date is that as of which the newest one counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC
from decimal import Decimal
from pathlib import Path
from textwrap import wrap
from typing import Any, BinaryIO

from markupsafe import Markup

from services.monitoring.exports.stated import Export, Row, Stated, why_withheld
from services.monitoring.exports.wording import Restated, restated, statements
from shared.contracts.monitoring.statements import StatedCell, StatedTable
from shared.papers.runs import Runs, runs_of
from shared.papers.typesetting import Paper, set_now
from shared.papers.typesetting import row as line
from shared.web.pages.formatting import Formats, filled, reference
from shared.web.pages.words import called, translations

ROWS_AT_MOST = 5_000
TEMPLATE = Path(__file__).with_name("report.typ")
# More bars are read more slowly than the table is.
BARS = range(2, 31)
# The place of what is said in words among a statement's columns.
REASON = 3
# Of a digest in one line.
DIGITS = 32


def write(export: Export, out: BinaryIO) -> None:
    """Refusal `export_too_large` (422); `letters_without_font` (409) for letters that none of the fonts has. One report
    is set at a time in a process."""
    export.refuse_above(ROWS_AT_MOST)
    out.write(set_now(paper(export)))


def paper(export: Export) -> Paper:
    """What the template is filled with."""
    said, words = _Said(export), translations(export.language)
    newest, title = export.newest.statement, words.gettext("Published figures")
    texts = {
        "programme": runs_of(said.formats.text(export.definition.title)),
        "rows": said.about(),
        "periods": [said.period(period, tables) for period, tables in _by_period(export)],
        "restated": said.restated(),
        "statements": {"title": runs_of(words.gettext("Statements")), "each": said.statements()},
    }
    dated = newest.as_of.astimezone(UTC).date()
    return Paper(TEMPLATE, export.language, title, f"{newest.programme} {newest.number}", dated, texts)


def _by_period(export: Export) -> Iterable[tuple[str, list[StatedTable]]]:
    """The tables that stand, by the period that they are of."""
    found: dict[str, list[StatedTable]] = {}
    for one in export.standing():
        for table in one.statement.tables:
            found.setdefault(table.period, []).append(table)
    return found.items()


class _Said:
    """The parts of one report in its language, as runs."""

    def __init__(self, export: Export) -> None:
        self._export = export
        self.formats = Formats(export.language)
        self._words = translations(export.language)

    def about(self) -> list[Mapping[str, Runs]]:
        newest = self._export.newest.statement
        as_of = self.formats.instant(newest.as_of, UTC)
        threshold = self.formats.number(self._export.definition.disclosure.threshold)
        return [
            line(self._label("as_of"), runs_of(as_of)),
            line(self._label("definition_version"), runs_of(self.formats.number(newest.definition_version))),
            line(self._label("zone_data"), runs_of(reference(newest.zone_data))),
            line(runs_of(self._words.gettext("Persons behind a figure, at least")), runs_of(threshold)),
        ]

    def period(self, code: str, tables: Sequence[StatedTable]) -> dict[str, Any]:
        """The indicators of the period in the order in which they are stated."""
        days, name = self._export.days(code), self._export.period_name(code)
        title = self.formats.labelled(name, self.formats.days(*days)) if days else name
        found: dict[str, list[StatedTable]] = {}
        for table in tables:
            found.setdefault(table.indicator, []).append(table)
        return {"title": runs_of(title), "indicators": [self._indicator(several) for several in found.values()]}

    def _indicator(self, tables: Sequence[StatedTable]) -> dict[str, Any]:
        indicator = self._export.definition.indicator(tables[0].indicator)
        unit = self._export.unit_name(tables[0].unit)
        total = tables[0].cells[0]
        said = self._whole(total)
        if total.value is not None and not isinstance(total.value, str):
            said = filled(self._words.gettext("%(number)s %(unit)s"), number=said, unit=unit)
        target = indicator.targets.get(tables[0].period) if indicator else None
        if target is not None:
            sentence = self._words.gettext("%(value)s (target: %(target)s)")
            said = filled(sentence, value=said, target=self.formats.number(target))
        return {
            "name": runs_of(self._export.indicator_name(tables[0].indicator)),
            "meaning": runs_of(self._export.meaning.of(indicator)) if indicator else [],
            "total": runs_of(said),
            "parts": [self._part(table) for table in tables if table.by],
        }

    def _part(self, table: StatedTable) -> dict[str, Any]:
        names = [self._export.dimension_name(code) for code in table.by]
        rows = [Row(self._export.newest, table, cell) for cell in table.cells if cell.classes]
        share = any(row.cell.denominator is not None for row in rows)
        head = [*names, self._called("value"), *(map(self._called, ("numerator", "denominator")) if share else ())]
        return {
            "title": runs_of(self.formats.labelled(self._words.gettext("Breakdown"), self.formats.listed(names))),
            "plot": self._plot(table, rows),
            "table": {
                "widths": [2] * len(names) + [2] + [1] * (2 if share else 0),
                "head": [runs_of(name) for name in head],
                "rows": [self._cells(row, share) for row in rows],
            },
        }

    def _cells(self, row: Row, share: bool) -> list[Runs]:
        names = [runs_of(self._class(dimension, code)) for dimension, code in row.classes.items()]
        sides = (row.cell.numerator, row.cell.denominator) if share else ()
        counts = [[] if side is None else runs_of(self.formats.number(side)) for side in sides]
        return [*names, runs_of(self._value(row.cell)), *counts]

    def _plot(self, table: StatedTable, rows: Sequence[Row]) -> dict[str, Any] | None:
        """Bars of what is shown; None where there are too few or too many for a plot to say more than the table."""
        shown = [(row, row.number) for row in rows if row.number is not None]
        longest = max((number for _, number in shown), default=Decimal())
        if len(shown) not in BARS or longest <= 0 or any(number < 0 for _, number in shown):
            return None
        names = [self.formats.beside([self._class(*pair) for pair in row.classes.items()]) for row, _ in shown]
        values = [self._value(row.cell) for row, _ in shown]
        pairs = [self.formats.labelled(name, value) for name, value in zip(names, values, strict=True)]
        indicator = self._export.indicator_name(table.indicator)
        sentence = self._words.gettext("Bars of %(indicator)s. %(values)s")
        alt = filled(sentence, indicator=indicator, values=Markup(". ").join(pairs)).striptags()
        lengths = [round(float(100 * number / longest), 2) for _, number in shown]
        bars = [{"name": runs_of(name), "length": length} for name, length in zip(names, lengths, strict=True)]
        return {"alt": alt, "bars": bars}

    def restated(self) -> dict[str, Any]:
        """What any of the statements states otherwise than the one that it replaces: before, after, why."""
        _ = self._words.gettext
        head = (
            _("Indicator"),
            called(self._export.language, "period"),
            _("Before"),
            _("After"),
            self._called("reason"),
        )
        rows = [self._changed(one, change) for one in self._export.statements for change in restated(self._export, one)]
        return {
            "title": runs_of(_("What was restated")),
            "widths": [3, 2, 2, 2, 2],
            "head": [runs_of(name) for name in head],
            "rows": rows,
        }

    def _changed(self, one: Stated, change: Restated) -> list[Runs]:
        table = change.of.table
        name: Markup | str = self._export.indicator_name(table.indicator)
        classes = [self._class(*pair) for pair in change.of.classes.items()]
        if classes:
            name = self.formats.labelled(name, self.formats.beside(classes))
        return [
            runs_of(name),
            runs_of(self._export.period_name(table.period)),
            self._either(change.before),
            self._either(change.after),
            runs_of(self._export.reason(one.statement.reason)),
        ]

    def _either(self, cell: StatedCell | None) -> Runs:
        return runs_of(self._words.gettext("Not stated") if cell is None else self._whole(cell))

    def statements(self) -> list[list[Mapping[str, Runs]]]:
        """Each by its number, with its digest and that of the one before."""
        names, *rows = statements(self._export)
        return [list(self._statement(map(str, names), row)) for row in rows]

    def _statement(self, names: Iterable[str], row: Sequence[str | int | None]) -> Iterator[Mapping[str, Runs]]:
        for place, (name, value) in enumerate(zip(names, row, strict=True)):
            if value is not None:
                said = str(value) if place == REASON else reference("\n".join(wrap(str(value), DIGITS)))
                yield line(runs_of(name), runs_of(said))

    def _whole(self, cell: StatedCell) -> Markup | str:
        """As `_value`, a share with its two sides."""
        said = self._value(cell)
        if cell.value is None or cell.numerator is None or cell.denominator is None:
            return said
        sides = {"part": self.formats.number(cell.numerator), "whole": self.formats.number(cell.denominator)}
        return filled(self._words.gettext("%(share)s: %(part)s out of %(whole)s"), share=said, **sides)

    def _value(self, cell: StatedCell) -> Markup | str:
        """A figure in words and digits; why there is none; both for one that stands as it was stated before."""
        if cell.value is None:
            nothing = self._words.gettext("No data yet")
            return why_withheld(self._export.language, cell.withheld) if cell.withheld else nothing
        shown = self.formats.share(cell.value) if isinstance(cell.value, str) else self.formats.number(cell.value)
        if cell.withheld is None:
            return shown
        return filled("%(shown)s (%(why)s)", shown=shown, why=why_withheld(self._export.language, cell.withheld))

    def _class(self, dimension: str, code: str) -> Markup | str:
        found = self._export.definition.dimension(dimension)
        return code if found is None else self._export.meaning.class_of(found, code)

    def _called(self, field: str) -> str:
        return called(self._export.language, field)

    def _label(self, field: str) -> Runs:
        return runs_of(self._called(field))
