"""Building a read model from nothing: whole partitions at a time, so that no subject is derived twice."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from operator import itemgetter
from typing import Any
from zlib import crc32

from services.monitoring.database import Connection
from services.monitoring.domain.derivation import FACT_TOPICS, Known, fact_rows, persons_of, settled_of
from services.monitoring.domain.facts import ASSIGNMENTS, EXPERTS, INSTITUTIONS, MATCHES, PLACEMENTS, Settled, in_order
from services.monitoring.domain.rows import EventRow
from services.monitoring.handlers import Batch, Mark, take
from services.monitoring.store import ReadModel, insert, replace_older, save_marks, timelines
from shared.messaging.port import Position, Record
from shared.messaging.topics import PERSONS, PROFILES, PROGRAMMES, TOPICS

# Facts need what stands on the topics before their own; every other topic comes last.
_FIRST = (PROGRAMMES.name, PERSONS.name, PROFILES.name, INSTITUTIONS, EXPERTS, ASSIGNMENTS, MATCHES, PLACEMENTS)
ORDER = (*_FIRST, *sorted(set(TOPICS) - set(_FIRST)))


@contextmanager
def without_collection() -> Iterator[None]:
    """No cyclic garbage collection in the block: millions of tuples hold no cycle, and walking them takes half
    of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class Bulk:
    """Fills an empty model. Partitions come in `ORDER` of their topics.

    A pass over a partition is one transaction: its events are written as they come, its facts at the end. A pass
    holds its events in memory; whoever reads a long partition gives it in several passes (`share`).
    """

    def __init__(self, model: ReadModel) -> None:
        self._model = model
        self._held: dict[str, list[EventRow]] = {}
        self._settled: dict[str, Settled] = {}
        self.events = 0

    def begin(self) -> None:
        """Opens the transaction of one pass over one partition."""
        self._held = {}
        self._model.database.in_background(_begin)

    def add(self, records: list[Record], mark: Mark) -> None:
        """Takes the pass's next records; they are written while the next ones are read."""
        batch = Batch()
        with without_collection():
            take(batch, records, mark)
            fresh = self._hold(batch)
        self._model.database.in_background(partial(_write, batch, fresh))
        self.events += batch.records

    def commit(self, position: Position, mark: Mark) -> None:
        """Derives the facts of the pass's subjects and closes its transaction."""
        model = self._model
        with without_collection():
            groups = [rows for rows in map(in_order, self._held.values()) if rows[0].topic in FACT_TOPICS]
            self._settled |= settled_of(groups)
            with model.database.reader() as connection:
                known = Known(self._settled, timelines(connection, persons_of(groups)), model.zones)
            # By kind, as `ReadModel.sort_facts` leaves them.
            rows = sorted(fact_rows(groups, known), key=itemgetter(0))
        model.marks = model.marks | {position: mark}
        model.database.in_background(partial(_close, rows, model.marks))
        self._held = {}
        if position[0] not in FACT_TOPICS:
            # What facts are joined with is read on another connection, which sees what is committed.
            self.finish()

    def finish(self) -> None:
        """Waits until everything is written; raises what failed."""
        self._model.database.drain()
        self._model.reload_zones()

    def abandon(self) -> None:
        """Waits for the background, whatever it raised; the model is good for nothing but to be dropped."""
        self._model.database.drain(quietly=True)

    def _hold(self, batch: Batch) -> list[EventRow]:
        """The rows that are not here yet: a subject's events all stand in one partition."""
        fresh = []
        for row in batch.events:
            own = self._held.get(row.subject)
            if own is None:
                self._held[row.subject] = [row]
            elif row[2:4] > own[-1][2:4] or all(row[2:4] != other[2:4] for other in own):
                own.append(row)
            else:
                continue
            fresh.append(row)
        return fresh


def _begin(connection: Connection) -> None:
    connection.execute("BEGIN")


def _write(batch: Batch, fresh: list[EventRow], connection: Connection) -> None:
    insert(connection, "events", fresh)
    insert(connection, "unreadable", batch.unreadable)
    replace_older(connection, "profiles", "person", batch.profiles)
    replace_older(connection, "offices", "programme", batch.offices)


def _close(rows: list[tuple[Any, ...]], marks: dict[Position, Mark], connection: Connection) -> None:
    insert(connection, "facts", rows)
    save_marks(connection, marks)
    connection.execute("COMMIT")


def share(records: list[Record], passes: int, number: int) -> list[Record]:
    """The records of one pass: every record of a subject is in the same one."""
    if passes == 1:
        return records
    return [record for record in records if crc32(record.key or b"") % passes == number]
