"""Times as text: every instant that is taken is written so that it can be read back."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from shared.clock import instant_of, text_of
from shared.contracts.base import YEARS, Instant

INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_is_written_is_read_back_and_sorts_as_text(instant: datetime) -> None:
    assert instant_of(text_of(instant)) == instant
    assert len(text_of(instant)) == len("2007-03-05T09:00:00.000000Z")


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00+23:59",
        "0810-08-16T05:29:14Z",
        "1899-12-31T23:59:59Z",
        "3000-01-01T00:00:00Z",
        "9999-12-31T23:59:59-23:59",
        "2007-03-05T09:00:00",
    ],
)
def test_an_instant_outside_of_all_that_is_recorded_is_refused(text: str) -> None:
    """A refusal, and no OverflowError: a record that raises anything else would stop its partition."""
    with pytest.raises(ValidationError):
        INSTANT.validate_json(json.dumps(text))


def test_the_years_at_the_edges_are_taken() -> None:
    for year in (YEARS[0], YEARS[-1]):
        assert INSTANT.validate_json(f'"{year}-06-01T00:00:00+02:00"').tzinfo is UTC
