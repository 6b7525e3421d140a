"""The read model's tables: what one transaction writes, and what the facts are derived from. No decisions.

What a batch brings, the facts that follow and the positions are one transaction, so a crash between two batches
leaves nothing half done.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

import pyarrow as pa

from services.monitoring.database import Connection, Database
from services.monitoring.domain.derivation import (
    Groups,
    Known,
    Zones,
    by_subject,
    fact_rows,
    persons_of,
)
from services.monitoring.domain.profiles import PROFILE_COLUMNS, Entry, ProfileRow, timelines_of
from services.monitoring.domain.rows import EventRow
from services.monitoring.handlers import Batch, Mark, OfficeRow
from services.monitoring.schema import FACT_TABLES, FAMILIES, PERSONS_TABLES, TABLES, arrow, ddl, quoted
from shared.messaging.port import Position
from shared.messaging.topics import PERSONS, TOPICS
from shared.replica import shadows_collection
from shared.store.collection import Collection

# What monitoring decides itself (published tables, subscriptions) gets its collections with its features.
COLLECTIONS: tuple[Collection, ...] = ()
SHADOWS = shadows_collection({})
DIGESTED = ("events", "profiles", "offices", *FACT_TABLES, "unreadable")
FACT_TOPICS = frozenset(family.topic for family in FAMILIES)

_TOPIC_LIST = ", ".join(f"'{topic}'" for topic in sorted(FACT_TOPICS))
_KEPT_LIST = ", ".join(f"'{topic.name}'" for topic in TOPICS.values() if not topic.compacted)
_AMONG = "IN (SELECT unnest(?::VARCHAR[]))"
# Few columns and plain filters: at a batch's size planning a statement costs more than running it.
_OF_SUBJECTS = f"SELECT {quoted(EventRow._fields)} FROM events WHERE subject {_AMONG}"  # noqa: S608
_CAUSED = f"""
SELECT subject FROM events
WHERE topic IN ({_TOPIC_LIST}) AND list_has_any([person, programme, office], ?::VARCHAR[])
"""  # noqa: S608
_PROFILES = f"SELECT {quoted(PROFILE_COLUMNS)} FROM profiles WHERE person {_AMONG}"  # noqa: S608
_ENTRIES = f"""
SELECT subject, entry, known_ms FROM events
WHERE topic = '{PERSONS.name}' AND entry IS NOT NULL AND subject {_AMONG}
"""  # noqa: S608
# DuckDB reads a table in groups of this many rows; below one group there is nothing to leave out.
SORTED_ROWS = 122_880
_SORT = """
CREATE TEMP TABLE unsorted AS SELECT * FROM {table} WHERE known_from > ?;
DELETE FROM {table} WHERE known_from > ?;
INSERT INTO {table} SELECT * FROM unsorted ORDER BY kind, known_from;
DROP TABLE unsorted
"""
_mark_fields: Callable[[Mark], tuple[int, int, int]] = attrgetter("next_offset", "high_ms", "reached_ms")
_DIGEST = """
SELECT count(*), sum(md5_number_lower(line)::HUGEINT), sum(md5_number_upper(line)::HUGEINT)
FROM (SELECT concat_ws(chr(31), {columns}) AS line FROM {table} {kept})
"""


class ReadModel:
    """Events, facts and positions of one replica. Its writing methods are for one thread at a time.

    `path` None keeps it in memory. SettingsError where the file cannot be used.
    """

    def __init__(self, path: Path | None, *, threads: int = 2, memory_limit_mb: int = 1024) -> None:
        self.path = path
        self.database = Database(path, threads=threads, memory_limit_mb=memory_limit_mb)
        self.database.writer.execute(ddl())
        # How many cells the answers to questions had, by what was asked.
        self.cells_seen: dict[Any, int] = {}
        self._unsorted = 0
        self._sorted_to = -1
        # What stands in memory alone is new.
        self.marks = _marks(self.database.writer) if path else {}
        self.zones = _zones(self.database.writer) if path else {}

    def close(self) -> None:
        self.database.close()

    @property
    def empty(self) -> bool:
        """Whether nothing was read into it yet, so that nothing can stand there either."""
        return not any(mark.next_offset for mark in self.marks.values())

    def apply(self, batch: Batch) -> None:
        """One transaction: the batch's rows, the facts that they touch derived anew, the positions."""
        marks, empty = self.marks | batch.marks, self.empty
        with self.database.transaction() as connection:
            replace_older(connection, "offices", "programme", batch.offices, empty=empty)
            zones = _zones(connection) if batch.offices else self.zones
            held = [] if empty else _load(connection, batch, _changed_offices(self.zones, zones))
            fresh = _fresh(batch.events, held)
            insert(connection, "events", fresh)
            insert(connection, "unreadable", batch.unreadable)
            replace_older(connection, "profiles", "person", batch.profiles, empty=empty)
            remove_facts(connection, held)
            groups = by_subject(row for row in (*held, *fresh) if row.topic in FACT_TOPICS)
            persons = persons_of(groups)
            lines = _timelines_in(batch) if empty else timelines(connection, persons)
            written = write_facts(connection, groups, Known(lines, zones))
            save_marks(connection, marks)
        self.marks, self.zones = marks, zones
        self._unsorted += written
        if self._unsorted >= SORTED_ROWS:
            self.sort_facts()

    def sort_facts(self) -> None:
        """Puts the facts that came since the last time (at first: all) in the order of their kinds.

        A recount asks for one or two kinds and passes by what holds others, which is most of its time. What came
        late stays where it is: the order changes no answer.
        """
        with self.database.transaction() as connection:
            for statement in ";".join(_SORT.format(table=table) for table in FACT_TABLES).split(";"):
                connection.execute(statement, [self._sorted_to] * statement.count("?"))
            newest = [_newest(connection, table) for table in FACT_TABLES]
        self._unsorted, self._sorted_to = 0, max(newest)

    def reload_zones(self) -> None:
        """Reads the offices' time zones again after they were written outside of `apply`."""
        self.zones = _zones(self.database.writer)

    def digests(self) -> dict[str, str]:
        """A digest of each table that does not depend on the order of its rows.

        What could not be read on a compacted topic is left out: compaction may have removed it since.
        """
        with self.database.reader() as connection:
            return {table: _digest(connection, table) for table in DIGESTED}

    def counts(self) -> dict[str, int]:
        """How many events, facts and unreadable records there are."""
        with self.database.reader() as connection:
            counted = {
                table: int(connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])  # noqa: S608
                for table in ("events", "unreadable", *FACT_TABLES)
            }
        return {**counted, "facts": sum(counted[table] for table in FACT_TABLES)}


def insert(connection: Connection, table: str, rows: Sequence[Any]) -> None:
    """Adds the rows, which are in the order of the table's columns."""
    if rows:
        insert_arrow(connection, table, arrow(table, rows))


def insert_arrow(connection: Connection, table: str, incoming: Any) -> None:
    """Adds the rows of an Arrow table (`schema.arrow`), of which there are some."""
    # DuckDB finds the parameter by its name; to register it as a view would plan the statement twice.
    assert incoming.num_rows  # noqa: S101
    connection.execute(f"INSERT INTO {table} SELECT * FROM incoming")  # noqa: S608


def replace_older(
    connection: Connection,
    table: str,
    key: str,
    groups: Mapping[str, Sequence[ProfileRow]] | Mapping[str, Sequence[OfficeRow]],
    *,
    empty: bool = False,
) -> None:
    """Keeps, for each key, the rows of the record with the greatest (epoch, sequence). `empty`: none stands there."""
    held: dict[str, tuple[int, int]] = {}
    if groups and not empty:
        found = f"SELECT DISTINCT {key}, epoch, sequence FROM {table} WHERE {key} {_AMONG}"  # noqa: S608
        held = {name: tuple(place) for name, *place in connection.execute(found, [list(groups)]).fetchall()}
    newer = {name: rows for name, rows in groups.items() if name not in held or held[name] < tuple(rows[0][1:3])}
    if stale := [name for name in newer if name in held]:
        connection.execute(f"DELETE FROM {table} WHERE {key} {_AMONG}", [stale])  # noqa: S608
    fresh = [row for rows in newer.values() for row in rows]
    insert(connection, table, [row.flat() if isinstance(row, ProfileRow) else row for row in fresh])


def write_facts(connection: Connection, groups: Groups, known: Known) -> int:
    """Derives and adds the facts of these subjects; each group has all events of its subject, in order."""
    found = fact_rows(groups, known)
    insert_facts(connection, found)
    return sum(map(len, found.values()))


def insert_facts(connection: Connection, found: Mapping[str, Sequence[Any]]) -> None:
    """Adds the rows of families' tables, with the numbers of their persons."""
    places = {table: TABLES[table].index("person") for table in PERSONS_TABLES & found.keys()}
    persons = {table: [row[place] for row in found[table]] for table, place in places.items()}
    numbers = _numbers_of(connection, {person for named in persons.values() for person in named if person is not None})
    for table, rows in found.items():
        if not rows:
            continue
        incoming = arrow(table, rows)
        if table in persons:
            column = pa.array([numbers.get(person) for person in persons[table]], pa.int32())
            incoming = incoming.append_column("person_number", column)
        insert_arrow(connection, table, incoming)


def _numbers_of(connection: Connection, persons: set[str]) -> dict[str, int]:
    """The persons' numbers; who has none gets the next one."""
    if not persons:
        return {}
    asked = "SELECT person::VARCHAR, number FROM numbers WHERE person IN (SELECT unnest(?::UUID[]))"
    numbers: dict[str, int] = dict(connection.execute(asked, [sorted(persons)]).fetchall())
    if new := sorted(persons - numbers.keys()):
        given = numbering("SELECT unnest(?::UUID[])") + " RETURNING person::VARCHAR, number"
        numbers |= dict(connection.execute(given, [new]).fetchall())
    return numbers


def numbering(persons: str) -> str:
    """The statement that gives each person whom the query gives, and who has none, the next number."""
    new = f"(SELECT DISTINCT * FROM ({persons}) named(person)) ANTI JOIN numbers USING (person)"  # noqa: S608
    return f"INSERT INTO numbers SELECT person, (SELECT count(*) FROM numbers) + row_number() OVER () - 1 FROM {new}"  # noqa: S608


def remove_facts(connection: Connection, held: Iterable[EventRow]) -> None:
    """Removes the facts of the subjects of these events."""
    subjects: dict[str, set[str]] = {}
    for row in held:
        subjects.setdefault(row.topic, set()).add(row.subject)
    for family in FAMILIES:
        if family.topic in subjects:
            where = f'"{family.subject}" IN (SELECT unnest(?::UUID[]))'
            connection.execute(f"DELETE FROM {family.table} WHERE {where}", [sorted(subjects[family.topic])])  # noqa: S608


def _newest(connection: Connection, table: str) -> int:
    return int(connection.execute(f"SELECT coalesce(max(known_from), -1) FROM {table}").fetchall()[0][0])  # noqa: S608


def save_marks(connection: Connection, marks: dict[Position, Mark]) -> None:
    text = json.dumps([[*position, *_mark_fields(mark)] for position, mark in sorted(marks.items())])
    if connection.execute("UPDATE progress SET marks = ?", [text]).fetchall() == [(0,)]:
        connection.execute("INSERT INTO progress VALUES (?)", [text])


def _marks(connection: Connection) -> dict[Position, Mark]:
    rows = connection.execute("SELECT marks FROM progress").fetchall()
    return {(topic, number): Mark(*rest) for topic, number, *rest in (json.loads(rows[0][0]) if rows else ())}


def _zones(connection: Connection) -> Zones:
    """Time zones by programme and office, and by office alone for what belongs to no programme."""
    rows = connection.execute("SELECT programme, office, time_zone FROM offices ORDER BY programme, office").fetchall()
    zones: dict[tuple[str | None, str | None], str] = {}
    for programme, office, zone in rows:
        zones[(programme, office)] = zone
        zones.setdefault((None, office), zone)
    return zones


def _changed_offices(before: Zones, after: Zones) -> set[str]:
    if before is after:
        return set()
    return {office for key in before.keys() | after.keys() if before.get(key) != after.get(key) and (office := key[1])}


def _load(connection: Connection, batch: Batch, offices: set[str]) -> list[EventRow]:
    """The stored events of every subject whose facts may differ now: by its own events, its person's profile, its
    office's time zone."""
    subjects = {row.subject for row in batch.events}
    causes = offices | set(batch.profiles)
    causes.update(row.subject for row in batch.events if row.type == "ProfileChanged")
    if causes:
        subjects.update(row[0] for row in connection.execute(_CAUSED, [sorted(causes)]).fetchall())
    return _events_of(connection, subjects)


def _events_of(connection: Connection, subjects: set[str]) -> list[EventRow]:
    if not subjects:
        return []
    return [EventRow._make(row) for row in connection.execute(_OF_SUBJECTS, [sorted(subjects)]).fetchall()]


def _fresh(rows: Iterable[EventRow], held: Iterable[EventRow]) -> list[EventRow]:
    """The rows that are not held yet, each once."""
    seen = {row[:4] for row in held}
    fresh = []
    for row in rows:
        if row[:4] not in seen:
            seen.add(row[:4])
            fresh.append(row)
    return fresh


def timelines(connection: Connection, persons: set[str]) -> dict[str, list[Entry]]:
    """What is known of each of these persons."""
    if not persons:
        return {}
    asked = [sorted(persons)]
    known = connection.execute(_ENTRIES, asked).fetchall()
    return timelines_of(map(ProfileRow.of, connection.execute(_PROFILES, asked).fetchall()), known)


def _timelines_in(batch: Batch) -> dict[str, list[Entry]]:
    """What the batch alone says of its persons."""
    told = (row for row in batch.events if row.topic == PERSONS.name and row.entry is not None)
    known = [(row.subject, row.entry or "", row.known_ms) for row in told]
    return timelines_of((row for rows in batch.profiles.values() for row in rows), known)


def _digest(connection: Connection, table: str) -> str:
    columns = ", ".join(f'coalesce("{column}"::VARCHAR, chr(0))' for column in TABLES[table])
    kept = f"WHERE topic IN ({_KEPT_LIST})" if table == "unreadable" else ""
    count, lower, upper = connection.execute(_DIGEST.format(columns=columns, table=table, kept=kept)).fetchall()[0]
    return hashlib.sha256(f"{table}:{count}:{lower}:{upper}".encode()).hexdigest()
