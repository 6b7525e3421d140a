"""The guard `documents`: one document number, one person (docs/kernel.md, section 3).

The guard's id is the blind index of type, country and number; a hold is named by the person. It is never released:
a number belongs to whoever brought it first, and a doubtful case is for the protection role to resolve.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from services.registration.domain.fields import DocumentNumber, KnownCountry
from shared.cases.bodies import Input
from shared.contracts.base import Code
from shared.errors import Problem, Refusal

RULE = "document_held_elsewhere"
POINTER = "/person/document/number"


class IdentityDocument(Input):
    """`type`: passport, identity-card, ...; `country`: the issuing one."""

    type: Code
    country: KnownCountry
    number: DocumentNumber


def admit(_document: Mapping[str, Any], standing: Mapping[str, Any], _claim: Mapping[str, Any]) -> None:
    """Refuses a second person; it never says where or by whom the number is held."""
    if standing:
        raise held_elsewhere()


def held_elsewhere() -> Refusal:
    return Refusal(RULE, problems=(Problem(RULE, POINTER),))


def usage(person: Mapping[str, Any] | None) -> Literal["pending", "used"]:
    """A person that is recorded uses the number; there is no state in which one could no longer do so."""
    return "used" if person is not None and person.get("state") is not None else "pending"
