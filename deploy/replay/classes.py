"""In which classes of a dimension a figure of a history can stand."""

from __future__ import annotations

import re
from collections.abc import Iterable

from deploy.replay.cases.model import Cases
from deploy.replay.returns.model import Returns
from shared.programmes.checks import countries_of, known_codes
from shared.programmes.fact_words import NOT_STATED
from shared.programmes.indicators import Dimension
from shared.programmes.model import Definition

WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")


def can_be(wanted: str, dimension: Dimension, definition: Definition, chapters: Iterable[Returns | Cases]) -> bool:
    """Whether facts of the chapters can fall into the class; what is not stated has a class in every dimension."""
    if wanted == NOT_STATED:
        return True
    if dimension.classes:
        return wanted in {one.code for one in dimension.classes}
    if dimension.numeric:
        return WHOLE_NUMBER.fullmatch(wanted) is not None
    listed = _listed(definition, str(dimension.field or dimension.attribute))
    return listed is None or wanted in listed or wanted in _of_ineligible(dimension, chapters)


def _listed(definition: Definition, word: str) -> frozenset[str] | None:
    """The codes that the programme lists for the word; None where any may come.

    Of a country, ISO 3166 alone would let pass what no person and no case of the programme can name.
    """
    countries = {
        "country": countries_of(definition),
        "country_of_origin": frozenset(definition.countries_of_origin),
        "country_of_residence": frozenset(definition.countries_of_residence),
    }
    return countries.get(word) or known_codes(definition).get(word)


def _of_ineligible(dimension: Dimension, chapters: Iterable[Returns | Cases]) -> set[str]:
    """Whoever fails a criterion may do so by a code that the programme does not list, and is counted all the same."""
    lines = (line for one in chapters if isinstance(one, Returns) for line in one.population.ineligible)
    return {str(line.value) for line in lines if line.attribute == dimension.attribute}
