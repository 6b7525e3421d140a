"""Matching as a service: what it is made of, and what it listens to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from fastapi import FastAPI

from services.matching.api import Api
from services.matching.domain import knowledge
from services.matching.handlers import Following
from services.matching.requests import Requests
from services.matching.selection import APPLICATION
from services.matching.settings import Issued
from services.matching.store import ASSIGNMENTS, COLLECTIONS, MATCHES, SHADOWS
from shared.clock import derived_id
from shared.contracts.matching import (
    AssignmentCancelled,
    AssignmentMatched,
    AssignmentMatchingStarted,
    ExpertNotSelected,
    MatchRetracted,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
)
from shared.contracts.placement import (
    NoShowReported,
    PlacementCancelled,
    PlacementEndedEarly,
    PlacementOpened,
    PlacementRefused,
    ReturnStarted,
)
from shared.contracts.registration import (
    ConsentGiven,
    ConsentWithdrawn,
    ExpertDeclaredEligible,
    ExpertDeclaredIneligible,
    ExpertRegistered,
    ExpertReinstated,
    ExpertSuspended,
    InstitutionActivated,
    InstitutionAssessed,
    InstitutionBecamePartner,
    InstitutionClosed,
    InstitutionPutOnHold,
    InstitutionRegistered,
    PersonRecorded,
    Profile,
)
from shared.identity.issuers import token_verifier
from shared.identity.policy import Subjects
from shared.intake.submissions import Intake
from shared.messaging.shadows import Handler, Handlers
from shared.replica import Ports, Replica
from shared.web.callers import Edge
from shared.web.edge import create_app
from shared.web.operation import parked_router
from shared.web.receipts import receipts_router

SERVICE = "matching"


class Matching:
    """One replica with its HTTP edge. `start` opens the store and begins to consume; the log is the caller's."""

    def __init__(self, ports: Ports, settings: Issued) -> None:
        self.ports = ports
        self.replica = Replica(SERVICE, ports, COLLECTIONS, SHADOWS)
        self.following = Following(self.replica)
        self.replica.listens(handlers(self.following))
        self.replica.takes({APPLICATION: self.following.selection.decide_application})
        self.replica.times(ASSIGNMENTS, self.following.promises.seats)
        self.replica.times(MATCHES)
        self.replica.times(guard=self.following.promises.pools)
        self.app = self._edge(settings)

    def _edge(self, settings: Issued) -> FastAPI:
        ports, replica = self.ports, self.replica
        edge = Edge(
            service=SERVICE,
            runtime=ports.runtime,
            store=ports.store,
            tokens=token_verifier(ports.keys, ports.runtime, settings.issuer),
            cursor_key=ports.keys.cursor_key(SERVICE),
            subjects_of=self._subjects_of,
        )
        requests = Requests(replica, self.following.selection)
        routes = Api(replica, self.following, requests, self._intake).router
        return create_app(
            edge,
            title="Sankofa matching",
            routers=[routes, receipts_router(SERVICE, ports.keys), parked_router(replica)],
            ready=replica.not_ready,
            backlog=self._backlog,
        )

    @property
    def _intake(self) -> Intake:
        if self.replica.intake is None:
            raise RuntimeError("the replica takes no submissions")
        return self.replica.intake

    async def _subjects_of(self, account: str) -> Subjects:
        """Who registers itself is the person that follows from the account, also before that was heard of here."""
        found = await self.ports.store.find(SHADOWS.name, "account", account)
        ids = {one["knowledge"].get("kind"): one["_id"] for one in found}
        return Subjects(ids.get("person") or derived_id("account-person", account), ids.get("institution"))

    async def _backlog(self) -> Mapping[str, Any]:
        backlog = await self.replica.backlog()
        return {**asdict(backlog), "quiet": backlog.quiet}

    async def start(self) -> None:
        await self.replica.start()

    async def stop(self) -> None:
        await self.replica.stop()


def handlers(following: Following) -> Handlers:
    """Everything that matching listens to, its own topics included: what follows from a save heals by its event."""
    return {
        PersonRecorded: Handler(know=knowledge.person),
        Profile: Handler(know=knowledge.profile, effect=following.heard),
        ConsentGiven: Handler(know=knowledge.consent, effect=following.consent_turned),
        ConsentWithdrawn: Handler(know=knowledge.consent, effect=following.consent_turned),
        ExpertRegistered: Handler(know=knowledge.expert),
        ExpertDeclaredEligible: Handler(know=knowledge.screening, effect=following.heard),
        ExpertDeclaredIneligible: Handler(know=knowledge.screening, effect=following.heard),
        ExpertSuspended: Handler(know=knowledge.suspension, effect=following.expert_turned),
        ExpertReinstated: Handler(know=knowledge.suspension, effect=following.expert_turned),
        InstitutionRegistered: Handler(know=knowledge.institution),
        InstitutionAssessed: Handler(know=knowledge.institution),
        InstitutionBecamePartner: Handler(know=knowledge.institution),
        InstitutionActivated: Handler(know=knowledge.institution),
        InstitutionPutOnHold: Handler(know=knowledge.institution),
        InstitutionClosed: Handler(know=knowledge.institution),
        AssignmentMatchingStarted: Handler(effect=following.matching_started),
        AssignmentCancelled: Handler(effect=following.assignment_cancelled),
        AssignmentMatched: Handler(effect=following.match_moved),
        OfferAccepted: Handler(effect=following.match_moved),
        ExpertNotSelected: Handler(effect=following.match_ended),
        OfferDeclined: Handler(effect=following.match_ended),
        OfferExpired: Handler(effect=following.match_ended),
        MatchRetracted: Handler(effect=following.match_ended),
        PlacementOpened: Handler(know=knowledge.placement),
        ReturnStarted: Handler(know=knowledge.returned),
        PlacementRefused: Handler(know=knowledge.placement, effect=following.placement_answered),
        PlacementCancelled: Handler(know=knowledge.placement, effect=following.placement_answered),
        NoShowReported: Handler(effect=following.placement_answered),
        PlacementEndedEarly: Handler(effect=following.placement_answered),
    }


def build(ports: Ports, settings: Issued) -> Matching:
    return Matching(ports, settings)
