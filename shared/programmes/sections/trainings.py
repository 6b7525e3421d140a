"""The section `trainings`: which trainings a programme holds, in which sectors, and for whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from shared.contracts.base import Code
from shared.programmes.marked_yaml import Broken
from shared.programmes.sections.base import CaseSection, Known, Listed


class TrainingsSection(CaseSection):
    """Trainings and their sessions; participants are counted by category, never named."""

    words = {"training_kind": "kinds", "training_topic": "topics", "participant_category": "participants"}

    kinds: Annotated[
        tuple[Listed, ...], Field(min_length=1, max_length=100, description="the kinds of training that are held")
    ]
    topics: Annotated[
        tuple[Listed, ...],
        Field(max_length=200, description="what they are about; of an empty list none is named"),
    ] = ()
    sectors: Annotated[
        tuple[Code, ...],
        Field(max_length=100, description="sectors of the programme in which trainings are held; of none: of all"),
    ] = ()
    participants: Annotated[
        tuple[Listed, ...],
        Field(max_length=100, description="categories of participants; of an empty list none is named"),
    ] = ()

    def narrowed(self) -> Known:
        return {"sector": frozenset(self.sectors)} if self.sectors else {}

    def broken(self, known: Known) -> Iterator[Broken]:
        for number, code in enumerate(self.sectors):
            if code not in known["sector"]:
                yield Broken(f"/sectors/{number}", "unknown_code", "the programme does not list this code")
