"""The lists of codes that a definition writes out for people: by word, each code with its name."""

from __future__ import annotations

from collections.abc import Mapping

from shared.programmes.model import Definition
from shared.programmes.sections.base import Listed, Section

Rows = tuple[Listed, ...]


def whole_lists(definition: Definition) -> Mapping[str, Rows]:
    """Those of the whole programme."""
    return {
        "sector": definition.sectors,
        "area": definition.areas,
        "category": definition.categories,
        "residence_status": definition.residence_statuses,
    }


def listed_codes(definition: Definition, section: Section | None) -> Mapping[str, Rows]:
    """Word -> its codes as a case of the section may name them; the words of every section are there.

    No entry where the definition lists none.
    """
    parts = definition.sections().values()
    of_parts = {word: getattr(part, field) for part in parts for word, field in part.words.items()}
    narrowed = section.narrowed() if section else {}
    found = {}
    for word, given in {**whole_lists(definition), **of_parts}.items():
        rows = tuple(one for one in given if isinstance(one, Listed))
        if kept := tuple(one for one in rows if one.code in narrowed.get(word, {one.code})):
            found[word] = kept
    return found


def plain_codes(definition: Definition) -> Mapping[str, tuple[str, ...]]:
    """Word -> its codes where the definition chooses among the service's own, whose words are everybody's."""
    parts = definition.sections().values()
    found = {word: getattr(part, field) for part in parts for word, field in part.words.items()}
    return {
        word: codes for word, given in found.items() if (codes := tuple(one for one in given if isinstance(one, str)))
    }


def added_codes(section: Section | None) -> Mapping[str, Rows]:
    """Word -> the codes that the section adds to those of the verbs."""
    return {word: getattr(section, field) for word, field in section.adds.items()} if section else {}
