"""What was known of a person, when: the timeline of coded attributes, and facts joined with it.

An entry is valid from a day on, its `valid_from`, in the calendar of the office that a fact belongs to; a correction
reuses the day with a later `recorded_at`. It is known from the append time of the first `ProfileChanged` that names
it, never from that of the profile record, which is sent again and compacted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.monitoring.domain.facts import Fact
from services.monitoring.domain.rows import EPOCH, EPOCH_DAY, day_of, microseconds_of
from shared.contracts.registration import Profile

_QUARTER_US = 900_000_000
_SINCE_1973_US = 94_694_400_000_000


class Attributes(NamedTuple):
    """A person's coded attributes as one entry says them."""

    sex: str | None = None
    birth_year: int | None = None
    nationality: str | None = None
    country_of_origin: str | None = None
    country_of_residence: str | None = None
    residence_status: str | None = None
    education: int | None = None
    occupation: str | None = None
    experience_years: int | None = None
    sector: str | None = None
    category: str | None = None


class ProfileRow(NamedTuple):
    """One entry of the newest profile record of a person; `epoch` and `sequence` are that record's."""

    person: str
    epoch: int
    sequence: int
    entry: str
    valid_from_day: int
    recorded_us: int
    sex: str | None
    birth_year: int | None
    nationality: str | None
    country_of_origin: str | None
    country_of_residence: str | None
    residence_status: str | None
    education: int | None
    occupation: str | None
    experience_years: int | None
    sector: str | None
    category: str | None


class Entry(NamedTuple):
    """An entry of the timeline with the instant from which it was known. The order of fields is their rank."""

    valid_from_day: int
    recorded_us: int
    id: str
    known_ms: int
    attributes: Attributes


NOTHING_KNOWN = Attributes()


_coded: Callable[[Any], tuple[Any, ...]] = attrgetter(*Attributes._fields)


def profile_rows(person: str, epoch: int, sequence: int, profile: Profile) -> list[ProfileRow]:
    """The rows of a profile record; for one without entries a single row whose entry nobody ever knows."""
    rows = [
        ProfileRow._make(
            (
                person,
                epoch,
                sequence,
                entry.id,
                day_of(entry.valid_from),
                microseconds_of(entry.recorded_at),
                *_coded(entry.attributes),
            )
        )
        for entry in profile.entries
    ]
    return rows or [ProfileRow._make((person, epoch, sequence, "", 0, 0, *Attributes()))]


def timeline(rows: Iterable[tuple[ProfileRow, int]]) -> list[Entry]:
    """The known entries, each with the append time that made it known, by rank: the last one is the newest."""
    return sorted(
        Entry(row.valid_from_day, row.recorded_us, row.entry, known_ms, Attributes._make(_coded(row)))
        for row, known_ms in rows
    )


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
    if len(entries) < 2:
        return at_now(entries)
    valid_from = max((e.valid_from_day for e in entries if e.valid_from_day <= day), default=None)
    if valid_from is None:
        valid_from = entries[0].valid_from_day
    return [entry for entry in entries if entry.valid_from_day == valid_from][-1].attributes


def at_now(entries: Sequence[Entry]) -> Attributes:
    """As the newest entry has them."""
    return entries[-1].attributes if entries else NOTHING_KNOWN


class Version(NamedTuple):
    """A fact between two instants of knowledge, with its person's attributes as they were known then."""

    fact: Fact
    known_from: int
    known_to: int | None
    event: Attributes
    now: Attributes


def versions_of(fact: Fact, entries: Sequence[Entry], day: int) -> list[Version]:
    """The fact, cut where the knowledge of its person changed what it joins; empty spans are left out.

    `day`: the calendar day of the fact in its office's time zone, as days since 1970-01-01.
    """
    start, end = fact.known_from, fact.known_to
    if end is not None and end <= start:
        return []
    if len(entries) < 2 and (not entries or entries[0].known_ms <= start):
        # Most persons have one entry, known before their facts.
        only = at_now(entries)
        return [Version(fact, start, end, only, only)]
    later = {entry.known_ms for entry in entries if entry.known_ms > start}
    if not later:
        return [Version(fact, start, end, at_event(entries, day), at_now(entries))]
    versions: list[Version] = []
    for instant in (start, *sorted(change for change in later if end is None or change < end)):
        known = [entry for entry in entries if entry.known_ms <= instant]
        event, now = at_event(known, day), at_now(known)
        if versions and (versions[-1].event, versions[-1].now) == (event, now):
            continue
        if versions:
            versions[-1] = versions[-1]._replace(known_to=instant)
        versions.append(Version(fact, instant, end, event, now))
    return versions


@lru_cache(maxsize=512)
def zone_named(name: str) -> ZoneInfo:
    """The time zone; UTC for a name that the time zone database does not have."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # OSError: "Europe" is a folder of the database.
        return ZoneInfo("UTC")


def local_date(happened_us: int, zone: str) -> tuple[int, int]:
    """The calendar day in that time zone, as days since 1970-01-01, and its year."""
    if happened_us < _SINCE_1973_US:
        return _date_at(happened_us, zone)
    return _date_of_quarter(happened_us // _QUARTER_US, zone)


@lru_cache(maxsize=65_536)
def _date_of_quarter(quarter: int, zone: str) -> tuple[int, int]:
    # Since 1973 every zone's midnight has fallen on a quarter of an hour of UTC; before, some had odd seconds.
    return _date_at(quarter * _QUARTER_US, zone)


def _date_at(happened_us: int, zone: str) -> tuple[int, int]:
    local = (EPOCH + timedelta(microseconds=happened_us)).astimezone(zone_named(zone))
    return local.toordinal() - EPOCH_DAY, local.year
