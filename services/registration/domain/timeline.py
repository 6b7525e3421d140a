"""The timeline of a person's coded attributes: what a change adds to it, and what another year of birth changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta

from shared.contracts.base import Event
from shared.contracts.registration.persons import Attributes, Profile, ProfileChanged, ProfileEntry, attributes_on
from shared.errors import Refusal

ENTRIES_AT_MOST = 200


def changed(entries: tuple[ProfileEntry, ...], new: Sequence[ProfileEntry], now: datetime) -> list[Event]:
    """The whole timeline with the new entries, then a thin event for each. Refusal `timeline_full`."""
    if len(entries) + len(new) > ENTRIES_AT_MOST:
        raise Refusal("timeline_full", "the timeline takes no further entry")
    whole = entries
    for entry in new:
        later = entry
        if whole and entry.recorded_at <= whole[-1].recorded_at:
            # Of two entries of one day the later recorded one counts, so their order must not hang on two clocks.
            later = entry.model_copy(update={"recorded_at": whole[-1].recorded_at + timedelta(microseconds=1)})
        whole = (*whole, later)
    thin = [ProfileChanged(happened_at=now, entry=one.id) for one in new]
    return [Profile(happened_at=now, entries=whole), *thin]


def birth_year(entries: Sequence[ProfileEntry]) -> int | None:
    """The year of birth that was recorded last; None where none is known."""
    return next((one.attributes.birth_year for one in reversed(entries) if one.attributes.birth_year), None)


def born_in(entries: Sequence[ProfileEntry], year: int) -> Iterator[tuple[date, Attributes]]:
    """For each day from which something else was known: what holds from it for somebody born in that year."""
    for day in sorted({one.valid_from for one in entries}):
        known = attributes_on(entries, day)
        if known is not None and known.birth_year != year:
            yield day, known.model_copy(update={"birth_year": year})
