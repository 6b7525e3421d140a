"""What stands in the read model of the subjects and persons that a batch touches."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from services.monitoring.database import Connection
from services.monitoring.domain.derivation import by_subject
from services.monitoring.domain.profiles import PROFILE_COLUMNS, Entry, ProfileRow, timelines_of
from services.monitoring.domain.rows import EventRow
from services.monitoring.records import Batch
from services.monitoring.schema import FAMILIES, quoted
from services.monitoring.writing import among
from shared.messaging.topics import PERSONS

FACT_TOPICS = frozenset(family.topic for family in FAMILIES)
_TOPIC_LIST = ", ".join(f"'{topic}'" for topic in sorted(FACT_TOPICS))
# Few columns and plain filters: at a batch's size planning a statement costs more than running it.
_EVENTS = f"SELECT {quoted(EventRow._fields)} FROM events WHERE "  # noqa: S608
# None but the families' events name a person.
_NAMING = "SELECT subject FROM events WHERE "
_OF_FACTS = f"SELECT DISTINCT subject FROM events WHERE topic IN ({_TOPIC_LIST}) AND "  # noqa: S608
_PROFILES = f"SELECT {quoted(PROFILE_COLUMNS)} FROM profiles WHERE "  # noqa: S608
_ENTRIES = f"""
SELECT subject, entry, known_ms FROM events WHERE topic = '{PERSONS.name}' AND entry IS NOT NULL AND
"""  # noqa: S608


class Held(NamedTuple):
    """`events`: all that stand there of `subjects`, whose facts may differ now. `persons`: of whom the batch says
    something new."""

    events: Sequence[EventRow]
    subjects: Collection[str]
    persons: Collection[str]


def groups_of(events: Iterable[EventRow]) -> list[list[EventRow]]:
    """Those of these events that may tell facts, by subject."""
    return by_subject(row for row in events if row.topic in FACT_TOPICS)


def held_of(connection: Connection, batch: Batch, *, empty: bool) -> Held:
    """What a batch touches by its own events and by its persons' profiles.

    `empty`: nothing stands there, so that nothing is asked.
    """
    persons = {row.subject for row in batch.events if row.type == "ProfileChanged"} | batch.profiles.keys()
    subjects = {row.subject for row in batch.events}
    if empty:
        return Held((), subjects, persons)
    subjects.update(row[0] for row in asked(connection, _NAMING, "person", persons))
    return Held(events_of(connection, subjects), subjects, persons)


def subjects_of(connection: Connection, offices: Collection[str]) -> list[str]:
    """The subjects of facts of which an event names one of these offices."""
    return sorted({row[0] for row in asked(connection, _OF_FACTS, "office", offices)})


def events_of(connection: Connection, subjects: Collection[str]) -> list[EventRow]:
    """The events that stand there of these subjects."""
    return [EventRow._make(row) for row in asked(connection, _EVENTS, "subject", subjects)]


def profiles_of(connection: Connection, persons: Collection[str]) -> dict[str, list[ProfileRow]]:
    """The entries that stand there of these persons."""
    found: dict[str, list[ProfileRow]] = {}
    for row in map(ProfileRow.of, asked(connection, _PROFILES, "person", persons)):
        found.setdefault(row.person, []).append(row)
    return found


def timelines(
    connection: Connection,
    profiles: Iterable[list[ProfileRow]],
    told: Iterable[EventRow] = (),
    subjects: Collection[str] = (),
) -> dict[str, list[Entry]]:
    """What is known of the persons of these profiles. `told`: all events of `subjects`, which are not asked for."""
    rows = [row for entries in profiles for row in entries]
    known = [(row.subject, row.entry, row.known_ms) for row in told if row.entry is not None]
    known += asked(connection, _ENTRIES, "subject", {row.person for row in rows if row.person not in subjects})
    return timelines_of(rows, known)


def asked(connection: Connection, query: str, column: str, ids: Collection[str]) -> list[Any]:
    """The rows in which the column is one of the ids; asked only where there are some."""
    if not ids:
        return []
    where, values = among(column, ids)
    return connection.execute(query + where, values).fetchall()
