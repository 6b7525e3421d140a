"""What matching knows of the subjects of others, event by event. Pure; applying an event twice changes nothing.

| kind | fields |
|---|---|
| person | account, office, consents {purpose: given}, profile [entries] |
| expert | person, programme, office, screening (registered, eligible, ineligible), suspended |
| institution | account, office, country, area, sector, host_type, status |
| placement | match, person, programme, returned, completed |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from shared.contracts.base import Envelope, Event
from shared.contracts.placement import PlacementCancelled, PlacementOpened, PlacementRefused
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

Knowledge = dict[str, Any]
PLACEMENT_PURPOSE = "placement"

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


ExpertStatus = Literal["unknown", "registered", "eligible", "ineligible", "suspended"]


def expert_status(known: Mapping[str, Any]) -> ExpertStatus:
    """What counts for matching; a suspension covers whatever the screening said."""
    if known.get("kind") != "expert":
        return "unknown"
    if known["suspended"]:
        return "suspended"
    status: ExpertStatus = known["screening"]
    return status


def withdrawn(known: Mapping[str, Any]) -> bool:
    """Whether the person has taken back the consent to be placed."""
    return known.get("consents", {}).get(PLACEMENT_PURPOSE) is False
