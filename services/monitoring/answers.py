"""Answers to questions about indicators: every one passes the gate of disclosure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NoReturn, Protocol

from pydantic import TypeAdapter, ValidationError

from services.monitoring.breakdown import adding_up, with_empty_classes
from services.monitoring.domain.disclosure import (
    Counted,
    Steps,
    Viewer,
    check_breakdown,
    check_definition,
    shown_as_of,
    why_withheld,
)
from services.monitoring.domain.rows import EPOCH, microseconds_of
from services.monitoring.follower import Follower
from services.monitoring.queries import Cell, cells, frames_unknown
from services.monitoring.question import Question, counts_people
from services.monitoring.store import ReadModel
from shared.clock import Runtime, text_of
from shared.contracts.base import Instant
from shared.errors import Refusal, TooEarly
from shared.programmes.indicators import Dimension, Indicator, Period, carries, share_value
from shared.programmes.model import Definition, Office
from shared.web.pages.formatting import text_in
from shared.web.pages.languages import DEFAULT
from shared.zones import ZONE_DATA

DIMENSIONS_AT_MOST = 4
KEPT_AT_MOST = 1_000
_INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)
INSTANT = "an instant is written 2026-03-04T09:30:00Z, or with an offset, whose plus is %2B in an address"
Answer = dict[str, Any]


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

    def __init__(self, follower: Follower, definitions: Newest, runtime: Runtime) -> None:
        self._follower = follower
        self._definitions = definitions
        self._runtime = runtime
        # What was counted since anything was read: many look at the same figures.
        self._counted: dict[Any, Found] = {}
        self._counted_of: tuple[ReadModel, int] | None = None

    async def indicators(self, code: str, asked: Asked, viewer: Viewer) -> list[Answer]:
        """Every indicator; one that cannot be broken down by what was asked for is answered without cells."""

        def every(definition: Definition) -> list[Wanted]:
            period, dimensions = period_of(definition, asked.period), _dimensions(definition, asked.by)
            return [
                Wanted(one, period, dimensions if can_be_broken_down(definition, one, dimensions) else ())
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
        check_breakdown(viewer, asked.by)
        viewer = _of_office(viewer, definition, asked.office)
        wanted = choose(definition)
        as_of = self._as_of(definition, asked, viewer)
        questions = [
            Question(definition, one.indicator, as_of, one.period, one.by, viewer.office, not viewer.live)
            for one in wanted
        ]
        for question in questions:
            check_breakdown(viewer, [one.code for one in question.by])
        # Looked at before it is counted: by then more may be final than was counted.
        told = {"definition_version": version, "zone_data": ZONE_DATA, "final": as_of <= self._follower.watermark_ms}
        counted = await self._found(version, questions)
        answers = [
            {**_represent(question, found, viewer, asked.language), **told}
            for question, found in zip(questions, counted, strict=True)
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

    def steps(self, code: str, viewer: Viewer) -> list[datetime]:
        """The instants as of which the viewer gets figures, the newest first; none for whoever may ask for any."""
        if viewer.live:
            return []
        steps = self._steps(self._definitions.newest(code))
        found = sorted({*steps.until(self._follower.watermark_ms)}, reverse=True)
        return [EPOCH + timedelta(milliseconds=step) for step in found]

    def stamp(self, code: str, asked: Asked, viewer: Viewer) -> Any:
        """What changes whenever the answer may: of a live viewer all that was read, of others the published step."""
        version, definition = self._definition(code, asked, viewer)
        if viewer.live:
            return version, _read(self._follower.model)
        return version, self._as_of(definition, asked, viewer)

    def _as_of(self, definition: Definition, asked: Asked, viewer: Viewer) -> int:
        reached = self._follower.watermark_ms, self._follower.head_ms
        return shown_as_of(viewer, milliseconds(asked.as_of), *reached, self._steps(definition))

    def _steps(self, definition: Definition) -> Steps:
        declared = [_milliseconds_of(step) for step in definition.disclosure.steps]
        return Steps([one.ends for one in definition.periods], declared, self._known_ms(definition.code))

    def _known_ms(self, code: str) -> int:
        """When the programme was published first; where the read model has not met it, after all that it has."""
        return self._follower.model.zones.published.get(code, self._follower.watermark_ms + 1)

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


def milliseconds(text: str | None) -> int | None:
    """Milliseconds since 1970 of an RFC 3339 instant, rounded up. Raises Refusal 422."""
    if text is None:
        return None
    try:
        return _milliseconds_of(_INSTANT.validate_python(text))
    except ValidationError as error:
        _refuse(error.errors(include_input=False)[0]["type"], "query/as_of", INSTANT)


def _milliseconds_of(instant: datetime) -> int:
    return -(-microseconds_of(instant) // 1000)


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
    return (*asked, question.office, question.with_persons)


def _count(model: ReadModel, questions: Sequence[Question]) -> list[Found]:
    with model.database.reader() as connection:
        return [Found(*cells(connection, one, model.cells_seen), frames_unknown(connection, one)) for one in questions]


def _represent(question: Question, found: Found, viewer: Viewer, language: str) -> Answer:
    indicator, period, total = question.indicator, question.period, found.total
    withheld = _withheld(question, total, viewer)
    whole = total.whole is not None and withheld is None
    answer: Answer = {
        "code": indicator.code,
        "name": text_in(language, indicator.name),
        "unit": indicator.unit,
        "period": None if period is None else period.code,
        **_value(question, total, withheld),
        "numerator": total.part if whole else None,
        "denominator": total.whole if whole else None,
        "target": None if period is None else indicator.targets.get(period.code),
        "as_of": text_of(EPOCH + timedelta(milliseconds=question.as_of_ms)) if question.as_of_ms else None,
        "by": [],
        "state": "provisional",
        # Of a withheld figure nothing is said.
        "frames_unknown": found.frames_unknown and withheld is None,
    }
    codes = [dimension.code for dimension in question.by]
    if codes:
        answer |= adding_up(question)
    for cell in with_empty_classes(question, found.cells):
        labels = dict(zip(codes, cell.classes, strict=True))
        answer["by"].append({**labels, **_value(question, cell, _withheld(question, cell, viewer))})
    return answer


def _withheld(question: Question, cell: Cell, viewer: Viewer) -> str | None:
    """The rule by which it is withheld; None where it is shown."""
    rest = None if cell.whole is None else cell.whole - cell.part
    counted = Counted(cell.part, cell.persons, rest, cell.others, counts_people(question))
    return why_withheld(viewer, question.definition.disclosure.threshold, counted, question.as_of_ms)


def _value(question: Question, cell: Cell, withheld: str | None) -> Answer:
    """The value: an integer, or a share as decimal text; None for a share of nothing, and where it is withheld."""
    if withheld is not None:
        return {"value": None, "suppressed": True, "withheld": withheld}
    if cell.whole is None:
        return {"value": cell.part}
    share = share_value(cell.part, cell.whole, question.indicator.decimals)
    return {"value": None if share is None else str(share)}


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


def can_be_broken_down(definition: Definition, indicator: Indicator, dimensions: Sequence[Dimension]) -> bool:
    """Whether the indicator (of a share: both that it names) may be broken down by all of these."""
    if indicator.by and any(dimension.code not in indicator.by for dimension in dimensions):
        return False
    if (share := indicator.share) is not None:
        parts = [part for code in (share.of, share.in_) if (part := definition.indicator(code)) is not None]
        return all(can_be_broken_down(definition, part, dimensions) for part in parts)
    kinds = indicator.facts.kinds if indicator.facts is not None else ()
    return all(carries(kind, dimension) for kind in kinds for dimension in dimensions)


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
    check_breakdown(viewer, (office,))
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
