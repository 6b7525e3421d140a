"""What a chapter of returns states of persons against the programme's criteria: who is eligible meets each of them,
who is not fails the one that is named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from pydantic import ValidationError

from deploy.replay.returns.model import Group, Population, Returns
from deploy.replay.returns.people import SEXES
from shared.contracts.registration.persons import Attributes, Cefr, LanguageSkill
from shared.errors import rule_of
from shared.programmes.eligibility import failed_criteria, level_rank
from shared.programmes.marked_yaml import Broken
from shared.programmes.model import Definition
from shared.programmes.sections.selection import SelectionSection

# Where a value stands within the population, of which attribute it is, and the value.
Stated = Iterator[tuple[str, str, Any]]


def check_eligibility(chapter: Returns, definition: Definition) -> Iterator[Broken]:
    """Broken rules, by pointer within the chapter. The programme has a section `selection`."""
    population, on = chapter.population, chapter.population.registered.starts
    found: dict[str, Broken] = {}
    for pointer, attribute, value in (*_of_all(population), *_of_groups(population)):
        place = f"/population/{pointer}"
        failed = _failed(definition, attribute, value, on)
        if isinstance(failed, ValidationError):
            found.setdefault(place, _refused(place, failed))
        elif failed:
            found.setdefault(place, _unmet(place, failed))
    yield from found.values()
    yield from _languages(population, definition, on)
    yield from _ineligible(population, definition, on)


def _unmet(place: str, failed: list[str]) -> Broken:
    return Broken(place, "not_eligible", f"the criterion {failed[0]} is not met, and these persons are eligible")


def _failed(definition: Definition, attribute: str, value: Any, on: date) -> list[str] | ValidationError:
    """The criteria that the value of the attribute does not meet, or why it is no value of it."""
    try:
        person = Attributes.model_validate({attribute: value})
    except ValidationError as error:
        return error
    return _failing(definition, person, attribute, on)


def _failing(definition: Definition, person: Attributes, attribute: str, on: date) -> list[str]:
    """The criteria that look at the attribute and that the person does not meet."""
    looking = {one.criterion for one in definition.section(SelectionSection).eligibility if one.attribute == attribute}
    return [one.criterion for one in failed_criteria(definition, person, on) if one.criterion in looking]


def _refused(place: str, error: ValidationError) -> Broken:
    (first, *_) = error.errors(include_url=False, include_context=False, include_input=False)
    return Broken(place, rule_of(first["type"]), first["msg"])


def _ineligible(population: Population, definition: Definition, on: date) -> Iterator[Broken]:
    criteria = {one.criterion: one.attribute for one in definition.section(SelectionSection).eligibility}
    statuses = {one.code for one in definition.residence_statuses}
    for number, one in enumerate(population.ineligible):
        place = f"/population/ineligible/{number}"
        if one.criterion not in criteria:
            continue
        if criteria[one.criterion] != one.attribute:
            detail = f"the criterion looks at {criteria[one.criterion]}"
            yield Broken(f"{place}/attribute", "other_attribute", detail)
            continue
        failed = _failed(definition, one.attribute, one.value, on)
        if isinstance(failed, ValidationError):
            yield _refused(f"{place}/value", failed)
        elif one.attribute == "residence_status" and one.value not in statuses:
            # It would be refused at the edge, and nobody would be registered to be found ineligible.
            yield Broken(f"{place}/value", "unknown_code", "the programme does not list this code")
        elif failed != [one.criterion]:
            detail = f"with it these criteria are not met: {', '.join(failed) or 'none'}"
            yield Broken(f"{place}/value", "other_criterion", detail)


def _of_all(population: Population) -> Stated:
    """What is stated by numbers; of a band its ends, for a criterion that both meet is met between them."""
    bands = {"birth_years": "birth_year", "education": "education", "experience_years": "experience_years"}
    for name, attribute in bands.items():
        for number, band in enumerate(getattr(population, name)):
            if band.persons:
                yield f"{name}/{number}/least", attribute, band.least
                yield f"{name}/{number}/most", attribute, band.most
    coded = {
        "residence_statuses": "residence_status",
        "residences": "country_of_residence",
        "nationalities": "nationality",
    }
    for name, attribute in coded.items():
        for number, line in enumerate(getattr(population, name)):
            if line.persons:
                yield f"{name}/{number}/code", attribute, line.code
    if not population.residence_statuses:
        yield "residence_statuses", "residence_status", None
    for number, profession in enumerate(population.professions):
        if profession.persons:
            yield f"professions/{number}/sector", "sector", profession.sector


def _of_groups(population: Population) -> Stated:
    for number, group in enumerate(population.groups):
        place = f"groups/{number}"
        if not group.persons:
            continue
        yield f"{place}/origin", "country_of_origin", group.origin
        yield f"{place}/category", "category", group.category
        yield from ((f"{place}/{sex}", "sex", sex) for sex in SEXES if group.number(sex))
        if group.residence is not None:
            yield f"{place}/residence", "country_of_residence", group.residence
        if not population.nationalities:
            yield from ((f"{place}/nationality", "nationality", one) for one in _nationalities(population, group))


def _nationalities(population: Population, group: Group) -> set[str]:
    """Those that persons of the group may have: what is stated, or what follows from their residence status."""
    if group.nationality is not None:
        return {group.nationality}
    statuses = {one.code for one in population.residence_statuses if one.persons}
    residences: list[str | None] = [one.code for one in population.residences if one.persons] or [group.residence]
    own = {one for one in residences if one is not None and "citizen" in statuses}
    return own if statuses == {"citizen"} else own | {group.origin}


def _languages(population: Population, definition: Definition, on: date) -> Iterator[Broken]:
    """Any level of one language may come together with any of another, and with what a group speaks.

    Where one level is too low, its line speaks, otherwise the group's.
    """
    levels = {
        language: sorted((level_rank(one.level), number, one.level) for number, one in enumerate(lines) if one.persons)
        for language, lines in population.languages.items()
    }
    levels = {language: lines for language, lines in levels.items() if lines}
    best, worst = ({language: lines[place][2] for language, lines in levels.items()} for place in (-1, 0))

    def failed(spoken: Mapping[str, Cefr]) -> list[str]:
        skills = tuple(LanguageSkill(language=language, level=level) for language, level in spoken.items())
        return _failing(definition, Attributes(languages=skills), "languages", on)

    found: dict[str, Broken] = {}
    for n, group in enumerate(population.groups):
        unmet = failed({**worst, **group.languages}) if group.persons else []
        too_low = [
            f"/population/languages/{language}/{number}/level"
            for language, lines in levels.items()
            for _, number, level in lines
            if unmet and failed({**best, language: level, **group.languages})
        ]
        if unmet and (not too_low or failed({**best, **group.languages})):
            too_low = [f"/population/groups/{n}/languages"]
        for place in too_low:
            found.setdefault(place, _unmet(place, unmet))
    yield from found.values()
