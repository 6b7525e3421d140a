"""Whether terms of reference fit the programme under which they are written."""

from __future__ import annotations

from collections.abc import Iterator

from shared.contracts.iso_codes import A_LANGUAGE, language_codes
from shared.contracts.matching.assignments import Terms
from shared.contracts.occupations import occupation_codes
from shared.errors import Problem, Refusal
from shared.programmes.model import Definition, Office
from shared.programmes.sections.placement import PlacementSection
from shared.programmes.sections.selection import SelectionSection

UNFIT = "terms_do_not_fit"


def check_terms(definition: Definition, office: Office | None, terms: Terms) -> Office:
    """The office that the terms are written in; None: the programme has none of the code that was named.

    Raises Refusal `terms_do_not_fit` (422) that names each field by pointer and rule, `not_in_programme` (409) where
    the programme neither selects nor places.
    """
    problems = _problems(definition, terms)
    if office is None:
        problems.append(Problem("not_in_programme", "/office"))
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
        Problem("not_in_programme", f"/terms/{name}") for name, (value, codes) in listed.items() if value not in codes
    ]
    if terms.seats > selection.seats.most:
        problems.append(Problem("too_many_seats", "/terms/seats"))
    return [*problems, *_standards(terms), *_dates(definition, terms)]


def _standards(terms: Terms) -> Iterator[Problem]:
    """Codes of lists that are no programme's: ISCO-08 in all its levels, languages."""
    if terms.occupation not in occupation_codes():
        yield Problem("occupation_unknown", "/terms/occupation")
    for number, skill in enumerate(terms.languages):
        if skill.language not in language_codes():
            yield Problem("language_unknown", f"/terms/languages/{number}/language", A_LANGUAGE)


def _dates(definition: Definition, terms: Terms) -> Iterator[Problem]:
    """Half-open days in order, within those of the programme."""
    if terms.ends_on <= terms.starts_on:
        yield Problem("ends_before_it_starts", "/terms/ends_on")
    if terms.starts_on < definition.dates.starts:
        yield Problem("before_the_programme", "/terms/starts_on")
    if terms.ends_on > definition.dates.ends:
        yield Problem("after_the_programme", "/terms/ends_on")
