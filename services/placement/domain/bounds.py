"""Within which days of its programme a training lies, a site is proposed and works begin; others need a reason."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from shared.cases.bodies import REASON, Change
from shared.cases.opening import Days
from shared.contracts.base import Code
from shared.contracts.frame import Listed
from shared.errors import Problem, Refusal

OUTSIDE = "dates_outside_programme"
# Why something lies outside the days of its programme.
BEYOND = ("begun_before", "delayed", "funds_left", "programme_extended")


class Bounded(Change):
    """`override_reason`: why the days lie outside those of the programme."""

    override_reason: Annotated[Code | None, Listed(REASON)] = None


def reason_outside(programme: Days, reason: str | None, first: tuple[str, date], after: tuple[str, date]) -> str | None:
    """The reason, where one is needed: `first` is the first day, `after` the first day after the last one, each with
    the field that says it. Raises Refusal `dates_outside_programme` (422) without one."""
    fields = [first[0]] if not programme.starts_on <= first[1] < programme.ends_on else []
    fields += [after[0]] if after[1] > programme.ends_on and after[0] not in fields else []
    if fields and reason is None:
        within = f"from {programme.starts_on} until the day before {programme.ends_on}, or with a reason"
        problems = tuple(Problem(OUTSIDE, field, within) for field in fields)
        raise Refusal(OUTSIDE, f"the programme has its days {within}", problems=problems, status=422)
    return reason if fields else None
