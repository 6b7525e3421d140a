"""When a reminder is due, by the event and the office's zone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

MORNING = time(9)
# None where the event sets no such time.
Due = Callable[[Any, tzinfo], datetime | None]


def at_once(event: Any, _zone: tzinfo) -> datetime | None:
    happened: datetime = event.happened_at
    return happened


def before(**how: float) -> Due:
    def due(event: Any, _zone: tzinfo) -> datetime | None:
        expires: datetime | None = event.expires_at
        return expires - timedelta(**how) if expires else None

    return due


def at_half(event: Any, _zone: tzinfo) -> datetime | None:
    return event.happened_at + (event.expires_at - event.happened_at) / 2 if event.expires_at else None


def after(days: int) -> Due:
    def due(event: Any, _zone: tzinfo) -> datetime | None:
        happened: datetime = event.happened_at
        return happened + timedelta(days=days)

    return due


def morning(day: Callable[[Any], date], days: int) -> Due:
    """In the morning, so many days after that day, by the office's clock."""

    def due(event: Any, zone: tzinfo) -> datetime | None:
        return datetime.combine(day(event) + timedelta(days=days), MORNING, zone).astimezone(UTC)

    return due
