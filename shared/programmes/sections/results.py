"""The section `results`: what a programme builds or improves, and whom that reaches."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.programmes.sections.base import CaseSection, Listed

Reached = Literal["families", "persons"]


class ResultsSection(CaseSection):
    """Sites and the works at them, counted as things; families and persons reached are numbers, never records."""

    words = {"site_kind": "site_kinds", "work_kind": "work_kinds", "reached": "reached"}

    site_kinds: Annotated[
        tuple[Listed, ...], Field(min_length=1, max_length=100, description="the kinds of site that works are done at")
    ]
    work_kinds: Annotated[
        tuple[Listed, ...], Field(min_length=1, max_length=100, description="the kinds of work done at a site")
    ]
    reached: Annotated[
        tuple[Reached, ...],
        Field(min_length=1, max_length=10, description="in which units it is stated whom a work reaches"),
    ]
