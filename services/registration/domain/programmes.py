"""A programme: its definition, version by version. Cases keep the version that they were opened under."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.registration.domain.examples import DEFINITION
from shared.cases.bodies import Change
from shared.cases.case import NEW, Case, Move, Told, Turn, states
from shared.contracts.base import Scope
from shared.contracts.registration.programmes import ProgrammePublished
from shared.errors import Refusal
from shared.identity.roles import By
from shared.programmes.marked_yaml import Broken


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
    """`definition`: as in a definition file, as JSON. `base_version`: the version that it was made from, 0 for a
    programme that was new; it is refused where another one has been published since. Without it, it takes the place of
    any."""

    definition: Annotated[dict[str, Any], Field(max_length=PARTS_AT_MOST)]
    base_version: Annotated[int, Field(ge=0, le=1_000_000)] | None = None


def a_further_version(turn: Turn[Programme, ProgrammePublication]) -> Told:
    """A definition that says what the newest version says makes no new one; an older one's content does.

    Of two that were made from one version the second is refused: what the first changed would go without a word.
    No office goes that a version had: one that is renamed or merged is named by the one that continues it.
    """
    found, definition = turn.found, turn.given
    if found is not None and found.definition == definition:
        return []
    stands, base = found.definition_version if found else 0, turn.body.base_version
    if base is not None and base != stands:
        detail = f"version {stands} stands, and this one was made from version {base}: look at both and publish again"
        raise Refusal("definition_changed", detail, at="/base_version")
    for one in not_to_follow(found, definition):
        raise Refusal(one.rule, one.detail, at=f"/definition{one.pointer}", status=422)
    return {"code": definition["code"], "definition_version": stands + 1, "definition": definition}


def not_to_follow(found: Programme | None, definition: Mapping[str, Any]) -> list[Broken]:
    """What keeps the definition, right by itself, from following the version that stands; by its fields."""
    gone = offices_of(found.definition) - offices_of(definition) if found else frozenset()
    if not gone:
        return []
    detail = (
        f"cases may belong to {', '.join(sorted(gone))}: keep them, or name them as predecessors of an office, and "
        "pass on what is open by ask-transfer"
    )
    return [Broken("/offices", "office_dropped", detail)]


def offices_of(definition: Mapping[str, Any]) -> frozenset[str]:
    """The codes of the definition's offices, and of those of earlier versions that they continue.

    Of their cases most are known to other services alone, so no office goes, whether or not it has an open one: what
    is open is passed on to another office first (`shared/cases/transfers.py`), and what is over stays the office's.
    """
    offices = definition.get("offices", ())
    return frozenset(code for one in offices for code in (one["code"], *one.get("predecessors", ())))


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
        refuses=("definition_changed", "definition_refused", "office_dropped"),
        example={"definition": DEFINITION},
        aside=True,
    ),
)

PROGRAMME = Case("programmes", Programme, MOVES, readers=EVERYBODY, scope=scope)
