"""What each caller sees of matching's cases, and what everybody sees of a vacancy."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue

from services.matching.domain.matches import HostAnswer
from services.matching.work.promises import standing
from shared.cases.trail import Trailed
from shared.contracts.base import Instant
from shared.contracts.matching.assignments import Terms
from shared.contracts.matching.matches import ScoreComponent
from shared.identity.tokens import Principal
from shared.store.port import Document
from shared.web.acting import Seen
from shared.web.hidden import shown_to
from shared.web.revising import FactSeen, last_fact


class Seats(BaseModel):
    """`held`: seats that are given or about to be."""

    model_config = ConfigDict(frozen=True)

    total: int
    held: int


class AssignmentSeen(Seen):
    """`shortlist`: match ids of all rounds; `override_reason`: why the last one is shorter than the programme asks."""

    programme: str | None
    office: str | None
    terms: Terms
    title: str | None
    description: str | None
    programme_version: int | None
    opened_at: Instant | None = None
    round: int
    shortlist: tuple[str, ...]
    seats: Seats
    items: tuple[str, ...]
    reason: str | None
    override_reason: str | None
    last_fact: FactSeen | None


class CriterionSeen(BaseModel):
    """What the terms ask for, and whether the calling expert's profile meets it; null: the profile does not say."""

    model_config = ConfigDict(frozen=True)

    criterion: str
    required: JsonValue
    met: bool | None


class VacancySeen(BaseModel):
    """An assignment that is open to applications. `standing`: where the calling expert's own match on it stands;
    `criteria`: where one is read by an expert whose profile is known."""

    model_config = ConfigDict(frozen=True)

    id: str
    state: str
    programme: str | None
    office: str | None
    terms: Terms
    title: str | None
    description: str | None
    standing: str | None = None
    criteria: tuple[CriterionSeen, ...] | None = None


class OfferSeen(BaseModel):
    """What somebody is offered: the texts and the terms of the assignment, and until when."""

    model_config = ConfigDict(frozen=True)

    title: str | None
    description: str | None
    terms: Terms
    expires_at: Instant


class PlacementTold(BaseModel):
    """The placement that followed from a match: its id, and the state that placement told last."""

    model_config = ConfigDict(frozen=True)

    id: str
    state: str


class MatchSeen(Seen):
    """`score` is the sum of the components' `points`, each of at most its `weight`; integers.

    `host`: what the host institution has answered, where the programme asks it before an offer; null where it does not.
    A host sees the expert and never the person behind it; the person sees no rank, which tells of others. `placement`
    is there where one match is read, once placement has told of it.
    """

    assignment: str
    expert: str
    person: str | None = None
    institution: str | None
    office: str | None
    programme: str | None
    programme_version: int | None
    score: int | None
    components: tuple[ScoreComponent, ...]
    criteria: tuple[str, ...]
    opened_at: Instant | None = None
    rank: int | None = None
    position: int | None = None
    host: HostAnswer | None
    expires_at: Instant | None
    reason: str | None
    previous: str | None
    again_reason: str | None
    last_fact: FactSeen | None
    placement: PlacementTold | None = None


def assignment(document: Document, _principal: Principal) -> AssignmentSeen:
    state = document["state"]
    return AssignmentSeen(
        **_offered(document),
        version=document["version"],
        programme_version=state.get("programme_version"),
        opened_at=state.get("opened_at"),
        round=state["round"],
        shortlist=state["shortlisted"],
        seats=Seats(total=state["terms"]["seats"], held=len(standing(document))),
        items=state["items"],
        reason=state.get("reason"),
        override_reason=state.get("override_reason"),
        last_fact=last_fact(Trailed(trail=state.get("trail", ()))),
    )


def offered(assignment: Document, expires_at: datetime) -> OfferSeen:
    return OfferSeen(**_described(assignment), expires_at=expires_at)


def vacancy(document: Document, standing: str | None = None) -> VacancySeen:
    return VacancySeen(**_offered(document), standing=standing)


def _offered(document: Document) -> dict[str, Any]:
    """What everybody who may apply sees."""
    state = document["state"]
    return {
        "id": document["_id"],
        "state": state["status"],
        "programme": state.get("programme"),
        "office": state.get("office"),
        **_described(document),
    }


def _described(document: Document) -> dict[str, Any]:
    private = document["private"]
    return {
        "terms": document["state"]["terms"],
        "title": private.get("title"),
        "description": private.get("description"),
    }


def match(document: Document, principal: Principal) -> MatchSeen:
    state = document["state"]
    last = last_fact(Trailed(trail=state.get("trail", ())))
    told = {**dict.fromkeys(_NAMES), **state["parties"], **state, "last_fact": last}
    fields = shown_to(principal.role, {name: told[name] for name in _NAMES})
    return MatchSeen(id=document["_id"], version=document["version"], state=state["status"], **fields)


_NAMES = tuple(name for name in MatchSeen.model_fields if name not in {*Seen.model_fields, "placement"})
