"""What matching knows of the subjects of others, event by event. Pure; applying an event twice changes nothing.

| kind | fields |
|---|---|
| person | account, office, consents {purpose: given}, profile [entries] |
| expert | person, programme, office, screening (registered, eligible, ineligible), suspended |
| institution | account, office, country, area, sector, host_type, status |
| placement | match, person, programme, returned, completed, ended {party, reason} |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from shared.contracts.base import Envelope, Event
from shared.contracts.placement import PlacementCancelled, PlacementEndedEarly, PlacementOpened, PlacementRefused
from shared.contracts.registration import (
    ConsentGiven,
    ConsentWithdrawn,
    ExpertDeclaredEligible,
    ExpertDeclaredIneligible,
    ExpertRegistered,
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
from shared.errors import Problem, Refusal

Knowledge = dict[str, Any]
PLACEMENT_PURPOSE = "placement"
CONSENT_WITHDRAWN = "consent_withdrawn"
NO_CONSENT = "no_consent"

Return = Literal["not begun", "begun", "over"]
Answer = Literal["return_begun", "return_over", "ended"]

_INSTITUTION_STATUS: dict[type[Event], str] = {
    InstitutionRegistered: "proposed",
    InstitutionAssessed: "assessed",
    InstitutionBecamePartner: "partner",
    InstitutionActivated: "active",
    InstitutionPutOnHold: "on_hold",
    InstitutionClosed: "closed",
}
_SCREENING: dict[type[Event], str] = {
    ExpertRegistered: "registered",
    ExpertDeclaredEligible: "eligible",
    ExpertDeclaredIneligible: "ineligible",
}


def person(known: Knowledge, event: PersonRecorded, _envelope: Envelope) -> Knowledge:
    return {**known, "kind": "person", "account": event.account, "office": event.office}


def consent(known: Knowledge, event: ConsentGiven | ConsentWithdrawn, _envelope: Envelope) -> Knowledge:
    given = isinstance(event, ConsentGiven)
    return {**known, "consents": {**known.get("consents", {}), event.purpose: given}}


def profile(known: Knowledge, event: Profile, _envelope: Envelope) -> Knowledge:
    entries = [entry.model_dump(mode="json", exclude_none=True) for entry in event.entries]
    return {**known, "profile": entries}


def expert(known: Knowledge, event: ExpertRegistered, _envelope: Envelope) -> Knowledge:
    return {
        **known,
        "kind": "expert",
        "person": event.person,
        "programme": event.programme,
        "office": event.office,
        "screening": "registered",
        "suspended": False,
    }


def screening(
    known: Knowledge, event: ExpertDeclaredEligible | ExpertDeclaredIneligible, _envelope: Envelope
) -> Knowledge:
    return {**known, "screening": _SCREENING[type(event)]}


def suspension(known: Knowledge, event: Event, _envelope: Envelope) -> Knowledge:
    return {**known, "suspended": isinstance(event, ExpertSuspended)}


def institution(known: Knowledge, event: Event, _envelope: Envelope) -> Knowledge:
    changed = {**known, "status": _INSTITUTION_STATUS[type(event)]}
    if isinstance(event, InstitutionRegistered):
        told = event.model_dump(mode="json", include={"account", "office", "country", "area", "sector", "host_type"})
        changed |= {"kind": "institution", **told}
    return changed


def placement(
    known: Knowledge, event: PlacementOpened | PlacementRefused | PlacementCancelled, _envelope: Envelope
) -> Knowledge:
    changed = {**known, "kind": "placement", "match": event.match}
    if event.parties:
        changed |= {"person": event.parties.person, "programme": event.parties.programme}
    return changed


def returned(known: Knowledge, _event: Event, _envelope: Envelope) -> Knowledge:
    return {**known, "returned": True}


def completed(known: Knowledge, _event: Event, _envelope: Envelope) -> Knowledge:
    return {**known, "completed": True}


def ended(known: Knowledge, event: PlacementEndedEarly, _envelope: Envelope) -> Knowledge:
    return {**known, "ended": {"party": event.party, "reason": event.reason}}


def return_of(known: Mapping[str, Any]) -> Return:
    """How far the return has come, from what is known of its placement: `over` is completed or ended early."""
    if known.get("completed") or known.get("ended"):
        return "over"
    return "begun" if known.get("returned") else "not begun"


def answer_to(known: Mapping[str, Any], retraction: str) -> Answer | None:
    """What placement has answered to a match's retraction for that reason; None before it has said so.

    `ended`: the return ended by it. The others: it came too late, and why.

    A consent that is taken back breaks off no return that has begun. Any other retraction ends it for the same
    reason in the programme's name; an end of another kind came first, and left nothing to take back. What never
    begun is answered by events of its own, whatever the reason. Never by the order of arrival: this is asked
    again with each event of either side.
    """
    if retraction == CONSENT_WITHDRAWN and return_of(known) != "not begun":
        return "return_begun"
    if known.get("ended") == {"party": "programme", "reason": retraction}:
        return "ended"
    return "return_over" if return_of(known) == "over" else None


ExpertStatus = Literal["unknown", "registered", "eligible", "ineligible", "suspended"]


def expert_status(known: Mapping[str, Any]) -> ExpertStatus:
    """What counts for matching; a suspension covers whatever the screening said."""
    if known.get("kind") != "expert":
        return "unknown"
    if known["suspended"]:
        return "suspended"
    status: ExpertStatus = known["screening"]
    return status


Consent = Literal["unknown", "stands", "not_given", "withdrawn"]


def consent_to_placement(known: Mapping[str, Any]) -> Consent:
    """What the person has said about being placed. Only what stands lets anything begin: silence is no consent.

    `unknown` until something has been heard of the person at all.
    """
    said = known.get("consents", {}).get(PLACEMENT_PURPOSE)
    if said is None:
        return "not_given" if known.get("kind") == "person" else "unknown"
    return "stands" if said is True else "withdrawn"


class OfAnotherOffice(Refusal):
    """An officer named an expert of another office: answered as one who does not exist."""

    def __init__(self) -> None:
        super().__init__("not_found", problems=(Problem("not_found", "/expert"),), status=404)


def check_office(expert: Mapping[str, Any], office: str | None) -> None:
    """An officer puts experts of the own office on its assignments, and learns nothing about those of another.

    Experts apply wherever they like by themselves. Raises OfAnotherOffice; passes an expert who is not known yet.
    """
    if expert_status(expert) != "unknown" and expert["office"] != office:
        raise OfAnotherOffice
