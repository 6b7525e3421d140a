"""Placement as a service: what it is made of, and what it listens to."""

from __future__ import annotations

from services.placement.api import router
from services.placement.handlers import Placing, know_institution, know_person
from services.placement.settings import Settings
from services.placement.store import COLLECTIONS, PLACEMENTS, SHADOWS
from shared.contracts.matching import MatchRetracting, OfferAccepted
from shared.contracts.placement import (
    NoShowReported,
    PlacementCancelled,
    PlacementContracted,
    PlacementEndedEarly,
    PlacementExtended,
)
from shared.contracts.registration import ConsentGiven, ConsentWithdrawn, InstitutionRegistered, PersonRecorded
from shared.messaging.shadows import Handler, Handlers
from shared.replica import Ports, Replica
from shared.web.served import served

SERVICE = "placement"


class PlacementService:
    """One replica with its HTTP edge. `start` opens the store and begins to consume; the log is the caller's."""

    def __init__(self, ports: Ports, settings: Settings) -> None:
        self.ports = ports
        self.replica = Replica(SERVICE, ports, COLLECTIONS, SHADOWS)
        self.work = Placing(self.replica)
        self.replica.listens(handlers(self.work))
        self.replica.times(PLACEMENTS)
        self.replica.times(guard=self.work.guard)
        self.app = served(self.replica, settings.issuer, routers=[router(self.work)], subjects_of=self.work.subjects_of)

    async def start(self) -> None:
        await self.replica.start()

    async def stop(self) -> None:
        await self.replica.stop()


def handlers(work: Placing) -> Handlers:
    """Everything that placement listens to."""
    return {
        PersonRecorded: Handler(know=know_person),
        InstitutionRegistered: Handler(know=know_institution),
        ConsentGiven: Handler(effect=work.consent),
        ConsentWithdrawn: Handler(effect=work.withdraw),
        OfferAccepted: Handler(effect=work.open),
        MatchRetracting: Handler(effect=work.retract),
        PlacementContracted: Handler(effect=work.promised),
        PlacementExtended: Handler(effect=work.promised),
        PlacementEndedEarly: Handler(effect=work.ended),
        PlacementCancelled: Handler(effect=work.ended),
        NoShowReported: Handler(effect=work.ended),
    }


def build(ports: Ports, settings: Settings) -> PlacementService:
    return PlacementService(ports, settings)
