"""Older event bodies, brought up step by step to the newest version that this code knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Body = dict[str, Any]
Step = Callable[[Body], Body]


def _terms_not_said(body: Body) -> Body:
    return {**body, "terms": None}


def _as_it_was(body: Body) -> Body:
    """The version after it only lets more codes in: languages of ISO 639-3, nationalities of ICAO Doc 9303."""
    return body


# One pure step an old version: (type name, version) -> the body as the next version has it.
# An entry stands for ever, since topics keep their first event for ever.
STEPS: Mapping[tuple[str, int], Step] = {
    ("org.sankofa.matching.ApplicationReceived", 1): _terms_not_said,
    ("org.sankofa.matching.ApplicationReceived", 2): _as_it_was,
    ("org.sankofa.matching.AssignmentDrafted", 1): _as_it_was,
    ("org.sankofa.matching.AssignmentRevised", 1): _as_it_was,
    ("org.sankofa.matching.ExpertSourced", 1): _terms_not_said,
    ("org.sankofa.matching.ExpertSourced", 2): _as_it_was,
    ("org.sankofa.matching.OfferAccepted", 1): _as_it_was,
    ("org.sankofa.placement.PlacementOpened", 1): _as_it_was,
    ("org.sankofa.registration.Profile", 1): _as_it_was,
}


def upcast(steps: Mapping[tuple[str, int], Step], name: str, version: int, newest: int, body: Body) -> Body:
    """The body as `newest` has it. Raises KeyError where a step is missing."""
    for old in range(version, newest):
        body = steps[(name, old)](dict(body))
    return body
