"""The generated people of a history: exact marginals, everything else from the seed."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from deploy.replay.history import Group, History, Population
from shared.contracts.registration import Attributes, LanguageSkill

# Syllables, not names: nobody is called like this.
GIVEN = tuple(
    "".join(parts) for parts in product(("Ba", "De", "Ko", "Li", "Mu", "Na", "Ro", "Su"), ("ran", "lem", "vit"))
)
FAMILY = tuple(
    "".join(parts) for parts in product(("Tor", "Wel", "Zan", "Qui", "Pol", "Gar"), ("adi", "eno", "isu", "umo"))
)
OWN_LEVEL = "C2"
RESIDENCE_LANGUAGE = LanguageSkill(language="nl", level="B2")


@dataclass(eq=False)
class Expert:
    """A generated person in the programme; `number` counts from 1."""

    number: int
    group: Group
    sex: str
    attributes: Attributes = field(default_factory=Attributes)
    eligible: bool = True

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


def drawn(history: History, rng: random.Random, busy: Iterable[int], people: list[Expert]) -> None:
    """Makes the stated number of those who are not busy ineligible and gives everybody their attributes."""
    free = [one for one in people if one.number not in set(busy)]
    failing = rng.sample(free, sum(one.persons for one in history.population.ineligible))
    reasons = [reason for reason in history.population.ineligible for _ in range(reason.persons)]
    for expert in failing:
        expert.eligible = False
    columns = _columns(history.population, rng)
    for expert, values in zip((one for one in people if one.eligible), _rows(columns), strict=True):
        expert.attributes = _attributes(history.population, expert, values)
    for expert, reason in zip(failing, reasons, strict=True):
        values = {name: rng.choice(column) for name, column in columns.items()}
        values[reason.attribute] = reason.value
        expert.attributes = _attributes(history.population, expert, values)


def registered(history: History) -> list[Expert]:
    """Everybody who registered, by office and sex, without attributes yet."""
    people: list[Expert] = []
    for group in history.population.groups:
        for sex, number in (("female", group.female), ("male", group.male)):
            people += [Expert(len(people) + n, group, sex) for n in range(1, number + 1)]
    return people


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
    columns["residence_status"] = [one.code for one in population.residence_statuses for _ in range(one.persons)]
    columns["english"] = [one.level for one in population.english for _ in range(one.persons)]
    columns["profession"] = [
        (one.sector, rng.choice(one.occupations)) for one in population.professions for _ in range(one.persons)
    ]
    for column in columns.values():
        rng.shuffle(column)
    return columns


def _rows(columns: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def _attributes(population: Population, expert: Expert, values: dict[str, Any]) -> Attributes:
    sector, occupation = values["profession"]
    birth_year, experience = values["life"]
    residence = values.get("country_of_residence", population.residence)
    citizen = values["residence_status"] == "citizen"
    spoken = [LanguageSkill(language=one, level=OWN_LEVEL) for one in expert.group.languages if one != "en"]
    return Attributes.model_validate(
        {
            "sex": expert.sex,
            "birth_year": birth_year,
            "nationality": residence if citizen else expert.group.origin,
            "country_of_origin": expert.group.origin,
            "country_of_residence": residence,
            "residence_status": values["residence_status"],
            "education": values["education"],
            "occupation": occupation,
            "experience_years": values.get("experience_years", experience),
            "sector": sector,
            "languages": (*spoken, LanguageSkill(language="en", level=values["english"]), RESIDENCE_LANGUAGE),
            "category": "diaspora",
        }
    )
