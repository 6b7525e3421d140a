"""Whether terms of reference fit the programme under which they are written."""

from __future__ import annotations

from shared.contracts.matching import Terms
from shared.errors import Problem, Refusal
from shared.programmes.model import Definition
from shared.programmes.sections.placement import PlacementSection
from shared.programmes.sections.selection import SelectionSection


def check_terms(definition: Definition, office: str, terms: Terms) -> None:
    """Raises Refusal `terms_do_not_fit` (422) that names each field by pointer and rule.

    Refusal `not_in_programme` (409) where the programme neither selects nor places.
    """
    if problems := tuple(_problems(definition, office, terms)):
        raise Refusal("terms_do_not_fit", problems=problems, status=422)


def _problems(definition: Definition, office: str, terms: Terms) -> list[Problem]:
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
    if definition.office(office) is None:
        problems.append(Problem("not_in_programme", "/office"))
    if terms.seats > selection.seats.most:
        problems.append(Problem("too_many_seats", "/terms/seats"))
    if terms.ends_on <= terms.starts_on:
        problems.append(Problem("ends_before_it_starts", "/terms/ends_on"))
    return problems
