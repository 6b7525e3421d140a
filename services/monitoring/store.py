"""The read model's tables: what one transaction writes, and what the facts are derived from. No decisions.

What a batch brings, the facts that follow and the positions are one transaction, so a crash between two batches
leaves nothing half done.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

from services.monitoring.database import ROW_GROUP, Connection, Database
from services.monitoring.domain import series as statement_series
from services.monitoring.domain.changes import Change, change_of
from services.monitoring.domain.derivation import Known, Rows, persons_of, zone_of
from services.monitoring.domain.rows import EventRow
from services.monitoring.domain.series import Series
from services.monitoring.domain.statements import STATEMENT, PeriodStatement
from services.monitoring.domain.subscriptions import SUBSCRIPTION, Subscription
from services.monitoring.domain.zones import OfficeRow, Zones, zones_of
from services.monitoring.held import events_of, groups_of, held_of, profiles_of, subjects_of, timelines
from services.monitoring.records import Batch, Mark, Publication
from services.monitoring.schema import FACT_TABLES, FAMILIES, TABLES, ddl, quoted
from services.monitoring.writing import insert_all, remove
from shared.messaging.port import Position
from shared.messaging.topics import TOPICS
from shared.replica import shadows_collection
from shared.store.aggregates import Aggregate
from shared.store.collection import Collection
from shared.store.relations import by_opening, collection_of, indexes_of

T = TypeVar("T", bound=tuple[Any, ...])
STATEMENTS: Aggregate[PeriodStatement] = Aggregate.of(STATEMENT, collection_of(STATEMENT))
SERIES: Aggregate[Series] = Aggregate.of(statement_series.SERIES, Collection(statement_series.SERIES.name))
# What was counted and what was issued, each under its digest.
COUNTED, ISSUED = Collection("counted"), Collection("issued")
# An evaluator's subscription is kept by the account that made it.
KEEPER = "keeper"
SUBSCRIPTIONS: Aggregate[Subscription] = Aggregate.of(
    SUBSCRIPTION,
    Collection(
        SUBSCRIPTION.name,
        indexes_of(
            SUBSCRIPTION, by_opening, assigned=lambda d: [d["private"][KEEPER]] if KEEPER in d["private"] else []
        ),
    ),
)
# Of each subscription how far its messages have come, under its id.
DELIVERIES = Collection("deliveries")
COLLECTIONS: tuple[Collection, ...] = (
    STATEMENTS.collection,
    SERIES.collection,
    COUNTED,
    ISSUED,
    SUBSCRIPTIONS.collection,
    DELIVERIES,
)
SHADOWS = shadows_collection({})
# Cases whose time zone is another one than before, at once.
MOVED_AT_ONCE = 2_000
DIGESTED = ("events", "profiles", "offices", *FACT_TABLES, "unreadable")

_KEPT_LIST = ", ".join(f"'{topic.name}'" for topic in TOPICS.values() if not topic.compacted)
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
        self.zones = _zones(self.database.writer) if path else Zones()

    def close(self) -> None:
        self.database.close()

    def recover(self) -> None:
        """Opens the file anew where an error made it useless, as a checkpoint that finds no room does.

        What was committed stands in it. While it cannot be opened readers are refused, and the next call tries again.
        """
        if self.database.usable() or not self.database.reopened():
            return
        self.marks, self.zones = _marks(self.database.writer), _zones(self.database.writer)
        self._unsorted, self._sorted_to = 0, -1

    @property
    def empty(self) -> bool:
        """Whether nothing was read into it yet, so that nothing can stand there either."""
        return not any(mark.next_offset for mark in self.marks.values())

    def apply(self, batch: Batch) -> None:
        """One transaction: the batch's rows, the facts that they touch derived anew, the positions."""
        marks, empty = self.marks | batch.marks, self.empty
        with self.database.transaction() as connection:
            zones = add_offices(connection, batch.offices) if batch.offices else self.zones
            held = held_of(connection, batch, empty=empty)
            fresh = _fresh(batch.events, held.events)
            told = [*held.events, *fresh]
            groups = groups_of(told)
            stood = {} if empty else profiles_of(connection, persons_of(groups) | batch.profiles.keys())
            newer = _newer(batch.profiles, stood)
            lines = timelines(connection, (stood | newer).values(), told, held.subjects)
            change = change_of(groups_of(held.events), groups, Known(lines, zones), held.persons)
            remove(connection, "profiles", "person", newer.keys() & stood.keys())
            remove_facts(connection, change)
            profiles = [row.flat() for rows in newer.values() for row in rows]
            added: Rows = {"events": [*fresh], "unreadable": [*batch.unreadable], "profiles": profiles, **change.rows}
            insert_all(connection, added)
            if not empty:
                move_days(connection, self.zones, zones)
            save_marks(connection, marks)
        self.marks, self.zones = marks, zones
        self._unsorted += sum(map(len, change.rows.values()))
        # Below one group of rows there is nothing for a recount to leave out.
        if self._unsorted >= ROW_GROUP:
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


def add_offices(connection: Connection, found: Mapping[Publication, list[OfficeRow]]) -> Zones:
    """Adds the offices of versions that do not stand there yet; all time zones then."""
    stood = set(connection.execute("SELECT DISTINCT programme, epoch, sequence FROM offices").fetchall())
    insert_all(connection, {"offices": [row for key, rows in found.items() if key not in stood for row in rows]})
    return _zones(connection)


def move_days(connection: Connection, before: Zones, zones: Zones) -> None:
    """Derives the facts of the cases anew whose time zone is another one than before, some at a time: an office that
    one more programme has may be that of every case there is."""
    subjects = subjects_of(connection, before.moved_by(zones))
    for start in range(0, len(subjects), MOVED_AT_ONCE):
        told = groups_of(events_of(connection, subjects[start : start + MOVED_AT_ONCE]))
        groups = [group for group in told if any(zone_of(before, row) != zone_of(zones, row) for row in group)]
        lines = timelines(connection, profiles_of(connection, persons_of(groups)).values())
        change = change_of(groups, groups, Known(lines, zones), None)
        remove_facts(connection, change)
        insert_all(connection, change.rows)


def _newer(groups: Mapping[str, list[T]], stood: Mapping[str, list[T]]) -> dict[str, list[T]]:
    """Those of the records, as their rows by key, whose (epoch, sequence) is greater than what stands there."""
    return {key: rows for key, rows in groups.items() if key not in stood or stood[key][0][1:3] < rows[0][1:3]}


def remove_facts(connection: Connection, change: Change) -> None:
    """Removes the facts of the subjects whose facts are written anew."""
    for family in FAMILIES:
        remove(connection, family.table, family.subject, change.stale.get(family.topic, ()), "UUID")


def _newest(connection: Connection, table: str) -> int:
    return int(connection.execute(f"SELECT coalesce(max(known_from), -1) FROM {table}").fetchall()[0][0])  # noqa: S608


def save_marks(connection: Connection, marks: dict[Position, Mark]) -> None:
    """Deleted and inserted: after an UPDATE that any reader began before, DuckDB makes no checkpoint while that reader
    reads, and with one reader after the other the file beside it would grow without end."""
    text = json.dumps([[*position, *_mark_fields(mark)] for position, mark in sorted(marks.items())])
    connection.execute("DELETE FROM progress")
    connection.execute("INSERT INTO progress VALUES (?)", [text])


def _marks(connection: Connection) -> dict[Position, Mark]:
    rows = connection.execute("SELECT marks FROM progress").fetchall()
    return {(topic, number): Mark(*rest) for topic, number, *rest in (json.loads(rows[0][0]) if rows else ())}


def _zones(connection: Connection) -> Zones:
    rows = connection.execute(f"SELECT {quoted(OfficeRow._fields)} FROM offices").fetchall()  # noqa: S608
    return zones_of(map(OfficeRow._make, rows))


def _fresh(rows: Iterable[EventRow], held: Iterable[EventRow]) -> list[EventRow]:
    """The rows that are not held yet, each once."""
    seen = {row[:4] for row in held}
    fresh = []
    for row in rows:
        if row[:4] not in seen:
            seen.add(row[:4])
            fresh.append(row)
    return fresh


def _digest(connection: Connection, table: str) -> str:
    columns = ", ".join(f'coalesce("{column}"::VARCHAR, chr(0))' for column in TABLES[table])
    kept = f"WHERE topic IN ({_KEPT_LIST})" if table == "unreadable" else ""
    count, lower, upper = connection.execute(_DIGEST.format(columns=columns, table=table, kept=kept)).fetchall()[0]
    return hashlib.sha256(f"{table}:{count}:{lower}:{upper}".encode()).hexdigest()
