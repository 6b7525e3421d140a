"""What monitoring answers, as models for its contract."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from services.monitoring.domain.counted import CountedTable
from services.monitoring.domain.statements import Waits
from services.monitoring.domain.subscriptions import Content
from shared.contracts.base import Date, Instant
from shared.contracts.monitoring.statements import Positions
from shared.web.acting import Seen


class ProgrammeFigures(BaseModel):
    """A published programme, in the version whose figures are given unless another one is asked for."""

    code: str
    version: int
    title: str
    phase: str
    starts: Date
    ends: Date


class PeriodSeen(BaseModel):
    """`[starts, ends)` in calendar days."""

    code: str
    name: str
    series: str
    starts: Date
    ends: Date
    state: Literal["provisional", "freezing", "frozen", "verified", "publishing", "published", "restated"]


class Figure(BaseModel):
    """`value`: an integer, or a share as decimal text; null for a share of nothing and where it is `suppressed`.

    `withheld`: the rule by which it is suppressed; `change_withheld` beside a value that an earlier statement told.
    """

    value: int | str | None
    suppressed: bool = False
    withheld: str | None = None


class FigureCell(Figure):
    """One combination of classes: each dimension's code with the class, and the figure."""

    model_config = ConfigDict(extra="allow")


class IndicatorFigure(Figure):
    """An indicator's figure. `as_of`: the instant whose knowledge it counts; `final`: it changes no more.

    `by`: its cells; `adds_up`: whether these add up to the total, by which rule in `adds_up_rule`.
    `statement`: the number of the one that tells it, for who sees what was published.
    `zone_data`: the version of the time zones' data by which calendar days were reckoned.
    `frames_unknown`: some cases were opened before their first event carried what is asked.
    """

    model_config = ConfigDict(extra="allow")

    code: str
    name: str
    unit: str
    period: str | None
    numerator: int | None
    denominator: int | None
    target: int | None
    as_of: Instant | None
    by: tuple[FigureCell, ...]
    state: Literal["provisional", "published", "restated"]
    statement: int | None
    frames_unknown: bool
    definition_version: int
    zone_data: str
    final: bool
    adds_up: bool
    adds_up_rule: str


class Digests(BaseModel):
    """Of one table: the live model's and the new one's."""

    live: str
    new: str


class RebuildReport(BaseModel):
    """What a rebuild found: `events` read, `seconds` of reading and deriving, whether every table is `equal`."""

    events: int
    seconds: float
    equal: bool
    digests: dict[str, Digests]


class PeriodCaseSeen(Seen):
    """Where a period's figures stand. `as_of`: what was known by then was counted last, under that version of the
    definition, from facts with the digest `facts`, into tables with the digest `counted`. `number`, `digest`: of the
    statement that stands published. `reason`: of a restatement; `waits`: why a publication waits, by its rule."""

    programme: str
    period: str
    opened_at: Instant
    as_of: Instant
    definition_version: int
    reason: str | None
    waits: Waits | None
    positions: Positions
    facts: str | None
    counted: str | None
    number: int | None
    digest: str | None


class CountedSeen(BaseModel):
    """What was counted of a period, under the digest that whoever verifies it names."""

    counted: str
    tables: tuple[CountedTable, ...]


Outcome = Literal["delivered", "answered", "timed_out", "unreachable", "certificate_refused", "address_not_public"]


class DeliverySeen(BaseModel):
    """One try to send a message. `outcome`: `delivered`, `answered` by another status, or why nothing was answered."""

    id: str
    type: str
    at: Instant
    outcome: Outcome
    status: int | None = None


class SubscriptionSeen(Seen):
    """An address that gets messages. `secret`: for ten minutes after it was made, for whoever asked for it. `reason`:
    why it was stopped. Where one is read: how many were `delivered`, since when none is, when it is tried again, and
    the last tries, the newest first."""

    url: str
    content: Content
    office: str | None
    opened_at: Instant
    reason: Literal["address_gone", "address_silent"] | None = None
    secret: str | None = None
    delivered: int = 0
    failing_since: Instant | None = None
    next_try_at: Instant | None = None
    deliveries: tuple[DeliverySeen, ...] = ()
