"""What each caller sees: a person's identifiers, whom a name belongs to, and the entries of the trail."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from services.registration.domain.documents import IdentityDocument
from services.registration.domain.readings import Noted
from services.registration.store import PERSONS
from shared.contracts.base import Code, Instant
from shared.contracts.registration.persons import attributes_on
from shared.identity.roles import Role
from shared.store.port import Document

# Who sees which account read: to the person it is the office that did.
SEES_ACCOUNTS: tuple[Role, ...] = ("officer", "protection")


class IdentifiersSeen(BaseModel):
    """What the purpose opens of a person; what was never given is not there."""

    model_config = ConfigDict(frozen=True)

    id: str
    given_name: str = ""
    family_name: str = ""
    email: str = ""
    telephone: str = ""
    documents: tuple[IdentityDocument, ...] = ()


class PersonFound(BaseModel):
    """A person of the office who has the name, and what tells several of one name apart."""

    model_config = ConfigDict(frozen=True)

    id: str
    birth_year: int | None = None
    country_of_origin: str | None = None


class PersonsFound(BaseModel):
    """`more`: there are others; a further word of the name narrows them."""

    model_config = ConfigDict(frozen=True)

    persons: tuple[PersonFound, ...] = ()
    more: bool = False


class ReadingSeen(BaseModel):
    """Who read which fields of whom, when and why. `persons`: as the reader may know them.

    `account`: a keyed hash of who it was, for officers and the protection role; to the person it is the office.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    at: Instant
    purpose: Noted
    fields: tuple[str, ...]
    role: Code
    office: str | None = None
    account: str | None = None
    persons: tuple[str, ...] = ()


def identity(id: str, opened: Mapping[str, Any]) -> IdentifiersSeen:
    return IdentifiersSeen(id=id, **opened)


def found(document: Document, now: datetime) -> PersonFound:
    """The person as the search shows it: coded attributes as of today, and no name."""
    state = PERSONS.state.model_validate(document["state"])
    known = attributes_on(state.entries, now.date())
    return PersonFound(
        id=document["_id"],
        birth_year=known.birth_year if known else None,
        country_of_origin=known.country_of_origin if known else None,
    )


def reading(document: Document, role: Role, persons: tuple[str, ...]) -> ReadingSeen:
    """`persons`: whom it may name to this reader."""
    said = document["reading"]
    return ReadingSeen(
        id=document["_id"],
        at=said["at"],
        purpose=said["purpose"],
        fields=tuple(said["fields"]),
        role=said["role"],
        office=said["office"] or None,
        account=said["account"] if role in SEES_ACCOUNTS else None,
        persons=persons,
    )
