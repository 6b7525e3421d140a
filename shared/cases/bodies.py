"""What somebody says with a verb: frozen models, in which a field that is not declared is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from shared.contracts.base import Code, Instant
from shared.contracts.frame import Listed
from shared.texts import lines

# What `Listed` marks of a body name the codes of a verb's row by, and further ones of the programme's section.
REASON, ITEM = "reason", "item"
NOTE_CHARACTERS = 2_000
# In a body's schema the fields, by their places below it, that follow from others where these are said: a form asks for
# the others.
FOLLOWS = "x-follows"

Note = Annotated[str, StringConstraints(min_length=1, max_length=NOTE_CHARACTERS), BeforeValidator(lines)]


class Input(BaseModel):
    """A body. Unknown fields are refused at every level, also inside contracts that ignore them as events."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Private:
    """On a field of a body: a text that no event carries; it stays in the document, for those who may read the case."""


@dataclass(frozen=True)
class Once:
    """On a list of a body: what stands in it twice is refused (`value_repeated`, 422), for one of the two was meant to
    be another."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(_each_once, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "uniqueItems": True}


def _each_once(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(values)) < len(values):
        raise PydanticCustomError("value_repeated", "each value stands once")
    return values


class Change(Input):
    """The body of a state change. `happened_at` is for roles with the right `record-late`."""

    happened_at: Instant | None = None


class Noted(Change):
    """`note`: what no code says, for those who may read it; it stays in the service, and no event carries it."""

    note: Note | None = None


class Reason(Noted):
    """Why, as one of the codes that the verb lists; a text would reach the log."""

    reason: Annotated[Code, Listed(REASON)]
