"""What each case of a plain chapter says with each step: constants, shares of totals, days and codes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from pydantic import JsonValue

from deploy.replay.apportion import apportioned
from deploy.replay.cases.model import Cases, Row, Spread

Body = dict[str, JsonValue]


@dataclass(frozen=True)
class OneCase:
    """One case of a chapter; `number` counts from 1."""

    number: int
    name: str
    office: str
    day: date
    bodies: Mapping[str, Body]


def each_case(chapter: Cases) -> Iterator[OneCase]:
    """The chapter's cases. What is stated is met exactly; `check` has found what cannot be."""
    days = [day for one in chapter.when for day in _evenly(one.starts, one.ends, one.cases)]
    offices = [office for office, number in chapter.offices.items() for _ in range(number)]
    bodies: dict[str, list[Body]] = {
        name: [dict(chapter.fields.get(name, {})) for _ in days] for name, _ in chapter.steps()
    }
    for step, totals in chapter.each.items():
        for field, total in totals.items():
            for body, value in zip(bodies[step], _shares(total, len(days)), strict=True):
                if value is not None:
                    body[field] = value
    for step, spreads in chapter.spread.items():
        for field, spread in spreads.items():
            for body, value in zip(bodies[step], _spread(spread, days), strict=True):
                body[field] = value
    for number, (day, office) in enumerate(zip(days, offices, strict=True), 1):
        name = f"{chapter.called}-{number:04d}"
        yield OneCase(number, name, office, day, {step: rows[number - 1] for step, rows in bodies.items()})


def _evenly(starts: date, ends: date, number: int) -> list[date]:
    days = (ends - starts).days
    return [starts + timedelta(days=days * (2 * n + 1) // (2 * number)) for n in range(number)]


def _shares(total: int | tuple[Row, ...], cases: int) -> list[JsonValue]:
    """The total's part of each case; of rows, the list of those that still have a number there."""
    if isinstance(total, int):
        return list(apportioned(total, [1] * cases))
    shared = [_shared_row(row, cases, place) for place, row in enumerate(total)]
    return [[row[n] for row in shared if _counts(row[n])] for n in range(cases)]


def _counts(row: Body) -> bool:
    """Whether a number is left in the row."""
    return any(isinstance(value, int) and value > 0 for value in row.values())


def _shared_row(row: Row, cases: int, place: int) -> list[Body]:
    """The row of each case. What is left over begins at another case in each row, so that small totals spread out."""
    parts = {name: apportioned(value, [1] * cases) for name, value in row.items() if isinstance(value, int)}
    turned = {name: [*numbers[-place % cases :], *numbers[: -place % cases]] for name, numbers in parts.items()}
    return [{name: turned[name][n] if name in turned else value for name, value in row.items()} for n in range(cases)]


def _spread(spread: Spread, days: list[date]) -> list[JsonValue]:
    if isinstance(spread, int):
        return [(day + timedelta(days=spread)).isoformat() for day in days]
    return [code for code, number in spread.items() for _ in range(number)]
