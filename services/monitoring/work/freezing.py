"""A period is frozen: what is known by then is counted once, kept under its digest, and changes no more."""

from __future__ import annotations

from functools import partial
from typing import Any

from services.monitoring.counting import ToCount, counted_period, facts_digest
from services.monitoring.domain.counted import CountedPeriod
from services.monitoring.domain.rows import milliseconds_of
from services.monitoring.domain.statements import (
    COUNT,
    GIVE_UP,
    Counted,
    Freezing,
    PeriodStatement,
    statement_id,
)
from services.monitoring.follower import Follower
from services.monitoring.records import Mark
from services.monitoring.store import STATEMENTS
from services.monitoring.work.kept import Kept
from services.monitoring.work.saying import say
from shared.cases.bodies import Change
from shared.cases.case import Asked
from shared.clock import text_of
from shared.contracts.monitoring.statements import Positions, TopicPosition
from shared.errors import Refusal, TooEarly
from shared.messaging.topics import TOPICS
from shared.programmes.model import Definition, begin_of
from shared.replica import Replica
from shared.store.aggregates import WRITTEN_BY, Saved
from shared.store.port import Document
from shared.web.acting import Call

# So many cells of one period, those of the stretches within it among them.
CELLS_AT_MOST = 20_000


class FreezingPeriods:
    """What an administrator asks for, and the counting that follows from it."""

    def __init__(self, replica: Replica, follower: Follower, kept: Kept) -> None:
        self._replica = replica
        self._follower = follower
        self._kept = kept

    async def freeze(self, call: Call[Freezing]) -> Saved[PeriodStatement]:
        """Opens the period's case. Refusal: `programme_unknown`, `period_unknown`, `period_not_over`."""
        version, definition = self._replica.definitions.for_new(call.body.programme)
        self._check(definition, call.body.period)
        return await self._ask(statement_id(call.body.programme, call.body.period), call, version)

    async def again(self, call: Call[Change]) -> Saved[PeriodStatement]:
        """Counts once more, or restates, under the newest definition. Refusal as `freeze`."""
        state = STATEMENTS.read(call.document)
        if state is None:
            raise Refusal("not_found", status=404)
        definitions = self._replica.definitions
        self._check(definitions.newest(state.programme), state.period)
        return await self._ask(call.id, call, definitions.newest_version(state.programme))

    async def _ask(self, id: str, call: Call[Any], version: int) -> Saved[PeriodStatement]:
        # Who froze it before has not written what is frozen now.
        return await self._replica.kernel.execute(
            STATEMENTS,
            id,
            Asked(call.verb, call.body, version),
            call.cause,
            expected_version=call.expected_version,
            private={WRITTEN_BY: [call.cause.account]},
        )

    def _check(self, definition: Definition, code: str) -> None:
        period = definition.period(code)
        if period is None:
            raise Refusal(
                "period_unknown", "a period that the programme's newest definition has", at="/period", status=422
            )
        over = max(begin_of(period.ends, one.zone) for one in definition.offices)
        if self._replica.ports.runtime.now() < over:
            raise Refusal("period_not_over", f"it is over in every office at {text_of(over)}", at="/period")

    async def count(self, document: Document) -> None:
        """Counts what was asked for, as soon as all that was known then has been read here. Doing it twice finds it
        done."""
        state = STATEMENTS.read(document)
        if state is None or state.status != "freezing" or self._follower.watermark_ms < milliseconds_of(state.as_of):
            return
        try:
            definition = self._replica.definitions.version(state.programme, state.definition_version)
        except TooEarly:
            return
        period = definition.period(state.period)
        if period is None:
            await say(self._replica, document, state, Asked(GIVE_UP, given="period_unknown"))
            return
        asked = ToCount(definition, state.definition_version, period, state.as_of)
        positions = self._positions()
        counted, facts = await self._replica.ports.runtime.in_pool(partial(self._counted, asked))
        if sum(len(table.cells) for table in counted.tables) > CELLS_AT_MOST:
            await say(self._replica, document, state, Asked(GIVE_UP, given="too_many_cells"))
            return
        digest = await self._kept.keep_counted(counted)
        await say(self._replica, document, state, Asked(COUNT, given=Counted(digest, facts, positions)))

    def _counted(self, asked: ToCount) -> tuple[CountedPeriod, str]:
        with self._follower.model.database.reader() as connection:
            return counted_period(connection, asked), facts_digest(connection, asked)

    def _positions(self) -> Positions:
        """All that was known before the instant lies below them: no partition's watermark is earlier."""
        marks = self._follower.model.marks
        return tuple(
            TopicPosition(
                topic=name,
                offsets=tuple(marks.get((name, number), Mark()).next_offset for number in range(topic.partitions)),
            )
            for name, topic in sorted(TOPICS.items())
        )
