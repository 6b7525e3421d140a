"""What in a definition is allowed and seldom meant: warnings at line and field, which keep nothing from publishing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

from shared.contracts.catalogue import CATALOGUE
from shared.programmes.indicators import Declared, Period
from shared.programmes.marked_yaml import Broken
from shared.programmes.model import Definition
from shared.programmes.sections.base import Section


def doubts(definition: Definition) -> list[Broken]:
    """Every warning, in the order of the file's parts."""
    found = [
        *_names(definition, ""),
        *_offices(definition),
        *_periods(definition),
        *_gaps(definition),
        *_indicators(definition),
    ]
    return [one._replace(warning=True) for one in found]


def _names(part: Declared, pointer: str) -> Iterator[Broken]:
    """Two items of one list that people read as one."""
    for name, value in part:
        if isinstance(value, Section):
            yield from _names(value, f"{pointer}/{name}")
        seen: set[tuple[str, str]] = set()
        for number, item in enumerate(value if isinstance(value, tuple) else ()):
            texts = getattr(item, "name", None)
            if not isinstance(texts, dict):
                continue
            yield from _names(item, f"{pointer}/{name}/{number}")
            for language, text in texts.items():
                if (language, text.casefold()) in seen:
                    place = f"{pointer}/{name}/{number}/name/{language}"
                    yield Broken(place, "repeated_name", "another one of this list has the same name")
                seen.add((language, text.casefold()))


def _offices(definition: Definition) -> Iterator[Broken]:
    known = {*definition.countries_of_origin, *definition.countries_of_residence}
    for number, office in enumerate(definition.offices):
        if office.country not in known:
            sentence = "the programme lists this country neither as one of origin nor as one of residence"
            yield Broken(f"/offices/{number}/country", "office_elsewhere", sentence)


def _periods(definition: Definition) -> Iterator[Broken]:
    dates = definition.dates
    for number, one in enumerate(definition.periods):
        if one.starts < dates.starts:
            yield Broken(f"/periods/{number}/starts", "period_outside", f"the programme begins on {dates.starts}")
        if one.ends > dates.ends:
            sentence = f"the programme is over by {dates.ends}; a period ends on the day after its last one"
            yield Broken(f"/periods/{number}/ends", "period_outside", sentence)


def _gaps(definition: Definition) -> Iterator[Broken]:
    """Days between two periods of a series that belong to none; one day is an `ends` that was meant as the last one."""
    series: dict[str, list[tuple[int, Period]]] = {}
    for number, one in enumerate(definition.periods):
        series.setdefault(one.series, []).append((number, one))
    for periods in series.values():
        ordered = sorted(periods, key=lambda numbered: (numbered[1].starts, numbered[1].ends))
        for (before, earlier), (number, later) in pairwise(ordered):
            gap = later.starts - earlier.ends
            if gap == timedelta(days=1):
                sentence = f"{earlier.ends} belongs to no period of the series: `ends` is the day after the last one"
                yield Broken(f"/periods/{before}/ends", "periods_gap", sentence)
            elif gap > timedelta():
                sentence = f"the {gap.days} days from {earlier.ends} on belong to no period of the series"
                yield Broken(f"/periods/{number}/starts", "periods_gap", sentence)


def _indicators(definition: Definition) -> Iterator[Broken]:
    sections = definition.sections()
    for number, indicator in enumerate(definition.indicators):
        for place, kind in enumerate(indicator.facts.kinds if indicator.facts is not None else ()):
            needed = CATALOGUE.kinds[kind].family.section
            if needed is not None and needed not in sections:
                sentence = f"the programme has no section {needed}: there will be no such facts"
                yield Broken(f"/indicators/{number}/facts/kinds/{place}", "no_such_facts", sentence)
