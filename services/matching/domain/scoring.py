"""What the rules say of one expert for one assignment: hard filters, an explained score, a total order.

Built on the programme's definition (shared.programmes). Sex is in none of it: shares are met by whom an office
sources and allocates, never by points.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from shared.clock import text_of
from shared.contracts.matching import ScoreComponent, Terms
from shared.contracts.registration import Attributes, ProfileEntry
from shared.programmes.eligibility import unmet_terms
from shared.programmes.model import Definition
from shared.programmes.scoring import Standing, rank_key, score
from shared.programmes.sections.selection import Shortlist


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
    """The attributes that were valid on that day, as they are known now; None where there is no entry at all.

    A correction has the `valid_from` of what it corrects and a later `recorded_at`. Before the first entry the
    first one holds: it is the least that is known of that time.
    """
    known = sorted(
        (ProfileEntry.model_validate(entry) for entry in entries),
        key=lambda entry: (entry.valid_from, text_of(entry.recorded_at), entry.id),
    )
    if not known:
        return None
    past = [entry for entry in known if entry.valid_from <= day]
    if past:
        return past[-1].attributes
    return [entry for entry in known if entry.valid_from == known[0].valid_from][-1].attributes


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
