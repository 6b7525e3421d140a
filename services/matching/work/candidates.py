"""Of whom a shortlist is made: who stands on the longlist, and whom of the own office an officer may put there, by the
score that they have or would have."""

from __future__ import annotations

from bisect import insort
from typing import Any

from services.matching.domain.assessment import assess, attributes_on
from services.matching.domain.assignments import Assignment
from services.matching.domain.knowledge import consent_to_placement
from services.matching.domain.matches import Match
from services.matching.store import ASSIGNMENTS, SHADOWS, pool_key, returns_key
from services.matching.work.selection import Selection
from shared.contracts.registration.persons import Attributes
from shared.programmes.scoring import rank_key
from shared.replica import Replica
from shared.store.paging import every
from shared.store.port import Document
from shared.web.callers import Granted
from shared.web.suggesting import Suggested, Suggestions

# So many of the best are shown; others are named by hand. So many eligible experts of the office are looked at, some
# reads of the store each: where there are more, the form says so.
SHOWN, LOOKED_AT, LOOKED_AT_ONCE = 20, 2_000, 200
Ordered = tuple[tuple[int, str], Suggested]


class Candidates:
    """What the shortlist's form offers to choose from. It decides nothing: the act asks every rule again."""

    def __init__(self, replica: Replica, selection: Selection) -> None:
        self._store = replica.ports.store
        self._runtime = replica.ports.runtime
        self._selection = selection

    async def best(self, document: Document, _granted: Granted) -> Suggestions:
        """The longlist, and then those who are eligible, of the assignment's office, consent, pass the hard filters and
        do not stand on the assignment; the best of both first."""
        others, of_first = await self._others(document)
        return Suggestions((*await self._longlisted(document["_id"]), *others), of_first)

    async def _longlisted(self, assignment: str) -> tuple[Suggested, ...]:
        """Whoever applied or was named before: the act ranks them whether they are named again or not."""
        matches = [one for _, one in await self._selection.matches_of(assignment) if one.status == "longlisted"]
        ordered = sorted(matches, key=lambda one: rank_key(one.score or 0, one.parties.expert))
        return tuple([Suggested(one.parties.expert, await self._said(one), stands=True) for one in ordered])

    async def _said(self, match: Match) -> tuple[tuple[str, Any], ...]:
        person = await self._selection.knowledge(match.parties.person)
        attributes = attributes_on(person.get("profile", {}).get("entries", ()), self._runtime.now().date())
        return _told(attributes, match.score)

    async def _others(self, document: Document) -> tuple[tuple[Suggested, ...], int | None]:
        """The best, and of how many, where there were more than are looked at; no more than the best are held."""
        state = ASSIGNMENTS.read(document)
        if state is None or state.programme is None:
            return (), None
        best, looked = list[Ordered](), 0
        pool = pool_key(state.programme, state.office)
        async for shadow in every(self._store, SHADOWS.name, "pool", pool, at_once=LOOKED_AT_ONCE):
            if looked == LOOKED_AT:
                return tuple(one for _, one in best), LOOKED_AT
            looked += 1
            await self._weigh(document["_id"], state, shadow, best)
        return tuple(one for _, one in best), None

    async def _weigh(self, assignment: str, state: Assignment, shadow: Document, best: list[Ordered]) -> None:
        """Puts the expert into its place among the best, if it has one there."""
        expert, known = str(shadow["_id"]), shadow["knowledge"]["expert"]
        person = await self._selection.knowledge(known["person"])
        attributes = attributes_on(person.get("profile", {}).get("entries", ()), self._runtime.now().date())
        if attributes is None or consent_to_placement(person) != "stands":
            return
        definition = self._selection.definition(state)
        if assess(definition, state.terms, attributes, 0).failed:
            return
        returns = await self._store.count(SHADOWS.name, "returns", returns_key(known["person"], definition.code))
        assessed = assess(definition, state.terms, attributes, returns)
        key = rank_key(assessed.score, expert)
        if len(best) == SHOWN and key > best[-1][0]:
            return
        if (await self._selection.standing(assignment, expert))[1] is not None:
            return
        insort(best, (key, Suggested(expert, _told(attributes, assessed.score))), key=lambda one: one[0])
        del best[SHOWN:]


def _told(attributes: Attributes | None, score: int | None) -> tuple[tuple[str, Any], ...]:
    """By what a candidate is told from others, where it is known."""
    known = {"occupation": attributes.occupation, "experience_years": attributes.experience_years} if attributes else {}
    return tuple((name, value) for name, value in {**known, "score": score}.items() if value is not None)
