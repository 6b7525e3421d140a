"""What a definition must hold beyond the types of its fields: names that exist, sums that are right."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import get_args

from shared.contracts.attributes import Listed
from shared.contracts.iso_codes import (
    country_codes,
    language_codes,
    nationality_codes,
    state_codes,
    text_language_codes,
)
from shared.contracts.registration.persons import ATTRIBUTES, Attributes, Sex
from shared.programmes.indicator_checks import indicator_checks
from shared.programmes.indicators import Declared
from shared.programmes.lists import whole_lists
from shared.programmes.marked_yaml import Broken
from shared.programmes.model import Definition
from shared.programmes.published_tables import table_checks
from shared.programmes.reporting_checks import reporting_checks
from shared.programmes.sections.base import Known, Section, repeated
from shared.programmes.texts import key_name, named_in
from shared.texts import MAIL_ADDRESS, has_visible_character
from shared.zones import zone_names

# The lists that are no programme's.
STANDARD: Mapping[Listed, Callable[[], frozenset[str]]] = {
    "countries": country_codes,
    "states": state_codes,
    "nationalities": nationality_codes,
}
# A person's attribute goes onto topics that are kept, so it takes a listed code alone: from an empty list, none.
PERSONS_LISTS = tuple(name for name, one in ATTRIBUTES.items() if one.listed not in (None, *STANDARD))


def check(definition: Definition) -> list[Broken]:
    """Every broken rule, in the order of the file's parts; an empty list for a definition that can be published."""
    known = known_codes(definition)
    return [
        *_repeated(definition, ""),
        *_countries(definition),
        *_mailboxes(definition),
        *_texts(definition),
        *_predecessors(definition),
        *_dates(definition),
        *_sections(definition, known),
        *_periods(definition),
        *indicator_checks(definition, known),
        *table_checks(definition),
        *reporting_checks(definition),
    ]


def _mailboxes(definition: Definition) -> Iterator[Broken]:
    for number, office in enumerate(definition.offices):
        if office.mailbox is not None and not re.match(MAIL_ADDRESS, office.mailbox.email):
            pointer = f"/offices/{number}/mailbox/email"
            yield Broken(pointer, "string_pattern_mismatch", "no address that mail can be sent to")


def known_codes(definition: Definition) -> dict[str, frozenset[str]]:
    """Attribute or field -> the codes that it can have here; no entry where any code may come.

    The words of a section that the programme lacks have no entry.
    """
    codes = {name: STANDARD[one.listed]() for name, one in ATTRIBUTES.items() if one.listed and one.listed in STANDARD}
    codes["country"] = country_codes()
    codes["language"] = language_codes()
    codes["sex"] = frozenset(get_args(Sex))
    codes["office"] = frozenset(one.code for one in definition.offices)
    codes["channel"] = frozenset({"self", "officer"})
    codes["party"] = frozenset({"expert", "host", "programme"})
    named = {name: given for name, given in whole_lists(definition).items() if given or name in PERSONS_LISTS}
    codes |= {name: frozenset(one.code for one in given) for name, given in named.items()}
    return codes | {word: part.codes(word) for part in definition.sections().values() for word in part.words}


def named_codes(definition: Definition, section: Section) -> Known:
    """Word -> the codes that a case of the section may name; no entry where it may name any."""
    return {**known_codes(definition), "country": countries_of(definition), **section.narrowed()}


def countries_of(definition: Definition) -> frozenset[str]:
    """Where something can be done: where people come from, where they live, and where the offices are."""
    offices = (one.country for one in definition.offices)
    return frozenset({*definition.countries_of_origin, *definition.countries_of_residence, *offices})


def unlisted_attributes(definitions: Iterable[Definition], attributes: Attributes) -> list[str]:
    """The names of attributes whose code stands in the list of none of these definitions."""
    lists = [whole_lists(definition) for definition in definitions]
    return [
        name
        for name in PERSONS_LISTS
        if (code := getattr(attributes, name)) is not None
        and not any(code == one.code for given in lists for one in given[name])
    ]


def _repeated(part: Declared, pointer: str) -> Iterator[Broken]:
    """Codes that stand twice in a list of the part, or in one of its sections."""
    for name, value in part:
        if isinstance(value, Section):
            yield from _repeated(value, f"/{name}")
        elif isinstance(value, tuple):
            for number in repeated(_key(one) for one in value):
                inner = key_name(value[number])
                place = f"{pointer}/{name}/{number}" + (f"/{inner}" if inner else "")
                yield Broken(place, "repeated_code", "this code stands twice in the list")


def _key(item: object) -> object:
    name = key_name(item)
    return getattr(item, name) if name else item


def _countries(definition: Definition) -> Iterator[Broken]:
    used = [(f"/offices/{n}/country", one.country) for n, one in enumerate(definition.offices)]
    for name in ("countries_of_origin", "countries_of_residence"):
        used += [(f"/{name}/{n}", code) for n, code in enumerate(getattr(definition, name))]
    for pointer, code in used:
        if code not in country_codes():
            yield Broken(pointer, "unknown_country", "no country of ISO 3166 has this code")
    for n, office in enumerate(definition.offices):
        if office.time_zone not in zone_names():
            yield Broken(f"/offices/{n}/time_zone", "unknown_time_zone", "no time zone of the IANA list has this name")


def _predecessors(definition: Definition) -> Iterator[Broken]:
    """An office that is continued is gone, and is continued by one office alone."""
    standing, continued = {one.code for one in definition.offices}, set()
    for number, office in enumerate(definition.offices):
        for place, code in enumerate(office.predecessors):
            pointer = f"/offices/{number}/predecessors/{place}"
            if code in standing:
                yield Broken(pointer, "predecessor_stands", "this office is in the list itself")
            elif code in continued:
                yield Broken(pointer, "repeated_code", "another office continues this one already")
            continued.add(code)


def _texts(definition: Definition) -> Iterator[Broken]:
    """Every text is there in each language of the title."""
    for language in definition.title:
        if language not in text_language_codes():
            yield Broken(f"/title/{language}", "unknown_language", "no language of ISO 639-1 has this code")
    wanted = set(definition.title)
    yield from _blank("/title", definition.title)
    for pointer, _, texts in named_in(definition):
        yield from _blank(pointer, texts)
        for language in sorted(wanted - set(texts)):
            yield Broken(f"{pointer}/{language}", "text_missing", "this language of the title is missing here")
        for language in sorted(set(texts) - wanted):
            yield Broken(f"{pointer}/{language}", "text_surplus", "the title has no text in this language")


def _blank(pointer: str, texts: Mapping[str, str]) -> Iterator[Broken]:
    for language, text in texts.items():
        if not has_visible_character(text):
            yield Broken(f"{pointer}/{language}", "text_missing", "in this text there is nothing to read")


def _dates(definition: Definition) -> Iterator[Broken]:
    if definition.dates.ends <= definition.dates.starts:
        yield Broken("/dates/ends", "dates_backwards", "a programme ends after it starts")


def _sections(definition: Definition, known: Known) -> Iterator[Broken]:
    for name, part in definition.sections().items():
        for one in part.broken(known):
            yield one._replace(pointer=f"/{name}{one.pointer}")


def _periods(definition: Definition) -> Iterator[Broken]:
    for number, one in enumerate(definition.periods):
        for earlier in definition.periods[:number]:
            if one.series == earlier.series and one.starts < earlier.ends and earlier.starts < one.ends:
                yield Broken(f"/periods/{number}/starts", "periods_overlap", "periods of one series do not overlap")
                break
