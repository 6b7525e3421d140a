"""A chapter of plain cases in small."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from deploy.replay.apportion import apportioned, shrunk
from deploy.replay.cases.model import Cases, Row

Stated = int | tuple[Row, ...]
AllStated = Mapping[str, Stated]


def shrunk_cases(chapter: Cases, scale: Decimal) -> Cases:
    """So many cases as the scale leaves; what is told of all of them is shared out anew, totals shrink with them."""
    count = shrunk(chapter.count, scale)
    return chapter.model_copy(
        update={
            "count": count,
            "offices": _shared(count, chapter.offices),
            "when": tuple(
                one.model_copy(update={"cases": cases})
                for one, cases in zip(
                    chapter.when, apportioned(count, [one.cases for one in chapter.when]), strict=True
                )
            ),
            "each": _totals(chapter.each, scale),
            "spread": {
                step: {
                    field: spread if isinstance(spread, int) else _shared(count, spread)
                    for field, spread in spreads.items()
                }
                for step, spreads in chapter.spread.items()
            },
        }
    )


def _shared(count: int, numbers: Mapping[str, int]) -> dict[str, int]:
    return dict(zip(numbers, apportioned(count, list(numbers.values())), strict=True))


def _totals(each: Mapping[str, AllStated], scale: Decimal) -> dict[str, dict[str, Stated]]:
    """What a later step tells otherwise than an earlier one stays different, for it would be refused as unchanged."""
    found: dict[str, dict[str, Stated]] = {}
    for step, totals in each.items():
        small = {field: _total(total, scale) for field, total in totals.items()}
        for earlier, told in found.items():
            for field in small.keys() & told.keys():
                if totals[field] != each[earlier][field] and small[field] == told[field]:
                    small[field] = _one_more(small[field])
        found[step] = small
    return found


def _one_more(total: Stated) -> Stated:
    if isinstance(total, int):
        return total + 1
    first, *others = total
    number = next(name for name, value in first.items() if isinstance(value, int))
    return ({**first, number: int(first[number]) + 1}, *others)


def _total(total: Stated, scale: Decimal) -> Stated:
    if isinstance(total, int):
        return shrunk(total, scale)
    return tuple(
        {name: shrunk(value, scale) if isinstance(value, int) else value for name, value in row.items()}
        for row in total
    )
