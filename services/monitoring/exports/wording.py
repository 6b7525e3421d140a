"""What an export says in words beside its figures: definitions, statements, restatements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from services.monitoring.exports.stated import Export, Row, Stated, why_withheld
from shared.clock import text_of
from shared.contracts.monitoring.statements import StatedCell
from shared.web.pages.words import called, translations

Line = Sequence[str | int | None]


def definitions(export: Export) -> Iterator[Line]:
    """Rows of indicators, then of dimensions with their classes, then of the rules by which a figure is withheld; the
    first row names the columns."""
    _ = translations(export.language).gettext
    yield (_("Part"), _("Code"), _("Name"), _("Unit"), _("Meaning"))
    indicator, dimension, rule = _("Indicator"), _("Breakdown"), called(export.language, "withheld")
    for one in export.definition.indicators:
        meaning = export.meaning.of(one).striptags()
        yield (indicator, one.code, export.indicator_name(one.code), export.unit_name(one.unit), meaning)
    for breakdown in export.definition.dimensions:
        yield (dimension, breakdown.code, export.dimension_name(breakdown.code), None, None)
        for part in breakdown.classes:
            name = export.class_name(breakdown.code, part.code)
            yield (dimension, f"{breakdown.code}: {part.code}", name, None, None)
    for code in ("below_threshold", "protects_another", "change_withheld"):
        yield (rule, code, why_withheld(export.language, code), None, None)


def statements(export: Export) -> Iterator[Line]:
    """A row a statement; the first row names the columns."""
    yield tuple(_columns(export.language))
    for one in export.statements:
        said = one.statement
        yield (
            said.number,
            said.period,
            said.replaces,
            export.reason(said.reason) or None,
            text_of(said.as_of),
            said.definition_version,
            said.zone_data,
            one.digest,
            said.previous,
            said.facts,
        )


def _columns(language: str) -> Iterator[str]:
    _ = translations(language).gettext
    yield from (_("Statement"), called(language, "period"), _("Restates statement"))
    yield from (called(language, name) for name in ("reason", "as_of", "definition_version", "zone_data", "digest"))
    yield from (_("Check value of the statement before"), _("Check value of the facts counted"))


class Restated(NamedTuple):
    """A figure that two statements of a period state otherwise. None: it is in that one not at all."""

    of: Row
    before: StatedCell | None
    after: StatedCell | None


def restated(export: Export, one: Stated) -> Iterator[Restated]:
    """What the statement states otherwise than the one that it replaces, where the export has that one too."""
    former = next((was for was in export.statements if was.statement.number == one.statement.replaces), None)
    if former is None:
        return
    before, after = (_by_key(export, which) for which in (former, one))
    for key in dict.fromkeys([*after, *before]):
        was, now = before.get(key), after.get(key)
        if _said(was) != _said(now):
            either = now or was
            if either is not None:
                yield Restated(either, was and was.cell, now and now.cell)


def _by_key(export: Export, one: Stated) -> dict[tuple[str, str, frozenset[tuple[str, str]]], Row]:
    """By indicator, period and classes; a total stands in several tables, and is the same in each."""
    found: dict[tuple[str, str, frozenset[tuple[str, str]]], Row] = {}
    for row in export.rows([one]):
        found.setdefault((row.table.indicator, row.table.period, frozenset(row.classes.items())), row)
    return found


def _said(row: Row | None) -> object:
    return row and (row.cell.value, row.cell.numerator, row.cell.denominator, row.cell.withheld)
