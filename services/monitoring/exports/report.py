"""Figures as an accessible report (PDF/UA-1): for each indicator its meaning, a plot and tables; what was restated.

The bytes follow from the statements: the document's date is the day on which the newest one was issued.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC
from decimal import Decimal
from pathlib import Path
from textwrap import wrap
from typing import Any, BinaryIO

from markupsafe import Markup

from services.monitoring.exports.stated import Export, Row, Worded, why_withheld
from services.monitoring.exports.wording import Restated, restated, statements
from services.monitoring.work.kept import Signed
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
        "periods": [said.period(one) for one in export.standing()],
        "restated": said.restated(),
        "statements": {"title": runs_of(words.gettext("Statements")), "each": said.statements()},
    }
    dated = newest.issued_at.astimezone(UTC).date()
    return Paper(TEMPLATE, export.language, title, f"{newest.programme} {newest.number}", dated, texts)


class _Said:
    """The parts of one report in its language, as runs."""

    def __init__(self, export: Export) -> None:
        self._export = export
        self.formats = Formats(export.language)
        self._words = translations(export.language)

    def about(self) -> list[Mapping[str, Runs]]:
        issued = self.formats.instant(self._export.newest.statement.issued_at, UTC)
        return [line(self._label("issued_at"), runs_of(issued))]

    def _of(self, one: Signed) -> list[Mapping[str, Runs]]:
        said, number = one.statement, self.formats.number
        return [
            line(self._label("as_of"), runs_of(self.formats.instant(said.as_of, UTC))),
            line(self._label("definition_version"), runs_of(number(said.definition_version))),
            line(self._label("zone_data"), runs_of(reference(said.zone_data))),
            line(runs_of(self._words.gettext("Persons behind a figure, at least")), runs_of(number(said.threshold))),
        ]

    def period(self, one: Signed) -> dict[str, Any]:
        """The indicators of its period in the order in which they are stated."""
        words, code = self._export.words(one), one.statement.period
        days, name = words.days(code), words.period_name(code)
        title = self.formats.labelled(name, self.formats.days(*days)) if days else name
        found: dict[str, list[StatedTable]] = {}
        for table in one.statement.tables:
            found.setdefault(table.indicator, []).append(table)
        indicators = [self._indicator(one, several) for several in found.values()]
        return {"title": runs_of(title), "rows": self._of(one), "indicators": indicators}

    def _indicator(self, one: Signed, tables: Sequence[StatedTable]) -> dict[str, Any]:
        words = self._export.words(one)
        indicator = words.definition.indicator(tables[0].indicator)
        unit = words.unit_name(tables[0].unit)
        total = tables[0].cells[0]
        said = self._whole(total)
        if total.value is not None and not isinstance(total.value, str):
            said = filled(self._words.gettext("%(number)s %(unit)s"), number=said, unit=unit)
        target = indicator.targets.get(one.statement.period) if indicator else None
        if target is not None:
            sentence = self._words.gettext("%(value)s (target: %(target)s)")
            said = filled(sentence, value=said, target=self.formats.number(target))
        return {
            "name": runs_of(words.indicator_name(tables[0].indicator)),
            "meaning": runs_of(words.meaning.of(indicator)) if indicator else [],
            "total": runs_of(said),
            "parts": [self._part(one, table) for table in tables if table.by],
        }

    def _part(self, one: Signed, table: StatedTable) -> dict[str, Any]:
        words = self._export.words(one)
        names = [words.dimension_name(code) for code in table.by]
        rows = [Row(one, table, cell) for cell in table.cells if cell.classes]
        share = any(row.cell.denominator is not None for row in rows)
        head = [*names, self._called("value"), *(map(self._called, ("numerator", "denominator")) if share else ())]
        return {
            "title": runs_of(self.formats.labelled(self._words.gettext("Breakdown"), self.formats.listed(names))),
            "plot": self._plot(words, rows),
            "table": {
                "widths": [2] * len(names) + [2] + [1] * (2 if share else 0),
                "head": [runs_of(name) for name in head],
                "rows": [self._cells(words, row, share) for row in rows],
            },
        }

    def _cells(self, words: Worded, row: Row, share: bool) -> list[Runs]:
        names = [runs_of(words.class_of(dimension, code)) for dimension, code in row.classes.items()]
        sides = (row.cell.numerator, row.cell.denominator) if share else ()
        counts = [[] if side is None else runs_of(self.formats.number(side)) for side in sides]
        return [*names, runs_of(self._value(row.cell)), *counts]

    def _plot(self, words: Worded, rows: Sequence[Row]) -> dict[str, Any] | None:
        """Bars of what is shown; None where there are too few or too many for a plot to say more than the table."""
        shown = [(row, row.number) for row in rows if row.number is not None]
        longest = max((number for _, number in shown), default=Decimal())
        if len(shown) not in BARS or longest <= 0 or any(number < 0 for _, number in shown):
            return None
        names = [self.formats.beside([words.class_of(*pair) for pair in row.classes.items()]) for row, _ in shown]
        values = [self._value(row.cell) for row, _ in shown]
        pairs = [self.formats.labelled(name, value) for name, value in zip(names, values, strict=True)]
        indicator = words.indicator_name(rows[0].table.indicator)
        sentence = self._words.gettext("Bars of %(indicator)s. %(values)s")
        alt = filled(sentence, indicator=indicator, values=Markup(". ").join(pairs)).striptags()
        lengths = [round(float(100 * number / longest), 2) for _, number in shown]
        bars = [{"name": runs_of(name), "length": length} for name, length in zip(names, lengths, strict=True)]
        return {"alt": alt, "bars": bars}

    def restated(self) -> dict[str, Any]:
        """What any of the statements states otherwise than the one that it restates: before, after, why."""
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

    def _changed(self, one: Signed, change: Restated) -> list[Runs]:
        words = self._export.words(change.of.stated)
        name: Markup | str = words.indicator_name(change.of.table.indicator)
        classes = [words.class_of(*pair) for pair in change.of.classes.items()]
        if classes:
            name = self.formats.labelled(name, self.formats.beside(classes))
        return [
            runs_of(name),
            runs_of(words.period_name(one.statement.period)),
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
        if cell.withheld == "withheld":
            return why_withheld(self._export.language, cell.withheld)
        shown: Markup | str = self._words.gettext("No data yet")
        if cell.value is not None:
            shown = self.formats.share(cell.value) if isinstance(cell.value, str) else self.formats.number(cell.value)
        if cell.withheld is None:
            return shown
        return filled("%(shown)s (%(why)s)", shown=shown, why=why_withheld(self._export.language, cell.withheld))

    def _called(self, field: str) -> str:
        return called(self._export.language, field)

    def _label(self, field: str) -> Runs:
        return runs_of(self._called(field))
