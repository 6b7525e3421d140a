"""Everything that registration listens to: its own compacted topic, on which the current profile stands last, its own
erasures and decisions on claims to a document number, and what tells whether somebody stands on an offer."""

from __future__ import annotations

from services.registration.domain import knowledge
from services.registration.domain.persons import PERSON
from services.registration.store import PERSONS
from services.registration.work.claiming import Claiming
from services.registration.work.erasing import Erasing
from services.registration.work.reviewing import Reviewing
from shared.contracts.matching import (
    AssignmentMatched,
    MatchFactTakenBack,
    MatchKept,
    MatchRetracted,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferMade,
)
from shared.contracts.placement import PlacementEndedEarly, PlacementOpened, ReturnCompleted
from shared.contracts.registration import ExpertIdentitySettled, PersonErased, Profile
from shared.messaging.handlers import Handler, Handlers
from shared.messaging.heads import Reissue


def handlers(reviewing: Reviewing, claiming: Claiming, erasing: Erasing) -> Handlers:
    return {
        PersonErased: Handler(effect=erasing.heard, stops=True),
        Profile: Handler(effect=reviewing.changed, reissue=Reissue(PERSONS, PERSON.ask("reissue"))),
        ExpertIdentitySettled: Handler(effect=claiming.settled),
        AssignmentMatched: Handler(know=knowledge.match),
        OfferMade: Handler(know=knowledge.match),
        OfferAccepted: Handler(know=knowledge.match),
        MatchKept: Handler(know=knowledge.match),
        OfferDeclined: Handler(know=knowledge.match, effect=reviewing.freed),
        OfferExpired: Handler(know=knowledge.match, effect=reviewing.freed),
        MatchRetracted: Handler(know=knowledge.match, effect=reviewing.freed),
        MatchFactTakenBack: Handler(know=knowledge.match, effect=reviewing.freed),
        PlacementOpened: Handler(know=knowledge.placement),
        ReturnCompleted: Handler(know=knowledge.placement, effect=reviewing.freed),
        PlacementEndedEarly: Handler(know=knowledge.placement, effect=reviewing.freed),
    }
