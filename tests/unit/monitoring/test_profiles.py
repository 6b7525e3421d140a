"""A person's attributes: as they were when it happened, as they are known now, and since when they are known."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from services.monitoring.domain.dates import local_date, zone_named
from services.monitoring.domain.derivation import NEVER_MS
from services.monitoring.domain.rows import EPOCH_DAY, microseconds_of
from shared.contracts.registration.persons import ProfileChanged
from tests.unit.monitoring.story import START, Story, derived, entry, id_of, model_of, stored


def versions(records: Any, kind: str) -> list[dict[str, Any]]:
    return [row for row in derived(records) if row["kind"] == kind]


def moved() -> Story:
    """Somebody who lived in NL, came, and moved to DE afterwards."""
    story = Story()
    story.person("a", sex="male", country_of_residence="NL")
    story.returned("a")
    second = entry("a", "second", date(2026, 3, 1), hours=1, sex="male", country_of_residence="DE")
    story.profile("a", [entry("a", "first", sex="male", country_of_residence="NL"), second])
    return story


def test_residence_is_that_of_the_event_and_what_is_known_now_the_newest() -> None:
    story = moved()
    before, after = versions(story.records, "return_started")
    assert (before["country_of_residence_at_event"], before["country_of_residence_at_now"]) == ("NL", "NL")
    assert (after["country_of_residence_at_event"], after["country_of_residence_at_now"]) == ("NL", "DE")
    assert before["known_to"] == after["known_from"] == story.now_ms
    assert after["known_to"] == NEVER_MS


def test_an_entry_begins_with_the_offices_own_day() -> None:
    """Kabul is four and a half hours ahead: at 20:00 UTC the day on which the person moved has begun there."""
    story = Story()
    first = entry("a", "first", sex="male", country_of_residence="NL")
    story.person("a", sex="male", country_of_residence="NL")
    story.profile("a", [first, entry("a", "second", date(2026, 3, 2), sex="male", country_of_residence="DE")])
    story.published()
    story.returned("a", at=datetime(2026, 3, 1, 20, tzinfo=UTC))
    assert versions(story.records, "return_started")[-1]["country_of_residence_at_event"] == "DE"


def test_a_correction_changes_what_happened_earlier_from_its_own_instant_on() -> None:
    story = Story()
    story.person("a", sex="male")
    story.returned("a")
    correction = entry("a", "correction", hours=2, sex="female")
    story.profile("a", [entry("a", "first", sex="male"), correction])
    before, after = versions(story.records, "return_completed")
    assert (before["sex_at_event"], before["sex_at_now"]) == ("male", "male")
    assert (after["sex_at_event"], after["sex_at_now"]) == ("female", "female")
    assert after["known_from"] == story.now_ms


def test_what_happened_before_the_first_entry_takes_the_first_one_in_its_last_form() -> None:
    story = Story()
    story.person("a", at=datetime(2024, 1, 1, tzinfo=UTC), sex="male", country_of_residence="NL")
    corrected = entry("a", "corrected", hours=1, sex="male", country_of_residence="BE")
    later = entry("a", "later", date(2026, 5, 1), hours=2, sex="male", country_of_residence="DE")
    story.profile("a", [entry("a", "first", sex="male", country_of_residence="NL"), corrected])
    story.profile("a", [entry("a", "first", sex="male", country_of_residence="NL"), corrected, later])
    assert versions(story.records, "expert_registered")[-1]["country_of_residence_at_event"] == "BE"


def test_an_entry_is_known_from_the_thin_event_and_not_from_the_record() -> None:
    story = Story()
    story.person("a", sex="female")
    records = [r for r in story.records if b"ProfileChanged" not in dict(r.headers)["ce_type"]]
    assert versions(records, "expert_registered")[0]["sex_at_now"] is None
    changed = story.tell(id_of("person", "a"), ProfileChanged(happened_at=START, entry=id_of("entry", "a", "first")))
    unknown, known = versions([*records, changed], "expert_registered")
    assert (unknown["sex_at_now"], known["sex_at_now"], known["known_from"]) == (None, "female", changed.appended_ms)


def test_only_the_newest_record_of_a_person_is_kept_whatever_comes_last() -> None:
    story = moved()
    heads = [r for r in story.records if r.topic == "registration.profiles"]
    rest = [r for r in story.records if r.topic != "registration.profiles"]
    compacted, late_head = model_of([*rest, heads[-1]]), model_of([*rest, *reversed(heads)])
    whole = model_of(story.records)
    assert stored(whole) == stored(compacted) == stored(late_head)
    assert whole.digests() == compacted.digests() == late_head.digests()


def test_a_change_without_a_difference_makes_no_version() -> None:
    story = Story()
    story.person("a", sex="female")
    again = entry("a", "again", hours=1, sex="female")
    story.profile("a", [entry("a", "first", sex="female"), again])
    assert len(versions(story.records, "expert_registered")) == 1


def test_local_dates_follow_the_zone_and_its_odd_old_offsets() -> None:
    def of(instant: datetime, zone: str) -> tuple[date, int]:
        day, year = local_date(microseconds_of(instant), zone)
        return date.fromordinal(day + EPOCH_DAY), year

    assert of(datetime(2026, 1, 31, 19, 29, 59, tzinfo=UTC), "Asia/Kabul") == (date(2026, 1, 31), 2026)
    assert of(datetime(2026, 1, 31, 19, 30, tzinfo=UTC), "Asia/Kabul") == (date(2026, 2, 1), 2026)
    assert of(datetime(2026, 1, 1, 4, 59, tzinfo=UTC), "America/Bogota") == (date(2025, 12, 31), 2025)
    assert of(datetime(1937, 5, 1, 23, 40, 30, tzinfo=UTC), "Europe/Amsterdam")[0] == date(1937, 5, 2)
    assert of(datetime(2026, 1, 1, tzinfo=UTC), "No/Such") == (date(2026, 1, 1), 2026)


def test_a_name_that_is_no_zone_is_taken_as_utc() -> None:
    assert [str(zone_named(name)) for name in ("Europe", "Nowhere", "../etc", "")] == ["UTC"] * 4
