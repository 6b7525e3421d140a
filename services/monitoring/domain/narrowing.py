"""How indicators that count the same facts hang together: what one counts under further conditions, another one's
breakdown counts in some of its classes (returns of women are the returns broken down by sex, in one class)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from shared.contracts.base import Code
from shared.programmes.indicators import Condition, Dimension, DimensionClass, Distinct, Indicator, carries
from shared.programmes.model import Definition

# Of one table that nobody is shown, by all that tables of the same facts are broken down by together.
JOINT_DIMENSIONS_AT_MOST = 4


class Within(BaseModel):
    """The classes of a dimension that a condition lets through."""

    model_config = ConfigDict(frozen=True)

    dimension: Code
    classes: tuple[Code, ...]


class Narrowed(BaseModel):
    """What `part` counts is what `whole` counts in these classes; none: all of it."""

    model_config = ConfigDict(frozen=True)

    part: Code
    whole: Code
    within: tuple[Within, ...]


def narrowed_of(definition: Definition, indicators: Sequence[Indicator]) -> list[Narrowed]:
    """Each indicator that counts what another one does under further conditions, where each of them is one of classes.

    Of two that count alike the one that comes first is the whole.
    """
    return [
        found
        for place, part in enumerate(indicators)
        for other, whole in enumerate(indicators)
        if place != other and (found := _narrowed(definition, part, whole)) is not None
        if found.within or other < place
    ]


def _narrowed(definition: Definition, part: Indicator, whole: Indicator) -> Narrowed | None:
    if part.facts is None or whole.facts is None or part.measure != whole.measure:
        return None
    if set(part.facts.kinds) != set(whole.facts.kinds):
        return None
    further = [one for one in part.facts.where if one not in whole.facts.where]
    if any(one not in part.facts.where for one in whole.facts.where):
        return None
    found = [_within(definition, part, one) for one in further]
    within = [one for one in found if one is not None]
    # Somebody who is in several classes would be counted in each.
    several = isinstance(part.measure, Distinct) and any(len(one.classes) > 1 for one in within)
    if len(within) < len(found) or several or len({one.dimension for one in within}) < len(within):
        return None
    return Narrowed(part=part.code, whole=whole.code, within=tuple(within))


def _within(definition: Definition, indicator: Indicator, condition: Condition) -> Within | None:
    """The classes in which the condition holds, of a dimension in each class of which it holds for all or for none."""
    kinds = indicator.facts.kinds if indicator.facts is not None else ()
    for dimension in definition.dimensions:
        source = (dimension.field, dimension.attribute, dimension.at)
        if source == (condition.field, condition.attribute, condition.at) and all(carries(k, dimension) for k in kinds):
            classes = _classes(dimension, condition)
            if classes:
                return Within(dimension=dimension.code, classes=classes)
    return None


def _classes(dimension: Dimension, condition: Condition) -> tuple[str, ...] | None:
    if not dimension.classes:
        return tuple(sorted(condition.one_of)) if condition.one_of is not None else None
    held = [(one.code, _holds(one, condition)) for one in dimension.classes]
    if any(holds is None for _, holds in held):
        return None
    return tuple(code for code, holds in held if holds)


def _holds(one: DimensionClass, condition: Condition) -> bool | None:
    """Whether the condition holds for all of the class, or for none of it; None where for some."""
    if condition.one_of is not None:
        inside = [value in condition.one_of for value in one.values]
        # What else is in the class that takes the rest, nobody has listed.
        return None if one.rest or (any(inside) and not all(inside)) else bool(inside) and all(inside)
    if condition.at_least is not None:
        if one.at_least is not None and one.at_least >= condition.at_least:
            return True
        return False if one.below is not None and one.below <= condition.at_least else None
    most = condition.at_most or 0
    if one.below is not None and one.below <= most + 1:
        return True
    return False if one.at_least is not None and one.at_least > most else None


By = Mapping[str, Iterable[Sequence[str]]]


def joint_of(
    definition: Definition, indicator: Indicator, narrowed: Iterable[Narrowed], by: By
) -> tuple[Dimension, ...]:
    """All that tables of the indicator, and of what is narrowed from it, are broken down by, together: by these cells
    everything that is published of the same facts hangs together. Empty where one of the tables has them all, or where
    they are too many: then it hangs together table by table. `by`: the dimensions of each indicator's tables."""
    codes = {code for one in by.get(indicator.code, ()) for code in one}
    for one in narrowed:
        if one.whole == indicator.code:
            codes |= {code for table in by.get(one.part, ()) for code in table} | {
                part.dimension for part in one.within
            }
    kinds = indicator.facts.kinds if indicator.facts is not None else ()
    found = tuple(
        one for one in definition.dimensions if one.code in codes and all(carries(kind, one) for kind in kinds)
    )
    together = sorted(one.code for one in found)
    has_one = any(sorted(one) == together for one in by.get(indicator.code, ()))
    return () if len(found) > JOINT_DIMENSIONS_AT_MOST or has_one else found
