"""What hangs on the last fact of an assignment or a match when it is put right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.matching.domain.assignments import Assignment
from services.matching.domain.matches import Match
from services.matching.store import ASSIGNMENTS, MATCHES
from services.matching.work.selection import Selection
from shared.cases.revisions import ACTED_ON, TAKE_BACK
from shared.errors import Refusal
from shared.programmes.sections.selection import SelectionSection
from shared.replica import Replica
from shared.web.acting import Call, Work
from shared.web.revising import revising


class PuttingRight:
    """The works of `correct-time` and `take-back`."""

    def __init__(self, replica: Replica, selection: Selection) -> None:
        self._kernel = replica.kernel
        self._selection = selection
        self.of_assignments: Mapping[str, Work] = revising(ASSIGNMENTS, replica.kernel, self._unless_applied_to)
        self.of_matches: Mapping[str, Work] = revising(MATCHES, replica.kernel, self._days_of_an_offer)

    async def _unless_applied_to(self, call: Call[Any], state: Assignment) -> None:
        """Raises Refusal `acted_on`: whoever applied to what was published waits for an answer."""
        if call.verb == TAKE_BACK and state.status == "published" and await self._selection.matches_of(call.id):
            raise Refusal(ACTED_ON, "somebody has applied; the assignment may be cancelled")

    async def _days_of_an_offer(self, _call: Call[Any], state: Match) -> int:
        """For how many days an offer may be answered. Raises TooEarly where the case's version has not arrived here."""
        _, assignment = await self._kernel.load(ASSIGNMENTS, state.parties.assignment)
        if assignment is None:
            raise Refusal("not_found", status=404)
        return self._selection.definition(assignment).section(SelectionSection).offers.expires_days
