"""Whether terms of reference fit the programme under which they are written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shared.contracts.iso_codes import A_LANGUAGE, language_codes
from shared.contracts.matching.assignments import Terms
from shared.contracts.occupations import occupation_codes
from shared.errors import Problem, Refusal
from shared.programmes.model import Definition, Office
from shared.programmes.sections.placement import PlacementSection
from shared.programmes.sections.selection import SelectionSection

UNFIT = "terms_do_not_fit"
CODES_SAID = 20


def check_terms(definition: Definition, office: Office | None, terms: Terms) -> Office:
    """The office that the terms are written in; None: the programme has none of the code that was named.

    Raises Refusal `terms_do_not_fit` (422) that names each field by pointer and rule, `not_in_programme` (409) where
    the programme neither selects nor places.
    """
    problems = _problems(definition, terms)
    if office is None:
        problems.append(Problem("not_in_programme", "/office", one_of(one.code for one in definition.offices)))
    if problems or office is None:
        raise Refusal(UNFIT, problems=tuple(problems), status=422)
    return office


def _problems(definition: Definition, terms: Terms) -> list[Problem]:
    selection, placement = definition.section(SelectionSection), definition.section(PlacementSection)
    listed = {
        "country": (terms.country, definition.countries_of_origin),
        "sector": (terms.sector, [one.code for one in definition.sectors]),
        "host_type": (terms.host_type, placement.codes("host_type")),
        "modality": (terms.modality, placement.modalities),
    }
    if terms.area is not None and definition.areas:
        listed["area"] = (terms.area, [one.code for one in definition.areas])
    problems = [
        Problem("not_in_programme", f"/terms/{name}", one_of(codes))
        for name, (value, codes) in listed.items()
        if value not in codes
    ]
    if terms.seats > selection.seats.most:
        problems.append(Problem("too_many_seats", "/terms/seats", f"{selection.seats.most} at most"))
    return [*problems, *_standards(terms), *_dates(definition, terms)]


def _standards(terms: Terms) -> Iterator[Problem]:
    """Codes of lists that are no programme's: ISCO-08 in all its levels, languages."""
    if terms.occupation not in occupation_codes():
        yield Problem("occupation_unknown", "/terms/occupation", "a code of ISCO-08, of any level")
    languages = [skill.language for skill in terms.languages]
    for number, code in enumerate(languages):
        place = f"/terms/languages/{number}/language"
        if code not in language_codes():
            yield Problem("language_unknown", place, A_LANGUAGE)
        elif code in languages[:number]:
            yield Problem("language_repeated", place, "a language is stated once, by one code")


def _dates(definition: Definition, terms: Terms) -> Iterator[Problem]:
    """Half-open days in order, within those of the programme."""
    dates = definition.dates
    if terms.ends_on <= terms.starts_on:
        yield Problem("ends_before_it_starts", "/terms/ends_on", "the day after the last one, so later than the first")
    if terms.starts_on < dates.starts:
        yield Problem("before_the_programme", "/terms/starts_on", f"{dates.starts} at the earliest")
    if terms.ends_on > dates.ends:
        yield Problem("after_the_programme", "/terms/ends_on", f"{dates.ends} at the latest")


def one_of(codes: Iterable[str]) -> str:
    """What would be right where a code of a list is named; no list is said beyond its first codes."""
    known = list(codes)
    return f"one of {', '.join(known[:CODES_SAID])}{' and others' if len(known) > CODES_SAID else ''}"
