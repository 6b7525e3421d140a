"""A history in small: every marginal shrunk by largest remainder, its figures counted anew from the small plan."""

from __future__ import annotations

from decimal import Decimal

from deploy.replay.cases.model import Cases
from deploy.replay.cases.scaling import shrunk_cases
from deploy.replay.expansion import Plan, planned
from deploy.replay.history import Figure, History
from deploy.replay.planned import counted
from deploy.replay.returns.scaling import shrunk_returns
from shared.programmes.model import Definition

SOURCE = "counted from the plan of the small form"


def scaled(history: History, definition: Definition, scale: Decimal) -> tuple[History, Plan]:
    """The history at a scale from above 0 to 1, and its plan. Raises HistoryImpossible.

    What happened at all still happens once. No figure was published of the small form: each is what the plan tells,
    and one that is a share of nothing is left out.
    """
    chapters = tuple(
        shrunk_cases(one, scale) if isinstance(one, Cases) else shrunk_returns(one, scale) for one in history.chapters
    )
    small = history.model_copy(update={"chapters": chapters})
    plan = planned(small, definition)
    return small.model_copy(update={"figures": _recounted(small, definition, plan)}), plan


def _recounted(history: History, definition: Definition, plan: Plan) -> tuple[Figure, ...]:
    figures: dict[tuple[str, str, str], Figure] = {}
    for one in history.figures:
        value = counted(definition, plan.facts, one.indicator, one.period, one.by)
        if value is not None:
            told = {"value": Decimal(value), "comparison": "equals", "origin": "counted", "source": SOURCE}
            # A published figure and a chosen one of the same place are one figure here.
            figures[(one.indicator, one.period, str(one.by))] = one.model_copy(update=told)
    return tuple(figures.values())
