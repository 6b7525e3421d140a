"""The score of an expert for an assignment: integer points of named components, and a total order.

Sex is in none of them. Reaching what the terms require gives half of a graded component's weight; what goes
beyond gives the rest, up to a cap. So more education, experience or language never lowers a score.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shared.contracts.matching.assignments import Terms
from shared.contracts.matching.matches import ScoreComponent
from shared.contracts.registration.persons import Attributes
from shared.programmes.eligibility import level_rank
from shared.programmes.model import Definition
from shared.programmes.sections.selection import Component, SelectionSection

# Beyond the requirement these many levels, years or CEFR steps give the full weight.
EDUCATION_CAP = 2
EXPERIENCE_CAP = 10
LANGUAGE_CAP = 2


@dataclass(frozen=True)
class Standing:
    """What is known of the expert beside the attributes: returns already begun in this programme."""

    returns: int = 0


NEWCOMER = Standing()


def score(
    definition: Definition, terms: Terms, attributes: Attributes, facts: Standing = NEWCOMER
) -> tuple[int, tuple[ScoreComponent, ...]]:
    """The sum of the components' points, and each component with its points and weight, in the file's order."""
    components = tuple(
        ScoreComponent(
            component=one.component,
            points=_points(one.weight, _PARTS[one.component](terms, attributes, facts)),
            weight=one.weight,
        )
        for one in definition.section(SelectionSection).score
    )
    return sum(one.points for one in components), components


def rank_key(score: int, expert: str) -> tuple[int, str]:
    """Ascending order of these keys is the ranking: higher scores first, equal ones by expert id."""
    return (-score, expert)


# A part is (earned, possible): an exact fraction, so that no component ever rounds in floating point.
Part = tuple[int, int]


def _points(weight: int, part: Part) -> int:
    earned, possible = part
    return weight * earned // possible


def _graded(held: int | None, required: int, cap: int) -> Part:
    if held is None or held < required:
        return (0, 1)
    return (cap + min(held - required, cap), 2 * cap)


def _occupation(terms: Terms, attributes: Attributes, facts: Standing) -> Part:
    """ISCO-08 digits in common from the left, of those that the terms give."""
    common = 0
    for wanted, held in zip(terms.occupation, attributes.occupation or "", strict=False):
        if wanted != held:
            break
        common += 1
    return (common, len(terms.occupation))


def _sector(terms: Terms, attributes: Attributes, facts: Standing) -> Part:
    return (int(attributes.sector == terms.sector), 1)


def _education(terms: Terms, attributes: Attributes, facts: Standing) -> Part:
    return _graded(attributes.education, terms.education, EDUCATION_CAP)


def _experience(terms: Terms, attributes: Attributes, facts: Standing) -> Part:
    return _graded(attributes.experience_years, terms.experience_years, EXPERIENCE_CAP)


def _language(terms: Terms, attributes: Attributes, facts: Standing) -> Part:
    """The mean over the languages that the terms ask for; full where they ask for none."""
    if not terms.languages:
        return (1, 1)
    best: dict[str, int] = {}
    for held in attributes.languages:
        best[held.language] = max(best.get(held.language, -1), level_rank(held.level))
    parts = [_graded(best.get(one.language), level_rank(one.level), LANGUAGE_CAP) for one in terms.languages]
    return (sum(earned * (2 * LANGUAGE_CAP // possible) for earned, possible in parts), 2 * LANGUAGE_CAP * len(parts))


def _origin(terms: Terms, attributes: Attributes, facts: Standing) -> Part:
    return (int(attributes.country_of_origin == terms.country), 1)


def _first_time(terms: Terms, attributes: Attributes, facts: Standing) -> Part:
    return (int(facts.returns == 0), 1)


_PARTS: Mapping[Component, Callable[[Terms, Attributes, Standing], Part]] = {
    "occupation": _occupation,
    "sector": _sector,
    "education": _education,
    "experience": _experience,
    "language": _language,
    "origin": _origin,
    "first_time": _first_time,
}
