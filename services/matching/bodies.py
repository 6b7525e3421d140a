"""Bodies of matching's requests, and an accepted example of each."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints

from shared.contracts.base import Code, Id
from shared.contracts.matching import Terms
from shared.texts import lines, one_line
from shared.web.bodies import Change

Title = Annotated[str, BeforeValidator(one_line), StringConstraints(min_length=1, max_length=200)]
Description = Annotated[str, BeforeValidator(lines), StringConstraints(max_length=10_000)]


class AssignmentDraft(Change):
    """Terms of reference: codes under `terms`; `title` and `description` stay in this service."""

    programme: Code
    office: Code
    terms: Terms
    title: Title
    description: Description = ""


class Revision(Change):
    terms: Terms
    title: Title | None = None
    description: Description | None = None


class EditItems(Change):
    """Codes of what is to be changed."""

    items: Annotated[tuple[Code, ...], Field(min_length=1, max_length=50)]


class Reason(Change):
    reason: Code


class Application(Change):
    expert: Id


class ShortlistRequest(Change):
    """`experts`: whom the officer puts on the longlist; `override_reason`: why the shortlist may be too short."""

    experts: Annotated[tuple[Id, ...], Field(max_length=50)] = ()
    override_reason: Code | None = None


INSTITUTION = "8327ee39-a394-5e66-af2a-cc0447519755"
EXPERT = "5f753150-2023-5dd3-a87e-d04421c54768"
TERMS: dict[str, Any] = {
    "institution": INSTITUTION,
    "country": "AF",
    "sector": "education",
    "host_type": "public",
    "occupation": "2310",
    "modality": "temporary",
    "seats": 1,
    "starts_on": "2027-05-01",
    "ends_on": "2027-08-01",
    "education": 6,
    "experience_years": 3,
    "languages": [{"language": "en", "level": "B2"}],
}
DRAFT: dict[str, Any] = {
    "programme": "trqn-1",
    "office": "kabul",
    "terms": TERMS,
    "title": "Training of trainers in teacher education",
    "description": "Trains the host's own trainers and hands over the material.",
}
