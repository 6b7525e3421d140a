"""Facts: what a programme counts, as a pure function of the set of events (docs/kernel.md, section 8).

The plain reading of what the contracts declare; `deriving.py` has DuckDB read the same declarations for a rebuild.
As of T counts `known_from < T <= known_to`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Any, NamedTuple

from services.monitoring.domain.dates import local_date
from services.monitoring.domain.rows import FACT, EventRow, day_of
from shared.contracts.catalogue import CATALOGUE, Catalogue
from shared.contracts.corrections import Revises
from shared.contracts.facts import ITEM, DaysSince, FactField, Family, Length, Ordinal, Said, Subject, Tells

# Raised with any change of what the declarations mean here: a stored read model of another version is built anew.
RULES_VERSION = 4


class Fact(NamedTuple):
    """One countable thing. (`kind`, `subject`, `epoch`, `sequence`, `item`) is its id: the event that it stands on.

    Times as in `EventRow`; `local_day` and `local_year` in the office's time zone. `framed`: whether the case's opening
    said its frame. `values`: the family's fields in the order of `columns_of`.
    """

    kind: str
    subject: str
    epoch: int
    sequence: int
    item: int
    office: str | None
    programme: str | None
    programme_version: int | None
    happened_us: int
    local_day: int
    local_year: int
    framed: bool
    values: tuple[Any, ...]
    known_from: int
    known_to: int | None = None


def in_order(rows: Iterable[EventRow]) -> list[EventRow]:
    """One subject's events by (epoch, sequence), each once: of duplicates the one that was known first."""
    rows = list(rows)
    if all(row[2:4] < after[2:4] for row, after in pairwise(rows)):
        return rows
    first: dict[tuple[int, int], EventRow] = {}
    for row in rows:
        place = (row.epoch, row.sequence)
        if place not in first or row.known_ms < first[place].known_ms:
            first[place] = row
    return [first[place] for place in sorted(first)]


def facts_of(
    rows: Sequence[EventRow], zone_of: Callable[[EventRow], str], catalogue: Catalogue = CATALOGUE
) -> list[Fact]:
    """The facts that one subject's events (of one topic) tell, in the order of those events.

    `rows`: `in_order`. A fact of a case whose opening is not known yet (a completion before it) is not there; it
    comes with the opening.
    """
    if not rows or rows[0].topic not in catalogue.families:
        return []
    case = _Case(catalogue, catalogue.families[rows[0].topic], zone_of)
    for row in rows:
        case.take(row)
    return case.facts


class _Case:
    """What one subject's events so far say, and the facts that follow."""

    def __init__(self, catalogue: Catalogue, family: Family, zone_of: Callable[[EventRow], str]) -> None:
        self.facts: list[Fact] = []
        self._catalogue = catalogue
        self._family = family
        self._zone_of = zone_of
        self._frame: dict[str, Any] = {}
        self._before: dict[str, Any] = {}
        self._days: dict[str, int] = {}
        self._counts: dict[str, int] = {}
        self._open: list[tuple[int, frozenset[str]]] = []
        self._told: dict[int, _Telling] = {}
        self._known_ms = 0

    def take(self, row: EventRow) -> None:
        # The maximum over all events so far: the case is known when all that it stands on is.
        self._known_ms = max(self._known_ms, row.known_ms)
        body: Mapping[str, Any] = json.loads(row.told) if row.told else {}
        self._frame |= {name: body[name] for name in self._family.frame if name in body}
        if self._open:
            row = self._ending(row)
        if revises := self._catalogue.revises.get((row.topic, row.type)):
            self._revise(revises, row, body)
        elif told := self._catalogue.tells.get((row.topic, row.type), ()):
            self._told[row.sequence] = _Telling(row, body, dict(self._before), told)
            self._tell_all(row.sequence)
        # What a later event's dates are reckoned from, whether or not it stands for the whole case.
        self._before |= body

    def _ending(self, row: EventRow) -> EventRow:
        """Ends what the event takes back. What it tells anew counts at the office at which it counted before: the case
        may have moved since that happened."""
        still: list[tuple[int, frozenset[str]]] = []
        retells, office = (row.topic, row.type) in self._catalogue.retells, row.office
        for index, ended_by in self._open:
            if row.type in ended_by:
                fact = self.facts[index]
                if retells:
                    office = fact.office
                    self._retold(index, row)
                self.facts[index] = fact._replace(known_to=max(self._known_ms, fact.known_from))
            else:
                still.append((index, ended_by))
        self._open = still
        return row._replace(office=office)

    def _retold(self, fact: int, row: EventRow) -> None:
        """What the event tells anew goes with what was told first, wherever that is put right afterwards."""
        for sequence, telling in self._told.items():
            if fact in telling.facts:
                still = tuple(one for one in telling.tells if row.type not in one.ended_by)
                self._told[sequence] = telling._replace(tells=still, retold=row.sequence)

    def _revise(self, revises: Revises, row: EventRow, body: Mapping[str, Any]) -> None:
        """What the revised event told is known until now, and told anew where it is not taken back; so is what was told
        anew of it since."""
        fact: int | None = body[FACT]
        while fact is not None and (telling := self._told.get(fact)):
            self._revise_one(fact, telling, revises, row, body)
            fact = telling.retold if revises != "content" else None

    def _revise_one(
        self, fact: int, telling: _Telling, revises: Revises, row: EventRow, body: Mapping[str, Any]
    ) -> None:
        for index in telling.facts:
            told = self.facts[index]
            if told.known_to is None:
                self.facts[index] = told._replace(known_to=max(self._known_ms, told.known_from))
        self._open = [one for one in self._open if one[0] not in telling.facts]
        for kind in telling.counted:
            self._counts[kind] -= 1
        if revises == "existence":
            del self._told[fact]
            return
        when = row.happened_us if revises == "time" else telling.row.happened_us
        said = body if revises == "content" else telling.body
        place = telling.row._replace(epoch=row.epoch, sequence=row.sequence, happened_us=when)
        self._told[fact] = telling._replace(row=place, body=said)
        self._tell_all(fact)

    def _tell_all(self, fact: int) -> None:
        telling, first = self._told[fact], len(self.facts)
        counted = [tells.kind for tells in telling.tells if self._tell(tells, telling)]
        self._told[fact] = telling._replace(facts=range(first, len(self.facts)), counted=counted)

    def _tell(self, tells: Tells, telling: _Telling) -> bool:
        """Whether the event is one of the kind."""
        row, body = telling.row, telling.body
        family, count = self._family, self._counts.get(tells.kind, 0)
        # An event that lists no item tells nothing, and is none of its kind.
        items = body.get(tells.each, ()) if tells.each else ({},)
        if (tells.once and count) or self._frame.get(family.opened) is None or not items:
            return False
        self._counts[tells.kind] = count + 1
        day, year = local_date(row.happened_us, self._zone_of(row))
        # The last one: an earlier one of a kind that a case tells once was put right.
        self._days[tells.kind] = day
        for number, item in enumerate(items):
            said = _Told(row, {**body, **self._frame, ITEM: item}, telling.before, count + 1, day, self._days)
            values = tuple(value for one in family.fields for value in said.values(one, tells))
            if tells.ended_by:
                self._open.append((len(self.facts), tells.ended_by))
            place = (tells.kind, row.subject, row.epoch, row.sequence, number)
            scope = (row.office, row.programme, row.programme_version, row.happened_us, day, year)
            framed = self._frame.get(family.framed) is not None
            self.facts.append(Fact._make((*place, *scope, framed, values, self._known_ms, None)))
        return True


class _Telling(NamedTuple):
    """An event that told facts, in the version that stands: `row` says where and when, `body` what, `before` what the
    case had said before it. `facts`: their places; `counted`: the kinds that it is one of; `retold`: the sequence
    of the event that told some of it anew."""

    row: EventRow
    body: Mapping[str, Any]
    before: Mapping[str, Any]
    tells: Sequence[Tells]
    facts: range = range(0)
    counted: Sequence[str] = ()
    retold: int | None = None


class _Told(NamedTuple):
    """What the fields of one fact are looked up in. `body`: of the event, with the frame and the item."""

    row: EventRow
    body: Mapping[str, Any]
    before: Mapping[str, Any]
    ordinal: int
    day: int
    days: Mapping[str, int]

    def values(self, one: FactField, tells: Tells) -> tuple[Any, ...]:
        """The field's columns: one, of money two."""
        value = self._value(one, tells)
        if one.type == "money":
            return (None, None) if value is None else (value["amount"], value["currency"])
        return (day_of(date.fromisoformat(value)) if one.type == "date" and value is not None else value,)

    def _value(self, one: FactField, tells: Tells) -> Any:
        source = one.source
        if isinstance(source, Said):
            return next((found for path in source.paths if (found := at(self.body, path)) is not None), None)
        if isinstance(source, Subject):
            return self.row.subject
        if isinstance(source, Ordinal):
            return None if tells.once else self.ordinal
        if isinstance(source, DaysSince):
            return self._days_since(source) if tells.follows == source.kind else None
        return self._length(source)

    def _days_since(self, source: DaysSince) -> int | None:
        since, until = self.days.get(source.kind), self.before.get(source.until)
        if since is None:
            return None
        last = self.day if until is None else min(self.day, day_of(date.fromisoformat(until)) - 1)
        return max(last - since + 1, 0)

    def _length(self, source: Length) -> int | None:
        ends = self.body.get(source.ends)
        starts = self.body.get(source.starts) or self.before.get(source.ends)
        if ends is None or starts is None:
            return None
        return (date.fromisoformat(ends) - date.fromisoformat(starts)).days


def at(body: Mapping[str, Any], path: str) -> Any:
    """What stands at the path; None where a step of it is missing."""
    found: Any = body
    for step in path.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return found
