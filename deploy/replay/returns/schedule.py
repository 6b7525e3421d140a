"""When and where the returns of a history took place, who stood on the shortlists, and with which hosts."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import Literal

from deploy.replay.history import History
from deploy.replay.returns.checks import SHORTLISTED
from deploy.replay.returns.people import Expert, drawn, registered
from shared.contracts.matching import Terms
from shared.contracts.registration import Attributes, LanguageSkill
from shared.errors import SankofaError
from shared.programmes.eligibility import level_rank
from shared.programmes.model import Definition
from shared.programmes.scoring import NEWCOMER, Standing, score

Outcome = Literal["completed", "ended_early", "no_show", "unfilled"]
# A placed person needs time at home between two returns, and the next one needs its lead time.
APART_DAYS = 180
TRIES = 400
NOWHERE = "00000000-0000-5000-8000-000000000000"


class HistoryImpossible(SankofaError):
    """No expansion meets the file's marginals; the message says which part cannot be met."""


@dataclass(eq=False)
class Host:
    """A generated host institution."""

    name: str
    office: str
    country: str
    sector: str
    host_type: str
    number: int


@dataclass(eq=False)
class Assignment:
    """One request and what became of it. `listed`: the shortlist in its order; the first `declined` or went."""

    office: str
    outcome: Outcome
    starts_on: date
    ends_on: date
    base: Attributes
    host: Host
    listed: list[Expert] = field(default_factory=list)
    declined: bool = False
    extended_days: int = 0
    reached: str = "filled"
    name: str = ""

    @property
    def goes(self) -> Expert:
        return self.listed[1 if self.declined else 0]

    def terms(self) -> Terms:
        """Written for the first of the shortlist, and low enough for the other two; the host's id comes later."""
        people = [one.attributes for one in self.listed] or [self.base]
        english = min((skill for one in people for skill in one.languages if skill.language == "en"), key=_rank)
        return Terms(
            institution=NOWHERE,
            country=self.host.country,
            sector=self.host.sector,
            host_type=self.host.host_type,
            occupation=self.base.occupation or "0",
            starts_on=self.starts_on,
            ends_on=self.ends_on,
            education=min(one.education or 0 for one in people),
            experience_years=min(one.experience_years or 0 for one in people),
            languages=(english,),
        )


@dataclass(eq=False)
class Schedule:
    people: list[Expert]
    hosts: list[Host]
    assignments: list[Assignment]


def scheduled(history: History, definition: Definition) -> Schedule:
    """Everything that happened, drawn from the seed. Raises HistoryImpossible."""
    rng = random.Random(history.seed)
    people = registered(history)
    slots = _slots(history, rng)
    going, absent = _goers(history, rng, people)
    drawn(history, rng, [one.number for one in (*going, *absent)], people)
    hosts = _hosts(history)
    plan = _Plan(history, definition, rng, people, hosts, busy={one.number for one in (*going, *absent)})
    assignments = [plan.carried_out(expert, day, nth) for expert, nth, day in _dated(going, slots, rng)]
    _marked(history, rng, assignments)
    assignments += [plan.not_begun(one, rng.choice(slots)) for one in absent]
    for assignment in assignments:
        plan.shortlist(assignment)
    assignments += [
        plan.unfilled(one.office, one.reached, rng.choice(slots))
        for one in history.deliveries.unfilled
        for _ in range(one.requests)
    ]
    assignments.sort(key=lambda one: (one.starts_on, one.office))
    for number, assignment in enumerate(assignments, 1):
        assignment.name = f"assignment-{number:04d}"
    return Schedule(people, hosts, assignments)


def _rank(skill: LanguageSkill) -> int:
    return level_rank(skill.level)


def _slots(history: History, rng: random.Random) -> list[date]:
    """The day on which each return begins, ascending; each window holds as many as stated."""
    days = [
        window.starts + timedelta(days=rng.randrange((window.ends - window.starts).days))
        for window in history.deliveries.starts
        for _ in range(window.returns)
    ]
    return sorted(days)


def _goers(history: History, rng: random.Random, people: list[Expert]) -> tuple[dict[Expert, int], list[Expert]]:
    """Who returns how often, and who was contracted and did not come."""
    free: dict[tuple[str, str], list[Expert]] = defaultdict(list)
    for one in people:
        free[(one.group.office, one.sex)].append(one)
    for group in free.values():
        rng.shuffle(group)
    going = {
        free[(placed.office, placed.sex)].pop(): times
        for placed in history.deliveries.placed
        for times, persons in enumerate(placed.persons_by_returns, 1)
        for _ in range(persons)
    }
    absent = [free[(one.office, one.sex)].pop() for one in history.deliveries.no_shows for _ in range(one.persons)]
    return going, absent


def _dated(going: dict[Expert, int], slots: list[date], rng: random.Random) -> list[tuple[Expert, int, date]]:
    """Gives every return of every person a day, those who return most often first. Raises HistoryImpossible."""
    left = list(slots)
    dated: list[tuple[Expert, int, date]] = []
    for expert, times in sorted(going.items(), key=lambda item: (-item[1], item[0].number)):
        for _ in range(TRIES):
            days = sorted(rng.sample(left, times))
            if all((later - earlier).days >= APART_DAYS for earlier, later in pairwise(days)):
                break
        else:
            raise HistoryImpossible(f"no room for {times} returns of one person, {APART_DAYS} days apart")
        for nth, day in enumerate(days):
            left.remove(day)
            dated.append((expert, nth, day))
    return sorted(dated, key=lambda item: (item[2], item[0].number))


def _hosts(history: History) -> list[Host]:
    hosts: list[Host] = []
    for one in history.hosts:
        for sector, number in one.number_by_sector.items():
            for count in range(1, number + 1):
                kind = history.host_types[len(hosts) % len(history.host_types)]
                name = f"institution-{len(hosts) + 1:03d}"
                hosts.append(Host(name, one.office, one.country, sector, kind, count))
    return hosts


def _marked(history: History, rng: random.Random, assignments: list[Assignment]) -> None:
    """Which returns were extended, ended early or went to the reserve; no return is two of these."""
    deliveries = history.deliveries
    marked = rng.sample(assignments, deliveries.extended.returns + deliveries.ended_early + deliveries.declined)
    for one in marked[: deliveries.extended.returns]:
        one.extended_days = deliveries.extended.days
    for one in marked[deliveries.extended.returns :][: deliveries.ended_early]:
        one.outcome = "ended_early"
    for one in marked[deliveries.extended.returns + deliveries.ended_early :]:
        one.declined = True


@dataclass(eq=False)
class _Plan:
    history: History
    definition: Definition
    rng: random.Random
    people: list[Expert]
    hosts: list[Host]
    busy: set[int]
    standings: dict[int, Standing] = field(default_factory=dict)

    def carried_out(self, expert: Expert, day: date, nth: int) -> Assignment:
        assignment = self._assignment(expert, "completed", day)
        self.standings[id(assignment)] = Standing(nth)
        return assignment

    def not_begun(self, expert: Expert, day: date) -> Assignment:
        return self._assignment(expert, "no_show", day)

    def unfilled(self, office: str, reached: str, day: date) -> Assignment:
        expert = self.rng.choice([one for one in self.people if one.eligible and one.group.office == office])
        assignment = self._assignment(expert, "unfilled", day)
        assignment.listed = []
        assignment.reached = reached
        return assignment

    def _assignment(self, expert: Expert, outcome: Outcome, day: date) -> Assignment:
        base = expert.attributes
        office = expert.group.office
        hosts = [one for one in self.hosts if one.office == office and one.sector == base.sector]
        duration = self.history.deliveries.duration_days
        ends = day + timedelta(days=self.rng.randint(duration.least, duration.most))
        return Assignment(office, outcome, day, ends, base, self.rng.choice(hosts), [expert])

    def shortlist(self, assignment: Assignment) -> None:
        """Completes the shortlist so that its order is that of the scores, whatever the ids will be."""
        goes = assignment.listed[0]
        standing = self.standings.get(id(assignment), NEWCOMER)
        pool = [one for one in self.people if one.eligible and one.number not in self.busy]
        near = [one for one in pool if one.group.office == goes.group.office]
        for _ in range(TRIES if len(near) >= SHORTLISTED - 1 else 0):
            others = self.rng.sample(near, SHORTLISTED - 1)
            assignment.listed = [others[0], goes, others[1]] if assignment.declined else [goes, *others]
            assignment.base = assignment.listed[0].attributes
            fits = assignment.base.sector == assignment.host.sector
            if fits and self._falling(assignment, goes, standing):
                return
        raise HistoryImpossible(f"no shortlist of {SHORTLISTED} in the office of {goes.name}")

    def _falling(self, assignment: Assignment, goes: Expert, standing: Standing) -> bool:
        """Whether the scores fall strictly, both before and after matching hears of earlier returns."""
        terms = assignment.terms()
        orders = []
        for known in (NEWCOMER, standing):
            given = [known if one is goes else NEWCOMER for one in assignment.listed]
            pairs = zip(assignment.listed, given, strict=True)
            orders.append([score(self.definition, terms, one.attributes, facts)[0] for one, facts in pairs])
        return all(left > right for scores in orders for left, right in pairwise(scores))
