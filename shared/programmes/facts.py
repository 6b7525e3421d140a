"""The words for what can be counted: kinds of facts, the fields they carry, the attributes of their persons."""

from __future__ import annotations

from typing import Literal

FactKind = Literal[
    "expert_registered",
    "expert_eligible",
    "expert_ineligible",
    "institution_activated",
    "assignment_requested",
    "assignment_approved",
    "assignment_published",
    "assignment_filled",
    "application_received",
    "expert_matched",
    "offer_made",
    "offer_accepted",
    "offer_declined",
    "placement_contracted",
    "contract",
    "return_started",
    "return_completed",
    "placement_ended_early",
    "no_show",
    "placement_cancelled",
]
IdField = Literal["person", "expert", "institution", "assignment", "match", "placement"]
CodedField = Literal[
    "office",
    "country",
    "area",
    "sector",
    "host_type",
    "modality",
    "occupation",
    "channel",
    "reason",
    "party",
]
NumberField = Literal["seats", "days", "contract_number"]
CodedAttribute = Literal[
    "sex",
    "nationality",
    "country_of_origin",
    "country_of_residence",
    "residence_status",
    "occupation",
    "sector",
    "category",
]
NumberAttribute = Literal["age", "education", "experience_years"]

NOT_STATED = "not_stated"
NUMBERS = frozenset({"seats", "days", "contract_number", "age", "education", "experience_years"})

_TERMS = frozenset({"office", "assignment", "institution", "country", "area", "sector", "host_type", "modality"})
_ASSIGNMENT = _TERMS | {"occupation", "seats"}
_EXPERT = frozenset({"office", "person", "expert"})
_MATCH = _TERMS | {"occupation", "person", "expert", "match"}
_PLACEMENT = _MATCH | {"placement"}

# Which fields each kind of fact carries; person attributes can be joined where `person` is among them.
FIELDS_OF: dict[FactKind, frozenset[str]] = {
    "expert_registered": _EXPERT | {"channel"},
    "expert_eligible": _EXPERT,
    "expert_ineligible": _EXPERT,
    "institution_activated": frozenset({"office", "institution", "country", "area", "sector", "host_type"}),
    "assignment_requested": _ASSIGNMENT,
    "assignment_approved": _ASSIGNMENT,
    "assignment_published": _ASSIGNMENT,
    "assignment_filled": _ASSIGNMENT,
    "application_received": _MATCH,
    "expert_matched": _MATCH,
    "offer_made": _MATCH,
    "offer_accepted": _MATCH,
    "offer_declined": _MATCH | {"reason"},
    "placement_contracted": _PLACEMENT | {"days"},
    "contract": _PLACEMENT | {"days", "contract_number"},
    "return_started": _PLACEMENT,
    "return_completed": _PLACEMENT,
    "placement_ended_early": _PLACEMENT | {"party", "reason"},
    "no_show": _PLACEMENT,
    "placement_cancelled": _PLACEMENT | {"reason"},
}
