"""The words of indicators: periods by office, classes, shares."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.programmes.fact_words import FIELDS_OF, NOT_STATED, CodedField, FactKind, IdField, NumberField
from shared.programmes.indicators import Condition, Dimension, Indicator, Period, carries, share_value
from shared.zones import zone

AGE = Dimension.model_validate(
    {
        "code": "age",
        "name": {"en": "Age"},
        "attribute": "age",
        "classes": [
            {"code": "young", "name": {"en": "x"}, "below": 30},
            {"code": "middle", "name": {"en": "x"}, "at_least": 30, "below": 60},
            {"code": "old", "name": {"en": "x"}, "at_least": 60},
        ],
    }
)


def test_a_period_begins_and_ends_in_the_offices_own_day() -> None:
    period = Period.model_validate(
        {"code": "p", "name": {"en": "P"}, "series": "s", "starts": "2007-01-01", "ends": "2007-07-01"}
    )
    starts, ends = period.bounds(zone("Asia/Kabul"))
    assert starts.astimezone(UTC) == datetime(2006, 12, 31, 19, 30, tzinfo=UTC)
    assert ends.astimezone(UTC) == datetime(2007, 6, 30, 19, 30, tzinfo=UTC)
    assert period.bounds(zone("Europe/Amsterdam"))[1].astimezone(UTC) == datetime(2007, 6, 30, 22, tzinfo=UTC)


@given(st.integers(0, 120))
def test_every_age_is_in_exactly_one_band(age: int) -> None:
    assert sum(one.holds(age) for one in AGE.classes) == 1
    assert AGE.class_of(age) == ("young" if age < 30 else "middle" if age < 60 else "old")


def test_what_is_missing_or_in_no_class_has_its_place() -> None:
    sexes = Dimension.model_validate({"code": "sex", "name": {"en": "Sex"}, "attribute": "sex"})
    grouped = Dimension.model_validate(
        {
            "code": "host",
            "name": {"en": "Host"},
            "field": "host_type",
            "classes": [
                {"code": "state", "name": {"en": "x"}, "values": ["public"]},
                {"code": "others", "name": {"en": "x"}, "rest": True},
            ],
        }
    )
    assert (AGE.class_of(None), sexes.class_of(None), grouped.class_of(None)) == (NOT_STATED,) * 3
    assert (sexes.class_of("female"), grouped.class_of("public"), grouped.class_of("private")) == (
        "female",
        "state",
        "others",
    )


@pytest.mark.parametrize(
    ("numerator", "denominator", "decimals", "value"),
    [
        (68, 272, 0, "25"),
        (24, 124, 0, "19"),
        (1, 8, 0, "13"),
        (1, 8, 1, "12.5"),
        (0, 5, 0, "0"),
        (2, 3, 2, "66.67"),
    ],
)
def test_a_share_is_rounded_half_up(numerator: int, denominator: int, decimals: int, value: str) -> None:
    assert share_value(numerator, denominator, decimals) == Decimal(value)


def test_a_share_of_nothing_has_no_value() -> None:
    assert share_value(0, 0, 0) is None


def test_every_kind_of_fact_says_what_it_carries() -> None:
    known = {*get_args(IdField), *get_args(CodedField), *get_args(NumberField)}
    assert set(FIELDS_OF) == set(get_args(FactKind))
    assert all("office" in fields and fields <= known for fields in FIELDS_OF.values())
    sex = Condition.model_validate({"attribute": "sex", "one_of": ["female"]})
    assert carries("return_started", sex)
    assert not carries("assignment_requested", sex)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"measure": {"share": {"of": "a", "in": "b"}}}, "share_with_facts"),
        ({"measure": {"share": {"of": "a", "in": "b"}}, "facts": None}, "share_unit"),
        ({"facts": None}, "facts_missing"),
        ({"unit": "percent"}, "percent_of_no_share"),
        ({"measure": "sum"}, "literal_error"),
        ({"measure": {"median": "days"}}, "measure"),
        ({"measure": {"sum": "person"}}, "literal_error"),
        ({"facts": {"kinds": []}}, "too_short"),
        (
            {"facts": {"kinds": ["contract"], "where": [{"attribute": "sex", "at_least": 1}]}},
            "comparison_of_other_type",
        ),
        ({"facts": {"kinds": ["contract"], "where": [{"attribute": "sex"}]}}, "one_comparison"),
        ({"facts": {"kinds": ["contract"], "where": [{"one_of": ["a"]}]}}, "one_source"),
    ],
)
def test_an_indicator_is_whole_or_refused_by_name(change: dict[str, object], rule: str) -> None:
    whole = {
        "code": "i",
        "name": {"en": "I"},
        "unit": "contracts",
        "measure": "count",
        "facts": {"kinds": ["contract"]},
    }
    assert Indicator.model_validate(whole).share is None
    with pytest.raises(ValidationError) as caught:
        Indicator.model_validate({**whole, **change})
    assert rule in {one["type"] for one in caught.value.errors()}
