"""A case's calendar days follow from the version of its programme that it was opened under."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import pytest

from services.monitoring import store
from services.monitoring.store import ReadModel
from shared.contracts.registration.programmes import ProgrammePublished
from shared.messaging.port import Record
from tests.unit.monitoring.story import DEFINITION, PROGRAMME, START, Story, batch_of, derived, id_of, model_of, stored
from tests.unit.monitoring.test_deriving import anew

# In Kabul 2026 has begun by then, in UTC it has not.
TURN_OF_THE_YEAR = datetime(2025, 12, 31, 20, tzinfo=UTC)
WITHOUT = [DEFINITION["offices"][1]]
RENAMED = [*WITHOUT, {**DEFINITION["offices"][0], "code": "kabul-city", "predecessors": ["kabul"]}]
MOVED = [*WITHOUT, {**DEFINITION["offices"][0], "time_zone": "UTC"}]


def publish(story: Story, version: int, offices: list[dict[str, Any]], code: str = PROGRAMME) -> None:
    content = {**DEFINITION, "code": code, "offices": offices}
    event = ProgrammePublished(happened_at=START, code=code, definition_version=version, definition=content)
    story.tell(code, event, office=None, programme=code, programme_version=version)


def years(rows: list[dict[str, Any]]) -> set[int]:
    return {row["local_year"] for row in rows if row["kind"] == "return_started"}


@pytest.mark.parametrize("offices", [WITHOUT, RENAMED, MOVED], ids=["dropped", "renamed", "another-zone"])
def test_a_later_version_moves_no_published_period(offices: list[dict[str, Any]]) -> None:
    story = Story()
    story.published()
    story.person("a", sex="female")
    story.returned("a", at=TURN_OF_THE_YEAR)
    model = model_of(story.records)
    before = stored(model)
    assert years(before) == {2026}
    publish(story, 2, offices)
    model.apply(batch_of(story.records))
    assert years(stored(model)) == {2026}
    assert stored(model) == before
    assert anew(story.records) == before, "a rebuild says the same"


def test_a_case_that_is_opened_under_the_later_version_has_that_ones_days() -> None:
    story = Story()
    story.published()
    publish(story, 2, MOVED)
    story.person("a", sex="female")
    story.person("b", sex="female")
    story.returned("a", at=TURN_OF_THE_YEAR)
    earlier = len(story.records)
    story.returned("b", at=TURN_OF_THE_YEAR)
    later = [
        record._replace(headers=tuple((n, b"2" if n == "ce_programmeversion" else v) for n, v in record.headers))
        for record in story.records[earlier:]
    ]
    records = [*story.records[:earlier], *later]
    by_person = {row["person"]: row["local_year"] for row in derived(records) if row["kind"] == "return_started"}
    assert by_person == {id_of("person", "a"): 2026, id_of("person", "b"): 2025}
    assert anew(records) == stored(model_of(records)) == derived(records)


def test_an_office_of_that_code_in_another_programme_gives_no_zone() -> None:
    story = Story()
    publish(story, 1, [{**DEFINITION["offices"][0], "time_zone": "Pacific/Auckland"}], code="another")
    story.published()
    story.person("a", sex="female")
    story.returned("a", at=TURN_OF_THE_YEAR)
    assert years(derived(story.records)) == {2026}
    stranger = Story()
    publish(stranger, 1, DEFINITION["offices"], code="another")
    publish(stranger, 1, WITHOUT)
    stranger.person("a", sex="female")
    stranger.returned("a", at=TURN_OF_THE_YEAR)
    assert years(derived(stranger.records)) == {2025}, "UTC, for what the programme never had"


def test_what_belongs_to_no_programme_stays_with_the_office_that_was_published_first() -> None:
    story = Story()
    story.published()
    story.host(at=TURN_OF_THE_YEAR)
    model = model_of(story.records)
    before = stored(model)
    publish(story, 1, [{**DEFINITION["offices"][0], "time_zone": "UTC"}], code="a-programme")
    model.apply(batch_of(story.records))
    assert stored(model) == before
    assert {row["local_year"] for row in before} == {2026}


def of_programme(records: list[Record], code: str) -> list[Record]:
    """The same, told of that programme."""
    return [
        record._replace(headers=tuple((n, code.encode() if n == "ce_programme" else v) for n, v in record.headers))
        for record in records
    ]


def test_many_cases_of_an_office_take_its_zone_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a programme's publication moves where it comes last; another programme's cases stay as they stand."""
    story = Story()
    publish(story, 1, MOVED, code="another")
    begins = len(story.records)
    for number in range(3):
        story.person(f"other-{number}", sex="female")
        story.returned(f"other-{number}", at=TURN_OF_THE_YEAR)
    others = of_programme(story.records[begins:], "another")
    begins += len(others)
    for number in range(5):
        story.person(f"own-{number}", sex="female")
        story.returned(f"own-{number}", at=TURN_OF_THE_YEAR)
    records = [story.records[0], *others, *story.records[begins:]]
    model = model_of(records)
    assert years(stored(model)) == {2025}
    story.published()
    monkeypatch.setattr(store, "MOVED_AT_ONCE", 2)
    model.apply(batch_of(story.records[-1:]))
    found = {row["person"]: row["local_year"] for row in stored(model) if row["kind"] == "return_started"}
    assert {found[id_of("person", f"own-{number}")] for number in range(5)} == {2026}
    assert {found[id_of("person", f"other-{number}")] for number in range(3)} == {2025}
    assert stored(model) == derived([*records, story.records[-1]])


def test_the_order_in_which_versions_and_events_come_changes_nothing() -> None:
    story = Story()
    story.published()
    publish(story, 2, MOVED)
    publish(story, 1, DEFINITION["offices"], code="another")
    story.person("a", sex="female")
    story.returned("a", at=TURN_OF_THE_YEAR)
    expected = stored(model_of(story.records))
    for seed in range(5):
        records = list(story.records)
        random.Random(seed).shuffle(records)
        model = ReadModel(None)
        for record in records:
            model.apply(batch_of([record]))
        assert stored(model) == expected
        model.close()


def test_the_first_of_january_in_casablanca_is_the_pinned_lists_in_both_readings() -> None:
    """By other lists the year begins there an hour earlier; DuckDB has one of its own and is not asked."""
    story = Story()
    publish(story, 1, [{**DEFINITION["offices"][0], "time_zone": "Africa/Casablanca"}])
    story.person("a", sex="female")
    story.person("b", sex="female")
    story.returned("a", at=datetime(2026, 12, 31, 23, 30, tzinfo=UTC))
    story.returned("b", at=datetime(2027, 1, 1, tzinfo=UTC))
    expected = {id_of("person", "a"): 2026, id_of("person", "b"): 2027}
    for found in (stored(model_of(story.records)), anew(story.records)):
        assert {row["person"]: row["local_year"] for row in found if row["kind"] == "return_started"} == expected
