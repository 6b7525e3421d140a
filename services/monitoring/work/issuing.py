"""A verified period is published: what has to be withheld is settled by all that was published before, the statement is
signed and linked to the one before it, and the period says so."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import monotonic

from services.monitoring.domain.counted import CountedPeriod
from services.monitoring.domain.series import ISSUE as NEXT
from services.monitoring.domain.series import Place, Series, series_id
from services.monitoring.domain.statements import ISSUE, WAIT, Issued, PeriodStatement, Waits
from services.monitoring.domain.stating import Shown, stated_tables
from services.monitoring.domain.told import Earlier, told_with
from services.monitoring.store import SERIES, STATEMENTS
from services.monitoring.work.kept import Kept, Signed
from services.monitoring.work.saying import say
from shared.canonical import canonical_json
from shared.cases.case import Asked
from shared.clock import derived_id
from shared.contracts.monitoring.statements import CELLS_AT_MOST, StatedTable, Statement, StatementIssued
from shared.errors import PreconditionFailed, TooEarly
from shared.identity.keys import Keys
from shared.programmes.model import Definition
from shared.replica import Replica
from shared.store.aggregates import Cause
from shared.store.port import Document
from shared.telemetry.observability import logger
from shared.zones import ZONE_DATA

SERVICE = "monitoring"
# What cannot be settled by then is not published; whoever asked is told, and may ask again.
SECONDS = 10.0
WAITS: Mapping[str, Waits] = {
    "time": "not_settled_in_time",
    "no_safe_choice": "no_safe_choice",
    "unproven": "not_proven",
}


@dataclass(frozen=True)
class Settled:
    """The tables as they are told, with the weight of what is withheld in them and the least that could be; `waits`
    instead: the rule of why they cannot be told."""

    tables: Sequence[StatedTable] = ()
    withheld: int = 0
    least: int = 0
    waits: Waits | None = None


class Issuing:
    """Raises Unavailable and UnknownOutcome; the next round finds what was done of it."""

    def __init__(self, replica: Replica, kept: Kept, keys: Keys) -> None:
        self._replica = replica
        self._kept = kept
        self._keys = keys

    async def issue(self, document: Document) -> None:
        """Issues the statement of what was verified, once, and has the period say which it is."""
        state = STATEMENTS.read(document)
        if state is None or state.status != "publishing" or state.counted is None:
            return
        try:
            definition = self._replica.definitions.version(state.programme, state.definition_version)
        except TooEarly:
            return
        series_document, series = await self._replica.kernel.load(SERIES, series_id(state.programme))
        series = series or Series(programme=state.programme)
        place = series.of(state.counted)
        if place is None:
            version = int(series_document["version"]) if series_document else 0
            found = await self._next(state, definition, series, version)
            if not isinstance(found, Place):
                if found is not None:
                    await say(self._replica, document, state, Asked(WAIT, given=found))
                return
            place = found
        await say(self._replica, document, state, Asked(ISSUE, given=Issued(place.number, place.digest)))

    async def _next(
        self, state: PeriodStatement, definition: Definition, series: Series, version: int
    ) -> Place | str | None:
        """The new statement's place; the rule of why there is none, or None where another one came first."""
        assert state.counted is not None  # noqa: S101
        now = await self._kept.counted(state.counted)
        earlier = await self._earlier(series)
        runtime = self._replica.ports.runtime
        settled = await runtime.in_pool(
            partial(settle, definition, now, earlier, self._standing(series, state, earlier), monotonic)
        )
        if settled.waits is not None:
            return settled.waits
        statement = self._statement(state, definition, series, settled)
        signed = self._signed(statement, state.counted)
        await self._kept.keep_signed(signed)
        event = StatementIssued(happened_at=statement.issued_at, **dict(signed))
        cause = Cause(derived_id("issue", state.counted))
        try:
            saved = await self._replica.kernel.execute(
                SERIES, series_id(state.programme), Asked(NEXT, given=event), cause, expected_version=version
            )
        except PreconditionFailed:
            # What has to be withheld follows from that one too.
            return None
        return saved.state.of(state.counted)

    def _statement(self, state: PeriodStatement, definition: Definition, series: Series, settled: Settled) -> Statement:
        restated = state.number is not None
        return Statement(
            programme=state.programme,
            period=state.period,
            number=len(series.issued) + 1,
            previous=series.head,
            restates=state.number,
            reason=state.reason if restated else None,
            as_of=state.as_of,
            issued_at=self._replica.ports.runtime.now(),
            definition_version=state.definition_version,
            threshold=definition.disclosure.threshold,
            protection=definition.disclosure.protection,
            withheld=settled.withheld,
            least=settled.least,
            zone_data=ZONE_DATA,
            positions=state.positions,
            facts=state.facts or "",
            tables=tuple(settled.tables),
        )

    async def _earlier(self, series: Series) -> list[Earlier]:
        found = []
        for place in series.issued:
            counted, signed = await self._kept.counted(place.frozen), await self._kept.signed(place.digest)
            definition = self._replica.definitions.version(series.programme, counted.definition_version)
            found.append(Earlier(counted, signed.statement, shares_of(definition)))
        return found

    def _standing(self, series: Series, state: PeriodStatement, earlier: Sequence[Earlier]) -> Statement | None:
        place = series.standing().get(state.period)
        return earlier[place.number - 1].statement if place else None

    def _signed(self, statement: Statement, frozen: str) -> Signed:
        data = canonical_json(statement.model_dump(mode="json", exclude_none=True))
        return Signed(
            statement=statement,
            digest=hashlib.sha256(data).hexdigest(),
            key_id=self._keys.receipt_key_id(SERVICE),
            signature=self._keys.sign_receipt(SERVICE, data),
            frozen=frozen,
        )


def shares_of(definition: Definition) -> dict[str, tuple[str, str]]:
    """Of each share the two indicators that it names."""
    named = ((one.code, one.share) for one in definition.indicators)
    return {code: (share.of, share.in_) for code, share in named if share is not None}


def settle(
    definition: Definition,
    now: CountedPeriod,
    earlier: Sequence[Earlier],
    standing: Statement | None,
    clock: Callable[[], float],
) -> Settled:
    """The tables of a statement after the earlier ones; blocking, `SECONDS` at most by the clock."""
    # Not at the top: whoever publishes nothing needs no solver.
    from services.monitoring.domain.suppression.protecting import protect

    told, rules = told_with(now, definition, earlier), definition.disclosure
    try:
        found = protect(
            list(told.cells.values()),
            list(told.relations),
            threshold=rules.threshold,
            protection=rules.protection,
            seconds=SECONDS,
            clock=clock,
        )
    except ValueError as error:
        # Figures that do not hang together as their definition says are told to nobody.
        logger.error("figures_disagree", programme=now.programme, period=now.period, error=str(error))
        return Settled(waits="figures_disagree")
    if not found.certified:
        return Settled(waits=WAITS[found.why or "unproven"])
    shown = Shown(len(earlier) + 1, told, found.withheld, rules.threshold, standing)
    tables = stated_tables(definition, now, shown)
    if sum(len(table.cells) for table in tables) > CELLS_AT_MOST:
        return Settled(waits="too_many_cells")
    primary = sum(told.cells[key].weight for key in found.primary)
    return Settled(tables, primary + found.weight, primary + found.least)
