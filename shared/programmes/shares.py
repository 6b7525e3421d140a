"""Whether what a share has above the line is a part of what stands below it, so that it never exceeds 100 %."""

from __future__ import annotations

from shared.contracts.catalogue import CATALOGUE
from shared.programmes.fact_words import OFFICE
from shared.programmes.indicators import Condition, Facts, Indicator, Sum


def is_part(part: Indicator, whole: Indicator) -> bool:
    """Whether everything that `part` counts, `whole` counts too: by the declarations, whatever the events are.

    Facts of the same kinds, under at least its conditions; or facts that a case tells once and after one of the
    whole's. Over all time: in a single period a case may have reached the later step alone.
    """
    if part.facts is None or whole.facts is None or part.measure != whole.measure:
        return False
    narrower = all(any(_implies(one, other) for one in part.facts.where) for other in whole.facts.where)
    if set(part.facts.kinds) <= set(whole.facts.kinds):
        return narrower
    return narrower and not isinstance(part.measure, Sum) and _follows(part, part.facts, whole.facts)


def _follows(part: Indicator, later: Facts, earlier: Facts) -> bool:
    """Whether each fact of the part has one of the whole in its case that meets the same conditions."""
    before = [
        next((kind for kind in earlier.kinds if kind == one or CATALOGUE.implies(one, kind)), None)
        for one in later.kinds
    ]
    # Of two later steps that share an earlier one, a case may have told both, and would count twice.
    if None in before or (part.measure == "count" and len(set(before)) < len(before)):
        return False
    return all(_of_the_case(condition, kind) for condition in earlier.where for kind in earlier.kinds)


def _of_the_case(condition: Condition, kind: str) -> bool:
    """Whether the condition is met by all facts of a case or by none: what is known now, and what never changes."""
    if condition.field is not None:
        return condition.field == OFFICE or CATALOGUE.fixed(kind, condition.field)
    return condition.at == "now"


def _implies(one: Condition, other: Condition) -> bool:
    if (one.field, one.attribute, one.at) != (other.field, other.attribute, other.at):
        return False
    if one.one_of is not None and other.one_of is not None:
        return set(one.one_of) <= set(other.one_of)
    if one.at_least is not None and other.at_least is not None:
        return one.at_least >= other.at_least
    return one.at_most is not None and other.at_most is not None and one.at_most <= other.at_most
