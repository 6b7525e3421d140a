"""What the rules say of one expert for one assignment: hard filters, an explained score, a total order.

Built on the programme's definition (shared.programmes). Sex is in none of it: shares are met by whom an office
sources and allocates, never by points.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from shared.contracts.matching.assignments import Terms
from shared.contracts.matching.matches import ScoreComponent
from shared.contracts.registration.persons import Attributes, ProfileEntry
from shared.contracts.registration.persons import attributes_on as known_attributes
from shared.programmes.eligibility import unmet_terms
from shared.programmes.model import Definition
from shared.programmes.scoring import Standing, rank_key, score
from shared.programmes.sections.selection import Shortlist

# Why somebody is not selected who does not pass them.
HARD_FILTERS = "hard_filters"


@dataclass(frozen=True)
class Assessment:
    """`failed`: names of the hard filters that were not passed; then there is no score. Integers throughout."""

    score: int = 0
    components: tuple[ScoreComponent, ...] = ()
    failed: tuple[str, ...] = ()


def assess(definition: Definition, terms: Terms, attributes: Attributes, returns: int) -> Assessment:
    """Filters first: education, experience and languages as the terms ask for them; then the programme's weights.

    `returns`: how often the person already began a return in this programme.
    """
    failed = tuple(one.criterion for one in unmet_terms(terms, attributes))
    if failed:
        return Assessment(failed=failed)
    points, components = score(definition, terms, attributes, Standing(returns))
    return Assessment(points, components)


def attributes_on(entries: Iterable[Mapping[str, Any]], day: date) -> Attributes | None:
    """The attributes of the person's profile on that day; None where there is no entry at all.

    Before the first entry the first one holds: it is the least that is known of that time.
    """
    return known_attributes(map(ProfileEntry.model_validate, entries), day, before="first")


@dataclass(frozen=True)
class Candidate:
    """A longlisted match as the ranking sees it."""

    match: str
    expert: str
    score: int


def ranked(candidates: Iterable[Candidate], bounds: Shortlist) -> tuple[str, ...]:
    """The matches of the shortlist: higher scores first, equal ones by expert id, `bounds.most` at most."""
    order = sorted(candidates, key=lambda one: rank_key(one.score, one.expert))
    return tuple(one.match for one in order[: bounds.most])
