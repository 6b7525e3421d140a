"""Which attributes of a person held on a day: one rule, which all services ask."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import permutations

import pytest

from services.matching.domain import assessment
from services.monitoring.domain.profiles import NAMES, Entry, at_event
from services.monitoring.domain.rows import day_of, microseconds_of
from shared.clock import derived_id
from shared.contracts.attributes import Before, as_of
from shared.contracts.registration.persons import ATTRIBUTES, Attributes, ProfileEntry, attributes_on

RECORDED = datetime(2026, 1, 1, tzinfo=UTC)


def entry(valid_from: str, minutes: int, education: int) -> ProfileEntry:
    return ProfileEntry(
        id=derived_id(valid_from, str(minutes)),
        valid_from=date.fromisoformat(valid_from),
        recorded_at=RECORDED + timedelta(minutes=minutes),
        attributes=Attributes(education=education),
    )


# The second one corrects the first.
ENTRIES = (entry("2020-01-01", 1, 4), entry("2020-01-01", 3, 5), entry("2024-06-01", 2, 6))
DAYS = {"2019-01-01": 5, "2020-01-01": 5, "2024-05-31": 5, "2024-06-01": 6}


def education(held: Attributes | None) -> int | None:
    return None if held is None else held.education


@pytest.mark.parametrize("entries", list(permutations(ENTRIES)))
def test_all_services_have_one_answer_from_the_first_entry_on(entries: tuple[ProfileEntry, ...]) -> None:
    as_json = [one.model_dump(mode="json", exclude_none=True) for one in entries]
    known = sorted(
        Entry(
            day_of(e.valid_from),
            microseconds_of(e.recorded_at),
            e.id,
            0,
            tuple(getattr(e.attributes, n) for n in NAMES),
        )
        for e in entries
    )
    for text, expected in DAYS.items():
        day = date.fromisoformat(text)
        assert education(attributes_on(entries, day, before="first")) == expected
        assert education(assessment.attributes_on(as_json, day)) == expected
        assert at_event(known, day_of(day))[NAMES.index("education")] == expected
        assert education(attributes_on(entries, day)) == (None if text == "2019-01-01" else expected)


@pytest.mark.parametrize("before", ["nothing", "first"])
def test_of_an_empty_timeline_nothing_is_known(before: Before) -> None:
    assert as_of((), 5, lambda entry: entry, before=before) is None


def test_what_figures_can_ask_of_a_person_is_declared_on_the_attributes() -> None:
    assert set(Attributes.model_fields) - set(ATTRIBUTES) == {"languages", "other_nationalities"}
    assert ATTRIBUTES["birth_year"].word == "age"
    assert {name for name, one in ATTRIBUTES.items() if one.type == "number"} == {
        "birth_year",
        "education",
        "experience_years",
    }
