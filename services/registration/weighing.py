"""The criteria of an expert's programme, one by one: before the screening as they stand now, after it as recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from services.registration import views
from services.registration.domain.experts import BEGINS_LATER, EXPERT
from services.registration.work.criteria import Criteria
from shared.programmes.eligibility import WeighedCriterion
from shared.programmes.sections.selection import Criterion
from shared.store.port import Document
from shared.web.callers import Granted
from shared.web.weighing import Shut, Shuts, Weighed, Weighing, Weighs

DECIDES = frozenset({"screen", "declare-eligible", "declare-ineligible"})


def weighs(criteria: Criteria) -> Weighs:
    """What is not stated counts as not met, and is told apart: somebody may still ask for it."""

    async def found(verb: str, document: Document, granted: Granted) -> Weighing | None:
        expert = EXPERT.state.model_validate(document["state"])
        declared = {one.criterion: one for one in criteria.declared(expert)}
        if verb in DECIDES:
            rows = await criteria.weighed_today(expert)
            return Weighing("criterion", tuple(_named(rows, declared))) if rows else None
        seen = views.expert(document, granted.principal)
        recorded = [
            WeighedCriterion(one.criterion, one.required, one.actual, met=met)
            for met, told in ((False, seen.failed_criteria), (True, seen.met_criteria))
            for one in told
            if "required" in one.model_fields_set
        ]
        if verb or not recorded:
            return None
        instead_of = frozenset({"failed_criteria", "met_criteria"})
        return Weighing("criterion", tuple(_named(recorded, declared)), instead_of)

    return found


def shuts(criteria: Criteria) -> Shuts:
    """What cannot be decided yet because nothing is known of the person as of today, with the day from which it can."""

    async def found(document: Document, granted: Granted) -> Mapping[str, Shut]:
        expert = EXPERT.state.model_validate(document["state"])
        open_now = DECIDES & set(EXPERT.open_to(expert, granted.principal.role))
        if not open_now or await criteria.is_known_today(expert):
            return {}
        return dict.fromkeys(open_now, Shut(BEGINS_LATER, await criteria.begins_on(expert)))

    return found


def _named(rows: Iterable[WeighedCriterion], declared: dict[str, Criterion]) -> Iterable[Weighed]:
    for one in rows:
        known = declared.get(one.criterion)
        said_as = "" if known is None else "age" if known.operator == "age_at_least" else known.attribute
        met = None if one.actual in (None, []) and not one.met else one.met
        names = {} if known is None else known.name
        yield Weighed(one.criterion, met, names, said_as, one.required, one.actual, _bound(known))


def _bound(known: Criterion | None) -> Literal["", "least", "most"]:
    if known is None or known.operator in ("one_of", "any_of"):
        return ""
    return "most" if known.operator == "at_most" else "least"
