"""When a programme is over: by the calendar of each of its offices, and without one when it is over at all of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Refusal
from shared.programmes.model import PREPARED, Definition
from shared.zones import zone
from tests.unit.matching.facts import DEFINITION

ENDS = date(2027, 7, 1)
WHERE = {"apia": "Pacific/Apia", "kabul": "Asia/Kabul", "lagos": "Africa/Lagos", "quito": "America/Guayaquil"}


def programme(*offices: str, ends: date = ENDS) -> Definition:
    first = DEFINITION.offices[0]
    listed = tuple(first.model_copy(update={"code": one, "time_zone": WHERE[one]}) for one in offices)
    dates = DEFINITION.dates.model_copy(update={"starts": date(2027, 1, 1), "ends": ends})
    return DEFINITION.model_copy(update={"offices": listed, "dates": dates})


@pytest.mark.parametrize(
    ("office", "closes"),
    [
        ("apia", datetime(2027, 6, 30, 11, tzinfo=UTC)),
        ("kabul", datetime(2027, 6, 30, 19, 30, tzinfo=UTC)),
        ("lagos", datetime(2027, 6, 30, 23, tzinfo=UTC)),
        ("quito", datetime(2027, 7, 1, 5, tzinfo=UTC)),
        (None, datetime(2027, 7, 1, 5, tzinfo=UTC)),
        ("nowhere", datetime(2027, 7, 1, 5, tzinfo=UTC)),
    ],
)
def test_it_is_over_at_the_midnight_of_the_office(office: str | None, closes: datetime) -> None:
    found = programme("quito", "apia", "lagos", "kabul")
    assert found.closes_at(office) == closes
    instant = timedelta(microseconds=1)
    assert [found.is_over(office, closes - instant), found.is_over(office, closes)] == [False, True]
    assert found.closes_first_at.code == "apia"


@pytest.mark.parametrize("only", list(WHERE))
def test_of_one_office_the_programme_has_its_calendar(only: str) -> None:
    """East of UTC nobody is offered it until UTC's midnight, and west of it nobody is shut out before their own."""
    found = programme(only)
    assert (found.zone_of(None), found.closes_first_at.code) == (zone(WHERE[only]), only)
    assert found.closes_at(None) == found.closes_at(only)


@given(st.sets(st.sampled_from(sorted(WHERE)), min_size=1), st.datetimes(timezones=st.just(UTC)))
def test_without_an_office_it_is_over_when_it_is_over_everywhere(offices: set[str], at: datetime) -> None:
    at = at.replace(year=2027)
    found = programme(*offices)
    assert found.is_over(None, at) is all(found.is_over(one, at) for one in offices)


def refused(**how: Any) -> str | None:
    try:
        programme("kabul").refuse_outside("kabul", how.get("happened_at"), how["now"])
    except Refusal as refusal:
        return refusal.rule
    return None


def test_what_is_recorded_late_lies_neither_after_the_programme_nor_long_before_it() -> None:
    now = datetime(2030, 1, 1, tzinfo=UTC)
    first = datetime(2027, 1, 1, tzinfo=zone("Asia/Kabul")) - PREPARED
    assert refused(now=now) == "programme_is_over"
    assert refused(now=now, happened_at=first) is None
    assert refused(now=now, happened_at=first - timedelta(seconds=1)) == "long_before_the_programme"
    assert refused(now=first - timedelta(days=9)) is None, "of what happens now the clock says when"
    assert refused(now=now, happened_at=datetime(2027, 7, 1, tzinfo=UTC)) == "programme_is_over"
