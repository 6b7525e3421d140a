"""Codes of a chapter of returns: countries and languages that exist, and what the programme lists."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from deploy.replay.cases.tables import tables
from deploy.replay.returns.model import Returns
from shared.cases.bodies import REASON
from shared.contracts.iso_codes import (
    A_COUNTRY,
    A_LANGUAGE,
    A_NATIONALITY,
    country_codes,
    language_codes,
    nationality_codes,
)
from shared.programmes.marked_yaml import Broken
from shared.programmes.model import Definition
from shared.programmes.reasons import CODE_NOT_LISTED, own_codes
from shared.programmes.sections.placement import PlacementSection
from shared.programmes.sections.selection import SelectionSection

Named = Iterator[tuple[str, str | None, Collection[str]]]


def known_everywhere(chapter: Returns) -> Iterator[Broken]:
    """Countries, nationalities and languages."""
    population = chapter.population
    countries = [(f"/hosts/{n}/country", one.country) for n, one in enumerate(chapter.hosts)]
    countries += [(f"/population/residences/{n}/code", one.code) for n, one in enumerate(population.residences)]
    nationalities = [
        (f"/population/nationalities/{n}/code", one.code) for n, one in enumerate(population.nationalities)
    ]
    languages = [(f"/population/languages/{one}", one) for one in population.languages]
    for n, group in enumerate(population.groups):
        pointer = f"/population/groups/{n}"
        stated = {"origin": group.origin, "residence": group.residence}
        countries += [(f"{pointer}/{name}", code) for name, code in stated.items() if code is not None]
        if group.nationality is not None:
            nationalities.append((f"{pointer}/nationality", group.nationality))
        languages += [(f"{pointer}/languages/{one}", one) for one in group.languages]
    for pointer, code in countries:
        if code not in country_codes():
            yield Broken(pointer, "unknown_country", A_COUNTRY)
    for pointer, code in nationalities:
        if code not in nationality_codes():
            yield Broken(pointer, "unknown_country", A_NATIONALITY)
    for pointer, code in languages:
        if code not in language_codes():
            yield Broken(pointer, "unknown_language", A_LANGUAGE)


def codes_of_programme(chapter: Returns, definition: Definition) -> Iterator[Broken]:
    """Whatever the chapter names that the programme has to list."""
    if {"selection", "placement"} - definition.sections().keys():
        return
    for pointer, code, known in (*_of_people(chapter, definition), *_of_posts(chapter, definition)):
        if code is not None and code not in known:
            yield Broken(pointer, "unknown_code", "the programme does not list this code")
    yield from _reasons(chapter, definition)


def _reasons(chapter: Returns, definition: Definition) -> Iterator[Broken]:
    """Why a placement was called off or ended early: as its verbs have it, and as the programme adds."""
    rows, part = tables()["placement/placements"].rows, definition.section(PlacementSection)
    for name, verb in (("cancelled", "cancel"), ("ended_early", "end-early")):
        codes = own_codes(rows[verb][0], part)[REASON]
        for n, one in enumerate(getattr(chapter.deliveries, name)):
            if one.reason not in codes:
                pointer = f"/deliveries/{name}/{n}/reason"
                yield Broken(pointer, CODE_NOT_LISTED, f"a reason is one of {', '.join(codes)}")


def _of_people(chapter: Returns, definition: Definition) -> Named:
    offices, categories = [one.code for one in definition.offices], [one.code for one in definition.categories]
    criteria = [one.criterion for one in definition.section(SelectionSection).eligibility]
    statuses, sectors = [one.code for one in definition.residence_statuses], [one.code for one in definition.sectors]
    residences = definition.countries_of_residence
    for n, group in enumerate(chapter.population.groups):
        yield f"/population/groups/{n}/office", group.office, offices
        yield f"/population/groups/{n}/origin", group.origin, definition.countries_of_origin
        if residences:
            yield f"/population/groups/{n}/residence", group.residence, residences
        yield f"/population/groups/{n}/category", group.category, categories
    for n, residence in enumerate(chapter.population.residences if residences else ()):
        yield f"/population/residences/{n}/code", residence.code, residences
    for n, profession in enumerate(chapter.population.professions):
        yield f"/population/professions/{n}/sector", profession.sector, sectors
    for n, status in enumerate(chapter.population.residence_statuses):
        yield f"/population/residence_statuses/{n}/code", status.code, statuses
    for n, one in enumerate(chapter.population.ineligible):
        yield f"/population/ineligible/{n}/criterion", one.criterion, criteria


def _of_posts(chapter: Returns, definition: Definition) -> Named:
    placement = definition.section(PlacementSection)
    areas, offices = [one.code for one in definition.areas], [one.code for one in definition.offices]
    for n, host in enumerate(chapter.hosts):
        yield f"/hosts/{n}/office", host.office, offices
        yield f"/hosts/{n}/country", host.country, definition.countries_of_origin
        if areas:
            yield f"/hosts/{n}/area", host.area, areas
        for sector in host.number_by_sector:
            yield f"/hosts/{n}/number_by_sector/{sector}", sector, [one.code for one in definition.sectors]
    for n, kind in enumerate(chapter.host_types):
        yield f"/host_types/{n}", kind, placement.codes("host_type")
    for form in chapter.deliveries.modalities or ("temporary",):
        pointer = f"/deliveries/modalities/{form}" if chapter.deliveries.modalities else "/deliveries"
        yield pointer, form, placement.modalities
