"""Matching as a service: what it is made of, and what it listens to."""

from __future__ import annotations

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
    MatchKept,
    MatchRetracted,
    MatchRetracting,
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
    ReturnCompleted,
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
from shared.identity.policy import Subjects
from shared.messaging.shadows import Handler, Handlers
from shared.replica import Ports, Replica
from shared.web.served import served

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
        requests = Requests(self.replica, self.following.selection)
        routes = Api(self.replica, self.following, requests, self.replica.submissions).router
        self.app = served(self.replica, settings.issuer, routers=[routes], subjects_of=self._subjects_of)

    async def _subjects_of(self, account: str) -> Subjects:
        """Who registers itself is the person that follows from the account, also before that was heard of here."""
        found = await self.ports.store.find(SHADOWS.name, "account", account)
        ids = {one["knowledge"].get("kind"): one["_id"] for one in found}
        return Subjects(ids.get("person") or derived_id("account-person", account), ids.get("institution"))

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
        MatchKept: Handler(effect=following.match_moved),
        MatchRetracting: Handler(effect=following.match_retracting),
        ExpertNotSelected: Handler(effect=following.match_ended),
        OfferDeclined: Handler(effect=following.match_ended),
        OfferExpired: Handler(effect=following.match_ended),
        MatchRetracted: Handler(effect=following.match_ended),
        PlacementOpened: Handler(know=knowledge.placement),
        ReturnStarted: Handler(know=knowledge.returned, effect=following.return_told),
        ReturnCompleted: Handler(know=knowledge.completed, effect=following.return_told),
        PlacementEndedEarly: Handler(know=knowledge.ended, effect=following.return_told),
        PlacementRefused: Handler(know=knowledge.placement, effect=following.placement_answered),
        PlacementCancelled: Handler(know=knowledge.placement, effect=following.placement_answered),
        NoShowReported: Handler(effect=following.placement_answered),
    }


def build(ports: Ports, settings: Issued) -> Matching:
    return Matching(ports, settings)
