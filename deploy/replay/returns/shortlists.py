"""Who stood on the shortlists, so that their order is that of the scores whatever the ids will be."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from deploy.replay.returns.assignments import Assignment
from deploy.replay.returns.hosts import HistoryImpossible
from deploy.replay.returns.model import Deliveries
from deploy.replay.returns.people import Expert, swap_professions
from shared.contracts.matching.assignments import Terms
from shared.programmes.model import Definition
from shared.programmes.scoring import NEWCOMER, Standing, score
from shared.programmes.sections.selection import SelectionSection

TRIES = 400


@dataclass(eq=False)
class Shortlists:
    """Completes shortlists with people who return nowhere, each from the request's own office."""

    deliveries: Deliveries
    definition: Definition
    rng: random.Random
    people: list[Expert]
    busy: Collection[int]
    listed: set[Expert] = field(default_factory=set)

    def spare(self, office: str) -> list[Expert]:
        """The eligible of the office who return nowhere and were not expected anywhere."""
        return [
            one for one in self.people if one.eligible and one.number not in self.busy and one.group.office == office
        ]

    def complete(self, assignments: list[Assignment]) -> None:
        """Decides which first of a list declined, and fills every list. Raises HistoryImpossible."""
        open_to_decline = [one for one in assignments if one.outcome in ("completed", "ended_early")]
        self.rng.shuffle(open_to_decline)
        # A return of which nothing else is told comes first.
        open_to_decline.sort(key=lambda one: bool(one.extensions or one.early))
        declined = 0
        for one in open_to_decline:
            if declined < self.deliveries.declined and self._listed(one, declined=True):
                declined += 1
        if declined < self.deliveries.declined:
            raise HistoryImpossible(f"only {declined} offers can be declined so that a reserve goes")
        for one in assignments:
            if not one.declined and not self._listed(one, declined=False):
                names = self.deliveries.shortlist.names
                raise HistoryImpossible(f"no shortlist of {names} in the office of {one.goes.name}")

    def empty_seat(self, assignment: Assignment) -> None:
        """A list of one where a reserve would follow, a whole one where the programme has no reserves."""
        reserve = self.definition.section(SelectionSection).seats.reserve
        if not reserve and not self._listed(assignment, declined=False):
            raise HistoryImpossible(f"no shortlist for an empty seat in {assignment.office}")

    def _listed(self, assignment: Assignment, *, declined: bool) -> bool:
        """Whether a list was found; then the assignment has it. People compete within their category where they can."""
        goes = assignment.listed[0]
        near = [one for one in self.spare(assignment.office) if one is not goes]
        alike = [one for one in near if one.group.category == goes.group.category]
        choices = [near] if len(alike) == len(near) else [alike, near]
        return any(self._listed_among(assignment, one, declined=declined) for one in choices)

    def _listed_among(self, assignment: Assignment, near: list[Expert], *, declined: bool) -> bool:
        goes, number = assignment.listed[0], self.deliveries.shortlist.names - 1
        firsts = self._of_sector(near, assignment.host.sector) if declined else [goes]
        for first, others in self._choices(assignment, firsts, near, number - declined):
            assignment.listed = [first, goes] if declined else [goes]
            assignment.listed += others
            assignment.base, assignment.declined = first.attributes, declined
            terms = assignment.terms()
            assignment.listed[len(assignment.listed) - len(others) :] = self._by_score(terms, others)
            if self._falling(assignment, goes):
                self.listed.update(assignment.listed)
                return True
        assignment.listed, assignment.base, assignment.declined = [goes], goes.attributes, False
        return False

    def _choices(
        self, assignment: Assignment, firsts: list[Expert], near: list[Expert], number: int
    ) -> Iterator[tuple[Expert, list[Expert]]]:
        """The first and the rest of a list: by chance; then, for each first, those who fit its terms worst."""
        if not firsts or len(near) < number + (firsts[0] in near):
            return
        for _ in range(TRIES):
            first = self.rng.choice(firsts)
            yield first, self.rng.sample([one for one in near if one is not first], number)
        # Whoever declines may be of another sector in the end: then the occupation brings them to the top.
        for first in (*firsts, *(near if firsts[0] in near else ())):
            assignment.base = first.attributes
            ranked = self._by_score(assignment.terms(), [one for one in near if one is not first])
            # One of each score: two of the same would have no order.
            worst = {score(self.definition, assignment.terms(), one.attributes)[0]: one for one in ranked}
            yield first, list(worst.values())[-number:]

    def _by_score(self, terms: Terms, people: list[Expert]) -> list[Expert]:
        return sorted(people, key=lambda one: -score(self.definition, terms, one.attributes)[0])

    def _of_sector(self, near: list[Expert], sector: str) -> list[Expert]:
        """Those of the sector; where there is none, one who takes that profession over from somebody elsewhere.

        Where nobody has it to give, anybody.
        """
        if found := [one for one in near if one.attributes.sector == sector]:
            return found
        free = [one for one in self.people if one.eligible and one.number not in self.busy and one not in self.listed]
        giving = [one for one in free if one.attributes.sector == sector]
        taking = [one for one in near if one not in self.listed]
        if not giving or not taking:
            return near
        swap_professions(taking[0], giving[0])
        return [taking[0]]

    def _falling(self, assignment: Assignment, goes: Expert) -> bool:
        """Whether the scores fall strictly, both before and after matching hears of earlier returns."""
        terms = assignment.terms()
        orders = []
        for known in (NEWCOMER, Standing(assignment.nth)):
            given = [known if one is goes else NEWCOMER for one in assignment.listed]
            pairs = zip(assignment.listed, given, strict=True)
            orders.append([score(self.definition, terms, one.attributes, facts)[0] for one, facts in pairs])
        return all(left > right for scores in orders for left, right in pairwise(scores))
