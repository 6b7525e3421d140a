"""Where a placement stands: its state, and what the programme says to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

from pydantic import ConfigDict

from services.placement.domain.calendars import VIRTUAL
from shared.cases.case import states
from shared.cases.movable import Following
from shared.cases.trail import Trailed
from shared.contracts.base import Date, Instant
from shared.contracts.matching.assignments import Terms
from shared.contracts.matching.matches import MatchParties
from shared.contracts.placement.placements import PreparationStep
from shared.zones import zone

# `host_confirmed`: the offer is accepted, and there is no contract yet.
Status = Literal[
    "host_confirmed",
    "contracted",
    "pre_departure",
    "travelling",
    "active",
    "reports_due",
    "completed",
    "ended_early",
    "no_show",
    "cancelled",
    "refused",
]
Party = Literal["expert", "host", "programme"]
PREPARING = states("contracted", "pre_departure")
BEFORE_ARRIVAL = PREPARING | {"host_confirmed", "travelling"}
RUNNING = states("active", "reports_due")
UNDER_CONTRACT = PREPARING | RUNNING | {"travelling", "completed"}
HOLDS_DAYS = UNDER_CONTRACT | {"host_confirmed"}
GIVES_DAYS_BACK = states("ended_early", "no_show", "cancelled", "refused")
ANYWHERE = UNDER_CONTRACT | BEFORE_ARRIVAL | GIVES_DAYS_BACK


class Placement(Trailed, Following):
    """`terms` is None for one that never opened; the dates are the contract's, once there is one.

    Dates are the office's own: `time_zone` says on which of them something happened (None: UTC). `report`: number of
    the last report, `accepted_report` of the last accepted one.
    """

    model_config = ConfigDict(frozen=True)

    match: str
    parties: MatchParties
    terms: Terms | None = None
    status: Status
    starts_on: Date | None = None
    ends_on: Date | None = None
    contracts: int = 0
    steps: tuple[PreparationStep, ...] = ()
    opened_at: Instant
    time_zone: str | None = None
    reason: str | None = None
    party: Party | None = None
    report: int = 0
    accepted_report: int = 0
    certified: bool = False

    def day_of(self, instant: datetime) -> date:
        """The office's calendar day at that instant."""
        return instant.astimezone(zone(self.time_zone) if self.time_zone else UTC).date()


@dataclass(frozen=True)
class Preparation:
    """What the programme asks for before somebody departs, and how many days before the contract one may arrive."""

    steps: tuple[PreparationStep, ...] = ()
    early_arrival_days: int = 0


def is_virtual(state: Placement) -> bool:
    return state.terms is not None and state.terms.modality == VIRTUAL
