"""What an export says in words beside its figures: definitions, statements, restatements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, get_args

from services.monitoring.exports.stated import Export, Row, Worded, why_withheld
from services.monitoring.work.kept import Signed
from shared.clock import text_of
from shared.contracts.monitoring.statements import StatedCell, Withheld
from shared.web.pages.words import called, translations

Line = Sequence[str | int | None]


def definitions(export: Export) -> Iterator[Line]:
    """Of each version of the definition that a statement names, rows of indicators, then of dimensions with their
    classes; then, of no version, the rules by which a figure is withheld. The first row names the columns."""
    _ = translations(export.language).gettext
    version, rule = called(export.language, "definition_version"), called(export.language, "withheld")
    yield (version, _("Part"), _("Code"), _("Name"), _("Unit"), _("Meaning"))
    for number, words in export.named.items():
        for line in _parts(words):
            yield (number, *line)
    for code in get_args(Withheld):
        yield (None, rule, code, why_withheld(export.language, code), None, None)


def _parts(words: Worded) -> Iterator[Line]:
    _ = translations(words.language).gettext
    indicator, dimension = _("Indicator"), _("Breakdown")
    for one in words.definition.indicators:
        meaning = words.meaning.of(one).striptags()
        yield (indicator, one.code, words.indicator_name(one.code), words.unit_name(one.unit), meaning)
    for breakdown in words.definition.dimensions:
        yield (dimension, breakdown.code, words.dimension_name(breakdown.code), None, None)
        for part in breakdown.classes:
            name = words.class_name(breakdown.code, part.code)
            yield (dimension, f"{breakdown.code}: {part.code}", name, None, None)


def statements(export: Export) -> Iterator[Line]:
    """A row a statement; the first row names the columns."""
    yield tuple(_columns(export.language))
    for one in export.statements:
        said = one.statement
        yield (
            said.number,
            said.period,
            said.restates,
            export.reason(said.reason) or None,
            text_of(said.as_of),
            text_of(said.issued_at),
            said.definition_version,
            said.zone_data,
            said.threshold,
            said.protection,
            said.least,
            one.digest,
            said.previous,
            said.facts,
        )


def _columns(language: str) -> Iterator[str]:
    _ = translations(language).gettext
    yield from (_("Statement"), called(language, "period"), _("Restates statement"))
    fields = ("reason", "as_of", "issued_at", "definition_version", "zone_data", "threshold", "protection", "least")
    yield from (called(language, name) for name in (*fields, "digest"))
    yield from (_("Check value of the statement before"), _("Check value of the facts counted"))


class Restated(NamedTuple):
    """A figure that two statements of a period state otherwise. None: it is in that one not at all."""

    of: Row
    before: StatedCell | None
    after: StatedCell | None


def restated(export: Export, one: Signed) -> Iterator[Restated]:
    """What the statement states otherwise than the one that it restates, where the export has that one too."""
    former = next((was for was in export.statements if was.statement.number == one.statement.restates), None)
    if former is None:
        return
    before, after = (_by_key(export, which) for which in (former, one))
    for key in dict.fromkeys([*after, *before]):
        was, now = before.get(key), after.get(key)
        if _said(was) != _said(now):
            either = now or was
            if either is not None:
                yield Restated(either, was and was.cell, now and now.cell)


def _by_key(export: Export, one: Signed) -> dict[tuple[str, frozenset[tuple[str, str]]], Row]:
    """By indicator and classes; a total stands in several tables, and is the same in each."""
    found: dict[tuple[str, frozenset[tuple[str, str]]], Row] = {}
    for row in export.rows([one]):
        found.setdefault((row.table.indicator, frozenset(row.classes.items())), row)
    return found


def _said(row: Row | None) -> object:
    return row and (row.cell.value, row.cell.numerator, row.cell.denominator, row.cell.withheld)
