"""Instants as calendar days of a time zone."""

from __future__ import annotations

from datetime import UTC, timedelta, tzinfo
from functools import lru_cache

from services.monitoring.domain.rows import EPOCH, EPOCH_DAY
from shared.zones import zone

DAY_US = 86_400_000_000
_QUARTER_US = 900_000_000
_SINCE_1973_US = 94_694_400_000_000


@lru_cache(maxsize=512)
def zone_named(name: str) -> tzinfo:
    """The time zone; UTC for a name that the time zone database does not have."""
    try:
        return zone(name)
    except (KeyError, ValueError):
        return UTC


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


def offsets_of(day: int, zone: str) -> list[tuple[int, int, int]]:
    """The zone's offsets from UTC on that day of UTC (days since 1970-01-01): from, until and offset, each in
    microseconds. Two where the clocks change; no zone changes them twice in a day."""
    start, end = day * DAY_US, (day + 1) * DAY_US
    first, last = _offset_at(start, zone), _offset_at(end - 1, zone)
    if first == last:
        return [(start, end, first)]
    before, after = start, end - 1
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (middle, after) if _offset_at(middle, zone) == first else (before, middle)
    return [(start, after, first), (after, end, last)]


def _offset_at(happened_us: int, zone: str) -> int:
    offset = (EPOCH + timedelta(microseconds=happened_us)).astimezone(zone_named(zone)).utcoffset() or timedelta()
    return (offset.days * 86_400 + offset.seconds) * 1_000_000 + offset.microseconds
