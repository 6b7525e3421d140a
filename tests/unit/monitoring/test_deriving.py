"""DuckDB's reading of the declarations gives the rows that the plain one gives, of any events in any order."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.monitoring import filling
from services.monitoring.deriving import facts_query
from services.monitoring.domain.dates import local_date, offsets_of
from services.monitoring.domain.derivation import HEAD, fields_of
from services.monitoring.domain.facts import facts_of
from services.monitoring.domain.profiles import NOTHING_KNOWN
from services.monitoring.domain.rows import EventRow, microseconds_of
from services.monitoring.domain.zones import UTC_ZONE
from services.monitoring.filling import Facts
from services.monitoring.schema import FACT_TABLES, SCHEMAS
from services.monitoring.store import ReadModel
from services.monitoring.writing import insert
from shared.contracts.base import Event
from shared.contracts.catalogue import CATALOGUE
from shared.contracts.placement.placements import PlacementCancelled
from shared.messaging.port import Record
from tests.unit.monitoring.story import START, Story, batch_of, entry, id_of, model_of, stored
from tests.unit.monitoring.test_facts import as_version_1
from tests.unit.monitoring.test_families import ANNOUNCED, COURSES, HELD, TESTED, CourseVoided, rows
from tests.unit.monitoring.test_sets import SEEDS, random_story

NUMBERED = "(SELECT *, rowid AS place FROM events)"


def anew(records: Sequence[Record]) -> list[dict[str, Any]]:
    """The facts that DuckDB derives of the records' events."""
    return anew_in(model_of(records))


def anew_in(model: ReadModel, *, kept: bool = True) -> list[dict[str, Any]]:
    """The facts that DuckDB derives of the model's events, from where they are kept or as they come."""
    connection = model.database.writer
    for table in FACT_TABLES:
        connection.execute(f"DELETE FROM {table}")
    facts = Facts(connection, model.database.scratch(), model.zones, SCHEMAS["events"].empty_table())
    for topic in CATALOGUE.families:
        if kept:
            facts.add_written(topic)
        else:
            facts.add(topic, connection.sql(f"SELECT * FROM events WHERE topic = '{topic}'").to_arrow_table())
    for derived in facts.done(all=True):
        facts.keep(derived, connection)
    facts.read_plainly()
    found = stored(model)
    model.close()
    return found


@settings(max_examples=10, deadline=None)
@given(SEEDS, st.randoms(use_true_random=False))
def test_both_readings_give_the_same_facts(seed: int, dice: random.Random) -> None:
    records = list(random_story(seed).records)
    # Without some of them cases are not opened, and what follows an end comes before it.
    kept = [record for record in records if dice.random() < dice.choice([0.7, 1.0])]
    applied = (b"ApplicationReceived" in dict(record.headers)["ce_type"] and dice.random() < 0.5 for record in kept)
    old = [as_version_1(record) if opening else record for record, opening in zip(kept, applied, strict=True)]
    whole = model_of(old)
    expected = stored(whole)
    assert anew(old) == expected
    assert anew_in(whole, kept=False) == expected


def test_many_shares_of_a_topic_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling, "DERIVED_AT_ONCE", 3)
    monkeypatch.setattr(filling, "ROW_GROUP", 2)
    monkeypatch.setattr(filling, "JOINED_AT_ONCE", 2)
    story = Story()
    story.published()
    for name in ("a", "b", "c"):
        story.person(name, sex="male")
        story.accepted(name)
        story.returned(name)
        story.profile(name, [entry(name, "first", sex="male"), entry(name, "second", hours=1, sex="female")])
    assert anew(story.records) == stored(model_of(story.records))


@pytest.mark.parametrize("said", [True, False])
def test_facts_from_before_their_person_is_known_have_two_versions_alike(said: bool) -> None:
    story = Story()
    story.published()
    ended = PlacementCancelled(happened_at=START, match=id_of("match", "a", "a"), reason="visa")
    for name in ("a", "b", "c"):
        story.accepted(name)
    first, second, third = (story.opened(name) for name in ("a", "b", "c"))
    story.tell(first, ended)
    story.person("a")
    story.person("b")
    # In the very millisecond in which the person becomes known.
    story.tell(third, ended, step_ms=0)
    story.profile("c", [entry("c", "first")])
    story.tell(second, ended)
    batch, model = batch_of(story.records), ReadModel(None)
    if not said:
        for rows in batch.profiles.values():
            rows[:] = [row._replace(attributes=NOTHING_KNOWN) for row in rows]
    model.apply(batch)
    found = stored(model)
    contracts = [row for row in found if row["kind"] == "contract" and row["person"] == id_of("person", "b")]
    assert len(contracts) == (2 if said else 1)
    assert anew_in(model) == found


def query(events: Sequence[EventRow]) -> list[tuple[Any, ...]]:
    """The facts of the tests' own family by DuckDB."""
    database = ReadModel(None).database
    connection = database.writer
    for table in FACT_TABLES:
        connection.execute(f"DROP TABLE {table}")
    connection.execute("DROP TYPE fact_kind; CREATE TYPE fact_kind AS ENUM ('course_held', 'participants')")
    insert(connection, "events", events)
    # One day of UTC, on which all of them happened.
    named = {
        "programme": "''",
        "version": 0,
        "office": "'kabul'",
        "day": 0,
        "from_us": 0,
        "until_us": 86_400_000_000,
        "offset_us": 0,
    }
    days = ", ".join(f"{value} AS {name}" for name, value in named.items())
    connection.execute(f"CREATE TEMP TABLE local_days AS SELECT {days}")
    columns = [f'"{name}"::VARCHAR' if type == "id" else f'"{name}"' for name, type in fields_of(COURSES).items()]
    head = [f"{name}::VARCHAR" if name == "kind" else name for name in HEAD]
    selected = ", ".join([*head, *columns])
    found = connection.execute(f"SELECT {selected} FROM ({facts_query(COURSES, TESTED, NUMBERED)})").fetchall()
    database.close()
    return found


@pytest.mark.parametrize(
    "events",
    [
        (ANNOUNCED, HELD),
        (ANNOUNCED, HELD, HELD, CourseVoided(happened_at=START), HELD),
        (HELD, ANNOUNCED, HELD),
        (ANNOUNCED.model_copy(update={"cost": None}), HELD),
        (ANNOUNCED, HELD.model_copy(update={"groups": ()}), HELD),
    ],
)
def test_items_amounts_and_dates_are_read_alike(events: tuple[Event, ...]) -> None:
    told = facts_of(rows(*events), lambda _: UTC_ZONE, TESTED)
    expected = [
        (fact.kind, *fact[2:12], fact.known_from, fact.known_to, *fact.values)
        for fact in told
        if fact.known_to is None or fact.known_to > fact.known_from
    ]
    assert sorted(query(rows(*events)), key=str) == sorted(expected, key=str)
    assert expected


@settings(max_examples=150, deadline=None)
@given(
    st.datetimes(datetime(1900, 1, 2), datetime(2100, 1, 1)),
    st.sampled_from(["Europe/Amsterdam", "Asia/Kabul", "America/Bogota", "Africa/Monrovia", "Pacific/Apia", "No/Such"]),
)
def test_offsets_of_a_day_give_the_calendars_own_days(moment: datetime, zone: str) -> None:
    happened_us = microseconds_of(moment.replace(tzinfo=UTC))
    day = (moment.date() - START.replace(year=1970, month=1, day=1).date()).days
    (offset,) = [by for start, end, by in offsets_of(day, zone) if start <= happened_us < end]
    assert (happened_us + offset) // 86_400_000_000 == local_date(happened_us, zone)[0]


def test_a_day_on_which_the_clocks_change_has_both_offsets() -> None:
    day = (datetime(2026, 3, 29, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days
    (first, second) = offsets_of(day, "Europe/Amsterdam")
    change = microseconds_of(datetime(2026, 3, 29, 1, tzinfo=UTC))
    assert (first[1], second[0]) == (change, change)
    assert (second[2] - first[2]) == timedelta(hours=1) // timedelta(microseconds=1)
