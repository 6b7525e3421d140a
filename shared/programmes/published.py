"""Definitions as topics keep them: a published one stays readable whatever shape a file had when it was published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.programmes.model import Definition

# Where each field of the flat shape stands today. What it did not know of is left where it is.
_MOVED: Mapping[str, tuple[str, ...]] = {
    "eligibility": ("selection", "eligibility"),
    "score": ("selection", "score"),
    "shortlist": ("selection", "shortlist"),
    "offer_expires_days": ("selection", "offers", "expires_days"),
    "seats": ("selection", "seats"),
    "modalities": ("placement", "modalities"),
    "host_types": ("placement", "host_types"),
    "preparation": ("placement", "preparation"),
}


def published(data: Any) -> Definition:
    """The definition that a `ProgrammePublished` carries. Raises ValidationError for one that cannot be used."""
    return Definition.model_validate(lifted(data))


def lifted(data: Any) -> Any:
    """A definition of the flat shape in sections; one that has sections, or is none at all, as it is.

    Every flat definition listed its modalities at the top, and no other has such a field there. Both its sections
    are written, so that what it left to defaults stays open to it.
    """
    if not isinstance(data, Mapping) or "modalities" not in data:
        return data
    nested: dict[str, Any] = {name: value for name, value in data.items() if name not in _MOVED}
    nested |= {"selection": {}, "placement": {}}
    for name, (*path, last) in _MOVED.items():
        if name in data:
            part = nested
            for step in path:
                part = part.setdefault(step, {})
            part[last] = data[name]
    return nested
