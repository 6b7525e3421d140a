"""What a history must hold beyond its fields: chapters that hold, and figures that its programme can show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from deploy.replay.cases.checks import check_cases
from deploy.replay.cases.model import Cases
from deploy.replay.cases.tables import tables
from deploy.replay.classes import can_be
from deploy.replay.returns.checks import check_returns
from deploy.replay.returns.model import Returns
from shared.programmes.indicators import Indicator
from shared.programmes.marked_yaml import Broken, escaped
from shared.programmes.model import Definition

if TYPE_CHECKING:
    from deploy.replay.history import Figure, History


def check_history(history: History, definition: Definition | None) -> list[Broken]:
    """Every broken rule; an empty list for a history that can be expanded, unless its dates leave no room."""
    found = [*_chapters(history, definition)]
    if definition is not None:
        found += [*_of_programme(history, definition), *_figures(history, definition)]
    return found


def _chapters(history: History, definition: Definition | None) -> Iterator[Broken]:
    # As a bound of the model it would be named beside every finding inside a history's only chapter.
    if not history.chapters:
        yield Broken("/chapters", "chapter_missing", "a history has at least one chapter")
    called: set[str] = set()
    for number, chapter in enumerate(history.chapters):
        pointer = f"/chapters/{number}"
        name = chapter.called if isinstance(chapter, Cases) else chapter.kind
        if name in called:
            yield Broken(f"{pointer}/name", "chapter_repeated", "an earlier chapter has this name")
        called.add(name)
        if isinstance(chapter, Returns):
            broken = check_returns(chapter, definition)
        else:
            broken = check_cases(chapter, tables(), definition)
        yield from (one._replace(pointer=pointer + one.pointer) for one in broken)


def _of_programme(history: History, definition: Definition) -> Iterator[Broken]:
    if history.programme != definition.code:
        yield Broken("/programme", "unknown_programme", "the definition is that of another programme")
    if definition.office(history.publisher) is None:
        yield Broken("/publisher", "unknown_code", "the programme does not list this code")


def _figures(history: History, definition: Definition) -> Iterator[Broken]:
    for number, figure in enumerate(history.figures):
        pointer = f"/figures/{number}"
        indicator = definition.indicator(figure.indicator)
        if indicator is None:
            yield Broken(f"{pointer}/indicator", "unknown_indicator", "the programme has no such indicator")
        if definition.period(figure.period) is None:
            yield Broken(f"{pointer}/period", "unknown_period", "the programme has no such period")
        if indicator is not None:
            for broken in (*_shown(figure, indicator), *_dimensions(figure, indicator, history, definition)):
                yield broken._replace(pointer=pointer + broken.pointer)


def _shown(figure: Figure, indicator: Indicator) -> Iterator[Broken]:
    """A value with more digits than the indicator shows would never be met; counts are whole."""
    digits = indicator.decimals if indicator.share else 0
    exponent = figure.value.normalize().as_tuple().exponent
    if figure.comparison == "equals" and isinstance(exponent, int) and -exponent > digits:
        yield Broken("/value", "too_precise", f"the indicator shows {digits} digits after the point")


def _dimensions(figure: Figure, indicator: Indicator, history: History, definition: Definition) -> Iterator[Broken]:
    parts = (
        [definition.indicator(code) for code in (indicator.share.of, indicator.share.in_)] if indicator.share else []
    )
    for code, wanted in figure.by.items():
        dimension = definition.dimension(code)
        if dimension is None:
            yield Broken(f"/by/{escaped(code)}", "unknown_dimension", "the programme has no such dimension")
            continue
        if any(one is not None and one.by and code not in one.by for one in (indicator, *parts)):
            yield Broken(f"/by/{escaped(code)}", "no_breakdown", "the indicator is not broken down by this")
        if not can_be(wanted, dimension, definition, history.chapters):
            yield Broken(f"/by/{escaped(code)}", "unknown_class", "no fact of the programme can be in this class")
