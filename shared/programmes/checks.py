"""What a definition must hold beyond the types of its fields: names that exist, sums that are right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import get_args
from zoneinfo import available_timezones

import pycountry

from shared.contracts.registration import ATTRIBUTES, Attributes, LanguageSkill, Sex
from shared.programmes.figures import indicator_checks
from shared.programmes.indicators import Declared
from shared.programmes.marked_yaml import Broken, escaped
from shared.programmes.model import Criterion, Definition

LISTS = (
    ("offices", "code"),
    ("areas", "code"),
    ("sectors", "code"),
    ("host_types", "code"),
    ("categories", "code"),
    ("residence_statuses", "code"),
    ("eligibility", "criterion"),
    ("score", "component"),
    ("periods", "code"),
    ("dimensions", "code"),
    ("indicators", "code"),
)
# Nobody travels for virtual work: DOMAIN's modalities.
TRAVEL_STEPS = frozenset({"visa", "ticket", "insurance"})
# A person's attribute goes onto topics that are kept, so it takes a listed code alone: from an empty list, none.
PERSONS_LISTS = tuple(name for name, one in ATTRIBUTES.items() if one.listed not in (None, "countries"))
COUNTRIES = frozenset(name for name, one in ATTRIBUTES.items() if one.listed == "countries")


def check(definition: Definition) -> list[Broken]:
    """Every broken rule, in the order of the file's parts; an empty list for a definition that can be published."""
    return [
        *_repeated(definition),
        *_countries(definition),
        *_texts(definition),
        *_numbers(definition),
        *_preparation(definition),
        *_eligibility(definition),
        *_periods(definition),
        *indicator_checks(definition, known_codes(definition)),
    ]


@cache
def country_codes() -> frozenset[str]:
    """ISO 3166-1 alpha-2, and XK, which users' systems know."""
    return frozenset({one.alpha_2 for one in pycountry.countries} | {"XK"})


@cache
def language_codes() -> frozenset[str]:
    """ISO 639-1."""
    return frozenset(one.alpha_2 for one in pycountry.languages if hasattr(one, "alpha_2"))


def known_codes(definition: Definition) -> dict[str, frozenset[str]]:
    """Attribute or field -> the codes that it can have here; no entry where any code may come."""
    codes: dict[str, frozenset[str]] = {name: country_codes() for name in (*COUNTRIES, "country")}
    codes["sex"] = frozenset(get_args(Sex))
    codes["office"] = frozenset(one.code for one in definition.offices)
    codes["modality"] = frozenset(definition.modalities)
    codes["channel"] = frozenset({"self", "officer"})
    codes["party"] = frozenset({"expert", "host", "programme"})
    listed = {
        "sector": definition.sectors,
        "host_type": definition.host_types,
        "area": definition.areas,
        "category": definition.categories,
        "residence_status": definition.residence_statuses,
    }
    named = {name: given for name, given in listed.items() if given or name in PERSONS_LISTS}
    return codes | {name: frozenset(one.code for one in given) for name, given in named.items()}


def unlisted_attributes(definitions: Iterable[Definition], attributes: Attributes) -> list[str]:
    """The names of attributes whose code stands in the list of none of these definitions."""
    known = [known_codes(definition) for definition in definitions]
    return [
        name
        for name in PERSONS_LISTS
        if (code := getattr(attributes, name)) is not None and not any(code in codes[name] for codes in known)
    ]


def repeated(values: Iterable[object]) -> Iterator[int]:
    """Positions of what stood before."""
    seen: set[object] = set()
    for number, value in enumerate(values):
        if value in seen:
            yield number
        seen.add(value)


def _repeated(definition: Definition) -> Iterator[Broken]:
    for name, key in LISTS:
        for number in repeated(getattr(one, key) for one in getattr(definition, name)):
            yield Broken(f"/{name}/{number}/{key}", "repeated_code", "this code stands twice in the list")
    for name in ("countries_of_origin", "countries_of_residence", "modalities"):
        for number in repeated(getattr(definition, name)):
            yield Broken(f"/{name}/{number}", "repeated_code", "this code stands twice in the list")


def _countries(definition: Definition) -> Iterator[Broken]:
    used = [(f"/offices/{n}/country", one.country) for n, one in enumerate(definition.offices)]
    for name in ("countries_of_origin", "countries_of_residence"):
        used += [(f"/{name}/{n}", code) for n, code in enumerate(getattr(definition, name))]
    for pointer, code in used:
        if code not in country_codes():
            yield Broken(pointer, "unknown_country", "no country of ISO 3166 has this code")
    for n, office in enumerate(definition.offices):
        if office.time_zone not in available_timezones():
            yield Broken(f"/offices/{n}/time_zone", "unknown_time_zone", "no time zone of the IANA list has this name")


def _texts(definition: Definition) -> Iterator[Broken]:
    """Every text is there in each language of the title."""
    for language in definition.title:
        if language not in language_codes():
            yield Broken(f"/title/{language}", "unknown_language", "no language of ISO 639-1 has this code")
    wanted = set(definition.title)
    for pointer, texts in _named(definition, ""):
        for language in sorted(wanted - set(texts)):
            yield Broken(f"{pointer}/{language}", "text_missing", "this language of the title is missing here")
        for language in sorted(set(texts) - wanted):
            yield Broken(f"{pointer}/{language}", "text_surplus", "the title has no text in this language")


def _named(part: Declared, pointer: str) -> Iterator[tuple[str, dict[str, str]]]:
    for name in type(part).model_fields:
        value = getattr(part, name)
        if name == "name" and isinstance(value, dict):
            yield f"{pointer}/name", value
        elif isinstance(value, tuple):
            for number, item in enumerate(value):
                if isinstance(item, Declared):
                    yield from _named(item, f"{pointer}/{escaped(name)}/{number}")


def _numbers(definition: Definition) -> Iterator[Broken]:
    if definition.dates.ends <= definition.dates.starts:
        yield Broken("/dates/ends", "dates_backwards", "a programme ends after it starts")
    total = sum(one.weight for one in definition.score)
    if definition.score and total != 100:
        yield Broken("/score", "weights_sum", f"the weights sum to {total}, not to 100")
    if definition.shortlist.least > definition.shortlist.most:
        yield Broken("/shortlist/most", "shortlist_backwards", "most is not below least")


def _preparation(definition: Definition) -> Iterator[Broken]:
    for modality in definition.modalities:
        if modality not in definition.preparation:
            yield Broken(f"/preparation/{modality}", "preparation_missing", "say which steps this modality requires")
    for modality, steps in definition.preparation.items():
        pointer = f"/preparation/{modality}"
        if modality not in definition.modalities:
            yield Broken(pointer, "unknown_modality", "the programme does not offer this modality")
        for number in repeated(steps):
            yield Broken(f"{pointer}/{number}", "repeated_code", "this step stands twice")
        for number, step in enumerate(steps):
            if modality == "virtual" and step in TRAVEL_STEPS:
                yield Broken(f"{pointer}/{number}", "travel_for_virtual", "nobody travels for virtual work")


def _eligibility(definition: Definition) -> Iterator[Broken]:
    known = known_codes(definition)
    for number, one in enumerate(definition.eligibility):
        pointer = f"/eligibility/{number}"
        if not _fits(one):
            yield Broken(f"{pointer}/required", "operator_mismatch", "operator, attribute and required do not fit")
            continue
        for place, value in enumerate(one.required if isinstance(one.required, tuple) else ()):
            if isinstance(value, str) and value not in known.get(one.attribute, {value}):
                yield Broken(f"{pointer}/required/{place}", "unknown_code", "the programme does not list this code")
        skills = one.required if isinstance(one.required, tuple) else (one.required,)
        if any(isinstance(skill, LanguageSkill) and skill.language not in language_codes() for skill in skills):
            yield Broken(f"{pointer}/required", "unknown_language", "no language of ISO 639-1 has this code")


def _fits(one: Criterion) -> bool:
    """Whether the operator can compare this attribute with what is required; the table is in `Criterion`."""
    required = one.required
    listed = isinstance(required, tuple) and bool(required)
    of_skills = isinstance(required, tuple) and all(isinstance(value, LanguageSkill) for value in required)
    numbers = ("education", "experience_years")
    match one.operator:
        case "at_least" | "at_most":
            return isinstance(required, int) and one.attribute in numbers
        case "age_at_least":
            return isinstance(required, int) and one.attribute == "birth_year"
        case "language_at_least":
            return isinstance(required, LanguageSkill) and one.attribute == "languages"
        case "any_of":
            return listed and of_skills and one.attribute == "languages"
        case "one_of":
            return listed and not of_skills and one.attribute not in (*numbers, "birth_year", "languages")


def _periods(definition: Definition) -> Iterator[Broken]:
    for number, one in enumerate(definition.periods):
        for earlier in definition.periods[:number]:
            if one.series == earlier.series and one.starts < earlier.ends and earlier.starts < one.ends:
                yield Broken(f"/periods/{number}/starts", "periods_overlap", "periods of one series do not overlap")
                break
