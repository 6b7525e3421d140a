"""What a timer's work says of a period, once, as long as the period still stands where the work found it."""

from __future__ import annotations

from services.monitoring.domain.statements import PeriodStatement
from services.monitoring.store import STATEMENTS
from shared.cases.case import Asked
from shared.clock import derived_id, text_of
from shared.replica import Replica
from shared.store.aggregates import Cause
from shared.store.port import Document


async def say(replica: Replica, document: Document, state: PeriodStatement, command: Asked) -> None:
    """Nothing where it is in another state by now, of another instant or of other tables. Raises as the store does."""

    def stands(found: Document) -> bool:
        now = STATEMENTS.read(found)
        return now is not None and _place_of(now) == _place_of(state)

    cause = Cause(derived_id(document["_id"], command.verb, text_of(state.as_of)))
    await replica.kernel.fire(STATEMENTS, document["_id"], command, cause, stands)


def _place_of(state: PeriodStatement) -> tuple[object, ...]:
    return state.status, state.as_of, state.counted
