"""The section `placement`: in which forms people return, to which hosts, and what must be ready before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from shared.contracts.matching.assignments import Modality
from shared.contracts.placement.placements import PreparationStep
from shared.programmes.marked_yaml import Broken
from shared.programmes.sections.base import CaseSection, Known, Listed, repeated

# Nobody travels for virtual work: docs/domain.md, section 1.
TRAVEL_STEPS = frozenset({"visa", "ticket", "insurance"})


class PlacementSection(CaseSection):
    """Returns to host institutions: what terms of reference may ask for and what placement carries out."""

    words = {"modality": "modalities", "host_type": "host_types"}

    modalities: Annotated[
        tuple[Modality, ...],
        Field(min_length=1, max_length=10, description="the forms of return that terms of reference may name"),
    ]
    host_types: Annotated[
        tuple[Listed, ...],
        Field(min_length=1, max_length=100, description="the types of host that terms of reference may name"),
    ]
    preparation: Annotated[
        dict[Modality, Annotated[tuple[PreparationStep, ...], Field(max_length=20)]],
        Field(
            max_length=10,
            description="for each modality the steps without which nobody departs; no travel for virtual work",
        ),
    ] = {}
    early_arrival_days: Annotated[
        int, Field(ge=0, le=90, description="days before a contract's first one on which an arrival may be confirmed")
    ] = 0

    def obligatory_steps(self, modality: Modality) -> tuple[PreparationStep, ...]:
        """The preparation steps without which nobody departs (or, for virtual work, begins)."""
        return self.preparation.get(modality, ())

    def broken(self, known: Known) -> Iterator[Broken]:
        for modality in self.modalities:
            if modality not in self.preparation:
                pointer = f"/preparation/{modality}"
                yield Broken(pointer, "preparation_missing", "say which steps this modality requires")
        for modality, steps in self.preparation.items():
            pointer = f"/preparation/{modality}"
            if modality not in self.modalities:
                yield Broken(pointer, "unknown_modality", "the programme does not offer this modality")
            for number in repeated(steps):
                yield Broken(f"{pointer}/{number}", "repeated_code", "this step stands twice")
            for number, step in enumerate(steps):
                if modality == "virtual" and step in TRAVEL_STEPS:
                    yield Broken(f"{pointer}/{number}", "travel_for_virtual", "nobody travels for virtual work")
