"""What each caller sees of placement's cases."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from services.placement.domain.placements import PLACEMENT
from services.placement.domain.standing import Party
from services.placement.work.placing import CONSENT_FLAG
from shared.contracts.base import Date, Instant
from shared.contracts.matching.assignments import Terms
from shared.contracts.placement.placements import PreparationStep
from shared.identity.tokens import Principal
from shared.store.port import Document
from shared.web.acting import Seen
from shared.web.hidden import shown_to
from shared.web.revising import FactSeen, last_fact


class PartiesSeen(BaseModel):
    """Who stands on what; a host sees the expert and never the person behind it."""

    model_config = ConfigDict(frozen=True)

    assignment: str
    expert: str
    person: str | None = None
    institution: str | None
    office: str | None
    programme: str | None
    programme_version: int | None


class PlacementSeen(Seen):
    """Codes, dates and ids. `consent_withdrawn`: the person has taken the consent back, and what runs waits for the
    officer's decision. `steps_missing`: where one placement is read before it begins, the obligatory steps of the
    preparation that are still to be done. `last_fact`: what alone can be put right."""

    match: str
    parties: PartiesSeen
    terms: Terms | None
    starts_on: Date | None
    ends_on: Date | None
    contracts: int
    steps: tuple[PreparationStep, ...]
    steps_not_needed: tuple[PreparationStep, ...] = ()
    steps_missing: tuple[PreparationStep, ...] = ()
    opened_at: Instant
    time_zone: str | None
    reason: str | None
    party: Party | None
    report: int
    accepted_report: int
    certified: bool
    consent_withdrawn: bool
    last_fact: FactSeen | None


def placement(document: Document, principal: Principal) -> PlacementSeen:
    state = PLACEMENT.state.model_validate(document["state"])
    fields: dict[str, Any] = state.model_dump(exclude={"status", "told", "trail"})
    fields["parties"] = PartiesSeen(**shown_to(principal.role, fields["parties"]))
    flag = bool(document["private"].get(CONSENT_FLAG))
    own = {"id": document["_id"], "version": document["version"], "state": document["state"]["status"]}
    return PlacementSeen(**own, **fields, consent_withdrawn=flag, last_fact=last_fact(state))
