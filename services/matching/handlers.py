"""Everything that matching listens to, its own topics included: message, what is known after it, what it does.

What follows from a save heals by its event. Each effect may run twice: its commands' ids follow from the event.
"""

from __future__ import annotations

from services.matching.domain import knowledge
from services.matching.work.works import Works
from shared.contracts.matching.assignments import AssignmentCancelled, AssignmentMatchingStarted, AssignmentTransferred
from shared.contracts.matching.matches import (
    AssignmentMatched,
    ExpertNotSelected,
    MatchKept,
    MatchRetracted,
    MatchRetracting,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
)
from shared.contracts.placement.placements import (
    NoShowReported,
    PlacementCancelled,
    PlacementContracted,
    PlacementEndedEarly,
    PlacementFactTakenBack,
    PlacementOpened,
    PlacementRefused,
    PreparationStepCompleted,
    ReportsDue,
    ReturnCompleted,
    ReturnStarted,
    TravelStarted,
)
from shared.contracts.registration.experts import (
    AppealUpheld,
    ExpertDeclaredEligible,
    ExpertDeclaredIneligible,
    ExpertIdentityClashed,
    ExpertIdentitySettled,
    ExpertRegistered,
    ExpertReinstated,
    ExpertScreeningReopened,
    ExpertSuspended,
    ExpertTransferred,
    ExpertWithdrawn,
)
from shared.contracts.registration.institutions import (
    InstitutionAccountAssigned,
    InstitutionActivated,
    InstitutionAssessed,
    InstitutionBecamePartner,
    InstitutionClosed,
    InstitutionFactTakenBack,
    InstitutionPutOnHold,
    InstitutionRegistered,
    InstitutionTransferred,
)
from shared.contracts.registration.persons import (
    ConsentGiven,
    ConsentWithdrawn,
    PersonAccountAssigned,
    PersonErased,
    PersonRecorded,
    PersonTransferred,
    Profile,
)
from shared.messaging.handlers import Handler, Handlers


def handlers(works: Works) -> Handlers:
    of_registration = {**_of_persons(works), **_of_experts(works), **_of_institutions(works)}
    return {**of_registration, **_of_matching(works), **_of_placement(works)}


def _of_persons(works: Works) -> Handlers:
    heard = works.selection.waiting.heard
    # Named, although there is one: a name is part of the ids of the commands that follow.
    consent = {"withdrawal": works.withdrawal.consent}
    return {
        PersonRecorded: Handler(know=knowledge.person, wakes=heard),
        PersonAccountAssigned: Handler(know=knowledge.person),
        PersonTransferred: Handler(know=knowledge.person),
        PersonErased: Handler(know=knowledge.person, effect=works.withdrawal.erased, stops=True),
        Profile: Handler(know=knowledge.profile, wakes=heard),
        ConsentGiven: Handler(know=knowledge.consents, effects=consent, wakes=heard),
        ConsentWithdrawn: Handler(know=knowledge.consents, effects=consent, wakes=heard, stops=True),
    }


def _of_experts(works: Works) -> Handlers:
    heard, suspension = works.selection.waiting.heard, works.withdrawal.suspension
    return {
        ExpertIdentityClashed: Handler(know=knowledge.expert, effect=suspension, wakes=heard),
        ExpertIdentitySettled: Handler(know=knowledge.expert, effect=works.withdrawal.ineligible, wakes=heard),
        ExpertRegistered: Handler(know=knowledge.expert, wakes=heard),
        ExpertDeclaredEligible: Handler(know=knowledge.expert, wakes=heard),
        ExpertDeclaredIneligible: Handler(know=knowledge.expert, effect=works.withdrawal.ineligible, wakes=heard),
        ExpertSuspended: Handler(know=knowledge.expert, effect=suspension, wakes=heard, stops=True),
        ExpertReinstated: Handler(know=knowledge.expert, effect=suspension, wakes=heard),
        ExpertScreeningReopened: Handler(know=knowledge.expert, effect=suspension),
        AppealUpheld: Handler(know=knowledge.expert, effect=suspension),
        ExpertTransferred: Handler(know=knowledge.expert, wakes=heard),
        ExpertWithdrawn: Handler(know=knowledge.expert, wakes=heard),
    }


def _of_institutions(works: Works) -> Handlers:
    heard = works.selection.waiting.heard
    return {
        InstitutionRegistered: Handler(know=knowledge.institution),
        InstitutionAccountAssigned: Handler(know=knowledge.institution),
        InstitutionAssessed: Handler(know=knowledge.institution),
        InstitutionBecamePartner: Handler(know=knowledge.institution),
        InstitutionActivated: Handler(know=knowledge.institution, wakes=heard),
        InstitutionPutOnHold: Handler(know=knowledge.institution),
        InstitutionClosed: Handler(know=knowledge.institution),
        InstitutionTransferred: Handler(know=knowledge.institution),
        InstitutionFactTakenBack: Handler(know=knowledge.institution),
    }


def _of_matching(works: Works) -> Handlers:
    allocation, retraction = works.allocation, works.retraction
    return {
        AssignmentMatchingStarted: Handler(effect=allocation.started),
        AssignmentTransferred: Handler(effect=works.selection.follow),
        AssignmentCancelled: Handler(effect=works.selection.stop_all, wakes=works.selection.waiting.heard),
        AssignmentMatched: Handler(effect=allocation.moved),
        OfferAccepted: Handler(effect=allocation.moved),
        MatchKept: Handler(effect=allocation.moved),
        MatchRetracting: Handler(effect=retraction.asked),
        ExpertNotSelected: Handler(effect=allocation.ended),
        OfferDeclined: Handler(effect=allocation.ended),
        OfferExpired: Handler(effect=allocation.ended),
        MatchRetracted: Handler(effect=allocation.ended),
    }


def _of_placement(works: Works) -> Handlers:
    retraction = works.retraction
    return {
        PlacementOpened: Handler(know=knowledge.placement),
        ReturnStarted: Handler(know=knowledge.placement, effect=retraction.told),
        ReturnCompleted: Handler(know=knowledge.placement, effect=retraction.told),
        PlacementEndedEarly: Handler(know=knowledge.placement, effect=retraction.told),
        PlacementRefused: Handler(know=knowledge.placement, effect=retraction.answered),
        PlacementCancelled: Handler(know=knowledge.placement, effect=retraction.answered),
        NoShowReported: Handler(know=knowledge.placement, effect=retraction.answered),
        PlacementFactTakenBack: Handler(know=knowledge.placement),
        PlacementContracted: Handler(know=knowledge.placement),
        PreparationStepCompleted: Handler(know=knowledge.placement),
        TravelStarted: Handler(know=knowledge.placement),
        ReportsDue: Handler(know=knowledge.placement),
    }
