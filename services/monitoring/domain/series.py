"""The statements of one programme in their order: each names the digest of the one before, so none can be taken out,
put in or changed without a trace."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from shared.cases.bodies import Change
from shared.cases.case import NEW, Case, Move, Told, Turn, states
from shared.clock import derived_id
from shared.contracts.base import Code, Event, Instant, Key, Scope
from shared.contracts.monitoring.statements import Digest, StatementIssued


class Place(BaseModel):
    """A statement of the series. `frozen`: the digest of the period's tables that it was made of; `at`: when it was
    issued."""

    model_config = ConfigDict(frozen=True)

    period: Key
    number: int
    digest: Digest
    frozen: Digest
    at: Instant


class Series(BaseModel):
    """`issued`: in their order, `issued[i].number` is i + 1."""

    model_config = ConfigDict(frozen=True)

    status: Literal["open"] = "open"
    programme: Code
    issued: tuple[Place, ...] = ()

    @property
    def head(self) -> Digest | None:
        """The digest of the last statement."""
        return self.issued[-1].digest if self.issued else None

    def of(self, frozen: str) -> Place | None:
        """The statement that was made of these tables."""
        return next((one for one in reversed(self.issued) if one.frozen == frozen), None)

    def standing(self, until: datetime | None = None) -> dict[str, Place]:
        """By period its newest statement; of those that were issued by then."""
        return {one.period: one for one in self.issued if until is None or one.at <= until}


def series_id(programme: str) -> str:
    return derived_id("series", programme)


def next_of_the_series(turn: Turn[Series, Change]) -> Told:
    """A statement follows the one whose digest it names. ValueError for another one."""
    event: StatementIssued = turn.given
    found = turn.found.issued if turn.found else ()
    head = found[-1].digest if found else None
    if (event.statement.previous, event.statement.number) != (head, len(found) + 1):
        raise ValueError("a statement follows the last one of its series")
    return [event]


def fold(state: Series | None, event: Event) -> Mapping[str, Any]:
    assert isinstance(event, StatementIssued)  # noqa: S101
    said = event.statement
    place = Place(period=said.period, number=said.number, digest=event.digest, frozen=event.frozen, at=said.issued_at)
    return {"programme": said.programme, "issued": (*(state.issued if state else ()), place)}


def scope(state: Series) -> Scope:
    return Scope(programme=state.programme)


ISSUE = "issue"
SERIES = Case(
    "series",
    Series,
    (Move(ISSUE, states(NEW, "open"), StatementIssued, rule=next_of_the_series),),
    fold,
    scope=scope,
)
