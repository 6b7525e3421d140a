"""What every writer starts from: published statements of one programme, its definitions and the reader's language."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

from markupsafe import Markup

from services.monitoring.pages.meaning import Meaning
from services.monitoring.work.kept import Signed
from shared.contracts.monitoring.statements import StatedCell, StatedTable
from shared.errors import Refusal
from shared.programmes.model import Definition
from shared.web.pages.languages import LANGUAGES
from shared.web.pages.words import code_key, reason_words, translations

TOO_LARGE = "export_too_large"
# What XML 1.0 allows in no form; a workbook and a report are XML or nearly so.
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Row(NamedTuple):
    """One cell of one table of one statement."""

    stated: Signed
    table: StatedTable
    cell: StatedCell

    @property
    def classes(self) -> Mapping[str, str]:
        """Dimension -> class; none for a total."""
        return dict(zip(self.table.by, self.cell.classes, strict=True)) if self.cell.classes else {}

    @property
    def number(self) -> Decimal | None:
        """The value that is shown: exactly, with the digits that a share is stated with."""
        return None if self.cell.value is None else Decimal(self.cell.value)


@dataclass(frozen=True)
class Worded:
    """What one version of a definition calls things, in one language."""

    definition: Definition
    language: str

    @cached_property
    def meaning(self) -> Meaning:
        return Meaning(self.definition, self.language)

    def days(self, period: str) -> tuple[date, date] | None:
        """`[starts, ends)` of the period; None where the definition lacks it."""
        found = self.definition.period(period)
        return None if found is None else (found.starts, found.ends)

    def last_day(self, period: str) -> date | None:
        days = self.days(period)
        return None if days is None else days[1] - timedelta(days=1)

    def period_name(self, code: str) -> str:
        """In the reader's language; the code where the definition lacks it, as for indicators and breakdowns."""
        found = self.definition.period(code)
        return code if found is None else str(self.meaning.text(found.name))

    def indicator_name(self, code: str) -> str:
        found = self.definition.indicator(code)
        return code if found is None else str(self.meaning.text(found.name))

    def dimension_name(self, code: str) -> str:
        found = self.definition.dimension(code)
        return code if found is None else str(self.meaning.text(found.name))

    def class_of(self, dimension: str, code: str) -> Markup | str:
        found = self.definition.dimension(dimension)
        return code if found is None else self.meaning.class_of(found, code)

    def class_name(self, dimension: str, code: str) -> str:
        """Plain, without marks of direction."""
        said = self.class_of(dimension, code)
        return said.striptags() if isinstance(said, Markup) else said

    def unit_name(self, code: str) -> str:
        return self.meaning.unit_name(code)


@dataclass(frozen=True)
class Export:
    """`statements`: of one programme, by number. `versions`: its definition by version, each that a statement names and
    `version`, by which others are told what figures are called; a figure means what the version of its statement says.

    ValueError for no statement, for those of another programme, for two of one number, for a version that is not given
    and for a language that pages lack.
    """

    statements: tuple[Signed, ...]
    versions: Mapping[int, Definition]
    version: int
    language: str

    def __post_init__(self) -> None:
        numbers = [one.statement.number for one in self.statements]
        if not numbers or len(set(numbers)) < len(numbers) or self.language not in LANGUAGES:
            raise ValueError("an export is of at least one statement, of each once, in a language of the pages")
        if not {self.version, *(one.statement.definition_version for one in self.statements)} <= set(self.versions):
            raise ValueError("an export has every version of the definition that its statements name")
        if any(one.statement.programme != self.definition.code for one in self.statements):
            raise ValueError("an export is of one programme")
        object.__setattr__(self, "statements", tuple(sorted(self.statements, key=lambda one: one.statement.number)))

    @property
    def definition(self) -> Definition:
        """The one by which others are told."""
        return self.versions[self.version]

    @property
    def newest(self) -> Signed:
        return self.statements[-1]

    @cached_property
    def _worded(self) -> Mapping[int, Worded]:
        return {version: Worded(one, self.language) for version, one in self.versions.items()}

    def words(self, one: Signed) -> Worded:
        """Those of the version that the statement names."""
        return self._worded[one.statement.definition_version]

    @cached_property
    def named(self) -> Mapping[int, Worded]:
        """The versions that statements name, the oldest first."""
        found = sorted({one.statement.definition_version for one in self.statements})
        return {version: self._worded[version] for version in found}

    @cached_property
    def dimensions(self) -> tuple[str, ...]:
        """Those of the definition in its order, then those that statements of other versions name."""
        named = (code for one in self.statements for table in one.statement.tables for code in table.by)
        return tuple(dict.fromkeys([*(one.code for one in self.definition.dimensions), *named]))

    def rows(self, statements: Sequence[Signed] | None = None) -> Iterator[Row]:
        """Every cell, in the order in which it is stated."""
        for one in self.statements if statements is None else statements:
            for table in one.statement.tables:
                for cell in table.cells:
                    yield Row(one, table, cell)

    @cached_property
    def size(self) -> int:
        """How many cells there are."""
        return sum(len(table.cells) for one in self.statements for table in one.statement.tables)

    def standing(self) -> tuple[Signed, ...]:
        """Of each period the newest statement: what is said of it now."""
        newest = {one.statement.period: one for one in self.statements}
        return tuple(sorted(newest.values(), key=lambda one: one.statement.number))

    def refuse_above(self, most: int) -> None:
        """Refusal `export_too_large` (422) where there are more cells than a file of the form holds."""
        if self.size > most:
            detail = f"a file of this form holds {most} figures, and these are {self.size}: ask for fewer statements"
            raise Refusal(TOO_LARGE, detail, status=422)

    def reason(self, code: str | None) -> str:
        """Why a statement restates another one; empty for one that does not."""
        return "" if code is None else reason_words(self.language, code)


def why_withheld(language: str, rule: str) -> str:
    """What is said of a cell that is withheld, or whose change is."""
    return translations(language).gettext(code_key("withheld", rule))


def plain(text: str) -> str:
    """The text without what XML cannot hold, its lines ended by LF alone."""
    return _NOT_IN_XML.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
