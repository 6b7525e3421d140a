"""Statements of published figures: what becomes of a period, and the tables that are signed and linked when it is
published (docs/domain.md, section 3)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from shared.contracts import patterns
from shared.contracts.base import Code, Contract, Event, Instant, Key

TOPIC = "monitoring.statements"
# SHA-256 as hexadecimal digits.
Digest = Annotated[str, StringConstraints(pattern=patterns.DIGEST)]
# A share as decimal text, with as many digits after the point as its indicator declares.
ShareText = Annotated[str, StringConstraints(pattern=patterns.DECIMAL)]
# One word for whatever is not shown: whether it is small itself or stands for one that is, would tell of it. And
# `change_withheld`: what an earlier statement said stays; it has not changed, or what has cannot be shown.
Withheld = Literal["withheld", "change_withheld"]
CELLS_AT_MOST = 5_000
TABLES_AT_MOST = 500
Number = Annotated[int, Field(ge=1)]
Signature = Annotated[str, StringConstraints(pattern=patterns.SIGNATURE)]


class TopicPosition(Contract):
    """Of each partition of the topic the first offset that does not count."""

    topic: Code
    offsets: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(max_length=1_000)]


Positions = Annotated[tuple[TopicPosition, ...], Field(max_length=1_000)]


class StatedCell(Contract):
    """One figure. `classes`: codes, one for each dimension of its table; none for the total.

    `value`: a count or a sum as a whole number, a share as decimal text; None for a share of nothing, and where it is
    withheld. `numerator`, `denominator`: of a share that is shown.
    """

    classes: tuple[Code, ...] = ()
    value: int | ShareText | None = None
    numerator: int | None = None
    denominator: int | None = None
    withheld: Withheld | None = None


class StatedTable(Contract):
    """One indicator in the statement's period by these dimensions. `cells`: the total first, then the combinations of
    classes in their order."""

    indicator: Code
    unit: Code
    by: tuple[Code, ...] = ()
    cells: Annotated[tuple[StatedCell, ...], Field(min_length=1, max_length=CELLS_AT_MOST)]


class Statement(Contract):
    """What is published of one period of a programme.

    `number` counts the programme's statements from 1; `previous` is the digest of the one before, None for the first.
    `restates`: the number of the period's statement that this one takes the place of, and `reason` the code of why.
    `as_of`: what was known before this instant is counted, below these `positions` of the log. `facts`: the digest of
    the facts counted. `zone_data`: the release of the time zone database by which days are told. `threshold`,
    `protection`: by which figures were withheld; `withheld` of them, by weight, where `least` had to be.
    """

    programme: Code
    period: Key
    number: Number
    previous: Digest | None = None
    restates: Number | None = None
    reason: Code | None = None
    as_of: Instant
    issued_at: Instant
    definition_version: Number
    threshold: int
    protection: int
    withheld: int
    least: int
    zone_data: Code
    positions: Positions
    facts: Digest
    tables: Annotated[tuple[StatedTable, ...], Field(min_length=1, max_length=TABLES_AT_MOST)]


class PeriodFreezing(Event):
    """The figures of the period are to be counted as of this instant, under this version of the definition, as soon as
    all that happened before it is known. `reason`: of a restatement."""

    topic: ClassVar[str] = TOPIC
    leads_to: ClassVar[str | None] = "freezing"
    programme: Code
    period: Key
    as_of: Instant
    definition_version: Number
    reason: Code | None = None


class PeriodFrozen(Event):
    """They are counted: from facts with the digest `facts`, into tables with the digest `counted`, which are kept."""

    topic: ClassVar[str] = TOPIC
    leads_to: ClassVar[str | None] = "frozen"
    positions: Positions
    facts: Digest
    counted: Digest


class PeriodReopened(Event):
    """What was frozen is not published. The period is provisional again, or stays as it was published before."""

    topic: ClassVar[str] = TOPIC
    status: Code
    reason: Code


class PeriodVerified(Event):
    """Somebody else than whoever froze it has looked at the tables with this digest."""

    topic: ClassVar[str] = TOPIC
    leads_to: ClassVar[str | None] = "verified"
    counted: Digest


class PublicationAsked(Event):
    """The tables are to be published, with what has to be withheld."""

    topic: ClassVar[str] = TOPIC
    leads_to: ClassVar[str | None] = "publishing"


class PublicationWaits(Event):
    """What has to be withheld could not be settled; the period stays verified. `reason`: the rule of why."""

    topic: ClassVar[str] = TOPIC
    leads_to: ClassVar[str | None] = "verified"
    reason: Code


class PeriodPublished(Event):
    """The statement of that number, with that digest, tells the period's figures."""

    topic: ClassVar[str] = TOPIC
    leads_to: ClassVar[str | None] = "published"
    number: Number
    digest: Digest


class PeriodRestated(Event):
    """The statement of that number takes the place of the one that it restates; both stay readable."""

    topic: ClassVar[str] = TOPIC
    leads_to: ClassVar[str | None] = "restated"
    number: Number
    digest: Digest
    restates: Number
    reason: Code


class StatementIssued(Event):
    """The statement itself. `digest`: SHA-256 of its canonical form (RFC 8785); `signature`: Ed25519 of that form, as
    base64url, by the key that monitoring publishes under `key_id`. `frozen`: of which tables of the period it was made.
    """

    topic: ClassVar[str] = TOPIC
    leads_to: ClassVar[str | None] = "open"
    statement: Statement
    digest: Digest
    key_id: Code
    signature: Signature
    frozen: Digest
