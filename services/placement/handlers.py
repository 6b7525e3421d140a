"""Everything that placement listens to: message, what is known after it, what it does."""

from __future__ import annotations

from services.placement.domain import knowledge
from services.placement.work.placing import Placing
from shared.contracts.matching.matches import MatchRetracting, MatchTransferred, OfferAccepted
from shared.contracts.placement.placements import (
    NoShowReported,
    PlacementCancelled,
    PlacementContractCorrected,
    PlacementContracted,
    PlacementEndedEarly,
    PlacementExtended,
    PlacementFactTakenBack,
    PlacementTimeCorrected,
)
from shared.contracts.registration.institutions import InstitutionAccountAssigned, InstitutionRegistered
from shared.contracts.registration.persons import (
    ConsentGiven,
    ConsentWithdrawn,
    PersonAccountAssigned,
    PersonErased,
    PersonRecorded,
)
from shared.messaging.handlers import Handler, Handlers


def handlers(placing: Placing) -> Handlers:
    return {
        PersonRecorded: Handler(know=knowledge.person),
        PersonAccountAssigned: Handler(know=knowledge.person),
        InstitutionRegistered: Handler(know=knowledge.institution),
        InstitutionAccountAssigned: Handler(know=knowledge.institution),
        # The calendar goes by the order of the events alone.
        ConsentGiven: Handler(effect=placing.consent, by_itself=True),
        ConsentWithdrawn: Handler(effect=placing.withdraw, stops=True),
        PersonErased: Handler(effect=placing.erase, stops=True),
        OfferAccepted: Handler(effect=placing.open),
        MatchRetracting: Handler(effect=placing.retract),
        MatchTransferred: Handler(effect=placing.follow),
        PlacementContracted: Handler(effect=placing.promised),
        PlacementExtended: Handler(effect=placing.promised),
        PlacementContractCorrected: Handler(effect=placing.promised),
        PlacementTimeCorrected: Handler(effect=placing.promised),
        PlacementFactTakenBack: Handler(effect=placing.promised),
        PlacementEndedEarly: Handler(effect=placing.ended),
        PlacementCancelled: Handler(effect=placing.ended),
        NoShowReported: Handler(effect=placing.ended),
    }
