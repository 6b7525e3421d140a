"""Whoever registers, as they describe themselves: identifiers, which are sealed, and coded attributes."""

from __future__ import annotations

from typing import Self

from pydantic import ConfigDict, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import InitErrorDetails

from services.registration.domain.birth import IN_BORN, YEAR_DIFFERS, Birth
from services.registration.domain.documents import IdentityDocument
from services.registration.domain.fields import Email, KnownAttributes, Name, Telephone, broken
from services.registration.domain.lives import BIRTH_YEAR
from services.registration.domain.telephones import read_telephone
from shared.cases.bodies import FOLLOWS, Input
from shared.contracts.base import Date
from shared.contracts.registration.persons import Attributes


class PersonInput(Input):
    """Identifiers, which are sealed, and coded attributes as they are from `valid_from` on.

    `born` is sealed too; the year of birth among the attributes follows from it.
    """

    # A form asks for the birth alone, as exactly as it is known.
    model_config = ConfigDict(json_schema_extra={FOLLOWS: ["attributes/birth_year"]})

    given_name: Name = None
    family_name: Name = None
    email: Email | None = None
    document: IdentityDocument | None = None
    # Before the attributes, whose year of birth follows from it.
    born: Birth | None = None
    attributes: KnownAttributes
    # After the attributes: a number without its country's code is one of the country of residence.
    telephone: Telephone | None = None
    valid_from: Date

    @field_validator("attributes")
    @classmethod
    def _aged(cls, value: Attributes, read: ValidationInfo) -> Attributes:
        born: Birth | None = read.data.get("born")
        if born is None or value.birth_year == born.year:
            return value
        if value.birth_year is not None:
            # Errors that are raised so stand at the field, with `loc` below that of the attributes.
            row = InitErrorDetails(type=broken(YEAR_DIFFERS, IN_BORN), loc=(BIRTH_YEAR,), input=None)
            raise ValidationError.from_exception_data("Attributes", [row])
        return value.model_copy(update={"birth_year": born.year})

    @field_validator("telephone")
    @classmethod
    def _dialled(cls, value: str | None, read: ValidationInfo) -> str | None:
        attributes = read.data.get("attributes")
        # Without attributes there is a refusal already.
        return value if value is None or attributes is None else read_telephone(value, attributes.country_of_residence)

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.given_name is None and self.family_name is None:
            raise broken("name_missing", "a given name or a family name; one of them is enough")
        return self
