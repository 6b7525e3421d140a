"""From events to the rows that are queried: facts, joined with attributes, with their calendar day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from services.monitoring.domain.facts import (
    ASSIGNMENTS,
    EXPERTS,
    INSTITUTIONS,
    MATCHES,
    PLACEMENTS,
    Settled,
    facts_of,
    in_order,
    settled_terms,
)
from services.monitoring.domain.profiles import Entry, Version, local_date, versions_of
from services.monitoring.domain.rows import EventRow

# An open end as a number, so that one comparison serves; no append time reaches it.
NEVER_MS = 2**63 - 1
UTC_ZONE = "UTC"
FACT_TOPICS = frozenset({EXPERTS, INSTITUTIONS, ASSIGNMENTS, MATCHES, PLACEMENTS})
Zones = Mapping[tuple[str | None, str | None], str]
Groups = Sequence[Sequence[EventRow]]


class Known(NamedTuple):
    """What facts need beside their own subject's events: approved terms by assignment, timelines by person,
    time zones by (programme, office), with None for what belongs to no programme."""

    settled: Mapping[str, Settled]
    timelines: Mapping[str, Sequence[Entry]]
    zones: Zones


def by_subject(rows: Iterable[EventRow]) -> list[list[EventRow]]:
    """The rows of each (topic, subject), in their order and each once."""
    ordered = sorted(rows, key=_topic_and_subject)
    return [in_order(group) for _, group in groupby(ordered, key=_topic_and_subject)]


def _topic_and_subject(row: EventRow) -> tuple[str, str]:
    return row.topic, row.subject


def settled_of(groups: Groups) -> dict[str, Settled]:
    """The approved terms of each assignment among the groups."""
    found = {}
    for group in groups:
        if group[0].topic == ASSIGNMENTS and (settled := settled_terms(group)) is not None:
            found[group[0].subject] = settled
    return found


def persons_of(groups: Groups) -> set[str]:
    return {row.person for group in groups for row in group if row.person is not None}


def fact_rows(groups: Groups, known: Known) -> list[tuple[Any, ...]]:
    """Rows of the table `facts`; a function of the set of events alone. Each group: `by_subject`."""
    found: list[tuple[Any, ...]] = []
    for group in groups:
        for fact in facts_of(group, known.settled):
            entries = known.timelines.get(fact.person, ()) if fact.person is not None else ()
            zone = known.zones.get((fact.programme, fact.office)) or known.zones.get((None, fact.office), UTC_ZONE)
            date = local_date(fact.happened_us, zone)
            found.extend(_row(version, date) for version in versions_of(fact, entries, date[0]))
    return found


def _row(version: Version, date: tuple[int, int]) -> tuple[Any, ...]:
    fact, known_from, known_to, event, now = version
    until = NEVER_MS if known_to is None else known_to
    return (*fact[:-2], known_from, until, *date, *event, *now)
