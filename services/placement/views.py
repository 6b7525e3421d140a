"""What each caller sees of placement's cases."""

from __future__ import annotations

from typing import Any

from services.placement.domain.placements import PLACEMENT, Party
from services.placement.work.placing import CONSENT_FLAG
from shared.contracts.base import Date, Instant
from shared.contracts.matching import MatchParties, Terms
from shared.contracts.placement import PreparationStep
from shared.identity.tokens import Principal
from shared.store.port import Document
from shared.web.acting import Seen


class PlacementSeen(Seen):
    """Codes, dates and ids. `consent_withdrawn`: the person has taken the consent back, and what runs waits for the
    officer's decision."""

    match: str
    parties: MatchParties
    terms: Terms | None
    starts_on: Date | None
    ends_on: Date | None
    contracts: int
    steps: tuple[PreparationStep, ...]
    opened_at: Instant
    time_zone: str | None
    reason: str | None
    party: Party | None
    report: int
    accepted_report: int
    certified: bool
    consent_withdrawn: bool


def placement(document: Document, _principal: Principal) -> PlacementSeen:
    fields: dict[str, Any] = PLACEMENT.state.model_validate(document["state"]).model_dump(exclude={"status"})
    flag = bool(document["private"].get(CONSENT_FLAG))
    own = {"id": document["_id"], "version": document["version"], "state": document["state"]["status"]}
    return PlacementSeen(**own, **fields, consent_withdrawn=flag)
