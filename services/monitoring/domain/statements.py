"""A period of a programme, from provisional figures to a published statement and its restatements (docs/domain.md).

What is counted and what is published stand apart from the case, under their digests; the case says where it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict

from shared.cases.bodies import Change, Reason
from shared.cases.case import NEW, Case, Move, Timer, Told, Turn, states
from shared.clock import derived_id
from shared.contracts.base import Code, Event, Instant, Key, Scope
from shared.contracts.monitoring.statements import (
    Digest,
    PeriodFreezing,
    PeriodFrozen,
    PeriodPublished,
    PeriodReopened,
    PeriodRestated,
    PeriodVerified,
    Positions,
    PublicationAsked,
    PublicationWaits,
)
from shared.errors import Refusal
from shared.identity.roles import By

# Why a publication waits: the time was over, no choice of what to withhold protects everybody or is proven to, there is
# too much of it, or figures do not hang together as their definition says.
Waits = Literal["not_settled_in_time", "no_safe_choice", "not_proven", "too_many_cells", "figures_disagree"]
Status = Literal["provisional", "freezing", "frozen", "verified", "publishing", "published", "restated"]
ADMINISTRATOR: By = {"administrator": "all"}
# What a period's case tells holds no figure.
READERS: By = {"administrator": "all", "officer": "all", "evaluator": "all"}


class PeriodStatement(BaseModel):
    """`as_of`, `definition_version`: of the tables that were counted last, or are to be; `positions`, `facts`,
    `counted` once they are. `number`, `digest`: of the statement that stands published; None before there is one.
    `reason`: of the restatement under way or done, or of why the publication waits."""

    model_config = ConfigDict(frozen=True)

    status: Status
    programme: Code
    period: Key
    opened_at: Instant
    as_of: Instant
    definition_version: int
    reason: Code | None = None
    waits: Waits | None = None
    positions: Positions = ()
    facts: Digest | None = None
    counted: Digest | None = None
    number: int | None = None
    digest: Digest | None = None


class Freezing(Change):
    """Which period of which programme is to be counted."""

    programme: Code
    period: Key


class Verifying(Change):
    """`counted`: the digest of the tables that were looked at."""

    counted: Digest


@dataclass(frozen=True)
class Counted:
    """What the counting found: digests of the tables and of the facts, and where the log stood."""

    counted: Digest
    facts: Digest
    positions: Positions


@dataclass(frozen=True)
class Issued:
    """The statement that stands in the programme's series now."""

    number: int
    digest: Digest


def statement_id(programme: str, period: str) -> str:
    """The case of the period."""
    return derived_id("statement", programme, period)


def as_it_is_known(turn: Turn[PeriodStatement, Freezing]) -> Told:
    """All that is known by now is counted, under the newest definition."""
    body = turn.body
    return [_freezing(turn.now, body.programme, body.period, turn.given, None)]


def known_by_now(turn: Turn[PeriodStatement, Change]) -> Told:
    """It is counted once more, by what is known now."""
    state = turn.state
    return [_freezing(turn.now, state.programme, state.period, turn.given, None)]


def known_anew(turn: Turn[PeriodStatement, Reason]) -> Told:
    """What is known now takes the place of what was published, for a reason that everybody reads."""
    state = turn.state
    return [_freezing(turn.now, state.programme, state.period, turn.given, turn.body.reason)]


def _freezing(now: datetime, programme: str, period: str, version: int, reason: str | None) -> PeriodFreezing:
    return PeriodFreezing(
        happened_at=now, programme=programme, period=period, as_of=now, definition_version=version, reason=reason
    )


def what_was_counted(turn: Turn[PeriodStatement, Change]) -> Told:
    found: Counted = turn.given
    return {"positions": found.positions, "facts": found.facts, "counted": found.counted}


def what_was_looked_at(turn: Turn[PeriodStatement, Verifying]) -> Told:
    """The tables that stand are the ones that were looked at."""
    if turn.body.counted != turn.state.counted:
        raise Refusal("counted_again", "the figures were counted again since: look at these", at="/counted")
    return {}


def as_it_was(turn: Turn[PeriodStatement, Reason]) -> Told:
    """A period that was published stays so; another one is provisional again."""
    state = turn.state
    status = "provisional" if state.number is None else "published"
    return [PeriodReopened(happened_at=turn.now, status=status, reason=turn.body.reason)]


def why_it_was_not_counted(turn: Turn[PeriodStatement, Change]) -> Told:
    status = "provisional" if turn.state.number is None else "published"
    return [PeriodReopened(happened_at=turn.now, status=status, reason=turn.given)]


def as_it_was_issued(turn: Turn[PeriodStatement, Change]) -> Told:
    """The first statement of a period publishes it, a later one restates it."""
    state, issued = turn.state, turn.given
    told = {"happened_at": turn.now, "number": issued.number, "digest": issued.digest}
    if state.number is None:
        return [PeriodPublished(**told)]
    return [PeriodRestated(**told, restates=state.number, reason=state.reason or "correction")]


def why_it_waits(turn: Turn[PeriodStatement, Change]) -> Told:
    return {"reason": turn.given}


def fold(_state: PeriodStatement | None, event: Event) -> Mapping[str, Any]:
    match event:
        case PeriodFreezing():
            return {"positions": (), "facts": None, "counted": None, "waits": None}
        case PeriodReopened():
            return {"status": event.status, "reason": None, "waits": None}
        case PublicationWaits():
            return {"reason": _state.reason if _state else None, "waits": event.reason}
        case PublicationAsked():
            return {"waits": None}
    return {}


def at_once(state: PeriodStatement) -> Timer | None:
    """What was asked for is done by whichever replica comes to it: the counting, and what has to be withheld."""
    if state.status == "freezing":
        return Timer(state.as_of, COUNT, on_the_clock=True)
    if state.status == "publishing":
        return Timer(state.as_of, ISSUE, on_the_clock=True)
    return None


def scope(state: PeriodStatement) -> Scope:
    return Scope(programme=state.programme, programme_version=state.definition_version)


COUNT, GIVE_UP, ISSUE, WAIT = "count", "give-up", "issue", "wait"
FREEZE, REFREEZE, RESTATE = "freeze", "freeze-again", "restate"
FROZEN = states("frozen", "verified")
PUBLISHED = states("published", "restated")
MOVES: tuple[Move, ...] = (
    Move(
        FREEZE,
        states(NEW),
        PeriodFreezing,
        body=Freezing,
        by=ADMINISTRATOR,
        rule=as_it_is_known,
        needs=states("definition"),
        refuses=("programme_unknown", "period_unknown", "period_not_over"),
        example={"programme": "trqn-1", "period": "first-report"},
    ),
    Move(
        REFREEZE,
        states("provisional"),
        PeriodFreezing,
        by=ADMINISTRATOR,
        rule=known_by_now,
        needs=states("definition"),
        refuses=("period_unknown",),
    ),
    Move(COUNT, states("freezing"), PeriodFrozen, rule=what_was_counted, overtaken="nothing"),
    Move(
        GIVE_UP,
        states("freezing"),
        PeriodReopened,
        to=states("provisional", "published"),
        rule=why_it_was_not_counted,
        overtaken="nothing",
        reasons=("too_many_cells", "period_unknown"),
    ),
    Move(
        "verify",
        states("frozen"),
        PeriodVerified,
        body=Verifying,
        by=ADMINISTRATOR,
        rule=what_was_looked_at,
        checked_by_another=True,
        refuses=("counted_again",),
        example={"counted": "0" * 64},
    ),
    Move(
        "reopen",
        FROZEN,
        PeriodReopened,
        to=states("provisional", "published"),
        body=Reason,
        by=ADMINISTRATOR,
        rule=as_it_was,
        reasons=("figures_wrong", "facts_missing", "mistake"),
        example={"reason": "facts_missing"},
        aside=True,
    ),
    Move("publish", states("verified"), PublicationAsked, by=ADMINISTRATOR),
    Move(
        ISSUE,
        states("publishing"),
        (PeriodPublished, PeriodRestated),
        rule=as_it_was_issued,
        overtaken="nothing",
    ),
    Move(
        WAIT,
        states("publishing"),
        PublicationWaits,
        rule=why_it_waits,
        overtaken="nothing",
        reasons=get_args(Waits),
    ),
    Move(
        RESTATE,
        PUBLISHED,
        PeriodFreezing,
        body=Reason,
        by=ADMINISTRATOR,
        rule=known_anew,
        needs=states("definition"),
        reasons=("correction", "late_facts", "definition_changed", "counted_wrongly"),
        refuses=("period_unknown",),
        example={"reason": "correction"},
        aside=True,
    ),
)

STATEMENT = Case(
    "statements",
    PeriodStatement,
    MOVES,
    fold,
    readers=READERS,
    filters=("programme",),
    timer=at_once,
    scope=scope,
    second="statement_exists",
)
