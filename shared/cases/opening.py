"""Plain cases: opened by an office under a section of its programme, and a table of moves from then on.

Whoever acts finds the programme's definition, checks what the body names, and hands the rules an `Under`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict

from shared.cases.bodies import Change, Private
from shared.cases.case import NEW, Move, Rule, Told, Turn
from shared.contracts.base import Code, Event, Instant
from shared.contracts.frame import Frame, Listed, Place
from shared.identity.roles import Relation, Role
from shared.texts import Title

DEFINITION = frozenset({"definition"})


class Opening(Place, Change):
    """What every plain case is opened with. `title`: for those who may read the case; it stays in the service."""

    programme: Code
    office: Annotated[Code, Listed("office")]
    title: Annotated[Title, Private()]


class Framed(BaseModel):
    """The state of a plain case has these fields; its `status` names what its own table leads to."""

    model_config = ConfigDict(frozen=True)

    status: str
    frame: Frame
    opened_at: Instant

    def day_of(self, instant: datetime) -> date:
        """The office's calendar day at that instant."""
        return self.frame.day_of(instant)


@dataclass(frozen=True)
class Days:
    """Half-open: `ends_on` is the first day after."""

    starts_on: date
    ends_on: date


@dataclass(frozen=True)
class Under:
    """`given` of a turn: the frame of the case, and of the definition that it was opened under the section and the days
    of the programme."""

    frame: Frame
    section: Any
    programme: Days


def frame_of(body: Opening, version: int, time_zone: str) -> Frame:
    """The frame of the case that the body opens. `version`: of the programme; `time_zone`: the office's."""
    place = {name: getattr(body, name) for name in Place.model_fields}
    return Frame(**place, programme=body.programme, programme_version=version, office=body.office, time_zone=time_zone)


def in_frame(turn: Turn[Any, Any]) -> Told:
    """The case runs under the programme's newest definition, by the office of whoever opens it."""
    return {"frame": turn.given.frame}


def opens(
    verb: str,
    event: type[Event],
    body: type[Opening],
    by: Mapping[Role, Relation],
    *,
    rule: Rule = in_frame,
    refuses: tuple[str, ...] = (),
    reasons: tuple[str, ...] = (),
    example: Mapping[str, Any],
) -> Move:
    """The row that opens a plain case."""
    refused = ("not_in_programme", "programme_is_over", "long_before_the_programme", "institution_unknown", *refuses)
    return Move(
        verb,
        frozenset({NEW}),
        event,
        body=body,
        by=by,
        rule=rule,
        needs=DEFINITION,
        refuses=refused,
        reasons=reasons,
        example=example,
    )
