"""One request of a chapter of returns, from its terms to what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from deploy.replay.returns.hosts import Host, Place
from deploy.replay.returns.model import EarlyEnd
from deploy.replay.returns.people import Expert
from shared.contracts.matching.assignments import Modality, Terms
from shared.contracts.registration.persons import Attributes, LanguageSkill
from shared.programmes.eligibility import level_rank

Outcome = Literal["completed", "ended_early", "no_show", "cancelled", "unfilled"]
NOWHERE = "00000000-0000-5000-8000-000000000000"


@dataclass(eq=False)
class Assignment:
    """One request and what became of it. `listed`: the shortlist in its order; the first `declined` or went.

    `nth`: how often whoever goes had returned before. `reached`: how far a request came that nobody filled.
    """

    place: Place
    outcome: Outcome
    starts_on: date
    ends_on: date
    base: Attributes
    host: Host
    modality: Modality
    listed: list[Expert] = field(default_factory=list)
    nth: int = 0
    declined: bool = False
    extensions: tuple[int, ...] = ()
    early: EarlyEnd | None = None
    contracted: bool = True
    reason: str = ""
    reached: str = "filled"
    name: str = ""

    @property
    def office(self) -> str:
        return self.place[0]

    @property
    def goes(self) -> Expert:
        return self.listed[1 if self.declined else 0]

    def terms(self) -> Terms:
        """Written for the first of the shortlist, and low enough for the others; the host's id comes later."""
        people = [one.attributes for one in self.listed] or [self.base]
        return Terms(
            institution=NOWHERE,
            country=self.host.country,
            area=self.host.area,
            sector=self.host.sector,
            host_type=self.host.host_type,
            occupation=self.base.occupation or "0",
            modality=self.modality,
            starts_on=self.starts_on,
            ends_on=self.ends_on,
            education=min(one.education or 0 for one in people),
            experience_years=min(one.experience_years or 0 for one in people),
            languages=_spoken_by_all(people),
        )


def _spoken_by_all(people: list[Attributes]) -> tuple[LanguageSkill, ...]:
    """The first language that all of them speak, at the lowest of their levels."""
    spoken = [{skill.language: skill for skill in one.languages} for one in people]
    for language in (skill.language for skill in people[0].languages):
        if all(language in one for one in spoken):
            return (min((one[language] for one in spoken), key=lambda skill: level_rank(skill.level)),)
    return ()
