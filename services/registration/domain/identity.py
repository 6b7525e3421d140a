"""A change of identity: who somebody is recorded as changes when another account than the one that asked confirms it.

What was asked stays sealed in the person's private part; the events say that, why, and how it ended.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import ConfigDict, ValidationInfo, field_validator, model_validator

from services.registration.domain.birth import IN_BORN, YEAR_DIFFERS, Birth, Year
from services.registration.domain.documents import IdentityDocument
from services.registration.domain.fields import Name, broken
from shared.cases.bodies import FOLLOWS, Input, Reason
from shared.errors import Refusal

Outcome = Literal["pending", "confirmed", "refused"]
UNCHANGED = "identity_unchanged"
# Of a case on which somebody still decides by who the person was.
UNDECIDED = "case_undecided"
# Of whoever would change by a correction what decisions stand on.
NEEDED = "identity_change_needed"
GROUNDS = ("mistaken_entry", "marriage", "divorce", "court_decision", "new_document")
PROOFS = ("document_seen", "confirmed_by_authority")
REFUSALS = ("not_proven", "document_not_valid", "another_person", "withdrawn")


class Identity(Input):
    """Who somebody is from now on; what is not named stays as it is. A name is one whole: both its parts change.

    `born`: as exactly as it is known; whoever names the year alone leaves no day of another one standing.
    """

    model_config = ConfigDict(json_schema_extra={FOLLOWS: ["birth_year"]})

    given_name: Name = None
    family_name: Name = None
    born: Birth | None = None
    birth_year: Year | None = None
    document: IdentityDocument | None = None

    @field_validator("birth_year")
    @classmethod
    def _of_the_same_birth(cls, value: int | None, read: ValidationInfo) -> int | None:
        born: Birth | None = read.data.get("born")
        if born is not None and value not in (None, born.year):
            raise broken(YEAR_DIFFERS, IN_BORN)
        return value

    @property
    def year(self) -> int | None:
        """The year of birth that is named, if one is."""
        return self.born.year if self.born else self.birth_year

    @property
    def names(self) -> dict[str, str]:
        """The parts of the name that are given; none where the name stays."""
        given = {"given_name": self.given_name, "family_name": self.family_name}
        return {name: text for name, text in given.items() if text is not None}

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.names and self.year is None and self.document is None:
            raise broken("identity_missing", "a name, a year of birth or a document; one of them is enough")
        return self


class IdentityChange(Identity, Reason):
    """What is to be recorded, and why."""


def none_pending(state: Any) -> None:
    """One change at a time, so that whoever confirms it confirms what they have read."""
    if state.identity_change == "pending":
        raise Refusal("identity_change_pending", "an officer decides on the change that was asked for first")


def is_pending(state: Any) -> None:
    """Only what was asked for is decided on."""
    if state.identity_change != "pending":
        raise Refusal("identity_change_not_asked", "no change of identity waits for a decision")
