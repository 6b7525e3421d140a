"""Answers to questions about indicators: as they are now to whoever may see that, else as they were published."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NoReturn, Protocol

from pydantic import TypeAdapter, ValidationError

from services.monitoring.breakdown import adding_up, with_empty_classes
from services.monitoring.domain.disclosure import Viewer, check_definition, check_known
from services.monitoring.domain.rows import EPOCH, milliseconds_of
from services.monitoring.follower import Follower
from services.monitoring.published import Answer, Asking, Published, answer_of, check_published
from services.monitoring.queries import Cell, cells, frames_unknown
from services.monitoring.question import Question
from services.monitoring.records import Mark
from services.monitoring.store import ReadModel
from shared.clock import Runtime, text_of
from shared.contracts.base import Instant
from shared.contracts.monitoring.statements import TOPIC as STATEMENTS_TOPIC
from shared.errors import Refusal, TooEarly
from shared.programmes.indicators import Dimension, Indicator, Period, share_value
from shared.programmes.model import Definition, Office
from shared.programmes.published_tables import can_be_broken_down, is_published
from shared.web.pages.formatting import text_in
from shared.web.pages.languages import DEFAULT
from shared.zones import ZONE_DATA

DIMENSIONS_AT_MOST = 4
KEPT_AT_MOST = 1_000
_INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)
INSTANT = "an instant is written 2026-03-04T09:30:00Z, or with an offset, whose plus is %2B in an address"


class Newest(Protocol):
    """The definitions of a programme; Refusal 404 for a code that nobody published."""

    def newest(self, code: str) -> Definition: ...

    def newest_version(self, code: str) -> int: ...

    def version(self, code: str, version: int) -> Definition:
        """Raises TooEarly for a version that is not here."""
        ...


@dataclass(frozen=True)
class Asked:
    """A request as it came: code of a period, RFC 3339 instant, codes of dimensions, version of the definition, code
    of an office. `language`: in which indicators are named; classes are told by their codes."""

    period: str | None = None
    as_of: str | None = None
    by: tuple[str, ...] = ()
    definition: str | None = None
    office: str | None = None
    language: str = DEFAULT


@dataclass(frozen=True)
class Wanted:
    """One figure with its cells; without a period over all time."""

    indicator: Indicator
    period: Period | None = None
    by: tuple[Dimension, ...] = ()


@dataclass(frozen=True)
class Sheet:
    """Figures of one programme as of one instant: `answers[i]` is that to `wanted[i]`."""

    definition: Definition
    wanted: Sequence[Wanted]
    answers: Sequence[Answer]


class Figures:
    """The figures of one replica. Raises Refusal: 404 unknown programme or indicator, 403 and 422 as the gate says."""

    def __init__(self, follower: Follower, definitions: Newest, runtime: Runtime, published: Published) -> None:
        self._follower = follower
        self._published = published
        self._definitions = definitions
        self._runtime = runtime
        # What was counted since anything was read: many look at the same figures.
        self._counted: dict[Any, Found] = {}
        self._counted_of: tuple[ReadModel, int] | None = None

    async def indicators(self, code: str, asked: Asked, viewer: Viewer) -> list[Answer]:
        """Every indicator; one that cannot be broken down by what was asked for is answered without cells."""

        def every(definition: Definition) -> list[Wanted]:
            period, dimensions = period_of(definition, asked.period), _dimensions(definition, asked.by)
            if not viewer.live:
                check_published(definition, period, asked.by)
            return [
                Wanted(one, period, dimensions if shows(definition, viewer, one, period, dimensions) else ())
                for one in definition.indicators
            ]

        return [*(await self.sheet(code, asked, viewer, every)).answers]

    async def indicator(self, code: str, name: str, asked: Asked, viewer: Viewer) -> Answer:
        def one(definition: Definition) -> list[Wanted]:
            indicator, dimensions = indicator_of(definition, name), _dimensions(definition, asked.by)
            if not can_be_broken_down(definition, indicator, dimensions):
                listed = [one for one in definition.dimensions if can_be_broken_down(definition, indicator, (one,))]
                detail = f"the indicator can be broken down by {_codes(listed)}"
                _refuse("dimension_not_of_this_indicator", "query/by", detail)
            return [Wanted(indicator, period_of(definition, asked.period), dimensions)]

        return (await self.sheet(code, asked, viewer, one)).answers[0]

    async def sheet(
        self, code: str, asked: Asked, viewer: Viewer, choose: Callable[[Definition], Sequence[Wanted]]
    ) -> Sheet:
        """What `choose` wants of the definition, all as of the same instant; of `asked`, its periods and dimensions are
        for `choose` to look at."""
        version, definition = self._definition(code, asked, viewer)
        viewer = _of_office(viewer, definition, asked.office)
        wanted = choose(definition)
        asked_at = asked_instant(asked.as_of)
        if not viewer.live:
            return await self._published_sheet(definition, version, asked, asked_at, wanted)
        asked_ms = None if asked_at is None else milliseconds_of(asked_at)
        check_known(asked_ms, self._follower.watermark_ms)
        as_of = self._follower.head_ms if asked_ms is None else asked_ms
        questions = [Question(definition, one.indicator, as_of, one.period, one.by, viewer.office) for one in wanted]
        # Looked at before it is counted: by then more may be final than was counted.
        told = {"definition_version": version, "zone_data": ZONE_DATA, "final": as_of <= self._follower.watermark_ms}
        counted = await self._found(version, questions)
        answers = [
            {**_represent(question, found, asked.language), **told}
            for question, found in zip(questions, counted, strict=True)
        ]
        return Sheet(definition, wanted, answers)

    async def _published_sheet(
        self, definition: Definition, version: int, asked: Asked, asked_at: datetime | None, wanted: Sequence[Wanted]
    ) -> Sheet:
        """The same as it was published, as of that instant the newest statements."""
        series = await self._published.series(definition.code)
        # Whatever was issued may be asked for, though other partitions are not yet known to have come that far.
        newest_ms = max((milliseconds_of(one.at) for one in series.issued), default=0)
        asked_ms = None if asked_at is None else milliseconds_of(asked_at)
        check_known(asked_ms, max(newest_ms, self._follower.watermark_ms))
        for one in wanted:
            check_published(definition, one.period, [dimension.code for dimension in one.by])
        periods = [*dict.fromkeys(one.period.code for one in wanted if one.period is not None)]
        standing = await self._published.standing(series, asked_at, periods)
        answers = [
            answer_of(
                Asking(definition, version, one.indicator, one.period, one.by, asked.language),
                None if one.period is None else standing.get(one.period.code),
            )
            for one in wanted
        ]
        return Sheet(definition, wanted, answers)

    async def _found(self, version: int, questions: Sequence[Question]) -> list[Found]:
        """What is counted for each question, once for as long as nothing more is read."""
        model = self._follower.model
        # Looked at before it is counted: what is read meanwhile has the next answer counted anew.
        of = model, _read(model)
        if of != self._counted_of or len(self._counted) > KEPT_AT_MOST:
            self._counted, self._counted_of = {}, of
        kept, keys = self._counted, [(version, _key(question)) for question in questions]
        missing = {key: question for key, question in zip(keys, questions, strict=True) if key not in kept}
        if missing:
            found = await self._runtime.in_pool(partial(_count, model, [*missing.values()]))
            kept.update(zip(missing, found, strict=True))
        return [kept[key] for key in keys]

    async def published_at(self, code: str, viewer: Viewer) -> list[datetime]:
        """When something was published of the programme, the newest first; nothing for whoever may ask for any
        instant."""
        if viewer.live:
            return []
        return sorted({one.at for one in (await self._published.series(code)).issued}, reverse=True)

    def stamp(self, code: str, asked: Asked, viewer: Viewer) -> Any:
        """What changes whenever the answer may: of a live viewer all that was read, of others what was published."""
        version, _ = self._definition(code, asked, viewer)
        model = self._follower.model
        return version, _read(model) if viewer.live else model.marks.get((STATEMENTS_TOPIC, 0), Mark()).next_offset

    def _definition(self, code: str, asked: Asked, viewer: Viewer) -> tuple[int, Definition]:
        check_definition(viewer, asked.definition)
        newest = self._definitions.newest_version(code)
        if asked.definition is None:
            return newest, self._definitions.version(code, newest)
        if not (asked.definition.isascii() and asked.definition.isdigit() and len(asked.definition) < 10):
            _refuse("not_a_version", "query/definition", f"a version is a whole number up to {newest}")
        try:
            return int(asked.definition), self._definitions.version(code, int(asked.definition))
        except TooEarly:
            raise Refusal("definition_unknown", status=404) from None


def asked_instant(text: str | None) -> datetime | None:
    """An RFC 3339 instant. Raises Refusal 422."""
    if text is None:
        return None
    try:
        return _INSTANT.validate_python(text)
    except ValidationError as error:
        _refuse(error.errors(include_input=False)[0]["type"], "query/as_of", INSTANT)


@dataclass(frozen=True)
class Found:
    """What was counted; `frames_unknown`: an older opening of a case did not say all that was asked."""

    total: Cell
    cells: Sequence[Cell]
    frames_unknown: bool


def _read(model: ReadModel) -> int:
    """How many records the model has read; it says something else whenever an answer may."""
    return sum(mark.next_offset for mark in model.marks.values())


def _key(question: Question) -> Any:
    """The question by the codes of what it asks, of one version of a definition."""
    period, by = question.period and question.period.code, tuple(one.code for one in question.by)
    asked = question.definition.code, question.indicator.code, question.as_of_ms, period, by
    return (*asked, question.office)


def _count(model: ReadModel, questions: Sequence[Question]) -> list[Found]:
    with model.database.reader() as connection:
        return [Found(*cells(connection, one, model.cells_seen), frames_unknown(connection, one)) for one in questions]


def _represent(question: Question, found: Found, language: str) -> Answer:
    indicator, period, total = question.indicator, question.period, found.total
    whole = total.whole is not None
    answer: Answer = {
        "code": indicator.code,
        "name": text_in(language, indicator.name),
        "unit": indicator.unit,
        "period": None if period is None else period.code,
        **_value(question, total),
        "numerator": total.part if whole else None,
        "denominator": total.whole if whole else None,
        "target": None if period is None else indicator.targets.get(period.code),
        "as_of": text_of(EPOCH + timedelta(milliseconds=question.as_of_ms)) if question.as_of_ms else None,
        "by": [],
        "state": "provisional",
        "statement": None,
        "frames_unknown": found.frames_unknown,
    }
    codes = [dimension.code for dimension in question.by]
    if codes:
        answer |= adding_up(question)
    for cell in with_empty_classes(question, found.cells):
        answer["by"].append({**dict(zip(codes, cell.classes, strict=True)), **_value(question, cell)})
    return answer


def _value(question: Question, cell: Cell) -> Answer:
    """The value: an integer, or a share as decimal text; None for a share of nothing."""
    if cell.whole is None:
        return {"value": cell.part}
    share = share_value(cell.part, cell.whole, question.indicator.decimals)
    return {"value": None if share is None else str(share)}


def shows(
    definition: Definition, viewer: Viewer, indicator: Indicator, period: Period | None, by: Sequence[Dimension]
) -> bool:
    """Whether the viewer gets the indicator broken down by these."""
    if viewer.live:
        return can_be_broken_down(definition, indicator, by)
    return period is not None and is_published(definition, indicator, period.code, by)


def period_of(definition: Definition, code: str | None) -> Period | None:
    if code is None:
        return None
    period = definition.period(code)
    if period is None:
        _refuse("period_unknown", "query/period", f"the programme has {_codes(definition.periods)}")
    return period


def _dimensions(definition: Definition, codes: Sequence[str]) -> tuple[Dimension, ...]:
    if len(codes) > DIMENSIONS_AT_MOST or len(set(codes)) < len(codes):
        _refuse("dimensions_too_many", "query/by", f"at most {DIMENSIONS_AT_MOST}, each once, with commas between")
    found = [dimension for code in codes if (dimension := definition.dimension(code)) is not None]
    if len(found) < len(codes):
        _refuse("dimension_unknown", "query/by", f"the programme has {_codes(definition.dimensions)}")
    return tuple(found)


def indicator_of(definition: Definition, code: str) -> Indicator:
    """Raises Refusal 404."""
    indicator = definition.indicator(code)
    if indicator is None:
        raise Refusal("indicator_unknown", status=404)
    return indicator


def narrowed_to(viewer: Viewer, office: str | None) -> Viewer:
    """The viewer, to whom that office's figures are shown alone. Raises Refusal (403) for an office that is not the
    viewer's own, and for evaluators, to whom it is a breakdown."""
    if office is None:
        return viewer
    if not viewer.live:
        raise Refusal("breakdown_withheld", "what is published is of all offices together", status=403)
    if viewer.office not in (None, office):
        raise Refusal("not_yours", at="query/office", status=403)
    return replace(viewer, office=office)


def _of_office(viewer: Viewer, definition: Definition, office: str | None) -> Viewer:
    """As `narrowed_to`; 422 for an office that the programme does not have."""
    if office is not None and all(office not in (one.code, *one.predecessors) for one in definition.offices):
        narrowed_to(viewer, office)
        _refuse("office_unknown", "query/office", f"the programme has {_codes(definition.offices)}")
    return narrowed_to(viewer, office)


def _refuse(rule: str, pointer: str, detail: str) -> NoReturn:
    """`detail`: what would be right."""
    raise Refusal(rule, detail, at=pointer, status=422)


def _codes(listed: Sequence[Dimension | Period | Office]) -> str:
    return ", ".join(one.code for one in listed) or "none"
