"""What was known of a person, when: the timeline of coded attributes, and facts joined with it.

An entry is valid from a day on, its `valid_from`, in the calendar of the office that a fact belongs to; a correction
reuses the day with a later `recorded_at`. It is known from the append time of the first `ProfileChanged` that names
it, never from that of the profile record, which is sent again and compacted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from services.monitoring.domain.rows import day_of, microseconds_of
from shared.contracts.attributes import as_of
from shared.contracts.registration.persons import ATTRIBUTES, Profile

# A row's attributes in the order of their declaration.
NAMES: tuple[str, ...] = tuple(ATTRIBUTES)
Attributes = tuple[Any, ...]
NOTHING_KNOWN: Attributes = (None,) * len(NAMES)
PROFILE_COLUMNS = ("person", "epoch", "sequence", "entry", "valid_from_day", "recorded_us", *NAMES)


class ProfileRow(NamedTuple):
    """One entry of the newest profile record of a person; `epoch` and `sequence` are that record's."""

    person: str
    epoch: int
    sequence: int
    entry: str
    valid_from_day: int
    recorded_us: int
    attributes: Attributes

    def flat(self) -> tuple[Any, ...]:
        """In the order of `PROFILE_COLUMNS`."""
        return (*self[:-1], *self.attributes)

    @staticmethod
    def of(row: Sequence[Any]) -> ProfileRow:
        """From a row of the table."""
        head = len(PROFILE_COLUMNS) - len(NAMES)
        return ProfileRow._make((*row[:head], tuple(row[head:])))


class Entry(NamedTuple):
    """An entry of the timeline with the instant from which it was known; its first three fields are its rank."""

    valid_from_day: int
    recorded_us: int
    id: str
    known_ms: int
    attributes: Attributes


_valid_from: Callable[[Entry], int] = attrgetter("valid_from_day")
_coded: Callable[[Any], Attributes] = attrgetter(*NAMES)


def profile_rows(person: str, epoch: int, sequence: int, profile: Profile) -> list[ProfileRow]:
    """The rows of a profile record; for one without entries a single row whose entry nobody ever knows."""
    rows = [
        ProfileRow(
            person,
            epoch,
            sequence,
            entry.id,
            day_of(entry.valid_from),
            microseconds_of(entry.recorded_at),
            _coded(entry.attributes),
        )
        for entry in profile.entries
    ]
    return rows or [ProfileRow(person, epoch, sequence, "", 0, 0, NOTHING_KNOWN)]


def timeline(rows: Iterable[tuple[ProfileRow, int]]) -> list[Entry]:
    """The known entries, each with the append time that made it known, by rank: the last one is the newest."""
    entries = (Entry(row.valid_from_day, row.recorded_us, row.entry, ms, row.attributes) for row, ms in rows)
    return sorted(entries, key=itemgetter(0, 1, 2))


def timelines_of(rows: Iterable[ProfileRow], known: Iterable[tuple[str, str, int]]) -> dict[str, list[Entry]]:
    """The timeline of each person of the rows; `known`: person, entry and append time of each change to a profile."""
    first: dict[tuple[str, str], int] = {}
    for person, entry, known_ms in known:
        first[person, entry] = min(first.get((person, entry), known_ms), known_ms)
    found: dict[str, list[tuple[ProfileRow, int]]] = {}
    for row in rows:
        if (first_ms := first.get((row.person, row.entry))) is not None:
            found.setdefault(row.person, []).append((row, first_ms))
    return {person: timeline(entries) for person, entries in found.items()}


def at_event(entries: Sequence[Entry], day: int) -> Attributes:
    """As they were on that day (days since 1970-01-01).

    Before the first entry, as the first one (its last correction) has them.
    """
    held = as_of(entries, day, _valid_from, before="first")
    return NOTHING_KNOWN if held is None else held.attributes


def at_now(entries: Sequence[Entry]) -> Attributes:
    """As the newest entry has them."""
    return entries[-1].attributes if entries else NOTHING_KNOWN


class Version(NamedTuple):
    """Between two instants of knowledge, a person's attributes as they were known then."""

    known_from: int
    known_to: int | None
    event: Attributes
    now: Attributes


def versions_of(start: int, end: int | None, day: int, entries: Sequence[Entry]) -> list[Version]:
    """What a fact that is known from `start` to `end` joins of its person, cut where the knowledge of the person
    changed; empty spans are left out.

    `day`: the calendar day of the fact in its office's time zone, as days since 1970-01-01.
    """
    if end is not None and end <= start:
        return []
    if len(entries) < 2 and (not entries or entries[0].known_ms <= start):
        # Most persons have one entry, known before their facts.
        only = at_now(entries)
        return [Version(start, end, only, only)]
    later = {entry.known_ms for entry in entries if entry.known_ms > start}
    if not later:
        return [Version(start, end, at_event(entries, day), at_now(entries))]
    versions: list[Version] = []
    for instant in (start, *sorted(change for change in later if end is None or change < end)):
        known = [entry for entry in entries if entry.known_ms <= instant]
        event, now = at_event(known, day), at_now(known)
        if versions and (versions[-1].event, versions[-1].now) == (event, now):
            continue
        if versions:
            versions[-1] = versions[-1]._replace(known_to=instant)
        versions.append(Version(instant, end, event, now))
    return versions
