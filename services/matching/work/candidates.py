"""Whom an officer may put on an assignment's longlist: experts of the own office, by the score that they would have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.matching.domain.assessment import assess, attributes_on
from services.matching.domain.assignments import Assignment
from services.matching.domain.knowledge import consent_to_placement
from services.matching.store import ASSIGNMENTS, SHADOWS, returns_key
from services.matching.work.selection import Selection
from shared.programmes.scoring import rank_key
from shared.replica import Replica
from shared.store.port import Document
from shared.web.callers import Granted
from shared.web.suggesting import Suggested

# So many eligible experts of the programme are looked at, and so many of the best are shown; others are named by hand.
LOOKED_AT, SHOWN = 200, 20


class Candidates:
    """What the shortlist's form offers to choose from. It decides nothing: the act asks every rule again."""

    def __init__(self, replica: Replica, selection: Selection) -> None:
        self._store = replica.ports.store
        self._runtime = replica.ports.runtime
        self._selection = selection

    async def best(self, document: Document, _granted: Granted) -> tuple[Suggested, ...]:
        """Those who are eligible, of the assignment's office, consent, pass the hard filters and do not stand on it."""
        state = ASSIGNMENTS.read(document)
        if state is None or state.programme is None:
            return ()
        found = []
        for shadow in await self._store.find(SHADOWS.name, "pool", state.programme, limit=LOOKED_AT):
            expert, known = str(shadow["_id"]), shadow["knowledge"]["expert"]
            if known["office"] != state.office:
                continue
            if one := await self._suggested(document["_id"], state, expert, known):
                found.append(one)
        return tuple(one for _, one in sorted(found, key=lambda pair: pair[0])[:SHOWN])

    async def _suggested(
        self, assignment: str, state: Assignment, expert: str, known: Mapping[str, Any]
    ) -> tuple[Any, Suggested] | None:
        person = await self._selection.knowledge(known["person"])
        attributes = attributes_on(person.get("profile", {}).get("entries", ()), self._runtime.now().date())
        if attributes is None or consent_to_placement(person) != "stands":
            return None
        definition = self._selection.definition(state)
        returns = await self._store.count(SHADOWS.name, "returns", returns_key(known["person"], definition.code))
        assessed = assess(definition, state.terms, attributes, returns)
        if assessed.failed or (await self._selection.standing(assignment, expert))[1] is not None:
            return None
        said = (("occupation", attributes.occupation), ("experience_years", attributes.experience_years))
        told = (*said, ("score", assessed.score))
        return rank_key(assessed.score, expert), Suggested(expert, tuple(one for one in told if one[1] is not None))
