"""The SQLite file of the local log: its tables and the statements over them. Synchronous, one transaction a call."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from shared.errors import SettingsError
from shared.messaging.delivery import BATCH_RECORDS
from shared.messaging.local_headers import packed
from shared.messaging.local_record import Row, records_of
from shared.messaging.local_shapes import SHAPES_AT_MOST, packed_with, remember, taken_apart, unknown
from shared.messaging.partitions import READ_BYTES
from shared.messaging.port import Message, Position, Record, Topic

SCHEMA = """
CREATE TABLE IF NOT EXISTS topics (name TEXT PRIMARY KEY, partitions INTEGER NOT NULL, compacted INTEGER NOT NULL)
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS partitions (topic TEXT NOT NULL, number INTEGER NOT NULL, id INTEGER NOT NULL UNIQUE,
  PRIMARY KEY (topic, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS records (place INTEGER NOT NULL, number INTEGER NOT NULL, key BLOB, value BLOB,
  headers BLOB NOT NULL, appended_ms INTEGER NOT NULL, PRIMARY KEY (place, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS positions (consumers TEXT NOT NULL, place INTEGER NOT NULL, number INTEGER NOT NULL,
  PRIMARY KEY (consumers, place)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shapes (digest BLOB PRIMARY KEY, shape TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS floor (one INTEGER PRIMARY KEY CHECK (one = 1), shown_ms INTEGER NOT NULL);
"""
PRAGMAS = ("journal_mode", "synchronous", "secure_delete", "page_size")
READ = "SELECT number, key, value, headers, appended_ms FROM records WHERE place = ? AND number >= ? ORDER BY number"
READ_ROWS = 16
# A batch of records whose fields are no longer is read without a look at each.
SHORT_BYTES = READ_BYTES // BATCH_RECORDS
ANY_BYTES = 1_000_000_000
_VALUE = itemgetter(2)
_HEADERS = itemgetter(3)
COMPACT = """
DELETE FROM records WHERE place = :place AND key IS NOT NULL AND number NOT IN
  (SELECT max(number) FROM records WHERE place = :place AND key IS NOT NULL GROUP BY key)
"""


@dataclass(frozen=True, slots=True)
class Append:
    """Batches for partitions, all of them or none."""

    batches: Sequence[tuple[Position, Sequence[Message]]]


@dataclass(frozen=True, slots=True)
class Commit:
    """The offsets that a group reads next."""

    group: str
    offsets: Mapping[Position, int]


@dataclass(frozen=True, slots=True)
class Compact:
    """Keep the last record a key in each partition of the topic; offsets stay."""

    topic: str


@dataclass(frozen=True, slots=True)
class Shown:
    """An instant (ms since 1970) that somebody took the ends for: nothing may be stamped before it any more."""

    shown_ms: int


Operation = Append | Commit | Compact | Shown


@dataclass(slots=True)
class Tail:
    """The end of a partition: its next offset and its last append time."""

    end: int = 0
    appended_ms: int = 0


class LogFile:
    """One SQLite database with records and positions; `path` None keeps it in memory.

    One connection writes; in file mode another one reads, which sees what was committed.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.places: dict[Position, int] = {}
        # The shapes that the file holds for good, and those of the open transaction.
        self._shapes: set[bytes] = set()
        self._new_shapes: set[bytes] = set()
        self._lock: int | None = None
        self._pragmas: dict[str, str] = {}
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None

    def open(self, topics: Sequence[Topic]) -> None:
        """Opens and creates; SettingsError where the file is in use, not writable, or its topics are others."""
        try:
            self._lock_file()
            self._writer = self._connect()
            # Not when asked: a transaction of positions alone lowers one of them for its own time.
            self._pragmas = _said(self._writer)
            self._reader = self._connect() if self.path else self._writer
            self._writer.executescript(SCHEMA)
            self._remember(self._writer)
            self._declare(topics)
        except (OSError, sqlite3.Error) as error:
            self.close()
            raise SettingsError(f"log file {self.path}: {error}") from error
        except SettingsError:
            self.close()
            raise

    def open_beside(self) -> None:
        """Opens a file that another process has opened, which writes it. Raises SettingsError."""
        try:
            self._reader = self._connect()
            self._reader.execute("PRAGMA query_only = ON")
            self._pragmas = _said(self._reader)
            self.places = _places(self._reader)
            self._remember(self._reader)
        except (OSError, sqlite3.Error) as error:
            self.close()
            raise SettingsError(f"log file {self.path}: {error}") from error

    def close(self) -> None:
        if self._writer and self.path:
            # What was deleted must not outlive its deletion in the WAL; should that fail, the next open takes it up.
            with contextlib.suppress(sqlite3.Error):
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for connection in {self._reader, self._writer}:
            if connection:
                connection.close()
        self._reader = self._writer = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def writer(self) -> sqlite3.Connection:
        if self._writer is None:
            raise sqlite3.ProgrammingError("the log file is closed")
        return self._writer

    @property
    def reader(self) -> sqlite3.Connection:
        if self._reader is None:
            raise sqlite3.ProgrammingError("the log file is closed")
        return self._reader

    def tails(self, connection: sqlite3.Connection) -> dict[Position, Tail]:
        """The end of each declared partition; compaction keeps the last record, so it is the greatest offset."""
        found = {}
        for position, place in self.places.items():
            row = connection.execute(
                "SELECT number, appended_ms FROM records WHERE place = ? ORDER BY number DESC LIMIT 1", (place,)
            ).fetchone()
            found[position] = Tail(row[0] + 1, row[1]) if row else Tail()
        return found

    def read(self, position: Position, offset: int, limit: int) -> list[Record]:
        """Up to `limit` records from that offset on, fewer where they are long (8 MB and what 16 records more hold)."""
        if limit <= BATCH_RECORDS:
            with contextlib.suppress(sqlite3.DataError):
                return self._read_short(position, offset, limit)
        return self._read_long(position, offset, limit)

    def _read_short(self, position: Position, offset: int, limit: int) -> list[Record]:
        """Up to `limit` records; DataError where one is long. SQLite looks at lengths for less than Python does."""
        self.reader.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, SHORT_BYTES)
        try:
            return [*self._records(position, self._selected(position, offset, limit).fetchall())]
        finally:
            # In memory the same connection writes.
            self.reader.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, ANY_BYTES)

    def _read_long(self, position: Position, offset: int, limit: int) -> list[Record]:
        records: list[Record] = []
        size = 0
        cursor = self._selected(position, offset, limit)
        try:
            while size <= READ_BYTES and (rows := cursor.fetchmany(READ_ROWS)):
                records += self._records(position, rows)
                size += sum(map(len, filter(None, map(_VALUE, rows))))
        finally:
            # An open read transaction would keep the WAL from being emptied.
            cursor.close()
        return records

    def _records(self, position: Position, rows: list[Row]) -> Iterable[Record]:
        if self._writer is None and unknown(map(_HEADERS, rows)):
            # Whoever writes the file has written a shape since it was looked at.
            self._remember(self.reader)
        return records_of(position, rows)

    def _selected(self, position: Position, offset: int, limit: int) -> sqlite3.Cursor:
        return self.reader.execute(f"{READ} LIMIT ?", (self.places[position], offset, limit))

    def positions(self, group: str) -> dict[Position, int]:
        rows = self.reader.execute("SELECT place, number FROM positions WHERE consumers = ?", (group,)).fetchall()
        at = {place: position for position, place in self.places.items()}
        return {at[place]: number for place, number in rows if place in at}

    def insert(self, position: Position, messages: Sequence[Message], tail: Tail, now_ms: int) -> Tail:
        """Appends within the open transaction; returns the partition's new end."""
        place = self.places[position]
        stamp = max(now_ms, tail.appended_ms)
        self.writer.executemany(
            "INSERT INTO records (place, number, key, value, headers, appended_ms) VALUES (?, ?, ?, ?, ?, ?)",
            [
                (place, number, key := _encoded(message.key), message.value, self._headers(message, key), stamp)
                for number, message in enumerate(messages, tail.end)
            ],
        )
        return Tail(tail.end + len(messages), stamp)

    def _headers(self, message: Message, key: bytes | None) -> bytes:
        """The record's headers as they are stored; a shape that the file lacks is written with them."""
        apart = taken_apart(message.headers, key) if message.headers else None
        if apart is None:
            return packed(message.headers)
        digest = apart[0].digest
        if digest not in self._shapes and digest not in self._new_shapes:
            if len(self._shapes) + len(self._new_shapes) >= SHAPES_AT_MOST:
                return packed(message.headers)
            self.writer.execute("INSERT OR IGNORE INTO shapes (digest, shape) VALUES (?, ?)", (digest, apart[0].text))
            self._new_shapes.add(digest)
        return packed_with(*apart)

    def ended(self, *, committed: bool) -> None:
        """After each transaction: the shapes that it wrote are there, or are not."""
        if committed:
            self._shapes |= self._new_shapes
        self._new_shapes.clear()

    def shown_ms(self) -> int:
        """The greatest instant that `show` has kept; 0 for none."""
        row = self.writer.execute("SELECT shown_ms FROM floor").fetchone()
        return int(row[0]) if row else 0

    def show(self, shown: Shown) -> None:
        self.writer.execute(
            "INSERT INTO floor (one, shown_ms) VALUES (1, ?) "
            "ON CONFLICT (one) DO UPDATE SET shown_ms = max(shown_ms, excluded.shown_ms)",
            (shown.shown_ms,),
        )

    def move(self, commit: Commit) -> None:
        self.writer.executemany(
            "INSERT INTO positions (consumers, place, number) VALUES (?, ?, ?) "
            "ON CONFLICT (consumers, place) DO UPDATE SET number = excluded.number",
            [(commit.group, self.places[position], offset) for position, offset in commit.offsets.items()],
        )

    def compact(self, topic: str) -> None:
        for (name, _), place in self.places.items():
            if name == topic:
                self.writer.execute(COMPACT, {"place": place})

    def synchronous(self, level: str) -> None:
        """How far the next transactions wait for the disk: FULL or NORMAL. Nothing in memory."""
        if self.path:
            self.writer.execute(f"PRAGMA synchronous = {level}")

    def pragmas(self) -> dict[str, str]:
        """Effective settings of the connection that writes, as they were when it was opened."""
        return dict(self._pragmas)

    def _remember(self, connection: sqlite3.Connection) -> None:
        self._shapes = {remember(text).digest for (text,) in connection.execute("SELECT shape FROM shapes")}

    def _connect(self) -> sqlite3.Connection:
        # check_same_thread: the writer's thread uses a connection that was opened before it ran, nobody else does.
        connection = sqlite3.connect(self.path or ":memory:", isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA page_size = 8192")
        connection.execute("PRAGMA secure_delete = ON")
        if self.path:
            connection.execute("PRAGMA busy_timeout = 5000")
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            connection.execute("PRAGMA synchronous = FULL")
            synchronous = connection.execute("PRAGMA synchronous").fetchone()[0]
            if (mode, synchronous) != ("wal", 2):
                raise SettingsError(f"log file {self.path}: journal_mode {mode}, synchronous {synchronous}")
        return connection

    def _lock_file(self) -> None:
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # The WAL takes the file's mode, so both are the owner's alone, whoever may look into the folder.
        made = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        os.fchmod(made, 0o600)
        os.close(made)
        lock = os.open(self.path.with_name(self.path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise SettingsError(f"log file {self.path} is in use by another process") from None
        self._lock = lock

    def _declare(self, topics: Sequence[Topic]) -> None:
        known = {name: (n, bool(c)) for name, n, c in self.writer.execute("SELECT * FROM topics")}
        for topic in topics:
            count, compacted = known.get(topic.name, (topic.partitions, topic.compacted))
            if count != topic.partitions:
                raise SettingsError(f"topic {topic.name}: partitions is {count}, declared {topic.partitions}")
            if compacted != topic.compacted:
                raise SettingsError(f"topic {topic.name}: compacted is {compacted}, declared {topic.compacted}")
        with self.writer:
            self.writer.execute("BEGIN IMMEDIATE")
            for topic in topics:
                if topic.name not in known:
                    self._create(topic)
        names = {topic.name for topic in topics}
        self.places = {position: place for position, place in _places(self.writer).items() if position[0] in names}

    def _create(self, topic: Topic) -> None:
        row = (topic.name, topic.partitions, topic.compacted)
        self.writer.execute("INSERT INTO topics (name, partitions, compacted) VALUES (?, ?, ?)", row)
        for number in range(topic.partitions):
            self.writer.execute(
                "INSERT INTO partitions (topic, number, id) SELECT ?, ?, coalesce(max(id), 0) + 1 FROM partitions",
                (topic.name, number),
            )


def _said(connection: sqlite3.Connection) -> dict[str, str]:
    return {name: str(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in PRAGMAS}


def _places(connection: sqlite3.Connection) -> dict[Position, int]:
    rows = connection.execute("SELECT topic, number, id FROM partitions ORDER BY id")
    return {(name, number): place for name, number, place in rows}


def _encoded(key: str | None) -> bytes | None:
    """A foreign record may have no key, and a log must carry it all the same."""
    return None if key is None else key.encode()
