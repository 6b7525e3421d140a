"""What was published, for those who see nothing else: every figure that they get stands in a signed statement."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from services.monitoring.breakdown import adding_up
from services.monitoring.domain.series import Series, series_id
from services.monitoring.domain.statements import statement_id
from services.monitoring.question import Question
from services.monitoring.store import SERIES, STATEMENTS
from services.monitoring.work.kept import Kept, Signed
from shared.clock import text_of, together
from shared.contracts.monitoring.statements import StatedCell, StatedTable
from shared.errors import Refusal
from shared.programmes.indicators import Dimension, Indicator, Period
from shared.programmes.model import Definition
from shared.programmes.published_tables import tables_of
from shared.store.port import Store
from shared.web.pages.formatting import text_in
from shared.zones import ZONE_DATA

# Statements that are asked for again and again; they never change.
REMEMBERED = 100
NOT_PUBLISHED = "nothing_published_yet"
Answer = dict[str, Any]


class Programmes(Protocol):
    """Refusal 404 for a code that nobody published; TooEarly while this replica starts."""

    def newest(self, code: str) -> Definition: ...


@dataclass(frozen=True)
class Asking:
    """One figure with its cells; without a period none was published."""

    definition: Definition
    version: int
    indicator: Indicator
    period: Period | None
    by: tuple[Dimension, ...]
    language: str


class Published:
    """The statements of every programme. Raises Unavailable."""

    def __init__(self, store: Store, kept: Kept, programmes: Programmes) -> None:
        self._store = store
        self._kept = kept
        self._programmes = programmes
        self._remembered: OrderedDict[str, Signed] = OrderedDict()

    async def series(self, code: str) -> Series:
        """What was issued of the programme. Raises as `Programmes` does."""
        self._programmes.newest(code)
        state = SERIES.read(await self._store.load(SERIES.name, series_id(code)))
        return state or Series(programme=code)

    async def states(self, code: str, periods: Sequence[str]) -> Mapping[str, str]:
        """Where each period stands: provisional before anybody freezes it."""
        documents = await together(*(self._store.load(STATEMENTS.name, statement_id(code, one)) for one in periods))
        found = zip(periods, map(STATEMENTS.read, documents), strict=True)
        return {one: "provisional" if state is None else state.status for one, state in found}

    async def numbered(self, code: str, number: str) -> Signed:
        """The statement of that number, as a text that somebody sent. Raises Refusal 404."""
        issued = (await self.series(code)).issued
        if not (number.isascii() and number.isdigit() and len(number) < 10 and 1 <= int(number) <= len(issued)):
            raise Refusal("not_found", status=404)
        return await self.signed(issued[int(number) - 1].digest)

    async def signed(self, digest: str) -> Signed:
        if digest not in self._remembered:
            self._remembered[digest] = await self._kept.signed(digest)
            if len(self._remembered) > REMEMBERED:
                self._remembered.popitem(last=False)
        self._remembered.move_to_end(digest)
        return self._remembered[digest]

    async def standing(self, series: Series, until: datetime | None, periods: Sequence[str]) -> Mapping[str, Signed]:
        """By period the statement of the series that stood then (None: now)."""
        places = series.standing(until)
        return {one: await self.signed(places[one].digest) for one in periods if one in places}


def check_published(definition: Definition, period: Period | None, by: Sequence[str]) -> None:
    """Raises Refusal (403) for a breakdown that the programme does not publish of the period."""
    if not by:
        return
    published = sorted({",".join(one.by) for one in tables_of(definition, period.code) if one.by}) if period else []
    if ",".join(by) not in published:
        detail = f"of this period the breakdowns {', '.join(published)} are published" if published else ""
        raise Refusal("breakdown_withheld", detail, status=403)


def answer_of(asking: Asking, signed: Signed | None) -> Answer:
    """The figure as the period's statement tells it; None where there is none yet."""
    statement = None if signed is None else signed.statement
    indicator, period = asking.indicator, asking.period
    codes = tuple(one.code for one in asking.by)
    tables = [one for one in statement.tables if one.indicator == indicator.code] if statement else []
    total = tables[0].cells[0] if tables else None
    answer: Answer = {
        "code": indicator.code,
        "name": text_in(asking.language, indicator.name),
        "unit": indicator.unit,
        "period": None if period is None else period.code,
        **_value(total),
        "numerator": total.numerator if total else None,
        "denominator": total.denominator if total else None,
        "target": None if period is None else indicator.targets.get(period.code),
        "as_of": text_of(statement.as_of) if statement else None,
        "by": [],
        "state": "provisional" if statement is None else "published" if statement.restates is None else "restated",
        "statement": statement.number if statement else None,
        "frames_unknown": False,
        "definition_version": statement.definition_version if statement else asking.version,
        "zone_data": statement.zone_data if statement else ZONE_DATA,
        "final": statement is not None,
    }
    if codes:
        answer |= adding_up(Question(asking.definition, indicator, 0, period, asking.by))
        answer["by"] = [cell for table in tables if table.by == codes for cell in _cells(table)]
    return answer


def _cells(table: StatedTable) -> list[Answer]:
    return [{**dict(zip(table.by, cell.classes, strict=True)), **_value(cell)} for cell in table.cells if cell.classes]


def _value(cell: StatedCell | None) -> Answer:
    """A figure that stands as it was told before has its value, and says so."""
    if cell is None:
        return {"value": None, "suppressed": True, "withheld": NOT_PUBLISHED}
    if cell.withheld == "withheld":
        return {"value": None, "suppressed": True, "withheld": cell.withheld}
    return {"value": cell.value, **({"withheld": cell.withheld} if cell.withheld else {})}
