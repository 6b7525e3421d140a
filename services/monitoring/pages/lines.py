"""A figure as a reader sees it: the table's row, the chart's bar and the download's row are all the same line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal

from markupsafe import Markup

from services.monitoring.answers import Sheet, Wanted
from services.monitoring.breakdown import SEVERAL
from services.monitoring.pages.meaning import Meaning
from services.monitoring.published import NOT_PUBLISHED, Answer
from shared.programmes.indicators import Dimension, Indicator, Period
from shared.web.pages.formatting import Formats
from shared.web.pages.words import translations

# Why there is no figure: somebody could be recognised in it, or nothing is known yet.
Missing = Literal["", "withheld", "nothing"]


@dataclass(frozen=True)
class Line:
    """`answer`: what the JSON edge answers to the same reader; `said`: its value in words and digits.

    `code` and `name`: of the indicator's period, or of the class of a breakdown.
    """

    code: str
    name: Markup | str
    answer: Mapping[str, Any]
    said: Markup | str
    missing: Missing
    target: Markup | str
    indicator: Indicator
    period: Period | None

    @property
    def size(self) -> Decimal | None:
        """The value as a number; None where there is none to be seen."""
        value = self.answer["value"]
        return None if value is None else Decimal(value)

    @property
    def goal(self) -> int | None:
        return self.answer.get("target")


@dataclass(frozen=True)
class Breakdown:
    """The cells of a figure by one dimension; `adds_up`: whether they give the total."""

    dimension: Dimension
    lines: Sequence[Line]
    adds_up: bool
    adds_up_rule: str


def missing_of(answer: Mapping[str, Any]) -> Missing:
    """Which of the two it is: a share of nothing is nothing yet, and so is what was not published."""
    if answer["value"] is not None:
        return ""
    return "withheld" if answer.get("withheld", NOT_PUBLISHED) != NOT_PUBLISHED else "nothing"


@dataclass(frozen=True)
class Lines:
    """Writes the figures of one sheet for one reader. `earlier`: the same figures as of an instant before."""

    sheet: Sheet
    language: str
    earlier: Sheet | None = None

    @cached_property
    def meaning(self) -> Meaning:
        return Meaning(self.sheet.definition, self.language)

    def by_period(self) -> list[Line]:
        """A line for each figure that was wanted, named by its period."""
        return [self._line(one, answer) for one, answer in self._pairs if not one.by]

    def changes(self) -> list[Markup | str]:
        """Of each line by period what it said earlier, where that was another figure; empty where it is the same."""
        lines = self.by_period()
        before = [] if self.earlier is None else Lines(self.earlier, self.language).by_period()
        if [_place(one) for one in lines] != [_place(one) for one in before]:
            return [""] * len(lines)
        return ["" if was.missing or was.said == now.said else was.said for was, now in zip(before, lines, strict=True)]

    def broken_down(self) -> list[Breakdown]:
        return [self._breakdown(one, one.by[0], answer) for one, answer in self._pairs if one.by]

    @property
    def _pairs(self) -> Sequence[tuple[Wanted, Answer]]:
        return [*zip(self.sheet.wanted, self.sheet.answers, strict=True)]

    def _line(self, wanted: Wanted, answer: Answer) -> Line:
        formats, words = Formats(self.language), translations(self.language)
        name = words.gettext("All time") if wanted.period is None else formats.text(wanted.period.name)
        goal = answer["target"]
        target = "" if goal is None else self._number(wanted.indicator, goal)
        code = "" if wanted.period is None else wanted.period.code
        return Line(code, name, answer, *self._said(wanted.indicator, answer), target, wanted.indicator, wanted.period)

    def _breakdown(self, wanted: Wanted, dimension: Dimension, answer: Answer) -> Breakdown:
        lines = []
        for cell in answer["by"]:
            code = str(cell[dimension.code])
            name = self.meaning.class_of(dimension, code)
            said = self._said(wanted.indicator, cell)
            lines.append(Line(code, name, cell, *said, "", wanted.indicator, wanted.period))
        adds_up = answer["adds_up"] or (answer["adds_up_rule"] == SEVERAL and _add_up(lines, answer))
        return Breakdown(dimension, lines, adds_up, answer["adds_up_rule"])

    def _said(self, indicator: Indicator, answer: Mapping[str, Any]) -> tuple[Markup | str, Missing]:
        missing = missing_of(answer)
        return words_of(self.language, indicator, answer["value"], answer.get("withheld")), missing

    def _number(self, indicator: Indicator, value: int | str) -> Markup:
        formats = Formats(self.language)
        return formats.number(value) if indicator.share is None else formats.share(value)


def words_of(language: str, indicator: Indicator, value: int | str | None, withheld: str | None) -> Markup | str:
    """A figure in words and digits; what is withheld and what is not there yet are said apart."""
    missing = missing_of({"value": value, "withheld": withheld or NOT_PUBLISHED})
    if missing:
        words = translations(language)
        return words.gettext("Withheld, or none yet") if missing == "withheld" else words.gettext("No data yet")
    formats = Formats(language)
    return formats.number(value or 0) if indicator.share is None else formats.share(value or 0)


def _add_up(lines: Sequence[Line], answer: Answer) -> bool:
    """Whether the rows that a reader sees add up to the total, whether or not they have to."""
    return not any(one.missing for one in lines) and sum(one.answer["value"] for one in lines) == answer["value"]


def _place(line: Line) -> tuple[str, str, int]:
    return line.indicator.code, line.code, line.answer["definition_version"]
