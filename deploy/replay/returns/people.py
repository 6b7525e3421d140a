"""The generated people of a chapter: exact marginals, everything else from the seed."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any, get_args

from deploy.replay.returns.model import Correction, Group, Population
from shared.contracts.registration.persons import Attributes, LanguageSkill, Sex

# Syllables, not names: nobody is called like this.
GIVEN = tuple(
    "".join(parts) for parts in product(("Ba", "De", "Ko", "Li", "Mu", "Na", "Ro", "Su"), ("ran", "lem", "vit"))
)
FAMILY = tuple(
    "".join(parts) for parts in product(("Tor", "Wel", "Zan", "Qui", "Pol", "Gar"), ("adi", "eno", "isu", "umo"))
)
SEXES: tuple[Sex, ...] = get_args(Sex)


@dataclass(eq=False)
class Expert:
    """A generated person in the programme; `number` counts from 1. `first_said`: what was registered before a
    correction put it right (None: nothing had to be)."""

    number: int
    group: Group
    sex: Sex
    attributes: Attributes = field(default_factory=Attributes)
    eligible: bool = True
    failing: str = ""
    first_said: Attributes | None = None
    withdraws: str = ""

    @property
    def name(self) -> str:
        return f"expert-{self.number:04d}"

    @property
    def given_name(self) -> str:
        return GIVEN[self.number % len(GIVEN)]

    @property
    def family_name(self) -> str:
        """Unique, so that nobody is taken for a possible duplicate of somebody else."""
        return f"{FAMILY[self.number % len(FAMILY)]}-{self.number:04d}"


def registered(population: Population) -> list[Expert]:
    """Everybody who registered, by group and sex, without attributes yet."""
    people: list[Expert] = []
    for group in population.groups:
        for sex in SEXES:
            people += [Expert(len(people) + n, group, sex) for n in range(1, group.number(sex) + 1)]
    return people


def drawn(population: Population, rng: random.Random, busy: Collection[int], people: list[Expert]) -> None:
    """Makes the stated number of those who are not busy ineligible and gives everybody their attributes."""
    free = [one for one in people if one.number not in busy]
    failing = rng.sample(free, sum(one.persons for one in population.ineligible))
    reasons = [reason for reason in population.ineligible for _ in range(reason.persons)]
    for expert, reason in zip(failing, reasons, strict=True):
        expert.eligible = False
        expert.failing = reason.criterion
    columns = _columns(population, rng)
    eligible = [one for one in people if one.eligible]
    columns["life"] = _lives(columns["life"], [one.group.youngest for one in eligible], rng)
    for expert, values in zip(eligible, _rows(columns), strict=True):
        expert.attributes = _attributes(population, expert, values)
    for expert, reason in zip(failing, reasons, strict=True):
        lived = [
            life
            for life, one in zip(columns["life"], eligible, strict=True)
            if one.group.youngest == expert.group.youngest
        ]
        values = {name: rng.choice(column) for name, column in {**columns, "life": lived or columns["life"]}.items()}
        values[reason.attribute] = reason.value
        expert.attributes = _attributes(population, expert, values)


def corrected(
    corrections: Iterable[Correction], rng: random.Random, going: Collection[int], people: list[Expert]
) -> None:
    """Chooses of whom something else was said first: those who returned, then others."""
    free = [one for one in people if one.eligible]
    rng.shuffle(free)
    free.sort(key=lambda one: one.number not in going)
    for correction in corrections:
        name, said = correction.attribute, correction.first_said
        for expert in [one for one in free if getattr(one.attributes, name) != said][: correction.persons]:
            expert.first_said = expert.attributes.model_copy(update={name: said})
            free.remove(expert)


def withdrawing(population: Population, rng: random.Random, busy: Collection[int], people: list[Expert]) -> None:
    """Chooses who takes a consent back: persons of the office who are in no return."""
    free = [one for one in people if one.eligible and one.number not in busy]
    rng.shuffle(free)
    for line in population.withdrawn:
        for expert in [one for one in free if one.group.office == line.office][: line.persons]:
            expert.withdraws = line.purpose
            free.remove(expert)


def swap_professions(one: Expert, other: Expert) -> None:
    """How many persons there are in each sector stays as it is."""
    names = ("sector", "occupation")
    first, second = ({name: getattr(person.attributes, name) for name in names} for person in (one, other))
    one.attributes = one.attributes.model_copy(update=second)
    other.attributes = other.attributes.model_copy(update=first)


def _columns(population: Population, rng: random.Random) -> dict[str, list[Any]]:
    """For each attribute as many values as there are eligible persons, each value as often as stated."""
    columns: dict[str, list[Any]] = {
        name: [rng.randint(band.least, band.most) for band in getattr(population, name) for _ in range(band.persons)]
        for name in ("birth_years", "education", "experience_years")
    }
    # The older have worked longer: nobody is to have more years of work than of adult life.
    lives = list(zip(sorted(columns["birth_years"]), sorted(columns["experience_years"], reverse=True), strict=True))
    columns["life"] = lives
    del columns["birth_years"], columns["experience_years"]
    coded = {
        "residence_status": population.residence_statuses,
        "country_of_residence": population.residences,
        "nationality": population.nationalities,
    }
    for name, lines in coded.items():
        if lines:
            columns[name] = [one.code for one in lines for _ in range(one.persons)]
    columns["profession"] = [
        (one.sector, rng.choice(one.occupations)) for one in population.professions for _ in range(one.persons)
    ]
    for language, levels in population.languages.items():
        columns[f"speaks {language}"] = [one.level for one in levels for _ in range(one.persons)]
    for column in columns.values():
        rng.shuffle(column)
    return columns


def _lives(lives: list[Any], youngest: list[bool], rng: random.Random) -> list[Any]:
    """The same pairs of birth year and experience, those who were born last where the youngest stand."""
    if not any(youngest):
        return lives
    ordered = sorted(lives, key=lambda life: (-life[0], life[1]))
    young, others = ordered[: sum(youngest)], ordered[sum(youngest) :]
    rng.shuffle(young)
    rng.shuffle(others)
    return [(young if one else others).pop() for one in youngest]


def _rows(columns: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def _attributes(population: Population, expert: Expert, values: dict[str, Any]) -> Attributes:
    sector, occupation = values["profession"]
    birth_year, experience = values["life"]
    group, status = expert.group, values.get("residence_status")
    residence = values.get("country_of_residence") or group.residence
    own = residence if status == "citizen" else group.origin
    # Terms of reference ask for the first language that a whole shortlist speaks.
    spoken = {**{one: values[f"speaks {one}"] for one in population.languages}, **group.languages}
    return Attributes.model_validate(
        {
            "sex": expert.sex,
            "birth_year": birth_year,
            "nationality": values.get("nationality") or group.nationality or own,
            "country_of_origin": group.origin,
            "country_of_residence": residence,
            "residence_status": status,
            "education": values["education"],
            "occupation": occupation,
            "experience_years": values.get("experience_years", experience),
            "sector": sector,
            "languages": tuple(LanguageSkill(language=one, level=level) for one, level in spoken.items()),
            "category": group.category,
        }
    )
