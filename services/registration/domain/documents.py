"""The guard `documents`: one document number, one person (docs/kernel.md, section 3).

The guard's id is the blind index of type, country and number; a hold is named by the person. A number belongs to
whoever brought it first, until the protection role decides that it is another's (`claims`); no clock takes it away.
With the person's erasure it goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from services.registration.domain.fields import DocumentNumber, KnownState, broken
from shared.cases.bodies import Input
from shared.cases.holds import Usage
from shared.contracts.base import Code
from shared.errors import Refusal

DOCUMENT_TYPES: Mapping[str, str] = {
    "passport": "Passport of any kind.",
    "travel_document": "Travel document of a refugee or a stateless person, laissez-passer, emergency passport.",
    "identity_card": "National identity card.",
    "residence_permit": "Residence permit.",
    "driving_licence": "Driving licence.",
    "birth_certificate": "Birth certificate, or an extract of a register.",
    "voter_card": "Voter's card.",
    "other": "Any other document with a number of its own.",
}
EXPECTED_TYPE = f"one of {', '.join(DOCUMENT_TYPES)}"
# Whoever holds one of these may call it by the other's name, and their numbers are given out together.
NUMBERED_TOGETHER: Mapping[str, str] = {"travel_document": "passport"}
HELD = "document_held_elsewhere"
# What the guard answers a person to whom the number does not belong, or does so no longer.
NOT_THEIRS = frozenset({HELD, "hold_released"})


def _listed(value: str) -> str:
    if value not in DOCUMENT_TYPES:
        raise broken("document_type_unknown", EXPECTED_TYPE)
    return value


DocumentType = Annotated[
    Code,
    AfterValidator(_listed),
    Field(
        json_schema_extra={"enum": list(DOCUMENT_TYPES)},
        description=" ".join(f"`{type}`: {sentence}" for type, sentence in DOCUMENT_TYPES.items()),
    ),
]


class IdentityDocument(Input):
    """`country`: the issuing one."""

    type: DocumentType
    country: KnownState
    number: DocumentNumber


def admit(_document: Mapping[str, Any], standing: Mapping[str, Any], _claim: Mapping[str, Any]) -> None:
    """Refuses a second person."""
    if standing:
        raise Refusal(HELD, "the number is held for somebody else")


def numbered_as(type: str) -> str:
    """Under which type the number is told from others."""
    return NUMBERED_TOGETHER.get(type, type)


def holder_of(guard: Mapping[str, Any] | None) -> str | None:
    """The person whose the number is now."""
    holds = guard["holds"] if guard else {}
    return next((person for person, hold in holds.items() if hold["status"] in ("held", "confirmed")), None)


def usage(person: Mapping[str, Any] | None) -> Usage:
    """A person that is recorded uses the number; one that is erased never does again."""
    state = person.get("state") if person is not None else None
    if state is None:
        return "pending"
    return "spent" if state["status"] == "erased" else "used"
