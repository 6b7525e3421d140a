"""Placement as a service: what it is made of."""

from __future__ import annotations

from services.placement.api import RIGHTS, served_cases
from services.placement.handlers import handlers
from services.placement.settings import Settings
from services.placement.store import COLLECTIONS, PLACEMENTS, SHADOWS
from services.placement.work.placing import Placing
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
        self.cases = served_cases(self.replica, self.work)
        self.app = served(
            self.replica, settings.issuer, cases=self.cases, rights=RIGHTS, subjects_of=self.work.subjects_of
        )

    async def start(self) -> None:
        await self.replica.start()

    async def stop(self) -> None:
        await self.replica.stop()


def build(ports: Ports, settings: Settings) -> PlacementService:
    return PlacementService(ports, settings)
