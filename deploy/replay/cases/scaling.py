"""A chapter of plain cases in small."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from deploy.replay.apportion import apportioned, shrunk
from deploy.replay.cases.model import Cases, Row


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
            "each": {
                step: {field: _total(total, scale) for field, total in totals.items()}
                for step, totals in chapter.each.items()
            },
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


def _total(total: int | tuple[Row, ...], scale: Decimal) -> int | tuple[Row, ...]:
    if isinstance(total, int):
        return shrunk(total, scale)
    return tuple(
        {name: shrunk(value, scale) if isinstance(value, int) else value for name, value in row.items()}
        for row in total
    )
