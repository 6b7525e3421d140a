"""Days and instants as people type them: day, month and year each in a field of its own, and a time beside them.

The body has them as ISO 8601 writes them, as at the JSON edge. What is none is sent on as it was typed, and refused by
the rule that refuses it there. A day in one field, in that form, is taken as well.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime, tzinfo
from functools import cache

from babel import Locale

from shared.clock import text_of
from shared.texts import latin
from shared.zones import zone, zone_names

# Below the pointer of the field. `zone`: in which the time is said, of an instant alone; the form holds it.
DAY, MONTH, YEAR, TIME, ZONE = "day", "month", "year", "time", "zone"
OF_A_DAY, OF_AN_INSTANT = (DAY, MONTH, YEAR), (DAY, MONTH, YEAR, TIME)
# Of the languages of pages, with what else a month is called or shortened to where they are written: Arabic between the
# Mediterranean and Iraq, in Algeria and in Morocco.
_MONTHS_OF = ("en", "en_GB", "fr", "fr_CA", "ar", "ar_SY", "ar_DZ", "ar_MA")
_TIME = re.compile(r"([0-9]{1,2})(?:[:.hH]([0-9]{2}))?", re.ASCII)
# A year that comes last is longer than the day that comes first.
_BETWEEN = re.compile(r"[\s./\-]+")
Values = Mapping[str, tuple[str, ...]]


def numbered(month: str) -> str:
    """The month's number for one that is typed by name, in full or short, with or without dot and accents; what is no
    name of one as it was typed."""
    return _months().get(_folded(month), month)


def said_in_parts(values: Values, pointer: str) -> str | None:
    """What the parts of that field say, as the body has it; None where it has none, or nothing stands in them. Of an
    instant without its time the day."""
    typed = {name: values.get(f"{pointer}/{name}", ("",))[-1].strip() for name in OF_AN_INSTANT}
    if not any(typed.values()):
        return None
    day = _day(*(latin(typed[name]) for name in OF_A_DAY))
    if f"{pointer}/{ZONE}" not in values or (day and not typed[TIME]):
        return day or _as_typed(typed, OF_A_DAY)
    at = _instant(day, latin(typed[TIME]), values[f"{pointer}/{ZONE}"][-1]) if day else None
    return at or _as_typed(typed, OF_AN_INSTANT)


def in_parts(text: str, pointer: str) -> dict[str, tuple[str, ...]]:
    """What was typed in one field, as the parts of that pointer, where it is day, month and year one after the other;
    else as it was typed, under the pointer itself."""
    words = _BETWEEN.split(latin(text.strip()))
    if len(words) != len(OF_A_DAY) or len(words[0]) >= len(words[-1]):
        return {pointer: (text.strip(),)}
    return {f"{pointer}/{name}": (said,) for name, said in zip(OF_A_DAY, words, strict=True)}


def without_parts(values: Values, pointer: str) -> dict[str, tuple[str, ...]]:
    """Without what was typed in the parts of that field."""
    parts = {f"{pointer}/{name}" for name in (*OF_AN_INSTANT, ZONE)}
    return {name: said for name, said in values.items() if name not in parts}


def part_shown(values: Values, pointer: str, part: str, own: tzinfo) -> str:
    """What stands in one part: what was typed there, else that part of what one field says. `own`: the form's zone."""
    if (typed := values.get(f"{pointer}/{part}")) is not None:
        return typed[-1]
    said = values.get(pointer, ("",))[-1]
    try:
        at = datetime.fromisoformat(said).astimezone(own) if "T" in said else None
        day = at.date() if at is not None else date.fromisoformat(said)
    except (ValueError, OverflowError):
        # What is no day stands where it is seen.
        return said if part == DAY else ""
    parts = {DAY: str(day.day), MONTH: str(day.month), YEAR: str(day.year), TIME: f"{at:%H:%M}" if at else ""}
    return parts[part]


def _day(day: str, month: str, year: str) -> str | None:
    """`YYYY-MM-DD`, whether or not the calendar has it, which the body's rule says; None for what is no such thing."""
    month = numbered(month)
    numbers = (year, month, day)
    if len(year) != 4 or not all(one.isascii() and one.isdecimal() and len(one) <= 4 for one in numbers):
        return None
    return f"{year}-{int(month):02d}-{int(day):02d}"


def _instant(day: str, time: str, named: str) -> str | None:
    """None also for a time that the zone's clocks skip where they are put forward: nobody means one an hour later."""
    found = _TIME.fullmatch(time)
    if found is None or named not in {"UTC", *zone_names()}:
        return None
    try:
        local = datetime.fromisoformat(f"{day}T{int(found[1]):02d}:{found[2] or '00'}:00")
        at = local.replace(tzinfo=zone(named)).astimezone(UTC)
        return text_of(at) if at.astimezone(zone(named)).replace(tzinfo=None) == local else None
    except (ValueError, OverflowError):
        return None


def _as_typed(typed: Mapping[str, str], parts: tuple[str, ...]) -> str:
    return " ".join(typed[name] for name in parts if typed[name])


@cache
def _months() -> Mapping[str, str]:
    """The number of a month by its names, long and short."""
    found = dict[str, str]()
    for language in _MONTHS_OF:
        for names in Locale.parse(language).months["format"].values():
            # One letter stands for several months.
            found |= {_folded(name): str(number) for number, name in names.items() if len(name) > 2}
    return found


def _folded(month: str) -> str:
    letters = unicodedata.normalize("NFD", latin(month).casefold().replace(".", ""))
    return "".join(one for one in letters if not unicodedata.combining(one)).strip()
