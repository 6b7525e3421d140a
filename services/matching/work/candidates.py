"""Of whom a shortlist is made: who stands on the longlist, and whom of the own office an officer may put there, by the
score that they have or would have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.matching.domain.assessment import assess, attributes_on
from services.matching.domain.assignments import Assignment
from services.matching.domain.knowledge import consent_to_placement
from services.matching.domain.matches import Match
from services.matching.store import ASSIGNMENTS, SHADOWS, returns_key
from services.matching.work.selection import Selection
from shared.contracts.registration.persons import Attributes
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
        """The longlist, and then those who are eligible, of the assignment's office, consent, pass the hard filters and
        do not stand on the assignment; the best of both first."""
        return (*await self._longlisted(document["_id"]), *await self._others(document))

    async def _longlisted(self, assignment: str) -> tuple[Suggested, ...]:
        """Whoever applied or was named before: the act ranks them whether they are named again or not."""
        matches = [one for _, one in await self._selection.matches_of(assignment) if one.status == "longlisted"]
        ordered = sorted(matches, key=lambda one: rank_key(one.score or 0, one.parties.expert))
        return tuple([Suggested(one.parties.expert, await self._said(one), stands=True) for one in ordered])

    async def _said(self, match: Match) -> tuple[tuple[str, Any], ...]:
        person = await self._selection.knowledge(match.parties.person)
        attributes = attributes_on(person.get("profile", {}).get("entries", ()), self._runtime.now().date())
        return _told(attributes, match.score)

    async def _others(self, document: Document) -> tuple[Suggested, ...]:
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
        return rank_key(assessed.score, expert), Suggested(expert, _told(attributes, assessed.score))


def _told(attributes: Attributes | None, score: int | None) -> tuple[tuple[str, Any], ...]:
    """By what a candidate is told from others, where it is known."""
    known = {"occupation": attributes.occupation, "experience_years": attributes.experience_years} if attributes else {}
    return tuple((name, value) for name, value in {**known, "score": score}.items() if value is not None)
