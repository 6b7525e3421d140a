"""What a life can have brought by a day: years of birth, of work and of school, one against the other.

Known is the year of birth alone, so an age here is the greatest that is possible. The bounds are ones that nobody has
broken, not usual ones: whoever is early or old is not refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from shared.contracts.registration.persons import Attributes

# The oldest person whose age is documented lived 122 years.
AGE_AT_MOST = 125
# The attribute.
BIRTH_YEAR = "birth_year"
# Convention 138 of the International Labour Organization allows light work from 12 at the earliest.
WORKS_FROM = 12
# ISCED 2011: level 1 begins at five at the earliest and takes four years; each further level takes a year or more.
FIRST_LEVEL_AT, LEVEL_YEARS = 9, 1

RULES: Mapping[str, str] = {
    "born_after_valid_from": "the year of birth is not later than the day from which this holds",
    "age_beyond_a_life": f"nobody is older than {AGE_AT_MOST} years on the day from which this holds",
    "experience_beyond_a_life": f"years of experience are counted from the age of {WORKS_FROM}",
    "education_beyond_a_life": f"level 1 is completed at {FIRST_LEVEL_AT} at the earliest, each level a year later",
}


def beyond_a_life(attributes: Attributes, on: date) -> Mapping[str, str]:
    """By attribute the rule (of RULES) that it breaks on that day; empty without a year of birth."""
    if attributes.birth_year is None:
        return {}
    age, found = on.year - attributes.birth_year, dict[str, str]()
    if age < 0:
        # Everything else would follow from it.
        return {BIRTH_YEAR: "born_after_valid_from"}
    if age > AGE_AT_MOST:
        found[BIRTH_YEAR] = "age_beyond_a_life"
    if (attributes.experience_years or 0) > max(age - WORKS_FROM, 0):
        found["experience_years"] = "experience_beyond_a_life"
    level = attributes.education or 0
    if level and age < FIRST_LEVEL_AT + (level - 1) * LEVEL_YEARS:
        found["education"] = "education_beyond_a_life"
    return found
