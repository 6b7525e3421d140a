"""What placement knows of the subjects of others, event by event. Pure; an event that comes twice changes nothing.

What a function knows stands in the subject's shadow under the function's name.
"""

from __future__ import annotations

from typing import Any

from shared.contracts.base import Envelope
from shared.contracts.registration.institutions import InstitutionAccountAssigned, InstitutionRegistered
from shared.contracts.registration.persons import PersonAccountAssigned, PersonRecorded

Knowledge = dict[str, Any]


def person(known: Knowledge, event: PersonRecorded | PersonAccountAssigned, _envelope: Envelope) -> Knowledge:
    return {**known, "account": event.account}


def institution(
    known: Knowledge, event: InstitutionRegistered | InstitutionAccountAssigned, _envelope: Envelope
) -> Knowledge:
    return {**known, "account": event.account}
