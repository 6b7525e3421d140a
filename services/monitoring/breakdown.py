"""What an answer says of its cells beside their values: whether they add up, and the classes that hold nothing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Any

from services.monitoring.queries import Cell
from services.monitoring.question import Question
from shared.contracts.catalogue import CATALOGUE
from shared.programmes.indicators import Dimension, Distinct, ShareMeasure

# Above so many combinations of classes an answer has only the cells that hold something.
CELLS_AT_MOST = 1_000
SHARES, SEVERAL = "shares_do_not_add_up", "a_thing_may_be_in_several_cells"
# Why cells do not add up, which a reader is told.
NOT_ADDING_UP = (SHARES, SEVERAL)


def adding_up(question: Question) -> dict[str, Any]:
    """Whether the cells of any such answer add up to its total, and by which rule."""
    measure = question.indicator.measure
    if isinstance(measure, ShareMeasure):
        return {"adds_up": False, "adds_up_rule": SHARES}
    if not isinstance(measure, Distinct):
        return {"adds_up": True, "adds_up_rule": "each_fact_in_one_cell"}
    if all(_one_class_each(question, measure.distinct, dimension) for dimension in question.by):
        return {"adds_up": True, "adds_up_rule": "each_thing_in_one_cell"}
    return {"adds_up": False, "adds_up_rule": SEVERAL}


def _one_class_each(question: Question, thing: str, dimension: Dimension) -> bool:
    """Whether all facts of one thing fall into one class of the dimension, whatever they are."""
    if dimension.field is None:
        # An age hangs on the fact's office too, whose year may have begun.
        return thing in ("person", "expert") and dimension.at == "now" and dimension.attribute != "age"
    kinds = question.indicator.facts.kinds if question.indicator.facts is not None else ()
    return all(
        thing == CATALOGUE.kinds[kind].family.subject and CATALOGUE.fixed(kind, dimension.field) for kind in kinds
    )


def with_empty_classes(question: Question, found: Sequence[Cell]) -> list[Cell]:
    """The cells, and one with 0 for each combination of classes that hold nothing.

    A dimension without declared classes has those that were found.
    """
    held = {cell.classes: cell for cell in found}
    sets = [
        sorted({cell.classes[place] for cell in found} | {one.code for one in dimension.classes})
        for place, dimension in enumerate(question.by)
    ]
    if not sets or prod(map(len, sets)) > CELLS_AT_MOST:
        return list(found)
    nothing = 0 if question.indicator.share is not None else None
    return [held.get(classes) or Cell(classes, 0, nothing, 0, 0) for classes in product(*sets)]
