"""Everything that registration listens to: its own compacted topic, on which the current profile stands last, its own
erasures, registrations, changes of identity and decisions on claims to a document number, what tells whether somebody
stands on an offer, and every event that somebody is told of."""

from __future__ import annotations

from services.registration.domain import knowledge
from services.registration.domain.notices import NOTICES, TAKES_BACK
from services.registration.domain.persons import PERSON
from services.registration.store import PERSONS
from services.registration.work.case_files import CaseFiles
from services.registration.work.claiming import Claiming
from services.registration.work.erasing import Erasing
from services.registration.work.identity_changes import IdentityChanges
from services.registration.work.moving import Moving
from services.registration.work.reviewing import Reviewing
from services.registration.work.telling import Telling
from shared.contracts.base import Event
from shared.contracts.matching.assignments import AssignmentDrafted, AssignmentRevised
from shared.contracts.matching.matches import (
    AssignmentMatched,
    ExpertSourced,
    MatchFactTakenBack,
    MatchKept,
    MatchRetracted,
    OfferDeclined,
    OfferExpired,
)
from shared.contracts.placement.placements import (
    PlacementEndedEarly,
    PlacementOpened,
    PlacementTimeCorrected,
    ReturnCompleted,
)
from shared.contracts.registration.experts import (
    ExpertIdentityClashed,
    ExpertIdentitySettled,
    ExpertRegistered,
    ExpertTransferred,
)
from shared.contracts.registration.persons import (
    IdentityChangeConfirmed,
    IdentityChangeRefused,
    IdentityChangeRequested,
    PersonErased,
    Profile,
)
from shared.messaging.handlers import Effect, Handler, Handlers, Know
from shared.messaging.heads import Reissue

# What is known of a case of another service, by the topic of its events.
_KNOWN: dict[str, Know] = {
    "matching.assignments": knowledge.assignment,
    "matching.matches": knowledge.match,
    "placement.placements": knowledge.placement,
}
# Events that nobody is told of, from which only something is known.
_ONLY_KNOWN: tuple[type[Event], ...] = (
    AssignmentDrafted,
    AssignmentRevised,
    AssignmentMatched,
    ExpertSourced,
    MatchKept,
    PlacementOpened,
    PlacementTimeCorrected,
)


def handlers(
    reviewing: Reviewing,
    claiming: Claiming,
    identities: IdentityChanges,
    erasing: Erasing,
    moving: Moving,
    telling: Telling,
    files: CaseFiles,
) -> Handlers:
    effects: dict[type[Event], Effect] = {
        ExpertRegistered: files.registered,
        ExpertIdentityClashed: files.registered,
        IdentityChangeRequested: identities.heard,
        IdentityChangeConfirmed: identities.heard,
        IdentityChangeRefused: identities.heard,
        ExpertIdentitySettled: claiming.settled,
        ExpertTransferred: moving.followed,
        OfferDeclined: reviewing.freed,
        OfferExpired: reviewing.freed,
        MatchRetracted: reviewing.freed,
        MatchFactTakenBack: reviewing.freed,
        ReturnCompleted: reviewing.freed,
        PlacementEndedEarly: reviewing.freed,
    }
    told = dict.fromkeys((*NOTICES, *TAKES_BACK))
    return {
        PersonErased: Handler(effect=erasing.heard, stops=True),
        Profile: Handler(effect=reviewing.changed, reissue=Reissue(PERSONS, PERSON.ask("reissue"))),
        **{event: Handler(know=_KNOWN.get(event.topic)) for event in _ONLY_KNOWN},
        **{event: _telling(event, effects.get(event), telling) for event in told},
    }


def _telling(event: type[Event], first: Effect | None, telling: Telling) -> Handler:
    """What else follows from the event comes first; what it is called is part of its commands' ids."""
    both = {} if first is None else {"": first, "tell": telling.heard}
    return Handler(know=_KNOWN.get(event.topic), effect=None if both else telling.heard, effects=both)
