"""Statements of published figures: tables of a period, signed, each linked to the one before (docs/domain.md)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.contracts import patterns
from shared.contracts.base import Code, Contract, Instant, Key

# SHA-256 as hexadecimal digits.
Digest = Annotated[str, StringConstraints(pattern=patterns.DIGEST)]
# A share as decimal text, with as many digits after the point as its indicator declares.
Share = Annotated[str, StringConstraints(pattern=patterns.DECIMAL)]
Withheld = Literal["below_threshold", "protects_another", "change_withheld"]
TABLES_AT_MOST, CELLS_AT_MOST = 2_000, 5_000


class StatedCell(Contract):
    """One figure. `classes`: codes, one for each dimension of its table; none for the total.

    `value`: a count or a sum as a whole number, a share as decimal text; None for a share of nothing, and where it is
    withheld. `numerator`, `denominator`: of a share that is shown. `withheld`: the rule by which it is not shown;
    `change_withheld`: `value` is what an earlier statement said, and what has changed since cannot be shown.
    """

    classes: tuple[Code, ...] = ()
    value: int | Share | None = None
    numerator: int | None = None
    denominator: int | None = None
    withheld: Withheld | None = None


class StatedTable(Contract):
    """One indicator in one period by these dimensions. `cells`: the total first, then the combinations of classes in
    their order."""

    indicator: Code
    unit: Code
    period: Key
    by: tuple[Code, ...] = ()
    cells: Annotated[tuple[StatedCell, ...], Field(min_length=1, max_length=CELLS_AT_MOST)]


class Statement(Contract):
    """What is published of one period of a programme.

    `number` counts the programme's statements from 1; `previous` is the digest of the one before, None for the first.
    `replaces`: the number of the period's statement that this one restates, and `reason` the code of why.
    `as_of`: what was known before this instant is counted, below these `positions` of the log (by topic, the first
    offset not counted of each partition). `facts`: the digest of the facts counted. `zone_data`: the release of the
    time zone database by which days are told.
    """

    programme: Code
    period: Key
    number: Annotated[int, Field(ge=1)]
    previous: Digest | None = None
    replaces: Annotated[int, Field(ge=1)] | None = None
    reason: Code | None = None
    as_of: Instant
    definition_version: Annotated[int, Field(ge=1)]
    zone_data: str
    positions: dict[str, tuple[int, ...]]
    facts: Digest
    tables: Annotated[tuple[StatedTable, ...], Field(min_length=1, max_length=TABLES_AT_MOST)]
