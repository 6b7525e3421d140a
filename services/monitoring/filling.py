"""The facts of a read model that holds every event already, a family at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from services.monitoring.database import ROW_GROUP, Connection
from services.monitoring.deriving import SHIFT, facts_query
from services.monitoring.domain.dates import DAY_US, offsets_of
from services.monitoring.domain.derivation import (
    HEAD,
    NEVER_MS,
    Known,
    by_subject,
    fact_rows,
    fields_of,
    joined,
    persons_of,
)
from services.monitoring.domain.profiles import NAMES
from services.monitoring.domain.zones import Zones
from services.monitoring.held import events_of, profiles_of, timelines
from services.monitoring.schema import fact_types, quoted
from services.monitoring.writing import insert_all, numbering
from shared.contracts.catalogue import CATALOGUE
from shared.contracts.facts import Family
from shared.messaging.topics import PERSONS

# Events whose facts are derived at once: what DuckDB holds of them in memory is some 1 kB each.
DERIVED_AT_ONCE = 250_000
# Facts that are joined one by one, at once.
JOINED_AT_ONCE = 50_000
# Cases of which something was put right, at once.
READ_AT_ONCE = 5_000
_PERSONS = f"""
CREATE OR REPLACE TABLE {{persons}} AS
SELECT person::UUID AS person, count(*) AS entries, max(known_ms) AS last_ms,
    {", ".join(f'any_value("{name}") AS "{name}"' for name in NAMES)}
FROM profiles JOIN (
    SELECT subject AS person, entry, min(known_ms) AS known_ms
    FROM (FROM events UNION ALL BY NAME FROM unwritten)
    WHERE topic = '{PERSONS.name}' AND entry IS NOT NULL GROUP BY ALL
) USING (person, entry)
GROUP BY ALL
"""  # noqa: S608
_ORDER = "kind, known_from"
_TEXTS = ("UUID", "fact_kind")
_DAY_TYPES = {
    "programme": pa.string(),
    "version": pa.int64(),
    "office": pa.string(),
    "day": pa.int64(),
    "from_us": pa.int64(),
    "until_us": pa.int64(),
    "offset_us": pa.int64(),
}
_DAYS = f"""
SELECT DISTINCT programme, programme_version, office, (happened_us + {SHIFT * DAY_US}) // {DAY_US} - {SHIFT}
FROM {{events}}
"""  # noqa: S608
_WITHOUT = "(SELECT * FROM {events} WHERE subject NOT IN (SELECT unnest($put_right)))"
# Of most persons one entry is known that says something, before anything that they did or (from another topic) after.
_SAID = " OR ".join(f'persons."{name}" IS NOT NULL' for name in NAMES)
_PLAIN = "persons.person IS NULL OR (entries = 1 AND last_ms <= derived.known_from)"
_LATE = f"coalesce(entries = 1 AND last_ms > derived.known_from AND ({_SAID}), false)"
_UNTIL = f"coalesce(derived.known_to, {NEVER_MS})"


class Derived(NamedTuple):
    """Facts of a family that stand in a table in memory until they are kept."""

    family: Family
    table: str
    rows: int


class Facts:
    """Derives and adds the facts of events, all of a subject's at once, to a model whose tables hold none yet.

    Offices and profiles stand there already, and so do events of persons, or they are among those that are yet
    `unwritten`. `scratch` is the database in memory that holds what is derived and not kept yet.
    """

    def __init__(self, connection: Connection, scratch: str, zones: Zones, unwritten: pa.Table) -> None:
        self._connection = connection
        self._scratch = scratch
        self._persons = f"{scratch}.persons"
        self._zones = zones
        self._places = count()
        self._derived: dict[Family, Derived] = {}
        self._put_right: dict[Family, list[str]] = {}
        connection.register("unwritten", unwritten)
        connection.execute(_PERSONS.format(persons=self._persons))
        connection.unregister("unwritten")

    def add(self, topic: str, found: pa.Table) -> None:
        """Those of all events of some subjects on the topic, rows of `events`."""
        family = CATALOGUE.families.get(topic)
        if family is not None:
            self._connection.register("found", found.append_column("place", pa.array(np.arange(len(found)))))
            self._derive(family, "found")
            self._connection.unregister("found")

    def add_written(self, topic: str) -> None:
        """Those of all events of the topic, which stand in the model."""
        family, own = CATALOGUE.families.get(topic), f"FROM events WHERE topic = '{topic}'"
        if family is None:
            return
        many = _count(self._connection, own) // DERIVED_AT_ONCE + 1
        for share in range(many):
            self._derive(family, f"(SELECT *, rowid AS place {own} AND hash(subject) % {many} = {share})")

    def done(self, *, all: bool = False) -> list[Derived]:
        """What was derived and is to be kept: where it fills whole row groups, or `all`. Nothing is added to it."""
        found = [one for one in self._derived.values() if all or one.rows >= ROW_GROUP]
        for one in found:
            del self._derived[one.family]
            if one.family.person:
                named = f"SELECT person FROM {one.table} WHERE person IS NOT NULL"  # noqa: S608
                self._connection.execute(numbering(named))
        return found

    def keep(self, derived: Derived, connection: Connection) -> None:
        """Facts that are `done` are in their family's table then, in the order of kinds. On any connection: the facts
        are compressed by one thread, while others go on."""
        family, table = derived.family, derived.table
        if family.person:
            facts = f"SELECT * FROM ({' UNION ALL '.join(_versions(family, table, self._persons))})"  # noqa: S608
        else:
            facts = f"{_rows(family)} FROM {table} derived"
        connection.execute(f"INSERT INTO {family.table} {facts} ORDER BY {_ORDER}")
        for rows in _of_several(connection, derived, self._persons) if family.person else ():
            insert_all(connection, {family.table: rows})
        connection.execute(f"DROP TABLE {table}")

    def read_plainly(self) -> None:
        """The facts of cases of which something was put right; all events stand in the model by now."""
        for family, subjects in self._put_right.items():
            for start in range(0, len(subjects), READ_AT_ONCE):
                _read_plainly(self._connection, family, subjects[start : start + READ_AT_ONCE], self._zones)

    def _derive(self, family: Family, events: str) -> None:
        _keep_days(self._connection, events, self._zones)
        put_right, values = _put_right(self._connection, family, events), {}
        if put_right:
            # Listed where there are some only: to look for each subject takes a tenth of the time.
            self._put_right.setdefault(family, []).extend(put_right)
            events, values = _WITHOUT.format(events=events), {"put_right": put_right}
        before = self._derived.get(family)
        table = before.table if before else f"{self._scratch}.derived{next(self._places)}"
        into = f"INSERT INTO {table}" if before else f"CREATE TABLE {table} AS"
        self._connection.execute(f"{into} {facts_query(family, CATALOGUE, events)}", values)
        self._derived[family] = Derived(family, table, _count(self._connection, f"FROM {table}"))


def _count(connection: Connection, rows: str) -> int:
    return int(connection.execute(f"SELECT count(*) {rows}").fetchall()[0][0])


def _put_right(connection: Connection, family: Family, events: str) -> list[str]:
    """The subjects of which an event puts a fact right, or tells it anew after the case has moved, by `domain/facts.py`
    alone: one depends on all before it."""
    found: set[str] = set()
    if types := [type for topic, type in CATALOGUE.revises if topic == family.topic]:
        query = f"SELECT DISTINCT subject FROM {events} WHERE type IN (SELECT unnest(?::VARCHAR[]))"  # noqa: S608
        found |= {subject for (subject,) in connection.execute(query, [types]).fetchall()}
    if types := [type for topic, type in CATALOGUE.retells if topic == family.topic]:
        query = f"""
SELECT subject FROM {events} GROUP BY subject
HAVING bool_or(type IN (SELECT unnest(?::VARCHAR[]))) AND count(DISTINCT office) > 1
"""  # noqa: S608
        found |= {subject for (subject,) in connection.execute(query, [types]).fetchall()}
    return sorted(found)


def _read_plainly(connection: Connection, family: Family, subjects: list[str], zones: Zones) -> None:
    told = events_of(connection, subjects)
    groups = by_subject(row for row in told if row.topic == family.topic)
    known = Known(timelines(connection, profiles_of(connection, persons_of(groups)).values()), zones)
    insert_all(connection, fact_rows(groups, known))


def _keep_days(connection: Connection, events: str, zones: Zones) -> None:
    """The offsets of the offices' zones on every day on which something happened."""
    rows = [
        (programme or "", version or 0, office or "", day, *span)
        for programme, version, office, day in connection.execute(_DAYS.format(events=events)).fetchall()
        for span in offsets_of(day, zones.of(programme, version, office))
    ]
    columns = list(zip(*rows, strict=True)) or [()] * len(_DAY_TYPES)
    arrays = [pa.array(one, type) for one, type in zip(columns, _DAY_TYPES.values(), strict=True)]
    kept = pa.table(arrays, [*_DAY_TYPES])
    assert kept.num_columns == len(_DAY_TYPES)  # noqa: S101
    connection.execute("CREATE OR REPLACE TEMP TABLE local_days AS SELECT * FROM kept")


def _rows(family: Family, since: str = "derived.known_from", until: str = _UNTIL) -> str:
    """The columns of the family's facts, known since and until then."""
    known = {"known_from": since, "known_to": until}
    columns = {name: known.get(name, f'derived."{name}"') for name in (*HEAD, *fields_of(family))}
    return "SELECT " + ", ".join(f'{value} AS "{name}"' for name, value in columns.items())


def _versions(family: Family, table: str, persons: str) -> Iterator[str]:
    """The rows of facts whose person has one entry at most: one, or one until the entry is known and one since then."""
    known, unknown = quoted(NAMES, "persons."), ", ".join(["NULL"] * len(NAMES))
    for since, until, attributes, which in (
        ("derived.known_from", _UNTIL, known, _PLAIN),
        ("derived.known_from", f"least({_UNTIL}, last_ms)", unknown, _LATE),
        ("last_ms", _UNTIL, known, f"{_LATE} AND {_UNTIL} > last_ms"),
    ):
        source = f"{table} derived LEFT JOIN {persons} persons USING (person) LEFT JOIN numbers USING (person)"
        yield f"{_rows(family, since, until)}, {attributes}, {attributes}, number FROM {source} WHERE {which}"


def _of_several(connection: Connection, derived: Derived, persons: str) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of facts whose person's entries have to be looked at one by one."""
    family = derived.family
    columns = [f'derived."{name}"' + ("::VARCHAR" if type in _TEXTS else "") for name, type in _columns(family).items()]
    source = f"{derived.table} derived JOIN {persons} persons USING (person) WHERE NOT ({_PLAIN} OR {_LATE})"
    found = connection.execute(f"SELECT {', '.join(columns)} FROM {source} ORDER BY {_ORDER}").fetchall()  # noqa: S608
    place, day, until = len(HEAD) + list(fields_of(family)).index("person"), HEAD.index("local_day"), len(HEAD) - 2
    for start in range(0, len(found), JOINED_AT_ONCE):
        facts = found[start : start + JOINED_AT_ONCE]
        named = {fact[place] for fact in facts}
        known = timelines(connection, profiles_of(connection, named).values())
        rows = [
            row
            for fact in facts
            for row in joined(
                fact[:until], (fact[until], fact[until + 1], fact[day]), fact[len(HEAD) :], known[fact[place]], family
            )
        ]
        if rows:
            yield rows


def _columns(family: Family) -> dict[str, str]:
    return {name: type for name, type in fact_types(family).items() if name in HEAD or name in fields_of(family)}
