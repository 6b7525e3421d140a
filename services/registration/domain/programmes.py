"""A programme: its definition, version by version. Cases keep the version that they were opened under."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.registration.domain.examples import DEFINITION
from shared.cases.bodies import Change
from shared.cases.case import NEW, Case, Move, Told, Turn, states
from shared.contracts.base import Scope
from shared.contracts.registration import ProgrammePublished
from shared.identity.roles import By


class Programme(BaseModel):
    """The newest definition. `definition_version` counts the events of this subject from 1."""

    model_config = ConfigDict(frozen=True)

    status: Literal["published"] = "published"
    code: str
    definition_version: int
    definition: dict[str, Any]


# A definition has some dozen parts; each is held to its own model when it is read.
PARTS_AT_MOST = 100


class ProgrammePublication(Change):
    """`definition`: as in a definition file, as JSON."""

    definition: Annotated[dict[str, Any], Field(max_length=PARTS_AT_MOST)]


def a_further_version(turn: Turn[Programme, ProgrammePublication]) -> Told:
    """A definition that says nothing new makes no new version."""
    found, definition = turn.found, turn.given
    if found is not None and found.definition == definition:
        return []
    version = found.definition_version + 1 if found else 1
    return {"code": definition["code"], "definition_version": version, "definition": definition}


def scope(state: Programme) -> Scope:
    """The programme's own version, of which its event tells."""
    return Scope(programme=state.code, programme_version=state.definition_version)


EVERYBODY: By = {
    "expert": "all",
    "host": "all",
    "officer": "all",
    "panel": "all",
    "finance": "all",
    "protection": "all",
    "administrator": "all",
}
MOVES: tuple[Move, ...] = (
    Move(
        "publish",
        states(NEW, "published"),
        ProgrammePublished,
        body=ProgrammePublication,
        by={"administrator": "all"},
        rule=a_further_version,
        needs=states("definition"),
        example={"definition": DEFINITION},
    ),
)

PROGRAMME = Case("programmes", Programme, MOVES, readers=EVERYBODY, scope=scope)
