"""The day on which something happened, where somebody names no more than the day.

A fact is told at an instant, and people know the day: it counts as late on that day as it can have been, so that what
was recorded on the same day before stays before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, tzinfo

from shared.clock import text_of
from shared.texts import latin
from shared.web.pages.forms import Field, Posted
from shared.web.pages.typed_dates import without_parts


def on_their_days(fields: Iterable[Field], posted: Posted, zone: tzinfo, now: datetime) -> Posted:
    """With an instant in the place of each day; `zone`: in which the case's days are reckoned. Today is now, which
    nobody has to say; what is no day stays as it was typed."""
    found = dict(posted.values)
    for one in fields:
        if one.kind == "instant" and (day := _day(posted.text(one.pointer))) is not None:
            found = {**without_parts(found, one.pointer), one.pointer: (_instant_on(day, zone, now, one),)}
    return Posted(found)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(latin(text))
    except ValueError:
        return None


def _instant_on(day: date, zone: tzinfo, now: datetime, field: Field) -> str:
    if day == now.astimezone(zone).date():
        return text_of(now) if field.required else ""
    # Whoever names the last day of all would have an instant that no clock in UTC can say.
    return text_of(datetime.combine(day, time.max, zone)) if date.min < day < date.max else str(day)
