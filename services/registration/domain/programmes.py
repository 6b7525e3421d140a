"""A programme: its definition, version by version. Cases keep the version that they were opened under."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from shared.contracts.base import Event, Scope
from shared.contracts.registration import ProgrammePublished
from shared.errors import Refusal


class Programme(BaseModel):
    """The newest definition. `definition_version` counts the events of this subject from 1."""

    model_config = ConfigDict(frozen=True)

    code: str
    definition_version: int
    definition: dict[str, Any]


@dataclass(frozen=True)
class PublishProgramme:
    """`definition` has been checked by the loader of shared.programmes before."""

    code: str
    definition: dict[str, Any]


def decide(state: Programme | None, command: Any, now: datetime) -> Sequence[Event]:
    """A definition that says nothing new makes no new version. Refusal `unknown_command` for anything else."""
    if not isinstance(command, PublishProgramme):
        raise Refusal("unknown_command")
    if state is not None and state.definition == command.definition:
        return ()
    version = 1 if state is None else state.definition_version + 1
    return [
        ProgrammePublished(
            happened_at=now, code=command.code, definition_version=version, definition=command.definition
        )
    ]


def evolve(state: Programme | None, event: Any) -> Programme:
    if not isinstance(event, ProgrammePublished):
        raise TypeError(type(event).__name__)
    return Programme(code=event.code, definition_version=event.definition_version, definition=event.definition)


def scope(state: Programme) -> Scope:
    return Scope(programme=state.code, programme_version=state.definition_version)
