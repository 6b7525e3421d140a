"""When and where the returns of a chapter took place, and what became of every request."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from deploy.replay.returns.assignments import Assignment, Outcome
from deploy.replay.returns.hosts import HistoryImpossible, Host, Place, Receiving, receiving
from deploy.replay.returns.model import Deliveries, NoShows, Placed, Population, Returns
from deploy.replay.returns.people import Expert, corrected, drawn, registered, withdrawing
from deploy.replay.returns.shortlists import Shortlists
from shared.contracts.matching.assignments import Modality
from shared.programmes.eligibility import failed_criteria
from shared.programmes.model import Definition

TRIES = 400


@dataclass(eq=False)
class Schedule:
    people: list[Expert]
    hosts: list[Host]
    assignments: list[Assignment]


def scheduled(chapter: Returns, definition: Definition, seed: int) -> Schedule:
    """Everything that happened, drawn from the seed. Raises HistoryImpossible."""
    rng = random.Random(seed)
    people = registered(chapter.population)
    slots = _slots(chapter.deliveries, rng)
    going, absent = _goers(chapter.deliveries, rng, people)
    busy = {one.number for one in (*going, *(one for one, _ in absent))}
    drawn(chapter.population, rng, busy, people)
    times = Counter({one: number for one, (number, _) in going.items()})
    hosts = receiving(chapter, rng, people, {one: place for one, (_, place) in going.items()}, times)
    plan = _Plan(chapter, rng, people, hosts)
    dated = _dated(times, slots, rng, chapter.deliveries.apart_days)
    assignments = [plan.carried_out(one, going[one][1], day, nth) for one, nth, day in dated]
    _told_apart(chapter.deliveries, rng, assignments)
    assignments += [plan.not_begun(one, line, rng.choice(slots)) for one, line in absent]
    lists = Shortlists(chapter.deliveries, definition, rng, people, busy)
    lists.complete(assignments)
    assignments += plan.unfilled(slots, lists)
    corrected(chapter.population.corrections, rng, {one.number for one in going}, people)
    _still_eligible(definition, people)
    withdrawing(chapter.population, rng, busy, people)
    _all_chosen(chapter.population, people)
    assignments.sort(key=lambda one: (one.starts_on, one.office))
    for number, assignment in enumerate(assignments, 1):
        assignment.name = f"assignment-{number:04d}"
    return Schedule(people, hosts.hosts, assignments)


def _slots(deliveries: Deliveries, rng: random.Random) -> list[date]:
    """The day on which each return begins, ascending; each window holds as many as stated."""
    days = [
        window.starts + timedelta(days=rng.randrange((window.ends - window.starts).days))
        for window in deliveries.starts
        for _ in range(window.returns)
    ]
    return sorted(days)


Going = Mapping[Expert, tuple[int, Place]]
Absent = list[tuple[Expert, NoShows]]


def _goers(deliveries: Deliveries, rng: random.Random, people: list[Expert]) -> tuple[Going, Absent]:
    """Who returns how often and where, and who was expected and did not come."""
    free: dict[tuple[str, str], list[Expert]] = defaultdict(list)
    for one in people:
        free[(one.group.office, one.sex)].append(one)
    for group in free.values():
        rng.shuffle(group)

    def taken(line: Placed | NoShows) -> Expert:
        among = free[(line.office, line.sex)]
        found = next(one for one in reversed(among) if line.group in (None, one.group.code))
        among.remove(found)
        return found

    going: dict[Expert, tuple[int, Place]] = {}
    absent: Absent = []
    # Lines that name a group come first: no other line may use up its people.
    lines: list[Placed | NoShows] = [*deliveries.placed, *deliveries.absent]
    for line in sorted(lines, key=lambda one: one.group is None):
        if isinstance(line, Placed):
            for times, persons in enumerate(line.persons_by_returns, 1):
                going |= {taken(line): (times, line.place) for _ in range(persons)}
        else:
            absent += [(taken(line), line) for _ in range(line.persons)]
    return going, absent


def _dated(
    times: Mapping[Expert, int], slots: list[date], rng: random.Random, apart: int
) -> list[tuple[Expert, int, date]]:
    """Gives every return of every person a day, those who return most often first. Raises HistoryImpossible."""
    left = list(slots)
    dated: list[tuple[Expert, int, date]] = []
    for expert, number in sorted(times.items(), key=lambda item: (-item[1], item[0].number)):
        days = next((days for days in _draws(left, number, rng, apart) if _far_enough(days, apart)), None)
        if days is None:
            raise HistoryImpossible(f"no room for {number} returns of one person, {apart} days apart")
        for nth, day in enumerate(days):
            left.remove(day)
            dated.append((expert, nth, day))
    return sorted(dated, key=lambda item: (item[2], item[0].number))


def _draws(left: list[date], number: int, rng: random.Random, apart: int) -> Iterator[list[date]]:
    """Days by chance, then the earliest that lie far enough apart."""
    for _ in range(TRIES):
        yield sorted(rng.sample(left, number))
    days = [left[0]]
    for day in left:
        if len(days) < number and (day - days[-1]).days >= apart:
            days.append(day)
    if len(days) == number:
        yield days


def _far_enough(days: list[date], apart: int) -> bool:
    return all((later - earlier).days >= apart for earlier, later in pairwise(days))


def _told_apart(deliveries: Deliveries, rng: random.Random, assignments: list[Assignment]) -> None:
    """Which returns were extended or ended early (none is both), and in which form people returned."""
    marked = rng.sample(assignments, len(assignments))
    for extension in deliveries.extended:
        for _ in range(extension.returns):
            marked.pop().extensions = (extension.days,) * extension.times
    for early in deliveries.ended_early:
        for _ in range(early.returns):
            one = marked.pop()
            one.outcome, one.early = "ended_early", early
    forms: list[Modality] = [form for form, number in deliveries.modalities.items() for _ in range(number)]
    # A repeated return follows an earlier one as long as there are such.
    forms.sort(key=lambda one: one == "repeated")
    shuffled = rng.sample(assignments, len(assignments))
    for one, form in zip(sorted(shuffled, key=lambda one: one.nth > 0), forms, strict=bool(forms)):
        one.modality = form


def _all_chosen(population: Population, people: list[Expert]) -> None:
    """As many were corrected and took a consent back as the file says."""
    if sum(one.first_said is not None for one in people) < sum(one.persons for one in population.corrections):
        raise HistoryImpossible("too few persons are left of whom something else can have been said first")
    if sum(bool(one.withdraws) for one in people) < sum(one.persons for one in population.withdrawn):
        raise HistoryImpossible("too few persons are left who can take a consent back")


def _still_eligible(definition: Definition, people: list[Expert]) -> None:
    """What was said first must not have kept anybody out."""
    for one in people:
        if one.first_said and failed_criteria(definition, one.first_said, definition.dates.starts):
            raise HistoryImpossible("what was first said of a person would have made the person ineligible")


@dataclass(eq=False)
class _Plan:
    chapter: Returns
    rng: random.Random
    people: list[Expert]
    hosts: Receiving

    def carried_out(self, expert: Expert, place: Place, day: date, nth: int) -> Assignment:
        host = self.hosts.for_return(place, expert.attributes.sector)
        return self._assignment(expert, host, "completed", day, nth)

    def not_begun(self, expert: Expert, line: NoShows, day: date) -> Assignment:
        host = self.hosts.any(line.place, expert.attributes.sector)
        cancelled = line in self.chapter.deliveries.cancelled
        one = self._assignment(expert, host, "cancelled" if cancelled else "no_show", day)
        one.contracted, one.reason = getattr(line, "contracted", True), getattr(line, "reason", "")
        return one

    def unfilled(self, slots: list[date], lists: Shortlists) -> Iterator[Assignment]:
        for line in self.chapter.deliveries.unfilled:
            for _ in range(line.requests):
                expert = self.rng.choice(lists.spare(line.office))
                host = self.hosts.any(line.place, expert.attributes.sector)
                one = self._assignment(expert, host, "unfilled", self.rng.choice(slots))
                one.reached = line.reached
                if line.reached == "declined":
                    lists.empty_seat(one)
                else:
                    one.listed = []
                yield one

    def _assignment(self, expert: Expert, host: Host, outcome: Outcome, day: date, nth: int = 0) -> Assignment:
        duration = self.chapter.deliveries.duration_days
        ends = day + timedelta(days=self.rng.randint(duration.least, duration.most))
        form = self.chapter.deliveries.first_modality
        return Assignment(host.place, outcome, day, ends, expert.attributes, host, form, [expert], nth)
