"""Filters, points, order: explained, integer, total, and blind to sex."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matching.domain.assessment import Candidate, assess, attributes_on, ranked
from shared.clock import derived_id
from shared.contracts.registration.persons import Attributes, LanguageSkill, ProfileEntry
from shared.programmes.sections.selection import Shortlist
from tests.unit.matching.facts import ATTRIBUTES, DEFINITION, terms


def test_the_score_is_the_sum_of_explained_components() -> None:
    found = assess(DEFINITION, terms(), ATTRIBUTES, 0)
    assert not found.failed
    assert found.score == sum(one.points for one in found.components)
    assert [(one.component, one.weight) for one in found.components] == [
        ("education", 40),
        ("experience", 50),
        ("first_time", 10),
    ]
    assert all(0 <= one.points <= one.weight for one in found.components)
    assert assess(DEFINITION, terms(), ATTRIBUTES, 1).score == found.score - 10


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        ({"education": 5}, ("education",)),
        ({"experience_years": None}, ("experience",)),
        ({"languages": (LanguageSkill(language="en", level="B1"),)}, ("languages",)),
        ({"education": None, "languages": ()}, ("education", "languages")),
        ({"languages": (LanguageSkill(language="en", level="B2"),)}, ()),
    ],
)
def test_who_misses_a_hard_filter_has_no_score(changes: dict[str, Any], failed: tuple[str, ...]) -> None:
    found = assess(DEFINITION, terms(), ATTRIBUTES.model_copy(update=changes), 0)
    assert found.failed == failed
    assert bool(found.score) != bool(failed)


@given(sex=st.sampled_from(["female", "male", "other", "not_stated"]), years=st.integers(0, 40))
def test_sex_is_in_none_of_it(sex: str, years: int) -> None:
    plain = ATTRIBUTES.model_copy(update={"experience_years": years})
    assert assess(DEFINITION, terms(), plain.model_copy(update={"sex": sex}), 0) == assess(
        DEFINITION, terms(), plain, 0
    )


@given(st.lists(st.tuples(st.integers(0, 100), st.uuids()), min_size=1, max_size=12, unique_by=lambda one: one[1]))
def test_the_order_is_total(drawn: list[tuple[int, Any]]) -> None:
    candidates = [Candidate(f"m-{expert}", str(expert), score) for score, expert in drawn]
    wanted = tuple(one.match for one in sorted(candidates, key=lambda one: (-one.score, one.expert)))[:5]
    assert ranked(candidates, Shortlist()) == wanted
    assert ranked(reversed(candidates), Shortlist()) == wanted


def entry(valid_from: str, recorded_at: int, education: int) -> dict[str, Any]:
    return ProfileEntry(
        id=derived_id(valid_from, str(recorded_at)),
        valid_from=date.fromisoformat(valid_from),
        recorded_at=datetime(2026, 1, recorded_at, tzinfo=UTC),
        attributes=Attributes(education=education),
    ).model_dump(mode="json", exclude_none=True)


ENTRIES = (entry("2020-01-01", 1, 4), entry("2020-01-01", 3, 5), entry("2024-06-01", 2, 6))


@pytest.mark.parametrize("entries", list(permutations(ENTRIES)))
def test_the_attributes_of_a_day(entries: tuple[dict[str, Any], ...]) -> None:
    found = {
        day: attributes_on(entries, date.fromisoformat(day))
        for day in ("2019-01-01", "2020-01-01", "2024-05-31", "2024-06-01")
    }
    assert {day: one.education for day, one in found.items() if one} == {
        "2019-01-01": 5,
        "2020-01-01": 5,
        "2024-05-31": 5,
        "2024-06-01": 6,
    }
    assert attributes_on((), date(2024, 1, 1)) is None
