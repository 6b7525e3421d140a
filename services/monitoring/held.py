"""What stands in the read model of the subjects and persons that a batch touches."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from services.monitoring.database import Connection
from services.monitoring.domain.derivation import by_subject
from services.monitoring.domain.profiles import PROFILE_COLUMNS, Entry, ProfileRow, timelines_of
from services.monitoring.domain.rows import EventRow
from services.monitoring.handlers import Batch, OfficeRow
from services.monitoring.schema import FAMILIES, TABLES, quoted
from services.monitoring.writing import among
from shared.messaging.topics import PERSONS

NOBODY: Mapping[str, list[ProfileRow]] = MappingProxyType({})
FACT_TOPICS = frozenset(family.topic for family in FAMILIES)
_TOPIC_LIST = ", ".join(f"'{topic}'" for topic in sorted(FACT_TOPICS))
# Few columns and plain filters: at a batch's size planning a statement costs more than running it.
_EVENTS = f"SELECT {quoted(EventRow._fields)} FROM events WHERE "  # noqa: S608
_CAUSED = f"SELECT subject FROM events WHERE topic IN ({_TOPIC_LIST}) AND "  # noqa: S608
_OFFICES = f"SELECT {quoted(TABLES['offices'])} FROM offices WHERE "  # noqa: S608
_PROFILES = f"SELECT {quoted(PROFILE_COLUMNS)} FROM profiles WHERE "  # noqa: S608
_ENTRIES = f"""
SELECT subject, entry, known_ms FROM events WHERE topic = '{PERSONS.name}' AND entry IS NOT NULL AND
"""  # noqa: S608


class Held(NamedTuple):
    """`events`: all that stand there of `subjects`, whose facts may differ now. `persons`: of whom the batch says
    something new; `profiles`: what stands there of them."""

    events: Sequence[EventRow] = ()
    subjects: frozenset[str] = frozenset()
    persons: frozenset[str] = frozenset()
    profiles: Mapping[str, list[ProfileRow]] = NOBODY

    @property
    def groups(self) -> list[list[EventRow]]:
        """The events that may tell facts, by subject."""
        return groups_of(self.events)


def groups_of(events: Iterable[EventRow]) -> list[list[EventRow]]:
    """Those of these events that may tell facts, by subject."""
    return by_subject(row for row in events if row.topic in FACT_TOPICS)


def nothing_of(batch: Batch) -> Held:
    """What stands of a batch's subjects in an empty model."""
    return Held(subjects=frozenset(row.subject for row in batch.events))


def held_of(connection: Connection, batch: Batch, offices: Collection[str]) -> Held:
    """What a batch touches by its own events, by its persons' profiles, and by the time zones of these offices."""
    persons = {row.subject for row in batch.events if row.type == "ProfileChanged"} | batch.profiles.keys()
    subjects = {row.subject for row in batch.events}
    for column, causes in (("person", persons), ("office", offices)):
        subjects.update(row[0] for row in _asked(connection, _CAUSED, column, causes))
    events = [EventRow._make(row) for row in _asked(connection, _EVENTS, "subject", subjects)]
    profiles = profiles_of(connection, batch.profiles.keys())
    return Held(events, frozenset(subjects), frozenset(persons), profiles)


def offices_of(connection: Connection, programmes: Collection[str]) -> dict[str, list[OfficeRow]]:
    """The offices that stand there of these programmes."""
    found: dict[str, list[OfficeRow]] = {}
    for row in _asked(connection, _OFFICES, "programme", programmes):
        found.setdefault(row[0], []).append(row)
    return found


def profiles_of(connection: Connection, persons: Collection[str]) -> dict[str, list[ProfileRow]]:
    """The entries that stand there of these persons."""
    found: dict[str, list[ProfileRow]] = {}
    for row in map(ProfileRow.of, _asked(connection, _PROFILES, "person", persons)):
        found.setdefault(row.person, []).append(row)
    return found


def timelines(
    connection: Connection,
    persons: Collection[str],
    profiles: Mapping[str, list[ProfileRow]] = NOBODY,
    told: Iterable[EventRow] = (),
    subjects: Collection[str] = (),
) -> dict[str, list[Entry]]:
    """What is known of each of these persons.

    What the caller has is not asked for: the profiles of some, and all events `told` by some subjects.
    """
    known = [(row.subject, row.entry, row.known_ms) for row in told if row.entry is not None]
    known += _asked(connection, _ENTRIES, "subject", [person for person in persons if person not in subjects])
    others = profiles_of(connection, [person for person in persons if person not in profiles])
    rows = [row for person in persons for row in profiles.get(person) or others.get(person) or ()]
    return timelines_of(rows, known)


def _asked(connection: Connection, query: str, column: str, ids: Collection[str]) -> list[Any]:
    """The rows in which the column is one of the ids; asked only where there are some."""
    if not ids:
        return []
    where, values = among(column, ids)
    return connection.execute(query + where, values).fetchall()
